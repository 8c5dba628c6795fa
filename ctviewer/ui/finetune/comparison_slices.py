"""Figures of one-shot models as the comparison shows them: outlines, lesions, classes of slices, in sections and short."""

from __future__ import annotations

from collections.abc import Sequence

from ctviewer.training.comparison import Comparison, Difference
from ctviewer.training.scores.detection.figures import (
    ALL,
    ANY_LESION,
    DICE,
    F1,
    FROC,
    MARKED,
    PAPER_WEIGHTED,
    PER_IMAGE,
    PRECISION,
    SENSITIVITY,
    WEIGHTED,
)

SLICE = "slice"  # `Comparison.unit` of one-shot models
_HEADINGS = {
    ALL: "Outlines, mean over classes",
    ANY_LESION: "Lesions of any class",
    WEIGHTED: "Classes of slices, weighted by their shares",
    PAPER_WEIGHTED: "Classes of slices, weighted as in the paper",
    PER_IMAGE: f"{PER_IMAGE} (of the paper)",
}
_SHORT = {MARKED: "marked in vain", DICE: "Dice", SENSITIVITY: "sensitivity", PRECISION: "precision", F1: "F1"}


def slice_sections(
    comparison: Comparison,
) -> tuple[tuple[tuple[str, Sequence[Difference]], ...], tuple[tuple[str, Sequence[Difference]], ...]]:
    """Figures of the whole, then those by class of outlines or of slices."""
    found: dict[str, list[Difference]] = {}
    for one in comparison.differences:
        found.setdefault(_about(one.name), []).append(one)
    whole = tuple((heading, found[key]) for key, heading in _HEADINGS.items() if key in found)
    return whole, tuple((name, rows) for name, rows in found.items() if name not in _HEADINGS)


def short_name(name: str) -> str:
    """A figure's name beside its heading: "FROC at 1 false per scan", "F1"; one that has no shorter name keeps its own."""
    kind, _, of = name.rpartition(", ")
    if kind == PER_IMAGE:
        return of
    return _short(kind if of in _HEADINGS else name)


def brief_name(name: str) -> str:
    """A figure's name where no heading says what it is of: "FROC at 1 false, any lesion"."""
    kind, comma, of = name.rpartition(", ")
    return f"{_short(kind)}{comma}{of}"


def _short(kind: str) -> str:
    if kind.startswith(FROC):
        rest = kind.removeprefix(FROC).strip()
        return "FROC, mean" if rest.startswith("(") else f"FROC {rest.replace(' per scan', '')}"
    return _SHORT.get(kind, kind)


def _about(name: str) -> str:
    """What a figure is of: a class, or all of them; the paper's own figure is a matter of its own."""
    kind, _, of = name.rpartition(", ")
    return PER_IMAGE if kind == PER_IMAGE else of
