"""From a reading to what models learn: the labels of each slice, which slices are complete, and whose word it is.

A slice that the reader marked as completely reviewed keeps the findings that stood beside it then, also where a newer analysis
has come since: what the reader called complete is what is learned. It counts as complete only while none of those findings
waits for a verdict.

What a model had said of a slice when the reader judged it makes the labels that model's, whether the reader agreed or not:
slices where the reader disagreed are no fair judge of it either (see `StudyLabel.knows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ctviewer.core.findings import AnalysisResult, Verdict
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.marked import MarkedSlice, MarkedStudy
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.words import counted

CLASSIFIER_TASK = "study_classifier"


@dataclass(frozen=True)
class MarkedCounts:
    """What an export holds.

    Attributes:
        studies, slices, findings: how many; slices are those with outlines or a complete review.
        complete: slices that are reviewed completely.
        unjudged: slices marked so that do not count, because findings on them are not judged.
        known: slices that were judged beside a model's answer and carry its hash.
        missing: studies left out because their files are not there.
        unmeasured: studies left out because an older version of the program read them.
    """

    studies: int = 0
    slices: int = 0
    findings: int = 0
    complete: int = 0
    unjudged: int = 0
    known: int = 0
    missing: int = 0
    unmeasured: int = 0

    def __add__(self, other: MarkedCounts) -> MarkedCounts:
        """The sums."""
        return MarkedCounts(*(a + b for a, b in zip(self._values(), other._values(), strict=True)))

    def _values(self) -> tuple[int, ...]:
        return (
            *(self.studies, self.slices, self.findings, self.complete),
            *(self.unjudged, self.known, self.missing, self.unmeasured),
        )

    @property
    def text(self) -> str:
        """In words, for the reader."""
        of = f"{counted(self.slices, 'slice')} of {counted(self.studies, 'study')}"
        return f"{counted(self.findings, 'finding')} on {of} were written. {self.remarks}"

    @property
    def remarks(self) -> str:
        """What is to be known of it beside its amount."""
        told = [
            f"{_of(self.complete, self.slices)} reviewed completely: only there does what is unmarked count as no lesion.",
        ]
        if self.known:
            carry = "carries" if self.known == 1 else "carry"
            told.append(f"{_of(self.known, self.slices)} judged beside a model's findings and {carry} its hash.")
        if self.unjudged:
            verb = "is" if self.unjudged == 1 else "are"
            told.append(
                f"{counted(self.unjudged, 'slice')} marked as reviewed {verb} not counted so: findings there are not judged."
            )
        if self.missing:
            told.append(f"{counted(self.missing, 'study')} left out: the files are not there any more.")
        if self.unmeasured:
            told.append(f"{counted(self.unmeasured, 'study')} left out: open them once, then they can be written.")
        return " ".join(told)


def _of(count: int, total: int) -> str:
    if count == total:
        return "It was" if total == 1 else "All of them were"
    return "None was" if not count else "1 of them was" if count == 1 else f"{count} of them were"


def mark_study(
    reading: Reading, series_key: str, stated: Interpretation | None
) -> tuple[MarkedStudy | None, MarkedCounts]:
    """What a reading says of its slices; None where it says nothing that can be learned.

    Args:
        reading: with its place and image size.
        series_key: of the series as a scan finds it.
        stated: what the reader stated of images that do not say it themselves.
    """
    if reading.place is None or reading.image_size is None:
        wanted = reading.place is not None and any(_slices(reading, (1, 1)))
        return None, MarkedCounts(unmeasured=int(wanted))
    found = [*_slices(reading, reading.image_size)]
    kept = tuple(one.told for one in found if one.told.outlines or one.told.complete)
    counts = MarkedCounts(
        studies=int(bool(kept)),
        slices=len(kept),
        findings=len({finding for one in found for finding in one.findings}),
        complete=sum(one.complete for one in kept),
        unjudged=sum(one.unjudged for one in found),
        known=sum(bool(one.origin) for one in kept),
    )
    if not kept:
        return None, counts
    label = reading.label
    study = MarkedStudy(
        content=reading.content,
        series_key=series_key,
        place=reading.place,
        patient=reading.patient,
        slices=kept,
        classes=label.classes if label is not None else (),
        class_origin=label.origin if label is not None else "",
        stated=stated,
    )
    return study, counts


@dataclass(frozen=True)
class _Told:
    """One slice, and which findings (analysis and id) are on it; `unjudged`: marked, but not complete."""

    told: MarkedSlice
    findings: frozenset[tuple[str, int]]
    unjudged: bool


def _slices(reading: Reading, shape: tuple[int, int]) -> Iterator[_Told]:
    """Each slice that has an outline or a mark."""
    newest = reading.latest
    on_newest, drawn = _accepted(newest), _drawn(reading)
    shown = {one.identity: (one, _accepted(one)) for one in reading.analyses}
    newest_name = next(iter(shown), "")
    for index, digest in enumerate(reading.slice_digests):
        mark = reading.marks.reviewed.get(digest)
        name, analysis, accepted = newest_name, newest, on_newest
        stands = mark is not None and (mark in shown or not mark) and (mark == newest_name or index not in on_newest)
        if mark is not None and stands:
            name, (analysis, accepted) = mark, shown.get(mark, (None, {}))
        complete = stands and not _waits(analysis, index)
        outlines = [*accepted.get(index, ()), *drawn.get(index, ())]
        if not outlines and mark is None:
            continue
        told = MarkedSlice(
            digest=digest,
            sop_instance_uid="",
            shape=shape,
            outlines=_apart([(label, mask) for _, label, mask in outlines], shape),
            complete=complete,
            origin=_known(analysis, index),
        )
        yield _Told(
            told, frozenset((name if i > 0 else "", i) for i, _, _ in outlines), mark is not None and not complete
        )


_Outline = tuple[int, str, BoxMask]


def _accepted(analysis: ReadAnalysis | None) -> dict[int, list[_Outline]]:
    """Accepted findings by slice: those that the reader changed last, for they hold where outlines overlap."""
    out: dict[int, list[_Outline]] = {}
    if analysis is None:
        return out
    accepted = [x for x in analysis.result.lesions if analysis.verdict(x.lesion_id) is Verdict.ACCEPTED]
    ordered = sorted(accepted, key=lambda x: (not analysis.correction(x.lesion_id).is_empty, x.score))
    for lesion in ordered:
        for i in analysis.correction(lesion.lesion_id).instances(lesion):
            out.setdefault(i.slice_index, []).append((lesion.lesion_id, i.label, i.mask))
    return out


def _drawn(reading: Reading) -> dict[int, list[_Outline]]:
    """Drawn findings by slice, the last one last."""
    out: dict[int, list[_Outline]] = {}
    for lesion in reading.marks.drawn:
        for digest, mask in lesion.outlines.items():
            index = reading.slice_index(digest)
            if index is not None:
                out.setdefault(index, []).append((lesion.lesion_id, lesion.label, mask))
    return out


def _waits(analysis: ReadAnalysis | None, index: int) -> bool:
    """Whether a finding on a slice was neither accepted nor rejected."""
    if analysis is None:
        return False
    return any(
        analysis.verdict(x.lesion_id) is Verdict.PENDING
        and any(i.slice_index == index for i in analysis.correction(x.lesion_id).instances(x))
        for x in analysis.result.lesions
    )


def _known(analysis: ReadAnalysis | None, index: int) -> str:
    """SHA-256 of the weights of the model whose answer stood beside a slice; "" where none had looked at it."""
    result: AnalysisResult | None = analysis.result if analysis is not None else None
    if result is None or not np.isfinite(result.lesion_area[index]):
        return ""
    return next((m.sha256 for m in result.provenance.models if m.task != CLASSIFIER_TASK), "")


def _apart(outlines: Iterable[tuple[str, BoxMask]], shape: tuple[int, int]) -> tuple[tuple[str, BoxMask], ...]:
    """The same without overlaps of classes: the later one holds. A label map has one class for each pixel."""
    found = list(outlines)
    if len({label for label, _ in found}) < 2:
        return tuple(found)
    taken = np.zeros(shape, bool)
    apart: list[tuple[str, BoxMask]] = []
    for label, mask in reversed(found):
        full = mask.full(shape)
        rest = BoxMask.from_array(full & ~taken)
        taken |= full
        if rest is not None:
            apart.append((label, rest))
    return tuple(reversed(apart))
