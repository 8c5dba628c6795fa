"""What there is to tell the reader about a series: every doubt about geometry and values, in one sentence each.

Each check takes the slices in volume order with the series' geometry and layout and gives notices; `examine` runs
them all. A notice names the slices it concerns by volume index; none means the whole series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ctviewer.core.geometry import Geometry
from ctviewer.core.layout import Layout, layout_of, volume_use
from ctviewer.core.series import Notice, Severity, VolumeUse
from ctviewer.dicom import frame_checks, place_checks, syntaxes, tags
from ctviewer.dicom.overlays import has_overlays
from ctviewer.dicom.record import Slice
from ctviewer.dicom.values import padding_of
from ctviewer.dicom.wording import cite, listed, slices


def _uids(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    counts = Counter((one.sop_instance_uid, one.frame) for one in stack if one.sop_instance_uid)
    again = [i for i, one in enumerate(stack) if counts[one.sop_instance_uid, one.frame] > 1]
    if again:
        text = f"{slices(len(again))} share their SOP Instance UID with a different slice; all of them are shown. Results are kept by their pixels."
        yield Notice("repeated-uids", Severity.WARNING, text, tuple(again))


def _compression(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    lossy = [i for i, one in enumerate(stack) if one.lossy]
    if not lossy:
        return
    ratios = [ratio for i in lossy for ratio in stack[i].header.numbers(tags.LOSSY_IMAGE_COMPRESSION_RATIO)]
    extent = f" (up to {max(ratios):g} to 1)" if ratios else ""
    which = "All slices were" if len(lossy) == len(stack) else f"{slices(len(lossy))} of {len(stack)} were"
    text = f"{which} compressed with loss{extent}: fine detail and values may differ from the original."
    yield Notice("lossy-compression", Severity.WARNING, text, () if len(lossy) == len(stack) else tuple(lossy))


def _values(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Rescale and padding; of modality LUTs `assemble` tells, once they were read."""
    mapped = stack[0].header.has(tags.MODALITY_LUT_SEQUENCE)
    bare = [i for i, one in enumerate(stack) if one.modality == "CT" and one.rescale is None]
    if bare and not mapped:
        text = f"{slices(len(bare))} without valid rescale slope and intercept: values are not in Hounsfield units."
        yield Notice("no-rescale", Severity.DANGER, text, () if len(bare) == len(stack) else tuple(bare))
    padding, same = padding_of(stack)
    if padding is not None:
        text = f"Stored values of {_range(padding)} are padding and left out of all measurements."
        yield Notice("padding", Severity.INFO, text)
    if not same:
        other = tuple(i for i, one in enumerate(stack) if one.padding != padding)
        text = f"{slices(len(other))} name other padding values than the rest, or none; the most common is used."
        yield Notice("padding-differs", Severity.WARNING, text, other)


def _range(padding: tuple[int, int]) -> str:
    return f"{padding[0]}" if padding[0] == padding[1] else f"{padding[0]} to {padding[1]}"


def _graphics(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    having = tuple(i for i, one in enumerate(stack) if has_overlays(one.header))
    if having:
        verb = "carries" if len(having) == 1 else "carry"
        text = f"{slices(len(having))} {verb} graphics of the scanner (overlay planes): they are drawn over the image."
        yield Notice("overlay-planes", Severity.INFO, text, () if len(having) == len(stack) else having)


def _is_decodable(one: Slice) -> bool:
    return syntaxes.is_supported(one.header.syntax) and one.pixel_format is not None


def _decodable(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    bad = [i for i, one in enumerate(stack) if not _is_decodable(one)]
    if bad:
        names = sorted({syntaxes.syntax_name(stack[i].header.syntax) for i in bad})
        text = f"{slices(len(bad))} cannot be decoded ({', '.join(names)}) and stay empty. 2-D reading only: no reformatting."
        yield Notice(_UNDECODABLE, Severity.WARNING, text, tuple(bad))


_UNDECODABLE = "undecodable-slices"
Check = Callable[[Sequence[Slice], Geometry, Layout], Iterator[Notice]]
_CHECKS: tuple[Check, ...] = (
    place_checks.positions,
    place_checks.directions,
    place_checks.spacing,
    place_checks.gaps,
    place_checks.repeats,
    place_checks.sideways,
    place_checks.slice_locations,
    place_checks.numbers,
    place_checks.thickness,
    _uids,
    _compression,
    _values,
    _graphics,
    _decodable,
    place_checks.single,
    frame_checks.frames,
    frame_checks.volumetric_properties,
)
_NO_VOLUME = {
    _UNDECODABLE: "some slices cannot be decoded",
    frame_checks.NO_PLAIN_VOLUME: "the images are distorted or sampled from a larger volume",
}


@dataclass(frozen=True)
class Findings:
    """What is to be told of a stack, and what it may be used for."""

    notices: tuple[Notice, ...]
    use: VolumeUse
    use_reason: str


def examine(stack: Sequence[Slice], geometry: Geometry) -> Findings:
    """Check one stack in volume order."""
    layout = layout_of(geometry)
    notices = tuple(notice for check in _CHECKS for notice in check(stack, geometry, layout))
    use, reason = volume_use(geometry, layout)
    told = [_NO_VOLUME[notice.code] for notice in notices if notice.code in _NO_VOLUME]
    if use is not VolumeUse.SLICES_ONLY and told:
        use, reason = VolumeUse.SLICES_ONLY, told[0]
    return Findings(notices, use, reason)


def copies_notice(dropped: Sequence[Slice], kept: Sequence[int] = ()) -> Notice:
    """Copies of slices that were left out; `kept` are the volume indices of the slices they are copies of."""
    what = "file is an exact copy" if len(dropped) == 1 else "files are exact copies"
    return Notice(
        "copies-dropped",
        Severity.INFO,
        f"{len(dropped)} {what} of another slice and left out: {listed([cite(one) for one in dropped])}.",
        tuple(kept),
        tuple(one.path for one in dropped),
    )
