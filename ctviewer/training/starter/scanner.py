"""Other scanners, other patients: slices in HU varied as vendors' kernels, dose, thickness, calibration and positions would.

What is known of a slice (its labels) stays known: only what moves pixels moves labels, and nothing here changes HU by as much as
ground glass does, but for the shade of the dependent lung, which is no finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from ctviewer.training.starter.chests import AIR_HU, LUNG


@dataclass(frozen=True)
class Scanner:
    """Ranges of the draws.

    Attributes:
        degrees: rotation to either side.
        zoom: factor of the field of view, low and high.
        shift: to either side, as a share of the side.
        mirrored: probability of left for right (situs is no finding), and of front for back.
        scale, offset: standard deviations of the factor on HU + 1000 and of what is added, in HU.
        inspiration: HU added to all of the lungs, low and high.
        dependent: HU by which the lowest part of the lungs is raised at most, and how often.
        blur: standard deviation in pixels, up to; sharp: factor of what a blur takes away, up to.
        noise: standard deviation in HU at 256 pixels a side, low and high, drawn evenly by its logarithm.
        coarse: probability of fewer pixels, down to half.
    """

    degrees: float = 15.0
    zoom: tuple[float, float] = (0.75, 1.3)
    shift: float = 0.06
    mirrored: tuple[float, float] = (0.5, 0.1)
    scale: float = 0.02
    offset: float = 10.0
    inspiration: tuple[float, float] = (-40.0, 60.0)
    dependent: tuple[float, float] = (110.0, 0.4)
    blur: float = 1.0
    sharp: float = 0.9
    noise: tuple[float, float] = (2.0, 60.0)
    coarse: float = 0.15


@dataclass(frozen=True, eq=False)
class Draw:
    """How a slice, or all slices of a study, are varied.

    Attributes:
        theta: `[2, 3]` of `affine_grid`.
        scale, offset, inspiration, dependent, blur, sharp, noise: see `Scanner`, drawn.
        grain: standard deviation in pixels of the noise's own blur.
        side: pixels a side in between; 0: as they are.
    """

    theta: NDArray[np.float32]
    scale: float
    offset: float
    inspiration: float
    dependent: float
    blur: float
    sharp: float
    noise: float
    grain: float
    side: int


def draw(scanner: Scanner, rng: np.random.Generator, size: int) -> Draw:
    """Draw a variation for slices of `size` pixels a side."""
    angle, zoom = np.deg2rad(rng.uniform(-scanner.degrees, scanner.degrees)), rng.uniform(*scanner.zoom)
    flip = [-1.0 if rng.random() < p else 1.0 for p in scanner.mirrored]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * zoom * np.array([flip])
    theta = np.concatenate([turn, rng.uniform(-2 * scanner.shift, 2 * scanner.shift, (2, 1))], axis=1)
    most, often = scanner.dependent
    soft = rng.random() < 0.5
    return Draw(
        theta.astype(np.float32),
        float(rng.normal(1.0, scanner.scale)),
        float(rng.normal(0.0, scanner.offset)),
        float(rng.uniform(*scanner.inspiration)),
        float(rng.uniform(0.2, 1.0) * most) if rng.random() < often else 0.0,
        float(rng.uniform(0.0, scanner.blur)) if soft else 0.0,
        0.0 if soft else float(rng.uniform(0.0, scanner.sharp)),
        float(np.exp(rng.uniform(*np.log(scanner.noise)))),
        float(rng.uniform(0.0, 0.9)),
        int(size * rng.uniform(0.5, 0.9)) if rng.random() < scanner.coarse else 0,
    )


def scanned(
    hu: NDArray[np.int16], labels: NDArray[np.uint8], drawn: Draw, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A slice as another scanner would have shown it.

    Args:
        hu: `[S, S]`.
        labels: `[S, S]`.
        drawn: of `draw`.
        rng: of the noise, which differs from slice to slice.

    Returns:
        HU `[S, S]` float32, and its labels in the same pose.
    """
    lung = labels >= LUNG
    values = AIR_HU + (hu.astype(np.float32) - AIR_HU) * drawn.scale + drawn.offset
    values += _shade(lung, drawn) * (values < -300)
    values = _sharpness(values, drawn)
    posed, moved = _posed(values, labels, drawn.theta)
    if drawn.side:
        posed = _coarse(posed, drawn.side)
    noise = rng.standard_normal(posed.shape, dtype=np.float32)
    if drawn.grain > 0.3:
        noise = ndimage.gaussian_filter(noise, drawn.grain)
        noise /= noise.std()
    return posed + drawn.noise * noise, moved


def _shade(lung: NDArray[np.bool_], drawn: Draw) -> NDArray[np.float32]:
    """What is added to the lungs: all of them alike, and the lowest quarter of each column's extent more and more."""
    added = ndimage.gaussian_filter(lung.astype(np.float32), 1.0) * np.float32(drawn.inspiration)
    rows = np.flatnonzero(lung.any(axis=1))
    if drawn.dependent > 0 and rows.size:
        depth = (np.arange(lung.shape[0]) - rows[0]) / max(1, rows[-1] - rows[0])
        ramp = np.clip((depth - 0.7) / 0.3, 0, 1) ** 2 * drawn.dependent
        added = added + ramp[:, None].astype(np.float32) * lung
    return np.asarray(added, np.float32)


def _sharpness(values: NDArray[np.float32], drawn: Draw) -> NDArray[np.float32]:
    if drawn.blur > 0.2:
        return np.asarray(ndimage.gaussian_filter(values, drawn.blur), np.float32)
    if drawn.sharp > 0:
        return np.asarray(values + drawn.sharp * (values - ndimage.gaussian_filter(values, 1.0)), np.float32)
    return values


def _posed(
    values: NDArray[np.float32], labels: NDArray[np.uint8], theta: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    grid = affine_grid(torch.from_numpy(theta)[None], [1, 1, *values.shape], align_corners=False)
    image, map_ = torch.from_numpy(values)[None, None] - AIR_HU, torch.from_numpy(labels)[None, None].float()
    posed = grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + AIR_HU
    moved = grid_sample(map_, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return posed[0, 0].numpy(), moved[0, 0].to(torch.uint8).numpy()


def _coarse(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    image: Tensor = torch.from_numpy(values)[None, None]
    small = interpolate(image, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return interpolate(small, size=values.shape, mode="bilinear", align_corners=False)[0, 0].numpy()


def thick(
    chest_hu: NDArray[np.int16], labels: NDArray[np.uint8], index: int, slices: int
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """The mean of neighbouring slices, as of a thicker one; a pixel has the label that most of them have there.

    Args:
        chest_hu: `[n, S, S]`.
        labels: `[n, S, S]`, values up to 2.
        index: of the middle one.
        slices: how many.
    """
    low = max(0, min(index - slices // 2, len(chest_hu) - slices))
    part = slice(low, low + slices)
    hu = np.asarray(chest_hu[part].mean(axis=0).round(), np.int16)
    votes = np.stack([(labels[part] == value).sum(axis=0) for value in range(3)])
    return hu, np.asarray(votes.argmax(axis=0), np.uint8)
