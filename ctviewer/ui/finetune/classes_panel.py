"""How often each class is among the patients that the model is for, and which class means that nothing was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QGridLayout, QWidget

from ctviewer.ui.finetune.negative_box import NegativeBox
from ctviewer.ui.finetune.widgets import ChoiceList, add_row, clear, note, say
from ctviewer.ui.panels.common import ElidedLabel, Panel
from ctviewer.ui.presenters.looking import FoundClass
from ctviewer.ui.theme import SPACE

AS_DATA, STATED = "data", "stated"
_WHY = (
    "A probability holds for a frequency: the same picture means disease more often in a clinic of chest physicians than "
    "in screening."
)
_CHOICES = (
    (AS_DATA, "As &among the patients of the training data", ""),
    (STATED, "As I s&tate it, for the patients this model is for", ""),
)
_NOT_CALIBRATED = "This recipe does not calibrate: its probabilities hold where all classes are equally frequent."
_OFF = 0.5  # percent by which stated shares may miss 100


class ClassesPanel(Panel):
    """Prevalence and negative class.

    Signals:
        changed: something else is stated.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Classes and how frequent they are", parent)
        self._classes: tuple[FoundClass, ...] = ()
        self._several, self._calibrated = False, True
        self._stated: dict[str, float] = {}
        self.negative = NegativeBox()
        self.source = ChoiceList("Prevalence", _CHOICES)
        self.source.choose(AS_DATA)
        self._spins: dict[str, QDoubleSpinBox] = {}
        self._rows = QGridLayout()
        self._rows.setHorizontalSpacing(2 * SPACE)
        self._sum = note("", "warning")
        self._uncalibrated = note()
        self._lay_out()
        self.source.chosen.connect(self._on_source)
        self.negative.activated.connect(lambda _row: self.changed.emit())
        self._refresh()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(SPACE)
        add_row(form, "Class &without a finding", self.negative)
        self.source.insert_below(STATED, self._rows)
        self.body.addLayout(form)
        self._why = note(_WHY)
        self.body.addWidget(self._why)
        self.body.addWidget(self.source)
        self.body.addWidget(self._sum)
        self.body.addWidget(self._uncalibrated)

    # What the page says

    def set_classes(self, classes: Sequence[FoundClass], several: bool) -> None:
        """The classes of the data, and whether a study may have several; what was stated for their names stays."""
        if tuple(classes) == self._classes and several == self._several:
            return
        self._classes, self._several = tuple(classes), several
        self.negative.set_names([one.name for one in classes])
        self._fill_rows()
        self._refresh()

    def set_base(self, negative_class: str) -> None:
        """The class that means "no finding" to the base model; "" for none."""
        self.negative.set_base(negative_class)

    def set_calibrated(self, calibrated: bool) -> None:
        """Whether the recipe calibrates."""
        self._calibrated = calibrated
        self._refresh()

    def set_stated(self, prevalence: Mapping[str, float], negative_class: str) -> None:
        """Show what an earlier run was told."""
        self._stated = {name: 100 * share for name, share in prevalence.items()}
        self.source.choose(STATED if prevalence else AS_DATA)
        self.negative.state(negative_class)
        self._fill_rows()
        self._refresh()

    # What the page asks

    @property
    def negative_class(self) -> str:
        """Class name; "" leaves it to the base model."""
        return self.negative.stated

    @property
    def prevalence(self) -> dict[str, float]:
        """Class to share; empty: as among the training patients."""
        if self.source.value != STATED or not self._calibrated:
            return {}
        return {name: spin.value() / 100 for name, spin in self._spins.items()}

    @property
    def problem(self) -> str:
        """Why what is stated cannot be; "" where it can."""
        shares = self.prevalence
        if not shares or self._several:
            return ""
        if abs(100 * sum(shares.values()) - 100) > _OFF:
            return f"The stated frequencies sum to {100 * sum(shares.values()):.1f} %, not to 100 %."
        return "Each stated frequency must be above zero." if min(shares.values()) <= 0 else ""

    # Inside

    def _on_source(self, _key: str) -> None:
        self._refresh()
        self.changed.emit()

    def _fill_rows(self) -> None:
        self._stated |= {name: spin.value() for name, spin in self._spins.items()}
        clear(self._rows)
        self._spins = {}
        shares = shares_of(self._classes)
        before: QWidget = self.source.button(STATED)
        for row, one in enumerate(self._classes):
            spin = QDoubleSpinBox()
            spin.setRange(0.0, 100.0)
            spin.setDecimals(1)
            spin.setSuffix(" %")
            spin.setAccessibleName(f"Share of patients with {one.name}")
            spin.setValue(self._stated.get(one.name, 100 * shares[one.name]))
            spin.valueChanged.connect(self._on_value)
            name = ElidedLabel(one.name)
            self._rows.addWidget(name, row, 0)
            self._rows.addWidget(spin, row, 1)
            self._spins[one.name] = spin
            QWidget.setTabOrder(before, spin)
            before = spin
        self._rows.setColumnStretch(0, 1)

    def _on_value(self) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        stated = self.source.value == STATED and self._calibrated
        for spin in self._spins.values():
            spin.setEnabled(stated)
        for row in range(self._rows.rowCount()):
            for column in range(2):
                item = self._rows.itemAtPosition(row, column)
                widget = item.widget() if item is not None else None
                if widget is not None:
                    widget.setVisible(stated)
        for key in (AS_DATA, STATED):
            self.source.button(key).setEnabled(self._calibrated)
        self.source.button(STATED).setEnabled(self._calibrated and bool(self._classes))
        shares = shares_of(self._classes)
        told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
        self.source.explain(AS_DATA, "" if len(shares) > 5 else told)
        say(self._sum, self.problem)
        say(self._uncalibrated, "" if self._calibrated else _NOT_CALIBRATED)


def shares_of(classes: Sequence[FoundClass]) -> dict[str, float]:
    """Share of each class, by patients where they are known, else by studies."""
    counts = {one.name: one.patients or one.studies for one in classes}
    total = sum(counts.values()) or 1
    return {name: count / total for name, count in counts.items()}
