"""The installed models: which is used for its task, and what is known of how each compares with its parent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import CtviewerError
from ctviewer.ui.services import ModelCard, Services

if TYPE_CHECKING:
    from ctviewer.ui.finetune.services import FinishedRun


class ModelsPresenter(QObject):
    """Activates and rolls back; the list is asked for anew each time, for training and other programs change it too.

    Signals:
        changed: another model is used for a task.
        failed: why something could not be done, one sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services

    def listing(self) -> tuple[tuple[ModelCard, ...], tuple[str, ...]]:
        """Installed models, and one sentence for each bundle that cannot be used."""
        return self._services.models()

    def before(self, task: str) -> str:
        """What rolling back would use; "" for nothing."""
        try:
            return self._services.model_before(task)
        except CtviewerError:  # told when it is tried
            return ""

    def result_for(self, key: str) -> FinishedRun | None:
        """What is known of a model; None where it cannot be read, which is told."""
        try:
            return self._services.model_result(key)
        except CtviewerError as error:
            self.failed.emit(str(error))
            return None

    def place_of(self, result: FinishedRun, study: str) -> Path | None:
        """Where a study of a run lies; None where it is gone, which is told."""
        if result.folder == Path():
            self.failed.emit("The run that made this version is not kept here, so that its studies are not known.")
            return None
        training = self._services.training
        try:
            return training.place_of(training.config_of(result.folder), study)
        except CtviewerError as error:
            self.failed.emit(str(error))
            return None

    def activate(self, key: str) -> None:
        """Use a model for its task."""
        try:
            self._services.activate_model(key)
        except CtviewerError as error:
            self.failed.emit(str(error))
        else:
            self.changed.emit()

    def roll_back(self, task: str) -> None:
        """Use the model again that was used for a task before."""
        try:
            self._services.roll_back_model(task)
        except CtviewerError as error:
            self.failed.emit(str(error))
        else:
            self.changed.emit()
