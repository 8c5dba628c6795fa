"""Which kind of model is trained."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.ui.finetune.widgets import ChoiceList
from ctviewer.ui.panels.common import Panel

_TASKS = (
    (
        CLASSIFIER,
        "Study classifier",
        "Says which class a whole study shows. It learns from studies with a class.",
    ),
    (
        ONE_SHOT,
        "Lesions and slice class (one-shot model)",
        "Outlines lesions on a slice and says the class of the slice, in one pass. It learns from slices with outlined "
        "lesions, and from slices with a class.",
    ),
)


class TaskPanel(Panel):
    """The choice that all other panels follow.

    Signals:
        changed: another kind is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Kind of model", parent)
        self.choice = ChoiceList("Kind of model", _TASKS)
        self.choice.choose(CLASSIFIER)
        self.body.addWidget(self.choice)
        self.choice.chosen.connect(lambda _key: self.changed.emit())

    @property
    def task(self) -> str:
        """One of `models.metadata.TASKS`."""
        return self.choice.value

    def set_task(self, task: str) -> None:
        """Show what an earlier run was told."""
        self.choice.choose(task)
