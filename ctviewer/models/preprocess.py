"""From a volume to a net's input: one copy for training and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ctviewer.core.slices import HU
from ctviewer.core.volume import Volume
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.placement import Placement, Upright

_LEAST_STD = 1e-6  # of an image's grey: below it there is nothing to see


def study_order(volume: Volume) -> NDArray[np.intp]:
    """Volume indices of the usable slices, head to feet: those that could not be decoded are left out."""
    order = volume.geometry.display_order
    return order[~volume.failed[order]]


def net_input(volume: Volume, indices: Sequence[int] | NDArray[np.intp], preprocessing: Preprocessing) -> Tensor:
    """Prepare slices of an axial volume in Hounsfield units, for the study classifier as for the detector.

    Patient axes by flips and transposes, padding and what is below the floor clipped, window to 0..1, padded to a
    square, resized (bilinear, antialiased), cropped, mean and standard deviation.

    Args:
        volume: in HU; the slices named must be loaded.
        indices: volume indices, in the order wanted (`study_order` for a study).
        preprocessing: of the bundle.

    Returns:
        `[n, c, crop, crop]` float32; c is 1 or 3, as many as the bundle has means. A net takes 1 for three equal ones.
    """
    if len(indices) == 0:
        return torch.zeros((0, len(preprocessing.mean), preprocessing.crop, preprocessing.crop))
    placement, air = Placement.of(volume.geometry, preprocessing.size), air_grey(preprocessing)
    squares = [placement.square(windowed(_clean(volume, int(i), preprocessing), preprocessing), air) for i in indices]
    return finish(torch.from_numpy(np.stack(squares))[:, None], preprocessing)


def _clean(volume: Volume, index: int, p: Preprocessing) -> NDArray[np.float32]:
    """HU of one slice `[rows, columns]`, padding set to the floor."""
    hu = volume.hu(index)
    if volume.padding is not None:
        hu = np.where(volume.valid(index), hu, np.float32(p.floor_hu))
    return hu


def windowed(hu: NDArray[np.float32], p: Preprocessing) -> NDArray[np.float32]:
    """Map HU (any shape) to 0..1 through the bundle's window, the floor first."""
    low = np.float32(p.window_centre - p.window_width / 2)
    grey = np.maximum(hu, np.float32(p.floor_hu))
    grey -= low
    grey *= np.float32(1.0 / p.window_width)
    return np.clip(grey, 0.0, 1.0, out=grey)


def air_grey(p: Preprocessing) -> float:
    """Windowed grey of the floor: what padding looks like."""
    return float(windowed(np.array([p.floor_hu], np.float32), p)[0])


def outside_grey(unit: str, p: Preprocessing) -> float:
    """Grey of what lies outside a slice: air in a window, black in a picture whose window nobody knows.

    Args:
        unit: `core.slices.HU` or `GREY`.
        p: of the bundle.
    """
    return air_grey(p) if unit == HU else 0.0


def slice_input(pixels: NDArray[np.float32], unit: str, p: Preprocessing) -> Tensor:
    """Prepare upright slices of files, as `net_input` does those of a volume.

    Args:
        pixels: `[n, rows, columns]` upright: HU, or grey 0..1 of a picture, which has had a window already.
        unit: `core.slices.HU` or `GREY`.
        p: of the bundle.

    Returns:
        `[n, c, crop, crop]` float32.
    """
    count, rows, columns = pixels.shape
    if count == 0:
        return torch.zeros((0, len(p.mean), p.crop, p.crop))
    grey = windowed(pixels, p) if unit == HU else np.clip(pixels, 0.0, 1.0)
    placement = Placement(rows, columns, Upright(False, False, False), p.size)
    square = placement.square(np.asarray(grey, np.float32), outside_grey(unit, p))
    return finish(torch.from_numpy(np.ascontiguousarray(square))[:, None], p)


def finish(square: Tensor, p: Preprocessing) -> Tensor:
    """Resize, crop and normalise windowed squares.

    Args:
        square: `[n, 1, side, side]`, 0..1.
        p: of the bundle.

    Returns:
        `[n, c, crop, crop]`.
    """
    if square.shape[-1] != p.size:
        square = interpolate(square, size=(p.size, p.size), mode="bilinear", antialias=True, align_corners=False)
    edge = (p.size - p.crop) // 2
    return normalised(square[..., edge : edge + p.crop, edge : edge + p.crop], p)


def normalised(grey: Tensor, p: Preprocessing) -> Tensor:
    """Windowed grey `[n, 1, s, s]` by the bundle's mean and standard deviation: `[n, c, s, s]`, on the same device.

    Where the bundle says `per_image`, each image has its own mean 0 and unbiased standard deviation 1; one of hardly any
    contrast is zero throughout.
    """
    if p.per_image:
        centred = grey - grey.mean((1, 2, 3), keepdim=True)
        std = grey.std((1, 2, 3), keepdim=True)
        flat = std < _LEAST_STD
        return torch.where(flat, 0.0, centred / torch.where(flat, 1.0, std)).expand(-1, len(p.mean), -1, -1)
    mean = torch.tensor(p.mean, device=grey.device).view(1, -1, 1, 1)
    std = torch.tensor(p.std, device=grey.device).view(1, -1, 1, 1)
    return (grey - mean) / std
