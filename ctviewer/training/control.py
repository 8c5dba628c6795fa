"""What the user wants of a run while it goes on. The engine asks before each optimizer step and between chunks of slices."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Wish(Enum):
    """Said by the window over the standard input of the training process, or by Ctrl+C."""

    GO_ON = "go on"
    PAUSE = "pause"  # write a checkpoint and end: `resume` goes on from there
    STOP = "stop"  # end training now and make the bundle from the best state so far
    CANCEL = "cancel"  # end and keep nothing


Control = Callable[[], Wish]


def never() -> Wish:
    """Nobody is there to ask."""
    return Wish.GO_ON
