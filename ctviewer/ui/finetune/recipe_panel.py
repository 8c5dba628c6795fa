"""What is trained, by which recipe, and the numbers that can be changed."""

from __future__ import annotations

from dataclasses import fields, replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QWidget

from ctviewer.models.metadata import CLASSIFIER
from ctviewer.training.recipes import RECIPES, Recipe
from ctviewer.ui.finetune.model_panel import SCRATCH
from ctviewer.ui.finetune.widgets import ChoiceList, add_row, note, say
from ctviewer.ui.panels.common import Panel
from ctviewer.ui.theme import SPACE

_TRAINED = (
    (
        "none",
        "The head onl&y: attention and classifier",
        "Fast, and safe with few patients. The slice encoder stays as it is.",
    ),
    (
        "last_two",
        "The head and the last two &modules of the encoder",
        "Slower; from about a hundred patients per class.",
    ),
    ("all", "E&verything", "Slowest, and the most easily misled: for many hundreds of patients."),
)
_FOLLOWS = {"tuned": {"last_two": "tuned-deep"}, "tuned-deep": {"none": "tuned"}}  # recipes that differ in this
_WORDS = {
    "trainable": "what is trained",
    "epochs": "epochs",
    "rate": "learning rate",
    "batch": "studies a step",
}
_NEEDS_ALL = "Random weights must all learn: nothing of the encoder can stay as it is."


class RecipePanel(Panel):
    """What learns, and how.

    Signals:
        changed: something else is chosen; the recipe's own numbers hold again where another recipe was chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What is trained, and how", parent)
        self._recipe = RECIPES["tuned"]
        self._start = "base"
        self.trained = ChoiceList("What is trained", _TRAINED)
        self.recipe_box = QComboBox()
        self._explanation = note()
        self._altered = note("", "warning")
        form = QFormLayout()
        form.setHorizontalSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_row(form, "Rec&ipe", self.recipe_box)
        self.body.addWidget(self.trained)
        self.body.addLayout(form)
        self.body.addWidget(self._explanation)
        self.body.addWidget(self._altered)
        self.trained.chosen.connect(self._on_trained)
        self.recipe_box.activated.connect(self._on_recipe)
        self._fill()
        self._refresh()

    @property
    def recipe(self) -> Recipe:
        """As it is now, with what was changed of it."""
        return self._recipe

    def set_recipe(self, recipe: Recipe) -> None:
        """Show a recipe, also one with other numbers than its name promises."""
        self._recipe = recipe
        self._refresh()

    def set_start(self, start: str) -> None:
        """What training starts from: random weights learn by a recipe of their own."""
        if start == self._start:
            return
        was, self._start = self._start, start
        self._fill()
        if start == SCRATCH:
            self._recipe = RECIPES[SCRATCH]
        elif was == SCRATCH and self._recipe.name == SCRATCH:
            self._recipe = RECIPES["tuned"]
        self._refresh()

    def _on_trained(self, key: str) -> None:
        other = _FOLLOWS.get(self._recipe.name, {}).get(key)
        self._recipe = RECIPES[other] if other else replace(self._recipe, trainable=key)
        self._refresh()
        self.changed.emit()

    def _on_recipe(self, _row: int) -> None:
        self._recipe = RECIPES[str(self.recipe_box.currentData())]
        self._refresh()
        self.changed.emit()

    def _fill(self) -> None:
        self.recipe_box.clear()
        for recipe in (one for one in RECIPES.values() if one.task == CLASSIFIER):
            if (recipe.name == SCRATCH) == (self._start == SCRATCH):
                self.recipe_box.addItem(recipe.title, recipe.name)

    def _refresh(self) -> None:
        at = self.recipe_box.findData(self._recipe.name)
        if at < 0:
            self.recipe_box.addItem(self._recipe.title, self._recipe.name)
            at = self.recipe_box.count() - 1
        self.recipe_box.setCurrentIndex(at)
        self.trained.choose(self._recipe.trainable)
        for key, _title, _explanation in _TRAINED:
            barred = self._start == SCRATCH and key != "all"
            self.trained.button(key).setEnabled(not barred)
            self.trained.button(key).setToolTip(_NEEDS_ALL if barred else "")
        say(self._explanation, self._recipe.explanation)
        others = altered(self._recipe)
        say(self._altered, f"Changed from this recipe: {', '.join(others)}." if others else "")


def altered(recipe: Recipe) -> tuple[str, ...]:
    """What of a recipe is not as its name promises, in words."""
    own = RECIPES.get(recipe.name)
    if own is None:
        return ()
    changed = [f.name for f in fields(recipe) if getattr(recipe, f.name) != getattr(own, f.name)]
    return tuple(_WORDS.get(name, name.replace("_", " ")) for name in changed)
