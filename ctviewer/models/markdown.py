"""Pieces of Markdown out of text that anybody may have written: class names come from tables of labels."""

from __future__ import annotations

from collections.abc import Sequence

_ESCAPED = str.maketrans(
    {"\\": "\\\\", "|": "\\|", "<": "&lt;", "*": "\\*", "[": "\\[", "]": "\\]", "`": "'", "#": "\\#"}
)


def plain(text: object) -> str:
    """Text that shows as it is: on one line, without markup."""
    return " ".join(str(text).split()).translate(_ESCAPED)


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table of plain cells; those that are `Code` are shown as code."""
    lines = [[_cell(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


class Code(str):
    """Text of a cell that stands in a fixed-width font; letters, digits and dashes only."""

    __slots__ = ()


def _cell(value: object) -> str:
    return f"`{value}`" if isinstance(value, Code) else plain(value)
