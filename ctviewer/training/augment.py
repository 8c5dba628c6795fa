"""Augmentation: one draw of pose and intensity, used for all slices of a study, or slice by slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

_NOISE_MARGIN = 64  # pixels over which windows of one noise field are spread: 4,225 places for the slices of a study


@dataclass(frozen=True)
class Pose:
    """Ranges of the draws. There are no flips: they make no valid patient.

    Attributes:
        degrees: rotation to either side.
        zoom: factor of the field of view, low and high.
        shift: to either side, as a share of the image's side.
        grey_shift: added to the windowed grey, to either side.
        grey_gain: contrast about middle grey, low and high.
        noise: standard deviation of added noise, from 0.
        blur: probability of a 3x3 mean.
    """

    degrees: float = 10.0
    zoom: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.06
    grey_shift: float = 0.03
    grey_gain: tuple[float, float] = (0.9, 1.1)
    noise: float = 0.03
    blur: float = 0.3


def draw_grid(pose: Pose, rng: np.random.Generator, n: int, size: int, crop: int) -> Tensor:
    """Sampling grids `[n, crop, crop, 2]` for squares of `size`: rotation, zoom and shift about a centre crop."""
    angle = np.deg2rad(rng.uniform(-pose.degrees, pose.degrees, n))
    zoom = rng.uniform(*pose.zoom, n) * crop / size
    shift = rng.uniform(-pose.shift, pose.shift, (n, 2)) * 2.0
    theta = np.zeros((n, 2, 3))
    theta[:, 0, 0], theta[:, 0, 1] = zoom * np.cos(angle), -zoom * np.sin(angle)
    theta[:, 1, 0], theta[:, 1, 1] = zoom * np.sin(angle), zoom * np.cos(angle)
    theta[:, :, 2] = shift
    return affine_grid(torch.from_numpy(theta).float(), [n, 1, crop, crop], align_corners=False)


def sample_grey(grey: Tensor, grid: Tensor, air: float) -> Tensor:
    """`[n, 1, size, size]` sampled bilinearly; what lies outside has the grey of `air`."""
    return grid_sample(grey - air, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + air


def sample_labels(labels: Tensor, grid: Tensor) -> Tensor:
    """Label maps `[n, size, size]` uint8 sampled by the nearest pixel."""
    sampled = grid_sample(labels[:, None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return sampled[:, 0].to(torch.uint8)


def sample_numbers(numbers: Tensor, grid: Tensor) -> Tensor:
    """Numbered maps `[k, size, size]` int32 (under 2**24) sampled by the nearest pixel, all alike by a grid `[1, ...]`."""
    sampled = grid_sample(numbers[None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return sampled[0].to(torch.int32)


def vary_grey(grey: Tensor, pose: Pose, rng: np.random.Generator, *, together: bool) -> Tensor:
    """Change contrast, brightness, sharpness and noise of windowed slices.

    Args:
        grey: `[n, 1, s, s]`, 0..1.
        pose: ranges.
        rng: of the draws.
        together: one draw for all slices (the noise itself still differs).

    Returns:
        Same shape, clipped to 0..1.
    """
    n = 1 if together else grey.shape[0]
    gain = torch.from_numpy(rng.uniform(*pose.grey_gain, (n, 1, 1, 1))).float()
    offset = torch.from_numpy(rng.uniform(-pose.grey_shift, pose.grey_shift, (n, 1, 1, 1))).float()
    level = torch.from_numpy(rng.uniform(0.0, pose.noise, (n, 1, 1, 1))).float()
    noise = torch.from_numpy(rng.standard_normal(grey.shape, dtype=np.float32))
    soft = torch.from_numpy(rng.random((n, 1, 1, 1)) < pose.blur)
    grey = torch.where(soft, _soft(grey), grey)
    return ((grey - 0.5) * gain + 0.5 + offset + level * noise).clamp_(0.0, 1.0)


def _soft(grey: Tensor) -> Tensor:
    return avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)


@dataclass(frozen=True, eq=False)
class StudyDraw:
    """One draw for all slices of a study, which may then be made in any parts, in any order, as often as wanted.

    Attributes:
        grid: `[1, crop, crop, 2]`, where each slice is sampled.
        gain, offset, level: of contrast, of brightness, and of the noise.
        soft: whether slices are blurred.
        noise: `[crop + m, crop + m]` normal; each slice has a window of it, so that it costs nothing to make again.
        corners: `[slices, 2]` of these windows.
    """

    grid: Tensor
    gain: float
    offset: float
    level: float
    soft: bool
    noise: Tensor
    corners: NDArray[np.intp]

    def apply(self, grey: Tensor, indices: NDArray[np.intp], air: float) -> Tensor:
        """Pose and grey of some slices.

        Args:
            grey: `[n, 1, size, size]`, 0..1, on any device.
            indices: `[n]` of these slices in the study.
            air: windowed grey of what lies outside.

        Returns:
            `[n, 1, crop, crop]`, 0..1.
        """
        posed = sample_grey(grey, self.grid.to(grey.device).expand(len(grey), -1, -1, -1), air)
        if self.soft:
            posed = _soft(posed)
        if self.gain == 1.0 and self.offset == 0.0 and self.level == 0.0:
            return posed
        varied = (posed - 0.5) * self.gain + (0.5 + self.offset)
        if self.level > 0.0:
            noise, side = self.noise.to(grey.device), posed.shape[-1]
            windows = [noise[r : r + side, c : c + side] for r, c in self.corners[indices]]
            varied += self.level * torch.stack(windows)[:, None]
        return varied.clamp_(0.0, 1.0)


def draw_study(pose: Pose, rng: np.random.Generator, slices: int, size: int, crop: int) -> StudyDraw:
    """Draw pose and grey of a study.

    Args:
        pose: ranges of the draw.
        rng: of `sampling.draw_generator`.
        slices: of the whole study.
        size: side of the square that is sampled.
        crop: side of what comes out.
    """
    grid = draw_grid(pose, rng, 1, size, crop)
    gain, offset = float(rng.uniform(*pose.grey_gain)), float(rng.uniform(-pose.grey_shift, pose.grey_shift))
    level, soft = float(rng.uniform(0.0, pose.noise)), bool(rng.random() < pose.blur)
    side = crop + _NOISE_MARGIN if level > 0.0 else 0
    noise = torch.from_numpy(rng.standard_normal((side, side), dtype=np.float32))
    corners = rng.integers(0, _NOISE_MARGIN + 1, (slices, 2)).astype(np.intp)
    return StudyDraw(grid, gain, offset, level, soft, noise, corners)
