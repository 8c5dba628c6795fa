"""Stating what a file does not say: the meaning of its values, its distances, its orientation."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.interpretation import FEET_FIRST, HEAD_FIRST, ORIENTATION, SPACING, VALUES, Interpretation
from ctviewer.ui.panels.common import role_label
from ctviewer.ui.presenters.asking import Question

_WIDTH = 480
_FIELD = 130
_KEPT = "Your statement is kept on this machine for this file. The window, results and reports name it as yours."
_AXIAL = (
    "Axial slices are seen from the feet: the patient's right on the left of the image, the front of the body on top."
)
_AIR = -1000.0  # HU
_UNKNOWN, _HU, _OFFSET, _LINE, _GREY = range(5)
_ORDERS = ("", HEAD_FIRST, FEET_FIRST)


def hint(low: float, high: float) -> str:
    """What a range of values looks like; a hint, never an answer."""
    if low >= 0 and high <= 255:
        return "0 to 255 is the range of a picture with a window applied: Hounsfield units are probably lost."
    if -1100 <= low <= -900:
        return "Values near -1000 look like Hounsfield units: air is -1000 there."
    if low >= 0 and 1200 <= high <= 5000:
        return f"{low:g} to {high:g} looks like HU + 1024: air would be near 24, water at 1024."
    if low < -1100:
        return "Values far below -1000 (air) are often used outside the round field of a scanner."
    return "This range is not typical of CT."


class InterpretationDialog(QDialog):
    """Not modal: the image can be looked at and measured beside it.

    Signals:
        stated: an `Interpretation`.
    """

    stated = Signal(object)

    def __init__(self, question: Question, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("interpretation_dialog")
        self.setWindowTitle("What the file does not say")
        self.setMinimumWidth(_WIDTH)
        self._question = question
        self._choices, self._orders = QButtonGroup(self), QButtonGroup(self)
        self._offset = _number(1024.0, -100_000, 100_000, 1, "Offset that was added to Hounsfield units")
        self._slope = _number(1.0, -10_000, 10_000, 6, "Slope")
        self._intercept = _number(-1024.0, -100_000, 100_000, 3, "Intercept in HU")
        self._preview = role_label("", "small", wrap=True)
        self._lengths = tuple(
            _number(0.0, 0.0, 100.0, 4, f"Distance between {what} in mm", " mm")
            for what in ("rows", "columns", "slices")
        )
        for length in self._lengths:
            length.setSpecialValueText("unknown")
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._apply = self._buttons.addButton("&State this", QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out()
        self._fill(question.stated)
        self._connect()
        self._follow()

    # Building

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setSpacing(6)
        asked = self._question.series.questions
        if VALUES in asked:
            self._lay_out_values(box)
        if SPACING in asked or ORIENTATION in asked:
            box.addSpacing(8)
            self._lay_out_lengths(box, SPACING in asked)
        if ORIENTATION in asked:
            box.addSpacing(8)
            self._lay_out_orders(box)
        box.addSpacing(8)
        box.addWidget(role_label(_KEPT, "small", wrap=True))
        box.addStretch(1)
        box.addWidget(self._buttons)

    def _lay_out_values(self, box: QVBoxLayout) -> None:
        box.addWidget(role_label("Values", "title"))
        rows: tuple[tuple[int, str, tuple[QWidget | str, ...]], ...] = (
            (_HU, "&Hounsfield units (HU) as they are", ()),
            (_OFFSET, "Hounsfield units &plus", (self._offset,)),
            (_LINE, "HU &=", (self._slope, "times the value, plus", self._intercept)),
            (_GREY, "Plain &grey values, no unit", ()),
            (_UNKNOWN, "I do &not know", ()),
        )
        for number, text, more in rows:
            choice = QRadioButton(text)
            self._choices.addButton(choice, number)
            row = QHBoxLayout()
            row.addWidget(choice)
            for widget in more:
                row.addWidget(QLabel(widget) if isinstance(widget, str) else widget)
            row.addStretch(1)
            box.addLayout(row)
        box.addWidget(self._preview)

    def _lay_out_lengths(self, box: QVBoxLayout, pixels: bool) -> None:
        box.addWidget(role_label("Distances", "title"))
        form = QFormLayout()
        for label, length in zip(("Between &rows", "Between &columns", "Between &slices"), self._lengths, strict=True):
            length.setFixedWidth(_FIELD)
            form.addRow(label, length)
        box.addLayout(form)
        spacing, between = self._question.series.pixel_spacing, self._question.series.slice_spacing
        if not pixels and spacing is not None:  # the file's own numbers are shown and cannot be changed
            for length, value in zip(self._lengths, spacing, strict=False):
                length.setValue(value)
                length.setEnabled(False)
        if between is not None:
            self._lengths[2].setValue(between)
            self._lengths[2].setEnabled(False)

    def _lay_out_orders(self, box: QVBoxLayout) -> None:
        box.addWidget(role_label("Orientation", "title"))
        box.addWidget(role_label(_AXIAL, "small", wrap=True))
        for number, words in enumerate(
            ("Un&known", "Axial, first slice at the h&ead", "Axial, first slice at the f&eet")
        ):
            choice = QRadioButton(words)
            self._orders.addButton(choice, number)
            box.addWidget(choice)
        if len(self._question.series.slices) == 1:
            for button in self._orders.buttons():
                button.setEnabled(False)

    def _fill(self, stated: Interpretation) -> None:
        """Show what was stated before; nothing is proposed that was not."""
        chosen = _UNKNOWN
        if stated.unit == "":
            chosen = _GREY
        elif stated.unit == "HU":
            chosen = (
                _HU if (stated.slope, stated.intercept) == (1.0, 0.0) else _OFFSET if stated.slope == 1.0 else _LINE
            )
        if chosen == _OFFSET:
            self._offset.setValue(-stated.intercept)
        if chosen == _LINE:
            self._slope.setValue(stated.slope)
            self._intercept.setValue(stated.intercept)
        for length, value in zip(self._lengths, (*(stated.pixel_spacing or (0, 0)), stated.slice_spacing), strict=True):
            if length.isEnabled() and value:
                length.setValue(value)
        for group, number in ((self._choices, chosen), (self._orders, _ORDERS.index(stated.order))):
            if (button := group.button(number)) is not None:
                button.setChecked(True)

    def _connect(self) -> None:
        for spin, number in ((self._offset, _OFFSET), (self._slope, _LINE), (self._intercept, _LINE)):
            spin.valueChanged.connect(lambda _value, n=number: self._choices.button(n).setChecked(True))
            spin.valueChanged.connect(self._follow)
        rows, columns = self._lengths[:2]
        rows.valueChanged.connect(lambda value: self._square(columns, value))
        columns.valueChanged.connect(lambda _value: columns.setProperty("given", True))
        for length in self._lengths:
            length.valueChanged.connect(self._follow)
        self._choices.idToggled.connect(self._follow)
        self._orders.idToggled.connect(self._follow)
        self._buttons.accepted.connect(self._state)
        self._buttons.rejected.connect(self.close)

    # Answering

    def _square(self, columns: QDoubleSpinBox, value: float) -> None:
        """Pixels are mostly square: the second number follows the first one until it was given itself."""
        if not columns.property("given"):
            with QSignalBlocker(columns):
                columns.setValue(value)

    def interpretation(self) -> Interpretation | None:
        """What is stated now; None where the numbers are impossible together."""
        chosen = self._choices.checkedId()
        slope, intercept = {
            _OFFSET: (1.0, 0.0 - self._offset.value()),
            _LINE: (self._slope.value(), self._intercept.value()),
        }.get(chosen, (1.0, 0.0))
        unit = {_HU: "HU", _OFFSET: "HU", _LINE: "HU", _GREY: ""}.get(chosen)
        rows, columns, slices = (length.value() if length.isEnabled() else 0.0 for length in self._lengths)
        if (rows > 0) != (columns > 0):
            return None
        try:
            return Interpretation(
                unit,
                slope,
                intercept,
                (rows, columns) if rows > 0 else None,
                slices if slices > 0 else None,
                _ORDERS[max(0, self._orders.checkedId())],
            )
        except ValueError:
            return None

    def _follow(self) -> None:
        """What the choice makes of the values on screen, and whether it can be stated."""
        stated = self.interpretation()
        placed = all(length.value() > 0 for length in self._lengths)
        if self._orders.buttons() and len(self._question.series.slices) > 1:
            for button in self._orders.buttons()[1:]:
                button.setEnabled(placed)
                button.setToolTip("" if placed else "It takes all three distances to place the slices.")
            if not placed:
                self._orders.button(0).setChecked(True)
        self._apply.setEnabled(stated is not None)
        self._preview.setText(self._preview_text(stated))

    def _preview_text(self, stated: Interpretation | None) -> str:
        values = self._question.values
        if values is None:
            return ""
        low, high = values
        text = f"The slice on screen holds {low:g} to {high:g}"
        if stated is not None and stated.unit == "HU":
            ends = sorted(end * stated.slope + stated.intercept for end in values)
            far = "" if ends[0] <= _AIR / 2 else " Air (-1000 HU) would not be in it."
            return f"{text}; by this it is {ends[0]:g} to {ends[1]:g} HU.{far}"
        return f"{text}. {hint(low, high)}"

    def _state(self) -> None:
        stated = self.interpretation()
        if stated is not None:
            self.stated.emit(stated)
            self.close()


def _number(value: float, low: float, high: float, decimals: int, name: str, suffix: str = "") -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setDecimals(decimals)
    spin.setRange(low, high)
    spin.setValue(value)
    spin.setSuffix(suffix)
    spin.setAccessibleName(name)
    spin.setMinimumHeight(spin.sizeHint().height())
    spin.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    return spin
