import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from ctviewer.ui import theme
from ctviewer.ui.strip.heat_strip import HeatStrip
from ctviewer.ui.strip.lanes import Lanes


class Probe:
    """A strip and what a test asks of its picture."""

    def __init__(self, strip: HeatStrip) -> None:
        self.strip = strip

    @property
    def lanes(self) -> Lanes:
        return Lanes(self.strip.size())

    def image(self) -> QImage:
        return self.strip.grab().toImage()

    def bar(self, position: int, colour: str, lane: str = "score") -> int:
        """Pixels of a colour in the row of a slice, in one lane."""
        rect = getattr(self.lanes, lane)
        image, y = self.image(), int(self.strip.y_of(position))
        wanted = QColor(colour).rgb()
        return sum(image.pixel(x, y) == wanted for x in range(rect.left(), rect.right() + 1))

    def click(self, y: float, x: int | None = None) -> None:
        x = self.lanes.score.center().x() if x is None else x
        QTest.mouseClick(self.strip, Qt.MouseButton.LeftButton, pos=QPoint(x, int(y)))


@pytest.fixture
def dark(qapp):
    theme.apply_theme(qapp, "dark")
    return theme.DARK


@pytest.fixture
def make(qtbot, dark):
    """Gives a shown strip of 632 px height (592 px of lanes), no slice at the handle's default place in the way."""

    def build(count: int, height: int = 640) -> Probe:
        strip = HeatStrip()
        qtbot.addWidget(strip)
        strip.resize(strip.sizeHint().width(), height)
        strip.set_slices(count, [f"Im {n + 1}" for n in range(count)])
        with qtbot.waitExposed(strip):
            strip.show()
        return Probe(strip)

    return build


@pytest.fixture
def peak():
    """Attention lengths with one peak: sums to the number of slices."""

    def build(count: int, at: int, times: float = 6.0) -> np.ndarray:
        lengths = np.full(count, (count - times) / (count - 1))
        lengths[at] = times
        return lengths

    return build
