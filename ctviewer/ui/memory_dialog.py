"""How much memory the images of series may take together, and what they take now."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from ctviewer.ui.panels.common import role_label, shortened

AUTOMATIC = -1
_MB_PER_GB = 1024
_WIDTH = 440
_MOST_LISTED = 8
_LONGEST = 50  # characters of a name
WHY = (
    "Series that you leave stay in memory, so that going back to one is instant. What was not used for longest goes "
    "first; the open series always stays."
)


class MemoryDialog(QDialog):
    """Not modal; a change acts at once.

    Signals:
        budget_chosen: MB; 0 for the open series alone, `AUTOMATIC` for a share of the machine's memory.
    """

    budget_chosen = Signal(int)

    def __init__(self, budget_mb: int, share_mb: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Memory for images")
        self.setMinimumWidth(_WIDTH)
        self._automatic = QRadioButton(f"&Automatic: a quarter of this machine's memory ({_gb(share_mb)})")
        self._alone = QRadioButton("The &open series alone")
        self._own = QRadioButton("At &most")
        self._amount = QDoubleSpinBox()
        self._amount.setRange(0.25, 4096.0)
        self._amount.setSingleStep(0.5)
        self._amount.setDecimals(2)
        self._amount.setSuffix(" GB")
        self._amount.setKeyboardTracking(False)
        self._amount.setAccessibleName("Memory for images in GB")
        self._used = QLabel()
        self._used.setTextFormat(Qt.TextFormat.PlainText)
        self._lay_out()
        self._fill(budget_mb, share_mb)
        self._choices.idToggled.connect(lambda _id, on: self._choose() if on else None)
        self._amount.valueChanged.connect(lambda _value: self._choose())

    def _lay_out(self) -> None:
        self._choices = QButtonGroup(self)
        row = QHBoxLayout()
        row.addWidget(self._own)
        row.addWidget(self._amount)
        row.addStretch(1)
        box = QVBoxLayout(self)
        box.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)  # it grows and shrinks with what is listed
        box.addWidget(role_label(WHY, "small", wrap=True))
        for number, choice in enumerate((self._automatic, self._alone, self._own)):
            self._choices.addButton(choice, number)
        box.addWidget(self._automatic)
        box.addWidget(self._alone)
        box.addLayout(row)
        box.addSpacing(8)
        box.addWidget(self._used)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        box.addWidget(buttons)

    def _fill(self, budget_mb: int, share_mb: int) -> None:
        self._amount.setValue((share_mb if budget_mb <= 0 else budget_mb) / _MB_PER_GB)
        chosen = self._own if budget_mb > 0 else self._alone if budget_mb == 0 else self._automatic
        chosen.setChecked(True)
        self._amount.setEnabled(chosen is self._own)

    def _choose(self) -> None:
        own = self._own.isChecked()
        self._amount.setEnabled(own)
        budget = round(self._amount.value() * _MB_PER_GB) if own else 0 if self._alone.isChecked() else AUTOMATIC
        self.budget_chosen.emit(budget)

    def show_use(self, kept: Sequence[tuple[str, int, bool]]) -> None:
        """What is in memory now, used last first: name, bytes, and whether it is open."""
        lines = [
            f"{shortened(name, _LONGEST)}: {_mb(size)}{' (open)' if is_open else ''}"
            for name, size, is_open in kept[:_MOST_LISTED]
        ]
        if len(kept) > _MOST_LISTED:
            lines.append(f"and {len(kept) - _MOST_LISTED} more")
        total = _mb(sum(size for _, size, _ in kept))
        self._used.setText("\n".join((f"In memory now: {total}", *lines)) if kept else "No series is in memory now.")


def _gb(mb: int) -> str:
    return f"{mb / _MB_PER_GB:.1f} GB"


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB" if size >= 2**20 else f"{size / 2**10:.0f} kB"
