"""Numbers that most runs leave as they are: passes, rate, seed, how studies are shared out, what pictures mean."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.errors import InputError
from ctviewer.datasets.stating import read_statement
from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.training.recipes import Recipe
from ctviewer.ui.finetune.widgets import add_row, note, say
from ctviewer.ui.panels.common import role_label
from ctviewer.ui.theme import SPACE

_SPLITTING = (("stratified", "at random, by patient"), ("time", "by time: older train, newer test"))
_FOLDS = (("auto", "under 50 patients"), ("always", "always"), ("never", "never"))
_ORDERS = (("", "as the files say"), ("head-first", "head first"), ("feet-first", "feet first"))
_VALUES = "For pictures (PNG, TIFF) and others that do not say it themselves; nothing is guessed."
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
        self.splitting, self.folds, self.order = _combo(_SPLITTING), _combo(_FOLDS), _combo(_ORDERS)
        self.validation, self.test = _percent(), _percent()
        self.values, self.spacing = QLineEdit(), QLineEdit()
        self.values.setPlaceholderText("hu+1024, window=-600/1500 …")
        self.spacing.setPlaceholderText("0.7x0.7x1.0 (mm)")
        self._problem = note("", "warning")
        self._lay_out()
        for spin in (self.epochs, self.batch, self.rate):
            spin.valueChanged.connect(lambda _value: self.recipe_changed.emit())
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
        for title, rows, told in (
            (
                "Training",
                (
                    ("E&pochs", self.epochs),
                    ("Learning rate", self.rate),
                    ("Studies a step", self.batch),
                    ("Seed", self.seed),
                ),
                "",
            ),
            (
                "Sharing out",
                (
                    ("Split", self.splitting),
                    ("Validation", self.validation),
                    ("Test", self.test),
                    ("Cross-validation", self.folds),
                ),
                _SHARES,
            ),
            (
                "What files do not say",
                (("Values", self.values), ("Spacing", self.spacing), ("Slices", self.order)),
                _VALUES,
            ),
        ):
            column = QVBoxLayout()
            column.addWidget(role_label(title, "title"))
            form = QFormLayout()
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            form.setVerticalSpacing(SPACE // 2)
            for text, field in rows:
                add_row(form, text, field)
            column.addLayout(form)
            if told:
                column.addWidget(note(told))
            column.addStretch(1)
            columns.addLayout(column, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        box.addLayout(columns)
        box.addWidget(self._problem)

    def set_recipe(self, recipe: Recipe) -> None:
        """Show a recipe's numbers, without a signal."""
        _put(self.epochs, recipe.epochs)
        _put(self.batch, recipe.batch)
        _put(self.rate, recipe.rate)

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
            combo.setCurrentIndex(max(0, combo.findData(key)))
        for field, text in ((self.values, data.values), (self.spacing, data.spacing)):
            with QSignalBlocker(field):
                field.setText(text)
        say(self._problem, self.problem)

    def changed_recipe(self, recipe: Recipe) -> Recipe:
        """A recipe with the numbers that stand here."""
        return replace(recipe, epochs=self.epochs.value(), batch=self.batch.value(), rate=self.rate.value())

    def changed_data(self, data: DataConfig) -> DataConfig:
        """A configuration with what stands here."""
        validation, test = self.validation.value() / 100, self.test.value() / 100
        return replace(
            data,
            shares=(round(1 - validation - test, 6), validation, test),
            splitting=str(self.splitting.currentData()),
            cross_validation=str(self.folds.currentData()),
            values=self.values.text().strip(),
            spacing=self.spacing.text().strip(),
            order=str(self.order.currentData()),
        )

    @property
    def problem(self) -> str:
        """Why what stands here cannot be; "" where it can."""
        if self.validation.value() + self.test.value() > 80:
            return "Validation and test take more than 80 % of the patients: too few are left to learn from."
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


def _combo(choices: tuple[tuple[str, str], ...]) -> QComboBox:
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(10)
    for key, text in choices:
        combo.addItem(text, key)
    return combo
