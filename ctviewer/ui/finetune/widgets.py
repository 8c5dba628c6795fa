"""What the pages of fine-tuning are put together from: choices with explanations, a field for a path, a fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ctviewer.ui import theme
from ctviewer.ui.panels.common import plain_tip, role_label
from ctviewer.ui.theme import SPACE

INDENT = 22  # of what belongs to a radio button or a tick, px


def scrolled(content: QWidget) -> QScrollArea:
    """A widget that scrolls up and down only."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


def note(text: str = "", role: str = "small") -> QLabel:
    """A wrapped line of explanation; hidden while it says nothing, if made without text."""
    label = role_label(text, role, wrap=True)
    label.setVisible(bool(text))
    return label


def say(label: QLabel, text: str) -> None:
    """Show a text, or hide the label where there is none."""
    label.setText(text)
    label.setVisible(bool(text))


def lay_out_page(
    page: QWidget, head: QWidget, body: QWidget, left: Sequence[QWidget], right: Sequence[QWidget]
) -> None:
    """A page as those of pre-flight and comparison are: a head that stays, and two columns of panels that scroll."""
    columns = QHBoxLayout(body)
    columns.setContentsMargins(0, 0, SPACE, 0)
    columns.setSpacing(SPACE)
    for panels, stretch in ((left, 6), (right, 5)):
        column = QVBoxLayout()
        column.setSpacing(SPACE)
        for panel in panels:
            column.addWidget(panel)
        column.addStretch(1)
        columns.addLayout(column, stretch)
    outer = QVBoxLayout(page)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.setSpacing(SPACE)
    outer.addWidget(head)
    outer.addWidget(scrolled(body), 1)


def add_row(form: QFormLayout, text: str, field: QWidget) -> QLabel:
    """A row of a form: the name leads to the field by Alt and its letter, and is what a screen reader says."""
    label = QLabel(text)
    label.setBuddy(field)
    form.addRow(label, field)
    if not field.accessibleName():
        field.setAccessibleName(text.replace("&", ""))
    return label


def compact_combo(combo: QComboBox, letters: int = 12) -> None:
    """A list that is not as wide as its longest line."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(letters)


def combo_of(name: str, choices: Sequence[tuple[str, str]], letters: int = 12) -> QComboBox:
    """A list of keys and the words for them.

    Args:
        name: what a screen reader says; "" where its row says it.
        choices: key and words.
        letters: width at the least.
    """
    combo = QComboBox()
    if name:
        combo.setAccessibleName(name)
    compact_combo(combo, letters)
    for key, text in choices:
        combo.addItem(text, key)
    return combo


def choose(combo: QComboBox, key: str) -> None:
    """Choose by key, without `activated`; the first where there is no such key."""
    combo.setCurrentIndex(max(0, combo.findData(key)))


class _Explanation(QLabel):
    """The text of a choice; a click on it chooses."""

    def __init__(self, text: str, button: QAbstractButton) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setProperty("role", "small")
        self._button = button

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """As a click on the button."""
        if self._button.isEnabled():
            self._button.click()
        event.accept()


class ChoiceList(QWidget):
    """One of a few, each with a sentence about it.

    Signals:
        chosen: key of what the user chose; not sent by `choose`.
    """

    chosen = Signal(str)

    def __init__(self, name: str, choices: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._keys: list[str] = []
        self._explanations: dict[str, QLabel] = {}
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(SPACE // 4)
        for key, title, explanation in choices:
            self._add(key, title, explanation)
        self._group.idClicked.connect(lambda number: self.chosen.emit(self._keys[number]))

    def _add(self, key: str, title: str, explanation: str) -> None:
        button = QRadioButton(title)
        button.setAccessibleDescription(explanation)
        self._group.addButton(button, len(self._keys))
        self._keys.append(key)
        self._box.addWidget(button)
        told = _Explanation(explanation, button)
        told.setContentsMargins(INDENT, 0, 0, SPACE // 2)
        told.setVisible(bool(explanation))
        self._explanations[key] = told
        self._box.addWidget(told)

    def button(self, key: str) -> QRadioButton:
        """The button of a choice."""
        button = self._group.button(self._keys.index(key))
        assert isinstance(button, QRadioButton)
        return button

    def explain(self, key: str, text: str) -> None:
        """Say something else below a choice."""
        say(self._explanations[key], text)
        self.button(key).setAccessibleDescription(text)

    def insert_below(self, key: str, content: QLayout) -> None:
        """Put fields below the explanation of a choice."""
        content.setContentsMargins(INDENT, 0, 0, SPACE)
        self._box.insertLayout(self._box.indexOf(self._explanations[key]) + 1, content)

    def choose(self, key: str) -> None:
        """Choose without a signal."""
        self.button(key).setChecked(True)

    @property
    def value(self) -> str:
        """Key of what is chosen, "" for nothing."""
        number = self._group.checkedId()
        return self._keys[number] if number >= 0 else ""


class PathField(QWidget):
    """A path that can be typed, chosen or dropped.

    Signals:
        chosen: the path (Path), when it was given in one of these ways and differs from the last.
    """

    chosen = Signal(object)

    def __init__(self, name: str, ask: Callable[[QWidget, str], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._last = ""
        self.field = QLineEdit()
        self.field.setAccessibleName(name)
        self.field.editingFinished.connect(lambda: self._give(self.field.text().strip()))
        self.button = QPushButton("Choose…")
        self.button.setAccessibleName(f"Choose: {name}")
        self.button.setAutoDefault(False)  # Enter gives the path that was typed, and opens no dialog
        self.button.clicked.connect(lambda: self._give(ask(self, self._last)))
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(SPACE // 2)
        box.addWidget(self.field, 1)
        box.addWidget(self.button)
        self.setFocusProxy(self.field)

    @property
    def text(self) -> str:
        """As it was given last; "" for none."""
        return self._last

    def set_text(self, text: str) -> None:
        """Show a path without a signal; its end is what is seen of a long one."""
        self._last = text
        self.field.setText(text)
        self.field.setCursorPosition(len(text))
        self.field.setToolTip(plain_tip(text))

    def _give(self, text: str) -> None:
        if not text or text == self._last:
            self.field.setText(self._last)
            return
        self.set_text(text)
        self.chosen.emit(Path(text))


def ask_folder(parent: QWidget, last: str) -> str:
    """The system's dialog for a folder; "" where none was chosen."""
    return QFileDialog.getExistingDirectory(parent, "Folder of studies or slices", last)


def ask_file(title: str, kinds: str) -> Callable[[QWidget, str], str]:
    """The system's dialog for a file of some kinds ("Tables (*.csv)")."""
    return lambda parent, last: QFileDialog.getOpenFileName(parent, title, last, kinds)[0]


def dropped_path(data: QMimeData) -> Path | None:
    """The one file or folder that is dragged; None for anything else."""
    urls = [url for url in data.urls() if url.isLocalFile()] if data.hasUrls() else []
    return Path(urls[0].toLocalFile()) if len(urls) == 1 else None


class DropArea(QWidget):
    """Takes one file or folder that is dropped anywhere on it.

    Signals:
        dropped: its path (Path).
    """

    dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """One thing of this computer is welcome."""
        if dropped_path(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take it."""
        path = dropped_path(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.dropped.emit(path)


class ShareBar(QWidget):
    """A bar as long as its share of the width; beside the number that it shows, never instead of it."""

    def __init__(self, share: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = min(1.0, max(0.0, share))
        self.setMinimumSize(40, 8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The whole, and the share of it."""
        c = theme.colours()
        painter = QPainter(self)
        painter.fillRect(0, 1, self.width(), self.height() - 2, QColor(c.window))
        painter.fillRect(0, 1, round(self._share * self.width()), self.height() - 2, QColor(c.faint))
        painter.end()


def clear(layout: QLayout) -> None:
    """Take all widgets out of a layout, and delete them."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()


class Fold(QWidget):
    """A part that is folded away until its heading is pressed."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setProperty("role", "fold")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._content = content
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(SPACE // 2)
        box.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(content)
        self.button.toggled.connect(self._show)
        self._show(False)

    def _show(self, is_open: bool) -> None:
        self._content.setVisible(is_open)
        self.button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
