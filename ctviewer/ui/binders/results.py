"""Analysis and reading to strip, top slices, findings and overlay, and the reader's verdicts back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage

from ctviewer.core.events import Progress
from ctviewer.core.findings import AnalysisResult, Instance, Lesion, SliceScore, Verdict, rank_slices
from ctviewer.core.reading import Reading
from ctviewer.ui.binders.image import analysis_window, preview
from ctviewer.ui.layout import Parts
from ctviewer.ui.palette import lesion_colour
from ctviewer.ui.panels.result_panel import STALE
from ctviewer.ui.panels.top_slices import TopSlice
from ctviewer.ui.presenters.analysing import AnalysingPresenter, AnalysisState, Phase
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session
from ctviewer.ui.viewport import OverlayShape

TOP = 4
_REDRAW_MS = 120  # while the detector works: lanes are redrawn this often, not for every slice


class ResultsBinder(QObject):
    """Shows one analysis everywhere it is shown, and what the reader said of it."""

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        parts: Parts,
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._detector_classes = services.detector_classes
        self._classes: tuple[str, ...] | None = None  # of the run that goes on, for colours; asked for once a run
        self._is_current = services.is_current
        self._session, self._analysing, self._reading, self._parts = session, analysing, reading, parts
        self._marked: dict[int, tuple[OverlayShape, ...]] = {}
        self._lesions: tuple[Lesion, ...] = ()
        self._ranked: tuple[int, ...] = ()
        self._ranked_by = SliceScore.NONE
        self._selected: int | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._show_lanes)
        session.volume_changed.connect(lambda _volume: self._show_state(analysing.state))
        session.slice_changed.connect(parts.top.set_current)
        analysing.changed.connect(self._show_state)
        analysing.progressed.connect(self._show_progress)
        analysing.marked.connect(self._mark)
        reading.changed.connect(self._show_verdicts)
        parts.top.slice_requested.connect(session.go_to)
        parts.findings.lesion_activated.connect(self.go_to_lesion)
        parts.findings.verdict_requested.connect(self._say_verdict)
        parts.view.lesion_clicked.connect(self.select_lesion)
        self._show_state(analysing.state)

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """What the table shows."""
        return self._lesions

    def refresh(self) -> None:
        """Other models are in use: a result of those before is told to be."""
        self._show_state(self._analysing.state)

    # The analysis

    def _show_state(self, state: AnalysisState) -> None:
        panel, volume = self._parts.result, self._session.volume
        if volume is None:
            panel.show_empty()
        elif state.phase in (Phase.RUNNING, Phase.WAITING):
            waiting = Progress("Waiting for the slices", 0, 0) if state.phase is Phase.WAITING else None
            panel.show_running(waiting, state.suitability, state.classification)
        elif state.phase is Phase.ABSTAINED and state.suitability is not None:
            panel.show_abstained(state.suitability)
        elif state.phase is Phase.FAILED:
            panel.show_failed(state.text)
        elif state.result is not None:
            panel.show_result(state.result, "" if self._is_current(state.result) else STALE)
        else:
            panel.show_ready()
        self._marked = {}
        if state.phase is not Phase.RUNNING:
            self._classes = None
        self._show_lanes()
        self._show_findings(state.result)

    def _show_progress(self, progress: Progress | None) -> None:
        if progress is not None and self._analysing.busy:
            self._parts.result.set_progress(progress)

    def _mark(self, index: int, instances: tuple[Instance, ...]) -> None:
        if self._classes is None:  # it reads and verifies the bundles: not for each outline
            self._classes = self._detector_classes()
        classes = self._classes
        shapes = tuple(
            OverlayShape(i.label, 0, i.mask, lesion_colour(i.label, classes), Verdict.PENDING) for i in instances
        )
        self._marked = {**self._marked, index: shapes}  # a new one: the view compares it with what it shows
        self._parts.view.set_lesions(self._marked)
        if not self._redraw.isActive():
            self._redraw.start()

    def _show_lanes(self) -> None:
        state, volume, strip = self._analysing.state, self._session.volume, self._parts.strip
        if volume is None or strip.maximum() + 1 != volume.slice_count:
            return
        order, classification, area = self._session.display_order, state.classification, state.lesion_area
        shown = area[order] if area is not None and bool(np.isfinite(area).any()) else None
        unit = state.result.area_unit if state.result else "mm2" if volume.geometry.pixel_spacing else "px"
        if classification is None:  # the one-shot model alone: its areas have the main lane, under their own name
            strip.set_attention(shown, 1.0, True, SliceScore.LESION_AREA)
            strip.set_lesion_area(None, unit)
        elif classification.score is SliceScore.NONE:
            strip.set_attention(None)
            strip.set_lesion_area(shown, unit)
        else:
            strip.set_attention(
                classification.bar_lengths[order],
                classification.finding_probability,
                classification.stands_out,
                classification.score,
            )
            strip.set_lesion_area(shown, unit)
        self._ranked_by, self._ranked = rank_slices(classification, area)
        strip.set_top([self._session.position_of(i) for i in self._ranked[:TOP]])
        self._fill_thumbnails()

    def _fill_thumbnails(self) -> None:
        state, volume = self._analysing.state, self._session.volume
        told = state.classification
        weights = told.weights if told is not None and self._ranked_by is told.score else state.lesion_area
        if volume is None or not self._ranked or weights is None:
            self._parts.top.set_slices((), stands_out=told is None or told.stands_out)
            return
        window = analysis_window(volume)
        slices = [
            TopSlice(i, volume.series.image_name(i), float(weights[i]), preview(volume, i, window) or QImage())
            for i in self._ranked[:TOP]
        ]
        unit = "mm2" if volume.geometry.pixel_spacing else "px"
        self._parts.top.set_slices(slices, self._ranked_by, told is None or told.stands_out, unit)
        self._parts.top.set_current(self._session.index)

    # Findings

    def _show_findings(self, result: AnalysisResult | None) -> None:
        volume = self._session.volume
        self._lesions = result.lesions if result is not None and volume is not None else ()
        self._selected = None
        self._parts.view.set_selected_lesion(None)
        names = [volume.series.image_name(i).removeprefix("Im ") for i in range(volume.slice_count)] if volume else []
        verdicts = self._verdicts()
        classes = result.detector_classes if result is not None else ()
        self._parts.findings.set_lesions(self._lesions, classes, names, verdicts)
        self._parts.findings.set_note(self._no_lesions(result))
        self._show_overlay(verdicts)

    def _no_lesions(self, result: AnalysisResult | None) -> str:
        """What stands in the empty table."""
        if self._session.volume is None:
            return "None yet."
        if result is None:
            return "The lesions follow the classification." if self._analysing.busy else "Not analysed."
        return (
            "No lesion was marked." if np.isfinite(result.lesion_area).any() else "No slice was searched for lesions."
        )

    def _show_verdicts(self, _reading: Reading | None) -> None:
        verdicts = self._verdicts()
        self._parts.findings.set_verdicts(verdicts)
        if self._lesions:
            self._show_overlay(verdicts)

    def _show_overlay(self, verdicts: Mapping[int, Verdict]) -> None:
        shapes: dict[int, list[OverlayShape]] = {}
        result = self._analysing.state.result
        classes = result.detector_classes if result is not None else ()
        for lesion in self._lesions:
            verdict = verdicts.get(lesion.lesion_id, Verdict.PENDING)
            for i in lesion.instances:
                shape = OverlayShape(i.label, lesion.lesion_id, i.mask, lesion_colour(i.label, classes), verdict)
                shapes.setdefault(i.slice_index, []).append(shape)
        self._parts.view.set_lesions({index: tuple(found) for index, found in shapes.items()})

    def _verdicts(self) -> Mapping[int, Verdict]:
        reading, result = self._reading.reading, self._analysing.state.result
        latest = reading.latest if reading else None
        return latest.verdicts if latest is not None and latest.result is result else {}

    def _say_verdict(self, lesion_id: int, verdict: Verdict) -> None:
        self._reading.set_verdict(lesion_id, verdict)

    # What the reader asks for

    def select_lesion(self, lesion_id: int | None) -> None:
        """Highlight a finding in image and table."""
        self._selected = lesion_id
        self._parts.view.set_selected_lesion(lesion_id)
        self._parts.findings.set_current(lesion_id)

    def go_to_lesion(self, lesion_id: int) -> None:
        """Select a finding and show its largest slice."""
        lesion = next((found for found in self._lesions if found.lesion_id == lesion_id), None)
        if lesion is not None:
            self.select_lesion(lesion_id)
            self._session.go_to(lesion.largest_slice)

    def judge_selected(self, verdict: Verdict) -> None:
        """Accept or reject the selected finding; the same again reopens it."""
        if self._selected is not None:
            same = self._verdicts().get(self._selected) is verdict
            self._reading.set_verdict(self._selected, Verdict.PENDING if same else verdict)

    def step_rank(self, step: int) -> None:
        """Go to the next (+1) or previous (-1) slice by rank, from the current slice's rank."""
        if not self._ranked:
            return
        at = self._ranked.index(self._session.index) if self._session.index in self._ranked else -1
        at = 0 if at < 0 else min(max(at + step, 0), len(self._ranked) - 1)
        self._session.go_to(self._ranked[at])
