"""Splitting the slices of one SeriesInstanceUID into stacks that belong together, and saying why in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from ctviewer.dicom import tags
from ctviewer.dicom.record import Slice

SAME_POSITION_MM = 0.005
_SAME_DIRECTION = 2e-3  # largest difference of a direction cosine: 0.1 degrees
_SAME_SPACING = 1e-3  # relative


@dataclass(frozen=True)
class Part:
    """One stack.

    Attributes:
        slices: in no order yet.
        part, parts: which part of how many of its SeriesInstanceUID, counted from 1.
        reasons: in what the parts differ, in words; empty for a series that is whole.
    """

    slices: tuple[Slice, ...]
    part: int = 1
    parts: int = 1
    reasons: tuple[str, ...] = ()


Labels = list[Hashable]
Labeller = Callable[[list[Slice]], Labels]


def series_key(one: Slice) -> tuple[str, ...]:
    """What slices of one series have in common whatever else differs: patient, study, series.

    The patient belongs to it: files of two patients that share a UID by mistake must never meet in one stack.
    """
    header = one.header
    series = header.text(tags.SERIES_INSTANCE_UID) or f"{one.path.parent}#{header.text(tags.SERIES_NUMBER)}"
    return (
        header.text(tags.PATIENT_ID),
        header.text(tags.PATIENT_NAME).rstrip("^ ").casefold(),
        header.text(tags.STUDY_INSTANCE_UID),
        series,
    )


def split(slices: Iterable[Slice]) -> list[Part]:
    """Split slices that share a `series_key` into stacks, largest first."""
    stacks = [list(slices)]
    reasons: list[str] = []
    for reason, labeller in _SPLITTERS:
        divided = [part for stack in stacks for part in _divide(stack, labeller(stack))]
        if len(divided) > len(stacks):
            reasons.append(reason)
        stacks = divided
    passes = [part for stack in stacks for part in _divide(stack, _pass_labels(stack))]
    if len(passes) > len(stacks):
        reasons.append("acquisition pass at the same positions")
    passes.sort(key=lambda stack: (-len(stack), _first_number(stack), str(min(one.path for one in stack))))
    count = len(passes)
    return [Part(tuple(stack), i + 1, count, tuple(reasons)) for i, stack in enumerate(passes)]


def _first_number(stack: list[Slice]) -> tuple[int, int]:
    return min((one.acquisition_number or 0, one.instance_number or 0) for one in stack)


def _divide(stack: list[Slice], labels: Labels) -> list[list[Slice]]:
    groups: dict[Hashable, list[Slice]] = defaultdict(list)
    for one, label in zip(stack, labels, strict=True):
        groups[label].append(one)
    return list(groups.values())


def _by(fact: Callable[[Slice], Hashable]) -> Labeller:
    return lambda stack: [fact(one) for one in stack]


def _orientation_labels(stack: list[Slice]) -> Labels:
    """Number of the first cluster whose direction is the same within a tenth of a degree; -1 without orientation."""
    found: list[np.ndarray] = []
    labels: Labels = []
    for one in stack:
        if one.orientation is None:
            labels.append(-1)
            continue
        for number, known in enumerate(found):
            if np.abs(one.orientation - known).max() <= _SAME_DIRECTION:
                labels.append(number)
                break
        else:
            labels.append(len(found))
            found.append(one.orientation)
    return labels


def _spacing_labels(stack: list[Slice]) -> Labels:
    found: list[tuple[float, float]] = []
    labels: Labels = []
    for one in stack:
        if one.spacing is None:
            labels.append(-1)
            continue
        for number, known in enumerate(found):
            if all(abs(a - b) <= _SAME_SPACING * b for a, b in zip(one.spacing, known, strict=True)):
                labels.append(number)
                break
        else:
            labels.append(len(found))
            found.append(one.spacing)
    return labels


def _sign_labels(stack: list[Slice]) -> Labels:
    """Apart only where signed and unsigned values do not fit into one 16-bit type."""
    signs = {one.signed for one in stack}
    if len(signs) == 1:
        return [True] * len(stack)
    wide = any(not one.signed and (one.pixel_format is None or one.pixel_format.bits_stored == 16) for one in stack)
    return [one.signed or not wide for one in stack]


def _kind(one: Slice) -> Hashable:
    mapped = one.header.has(tags.MODALITY_LUT_SEQUENCE)
    return one.pixels is None, one.is_colour, one.frames > 1, one.photometric, mapped


def _image_type(one: Slice) -> Hashable:
    return one.is_localizer, one.image_type[:3]


_SPLITTERS: tuple[tuple[str, Labeller], ...] = (
    ("modality or kind of object", _by(lambda one: (one.modality, one.header.text(tags.SOP_CLASS_UID)))),
    ("image size", _by(lambda one: (one.rows, one.columns))),
    ("kind of pixels", _by(_kind)),
    ("image type", _by(_image_type)),
    ("presence of positions", _by(lambda one: one.position is None)),
    ("orientation", _orientation_labels),
    ("pixel spacing", _spacing_labels),
    ("reconstruction kernel", _by(lambda one: one.kernel)),
    ("signed and unsigned pixels", _sign_labels),
)


def normal(orientation: np.ndarray) -> np.ndarray:
    """Unit normal `[3]`, row cosines x column cosines."""
    return np.cross(orientation[:3], orientation[3:])


def locations(stack: Iterable[Slice], direction: np.ndarray) -> np.ndarray:
    """Positions in mm along a direction, in the order given."""
    return np.asarray(np.array([one.position for one in stack], dtype=np.float64) @ direction)


def _repeats(places: np.ndarray) -> bool:
    return bool(np.any(np.diff(np.sort(places)) <= SAME_POSITION_MM))


_PASS_FACTS: tuple[Callable[[Slice], Hashable], ...] = (
    lambda one: one.acquisition_number,
    lambda one: one.header.integer(tags.TEMPORAL_POSITION_IDENTIFIER),
    lambda one: one.header.number(tags.KVP),
    lambda one: one.header.number(tags.ECHO_TIME),
    lambda one: one.image_type,
    lambda one: (one.header.text(tags.ACQUISITION_DATE), one.header.text(tags.ACQUISITION_TIME)),
    lambda one: one.header.text(tags.CONTRAST_BOLUS_AGENT),
)


def _pass_labels(stack: list[Slice]) -> Labels:
    """Labels of acquisition passes where positions repeat and one fact tells the passes apart; else one label.

    A stack that lies at a single position (bolus monitoring) stays whole: it is a series over time.
    """
    whole: Labels = [0] * len(stack)
    direction = stack[0].orientation
    if direction is None or len(stack) < 3:
        return whole
    places = locations(stack, normal(direction))
    if not _repeats(places) or np.ptp(places) <= SAME_POSITION_MM:
        return whole
    for fact in _PASS_FACTS:
        labels = [fact(one) for one in stack]
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for index, label in enumerate(labels):
            groups[label].append(index)
        if 1 < len(groups) <= len(stack) // 2 and not any(_repeats(places[members]) for members in groups.values()):
            return labels
    return whole
