"""One reader's work on one series: what the work store keeps, the report prints and the presenters change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

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
    """

    result: AnalysisResult
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)

    def verdict(self, lesion_id: int) -> Verdict:
        """What the reader said of a lesion."""
        return self.verdicts.get(lesion_id, Verdict.PENDING)

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
        if not self.analyses:
            return self
        newest = self.analyses[0]
        newest = replace(newest, verdicts={**newest.verdicts, lesion_id: verdict})
        return replace(self, analyses=(newest, *self.analyses[1:]))

    def with_key_image(self, digest: str, on: bool) -> Reading:
        """The reading with a slice marked as key image, or no longer."""
        others = tuple(d for d in self.key_images if d != digest)
        return replace(self, key_images=(*others, digest) if on else others)

    def on_other_pixels(self, slice_digests: tuple[str, ...]) -> Reading:
        """What may be taken over when some slices of the series changed: words and view, never findings.

        Key images and the last slice stay where the slice itself is unchanged. The class of the study is a finding: what
        was not there may show another one, and models learn from it.
        """
        present = frozenset(slice_digests)
        return replace(
            self,
            slice_digests=slice_digests,
            analyses=(),
            label=None,
            key_images=tuple(d for d in self.key_images if d in present),
            last_slice=self.last_slice if self.last_slice in present else "",
        )
