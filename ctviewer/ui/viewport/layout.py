"""Where text goes in a viewport, as pure numbers: nothing may lie over something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


def flow(widths: Sequence[float], available: float, gap: float) -> list[list[int]]:
    """Break items into lines from left to right; an item wider than a line stands alone."""
    lines: list[list[int]] = []
    used = 0.0
    for number, width in enumerate(widths):
        if lines and used + gap + width <= available:
            lines[-1].append(number)
            used += gap + width
        else:
            lines.append([number])
            used = width
    return lines


def overlaps(a: Box, b: Box) -> bool:
    """Whether two boxes share any area."""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@dataclass
class Placer:
    """Finds free places for labels.

    Attributes:
        area: where labels may be.
        taken: boxes that are in use.
    """

    area: Box
    taken: list[Box] = field(default_factory=list)

    def place(self, around: Box, size: tuple[float, float], gap: float, avoid: Sequence[Box] = ()) -> Box | None:
        """A free box of `size` beside the corners of `around`, off the boxes to avoid if it can be; None without room."""
        left, top, width, height = around
        w, h = size
        right, bottom = left + width + gap, top + height
        places = ((right, top - h), (left - gap - w, top - h), (right, bottom), (left - gap - w, bottom))
        for others in (avoid, ()):
            for x, y in places:
                if not any(overlaps((x, y, w, h), other) for other in others) and self.take((x, y, w, h)):
                    return (x, y, w, h)
        return None

    def take(self, box: Box) -> Box | None:
        """This very box, if it is free; None where it is not."""
        if not self._inside(box) or any(overlaps(box, other) for other in self.taken):
            return None
        self.taken.append(box)
        return box

    def _inside(self, box: Box) -> bool:
        left, top, width, height = self.area
        return left <= box[0] and top <= box[1] and box[0] + box[2] <= left + width and box[1] + box[3] <= top + height
