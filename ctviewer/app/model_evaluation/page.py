"""The evaluation as JSON, as text for a terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctviewer.app.evaluation_page import interval_text
from ctviewer.app.evaluation_record import figure_words
from ctviewer.app.model_evaluation.parts import BESIDE, Part
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric
from ctviewer.report import page

SCHEMA, VERSION = "ctviewer.model-evaluation", 1
_BESIDE = "beside them: no model of ours"


def as_dict(parts: Sequence[Part], bundles: Sequence[Bundle], commit: str) -> dict[str, Any]:
    """All that was found; equal for two runs on the same bundles and data."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "notice": RESEARCH_USE,
        "commit": commit,
        "bundles": digests(bundles),
        "parts": {part.name: part.as_dict() for part in parts},
    }


def digests(bundles: Sequence[Bundle]) -> dict[str, str]:
    """SHA-256 of the weights, by key."""
    return {bundle.key: bundle.metadata.weights_sha256 for bundle in bundles}


def logged(parts: Sequence[Part]) -> dict[str, Any]:
    """The figures alone, short enough for a line of the log."""
    return {part.name: part.skipped or _values(part.figures) for part in parts}


def _values(figures: Mapping[str, Sequence[Metric]]) -> dict[str, dict[str, float]]:
    return {
        key or "beside": {f"{one.name} ({one.data}, n = {one.n})": one.value for one in metrics}
        for key, metrics in figures.items()
    }


def as_text(part: Part) -> str:
    """One part, for a terminal."""
    return "\n".join(_lines(part))


def _lines(part: Part) -> Iterator[str]:
    yield f"{part.title}"
    if part.skipped:
        yield f"  Skipped: {part.skipped}"
    for key, metrics in part.figures.items():
        yield f"  {key or _BESIDE}"
        width = max((len(one.name) for one in metrics), default=0)
        for one in metrics:
            yield f"    {one.name:{width}s}  {figure_words(one)}  n = {one.n} {one.unit}; {one.data}"
    for table in part.tables:
        yield f"  {' | '.join(table.head)}"
        yield from (f"    {' | '.join(row)}" for row in table.rows)
    yield from (f"  - {note}" for note in part.notes)


def render(parts: Sequence[Part], bundles: Sequence[Bundle], commit: str, looks: int) -> str:
    """The page.

    Args:
        parts: in order.
        bundles: that were judged.
        commit: of the program, "" where it is not known.
        looks: how often P001 and normal001 were scored until now, by the log.
    """
    models = [(bundle.key, bundle.metadata.trained_on, bundle.metadata.licence, bundle.metadata.weights_sha256[:16])
              for bundle in bundles]  # fmt: skip
    told = [
        f"Program at commit {commit or 'unknown'}.",
        f"P001 and normal001 were scored {looks} times until now; the log names each.",
    ]
    inner = [
        page.section("Models", page.points(told), page.table(("Bundle", "Learned from", "Licence", "Weights"), models)),
        *(_section(part) for part in parts),
    ]
    return page.page("Evaluation of the shipped models", f"{RESEARCH_USE} Not for any decision about a patient.", inner)


def _section(part: Part) -> str:
    inner = [page.text(f"Skipped: {part.skipped}", "doubt")] if part.skipped else []
    inner.append(page.points(part.notes))
    for key, metrics in part.figures.items():
        if metrics:
            rows = [_row(one) for one in metrics]
            inner.append(page.text("Beside our models: what they are compared with" if key == BESIDE else key))
            inner.append(page.table(("Figure", "Value", "95 % interval", "Over", "Measured on"), rows, right=(1, 2)))
    inner += [page.table(table.head, table.rows) for table in part.tables]
    return page.section(part.title, *inner)


def _row(one: Metric) -> tuple[str, ...]:
    return one.name, f"{one.value:.3f}", interval_text(one), f"{one.n} {one.unit}", one.data
