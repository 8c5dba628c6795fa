"""The slice viewport."""

from ctviewer.ui.viewport.editable_view import Brush, EditableView
from ctviewer.ui.viewport.gestures import Tool
from ctviewer.ui.viewport.overlay import OverlayShape
from ctviewer.ui.viewport.slice_text import HoverInfo
from ctviewer.ui.viewport.view import SliceView

__all__ = ["Brush", "EditableView", "HoverInfo", "OverlayShape", "SliceView", "Tool"]
