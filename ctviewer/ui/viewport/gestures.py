"""Mouse drags in a viewport: what each button does with each tool, and what a drag changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QPointF, Qt

from ctviewer.core.windowing import Voi
from ctviewer.ui.viewport.transform import ViewTransform


class Tool(Enum):
    """What the left button does."""

    WINDOW = "window"
    PAN = "pan"
    ZOOM = "zoom"
    SCROLL = "scroll"


CURSORS = {
    Tool.WINDOW: Qt.CursorShape.ArrowCursor,
    Tool.PAN: Qt.CursorShape.OpenHandCursor,
    Tool.ZOOM: Qt.CursorShape.SizeVerCursor,
    Tool.SCROLL: Qt.CursorShape.SizeVerCursor,
}


@dataclass
class Drag:
    """A drag under way; all changes are reckoned from its start, so nothing drifts and Esc can take it back.

    Attributes:
        tool: what it does.
        button: which began it and ends it.
        start: view position of the press.
        window: at the start.
        transform: at the start.
        place: of the slice in display order, from 0, at the start.
        fits: whether the image was fitted at the start.
        moved: whether it has gone far enough to be no click.
    """

    tool: Tool
    button: Qt.MouseButton
    start: QPointF
    window: Voi
    transform: ViewTransform
    place: int
    fits: bool
    moved: bool = False


def tool_of_button(button: Qt.MouseButton, left: Tool) -> Tool | None:
    """The tool that a button drags with."""
    return {
        Qt.MouseButton.LeftButton: left,
        Qt.MouseButton.MiddleButton: Tool.PAN,
        Qt.MouseButton.RightButton: Tool.ZOOM,
    }.get(button)
