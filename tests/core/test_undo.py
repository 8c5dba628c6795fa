from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.undo import Command, UndoStack, change


class Note:
    def __init__(self) -> None:
        self.text = ""

    def edit(self, text: str, merge: str = "") -> Command:
        return change(f"edit {text!r}", lambda t: setattr(self, "text", t), self.text, text, merge)


def test_push_does_and_undo_redo_walk_the_history() -> None:
    note, stack = Note(), UndoStack()
    stack.push(note.edit("a"))
    stack.push(note.edit("b"))
    assert note.text == "b" and stack.undo_label == "edit 'b'" and stack.redo_label is None
    assert stack.undo() and note.text == "a" and stack.redo_label == "edit 'b'"
    assert stack.undo() and note.text == ""
    assert not stack.undo() and note.text == ""
    assert stack.redo() and stack.redo() and note.text == "b"
    assert not stack.redo()


def test_a_new_command_drops_what_was_undone() -> None:
    note, stack = Note(), UndoStack()
    stack.push(note.edit("a"))
    stack.undo()
    stack.push(note.edit("c"))
    assert not stack.redo()
    assert note.text == "c"


def test_typing_in_one_field_is_one_step() -> None:
    note, stack = Note(), UndoStack()
    for text in ("o", "op", "opacity"):
        stack.push(note.edit(text, "comment"))
    stack.undo()
    assert note.text == ""
    stack.redo()
    assert note.text == "opacity"


@pytest.mark.parametrize("between", ["seal", "other field", "undo"])
def test_merging_stops(between: str) -> None:
    note, stack = Note(), UndoStack()
    stack.push(note.edit("a", "comment"))
    if between == "seal":
        stack.seal()
    elif between == "undo":
        stack.push(note.edit("x"))
        stack.undo()
    else:
        stack.push(note.edit("a", "question"))
    stack.push(note.edit("ab", "comment"))
    stack.undo()
    assert note.text == "a"


def test_limit_forgets_the_oldest() -> None:
    note, stack = Note(), UndoStack(limit=2)
    for text in "abc":
        stack.push(note.edit(text))
    assert stack.undo() and stack.undo() and not stack.undo()
    assert note.text == "a"


def test_changed_is_told_of_every_change() -> None:
    calls: list[str | None] = []
    note = Note()
    stack = UndoStack(lambda: calls.append(stack.undo_label))
    stack.push(note.edit("a"))
    stack.undo()
    stack.undo()  # nothing to undo: nothing to tell
    stack.redo()
    stack.clear()
    assert calls == ["edit 'a'", None, "edit 'a'", None]


def test_a_command_that_fails_leaves_the_stack_as_it_was() -> None:
    note, stack = Note(), UndoStack()
    stack.push(note.edit("a"))

    def fail() -> None:
        raise OSError("disk")

    with pytest.raises(OSError):
        stack.push(Command("save", fail, fail))
    assert stack.undo_label == "edit 'a'"
    stack.push(Command("half", lambda: None, fail))
    with pytest.raises(OSError):
        stack.undo()
    assert stack.undo_label == "half" and stack.redo_label is None


def test_a_command_may_not_change_the_stack() -> None:
    stack = UndoStack()
    inner = Command("inner", lambda: None, lambda: None)
    with pytest.raises(RuntimeError):
        stack.push(Command("outer", lambda: stack.push(inner), lambda: None))
    assert stack.undo_label is None


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        UndoStack(limit=0)


@given(st.lists(st.sampled_from(["push", "undo", "redo"]), max_size=60))
def test_any_walk_agrees_with_a_list_of_states(steps: list[str]) -> None:
    note, stack = Note(), UndoStack()
    states, at = [""], 0
    for number, step in enumerate(steps):
        if step == "push":
            stack.push(note.edit(str(number)))
            states, at = [*states[: at + 1], str(number)], at + 1
        elif step == "undo":
            assert stack.undo() == (at > 0)
            at = max(0, at - 1)
        else:
            assert stack.redo() == (at < len(states) - 1)
            at = min(len(states) - 1, at + 1)
        assert note.text == states[at]
