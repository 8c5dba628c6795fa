"""The first page: the kind of model, its data, what it starts from, how it is trained, and the name of what is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import DataConfig, RunConfig
from ctviewer.ui.finetune import pages
from ctviewer.ui.finetune.advanced_panel import AdvancedPanel
from ctviewer.ui.finetune.classes_panel import ClassesPanel
from ctviewer.ui.finetune.merge_panel import MergePanel
from ctviewer.ui.finetune.model_panel import BASE, ModelPanel
from ctviewer.ui.finetune.recipe_panel import RecipePanel
from ctviewer.ui.finetune.services import TrainingChoices
from ctviewer.ui.finetune.sets_panel import SetsPanel
from ctviewer.ui.finetune.studies_panel import StudiesPanel
from ctviewer.ui.finetune.task_panel import TaskPanel
from ctviewer.ui.finetune.version_panel import VersionPanel
from ctviewer.ui.finetune.widgets import DropArea, Fold, note, say, scrolled
from ctviewer.ui.presenters.looking import FoundStudies
from ctviewer.ui.presenters.looking_sets import IMAGES, LESIONS, FoundSet
from ctviewer.ui.theme import SPACE


class DataPage(pages.DataPage):
    """Its panels know their own part of a `RunConfig`; here they meet. What no panel shows stays as it was given."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._given = RunConfig(DataConfig(""))
        self._was_ready = False
        self.task = TaskPanel()
        self.studies, self.classes, self.model = StudiesPanel(), ClassesPanel(), ModelPanel()
        self.lesions, self.images, self.merge = SetsPanel(LESIONS), SetsPanel(IMAGES), MergePanel()
        self.recipe, self.version, self.advanced = RecipePanel(), VersionPanel(), AdvancedPanel()
        self._problem = note("", "danger")
        self._missing = note()
        self._lay_out()
        self._connect()
        self._follow()

    def _lay_out(self) -> None:
        left, right = QVBoxLayout(), QVBoxLayout()
        data = (*self._of_studies, self.lesions, self.images)
        how = (self.model, self.merge, self.recipe, self.version)
        for column, panels in ((left, (self.task, *data)), (right, how)):
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
        self._drop.dropped.connect(self._take)
        self.fold.button.toggled.connect(lambda _open: QTimer.singleShot(0, self.advanced, self._show_advanced))
        self.studies.look_requested.connect(self.look_requested)
        self.studies.read_requested.connect(self.read_studies_requested)
        for sets in (self.lesions, self.images):
            sets.look_requested.connect(self.set_look_requested)
            sets.findings_requested.connect(self.findings_look_requested)
            sets.forgotten.connect(self.set_forgotten)
        others = (self.task, self.model, self.recipe, self.version, self.advanced)
        for panel in (*self._of_studies, *self._of_slices, *others):
            panel.changed.connect(self._follow)
        self.recipe.changed.connect(lambda: self.advanced.set_recipe(self.recipe.recipe))
        self.advanced.recipe_changed.connect(self._on_recipe_number)

    # What the presenter says

    def set_choices(self, choices: TrainingChoices) -> None:
        """What there is to choose from; what was chosen stays."""
        self.model.set_bases(choices.bases)
        self.version.set_devices(choices.devices)
        self.studies.set_choices(choices)
        for sets in (self.lesions, self.images):
            sets.set_findings(choices.findings)
        self._follow()

    def set_found_set(self, key: object, found: FoundSet | None, problem: str) -> None:
        """What a look at a set of slices found."""
        for sets in (self.lesions, self.images):
            sets.set_found(key, found, problem)

    def set_found(self, folder: Path, found: FoundStudies | None, problem: str) -> None:
        """What a look at the folder found."""
        self.studies.set_found(folder, found, problem)

    def set_read_studies(self, table: Path) -> None:
        """The studies read in the viewer are in this table."""
        self.studies.set_table(table)

    def set_config(self, config: RunConfig) -> None:
        """Show what an earlier run was told."""
        self._given = config
        self.task.set_task(config.task)
        for panel in (self.model, self.recipe, self.advanced):
            panel.set_task(config.task)
        self.model.set_model(config.model)
        self.recipe.set_start(config.model.start)
        self.recipe.set_recipe(config.recipe)
        self.classes.set_stated(config.data.prevalence, config.model.negative_class)
        self.version.set_given(config.model.title, config.device)
        self.advanced.set_config(config)
        self.merge.set_stated(config.model.merge, config.model.negative_class)
        self.studies.set_data(config.data)
        self.lesions.set_sets(config.lesions)
        self.images.set_sets(config.images)
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
        data = self._of_slices if self._one_shot else self._of_studies
        panels = (*data, self.model, self.version, self.advanced)
        return next((panel.problem for panel in panels if panel.problem), "")

    def config(self) -> RunConfig:
        """What is to be done."""
        task = self.task.task
        given = self._given if self._given.task == task else RunConfig(DataConfig(""), task=task)
        model = replace(self.model.changed_model(given.model), name=self.version.name, title=self.version.title)
        told = replace(
            given,
            data=self.advanced.changed_data(given.data),
            model=model,
            recipe=self.recipe.recipe,
            seed=self.advanced.seed.value(),
            device=self.version.device,
        )
        return self._with_slices(told) if self._one_shot else self._with_studies(told)

    # Inside

    @property
    def _one_shot(self) -> bool:
        return self.task.task == ONE_SHOT

    @property
    def _of_studies(self) -> tuple[StudiesPanel, ClassesPanel]:
        return self.studies, self.classes

    @property
    def _of_slices(self) -> tuple[SetsPanel, SetsPanel, MergePanel]:
        return self.lesions, self.images, self.merge

    def _with_studies(self, told: RunConfig) -> RunConfig:
        folder, labels = self.studies.folder_and_labels
        data = replace(told.data, folder=folder, labels=labels, prevalence=self.classes.prevalence)
        return replace(told, data=data, model=replace(told.model, negative_class=self.classes.negative_class))

    def _with_slices(self, told: RunConfig) -> RunConfig:
        model = replace(told.model, merge=self.merge.merge, negative_class=self.merge.negative_class)
        return replace(told, model=model, lesions=self.lesions.sets, images=self.images.sets)

    def _take(self, path: Path) -> None:
        """What was dropped on the page: studies, or a set of slices with lesions before one of slices with a class."""
        if not self._one_shot:
            self.studies.take(path)
        else:
            (self.images if self.lesions.sets and not self.lesions.problem else self.lesions).take(path)

    def _show_advanced(self) -> None:
        """What was unfolded lies below the edge: come to it, once it has its place."""
        if self.advanced.isVisible():
            self._area.ensureWidgetVisible(self.advanced)

    def _on_recipe_number(self) -> None:
        self.recipe.set_recipe(self.advanced.changed_recipe(self.recipe.recipe))
        self._follow()

    def _follow(self) -> None:
        """Parts that depend on each other: the classes decide about the head, the start about the recipe."""
        self._follow_task()
        base = self.model.chosen_base
        whole = base if base is not None and base.task == self.task.task else None  # else it lends its backbone alone
        negative = "" if whole is None else whole.negative_class
        if self._one_shot:
            self.merge.set_base(negative if self.model.start.currentData() == BASE else "")
            self.merge.set_found(self.lesions.outlined, self.images.classes)
            self.model.set_classes(self.merge.learned, self.merge.outlines)
        else:
            found = self.studies.classes
            self.classes.set_base(negative)
            self.classes.set_classes(found, self.studies.several)
            self.model.set_classes([one.name for one in found])
        self.recipe.set_start(str(self.model.start.currentData()))
        self.advanced.set_recipe(self.recipe.recipe)
        self.classes.set_calibrated(self.recipe.recipe.calibrate)
        self.version.set_base(whole)
        self.set_problem("")
        say(self._missing, self.missing)
        if self.ready != self._was_ready:
            self._was_ready = self.ready
            self.ready_changed.emit(self.ready)

    def _follow_task(self) -> None:
        """Panels of the kind of model that is chosen."""
        for panels, shown in ((self._of_studies, not self._one_shot), (self._of_slices, self._one_shot)):
            for panel in panels:
                panel.setVisible(shown)
        for follower in (self.model, self.recipe, self.advanced):
            follower.set_task(self.task.task)
