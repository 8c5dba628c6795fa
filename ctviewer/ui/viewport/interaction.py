"""What a drag or a turn of the wheel means, as pure numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ctviewer.core.windowing import VoiFunction, Window

_PIXELS_PER_WIDTH = 256.0
_NOTCH = 120  # Qt's angle units of one wheel step
_WHEEL_ZOOM = 1.2
_PIXELS_PER_DOUBLING = 150.0


def drag_window(start: Window, dx: float, dy: float, least_step: float = 0.25) -> Window:
    """The window after a drag: right is wider, up is brighter; 256 pixels are as much as the width at the start.

    Args:
        start: the window when the button went down; its VOI function stays.
        dx: view pixels moved right since then.
        dy: view pixels moved down since then.
        least_step: units per pixel below which the step never falls, so that a very narrow window can be widened again.
    """
    step = max(start.width / _PIXELS_PER_WIDTH, least_step)
    least = 1.0 if start.function is VoiFunction.LINEAR else min(1.0, start.width)
    width = max(least, start.width + dx * step)
    centre = start.centre + dy * step  # a lower centre is brighter, and up is negative
    if step >= 0.25:  # whole units wherever they are finer than what one sees
        width, centre = float(round(width)), float(round(centre))
    return replace(start, centre=centre, width=max(least, width), name="")


def drag_zoom(start: float, dy: float) -> float:
    """The zoom after a drag by `dy` view pixels down: up is larger."""
    return start * math.pow(2.0, -dy / _PIXELS_PER_DOUBLING)


def wheel_zoom(angle: float) -> float:
    """Factor for a turn of the wheel, in Qt's angle units."""
    return math.pow(_WHEEL_ZOOM, angle / _NOTCH)


def drag_slices(dy: float, height: float, count: int) -> int:
    """Slices to move for a drag by `dy` view pixels down: the view's height is the whole series, within reason."""
    pixels = min(max(height / max(count, 1), 2.0), 12.0)
    return math.trunc(dy / pixels)


@dataclass
class WheelSteps:
    """Adds up the small turns of high-resolution wheels and trackpads until they make a step."""

    rest: float = 0.0

    def add(self, angle: float) -> int:
        """Whole slice steps for a turn in Qt's angle units; up (positive) is the previous slice (-1)."""
        if angle * self.rest < 0:
            self.rest = 0.0
        self.rest += angle
        notches = math.trunc(self.rest / _NOTCH)
        self.rest -= notches * _NOTCH
        return -notches

    def clear(self) -> None:
        """Forget a started step: a new gesture begins."""
        self.rest = 0.0
