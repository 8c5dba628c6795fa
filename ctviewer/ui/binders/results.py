"""An analysis, as the reader left its findings, to result panel, strip and top slices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage

from ctviewer.core.events import Progress
from ctviewer.core.findings import SliceScore, rank_slices
from ctviewer.core.read_findings import area_as_read
from ctviewer.core.volume import Volume
from ctviewer.ui.binders.image import analysis_window, preview
from ctviewer.ui.layout import Parts
from ctviewer.ui.panels.result_panel import STALE
from ctviewer.ui.panels.top_slices import TopSlice
from ctviewer.ui.presenters.analysing import AnalysingPresenter, AnalysisState, Phase
from ctviewer.ui.presenters.correcting import CorrectingPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session

TOP = 4
_REDRAW_MS = 120  # while the detector works: lanes are redrawn this often, not for every slice


class ResultsBinder(QObject):
    """Shows one analysis where slices are told by it."""

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        correcting: CorrectingPresenter,
        parts: Parts,
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._is_current = services.is_current
        self._session, self._analysing, self._correcting, self._parts = session, analysing, correcting, parts
        self._area: NDArray[np.float64] | None = None
        self._ranked: tuple[int, ...] = ()
        self._ranked_by = SliceScore.NONE
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._show_lanes)
        session.volume_changed.connect(lambda _volume: self._show_state(analysing.state))
        session.slice_changed.connect(parts.top.set_current)
        analysing.changed.connect(self._show_state)
        analysing.progressed.connect(self._show_progress)
        analysing.marked.connect(lambda _index, _instances: self._redraw_soon())
        correcting.findings_changed.connect(lambda _found: self._show_lanes())
        parts.top.slice_requested.connect(session.go_to)
        self._show_state(analysing.state)

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
        self._show_lanes()

    def _show_progress(self, progress: Progress | None) -> None:
        if progress is not None and self._analysing.busy:
            self._parts.result.set_progress(progress)

    def _redraw_soon(self) -> None:
        if not self._redraw.isActive():
            self._redraw.start()

    def _read_area(self, volume: Volume) -> tuple[NDArray[np.float64] | None, str]:
        """Lesion area as the reader left the findings; while the model works, as far as it has come."""
        state = self._analysing.state
        if state.phase is Phase.RUNNING:
            return state.lesion_area, "mm2" if volume.geometry.pixel_spacing else "px"
        return area_as_read(self._correcting.findings, volume, state.lesion_area)

    def _show_lanes(self) -> None:
        state, volume, strip = self._analysing.state, self._session.volume, self._parts.strip
        if volume is None or strip.maximum() + 1 != volume.slice_count:
            return
        order, classification = self._session.display_order, state.classification
        area, unit = self._read_area(volume)
        self._area = area
        shown = area[order] if area is not None and bool(np.isfinite(area).any()) else None
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
        weights = told.weights if told is not None and self._ranked_by is told.score else self._area
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

    # What the reader asks for

    def step_rank(self, step: int) -> None:
        """Go to the next (+1) or previous (-1) slice by rank, from the current slice's rank."""
        if not self._ranked:
            return
        at = self._ranked.index(self._session.index) if self._session.index in self._ranked else -1
        at = 0 if at < 0 else min(max(at + step, 0), len(self._ranked) - 1)
        self._session.go_to(self._ranked[at])
