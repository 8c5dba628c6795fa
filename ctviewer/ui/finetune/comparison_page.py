"""The last page: old against new on the same hold-out, and which of them is used from now on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from ctviewer.core.words import counted
from ctviewer.training.comparison import Comparison
from ctviewer.ui.finetune import pages
from ctviewer.ui.finetune.comparison_figures import DifferencesPanel, RegressionPanel, verdict_text
from ctviewer.ui.finetune.comparison_pictures import ConfusionPanel, ReliabilityPanel
from ctviewer.ui.finetune.comparison_studies import ChangedPanel
from ctviewer.ui.finetune.services import FinishedRun
from ctviewer.ui.finetune.widgets import lay_out_page, note, say
from ctviewer.ui.panels.common import Panel
from ctviewer.ui.theme import SPACE

_NOTHING = "No run has finished yet."
_MANY_LOOKS = 3  # from which a hold-out that models are chosen by tells less


class ComparisonPage(pages.ComparisonPage):
    """Figures, pictures, studies, and the choice. What is chosen is undone as easily as it was done."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict = QLabel(_NOTHING)
        self._verdict.setWordWrap(True)
        self._verdict.setTextFormat(Qt.TextFormat.PlainText)
        self._in_use, self._on, self._looks, self._notes = note(), note(), note(), note()
        self._warning = note("", "warning")
        self.activate, self.keep, self.roll_back = QPushButton(), QPushButton(), QPushButton()
        self.differences, self.regression = DifferencesPanel(), RegressionPanel()
        self.reliability, self.confusion, self.changed = ReliabilityPanel(), ConfusionPanel(), ChangedPanel()
        self._body = QWidget()
        self._lay_out()
        self.activate.clicked.connect(self.activate_requested)
        self.roll_back.clicked.connect(self.roll_back_requested)
        self.keep.clicked.connect(self.keep_requested)
        self.changed.study_requested.connect(self.study_requested)
        self._body.hide()
        for button in (self.activate, self.keep, self.roll_back):
            button.setAutoDefault(False)
            button.hide()

    def _lay_out(self) -> None:
        font = self._verdict.font()
        font.setBold(True)
        self._verdict.setFont(font)
        self.setFocusProxy(self.activate)
        self._head = Panel("Old against new")
        for widget in (self._verdict, self._on, self._looks, self._notes, self._warning):
            self._head.body.addWidget(widget)
        choice = QHBoxLayout()
        choice.setSpacing(SPACE)
        choice.addWidget(self._in_use, 1)
        for button in (self.activate, self.keep, self.roll_back):
            choice.addWidget(button)
        self._head.body.addLayout(choice)
        left, right = (self.differences, self.regression, self.changed), (self.reliability, self.confusion)
        lay_out_page(self, self._head, self._body, left, right)

    def set_result(self, result: FinishedRun) -> None:
        """What the run made; again when it is activated or rolled back."""
        comparison: Comparison | None = result.comparison
        say(self._verdict, f"{result.key} was made." if comparison is None else verdict_text(comparison))
        say(self._on, "" if comparison is None else _where(comparison))
        say(self._looks, looks_text(result.looks))
        own = () if comparison is None else comparison.notes
        say(self._notes, " ".join(dict.fromkeys((*result.notes, *own))))
        say(self._warning, "" if result.active else "\n".join(result.doubts))
        self._follow_choice(result)
        self._body.setVisible(comparison is not None)
        if comparison is not None:
            self.differences.set_comparison(comparison)
            self.reliability.setVisible(bool(comparison.new_reliability))
            self.reliability.set_comparison(comparison)
            self.confusion.set_comparison(comparison)
            self.changed.set_changed(comparison.changed, comparison.unit)
            self.regression.setVisible(comparison.unit == "study" or comparison.regression is not None)
            self.regression.set_comparison(comparison.regression)

    def _follow_choice(self, result: FinishedRun) -> None:
        before = result.parent or "the version before"
        used = f"{result.key} is in use." if result.active else "The new version is not in use."
        say(self._in_use, f"{used} Nothing is overwritten; the choice can be undone with one click.")
        self.activate.setText(f"&Activate {_short(result.key)}")
        self.activate.setToolTip(f"Use {result.key} from now on")
        self.keep.setText("&Keep the old version")
        self.keep.setToolTip(f"{before} stays in use; the new version stays in Model, Models…")
        self.roll_back.setText("&Roll back")
        self.roll_back.setToolTip("Use the model again that was in use before")
        had_focus = any(one.hasFocus() for one in (self.activate, self.keep, self.roll_back))
        self.activate.setVisible(not result.active)
        self.keep.setVisible(not result.active)
        self.roll_back.setVisible(result.active)
        self.setFocusProxy(self.roll_back if result.active else self.activate)
        if had_focus:
            self.setFocus()


def _where(comparison: Comparison) -> str:
    return (
        f"New: {comparison.new}. Old: {comparison.old}. Both on the same {counted(comparison.studies, comparison.unit)} of "
        f"{counted(comparison.patients, 'patient')}."
    )


def looks_text(looks: int) -> str:
    """How often models were judged by this hold-out, and what that means; "" where nobody knows."""
    if looks <= 0:
        return ""
    if looks == 1:
        return "This hold-out is looked at for the first time."
    often = f"This hold-out was looked at {looks} times"
    if looks < _MANY_LOOKS:
        return f"{often}, this one included."
    return f"{often}: the more often models are chosen by it, the more its figures flatter. Take fresh studies for a last word."


def _short(key: str) -> str:
    """The version alone: its name stands above."""
    return key.rpartition(" ")[2] or key
