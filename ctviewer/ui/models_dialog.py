"""The installed models: versions below what they were made from, their cards, and which of them is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor, QTextDocument
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.ui.panels.common import ElidedLabel, plain_tip, role_label
from ctviewer.ui.services import ModelCard
from ctviewer.ui.theme import SPACE

if TYPE_CHECKING:
    from ctviewer.ui.finetune.services import FinishedRun

_KEY = int(Qt.ItemDataRole.UserRole)
_SIZE = (1080, 640)
_COLUMNS = ("Model", "Licence", "")
_TASKS = {"study_classifier": "Study classifiers", "one_shot": "One-shot models (lesions and slice class)"}
_NO_COMPARISON = "No comparison with its parent is kept on this computer."
_NOTHING = "No model is installed."


class ModelsDialog(QDialog):
    """Not modal: reading goes on beside it. Its owner fills it, and again when something has changed.

    Signals:
        activate_requested: key of a model.
        roll_back_requested: task.
        compare_requested: key of a model.
    """

    activate_requested = Signal(str)
    roll_back_requested = Signal(str)
    compare_requested = Signal(str)

    def __init__(self, result_for: Callable[[str], FinishedRun | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.resize(*_SIZE)
        self._result_for = result_for
        self._cards: dict[str, ModelCard] = {}
        self._before: dict[str, str] = {}
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Installed models")
        self.tree.setColumnCount(len(_COLUMNS))
        self.tree.setHeaderLabels(_COLUMNS)
        self.tree.setUniformRowHeights(True)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        head = self.tree.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(_COLUMNS)):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self._title, self._made_from = ElidedLabel(), ElidedLabel(role="small")
        self._restriction = role_label("", "warning", wrap=True)
        self._answers = role_label("", "small", wrap=True)
        self._verdict = role_label("", "small", wrap=True)
        self._warning = role_label("", "warning", wrap=True)
        self.card = QTextBrowser()
        self.card.setOpenLinks(False)
        self.card.setAccessibleName("Model card")
        self.activate, self.compare = QPushButton("&Activate"), QPushButton("&Compare…")
        self.roll_back = QPushButton("&Roll back")
        self._problems = QVBoxLayout()
        self._failure = role_label("", "danger", wrap=True)
        self._failure.hide()
        self._lay_out()
        self.tree.currentItemChanged.connect(lambda *_items: self._show())
        self.activate.clicked.connect(lambda: self.activate_requested.emit(self._key))
        self.compare.clicked.connect(lambda: self.compare_requested.emit(self._key))
        self.roll_back.clicked.connect(self._ask_roll_back)

    def _lay_out(self) -> None:
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        buttons = QHBoxLayout()
        for button in (self.activate, self.compare, self.roll_back):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(SPACE, 0, 0, 0)
        for widget in (
            self._title,
            self._made_from,
            self._restriction,
            self._answers,
            self._verdict,
            self._warning,
        ):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addWidget(self.card, 1)
        splitter = QSplitter()
        splitter.addWidget(self.tree)
        splitter.addWidget(right)
        splitter.setSizes([460, 620])
        splitter.setStretchFactor(1, 1)
        closing = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        closing.rejected.connect(self.close)
        foot = QHBoxLayout()
        foot.addWidget(role_label(RESEARCH_USE, "small"), 1)
        foot.addWidget(closing)
        box = QVBoxLayout(self)
        box.setSpacing(SPACE)
        box.addWidget(splitter, 1)
        box.addLayout(self._problems)
        box.addWidget(self._failure)
        box.addLayout(foot)

    def set_models(
        self, cards: Sequence[ModelCard], problems: Sequence[str], before: Callable[[str], str] = lambda _task: ""
    ) -> None:
        """Show these; the one that was looked at stays chosen.

        Args:
            cards: of the models.
            problems: a sentence for each bundle that cannot be used.
            before: key of the model used before, by task.
        """
        chosen, before_card = self._key, self._cards.get(self._key)
        self._cards = {card.key: card for card in cards}
        self._before = {task: before(task) for task in dict.fromkeys(card.task for card in cards)}
        self.set_failure("")
        self._fill()
        gone = before_card if chosen not in self._cards else None
        near = sorted(cards, key=lambda c: (gone is not None and c.task != gone.task, not c.active))
        self._choose(chosen if chosen in self._cards else next((c.key for c in near), ""))
        while (item := self._problems.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for problem in problems:
            self._problems.addWidget(role_label(problem, "danger", wrap=True))
        self._show()

    def set_failure(self, text: str) -> None:
        """Why something that was asked for could not be done; "" takes it away."""
        self._failure.setText(text)
        self._failure.setVisible(bool(text))

    @property
    def _key(self) -> str:
        item = self.tree.currentItem()
        return "" if item is None else str(item.data(0, _KEY) or "")

    def _fill(self) -> None:
        """Tasks, and below them versions below what they were made from; a parent that is gone is left out."""
        self.tree.clear()
        items = {key: _item(card) for key, card in self._cards.items()}
        for task in self._before:
            top = QTreeWidgetItem([_TASKS.get(task, task)])
            top.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.tree.addTopLevelItem(top)
            top.setFirstColumnSpanned(True)
            for key, card in self._cards.items():
                if card.task == task:
                    parent = items.get(card.parent) if self._descends(card) else None
                    (parent or top).addChild(items[key])
        self.tree.expandAll()

    def _descends(self, card: ModelCard) -> bool:
        """Whether it hangs below its parent without going in a circle."""
        seen = {card.key}
        parent = self._cards.get(card.parent)
        while parent is not None:
            if parent.key in seen or parent.task != card.task:
                return False
            seen.add(parent.key)
            parent = self._cards.get(parent.parent)
        return True

    def _choose(self, key: str) -> None:
        for item in self.tree.findItems("*", Qt.MatchFlag.MatchWildcard | Qt.MatchFlag.MatchRecursive):
            if key and item.data(0, _KEY) == key:
                self.tree.setCurrentItem(item)

    def _show(self) -> None:
        """The model that is chosen."""
        card = self._cards.get(self._key)
        for button in (self.activate, self.compare, self.roll_back):
            button.setVisible(card is not None)
        for label in (self._made_from, self._restriction, self._answers, self._verdict, self._warning):
            label.setVisible(False)
        if card is None:
            self._title.setText("" if self._cards else _NOTHING)
            self.card.setPlainText("")
            return
        self._title.setText(f"{card.title} {card.version}{', in use' if card.active else ''}")
        self._made_from.setText(
            f"Made from {card.parent}. Licence: {card.licence}." if card.parent else f"Licence: {card.licence}."
        )
        self._made_from.show()
        self._restriction.setText(card.restriction)
        self._restriction.setVisible(bool(card.restriction))
        self._answers.setText(answers_text(card))
        self._answers.setVisible(bool(self._answers.text()))
        self.card.setMarkdown(card.card)
        _space_headings(self.card.document())
        self._show_choice(card)

    def _show_choice(self, card: ModelCard) -> None:
        before = self._before.get(card.task, "")
        self.activate.setVisible(not card.active)
        self.activate.setToolTip(f"Use {card.key} from now on")
        self.roll_back.setVisible(card.active)
        self.roll_back.setEnabled(bool(before))
        self.roll_back.setText(f"&Roll back to {before}" if before else "&Roll back")
        self.roll_back.setToolTip(plain_tip(f"Use {before} again" if before else "No other model was in use before."))
        result = self._result_for(card.key)
        comparison = None if result is None else result.comparison
        self.compare.setVisible(bool(card.parent))
        self.compare.setEnabled(comparison is not None)
        self.compare.setToolTip("" if comparison is not None else _NO_COMPARISON)
        if comparison is not None:
            from ctviewer.ui.finetune.comparison_figures import verdict_text

            self._verdict.setText(f"Against {comparison.old}: {verdict_text(comparison)}")
            self._verdict.show()
        doubts = () if result is None or card.active else result.doubts
        self._warning.setText("\n".join(doubts))
        self._warning.setVisible(bool(doubts))

    def _ask_roll_back(self) -> None:
        card = self._cards.get(self._key)
        if card is not None:
            self.roll_back_requested.emit(card.task)


def answers_text(card: ModelCard) -> str:
    """What a model tells apart, and what it outlines; "" where it is not known."""
    told = [f"Outlines {', '.join(card.outlined)}."] if card.outlined else []
    of = "slices" if card.outlined else "studies"
    if card.classes:
        told.append(f"Classes of {of}: {', '.join(card.classes)}.")
    elif card.outlined:
        told.append("It tells no classes of slices.")
    return " ".join(told)


def _space_headings(document: QTextDocument) -> None:
    """Markdown's headings stand close to what is above them."""
    block = document.begin()
    while block.isValid():
        form = block.blockFormat()
        if form.headingLevel() and block != document.begin():
            form.setTopMargin(2 * SPACE)
            QTextCursor(block).setBlockFormat(form)
        block = block.next()


def _item(card: ModelCard) -> QTreeWidgetItem:
    name = f"{card.title} {card.version}"
    item = QTreeWidgetItem([name, card.licence, "● in use" if card.active else ""])
    item.setData(0, _KEY, card.key)
    item.setToolTip(0, plain_tip(f"{name}\n{card.key}\n{card.trained_on}"))
    item.setToolTip(1, plain_tip(f"{card.licence}\n{card.restriction}".strip()))
    font = item.font(0)
    font.setBold(card.active)
    item.setFont(0, font)
    return item
