"""What the one-shot model says of single slices, to the class lane, the panel and the regions on the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction

from ctviewer.core.findings import SliceClasses
from ctviewer.ui.layout import Parts
from ctviewer.ui.presenters.analysing import AnalysingPresenter, AnalysisState
from ctviewer.ui.services import Services, StudyClasses
from ctviewer.ui.session import Session

_REDRAW_MS = 120  # while the model works: the lane is redrawn this often, not for every slice


class SliceAnswersBinder(QObject):
    """Shows slice classes and regions of interest; they never meet the study classifier's answer.

    Args:
        session: which slice is shown.
        analysing: whose analysis.
        parts: the window's widgets.
        show_rois: the command that shows the regions; it can be used where there are any.
        services: which classes the model in use tells.
        parent: owner.
    """

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        parts: Parts,
        show_rois: QAction,
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._parts = session, analysing, parts
        self._show_rois, self._in_use = show_rois, services.slice_classes
        self._classes: tuple[str, ...] = ()
        self._probabilities: NDArray[np.float64] | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self._show_answers)
        show_rois.toggled.connect(parts.view.set_rois_visible)
        session.volume_changed.connect(lambda _volume: self._show_state(analysing.state))
        session.slice_changed.connect(self._show_slice)
        analysing.changed.connect(self._show_state)
        analysing.marked.connect(self._take_slice)
        self._show_state(analysing.state)

    def _show_state(self, state: AnalysisState) -> None:
        """Another analysis, or none: its classes give the lane its columns."""
        self._redraw.stop()
        told = state.result.slice_classes if state.result is not None else None
        shown, model = StudyClasses(), ""
        if told is not None:
            shown, model = StudyClasses(told.classes, told.negative_class), f"{told.model.name} {told.model.version}"
        elif self._analysing.busy and self._session.volume is not None:
            shown = self._in_use()
        self._classes = shown.classes
        self._parts.strip.set_slice_classes(shown.classes, shown.negative_class)
        self._parts.slice_class.set_classes(shown.classes, shown.negative_class, model)
        self._show_answers()

    def _take_slice(self, index: int, _instances: object) -> None:
        if self._classes and not self._redraw.isActive():
            self._redraw.start()

    def _show_answers(self) -> None:
        state, volume, strip = self._analysing.state, self._session.volume, self._parts.strip
        logits = state.class_logits
        fits = volume is not None and logits is not None and logits.shape == (volume.slice_count, len(self._classes))
        self._probabilities = None
        if fits and logits is not None:
            self._probabilities = SliceClasses.probabilities_of(logits)
        if volume is not None and strip.maximum() + 1 == volume.slice_count:
            shown = self._probabilities
            strip.set_class_probabilities(None if shown is None else shown[self._session.display_order])
        self._parts.view.set_rois(state.rois if volume is not None else {})
        self._show_rois.setEnabled(volume is not None and bool(state.rois))
        self._show_slice(self._session.index)

    def _show_slice(self, index: int) -> None:
        volume = self._session.volume
        if volume is None or not self._classes:
            return
        told = None if self._probabilities is None else self._probabilities[index]
        looked = told is not None and bool(np.isfinite(told).all())
        self._parts.slice_class.set_slice(
            volume.series.image_name(index), told.tolist() if told is not None and looked else None
        )
