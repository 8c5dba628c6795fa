"""Which commands can be used now, what undo would take back, and the line at the foot of the window."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.series import VolumeUse
from ctviewer.ui.presenters.analysing import AnalysingPresenter
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.session import Session

_WITH_VOLUME = (
    "report",
    "report_as",
    "save_findings",
    "cine",
    "reset",
    "fit",
    "actual_size",
    "window_file",
    "histogram",
)


class StatusBinder(QObject):
    """Keeps commands and status line in step with session and analysis.

    Args:
        label: the status line.
        device: what the models run on ("CPU").
    """

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        actions: dict[str, QAction],
        label: QLabel,
        device: str,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._reading, self._actions = session, analysing, reading, actions
        self._label, self._device = label, device
        session.volume_changed.connect(lambda _volume: self._show())
        analysing.changed.connect(lambda _state: self._enable())
        reading.changed.connect(lambda _reading: self._enable())
        reading.undo_changed.connect(self._show_undo)
        self._show()
        self._show_undo(None, None)

    def _show(self) -> None:
        self._enable()
        parts = []
        volume = self._session.volume
        if volume is not None:
            series, spacing = volume.series, volume.geometry.slice_spacing
            parts = [series.patient.patient_id or "no ID", f"{volume.slice_count} slices"]
            parts += [f"{spacing:.1f} mm"] if spacing else ["spacing unknown"]
            parts += [series.transfer_syntax] if series.transfer_syntax else []
            parts += [f"2-D only: {series.use_reason}"] if series.use is VolumeUse.SLICES_ONLY else []
        parts += [self._device, RESEARCH_USE[0].lower() + RESEARCH_USE[1:].rstrip(".")]
        self._label.setText("  ·  ".join(parts))

    def _enable(self) -> None:
        has_volume, busy = self._session.volume is not None, self._analysing.busy
        state = self._analysing.state
        enabled = dict.fromkeys(_WITH_VOLUME, has_volume)
        enabled |= {"key_image": has_volume and self._reading.reading is not None}  # before, nothing could keep it
        enabled |= {"analyse": has_volume and not busy, "cancel": busy}
        enabled |= dict.fromkeys(("next_ranked", "previous_ranked"), bool(state.classification or state.result))
        for name, on in enabled.items():
            self._actions[name].setEnabled(on)

    def _show_undo(self, undo: str | None, redo: str | None) -> None:
        for name, word, label in (("undo", "Undo", undo), ("redo", "Redo", redo)):
            self._actions[name].setText(f"&{word} {label}" if label else f"&{word}")
            self._actions[name].setEnabled(label is not None)
