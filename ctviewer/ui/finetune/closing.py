"""Questions about runs: what becomes of one when the window closes, and which ones can go on."""

from __future__ import annotations

from enum import Enum

from PySide6.QtWidgets import QMessageBox, QWidget

from ctviewer.ui.finetune.services import UnfinishedRun

_HOW = {"paused": "was paused", "interrupted": "was interrupted", "failed": "ended with an error"}


class Answer(Enum):
    """What is to become of a run when the window closes."""

    PAUSE = "pause"  # then close
    CANCEL = "cancel"  # keep nothing, then close
    AT_ONCE = "at once"  # the process is ended; the last checkpoint stays
    GO_ON = "go on"  # the window stays open


def ask(parent: QWidget) -> Answer:
    """Ask what is to become of a run that goes on."""
    return _ask(
        parent,
        "A model is being trained",
        "A model is being trained. What is to become of it?\n"
        "A paused run keeps its checkpoint and is offered again at the next start.",
        (
            (Answer.PAUSE, "&Pause and close", QMessageBox.ButtonRole.AcceptRole),
            (Answer.CANCEL, "&Cancel the run, keep nothing", QMessageBox.ButtonRole.DestructiveRole),
            (Answer.GO_ON, "&Go back", QMessageBox.ButtonRole.RejectRole),
        ),
    )


def ask_again(parent: QWidget) -> Answer:
    """Ask once more while the run is being ended."""
    return _ask(
        parent,
        "Training is being ended",
        "The training is finishing its chunk of slices; the window closes by itself after that.\n"
        "Closed at once, it loses what it learned since its last checkpoint.",
        (
            (Answer.PAUSE, "&Wait", QMessageBox.ButtonRole.AcceptRole),
            (Answer.AT_ONCE, "&Close at once", QMessageBox.ButtonRole.DestructiveRole),
            (Answer.GO_ON, "&Keep the window open", QMessageBox.ButtonRole.RejectRole),
        ),
    )


def _ask(
    parent: QWidget, title: str, text: str, choices: tuple[tuple[Answer, str, QMessageBox.ButtonRole], ...]
) -> Answer:
    """A modal question; the first choice is the default, the last is what Esc means."""
    box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=parent)
    buttons = {answer: box.addButton(label, role) for answer, label, role in choices}
    box.setDefaultButton(buttons[choices[0][0]])
    box.setEscapeButton(buttons[choices[-1][0]])
    box.exec()
    chosen = box.clickedButton()
    return next((answer for answer, button in buttons.items() if button is chosen), Answer.GO_ON)


def unfinished_text(run: UnfinishedRun) -> str:
    """One sentence about a run that can go on."""
    return f"The training of {run.title or 'a model'} {_HOW[run.state]} {run.changed}."
