"""What the reader's hand does to findings, as pure changes of a reading: each is one step that can be taken back.

Painting never takes pixels of another finding in silence: it goes around them, or takes them where it was asked to and says
so. A finding of the model that loses its last pixel is rejected and keeps its outlines; a drawn one is gone. Who corrects
a finding accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.corrections import Correction
from ctviewer.core.findings import Lesion, Verdict
from ctviewer.core.masks import BoxMask, union
from ctviewer.core.read_findings import finding_name
from ctviewer.core.reading import Reading

Mask = NDArray[np.bool_]
_WORDS = {Verdict.ACCEPTED: "accept", Verdict.REJECTED: "reject", Verdict.PENDING: "reopen"}


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of the findings of the newest analysis and of what was drawn.

    Attributes:
        reading: afterwards.
        label: what Undo calls it.
        lesion_id: the finding that was changed; None for several.
        words: what the reader has to know, a sentence; "" for nothing.
    """

    reading: Reading
    label: str = ""
    lesion_id: int | None = None
    words: str = ""


def mask_on(reading: Reading, lesion_id: int, index: int) -> BoxMask | None:
    """The pixels of a finding on a slice, as the reader left them; None where it is not there."""
    drawn = reading.marks.find(lesion_id)
    if drawn is not None:
        return drawn.outlines.get(reading.slice_digests[index])
    lesion, correction = _of_model(reading, lesion_id)
    masks = [i.mask for i in correction.instances(lesion) if i.slice_index == index] if lesion is not None else []
    return union(masks) if masks else None


def findings_on(reading: Reading, index: int) -> tuple[int, ...]:
    """Ids of the findings that have pixels on a slice, rejected ones left out."""
    newest = reading.latest
    ids = [lesion.lesion_id for lesion in newest.result.lesions] if newest is not None else []
    standing = [i for i in ids if newest is not None and newest.verdict(i) is not Verdict.REJECTED]
    drawn = [lesion.lesion_id for lesion in reading.marks.drawn]
    return tuple(i for i in (*standing, *drawn) if mask_on(reading, i, index) is not None)


def pending(reading: Reading, indices: Iterable[int] | None = None) -> tuple[int, ...]:
    """Ids of the newest analysis' findings that were not judged, on these slices (None: on any)."""
    newest, where = reading.latest, None if indices is None else frozenset(indices)
    if newest is None:
        return ()
    return tuple(
        lesion.lesion_id
        for lesion in newest.result.lesions
        if newest.verdict(lesion.lesion_id) is Verdict.PENDING
        and (
            where is None or any(i.slice_index in where for i in newest.correction(lesion.lesion_id).instances(lesion))
        )
    )


def judge(reading: Reading, lesion_id: int, verdict: Verdict) -> Edit | None:
    """Accept, reject or reopen a finding; a drawn one is removed where it is rejected. None where that changes nothing."""
    if reading.marks.find(lesion_id) is not None:
        return remove(reading, lesion_id) if verdict is Verdict.REJECTED else None
    newest, (lesion, _) = reading.latest, _of_model(reading, lesion_id)
    if newest is None or lesion is None or newest.verdict(lesion_id) is verdict:
        return None
    after = reading.with_newest(newest.with_verdict(lesion_id, verdict))
    return Edit(after, f"{_WORDS[verdict]} finding {finding_name(lesion_id)}", lesion_id)


def remove(reading: Reading, lesion_id: int) -> Edit | None:
    """Take a drawn finding away; one of the model is rejected: it stays in what the model said."""
    if reading.marks.find(lesion_id) is None:
        return judge(reading, lesion_id, Verdict.REJECTED)
    after = replace(reading, marks=reading.marks.without(lesion_id))
    return Edit(after, f"remove finding {finding_name(lesion_id)}", lesion_id)


def relabel(reading: Reading, lesion_id: int, label: str) -> Edit | None:
    """Give a finding another class; None where it has it."""
    name, drawn = f"finding {finding_name(lesion_id)} is {label}", reading.marks.find(lesion_id)
    if drawn is not None:
        if drawn.label == label:
            return None
        marks = reading.marks.changed(replace(drawn, label=label))
        return Edit(replace(reading, marks=marks), name, lesion_id)
    newest, (lesion, correction) = reading.latest, _of_model(reading, lesion_id)
    if newest is None or lesion is None or (correction.label or lesion.label) == label:
        return None
    changed = newest.with_correction(lesion_id, correction.relabelled(lesion, label))
    return Edit(reading.with_newest(changed.with_verdict(lesion_id, Verdict.ACCEPTED)), name, lesion_id)


def erase_slice(reading: Reading, lesion_id: int, index: int) -> Edit | None:
    """Take a finding off one slice; None where it is not there."""
    if mask_on(reading, lesion_id, index) is None:
        return None
    after, words = _with_mask(reading, lesion_id, index, None)
    return Edit(after, f"take finding {finding_name(lesion_id)} off a slice", lesion_id, words)


def erase(reading: Reading, lesion_id: int, index: int, stroke: Mask) -> Edit | None:
    """Take the pixels of a stroke out of a finding; None where it has none of them.

    Args:
        reading: before.
        lesion_id: the one finding that loses pixels.
        index: volume index.
        stroke: `[rows, columns]`.
    """
    before = _full(reading, lesion_id, index, stroke.shape)
    if not (before & stroke).any():
        return None
    after, words = _with_mask(reading, lesion_id, index, BoxMask.from_array(before & ~stroke))
    return Edit(after, f"erase in finding {finding_name(lesion_id)}", lesion_id, words)


def paint(reading: Reading, lesion_id: int, index: int, stroke: Mask, take: bool = False) -> Edit | None:
    """Add the pixels of a stroke to a finding; None where nothing changes and nothing is to be told.

    Args:
        reading: before.
        lesion_id: the finding that gains pixels.
        index: volume index.
        stroke: `[rows, columns]`.
        take: take them from other findings too; else theirs are left alone.
    """
    before = _full(reading, lesion_id, index, stroke.shape)
    free, reading, words = _cleared(reading, lesion_id, index, stroke & ~before, take)
    label = f"paint finding {finding_name(lesion_id)}"
    if not free.any():
        return Edit(reading, "", lesion_id, words) if words else None
    after, _ = _with_mask(reading, lesion_id, index, BoxMask.from_array(before | free))
    return Edit(after, label, lesion_id, words)


def draw(reading: Reading, label: str, index: int, stroke: Mask, at: str, take: bool = False) -> Edit | None:
    """Begin a new finding with a stroke; None where it holds no pixel.

    Args:
        reading: before.
        label: its class.
        index: volume index.
        stroke: `[rows, columns]`.
        at: now, ISO 8601, UTC.
        take: take pixels of other findings too.
    """
    free, reading, words = _cleared(reading, None, index, stroke, take)
    mask = BoxMask.from_array(free)
    if mask is None:
        return Edit(reading, "", None, words) if words else None
    marks, lesion_id = reading.marks.added(label, reading.slice_digests[index], mask, at)
    return Edit(replace(reading, marks=marks), f"draw finding {finding_name(lesion_id)}", lesion_id, words)


def review(reading: Reading, indices: Iterable[int], on: bool, accept: bool = False) -> Edit | None:
    """Mark slices as completely reviewed beside the findings on show, or take that back; None where it changes nothing.

    Args:
        reading: before.
        indices: volume indices.
        on: whether they are.
        accept: accept what was not judged on them; without it the caller asks first (`pending`).
    """
    slices = tuple(indices)
    digests, newest = [reading.slice_digests[i] for i in slices], reading.latest
    identity = newest.identity if newest is not None else ""
    marks = reading.marks.with_reviewed(digests, on, identity)
    waiting = pending(reading, slices) if on and accept else ()
    if marks == reading.marks and not waiting:
        return None
    after = replace(reading, marks=marks)
    for lesion_id in waiting:
        assert after.latest is not None
        after = after.with_newest(after.latest.with_verdict(lesion_id, Verdict.ACCEPTED))
    what = "the series" if len(slices) > 1 else "a slice"
    return Edit(after, f"mark {what} as reviewed completely" if on else f"take back that {what} is reviewed completely")


def _of_model(reading: Reading, lesion_id: int) -> tuple[Lesion | None, Correction]:
    newest = reading.latest
    if newest is None:
        return None, Correction()
    lesion = next((one for one in newest.result.lesions if one.lesion_id == lesion_id), None)
    return lesion, newest.correction(lesion_id)


def _full(reading: Reading, lesion_id: int, index: int, shape: tuple[int, ...]) -> Mask:
    mask = mask_on(reading, lesion_id, index)
    return np.zeros(shape, bool) if mask is None else mask.full((shape[0], shape[1]))


def _with_mask(reading: Reading, lesion_id: int, index: int, mask: BoxMask | None) -> tuple[Reading, str]:
    """A finding with other pixels on a slice, accepted by that; and a sentence where it lost its last pixel."""
    drawn = reading.marks.find(lesion_id)
    if drawn is not None:
        changed = drawn.outlined(reading.slice_digests[index], mask)
        gone = "" if changed.outlines else f"Finding {finding_name(lesion_id)} had no pixel left and was removed."
        return replace(reading, marks=reading.marks.changed(changed)), gone
    newest, (lesion, correction) = reading.latest, _of_model(reading, lesion_id)
    if newest is None or lesion is None:
        return reading, ""
    outlined = correction.outlined(lesion, index, mask)
    if not outlined.instances(lesion):
        rejected = newest.with_verdict(lesion_id, Verdict.REJECTED)
        return reading.with_newest(rejected), f"Finding {lesion_id} has no pixel left: it is rejected."
    changed_newest = newest.with_correction(lesion_id, outlined).with_verdict(lesion_id, Verdict.ACCEPTED)
    return reading.with_newest(changed_newest), ""


def _cleared(
    reading: Reading, lesion_id: int | None, index: int, wanted: Mask, take: bool
) -> tuple[Mask, Reading, str]:
    """The pixels that may be painted, the reading without them in other findings, and what to tell of those."""
    crossed: dict[int, int] = {}
    gone: list[str] = []
    free = wanted.copy()
    for other in findings_on(reading, index):
        theirs = _full(reading, other, index, wanted.shape)
        shared = theirs & wanted
        if other == lesion_id or not shared.any():
            continue
        crossed[other] = int(shared.sum())
        if take:
            reading, lost = _without(reading, other, index, theirs & ~wanted)
            gone += [lost] if lost else []
        else:
            free &= ~theirs
    return free, reading, " ".join(filter(None, (_told(crossed, take), *gone)))


def _without(reading: Reading, lesion_id: int, index: int, rest: Mask) -> tuple[Reading, str]:
    """A finding with fewer pixels; losing some to another finding says nothing of whether it is one.

    Returns:
        The reading, and a sentence where the finding lost its last pixel.
    """
    newest = reading.latest
    before = newest.verdict(lesion_id) if newest is not None else Verdict.PENDING
    after, gone = _with_mask(reading, lesion_id, index, BoxMask.from_array(rest))
    if gone or after.latest is None or after.marks.find(lesion_id) is not None:
        return after, gone
    return after.with_newest(after.latest.with_verdict(lesion_id, before)), ""


def _told(crossed: dict[int, int], take: bool) -> str:
    if not crossed:
        return ""
    count = sum(crossed.values())
    pixels = "1 pixel" if count == 1 else f"{count} pixels"
    names = " and ".join(finding_name(i) for i in crossed)
    of = f"{'findings' if len(crossed) > 1 else 'finding'} {names}"
    return f"{pixels} were taken from {of}." if take else f"{pixels} of {of} were left alone; hold Shift to take them."
