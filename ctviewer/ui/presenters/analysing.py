"""Running an analysis beside the reader: start, progress, partial results, cancel at once, one sentence when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from ctviewer.core.analysis_events import Abstained, SliceSegmented, StudyClassified, SuitabilityChecked
from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.core.findings import AnalysisResult, Instance, Roi, StudyClassification, Suitability
from ctviewer.core.volume import Volume
from ctviewer.jobs import Cancelled, Failed, Job, JobRunner, Succeeded
from ctviewer.ui.session import Session

Analyse = Callable[[Volume], Iterator[Event]]


class Phase(Enum):
    """Where an analysis stands."""

    IDLE = "idle"
    WAITING = "waiting"  # asked for while slices still load
    RUNNING = "running"
    DONE = "done"
    ABSTAINED = "abstained"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class AnalysisState:
    """All that the window shows of an analysis.

    Attributes:
        phase: where it stands.
        suitability: the check, once made.
        classification: the study classifier's answer, once given.
        lesion_area: `[slices]` mm2 or pixels, NaN where the detector has not looked yet.
        class_logits: `[slices, classes]` of the one-shot model's slice classes, NaN where it has not looked yet; None
            where it tells none.
        rois: what it looked at for them, by volume index.
        result: the finished (or saved and reopened) result.
        text: why it failed, in one sentence.
    """

    phase: Phase = Phase.IDLE
    suitability: Suitability | None = None
    classification: StudyClassification | None = None
    lesion_area: NDArray[np.float64] | None = None
    class_logits: NDArray[np.float64] | None = None
    rois: Mapping[int, tuple[Roi, ...]] = field(default_factory=dict)
    result: AnalysisResult | None = None
    text: str = ""


def state_of(result: AnalysisResult) -> AnalysisState:
    """The state that shows a finished result."""
    rois: dict[int, tuple[Roi, ...]] = {}
    for roi in result.rois:
        rois[roi.slice_index] = (*rois.get(roi.slice_index, ()), roi)
    return AnalysisState(
        phase=Phase.DONE,
        suitability=result.suitability,
        classification=result.classification,
        lesion_area=result.lesion_area,
        class_logits=None if result.slice_classes is None else result.slice_classes.logits,
        rois=rois,
        result=result,
    )


class AnalysingPresenter(QObject):
    """Owns the analysis of the open series. Progress is quiet; cancel frees the window at once and drops the output."""

    changed = Signal(object)  # AnalysisState
    progressed = Signal(object)  # Progress | None
    marked = Signal(int, object)  # volume index, tuple[Instance, ...], while the detector goes on
    finished = Signal(object)  # AnalysisResult, made just now
    said = Signal(str)  # one sentence that ends nothing

    def __init__(self, session: Session, jobs: JobRunner, analyse: Analyse, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._analyse = analyse
        self._job: Job | None = None
        self.state = AnalysisState()

    @property
    def busy(self) -> bool:
        """Whether an analysis runs or waits for slices."""
        return self.state.phase in (Phase.RUNNING, Phase.WAITING)

    def start(self, loaded: bool) -> None:
        """Analyse the open series; while slices still load, remember the wish (`loaded` False)."""
        volume = self._session.volume
        if volume is None or self.state.phase is Phase.RUNNING:
            return
        if not loaded:
            self._set(AnalysisState(Phase.WAITING))
            return
        analyse = self._analyse
        self._set(AnalysisState(Phase.RUNNING, lesion_area=np.full(volume.slice_count, np.nan)))
        self.progressed.emit(Progress("Checking the series", 0, 0))
        job = self._jobs.start("analysis", lambda: analyse(volume))
        self._job = job
        job.event.connect(lambda event: self._on_event(job, event))
        job.finished.connect(lambda outcome: self._on_finished(job, outcome))

    def series_loaded(self) -> None:
        """All slices are there: start what was asked for meanwhile."""
        if self.state.phase is Phase.WAITING:
            self.start(loaded=True)

    def cancel(self) -> None:
        """Stop; the window is free at once, the worker stops at its next step and its output is dropped."""
        if not self.busy:
            return
        job, self._job = self._job, None
        if job is not None:
            self._jobs.cancel(job)
        self.progressed.emit(None)
        self._set(AnalysisState())

    def show(self, result: AnalysisResult | None) -> None:
        """Show a saved result (or nothing) of the series that is open."""
        self.cancel()
        self._set(AnalysisState() if result is None else state_of(result))

    def _on_event(self, job: Job, event: Event) -> None:
        if job is not self._job:
            return
        if isinstance(event, Progress):
            self.progressed.emit(event)
        elif isinstance(event, SuitabilityChecked):
            self._set(replace(self.state, suitability=event.suitability))
        elif isinstance(event, StudyClassified):
            self._set(replace(self.state, classification=event.classification))
        elif isinstance(event, SliceSegmented):
            self._take_slice(event)
        elif isinstance(event, Abstained):
            self._set(AnalysisState(Phase.ABSTAINED, event.suitability))
        elif isinstance(event, Message):
            self.said.emit(event.text)

    def _take_slice(self, event: SliceSegmented) -> None:
        """What the one-shot model says of one slice: its classes first, since `marked` shows them too."""
        index, volume = event.slice_index, self._session.volume
        if event.class_logits and volume is not None:
            logits = self.state.class_logits
            shape = (volume.slice_count, len(event.class_logits))
            logits = np.full(shape, np.nan) if logits is None else logits.copy()
            logits[index] = event.class_logits
            rois = {**self.state.rois, index: event.rois}
            self.state = replace(self.state, class_logits=logits, rois=rois)
        self._mark(index, event.instances)

    def _mark(self, index: int, instances: tuple[Instance, ...]) -> None:
        volume = self._session.volume
        if self.state.lesion_area is not None and volume is not None:
            spacing = volume.geometry.pixel_spacing
            pixel = spacing[0] * spacing[1] if spacing else 1.0
            area = self.state.lesion_area.copy()
            area[index] = sum(i.mask.area for i in instances) * pixel
            self.state = replace(self.state, lesion_area=area)
        self.marked.emit(index, instances)

    def _on_finished(self, job: Job, outcome: object) -> None:
        if job is not self._job:
            return
        self._job = None
        self.progressed.emit(None)
        if isinstance(outcome, Failed):
            error = outcome.error
            text = str(error) if isinstance(error, CtviewerError) else "The analysis failed; details are in the log."
            self._set(AnalysisState(Phase.FAILED, text=text))
        elif isinstance(outcome, Cancelled):
            self._set(AnalysisState())
        elif isinstance(outcome, Succeeded) and isinstance(outcome.value, AnalysisResult):
            self._set(state_of(outcome.value))
            self.finished.emit(outcome.value)

    def _set(self, state: AnalysisState) -> None:
        self.state = state
        self.changed.emit(state)
