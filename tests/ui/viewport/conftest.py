"""Small volumes and a shown view for the viewport's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtWidgets import QApplication

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.ui.viewport import SliceView


@pytest.fixture
def make_volume() -> Callable[..., Volume]:
    """Builds a volume: random stored values of a shape, or the given ones; 2 mm slices, head last in the index."""

    def make(stored: np.ndarray | None = None, **options: object) -> Volume:
        if stored is None:
            stored = np.random.default_rng(1).integers(-1000, 1000, (5, 48, 64)).astype(np.int16)
        n = len(stored)
        origins = np.stack([np.full(n, -10.0), np.full(n, -20.0), np.arange(n) * 2.0 - 100.0], axis=1)
        geometry = Geometry(
            stored.shape,
            options.pop("origins", origins),
            options.pop("row", (1.0, 0.0, 0.0)),
            options.pop("column", (0.0, 1.0, 0.0)),
            options.pop("spacing", (1.0, 1.0)),
        )
        refs = tuple(SliceRef(Path("a"), instance_number=n - i) for i in range(n))
        lossy = options.pop("lossy", False)
        series = Series("k", "1.2", "CT", Patient(), Study(), refs, *stored.shape[1:], number=3, lossy=lossy)
        slope, intercept = np.full(n, options.pop("slope", 1.0)), np.full(n, options.pop("intercept", 0.0))
        return Volume(series, geometry, stored, slope, intercept, **options)

    return make


@pytest.fixture
def view(qtbot, qapp: QApplication) -> Iterator[SliceView]:
    """A shown view of 200 x 180 without a focus ring."""
    widget = SliceView()
    qtbot.addWidget(widget)
    widget.resize(200, 180)
    widget.show()
    qapp.processEvents()
    widget.clearFocus()
    yield widget
    widget.close()


@pytest.fixture
def grey_of() -> Callable[[SliceView], np.ndarray]:
    """Grabs a view as `[rows, columns, 3]` uint8."""

    def grab(widget: SliceView) -> np.ndarray:
        image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        data = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        return data[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()

    return grab


@pytest.fixture
def mouse() -> Callable[..., None]:
    """Sends a mouse event with fractional positions and exact buttons, which QTest's move cannot."""
    from PySide6.QtCore import QEvent, Qt

    kinds = {
        "press": QEvent.Type.MouseButtonPress,
        "move": QEvent.Type.MouseMove,
        "release": QEvent.Type.MouseButtonRelease,
    }

    def send(widget: SliceView, kind: str, x: float, y: float, button: Qt.MouseButton) -> None:
        position = QPointF(x, y)
        changed = Qt.MouseButton.NoButton if kind == "move" else button
        held = Qt.MouseButton.NoButton if kind == "release" else button
        event = QMouseEvent(
            kinds[kind], position, widget.mapToGlobal(position), changed, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(widget, event)

    return send
