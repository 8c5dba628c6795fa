"""What the one-shot model says of the slice on screen: under its own name, apart from the answer about the study."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QWidget

from ctviewer.core.doubt import NO_SLICE_INTERVAL
from ctviewer.ui import theme
from ctviewer.ui.panels.common import Panel, role_label
from ctviewer.ui.panels.probability_bars import ProbabilityBars
from ctviewer.ui.strip.data import LETTERS

NOTE = f"Each class for itself; no answer about the study. {NO_SLICE_INTERVAL}"
NOT_LOOKED_AT = "The one-shot model has not looked at this slice."


def lettered(classes: Sequence[str], negative_class: str) -> tuple[str, ...]:
    """Names with the letter of their column in the strip: this panel is the lane's legend."""
    letters = iter(LETTERS)
    return tuple(name if name == negative_class else f"{next(letters, '')} {name}".strip() for name in classes)


class SliceClassPanel(Panel):
    """Probabilities of the present slice's classes; hidden where no model tells them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Slice class", parent)
        self._classes: tuple[str, ...] = ()
        self._negative = ""
        self._bars = ProbabilityBars(lambda: QColor(theme.colours().text))
        self._where: QLabel = role_label("", "small")
        self._note: QLabel = role_label(NOTE, "small", wrap=True)
        self.header.addWidget(self._where)
        self.body.addWidget(self._bars)
        self.body.addWidget(self._note)
        self.hide()

    def set_classes(self, classes: Sequence[str], negative_class: str = "", model: str = "") -> None:
        """Which classes there are, and whose word it is; none hides the panel."""
        self._classes, self._negative = tuple(classes), negative_class
        self.setToolTip(f"{model}\n{NOTE}".strip())
        self.setVisible(bool(classes))

    def set_slice(self, name: str, probabilities: Sequence[float] | None) -> None:
        """Show one slice: how it is named, and a probability per class; None where the model has not looked."""
        if not self._classes:
            return
        told = (math.nan,) * len(self._classes) if probabilities is None else tuple(probabilities)
        names = lettered(self._classes, self._negative)
        self._bars.set_rows(tuple(zip(names, told, strict=True)), self._negative)
        self._where.setText(name)
        self._note.setText(NOTE if probabilities is not None else NOT_LOOKED_AT)
