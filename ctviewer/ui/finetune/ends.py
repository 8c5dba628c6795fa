"""How a run ended, in words."""

from __future__ import annotations

from ctviewer.core.events import Event
from ctviewer.jobs.child import ChildEnd
from ctviewer.training.events import Paused, RunFailed, RunFinished
from ctviewer.ui.finetune.history import RunHistory
from ctviewer.ui.finetune.state import fold_text

NOTHING_KEPT = "Cancelled. Nothing of this run was kept."
BEFORE_LEARNING = "Ended before training began; nothing was kept."
BEFORE_LEARNING_KEPT = "Ended before training began; Resume begins it."
_OWN_WORDS = "ctviewer: "  # how the command line begins the sentence of an error


def finished_text(last: RunFinished) -> str:
    """What was made."""
    if last.stopped:
        return f"Stopped. The new model is {last.key} from the best state at that time."
    return f"Finished. The new model is {last.key}."


def paused_text(last: Paused, history: RunHistory, saved: str) -> str:
    """Where it goes on.

    Args:
        last: what the process said.
        history: of the run.
        saved: time of the checkpoint.
    """
    known = history.step or history.begun
    folds = history.begun.folds if history.begun is not None else 1
    of = f" of {known.steps}" if known is not None and known.steps else ""
    fold = fold_text(last.fold, folds)
    where = f", {fold[0].lower()}{fold[1:]}" if folds > 1 else ""
    return f"Paused at step {last.step}{of}{where}; checkpoint saved {saved}."


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


def resuming_text(saved: tuple[int, str] | None) -> str:
    """That it can go on, and from where.

    Args:
        saved: step and time of the last checkpoint that was told.
    """
    if saved is None:
        return "Resume goes on from the last checkpoint."
    return f"The last checkpoint is of step {saved[0]} ({saved[1]}); Resume goes on from there."
