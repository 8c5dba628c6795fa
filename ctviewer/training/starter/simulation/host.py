"""The chest that a simulated disease is put into: mm, sides, and how near the pleura, the back and the bases a pixel lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.core.errors import InputError
from ctviewer.training.starter.chests import INFECTION, LUNG, RECOVERED, Chest
from ctviewer.training.starter.scanner import thick

RIGHT, LEFT = -1, 1
SIDES = (RIGHT, LEFT)

_LUNGS_WIDTH = 265.0  # mm over both lungs where they are widest: chests carry no spacing
_LUNGS_HEIGHT = 230.0  # mm from apex to base
_THIN = 1.25  # mm between slices of recovered chests: those of COVID-19-CT-Seg are 1 to 1.5 mm apart
_PART = 2.5  # mm between slices of a scan that shows a part of the lungs
_ENDS = 0.35  # a first or last slice with less of the largest lung area than this is near apex or base
_RIM = -200.0  # HU: darker pixels at the edge of a lung's mask are lung as well

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Host:
    """A clean chest and its coordinates.

    Attributes:
        chest: without infection.
        pixel: mm, estimated from the width of the lungs.
        spacing: mm between slices.
        front_to_back: mm from the front of the lungs to their back.
        room: `[n, side, side]`, lungs and their rim, where disease may be put.
        side: `[n, side, side]` int8, `RIGHT`, `LEFT`, or 0 outside `room`.
        depth: `[n, side, side]` float32, mm below the chest wall; what borders the mediastinum lies deep.
        back: `[rows]` float32, 0 at the front of the lungs, 1 at their back.
        height: `[n]` float32, 0 at the apices, 1 at the bases.
    """

    chest: Chest
    pixel: float
    spacing: float
    front_to_back: float
    room: Mask
    side: NDArray[np.int8]
    depth: Floats
    back: Floats
    height: Floats

    def behind_fissure(self, box: tuple[slice, slice, slice]) -> Floats:
        """Mm by which voxels of a box lie in the lower lobe, about, `[n, rows, columns]`.

        The oblique fissure falls from the upper back to the lower front, and bulges forwards in the middle of a lung.
        """
        slices, rows, _ = box
        fissure = 1.02 - 0.95 * np.clip((self.height[slices] - 0.22) / 0.78, 0, 1) + 2.0 * (self.height[slices] < 0.22)
        bulge = np.minimum(self.depth[box], 40) / 40 * 0.12
        over = self.back[None, rows, None] + bulge - fissure[:, None, None]
        return np.asarray(over * self.front_to_back, np.float32)


def spacing_of(chest: Chest) -> float:
    """Mm between slices, where nobody knows it.

    Recovered chests are thin. Others with apices or bases in sight are taken to be whole, and those without to be thin parts.
    """
    if chest.kind == RECOVERED:
        return _THIN
    top, bottom = _ends((chest.labels >= LUNG).sum(axis=(1, 2)))
    return float(np.clip(_LUNGS_HEIGHT / max(len(chest.hu), 1), 0.6, 10.0)) if top or bottom else _PART


def pixel_of(lungs: Mask) -> float:
    """Mm of a pixel, by the width of the lungs `[n, rows, columns]` on the slice where they are widest."""
    edges = [np.flatnonzero(columns)[[0, -1]] for columns in np.any(lungs, axis=1) if columns.any()]
    return _LUNGS_WIDTH / max(float(last - first + 1) for first, last in edges)


def host_of(chest: Chest, spacing: float) -> Host:
    """Find one's way in a clean chest.

    Args:
        chest: with its lungs marked.
        spacing: mm between its slices.

    Raises:
        InputError: it shows infection, or no lungs.
    """
    if (chest.labels == INFECTION).any():
        raise InputError(f"The chest {chest.name} shows infection: disease is simulated in clean chests.")
    lungs = chest.labels == LUNG
    if not lungs.any():
        raise InputError(f"The chest {chest.name} shows no lungs.")
    room = lungs | (_wider(lungs) & (chest.hu < _RIM))
    pixel = pixel_of(chest.labels >= LUNG)
    rows = np.flatnonzero(lungs.any(axis=(0, 2)))
    deep = max(float(np.ptp(rows)), 1.0)
    back = (np.arange(lungs.shape[1]) - rows[0]) / deep
    return Host(
        chest=chest,
        pixel=pixel,
        spacing=spacing,
        front_to_back=deep * pixel,
        room=room,
        side=_sides(room),
        depth=np.stack([_below_wall(plane) for plane in room]) * np.float32(pixel),
        back=np.clip(back, 0, 1).astype(np.float32),
        height=_heights(lungs.sum(axis=(1, 2)), spacing),
    )


def resampled(chest: Chest, step: int, thickness: int, first: int = 0) -> Chest:
    """Every `step`-th slice from `first` on, each the mean of `thickness` slices: thicker ones, farther apart."""
    parts = [thick(chest.hu, chest.labels, index, thickness) for index in range(first, len(chest.hu), step)]
    return replace(chest, hu=np.stack([hu for hu, _ in parts]), labels=np.stack([labels for _, labels in parts]))


def _wider(lungs: Mask) -> Mask:
    return np.asarray(ndimage.binary_dilation(lungs, np.ones((1, 3, 3), bool), iterations=2))


def _sides(room: Mask) -> NDArray[np.int8]:
    """Right and left of the middle between the outer edges of both lungs: columns go to the patient's left."""
    middles = [np.flatnonzero(columns)[[0, -1]].mean() for columns in np.any(room, axis=1) if columns.any()]
    middle = np.median(np.array(middles))
    columns = np.where(np.arange(room.shape[2]) < middle, RIGHT, LEFT).astype(np.int8)
    return np.asarray(np.where(room, columns[None, None], np.int8(0)))


def _below_wall(room: Mask) -> Floats:
    """Pixels to the outside of both lungs together; what lies between them on a row counts as inside."""
    if not room.any():
        return np.zeros(room.shape, np.float32)
    filled = _between(room)
    return np.asarray(ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] * room, np.float32)


def _between(mask: Mask) -> Mask:
    """What lies between the first and the last pixel of each row."""
    forwards, backwards = np.maximum.accumulate(mask, axis=1), np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(forwards & backwards)


def _heights(areas: NDArray[np.intp], spacing: float) -> Floats:
    """Where each slice lies between apices and bases: by the ends that are seen, else about the middle."""
    n, (top, bottom) = len(areas), _ends(areas)
    step = spacing / _LUNGS_HEIGHT
    if (top and bottom) or (n - 1) * step > 1:
        return np.linspace(0, 1, n, dtype=np.float32)
    places = np.arange(n) * step
    first = 0.0 if top else 1 - places[-1] if bottom else 0.5 - places[-1] / 2
    return np.asarray(first + places, np.float32)


def _ends(areas: NDArray[np.intp]) -> tuple[bool, bool]:
    """Whether the first slice is near the apices, and the last near the bases, by the lungs' area on each."""
    most = areas.max(initial=0)
    return bool(areas[0] < _ENDS * most), bool(areas[-1] < _ENDS * most)
