"""Splitting the slices of one SeriesInstanceUID into stacks that belong together, and saying why in words."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from ctviewer.dicom import tags
from ctviewer.dicom.directions import common_orientation
from ctviewer.dicom.passes import acquisition_passes
from ctviewer.dicom.record import Slice

_FEW = 6  # slices of other parts that are named
_SAME_DIRECTION = 2e-3  # largest difference of a direction cosine: 0.1 degrees
_SAME_SPACING = 1e-3  # relative


@dataclass(frozen=True)
class Part:
    """One stack.

    Attributes:
        slices: in no order yet.
        part, parts: which part of how many of its SeriesInstanceUID, counted from 1.
        reasons: in what it differs from other parts, in words; empty for a series that is whole.
        digest: of what sets it apart; the same whatever other parts there are, and however many slices it has.
        apart: slices of the other parts, where these are a few single ones.
    """

    slices: tuple[Slice, ...]
    part: int = 1
    parts: int = 1
    reasons: tuple[str, ...] = ()
    digest: str = ""
    apart: tuple[Slice, ...] = ()


@dataclass
class _Stack:
    """A part on its way."""

    slices: list[Slice]
    reasons: tuple[str, ...] = ()
    acquisition: Hashable = None


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
    stacks = [_Stack(list(slices))]
    for reason, labeller in _SPLITTERS:
        stacks = [part for stack in stacks for part in _divide(stack, labeller(stack.slices), reason)]
    stacks = [part for stack in stacks for part in _divide_passes(stack)]
    stacks.sort(key=lambda s: (-len(s.slices), _first_number(s.slices), str(min(one.path for one in s.slices))))
    return [
        Part(tuple(s.slices), number, len(stacks), s.reasons, _digest(s), _apart(s, stacks))
        for number, s in enumerate(stacks, start=1)
    ]


def _first_number(stack: list[Slice]) -> tuple[int, int]:
    return min((one.acquisition_number or 0, one.instance_number or 0) for one in stack)


def _divide(stack: _Stack, labels: Labels, reason: str) -> list[_Stack]:
    if len(set(labels)) == 1:
        return [stack]
    groups: dict[Hashable, list[Slice]] = defaultdict(list)
    for one, label in zip(stack.slices, labels, strict=True):
        groups[label].append(one)
    return [_Stack(members, (*stack.reasons, reason), stack.acquisition) for members in groups.values()]


def _divide_passes(stack: _Stack) -> list[_Stack]:
    found = acquisition_passes(stack.slices)
    if found is None:
        return [stack]
    reason, labels = found
    parts = _divide(stack, labels, reason)
    for part, label in zip(parts, dict.fromkeys(labels), strict=True):
        part.acquisition = label
    return parts


def _apart(stack: _Stack, stacks: list[_Stack]) -> tuple[Slice, ...]:
    others = [one for other in stacks if other is not stack for one in other.slices]
    return tuple(others) if len(others) <= min(_FEW, len(stack.slices) - 1) else ()


def _digest(stack: _Stack) -> str:
    """Of what can set a part apart: coarse enough for the rounding of a file more or less, fine enough to tell parts apart."""
    first = stack.slices[0]
    direction = common_orientation(stack.slices)
    spacing = Counter(one.spacing for one in stack.slices).most_common(1)[0][0]
    facts = (
        _kind_of_object(first),
        (first.rows, first.columns),
        _kind(first),
        _image_type(first),
        None if direction is None else tuple((np.round(direction, 3) + 0.0).tolist()),
        None if spacing is None else tuple(f"{value:.4g}" for value in spacing),
        _reference(stack.slices),
        first.header.text(tags.STACK_ID),
        first.kernel,
        any(one.signed for one in stack.slices),
        stack.acquisition,
    )
    return hashlib.blake2b(repr(facts).encode("utf-8", "replace"), digest_size=4).hexdigest()


def _by(fact: Callable[[Slice], Hashable]) -> Labeller:
    return lambda stack: [fact(one) for one in stack]


def _orientation_labels(stack: list[Slice]) -> Labels:
    """Apart where directions differ by more than a tenth of a degree; the most common ones found groups."""
    return _near([one.orientation for one in stack], lambda a, b: bool(np.abs(a - b).max() <= _SAME_DIRECTION))


def _spacing_labels(stack: list[Slice]) -> Labels:
    return _near(
        [None if one.spacing is None else np.array(one.spacing) for one in stack],
        lambda a, b: bool(np.all(np.abs(a - b) <= _SAME_SPACING * b)),
    )


def _near(facts: list[np.ndarray | None], same: Callable[[np.ndarray, np.ndarray], bool]) -> Labels:
    """Number of the first group to which each fact is near; -1 without one. The order of slices does not matter."""
    keys = [None if fact is None else fact.tobytes() for fact in facts]
    counts = Counter(key for key in keys if key is not None)
    ranked = sorted(counts, key=lambda key: (-counts[key], np.frombuffer(key).tolist()))
    founders: list[np.ndarray] = []
    label_of: dict[bytes | None, int] = {None: -1}
    for key in ranked:
        fact = np.frombuffer(key)
        label = next((i for i, founder in enumerate(founders) if same(fact, founder)), len(founders))
        if label == len(founders):
            founders.append(fact)
        label_of[key] = label
    return [label_of[key] for key in keys]


def _reference(stack: list[Slice]) -> str:
    """The Frame of Reference of more than half of the slices, else nothing."""
    uid, count = Counter(one.header.text(tags.FRAME_OF_REFERENCE_UID) for one in stack).most_common(1)[0]
    return uid if count > len(stack) / 2 else ""


def _stack_labels(stack: list[Slice]) -> Labels:
    """Apart by the Stack ID of Enhanced files, unless it tells nearly every slice apart."""
    stated = [one.header.text(tags.STACK_ID) for one in stack]
    return [""] * len(stack) if len(set(stated)) > max(1, len(stack) // 2) else list(stated)


def _reference_labels(stack: list[Slice]) -> Labels:
    """Apart by Frame of Reference: positions in two of them cannot be compared.

    Slices that state none go with the most; where nearly each has its own, a de-identification gave them at random.
    """
    stated = [one.header.text(tags.FRAME_OF_REFERENCE_UID) for one in stack]
    counts = Counter(uid for uid in stated if uid)
    if not 1 < len(counts) <= len(stack) // 2:
        return [""] * len(stack)
    usual = min(counts, key=lambda uid: (-counts[uid], uid))
    return [uid or usual for uid in stated]


def _sign_labels(stack: list[Slice]) -> Labels:
    """Apart only where signed and unsigned values do not fit into one 16-bit type."""
    signs = {one.signed for one in stack}
    if len(signs) == 1:
        return [True] * len(stack)
    wide = any(not one.signed and (one.pixel_format is None or one.pixel_format.bits_stored == 16) for one in stack)
    return [one.signed or not wide for one in stack]


def _kind_of_object(one: Slice) -> Hashable:
    return one.modality, one.header.text(tags.SOP_CLASS_UID)


def _kind(one: Slice) -> Hashable:
    mapped = one.header.has(tags.MODALITY_LUT_SEQUENCE)
    return one.pixels is None, one.is_colour, one.frames > 1, one.photometric, mapped


def _image_type(one: Slice) -> Hashable:
    return one.is_localizer, one.image_type[:3]


_SPLITTERS: tuple[tuple[str, Labeller], ...] = (
    ("modality or kind of object", _by(_kind_of_object)),
    ("image size", _by(lambda one: (one.rows, one.columns))),
    ("kind of pixels", _by(_kind)),
    ("image type", _by(_image_type)),
    ("presence of positions", _by(lambda one: one.position is None)),
    ("frame of reference", _reference_labels),
    ("orientation", _orientation_labels),
    ("pixel spacing", _spacing_labels),
    ("stack", _stack_labels),
    ("reconstruction kernel", _by(lambda one: one.kernel)),
    ("signed and unsigned pixels", _sign_labels),
)
