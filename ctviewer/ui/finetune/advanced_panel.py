"""Numbers that most runs leave as they are: passes, rate, seed, how studies are shared out, what pictures mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.errors import InputError
from ctviewer.datasets.stating import read_statement
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.training.recipes import Recipe
from ctviewer.ui.finetune.widgets import add_row, choose, combo_of, note, say
from ctviewer.ui.panels.common import role_label
from ctviewer.ui.theme import SPACE

_SPLITTING = (("stratified", "at random, by patient"), ("time", "by time: older train, newer test"))
_FOLDS = (("auto", "under 50 patients"), ("always", "always"), ("never", "never"))
_ORDERS = (("", "as the files say"), ("head-first", "head first"), ("feet-first", "feet first"))
_LOSSES = (("alternate", "each kind in turn"), ("sum", "both kinds at once"))
_COPIES = (("best", "at the best loss so far"), ("previous_step", "after each step on lesions"))
_ALL_SLICES = "all of them"
_STEPS = (
    "The branch that tells the class has weights of the outlining one; a net whose branches are tied copies nothing."
)
_VALUES = "For pictures (PNG, TIFF) and others that do not say it themselves; nothing is guessed."
_A_STEP = {CLASSIFIER: "Studies a step", ONE_SHOT: "Slices a step"}
_SHARES = "A split that the table gives is kept. No patient is ever on both sides."


class AdvancedPanel(QFrame):
    """Changes a `Recipe` and a `DataConfig`.

    Signals:
        recipe_changed: a number of the recipe is another.
        changed: anything else is.
    """

    recipe_changed = Signal()
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.epochs, self.batch = _whole(1, 1000), _whole(1, 256)
        self.rate = _share(1e-7, 1.0, 7)
        self.seed = _whole(0, 2**31 - 1)
        self._one_shot = False
        self.splitting, self.folds, self.order = (combo_of("", one, 10) for one in (_SPLITTING, _FOLDS, _ORDERS))
        self.losses, self.copy = combo_of("", _LOSSES, 10), combo_of("", _COPIES, 10)
        self.per_class = _whole(0, 1_000_000)
        self.per_class.setSpecialValueText(_ALL_SLICES)
        self._forms: list[QFormLayout] = []
        self._columns: list[QWidget] = []
        self.validation, self.test = _percent(), _percent()
        self.values, self.spacing = QLineEdit(), QLineEdit()
        self.values.setPlaceholderText("hu+1024, window=-600/1500 …")
        self.spacing.setPlaceholderText("0.7x0.7x1.0 (mm)")
        self._problem = note("", "warning")
        self._lay_out()
        for spin in (self.epochs, self.batch, self.rate, self.per_class):
            spin.valueChanged.connect(lambda _value: self.recipe_changed.emit())
        for combo in (self.losses, self.copy):
            combo.activated.connect(lambda _row: self.recipe_changed.emit())
        for spin in (self.seed, self.validation, self.test):
            spin.valueChanged.connect(lambda _value: self._on_change())
        for combo in (self.splitting, self.folds, self.order):
            combo.activated.connect(lambda _row: self._on_change())
        for field in (self.values, self.spacing):
            field.textChanged.connect(lambda _text: self._on_change())
        self.set_config(RunConfig(DataConfig("")))

    def _lay_out(self) -> None:
        columns = QHBoxLayout()
        columns.setSpacing(3 * SPACE)
        training = (
            ("E&pochs", self.epochs),
            ("Learning rate", self.rate),
            (_A_STEP[CLASSIFIER], self.batch),
            ("Seed", self.seed),
        )
        sharing = (
            ("Split", self.splitting),
            ("Validation", self.validation),
            ("Test", self.test),
            ("Cross-validation", self.folds),
        )
        stating = (("Values", self.values), ("Spacing", self.spacing), ("Slices", self.order))
        steps = (("Steps", self.losses), ("Branch copied", self.copy), ("Slices of a class", self.per_class))
        for title, rows, told in (
            ("Training", training, ""),
            ("Sharing out", sharing, _SHARES),
            ("What files do not say", stating, _VALUES),
            ("Lesions and classes", steps, _STEPS),
        ):
            column = self._column(title, rows, told)
            self._columns.append(column)
            columns.addWidget(column, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        box.addLayout(columns)
        box.addWidget(self._problem)
        self.set_task(CLASSIFIER)

    def _column(self, title: str, rows: Sequence[tuple[str, QWidget]], told: str) -> QWidget:
        """A titled form with a sentence below."""
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(role_label(title, "title"))
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(SPACE // 2)
        for text, field in rows:
            add_row(form, text, field)
        self._forms.append(form)
        column.addLayout(form)
        if told:
            column.addWidget(note(told))
        column.addStretch(1)
        return holder

    def set_task(self, task: str) -> None:
        """Show what there is to say for a kind of model; sets of slices state their values themselves, and have no dates."""
        self._one_shot = task == ONE_SHOT
        *_others, stating, steps = self._columns
        stating.setVisible(not self._one_shot)
        steps.setVisible(self._one_shot)
        label = self._forms[0].labelForField(self.batch)
        assert isinstance(label, QLabel)  # the row has one
        label.setText(_A_STEP[task])
        self.batch.setAccessibleName(_A_STEP[task])
        self._forms[1].setRowVisible(self.splitting, not self._one_shot)
        say(self._problem, self.problem)

    def set_recipe(self, recipe: Recipe) -> None:
        """Show a recipe's numbers, without a signal."""
        _put(self.epochs, recipe.epochs)
        _put(self.batch, recipe.batch)
        _put(self.rate, recipe.rate)
        _put(self.per_class, recipe.per_class)
        choose(self.losses, recipe.losses)
        choose(self.copy, recipe.copy)

    def set_config(self, config: RunConfig) -> None:
        """Show what an earlier run was told, without a signal."""
        data = config.data
        self.set_recipe(config.recipe)
        _put(self.seed, config.seed)
        _put(self.validation, 100 * data.shares[1])
        _put(self.test, 100 * data.shares[2])
        for combo, key in (
            (self.splitting, data.splitting),
            (self.folds, data.cross_validation),
            (self.order, data.order),
        ):
            choose(combo, key)
        for field, text in ((self.values, data.values), (self.spacing, data.spacing)):
            with QSignalBlocker(field):
                field.setText(text)
        say(self._problem, self.problem)

    def changed_recipe(self, recipe: Recipe) -> Recipe:
        """A recipe with the numbers that stand here."""
        changed = replace(recipe, epochs=self.epochs.value(), batch=self.batch.value(), rate=self.rate.value())
        if not self._one_shot:
            return changed
        return replace(
            changed,
            losses=str(self.losses.currentData()),
            copy=str(self.copy.currentData()),
            per_class=self.per_class.value(),
        )

    def changed_data(self, data: DataConfig) -> DataConfig:
        """A configuration with what stands here."""
        validation, test = self.validation.value() / 100, self.test.value() / 100
        shared = replace(
            data,
            shares=(round(1 - validation - test, 6), validation, test),
            cross_validation=str(self.folds.currentData()),
        )
        if self._one_shot:
            return replace(shared, splitting=_SPLITTING[0][0])
        return replace(
            shared,
            splitting=str(self.splitting.currentData()),
            values=self.values.text().strip(),
            spacing=self.spacing.text().strip(),
            order=str(self.order.currentData()),
        )

    @property
    def problem(self) -> str:
        """Why what stands here cannot be; "" where it can."""
        if self.validation.value() + self.test.value() > 80:
            return "Validation and test take more than 80 % of the patients: too few are left to learn from."
        if self._one_shot:
            return ""
        try:
            read_statement(self.values.text().strip(), self.spacing.text().strip(), str(self.order.currentData()))
        except InputError as error:
            return str(error)
        return ""

    def _on_change(self) -> None:
        say(self._problem, self.problem)
        self.changed.emit()


def _put(spin: QSpinBox | QDoubleSpinBox, value: float) -> None:
    """Set a value without a signal."""
    with QSignalBlocker(spin):
        if isinstance(spin, QSpinBox):
            spin.setValue(int(value))
        else:
            spin.setValue(value)


def _whole(low: int, high: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setKeyboardTracking(False)
    return spin


class _Plain(QDoubleSpinBox):
    """Shows a number without noughts at its end."""

    def textFromValue(self, value: float) -> str:
        """As few digits as it takes."""
        text = f"{value:.{self.decimals()}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


def _share(low: float, high: float, decimals: int) -> QDoubleSpinBox:
    spin = _Plain()
    spin.setDecimals(decimals)
    spin.setRange(low, high)
    spin.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    spin.setKeyboardTracking(False)
    return spin


def _percent() -> QDoubleSpinBox:
    spin = _share(0.0, 60.0, 0)
    spin.setSuffix(" %")
    return spin
