"""Whether the slice on show is reviewed completely, and how much of the series is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QWidget

from ctviewer.ui import theme
from ctviewer.ui.panels.common import role_label

_TIP = (
    "Every lesion of this slice is marked, and what is unmarked is none (Y; Shift+Y for the whole series).\n"
    "Models learn what is no lesion from such slices alone."
)
_STALE = "It was reviewed beside an earlier analysis: its findings count for this slice until it is marked again."


class ReviewLine(QWidget):
    """A check box and a count, under the findings.

    Signals:
        toggled: the reader wants the slice on show marked, or no longer.
    """

    toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._box = QCheckBox("Slice reviewed completely")
        self._box.setFont(theme.small_font(self._box.font()))
        self._box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._box.clicked.connect(self.toggled)
        self._count = role_label("", "small")
        self._count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.SPACE, 0, theme.SPACE, theme.SPACE // 2)
        row.addWidget(self._box)
        row.addWidget(self._count, 1)
        self.show_state(False, False, 0, 0)

    @property
    def box(self) -> QCheckBox:
        """The check box."""
        return self._box

    @property
    def count_text(self) -> str:
        """How much is reviewed, in words."""
        return self._count.text()

    def show_state(self, here: bool, stale: bool, done: int, count: int) -> None:
        """Show one slice.

        Args:
            here: whether it is reviewed completely.
            stale: whether that was said beside an earlier analysis.
            done: slices that are.
            count: slices in all; 0 where nothing can be marked.
        """
        self.setEnabled(bool(count))
        self._box.setChecked(here)
        self._box.setToolTip(f"{_TIP}\n{_STALE}" if stale else _TIP)
        self._count.setText("whole series" if done and done == count else f"{done} of {count}" if done else "")
        self._count.setToolTip("Slices reviewed completely" if done else "")
