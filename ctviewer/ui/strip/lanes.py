"""Where the parts of the strip are."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize

HEADER, FOOTER = 22, 18
RANKS, RULER = 16, 30
_LOADED, _GAP = 3, 3


@dataclass(frozen=True)
class Lanes:
    """Where the lanes are, in logical pixels of the widget."""

    size: QSize

    @property
    def top(self) -> int:
        """First pixel row of the lanes."""
        return HEADER

    @property
    def height(self) -> int:
        """Pixel rows of the lanes, at least 1."""
        return max(1, self.size.height() - HEADER - FOOTER)

    @property
    def ranks(self) -> QRect:
        """Gutter of the rank marks."""
        return QRect(0, self.top, RANKS, self.height)

    @property
    def score(self) -> QRect:
        """The main lane; two thirds of what the fixed parts leave."""
        free = max(12, self.size.width() - RANKS - _LOADED - RULER - 3 * _GAP)
        return QRect(RANKS, self.top, free * 2 // 3, self.height)

    @property
    def area(self) -> QRect:
        """The lesion area lane."""
        score = self.score
        left = score.right() + 1 + _GAP
        return QRect(left, self.top, max(4, self.loaded.left() - _GAP - left), self.height)

    @property
    def loaded(self) -> QRect:
        """The lane that shows which slices are loaded."""
        return QRect(self.ruler.left() - _GAP - _LOADED, self.top, _LOADED, self.height)

    @property
    def ruler(self) -> QRect:
        """Gutter of the slice numbers."""
        return QRect(self.size.width() - RULER, self.top, RULER, self.height)

    @property
    def all(self) -> QRect:
        """Everything between header and footer."""
        return QRect(0, self.top, self.size.width(), self.height)
