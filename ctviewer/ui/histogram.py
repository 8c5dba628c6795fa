"""The values of the slice on screen as a histogram, with the window as a region that can be dragged."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi, VoiFunction, Window, as_window
from ctviewer.ui.palette import area_colour, attention_colour
from ctviewer.ui.session import Session
from ctviewer.ui.theme import colours

_BINS = 256


def histogram(volume: Volume, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Bin edges `[257]` in the volume's unit and log10(1 + count) `[256]` of one slice, padding left out."""
    values = volume.hu(index)[volume.valid(index)]
    if not values.size:
        return np.linspace(0.0, 1.0, _BINS + 1), np.zeros(_BINS)
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, _BINS, (low, high if high > low else low + 1.0))
    return edges, np.log10(1.0 + counts)


class HistogramDialog(QDialog):
    """Beside the reading, not modal; follows slice and window of the session."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Histogram")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(460, 240)
        self._session = session
        c = colours()
        self._plot = pg.PlotWidget(background=c.panel)
        self._plot.hideButtons()
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.getPlotItem().hideAxis("left")
        self._plot.getAxis("bottom").setPen(c.faint)
        self._plot.getAxis("bottom").setTextPen(c.muted)
        area, accent = area_colour(), attention_colour()
        self._curve = pg.PlotCurveItem(
            [0.0, 1.0],
            [0.0],
            stepMode="center",
            fillLevel=0,
            pen=area,
            brush=pg.mkBrush(area.red(), area.green(), area.blue(), 90),
        )
        region = (accent.red(), accent.green(), accent.blue())
        self._region = pg.LinearRegionItem(pen=region, brush=(*region, 40), hoverBrush=(*region, 60))
        self._plot.addItem(self._curve)
        self._plot.addItem(self._region)
        box = QVBoxLayout(self)
        box.addWidget(self._plot, 1)
        note = QLabel(f"Pixels of this slice by value, logarithmic; drag the window or its edges. {RESEARCH_USE}")
        note.setProperty("role", "small")
        note.setWordWrap(True)
        box.addWidget(note)
        self._region.sigRegionChanged.connect(self._ask_window)
        session.slice_changed.connect(self._show_slice)
        session.window_changed.connect(self._show_window)
        session.volume_changed.connect(self._show_slice)
        self._show_slice()
        self._show_window(session.window)

    @property
    def region(self) -> tuple[float, float]:
        """Lower and upper end of the window as shown."""
        low, high = self._region.getRegion()
        return float(low), float(high)

    def set_region(self, low: float, high: float) -> None:
        """Move the region as a drag does."""
        self._region.setRegion((low, high))

    def _show_slice(self, _index: object = None) -> None:
        volume = self._session.volume
        if volume is None or not volume.loaded[self._session.index]:
            return
        edges, counts = histogram(volume, self._session.index)
        self._curve.setData(edges, counts)
        self._plot.setLabel("bottom", unit_text(volume.unit) or "value")

    def _show_window(self, voi: Voi) -> None:
        window = as_window(voi)
        self._region.blockSignals(True)
        self._region.setRegion((window.centre - window.width / 2, window.centre + window.width / 2))
        self._region.blockSignals(False)

    def _ask_window(self) -> None:
        low, high = self.region
        function = as_window(self._session.window).function
        if self._session.volume is not None and high - low >= (1.0 if function is VoiFunction.LINEAR else 1e-6):
            self._session.set_window(Window((low + high) / 2, high - low, function))
