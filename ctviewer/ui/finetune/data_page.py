"""The first page: studies and labels, base model, what is trained and how, and the name of what is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.ui.finetune import pages
from ctviewer.ui.finetune.advanced_panel import AdvancedPanel
from ctviewer.ui.finetune.classes_panel import ClassesPanel
from ctviewer.ui.finetune.model_panel import ModelPanel
from ctviewer.ui.finetune.recipe_panel import RecipePanel
from ctviewer.ui.finetune.services import TrainingChoices
from ctviewer.ui.finetune.studies_panel import StudiesPanel
from ctviewer.ui.finetune.version_panel import VersionPanel
from ctviewer.ui.finetune.widgets import DropArea, Fold, note, say, scrolled
from ctviewer.ui.presenters.looking import FoundStudies
from ctviewer.ui.theme import SPACE


class DataPage(pages.DataPage):
    """Its panels know their own part of a `RunConfig`; here they meet. What no panel shows stays as it was given."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._given = RunConfig(DataConfig(""))
        self._was_ready = False
        self.studies, self.classes, self.model = StudiesPanel(), ClassesPanel(), ModelPanel()
        self.recipe, self.version, self.advanced = RecipePanel(), VersionPanel(), AdvancedPanel()
        self._problem = note("", "danger")
        self._missing = note()
        self._lay_out()
        self._connect()
        self._follow()

    def _lay_out(self) -> None:
        left, right = QVBoxLayout(), QVBoxLayout()
        for column, panels in ((left, (self.studies, self.classes)), (right, (self.model, self.recipe, self.version))):
            column.setSpacing(SPACE)
            for panel in panels:
                column.addWidget(panel)
            column.addStretch(1)
        columns = QHBoxLayout()
        columns.setSpacing(SPACE)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        self.fold = Fold("Advanced settings", self.advanced)
        self._drop = DropArea()
        inner = QVBoxLayout(self._drop)
        inner.setContentsMargins(0, 0, SPACE, 0)
        inner.setSpacing(SPACE)
        inner.addLayout(columns)
        inner.addWidget(self.fold)
        inner.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(SPACE)
        self._area = scrolled(self._drop)
        outer.addWidget(self._area, 1)
        outer.addWidget(self._problem)
        outer.addWidget(self._missing)

    def _connect(self) -> None:
        self._drop.dropped.connect(self.studies.take)
        self.fold.button.toggled.connect(lambda _open: QTimer.singleShot(0, self.advanced, self._show_advanced))
        self.studies.look_requested.connect(self.look_requested)
        self.studies.read_requested.connect(self.read_studies_requested)
        for panel in (self.studies, self.classes, self.model, self.recipe, self.version, self.advanced):
            panel.changed.connect(self._follow)
        self.recipe.changed.connect(lambda: self.advanced.set_recipe(self.recipe.recipe))
        self.advanced.recipe_changed.connect(self._on_recipe_number)

    # What the presenter says

    def set_choices(self, choices: TrainingChoices) -> None:
        """What there is to choose from; what was chosen stays."""
        self.model.set_bases(choices.bases)
        self.version.set_devices(choices.devices)
        self.studies.set_choices(choices)
        self._follow()

    def set_found(self, folder: Path, found: FoundStudies | None, problem: str) -> None:
        """What a look at the folder found."""
        self.studies.set_found(folder, found, problem)

    def set_read_studies(self, table: Path) -> None:
        """The studies read in the viewer are in this table."""
        self.studies.set_table(table)

    def set_config(self, config: RunConfig) -> None:
        """Show what an earlier run was told."""
        self._given = config
        self.model.set_model(config.model)
        self.recipe.set_start(config.model.start)
        self.recipe.set_recipe(config.recipe)
        self.classes.set_stated(config.data.prevalence, config.model.negative_class)
        self.version.set_given(config.model.title, config.device)
        self.advanced.set_config(config)
        self.studies.set_data(config.data)
        self._follow()

    def set_problem(self, text: str) -> None:
        """Why what was chosen cannot be used; "" takes it away."""
        say(self._problem, text)

    # What the presenter asks

    @property
    def ready(self) -> bool:
        """Whether all that is needed is there."""
        return not self.missing

    @property
    def missing(self) -> str:
        """What is still needed, in one sentence; "" for nothing."""
        panels = (self.studies, self.classes, self.model, self.version, self.advanced)
        return next((panel.problem for panel in panels if panel.problem), "")

    def config(self) -> RunConfig:
        """What is to be done."""
        folder, labels = self.studies.folder_and_labels
        data = replace(self._given.data, folder=folder, labels=labels, prevalence=self.classes.prevalence)
        model = replace(
            self.model.changed_model(self._given.model),
            name=self.version.name,
            title=self.version.title,
            negative_class=self.classes.negative_class,
        )
        return replace(
            self._given,
            data=self.advanced.changed_data(data),
            model=model,
            recipe=self.recipe.recipe,
            seed=self.advanced.seed.value(),
            device=self.version.device,
        )

    # Inside

    def _show_advanced(self) -> None:
        """What was unfolded lies below the edge: come to it, once it has its place."""
        if self.advanced.isVisible():
            self._area.ensureWidgetVisible(self.advanced)

    def _on_recipe_number(self) -> None:
        self.recipe.set_recipe(self.advanced.changed_recipe(self.recipe.recipe))
        self._follow()

    def _follow(self) -> None:
        """Parts that depend on each other: the classes decide about the head, the start about the recipe."""
        base = self.model.chosen_base
        found = self.studies.classes
        self.model.set_classes([one.name for one in found])
        self.classes.set_base("" if base is None else base.negative_class)
        self.classes.set_classes(found, self.studies.several)
        self.recipe.set_start(str(self.model.start.currentData()))
        self.advanced.set_recipe(self.recipe.recipe)
        self.classes.set_calibrated(self.recipe.recipe.calibrate)
        self.version.set_base(base)
        self.set_problem("")
        say(self._missing, self.missing)
        if self.ready != self._was_ready:
            self._was_ready = self.ready
            self.ready_changed.emit(self.ready)
