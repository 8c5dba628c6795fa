"""Old against new in pictures: whether probabilities hold, and what is taken for what."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from ctviewer.training.comparison import Comparison
from ctviewer.training.scores.curves import Confusion, Reliability
from ctviewer.ui import theme
from ctviewer.ui.finetune.comparison_figures import Legend
from ctviewer.ui.finetune.plots import ReliabilityPlot, Trace
from ctviewer.ui.finetune.widgets import clear, note, say
from ctviewer.ui.palette import blend
from ctviewer.ui.panels.common import ElidedLabel, Panel, plain_tip, role_label
from ctviewer.ui.theme import SPACE

_HOW = "On the dashed diagonal, what was given a probability came true as often. Whiskers are 95 % intervals."
_SEVERAL = "A study may have several classes here: there is no single table of what was taken for what."
_UNCLASSED = "No slice has a class that both versions tell: there is no table of what was taken for what."
_WHAT = {"study": "Studies", "slice": "Slices"}
_SIDE_BY_SIDE = 2  # classes up to which two tables stand beside each other


class ReliabilityPanel(Panel):
    """The reliability of both, of one target at a time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Do the probabilities hold?", parent)
        self._old: tuple[Reliability, ...] = ()
        self._new: tuple[Reliability, ...] = ()
        self._names = ("", "")
        self.target = QComboBox()
        self.target.setAccessibleName("Class")
        self.target.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.target.setMinimumContentsLength(14)
        self.plot = ReliabilityPlot()
        self._legend = Legend()
        self.header.addWidget(self.target)
        self.body.addWidget(self._legend)
        self.body.addWidget(self.plot)
        self.body.addWidget(note(_HOW))
        self.target.currentIndexChanged.connect(self._show)

    def set_comparison(self, comparison: Comparison) -> None:
        """Show it; the first target first."""
        self._old, self._new = comparison.old_reliability, comparison.new_reliability
        self._names = (comparison.old, comparison.new)
        self._legend.set_names(*self._names)
        chosen = self.target.currentText()
        self.target.clear()
        self.target.addItems([one.name for one in self._new])
        self.target.setCurrentIndex(max(0, self.target.findText(chosen)) if self._new else -1)
        self._show(self.target.currentIndex())

    def _show(self, row: int) -> None:
        if not 0 <= row < min(len(self._old), len(self._new)):
            self.plot.set_traces(())
            return
        pairs = ((self._names[0], self._old[row], True), (self._names[1], self._new[row], False))
        self.plot.set_traces([_trace(name, one, old) for name, one, old in pairs])


def _trace(name: str, one: Reliability, old: bool) -> Trace:
    points = tuple((bin_.probability, bin_.share, bin_.share_low, bin_.share_high) for bin_ in one.bins)
    return Trace(name, points, old)


class _Cell(QWidget):
    """A count, the darker the larger its share of the row; what was answered rightly has a frame."""

    def __init__(self, count: int, share: float, right: bool, words: str) -> None:
        super().__init__()
        self._count, self._share, self._right = count, share, right
        self.setAccessibleName(words)
        self.setToolTip(plain_tip(words))
        self.setMinimumSize(34, 26)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, frame, number."""
        c = theme.colours()
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.fillRect(box, blend(QColor(c.window), QColor(c.selection), self._share))
        if self._right:
            painter.setPen(QPen(QColor(c.muted), 1))
            painter.drawRect(box)
        painter.setPen(QColor(c.text if self._count else c.muted))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), str(self._count))
        painter.end()


class ConfusionTable(QWidget):
    """True classes in rows, answers in columns."""

    def __init__(self, title: str, found: Confusion, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addWidget(ElidedLabel(title, "small"))
        grid = QGridLayout()
        grid.setSpacing(2)
        grid.addWidget(role_label("true ↓  answer →", "faint"), 0, 0)
        for column, name in enumerate(found.classes, 1):
            head = ElidedLabel(name, "small")
            head.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            grid.addWidget(head, 0, column)
            grid.setColumnStretch(column, 1)
        for row, (name, counts) in enumerate(zip(found.classes, found.studies, strict=True), 1):
            label = ElidedLabel(name, "small")
            grid.addWidget(label, row, 0)
            total = sum(counts) or 1
            for column, count in enumerate(counts, 1):
                answer = found.classes[column - 1]
                words = f"{title}: {name}, answered as {answer}: {count} of {sum(counts)}"
                grid.addWidget(_Cell(count, count / total, row == column, words), row, column)
        grid.setColumnMinimumWidth(0, 96)
        box.addLayout(grid)


class ConfusionPanel(Panel):
    """Both tables, and who was right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What is taken for what", parent)
        self._holder = QVBoxLayout()
        self._sides = note()
        self._none = note(_SEVERAL)
        self.body.addLayout(self._holder)
        self.body.addWidget(self._none)
        self.body.addWidget(self._sides)

    def set_comparison(self, comparison: Comparison) -> None:
        """Old, then new."""
        clear(self._holder)
        old, new = comparison.old_confusion, comparison.new_confusion
        of_slices = comparison.unit == "slice"
        say(self._none, _UNCLASSED if of_slices else _SEVERAL)
        self._none.setVisible(old is None or new is None)
        if old is not None and new is not None:
            pair = QWidget()
            box = QHBoxLayout(pair) if len(new.classes) <= _SIDE_BY_SIDE else QVBoxLayout(pair)
            box.setContentsMargins(0, 0, 0, 0)
            box.setSpacing(2 * SPACE)
            box.addWidget(ConfusionTable("old", old), 1)
            box.addWidget(ConfusionTable("new", new), 1)
            self._holder.addWidget(pair)
        s = comparison.sides
        if of_slices and (old is None or new is None):
            say(self._sides, "")
            return
        say(
            self._sides,
            f"{_WHAT[comparison.unit]} answered rightly by both: {s.both_right}; by the old alone: {s.old_right}; by the new alone: "
            f"{s.new_right}; by neither: {s.both_wrong}.",
        )
