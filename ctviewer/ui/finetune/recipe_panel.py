"""What is trained, by which recipe, and the numbers that can be changed."""

from __future__ import annotations

from dataclasses import fields, replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QWidget

from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.recipes import RECIPES, Recipe
from ctviewer.ui.finetune.model_panel import BASE, SCRATCH
from ctviewer.ui.finetune.widgets import ChoiceList, add_row, note, say
from ctviewer.ui.panels.common import Panel
from ctviewer.ui.theme import SPACE

_TRAINED = {
    CLASSIFIER: (
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
    ),
    ONE_SHOT: (
        (
            "none",
            "All but the backbone",
            "What the backbone makes of a slice stays as it is; the recipes mean everything.",
        ),
        ("last_two", "All but the first modules of the bac&kbone", "The last two of its modules learn too."),
        ("all", "E&verything", "Slowest; as the recipes mean it."),
    ),
}
_USUAL = {CLASSIFIER: "tuned", ONE_SHOT: "one-shot-tuned"}
_FROM_SCRATCH = {CLASSIFIER: "scratch", ONE_SHOT: "one-shot-scratch"}
_OF_BASE = ("one-shot-transfer",)  # recipes that begin with a model of the same task
_FOLLOWS = {"tuned": {"last_two": "tuned-deep"}, "tuned-deep": {"none": "tuned"}}  # recipes that differ in this
_WORDS = {
    "trainable": "what is trained",
    "epochs": "epochs",
    "rate": "learning rate",
    "batch": "cases a step",
    "losses": "steps of both kinds",
    "copy": "when the branch is copied",
    "per_class": "slices of each class",
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
        self._recipe = RECIPES[_USUAL[CLASSIFIER]]
        self._task, self._start = CLASSIFIER, BASE
        self.trained = ChoiceList("What is trained", _TRAINED[CLASSIFIER])
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

    def set_task(self, task: str) -> None:
        """Which kind of model is trained: it has recipes of its own."""
        if task == self._task:
            return
        self._task = task
        for key, title, explanation in _TRAINED[task]:
            self.trained.button(key).setText(title)
            self.trained.explain(key, explanation)
        self._fill()
        self._take_usual()
        self._refresh()

    def set_start(self, start: str) -> None:
        """What training starts from: random weights learn by a recipe of their own."""
        if start == self._start:
            return
        self._start = start
        self._fill()
        self._take_usual()
        self._refresh()

    def _take_usual(self) -> None:
        """Another recipe, where the one at hand is for another task or start."""
        if self._recipe.name not in {one.name for one in recipes_for(self._task, self._start)}:
            by_name = _FROM_SCRATCH if self._start == SCRATCH else _USUAL
            self._recipe = RECIPES[by_name[self._task]]

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
        for recipe in recipes_for(self._task, self._start):
            self.recipe_box.addItem(recipe.title, recipe.name)

    def _refresh(self) -> None:
        at = self.recipe_box.findData(self._recipe.name)
        if at < 0:
            self.recipe_box.addItem(self._recipe.title, self._recipe.name)
            at = self.recipe_box.count() - 1
        self.recipe_box.setCurrentIndex(at)
        self.trained.choose(self._recipe.trainable)
        for key, _title, _explanation in _TRAINED[self._task]:
            barred = self._start == SCRATCH and key != "all"
            self.trained.button(key).setEnabled(not barred)
            self.trained.button(key).setToolTip(_NEEDS_ALL if barred else "")
        say(self._explanation, self._recipe.explanation)
        others = altered(self._recipe)
        say(self._altered, f"Changed from this recipe: {', '.join(others)}." if others else "")


def recipes_for(task: str, start: str) -> tuple[Recipe, ...]:
    """Recipes of a task that fit what training starts from."""
    return tuple(
        one
        for one in RECIPES.values()
        if one.task == task
        and (one.name == _FROM_SCRATCH[task]) == (start == SCRATCH)
        and (start == BASE or one.name not in _OF_BASE)
    )


def altered(recipe: Recipe) -> tuple[str, ...]:
    """What of a recipe is not as its name promises, in words."""
    own = RECIPES.get(recipe.name)
    if own is None:
        return ()
    changed = [f.name for f in fields(recipe) if getattr(recipe, f.name) != getattr(own, f.name)]
    return tuple(_WORDS.get(name, name.replace("_", " ")) for name in changed)
