"""How a run ended, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ctviewer.core.events import Event
from ctviewer.jobs.child import ChildEnd
from ctviewer.training.events import Paused, RunFailed, RunFinished
from ctviewer.ui.finetune.history import RunHistory
from ctviewer.ui.finetune.state import fold_text

NOTHING_KEPT = "Cancelled. Nothing of this run was kept."
BEFORE_LEARNING = "Ended before training began; nothing was kept."
BEFORE_LEARNING_KEPT = "Ended before training began; Resume begins it."
_OWN_WORDS = "ctviewer: "  # how the command line begins the sentence of an error


@dataclass(frozen=True)
class SavedState:
    """The last checkpoint of a run that was told.

    Attributes:
        fold, step: its place.
        time: when, in words; "" for one of an earlier process.
    """

    fold: int
    step: int
    time: str = ""


def finished_text(last: RunFinished) -> str:
    """What was made."""
    if last.stopped:
        return f"Stopped. The new model is {last.key} from the best state at that time."
    return f"Finished. The new model is {last.key}."


def paused_text(last: Paused, history: RunHistory, saved: SavedState | None) -> str:
    """Where it goes on.

    Args:
        last: what the process said.
        history: of the run.
        saved: its last checkpoint; None where none was told.
    """
    if not last.step and not last.fold:
        return "Paused before the first step; Resume begins the training."
    known = history.step or history.begun
    folds = history.begun.folds if history.begun is not None else 1
    of = f" of {known.steps}" if known is not None and known.steps else ""
    where = f", {_fold(last.fold, folds)}" if folds > 1 else ""
    when = f"; checkpoint saved {saved.time}" if saved is not None and saved.time else ""
    return f"Paused at step {last.step}{of}{where}{when}."


def failed_text(begin: str, end: ChildEnd, last: Event | None) -> str:
    """Why it ended: the sentence that the process itself had for it, else what its end tells.

    Args:
        begin: a sentence to go before the latter.
        end: of the process.
        last: its last event about the run's end, if any.
    """
    if isinstance(last, RunFailed):
        return last.text
    own = [line for line in end.tail.splitlines() if line.startswith(_OWN_WORDS)]
    return own[-1].removeprefix(_OWN_WORDS) if own and end.code is not None else f"{begin} {end.words}"


def resuming_text(saved: SavedState | None, history: RunHistory) -> str:
    """That it can go on, and from where.

    Args:
        saved: the last checkpoint that was told.
        history: of the run.
    """
    if saved is not None and saved.fold == history.fold:
        when = f" ({saved.time})" if saved.time else ""
        return f"The last checkpoint is of step {saved.step}{when}; Resume goes on from there."
    if not history.fold:
        return "No checkpoint was written yet; Resume begins the training anew."
    folds = history.begun.folds if history.begun is not None else 1
    return f"Resume begins {_fold(history.fold, folds)} anew; what was finished before it is kept."


def _fold(fold: int, folds: int) -> str:
    text = fold_text(fold, folds)
    return f"{text[0].lower()}{text[1:]}"
