"""What there is to tell the reader about a series: every doubt about geometry and values, in one sentence each.

Each check takes the slices in volume order with the series' geometry and gives notices; `notices_for` runs them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Notice, Severity
from ctviewer.dicom import syntaxes, tags
from ctviewer.dicom.grouping import SAME_POSITION_MM
from ctviewer.dicom.record import Slice
from ctviewer.dicom.values import padding_of

IRREGULAR = 0.01
NO_VOLUME = 0.2
_TILT_DEGREES = 0.5
_MOST_NAMED = 6


def cite(one: Slice) -> str:
    """A slice by the file's own numbers and its place: `Se 3 / Im 45 (-212.1 mm)`."""
    series, image = one.header.integer(tags.SERIES_NUMBER), one.instance_number
    name = f"Im {image}" if image is not None else one.path.name
    name = name if series is None else f"Se {series} / {name}"
    return name if one.position is None else f"{name} ({one.location:.1f} mm)"


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:_MOST_NAMED])
    return shown if len(texts) <= _MOST_NAMED else f"{shown} and {len(texts) - _MOST_NAMED} more"


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"


def _positions(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    if geometry.origins is not None:
        return
    text = "The files state no usable slice positions: slices are in the order of their image numbers"
    if len({one.instance_number for one in stack}) < len(stack):
        text = "The files state no usable slice positions, nor distinct image numbers: slices are in the order of file names"
    yield Notice("no-positions", Severity.WARNING, f"{text}, and orientation and distances between slices are unknown.")


def _spacing(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    spacing = geometry.pixel_spacing
    if spacing is None:
        yield Notice(
            "no-spacing",
            Severity.WARNING,
            "The files state no pixel spacing: lengths, areas and volumes are in pixels only.",
        )
    elif abs(spacing[0] - spacing[1]) > 1e-3 * max(spacing):
        yield Notice(
            "non-square-pixels",
            Severity.INFO,
            f"Pixels are not square: {spacing[0]:g} mm between rows, {spacing[1]:g} mm between columns.",
        )


def _gaps(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    """Missing slices and irregular gaps; repeated positions are told by `_repeats`."""
    found = geometry.locations
    if found is None or len(found) < 3:
        return
    gaps = np.diff(found)
    real = gaps[gaps > SAME_POSITION_MM]
    if real.size < 2:
        return
    median = float(np.median(real))
    rounding = 1.01 * 10.0 ** -max(one.decimals for one in stack)  # half a unit at either end, and float noise
    steps = np.rint(gaps / median)
    missing = (steps >= 2) & (np.abs(gaps - steps * median) <= NO_VOLUME * median)
    odd = (gaps > SAME_POSITION_MM) & ~missing & (np.abs(gaps - median) > max(IRREGULAR * median, rounding))
    if missing.any():
        where = [f"{int(steps[i]) - 1} between {cite(stack[i])} and {cite(stack[i + 1])}" for i in _where(missing)]
        total = int(steps[missing].sum() - missing.sum())
        verb = "is" if total == 1 else "are"
        text = f"{_slices(total)} {verb} missing: {_listed(where)}. Nothing is measured across the hole."
        yield Notice("missing-slices", Severity.WARNING, text, _both_sides(missing))
    if odd.any():
        yield _irregular(stack, gaps, odd, median)


def _irregular(stack: Sequence[Slice], gaps: np.ndarray, odd: np.ndarray, median: float) -> Notice:
    where = [f"{gaps[i]:.4g} mm between {cite(stack[i])} and {cite(stack[i + 1])}" for i in _where(odd)]
    large = bool(np.any(np.abs(gaps[odd] - median) > NO_VOLUME * median))
    consequence = " The slices are no regular volume." if large else ""
    return Notice(
        "irregular-gaps",
        Severity.WARNING if large else Severity.INFO,
        f"The distance between slices varies around {median:.4g} mm: {_listed(where)}.{consequence}",
        _both_sides(odd),
    )


def _both_sides(gaps: np.ndarray) -> tuple[int, ...]:
    return tuple(sorted({i + side for i in _where(gaps) for side in (0, 1)}))


def _where(flags: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(flags)]


def _repeats(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    found = geometry.locations
    if found is None or len(found) < 2:
        return
    same = np.diff(found) <= SAME_POSITION_MM
    if same.all():
        yield Notice(
            "one-position",
            Severity.WARNING,
            f"All {len(stack)} slices lie at one position ({stack[0].location:.1f} mm): they show it over time, not a volume.",
        )
    elif same.any():
        first = [cite(stack[i]) for i in _where(same)]
        text = f"Several slices lie at the same position: {_listed(first)} and the next one. The slices are no regular volume."
        yield Notice("duplicate-positions", Severity.WARNING, text, _both_sides(same))


def _shear(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    """Gantry tilt (all slices shift by the same amount) and slices that are shifted against the others."""
    found, origins = geometry.locations, geometry.origins
    if found is None or origins is None or len(found) < 2 or found[-1] - found[0] <= SAME_POSITION_MM:
        return
    span = found - found[0]
    inplane = origins - origins[0] - np.outer(span, geometry.normal)
    steps = np.diff(span) > SAME_POSITION_MM
    slope = np.median(np.diff(inplane, axis=0)[steps] / np.diff(span)[steps, None], axis=0)
    angle = float(np.degrees(np.arctan(np.linalg.norm(slope))))
    tilted = angle > _TILT_DEGREES
    if tilted:
        text = f"The gantry was tilted by {angle:.1f} degrees: each slice is shifted against the next one."
        yield Notice("gantry-tilt", Severity.WARNING, text)
    residue = inplane - np.outer(span, slope) if tilted else inplane
    residue = np.linalg.norm(residue - np.median(residue, axis=0), axis=1)
    limit = max(geometry.pixel_spacing or (1.0, 1.0))
    shifted = _where(residue > limit)
    if shifted:
        where = _listed([cite(stack[i]) for i in shifted])
        text = f"{_slices(len(shifted))} shifted sideways by more than a pixel against the others: {where}."
        yield Notice("shifted-slices", Severity.WARNING, text, tuple(shifted))


def _uids(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    counts = Counter(one.sop_instance_uid for one in stack if one.sop_instance_uid)
    again = [i for i, one in enumerate(stack) if counts[one.sop_instance_uid] > 1]
    if again:
        text = f"{_slices(len(again))} share their SOP Instance UID with a different slice; all of them are shown."
        yield Notice("repeated-uids", Severity.WARNING, text, tuple(again))


def _compression(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    lossy = [i for i, one in enumerate(stack) if one.lossy]
    if not lossy:
        return
    ratios = [ratio for i in lossy for ratio in stack[i].header.numbers(tags.LOSSY_IMAGE_COMPRESSION_RATIO)]
    extent = f" (up to {max(ratios):g} to 1)" if ratios else ""
    which = "All slices were" if len(lossy) == len(stack) else f"{_slices(len(lossy))} of {len(stack)} were"
    text = f"{which} compressed with loss{extent}: fine detail and values may differ from the original."
    yield Notice("lossy-compression", Severity.WARNING, text, () if len(lossy) == len(stack) else tuple(lossy))


def _values(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    """Rescale, modality LUT and padding."""
    mapped = stack[0].header.has(tags.MODALITY_LUT_SEQUENCE)
    if mapped:
        yield Notice("modality-lut", Severity.INFO, "Values come from a table in the files (modality LUT).")
    bare = [i for i, one in enumerate(stack) if one.modality == "CT" and one.rescale is None]
    if bare and not mapped:
        text = f"{_slices(len(bare))} without valid rescale slope and intercept: values are not in Hounsfield units."
        yield Notice("no-rescale", Severity.DANGER, text, () if len(bare) == len(stack) else tuple(bare))
    padding, same = padding_of(stack)
    if padding is not None:
        text = f"Stored values of {_range(padding)} are padding and left out of all measurements."
        yield Notice("padding", Severity.INFO, text)
    if not same:
        yield Notice(
            "padding-differs", Severity.WARNING, "Slices name different padding values; the most common is used."
        )


def _range(padding: tuple[int, int]) -> str:
    return f"{padding[0]}" if padding[0] == padding[1] else f"{padding[0]} to {padding[1]}"


def _decodable(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    bad = [i for i, one in enumerate(stack) if not syntaxes.is_supported(one.header.syntax) or one.pixel_format is None]
    if bad:
        names = sorted({syntaxes.syntax_name(stack[i].header.syntax) for i in bad})
        text = f"{_slices(len(bad))} cannot be decoded ({', '.join(names)})."
        yield Notice("undecodable-slices", Severity.WARNING, text, tuple(bad))


def _single(stack: Sequence[Slice], geometry: Geometry) -> Iterator[Notice]:
    if len(stack) == 1 and stack[0].modality == "CT" and not stack[0].is_localizer:
        yield Notice("single-slice", Severity.INFO, "This series has one slice only: it is no volume.")


Check = Callable[[Sequence[Slice], Geometry], Iterator[Notice]]
_CHECKS: tuple[Check, ...] = (
    _positions, _spacing, _gaps, _repeats, _shear, _uids, _compression, _values, _decodable, _single,
)  # fmt: skip


def notices_for(stack: Sequence[Slice], geometry: Geometry) -> tuple[Notice, ...]:
    """All notices of one stack in volume order."""
    return tuple(notice for check in _CHECKS for notice in check(stack, geometry))


def split_notice(part: int, parts: int, reasons: Sequence[str], count: int) -> Notice:
    """Why one series became several."""
    why = reasons[0] if len(reasons) == 1 else f"{', '.join(reasons[:-1])} and {reasons[-1]}"
    text = (
        f"This series is part {part} of {parts} ({_slices(count)}): its files share one series UID but differ in {why}."
    )
    return Notice("series-split", Severity.INFO, text)


def copies_notice(dropped: Sequence[Slice]) -> Notice:
    """Copies of slices that were left out."""
    what = "file is an exact copy" if len(dropped) == 1 else "files are exact copies"
    return Notice(
        "copies-dropped",
        Severity.INFO,
        f"{len(dropped)} {what} of another slice and left out: {_listed([cite(one) for one in dropped])}.",
        paths=tuple(one.path for one in dropped),
    )
