"""Borders of binary masks, traced exactly along pixel edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Loop = NDArray[np.int32]


def trace(mask: NDArray[np.bool_], top: int = 0, left: int = 0) -> list[Loop]:
    """Closed border loops of a mask, holes included.

    Pixel `[row, column]` covers `[column, column + 1) x [row, row + 1)`. Pixels that touch only at a corner belong to
    separate pieces. Loops may touch at a corner but never cross; filled by the even-odd rule they give back the mask.

    Args:
        mask: `[rows, columns]` bool.
        top: row of the mask's first pixel in the slice.
        left: column of it.

    Returns:
        one `[corners, 2]` int32 array of (x, y) = (column, row) per loop, corners only, the first not repeated.
    """
    ys, xs, rising = _corners(mask)
    if len(ys) == 0:
        return []
    beside = _partners(xs, ys, np.arange(len(ys)))
    # At a rising diagonal the two corners in one vertex swap: the one going right also goes up.
    second = np.zeros(len(ys), bool)
    second[1:] = (ys[1:] == ys[:-1]) & (xs[1:] == xs[:-1])
    above = _partners(ys, xs, np.where(rising, 1 - second, second))
    points = np.stack([xs + left, ys + top], axis=1).astype(np.int32)
    return [points[loop] for loop in _walk(beside, above)]


def _corners(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Vertices where the border turns, by row then column; twice where two pixels touch at a corner.

    The third array says for such a double vertex whether the pixels lie on the rising diagonal (upper right, lower left).
    """
    p = np.pad(np.asarray(mask, bool), 1)
    a, b, c, d = p[:-1, :-1], p[:-1, 1:], p[1:, :-1], p[1:, 1:]  # upper left, upper right, lower left, lower right
    odd = a ^ b ^ c ^ d
    falling = a & d & ~b & ~c
    rising = b & c & ~a & ~d
    ys, xs = np.nonzero(odd | falling | rising)
    times = 1 + (falling | rising)[ys, xs]
    return np.repeat(ys, times), np.repeat(xs, times), np.repeat(rising[ys, xs], times)


def _partners(along: NDArray[np.intp], line: NDArray[np.intp], tie: NDArray[np.integer]) -> NDArray[np.intp]:
    """For each corner the other end of its border segment on its grid line: sorted along a line, corners pair up."""
    order = np.lexsort((tie, along, line))
    partners = np.empty(len(order), np.intp)
    partners[order[0::2]] = order[1::2]
    partners[order[1::2]] = order[0::2]
    return partners


def _walk(beside: NDArray[np.intp], above: NDArray[np.intp]) -> list[list[int]]:
    """Loops of corner numbers: a horizontal segment, a vertical one, and so on until it closes."""
    horizontal, vertical = beside.tolist(), above.tolist()
    seen = bytearray(len(horizontal))
    loops = []
    for start in range(len(horizontal)):
        if seen[start]:
            continue
        loop, at = [], start
        while not seen[at]:
            across = horizontal[at]
            seen[at] = seen[across] = 1
            loop += [at, across]
            at = vertical[across]
        loops.append(loop)
    return loops
