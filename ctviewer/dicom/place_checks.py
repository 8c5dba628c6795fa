"""Doubts about where slices lie: each in one sentence, with what follows from it for the reader.

What is odd is decided in `core.layout`; here it gets words and the files' own numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.layout import Layout
from ctviewer.core.series import Notice, Severity
from ctviewer.core.words import enumerated
from ctviewer.dicom import tags
from ctviewer.dicom.record import Slice
from ctviewer.dicom.wording import both_sides, cite, listed, name, place, slices, where

_FLAT = "2-D reading only: no reformatting"
_SAME_THICKNESS = 1.01
_THICK, _THIN = 1.5, 1.1  # slices this much thicker than their spacing overlap; a spacing so much wider leaves gaps
_ABSURD = 1 << 31  # no image number (IS) nor place is as large
_UNIT = 0.01  # lengths of direction vectors off by more are told


def positions(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """No positions at all."""
    if geometry.origins is not None:
        return
    text = "The files state no usable slice positions: slices are in the order of their image numbers"
    if len({one.instance_number for one in stack}) < len(stack):
        text = "The files state no usable slice positions, nor distinct image numbers: slices are in the order of file names"
    follows = f"{_FLAT}, no volumes, no left and right"
    yield Notice(
        "no-positions", Severity.WARNING, f"{text}. Orientation and distances between slices are unknown. {follows}."
    )


def directions(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Direction vectors that were not of unit length."""
    if geometry.origins is None:
        return
    odd = [i for i, one in enumerate(stack) if _is_scaled(one.header.numbers(tags.IMAGE_ORIENTATION_PATIENT))]
    if odd:
        which = () if len(odd) == len(stack) else tuple(odd)
        text = f"The direction vectors of {slices(len(odd))} are not of length 1; their directions are used, their lengths are not."
        yield Notice("scaled-directions", Severity.INFO, text, which)


def _is_scaled(values: tuple[float, ...]) -> bool:
    if len(values) != 6:
        return False
    return any(abs(sum(v * v for v in part) - 1.0) > 2 * _UNIT for part in (values[:3], values[3:]))


def spacing(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """No pixel spacing, or pixels that are not square."""
    found = geometry.pixel_spacing
    if found is None:
        text = f"The files state no pixel spacing: lengths and areas are in pixels only. {_FLAT}, no volumes."
        yield Notice("no-spacing", Severity.WARNING, text)
    elif abs(found[0] - found[1]) > 1e-3 * max(found):
        text = f"Pixels are not square: {found[0]:g} mm between rows, {found[1]:g} mm between columns. "
        text += "They are shown and measured in true proportion."
        yield Notice("non-square-pixels", Severity.INFO, text)


def gaps(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Missing slices and irregular gaps."""
    missing = where(layout.missing > 0)
    if missing:
        total = int(layout.missing.sum())
        places = [f"{layout.missing[i]} between {cite(stack[i])} and {cite(stack[i + 1])}" for i in missing]
        verb, hole = ("is", "hole") if len(missing) == total == 1 else ("are", "holes" if len(missing) > 1 else "hole")
        again = (np.diff(missing) == 1) & (np.diff(layout.missing[missing]) == 0)
        doubt = ", or were taken farther apart" if (again[1:] & again[:-1]).any() else ""  # alike, three in a row
        text = f"{slices(total)} {verb} missing{doubt}: {listed(places)}. {_FLAT}, no volumes across the {hole}."
        yield Notice("missing-slices", Severity.WARNING, text, both_sides(missing))
    uneven = where(layout.uneven)
    if uneven:
        places = [f"{layout.gaps[i]:.4g} mm between {cite(stack[i])} and {cite(stack[i + 1])}" for i in uneven]
        large = bool(layout.large.any())
        follows = f"{_FLAT}, no volumes across the wide ones" if large else "Measured with each slice's own distances"
        yield Notice(
            "irregular-gaps",
            Severity.WARNING if large else Severity.INFO,
            f"The distance between slices varies around {geometry.slice_spacing:.4g} mm: {listed(places)}. {follows}.",
            both_sides(uneven),
        )


def _together(group: Sequence[Slice]) -> str:
    """Slices at one position: `Se 3 / Im 4 with Se 3 / Im 9 (58.0 mm)`."""
    return f"{name(group[0])} with {listed([cite(one) for one in group[1:]])}"


def repeats(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Slices at one position."""
    same = layout.repeated
    if not same.any():
        return
    if not same.all():
        groups = np.split(np.arange(len(stack)), np.flatnonzero(~same) + 1)
        places = listed([_together([stack[i] for i in group]) for group in groups if len(group) > 1])
        text = f"Several slices lie at the same position: {places}. {_FLAT}, no volumes of what lies there."
        yield Notice("duplicate-positions", Severity.WARNING, text, both_sides(where(same)))
        return
    count, one_place = len(stack), place(stack[0])
    stated = _slice_locations(stack)
    if stated is not None and np.ptp(stated) > 0.1:
        text = f"All {count} slices state the same position ({one_place}) but different slice locations: the positions are wrong. "
        text += f"Slices are in the order of their image numbers. {_FLAT}, no volumes."
        yield Notice("constant-position", Severity.WARNING, text, tuple(range(count)))
    else:
        text = f"All {count} slices lie at one position ({one_place}), as images over time do. {_FLAT}, no volumes."
        yield Notice("one-position", Severity.WARNING, text)


def sideways(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Gantry tilt, and slices that are shifted against the others."""
    if layout.tilt:
        text = f"The gantry was tilted by {layout.tilt:.1f} degrees: each slice is shifted against the next one. "
        text += "Reformatting only after this is corrected; volumes and distances within a slice are right."
        yield Notice("gantry-tilt", Severity.WARNING, text)
    shifted = where(layout.shifted)
    if shifted:
        places = listed([cite(stack[i]) for i in shifted])
        verb = "is" if len(shifted) == 1 else "are"
        text = f"{slices(len(shifted))} {verb} shifted sideways by more than a pixel against the others: {places}. {_FLAT}."
        yield Notice("shifted-slices", Severity.WARNING, text, tuple(shifted))


def numbers(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Image numbers that repeat, run against the order shown, or do not follow positions at all."""
    if any(one.frame_number is not None for one in stack):
        return  # frames of one file share its number
    stated = [one.instance_number for one in stack if one.instance_number is not None]
    if geometry.origins is None or len(stack) < 3 or len(stated) < len(stack) or layout.repeated.any():
        return
    if max(map(abs, stated)) >= _ABSURD:
        return
    values = np.array(stated, dtype=np.float64)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    if (counts > 1).any():
        again = tuple(where(counts[inverse] > 1))
        text = (
            f"{slices(len(again))} share their image number with another one; positions tell them apart and order them."
        )
        yield Notice("repeated-numbers", Severity.INFO, text, () if len(again) == len(stack) else again)
        return
    against = _against(values)
    if against:
        places = listed([cite(stack[i]) for i in both_sides(against)])
        text = f"Image numbers do not follow the positions of the slices: {places}. Slices are in the order of their positions."
        yield Notice("numbers-disagree", Severity.INFO, text, both_sides(against))
    elif np.all(np.diff(values[geometry.display_order]) < 0):
        first, last = stack[geometry.display_order[0]], stack[geometry.display_order[-1]]
        text = f"Image numbers run against the order shown: from {cite(first)}, shown first, down to {cite(last)}. "
        text += "Slices are in the order of their positions."
        yield Notice("opposite-direction", Severity.INFO, text)


def slice_locations(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Slice Location that contradicts the positions: one of the two is wrong."""
    if geometry.origins is None or len(stack) < 3 or layout.repeated.any():
        return
    stated = _slice_locations(stack)
    if stated is None:
        return
    against = _against(stated)
    if against:
        places = listed([cite(stack[i]) for i in both_sides(against)])
        text = f"Slice locations in the files contradict the positions of the slices: {places}. "
        text += "Slices are in the order of their positions; check it by the anatomy."
        yield Notice("locations-disagree", Severity.WARNING, text, both_sides(against))


def _slice_locations(stack: Sequence[Slice]) -> NDArray[np.float64] | None:
    """Slice Location of all slices, None where one has none or all are alike."""
    found = [one.header.number(tags.SLICE_LOCATION) for one in stack]
    values = [value for value in found if value is not None and abs(value) < _ABSURD]
    return np.array(values) if len(values) == len(stack) and len(set(values)) > 1 else None


def _against(values: NDArray[np.float64]) -> list[int]:
    """Steps that go the other way than most; either way may be the right one."""
    steps = np.diff(values)
    rising = (steps > 0).sum() >= (steps < 0).sum()
    return where(steps < 0 if rising else steps > 0)


def thickness(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Slices of different thickness; so thick that they overlap; so thin that tissue between them was not imaged."""
    stated = [one.header.number(tags.SLICE_THICKNESS) for one in stack]
    known = [value for value in stated if value is not None and 0.01 < value < 1000]
    step = geometry.slice_spacing
    if known and max(known) > _SAME_THICKNESS * min(known):
        yield _thicknesses(stack, stated, known)
    elif known and step is not None:
        found = known[len(known) // 2]
        facts = f"Slices are {found:.4g} mm thick and {step:.4g} mm apart"
        if found > _THICK * step:
            text = f"{facts}: neighbouring slices show partly the same tissue."
            yield Notice("overlapping-slices", Severity.INFO, text)
        elif step > _THIN * found:
            text = f"{facts}: {1 - found / step:.0%} of the tissue was not imaged, and volumes are estimates."
            yield Notice("gaps-between-slices", Severity.INFO, text)


def _thicknesses(stack: Sequence[Slice], stated: Sequence[float | None], known: Sequence[float]) -> Notice:
    usual = sorted(known)[len(known) // 2]
    other = tuple(i for i, value in enumerate(stated) if value in known and value != usual)
    text = f"Slices differ in thickness, from {min(known):.4g} to {max(known):.4g} mm, and so in detail and noise. "
    text += f"Most are {usual:.4g} mm thick, not these: {listed([cite(stack[i]) for i in other])}."
    return Notice("thickness-differs", Severity.INFO, text, other)


def single(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """A CT of one slice."""
    if len(stack) == 1 and stack[0].modality == "CT" and not stack[0].is_localizer:
        yield Notice("single-slice", Severity.INFO, f"This series has one slice only: it is no volume. {_FLAT}.")


def apart(part: int, parts: int, reasons: Sequence[str], count: int, others: Sequence[Slice]) -> Notice:
    """Why one series became several, and which slices lie in other parts where these are few."""
    text = f"This series is part {part} of {parts} ({slices(count)}): "
    text += f"its files share one series UID but differ in {enumerated(reasons)}."
    if others:
        text += f" Apart from it: {listed([name(one) for one in others])}."
    return Notice("series-split", Severity.INFO, text, paths=tuple(dict.fromkeys(one.path for one in others)))
