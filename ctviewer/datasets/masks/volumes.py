"""Label maps in volume files (NIfTI, MetaImage): placed on a series by their affine, turned and reordered as need be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.planes import MisplacedError, PixelPlane, PlacedPlane, Stack
from ctviewer.core.series import Series
from ctviewer.core.volume import Volume
from ctviewer.core.words import counted
from ctviewer.datasets.masks.legend import Legend
from ctviewer.dicom import load_volume, scan

VOLUME_ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd")
_MOST = 0xFFFF


def read_volume_labels(path: Path, volume: Volume, legend: Legend) -> NDArray[np.uint8]:
    """The labels of a volume file on the voxels of a series.

    Args:
        path: the file.
        volume: of the series that it was drawn on.
        legend: what its values mean.

    Returns:
        `[slices, rows, columns]` by index of `legend.classes`.

    Raises:
        InputError: it cannot be read, does not lie on the voxels of the series, or holds a value without a class.
    """
    mask = load_volume(_series(path))
    labels, covered = np.zeros(volume.geometry.shape, np.uint8), np.zeros(volume.slice_count, bool)
    try:
        stack = Stack(volume.geometry)
        for index in range(mask.slice_count):
            values = legend.mapped(_whole(mask, index, path), str(path))
            try:
                placed = stack.place(_plane(mask, index))
            except MisplacedError:
                if values.any():
                    raise
                continue  # beyond the series
            first, last = _slices(placed, values.shape)
            covered[max(first, 0) : last + 1] = True
            for value in np.unique(values[values > 0]):
                labels[placed.voxels(values == value, volume.geometry.shape)] = value
        _require_gapless(covered)
    except MisplacedError as error:
        raise InputError(f"{path} cannot be used as a mask: {error}.") from error
    return labels


def _slices(placed: PlacedPlane, shape: tuple[int, ...]) -> tuple[int, int]:
    """The first and the last slice of the series that a plane of the mask touches."""
    start = int(placed.start[0])
    end = start + int(placed.down[0]) * (shape[0] - 1) + int(placed.along[0]) * (shape[1] - 1)
    return min(start, end), max(start, end)


def _require_gapless(covered: NDArray[np.bool_]) -> None:
    """A mask with thicker slices than the series says nothing of those between its own; they would count as unmarked.

    Raises:
        MisplacedError: it leaves some out.
    """
    found = np.flatnonzero(covered)
    left_out = int(found[-1] - found[0]) + 1 - len(found) if len(found) else 0
    if left_out:
        raise MisplacedError(f"of the series it leaves out {counted(left_out, 'slice')} between its own")


def _series(path: Path) -> Series:
    for event in scan(path):
        if isinstance(event, Done):
            found: tuple[Series, ...] = event.value.series
            if len(found) != 1:
                raise InputError(f"{path} holds {len(found)} volumes: which one is the mask cannot be told.")
            return found[0]
    raise AssertionError("a scan ends with its catalog or an error")


def _whole(mask: Volume, index: int, path: Path) -> NDArray[np.int64]:
    """The values of a slice as whole numbers."""
    if mask.failed[index]:
        raise InputError(f"{path} is damaged: not all of its slices can be read.")
    values = np.asarray(mask.stored[index] * mask.slope[index] + mask.intercept[index], np.float64)
    whole = np.rint(values)
    if np.abs(values - whole).max(initial=0) > 1e-6 or whole.min(initial=0) < 0 or whole.max(initial=0) > _MOST:
        raise InputError(f"{path} holds values that are no labels: they are not whole, negative or above {_MOST}.")
    return np.asarray(whole, np.int64)


def _plane(mask: Volume, index: int) -> PixelPlane:
    geometry = mask.geometry
    if geometry.origins is None or geometry.pixel_spacing is None:
        raise MisplacedError("it does not say where its voxels lie")
    x, y, z = (float(value) for value in geometry.origins[index])
    shape = geometry.shape[1], geometry.shape[2]
    return PixelPlane(shape, (x, y, z), geometry.row_cosines, geometry.column_cosines, geometry.pixel_spacing)
