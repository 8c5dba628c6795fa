"""Old against new in figures: each difference with its interval around zero, and what it says in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from ctviewer.training.comparison import BETTER, OPEN, WORSE, Comparison, Difference
from ctviewer.training.scores.targets import FINDING
from ctviewer.ui.finetune.comparison_slices import SLICE, short_name, slice_sections
from ctviewer.ui.finetune.plots import IntervalPlot, LegendMark, Scale, ScaleAxis
from ctviewer.ui.finetune.widgets import Fold, clear, note, say
from ctviewer.ui.panels.common import ElidedLabel, Panel, role_label
from ctviewer.ui.theme import SPACE

_LEAST, _MOST, _STEP = 0.1, 0.5, 0.05
_LESS = "↓"
_HOW = (
    "New minus old with its 95 % interval, drawn around zero; a hollow dot may be chance. To the right the new version is "
    f"better, also where less is better ({_LESS})."
)
_NO_REGRESSION = "The fixed set against forgetting was not looked at."


def signed(value: float) -> str:
    """A difference with its sign, such as "+0.15" or "−0.02"; of one near zero the first digit that tells its side."""
    text = f"{value:+.2f}" if abs(value) >= 0.005 or value == 0 else f"{value:+.1g}"
    return "0.00" if value == 0 else text.replace("-", "−")


def difference_text(one: Difference) -> str:
    """For instance "+0.15 (+0.05 to +0.25)"; without an interval the difference alone."""
    if one.low is None or one.high is None:
        return signed(one.difference)
    return f"{signed(one.difference)} ({signed(one.low)} to {signed(one.high)})"


def verdict_text(comparison: Comparison) -> str:
    """What the main figure says of the new version, in words."""
    these = "These slices" if comparison.unit == "slice" else "These studies"
    main = comparison.main
    figures = f"{main.name} {main.old:.2f} → {main.new:.2f}, difference {difference_text(main)}"
    if main.verdict == BETTER:
        return f"The new version is better on {these.lower()}: {figures}."
    if main.verdict == WORSE:
        return f"The new version is worse on {these.lower()}: {figures}."
    return f"{these} do not show which version is better: {figures}."


Section = tuple[str, Sequence[Difference]]


def sections_of(comparison: Comparison) -> tuple[tuple[Section, ...], tuple[Section, ...]]:
    """Figures by what they are about: any finding and the whole, and each class."""
    if comparison.unit == SLICE:
        return slice_sections(comparison)
    every, used = comparison.differences, set[str]()
    found: dict[str, list[Difference]] = {}
    for target in (FINDING, *comparison.classes):
        found[target] = [one for one in every if one.name.endswith(f", {target}") and one.name not in used]
        used |= {one.name for one in found[target]}
    whole = [one for one in every if one.name not in used]
    first = ((f"{FINDING.capitalize()} against none", found.pop(FINDING)), ("All answers", whole))
    return tuple(s for s in first if s[1]), tuple((name, rows) for name, rows in found.items() if rows)


class DifferenceTable(QWidget):
    """Rows of name, old, new, difference and plot, in sections with one scale for all."""

    def __init__(self, sections: Sequence[Section], scale: Scale, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * SPACE)
        self._grid.setVerticalSpacing(2)
        for column, text in ((1, "old"), (2, "new"), (3, "difference (95 % interval)")):
            self._put(0, column, text, "small")
        row = 1
        for heading, differences in sections:
            self._grid.addWidget(ElidedLabel(heading, "title"), row, 0, 1, 4)
            for one in differences:
                row += 1
                self._add(row, one, heading, scale)
            row += 1
        self._grid.addWidget(ScaleAxis(scale, "old better", "new better"), row, 4)
        self._grid.setColumnStretch(0, 3)
        self._grid.setColumnStretch(4, 3)

    def _add(self, row: int, one: Difference, heading: str, scale: Scale) -> None:
        name = short_name(one.name.removesuffix(f", {heading}").removesuffix(f", {FINDING}"))
        label = ElidedLabel(f"{name} {_LESS}" if one.lower_is_better else name)
        label.set_details("" if name == one.name else one.name)
        self._grid.addWidget(label, row, 0)
        self._put(row, 1, f"{one.old:.2f}")
        self._put(row, 2, f"{one.new:.2f}")
        self._put(row, 3, difference_text(one))
        self._grid.addWidget(_plot(one, scale), row, 4)

    def _put(self, row: int, column: int, text: str, role: str = "") -> None:
        label = role_label(text, role)
        label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(label, row, column)


def _plot(one: Difference, scale: Scale) -> IntervalPlot:
    sign = -1.0 if one.lower_is_better else 1.0
    ends = sorted(sign * end for end in (one.low, one.high) if end is not None)
    low, high = (ends[0], ends[1]) if len(ends) == 2 else (None, None)
    words = f"{one.name}: old {one.old:.2f}, new {one.new:.2f}, difference {difference_text(one)}, {_said(one)}"
    value = sign * one.difference
    return IntervalPlot(scale, value, low, high, one.verdict == OPEN, words, warns=one.verdict == WORSE)


def _said(one: Difference) -> str:
    return {BETTER: "better", WORSE: "worse", OPEN: "may be chance"}[one.verdict]


def scale_of(differences: Sequence[Difference]) -> Scale:
    """Around zero, wide enough for most; what goes further is cut, without an end to its whisker."""
    ends = [abs(end) for one in differences for end in (one.low, one.high, one.difference) if end is not None]
    reach = max((end for end in ends if end <= _MOST), default=_LEAST)
    most = min(_MOST, max(_LEAST, math.ceil(reach / _STEP - 1e-9) * _STEP))
    return Scale(-most, most, 0.0, (round(-most, 2), 0.0, round(most, 2)))


class DifferencesPanel(Panel):
    """Figures of any finding and of the whole, and folded those by class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Differences", parent)
        self._tables = QVBoxLayout()
        self.body.addWidget(note(_HOW))
        self.body.addLayout(self._tables)

    def set_comparison(self, comparison: Comparison) -> None:
        """Show these differences."""
        clear(self._tables)
        first, rest = sections_of(comparison)
        scale = scale_of(comparison.differences)
        self._tables.addWidget(DifferenceTable(first or rest, scale))
        if first and rest:
            self._tables.addWidget(Fold("By class", DifferenceTable(rest, scale)))


class RegressionPanel(Panel):
    """The same on the fixed set against forgetting."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Forgetting: the fixed regression set", parent)
        self._told = note()
        self._table = QVBoxLayout()
        self.body.addWidget(self._told)
        self.body.addLayout(self._table)

    def set_comparison(self, regression: Comparison | None) -> None:
        """Show it, or that there is none."""
        clear(self._table)
        if regression is None:
            say(self._told, _NO_REGRESSION)
            return
        say(self._told, " ".join((forgetting_text(regression), *regression.notes)))
        first, rest = sections_of(regression)
        self._table.addWidget(DifferenceTable(first or rest, scale_of(regression.differences)))


def forgetting_text(regression: Comparison) -> str:
    """Whether something that the old version could do was lost, in words."""
    of = f"On the {regression.studies} studies that never change"
    lost = regression.sides.old_right
    if lost:
        now = "is" if lost == 1 else "are"
        return f"{of}, something was forgotten: {lost} that the old version answered rightly {now} wrong now."
    if any(one.verdict == WORSE for one in regression.differences):
        return f"{of}, no right answer was lost, but some figures are worse."
    return f"{of}, nothing was forgotten: all that the old version answered rightly is right still."


class Legend(QWidget):
    """Which mark is which version."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._old, self._new = ElidedLabel(role="small"), ElidedLabel(role="small")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE)
        grid.setVerticalSpacing(2)
        for row, (old, label) in enumerate(((True, self._old), (False, self._new))):
            grid.addWidget(LegendMark(old), row, 0)
            grid.addWidget(label, row, 1)
        grid.setColumnStretch(1, 1)

    def set_names(self, old: str, new: str) -> None:
        """Keys of the two."""
        self._old.setText(f"old: {old}")
        self._new.setText(f"new: {new}")
