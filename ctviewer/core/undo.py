"""One undo stack for all that the reader does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

State = TypeVar("State")
LIMIT = 500


@dataclass(frozen=True)
class Command:
    """Something that can be done and undone.

    Attributes:
        label: what the menu says after "Undo" ("reject lesion 3").
        do: does it, for the first time and again.
        undo: takes it back.
        merge: consecutive commands with the same non-empty text become one (typing in one text field).
    """

    label: str
    do: Callable[[], None]
    undo: Callable[[], None]
    merge: str = ""


def change(label: str, apply: Callable[[State], None], before: State, after: State, merge: str = "") -> Command:
    """A command that sets a state: `apply(after)` does it, `apply(before)` takes it back."""
    return Command(label, lambda: apply(after), lambda: apply(before), merge)


def _ignore() -> None:
    return None


class UndoStack:
    """What was done, and what was taken back. Belongs to one thread.

    A command that raises leaves the stack as it was.

    Args:
        changed: called after each change of what can be undone or done again.
        limit: commands kept; the oldest go first.
    """

    def __init__(self, changed: Callable[[], None] = _ignore, limit: int = LIMIT) -> None:
        if limit < 1:
            raise ValueError("an undo stack keeps at least one command")
        self._changed = changed
        self._limit = limit
        self._done: list[Command] = []
        self._undone: list[Command] = []
        self._open = False  # whether the next command may merge into the last
        self._running = False

    @property
    def undo_label(self) -> str | None:
        """What `undo` would take back; None where there is nothing."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` would do again; None where there is nothing."""
        return self._undone[-1].label if self._undone else None

    def push(self, command: Command) -> None:
        """Do a command and keep it; what was taken back before can no longer be done again."""
        self._run(command.do)
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if last is not None and self._open and command.merge and command.merge == last.merge:
            self._done[-1] = Command(command.label, command.do, last.undo, command.merge)
        else:
            self._done.append(command)
            del self._done[: -self._limit]
        self._open = True
        self._changed()

    def seal(self) -> None:
        """Merge nothing into the last command any more (the text field lost the focus)."""
        self._open = False

    def undo(self) -> bool:
        """Take back the last command; False where there is none."""
        return self._move(self._done, self._undone, lambda command: command.undo)

    def redo(self) -> bool:
        """Do again what was taken back last; False where there is none."""
        return self._move(self._undone, self._done, lambda command: command.do)

    def clear(self) -> None:
        """Forget everything (another series was opened)."""
        self._done.clear()
        self._undone.clear()
        self._open = False
        self._changed()

    def _move(self, source: list[Command], target: list[Command], act: Callable[[Command], Callable[[], None]]) -> bool:
        if not source:
            return False
        self._run(act(source[-1]))
        target.append(source.pop())
        self._open = False
        self._changed()
        return True

    def _run(self, act: Callable[[], None]) -> None:
        """Run a command's action; one that starts another on the same stack is a mistake in the program."""
        if self._running:
            raise RuntimeError("a command changed the undo stack while it ran")
        self._running = True
        try:
            act()
        finally:
            self._running = False
