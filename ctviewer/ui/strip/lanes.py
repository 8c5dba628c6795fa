"""Where the parts of the strip are."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize

HEADER, FOOTER = 22, 18
RANKS, RULER = 16, 30
COLUMN = 12
_LOADED, _GAP = 3, 3
_APART = 9  # from the area to the classes: room for the area's title, and another model speaks there


def class_width(columns: int) -> int:
    """Pixels that the class lane takes with its gap; none without columns."""
    return columns * COLUMN + _APART if columns else 0


@dataclass(frozen=True)
class Lanes:
    """Where the lanes are, in logical pixels of the widget.

    Attributes:
        size: of the widget.
        columns: of the class lane, 0 without it. It lies right of the others and takes nothing from them.
    """

    size: QSize
    columns: int = 0

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
        free = max(12, self.size.width() - RANKS - _LOADED - RULER - 3 * _GAP - class_width(self.columns))
        return QRect(RANKS, self.top, free * 2 // 3, self.height)

    @property
    def area(self) -> QRect:
        """The lesion area lane."""
        score = self.score
        left = score.right() + 1 + _GAP
        right = self.loaded.left() - _GAP - class_width(self.columns)
        return QRect(left, self.top, max(4, right - left), self.height)

    @property
    def classes(self) -> QRect:
        """The class lane; without width where there is none."""
        width = self.columns * COLUMN
        return QRect(self.loaded.left() - _GAP - width, self.top, width, self.height)

    def column(self, number: int) -> QRect:
        """One column of the class lane, a hairline apart from the next."""
        return QRect(self.classes.left() + number * COLUMN, self.top, COLUMN - 1, self.height)

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
