"""One reader's work on one series: what the work store keeps, the report prints and the presenters change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ctviewer.core.corrections import Correction, ReaderMarks
from ctviewer.core.findings import AnalysisResult, Verdict
from ctviewer.core.label import StudyLabel
from ctviewer.core.series import Series
from ctviewer.core.windowing import Voi


def content_digest(slice_digests: tuple[str, ...]) -> str:
    """SHA-256 (hex) over the digests of all slices in order: identifies the pixels and positions of a series."""
    return hashlib.sha256("\n".join(slice_digests).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class ReadAnalysis:
    """One analysis and what the reader said of its lesions.

    Attributes:
        result: the analysis, never changed.
        verdicts: by lesion id; a lesion without an entry is pending.
        corrections: what the reader changed of lesions, by their id.
    """

    result: AnalysisResult
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)
    corrections: Mapping[int, Correction] = field(default_factory=dict)

    def verdict(self, lesion_id: int) -> Verdict:
        """What the reader said of a lesion."""
        return self.verdicts.get(lesion_id, Verdict.PENDING)

    def correction(self, lesion_id: int) -> Correction:
        """What the reader changed of a lesion; an empty correction for nothing."""
        return self.corrections.get(lesion_id, Correction())

    def with_verdict(self, lesion_id: int, verdict: Verdict) -> ReadAnalysis:
        """With the reader's word on a lesion."""
        return replace(self, verdicts={**self.verdicts, lesion_id: verdict})

    def with_correction(self, lesion_id: int, correction: Correction) -> ReadAnalysis:
        """With what the reader changed of a lesion; an empty correction takes it back."""
        others = {at: one for at, one in self.corrections.items() if at != lesion_id}
        return replace(self, corrections=others if correction.is_empty else {**others, lesion_id: correction})

    @property
    def identity(self) -> str:
        """SHA-256 (hex) of what made the result and when: two runs are never the same."""
        result, made = self.result, self.result.provenance
        parts = (
            content_digest(result.slice_digests),
            made.finished,
            repr(made.seconds),
            made.device,
            repr(made.settings),
            *(model.sha256 for model in made.models),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Said:
    """All that the reader has said of findings: what one step of undo puts back.

    Attributes:
        identity: `ReadAnalysis.identity` of the analysis that the verdicts and corrections are of; "" without one.
        verdicts, corrections: of its findings, by lesion id.
        marks: what the reader drew and reviewed.
    """

    identity: str
    verdicts: Mapping[int, Verdict]
    corrections: Mapping[int, Correction]
    marks: ReaderMarks


@dataclass(frozen=True, eq=False)
class Reading:
    """All that is kept of one series.

    Attributes:
        series_key: `Series.key`.
        series_uid, study_uid: SeriesInstanceUID and StudyInstanceUID.
        slice_digests: `Volume.slice_digest` of each slice when this was written.
        analyses: all versions, newest first.
        question: the clinical question.
        comment: the reader's comment.
        key_images: slice digests in the order in which the reader marked them.
        window: the reader's display window; None where never changed.
        last_slice: digest of the slice shown last; "" where unknown.
        label: the class of the study, as the reader states it; None where nothing was stated.
        place: the file, archive or folder that the slices were read from last; None where unknown.
        patient: `patient_digest` of whose it is; "" where unknown.
        marks: lesions that the reader drew, and slices reviewed completely.
        image_size: rows and columns of each slice; None where unknown.
    """

    series_key: str
    series_uid: str
    slice_digests: tuple[str, ...]
    study_uid: str = ""
    analyses: tuple[ReadAnalysis, ...] = ()
    question: str = ""
    comment: str = ""
    key_images: tuple[str, ...] = ()
    window: Voi | None = None
    last_slice: str = ""
    label: StudyLabel | None = None
    place: Path | None = None
    patient: str = ""
    marks: ReaderMarks = field(default_factory=ReaderMarks)
    image_size: tuple[int, int] | None = None

    @classmethod
    def of(cls, series: Series, slice_digests: tuple[str, ...]) -> Reading:
        """An empty reading of a series."""
        return cls(series.key, series.uid, slice_digests, series.study.uid)

    @property
    def content(self) -> str:
        """`content_digest` of the slices."""
        return content_digest(self.slice_digests)

    @property
    def latest(self) -> ReadAnalysis | None:
        """The newest analysis."""
        return self.analyses[0] if self.analyses else None

    def slice_index(self, digest: str) -> int | None:
        """Volume index of a slice digest; None where the series has no such slice."""
        return self.slice_digests.index(digest) if digest in self.slice_digests else None

    @property
    def key_slices(self) -> tuple[int, ...]:
        """Volume indices of the key images, in the order in which they were marked."""
        found = (self.slice_index(digest) for digest in self.key_images)
        return tuple(index for index in found if index is not None)

    def with_result(self, result: AnalysisResult) -> Reading:
        """The reading with one more analysis, on top."""
        return replace(self, analyses=(ReadAnalysis(result), *self.analyses))

    def with_verdict(self, lesion_id: int, verdict: Verdict) -> Reading:
        """The reading with the reader's word on a lesion of the newest analysis; unchanged without an analysis."""
        return self.with_newest(self.analyses[0].with_verdict(lesion_id, verdict)) if self.analyses else self

    def without_analyses(self) -> Reading:
        """What is left to show where no analysis is on show: the reader's own."""
        return replace(self, analyses=())

    def with_newest(self, analysis: ReadAnalysis) -> Reading:
        """The reading with the newest analysis as the reader left it; the result in it must be the same."""
        return replace(self, analyses=(analysis, *self.analyses[1:]))

    def analysis(self, identity: str) -> ReadAnalysis | None:
        """The analysis with this identity."""
        return next((one for one in self.analyses if one.identity == identity), None)

    def said(self) -> Said:
        """What the reader has said of findings so far."""
        newest = self.latest
        if newest is None:
            return Said("", {}, {}, self.marks)
        return Said(newest.identity, newest.verdicts, newest.corrections, self.marks)

    def with_said(self, said: Said) -> Reading:
        """The reading with another state of that, also where a newer analysis has come since."""
        analyses = tuple(
            replace(one, verdicts=said.verdicts, corrections=said.corrections) if one.identity == said.identity else one
            for one in self.analyses
        )
        return replace(self, analyses=analyses, marks=said.marks)

    def with_key_image(self, digest: str, on: bool) -> Reading:
        """The reading with a slice marked as key image, or no longer."""
        others = tuple(d for d in self.key_images if d != digest)
        return replace(self, key_images=(*others, digest) if on else others)

    def on_other_pixels(self, slice_digests: tuple[str, ...]) -> Reading:
        """What may be taken over when some slices of the series changed: words and view, never a model's findings.

        Key images, the last slice and what the reader drew stay where the slice itself is unchanged. The class of the
        study goes: what was not there may show another one, and models learn from it.
        """
        present = frozenset(slice_digests)
        return replace(
            self,
            slice_digests=slice_digests,
            analyses=(),
            label=None,
            key_images=tuple(d for d in self.key_images if d in present),
            last_slice=self.last_slice if self.last_slice in present else "",
            marks=self.marks.on_slices(present),
        )
