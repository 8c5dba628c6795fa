"""Contrast-limited adaptive histogram equalisation (CLAHE) of 8-bit pictures, and undoing it.

Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994), as OpenCV's `createCLAHE` has it: equal
tiles, counts above the limit shared out evenly, the maps of the four nearest tiles interpolated bilinearly.

Data sets of pictures often have had it applied, and with it the Hounsfield scale is lost. The limit keeps every tile's map
strictly rising, so that with the tiles' histograms known each grey value could be looked up backwards. They are those of the
picture that is looked for: `undo` goes round until both agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 256


@dataclass(frozen=True)
class Clahe:
    """Settings, as OpenCV names them.

    Attributes:
        clip: limit of a tile's counts, in multiples of their mean.
        tiles: rows and columns of tiles; they must divide the picture's sides.
    """

    clip: float
    tiles: int = 8


def apply(picture: NDArray[np.uint8], clahe: Clahe) -> NDArray[np.uint8]:
    """Equalise a picture.

    Args:
        picture: `[rows, columns]`.
        clahe: settings.

    Returns:
        Same shape: OpenCV's result where the tiles divide the sides. Where a tile's sides are no powers of two, a value that
        lies midway between two may be rounded to the other.

    Raises:
        ValueError: they do not.
    """
    blend = _Blend.of(picture.shape, clahe.tiles)
    maps = _maps(picture, clahe)
    return np.asarray(np.rint(blend.at(maps, picture.astype(np.intp).ravel())).reshape(picture.shape), np.uint8)


def undo(picture: NDArray[np.uint8], clahe: Clahe, rounds: int = 60) -> NDArray[np.uint8]:
    """The picture that became this one by `apply`, as nearly as it can be told.

    Args:
        picture: `[rows, columns]`, equalised.
        clahe: the settings it had.
        rounds: of looking values up backwards by the histograms of the round before. On chests of 256 x 256 the mean error
            falls below 4 of 255 levels within 25.

    Returns:
        Same shape; a value that nothing in the tile's neighbourhood could have had is the nearest one.

    Raises:
        ValueError: the tiles do not divide the picture's sides.
    """
    blend, wanted = _Blend.of(picture.shape, clahe.tiles), picture.astype(np.float32).ravel()
    found = picture
    for _ in range(rounds):
        before = found
        found = _looked_up(blend, _maps(found, clahe), wanted).reshape(picture.shape)
        if np.array_equal(found, before):
            break
    return found


def _maps(picture: NDArray[np.uint8], clahe: Clahe) -> NDArray[np.float32]:
    """`[tiles * tiles, 256]`: what each tile makes of each grey value."""
    rows, columns = (side // clahe.tiles for side in picture.shape)
    area, count = rows * columns, clahe.tiles**2
    tiles = picture.reshape(clahe.tiles, rows, clahe.tiles, columns).transpose(0, 2, 1, 3).reshape(count, area)
    places = tiles.astype(np.intp) + np.arange(count)[:, None] * LEVELS
    counts = np.bincount(places.ravel(), minlength=count * LEVELS).reshape(count, LEVELS)
    limit = max(int(clahe.clip * area / LEVELS), 1)
    excess = np.maximum(counts - limit, 0).sum(axis=1)
    counts = np.minimum(counts, limit) + (excess // LEVELS)[:, None]
    for tile, left in enumerate(excess % LEVELS):  # what is left over goes to every so-manyth level
        counts[tile, : left * (step := LEVELS // max(int(left), 1)) : step] += 1
    return np.asarray(np.clip(np.rint(np.cumsum(counts, axis=1) * ((LEVELS - 1) / area)), 0, LEVELS - 1), np.float32)


@dataclass(frozen=True)
class _Blend:
    """Which four tiles map each pixel, and how much each counts.

    Attributes:
        tiles: `[4, pixels]`, beginnings of the tiles' maps in the flattened maps.
        weights: `[4, pixels]` float32.
    """

    tiles: NDArray[np.intp]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, shape: tuple[int, ...], tiles: int) -> _Blend:
        if any(side % tiles for side in shape):
            raise ValueError(f"{tiles} tiles a side do not divide a picture of {shape[0]} x {shape[1]} pixels")
        (top, bottom, down), (left, right, along) = (_between(side, tiles) for side in shape)
        corners = ((top, left, 1 - down, 1 - along), (top, right, 1 - down, along),
                   (bottom, left, down, 1 - along), (bottom, right, down, along))  # fmt: skip
        return cls(
            np.stack([((r[:, None] * tiles + c[None]) * LEVELS).ravel() for r, c, _, _ in corners]),
            np.stack([(v[:, None] * w[None]).ravel() for _, _, v, w in corners]).astype(np.float32),
        )

    def at(self, maps: NDArray[np.float32], levels: NDArray[np.intp]) -> NDArray[np.float32]:
        """What becomes of a level at each pixel `[pixels]`."""
        flat, out = maps.ravel(), np.zeros(levels.shape, np.float32)
        for begin, weight in zip(self.tiles, self.weights, strict=True):
            out += weight * flat[begin + levels]
        return out


def _between(side: int, tiles: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Along one axis: the tiles before and after each pixel, and how far it is towards the latter."""
    place = np.arange(side) / (side // tiles) - 0.5
    before = np.floor(place).astype(np.intp)
    return np.clip(before, 0, tiles - 1), np.clip(before + 1, 0, tiles - 1), place - before


def _looked_up(blend: _Blend, maps: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The level at each pixel whose map comes nearest to what is wanted, by bisection: maps never fall."""
    low, high = np.full(wanted.shape, -1, np.intp), np.full(wanted.shape, LEVELS - 1, np.intp)
    for _ in range(8):  # 2 ** 8 levels: `high` is the first that reaches it, or the last of all
        middle = (low + high + 1) // 2
        reached = blend.at(maps, np.minimum(middle, LEVELS - 1)) >= wanted
        high = np.where(reached, np.minimum(middle, high), high)
        low = np.where(reached, low, middle)
        high = np.maximum(high, np.minimum(low + 1, LEVELS - 1))
    below = np.maximum(high - 1, 0)
    nearer = np.abs(blend.at(maps, below) - wanted) <= np.abs(blend.at(maps, high) - wanted)
    return np.asarray(np.where(nearer, below, high), np.uint8)
