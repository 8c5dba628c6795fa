"""Outlines of lesions in a host: how much of each voxel is ill, and how much of that is consolidated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ctviewer.training.starter.simulation.host import Floats, Host, Mask
from ctviewer.training.starter.simulation.library import Library, Outline
from ctviewer.training.starter.simulation.patterns import BAND, DRAWN, LOBAR, NODULES, Lesion

Box = tuple[slice, slice, slice]

_RAGGED = 0.28  # of the radius, one standard deviation of outlines
_SOFT = 2.5  # mm over which outlines fade
_RIND = (6.0, 16.0)  # mm, thickness of shells under the pleura
_BAND = 26.0  # mm: longer ones would go all around a lung
_LOBULE = 9.0  # mm between centrilobular nodules
_NODULE = (1.6, 3.6)  # mm, their radii


@dataclass(frozen=True, eq=False)
class Placed:
    """A lesion in a host.

    Attributes:
        lesion: what it is.
        box: part of the host `[n, rows, columns]`.
        share: of each voxel of the box that is ill, 0 to 1.
        core: of that, how much is consolidated, 0 to 1.
        donors: patients that its outline is of.
    """

    lesion: Lesion
    box: Box
    share: Floats
    core: Floats
    donors: frozenset[str]


def place(lesion: Lesion, host: Host, library: Library, rng: np.random.Generator) -> Placed | None:
    """Lay a lesion's outline into a host; None where the lung it belongs to is not seen."""
    centre = _centre(lesion, host, rng)
    if centre is None:
        return None
    if lesion.outline == DRAWN and library.outlines:
        outline = library.outlines[int(rng.integers(len(library.outlines)))]
        box, distance = _drawn(lesion, host, outline, centre, rng)
        donors = frozenset([outline.patient])
    else:
        box, distance = _grown(lesion, host, centre, rng)
        donors = frozenset()
    soft = np.float32(max(_SOFT, 0.7 * host.pixel))
    share = np.clip(0.5 - distance / soft, 0, 1)
    share *= host.side[box] == lesion.side
    if lesion.lower is not None:
        fissure = host.behind_fissure(box) + 4 * _clouds(distance.shape, host, 30.0, rng)
        share *= np.clip(0.5 + (fissure if lesion.lower else -fissure) / soft, 0, 1)
    depth_of_core = (1 - lesion.core) * -float(distance.min())
    core = np.clip(0.5 - (distance + depth_of_core) / (2 * soft), 0, 1) if lesion.core > 0 else np.zeros_like(share)
    return Placed(lesion, box, share.astype(np.float32), core.astype(np.float32), donors)


def _centre(lesion: Lesion, host: Host, rng: np.random.Generator) -> tuple[int, int, int] | None:
    """A voxel of the lung near the wanted place: a slice first, then a pixel of it."""
    there = host.side == lesion.side
    seen = there.sum(axis=(1, 2)) > 0.15 * there.sum(axis=(1, 2)).max(initial=0)
    if not seen.any():
        return None
    weights = seen * np.exp(-0.5 * ((host.height - lesion.height) / 0.06) ** 2) + 1e-9 * seen
    k = int(rng.choice(len(weights), p=weights / weights.sum()))
    rows, columns = np.nonzero(there[k])
    off = ((host.back[rows] - lesion.back) / 0.08) ** 2 + ((host.depth[k, rows, columns] - lesion.depth) / 4) ** 2
    chances = np.exp(-0.5 * (off - off.min()).astype(np.float64))
    i = int(rng.choice(len(rows), p=chances / chances.sum()))
    return k, int(rows[i]), int(columns[i])


def _grown(lesion: Lesion, host: Host, centre: tuple[int, int, int], rng: np.random.Generator) -> tuple[Box, Floats]:
    """Distance in mm to an outline that is made: below 0 inside."""
    flat = 0.62 if lesion.outline == BAND else 0.85
    radii = lesion.radius * np.array([rng.uniform(0.7, 1.3), rng.uniform(flat, 1.15), rng.uniform(flat, 1.15)])
    if lesion.outline == BAND:
        radii = min(lesion.radius, _BAND) * np.array([rng.uniform(0.8, 1.6), 1.7, 1.7])
    box, offsets = _around(host, centre, (2.1 if lesion.outline == LOBAR else 1.8) * radii)
    norm = np.sqrt(sum((o / r) ** 2 for o, r in zip(offsets, radii, strict=True)))
    norm = norm + _RAGGED * _clouds(norm.shape, host, 0.45 * lesion.radius, rng)
    distance = (norm - 1) * radii.min()
    if lesion.outline == BAND:
        rind = rng.uniform(*_RIND) * (1 + 0.3 * _clouds(norm.shape, host, 10.0, rng))
        distance = np.maximum(distance, host.depth[box] - rind)
    elif lesion.outline == LOBAR:  # it spreads to the pleura and stops there and at the fissure
        reach = host.depth[box] - rng.uniform(0.8, 1.6) * radii.min()
        distance = np.minimum(distance, np.maximum(distance - 0.3 * radii.min(), reach))
    elif lesion.outline == NODULES:
        distance = np.maximum(_nodules(norm.shape, host, rng), 0.3 * distance)
    return box, np.asarray(distance, np.float32)


def _around(host: Host, centre: tuple[int, int, int], reach: np.ndarray) -> tuple[Box, list[Floats]]:
    """The part of a host within `reach` mm (slices, rows, columns) of a voxel, and mm from it along each axis."""
    steps = np.array([host.spacing, host.pixel, host.pixel])
    ends = zip(centre, np.ceil(reach / steps).astype(int) + 1, host.room.shape, strict=True)
    bounds = [(max(0, c - r), min(n, c + r + 1)) for c, r, n in ends]
    offsets = []
    for axis, ((low, high), c, step) in enumerate(zip(bounds, centre, steps, strict=True)):
        along = ((np.arange(low, high) - c) * step).astype(np.float32)
        offsets.append(along.reshape([-1 if a == axis else 1 for a in range(3)]))
    box = (slice(*bounds[0]), slice(*bounds[1]), slice(*bounds[2]))
    return box, offsets


def _clouds(shape: tuple[int, ...], host: Host, grain: float, rng: np.random.Generator) -> Floats:
    """Smooth noise of mean 0 and standard deviation 1, `grain` mm coarse."""
    steps = np.maximum(grain / np.array([host.spacing, host.pixel, host.pixel]), 1.0)
    cells = [int(np.ceil(n / step)) + 3 for n, step in zip(shape, steps, strict=True)]
    coarse = rng.standard_normal(cells).astype(np.float32)
    zoom = [min(step, n) if n > 1 else 1 for n, step in zip(shape, steps, strict=True)]
    at = np.ix_(*(1 + np.arange(n) / z for n, z in zip(shape, zoom, strict=True)))
    points = np.broadcast_arrays(*at)
    return np.asarray(ndimage.map_coordinates(coarse, np.stack(points), order=1, mode="wrap"), np.float32) * 1.5


def _nodules(shape: tuple[int, ...], host: Host, rng: np.random.Generator) -> Floats:
    """Distance in mm to many small balls, about one to a lobule."""
    steps = np.array([host.spacing, host.pixel, host.pixel])
    size = np.array(shape) * steps
    count = max(3, round(float(np.prod(size / _LOBULE)) * 0.6))
    seeds = np.ones(shape, bool)
    places = np.clip((rng.random((count, 3)) * size / steps).astype(int), 0, np.array(shape) - 1)
    seeds[tuple(places.T)] = False
    away = ndimage.distance_transform_edt(seeds, sampling=steps)
    return np.asarray(away - rng.uniform(*_NODULE), np.float32)


def _drawn(
    lesion: Lesion, host: Host, outline: Outline, centre: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Box, Floats]:
    """Distance in mm to a radiologist's outline, mirrored into the other lung, turned a little and scaled to the lesion."""
    mask = outline.mask if outline.side == lesion.side else outline.mask[:, :, ::-1]
    mask = _turned(mask, float(rng.uniform(-25, 25)))
    volume = float(mask.sum()) * outline.pixel**2 * outline.spacing
    wanted = 4.19 * (0.8 * lesion.radius) ** 3
    scale = float(np.clip((wanted / max(volume, 1.0)) ** (1 / 3), 0.5, 1.8))
    zoom = scale * np.array([outline.spacing, outline.pixel, outline.pixel])
    zoom /= [host.spacing, host.pixel, host.pixel]
    size = np.maximum(np.ceil(np.array(mask.shape) * zoom), 1)
    padded = np.pad(mask, 3)
    steps = scale * np.array([outline.spacing, outline.pixel, outline.pixel])
    signed = ndimage.distance_transform_edt(~padded, sampling=steps) - ndimage.distance_transform_edt(
        padded, sampling=steps
    )
    box, _ = _around(host, centre, (size / 2 + 2) * [host.spacing, host.pixel, host.pixel])
    middle = (np.array(padded.shape) - 1) / 2
    at = np.ix_(
        *((np.arange(b.start, b.stop) - c) / z + m for b, c, z, m in zip(box, centre, zoom, middle, strict=True))
    )
    points = np.stack(np.broadcast_arrays(*at))
    distance = ndimage.map_coordinates(signed.astype(np.float32), points, order=1, mode="nearest")
    return box, np.asarray(distance, np.float32)


def _turned(mask: Mask, degrees: float) -> Mask:
    turned = ndimage.rotate(mask.astype(np.float32), degrees, axes=(1, 2), order=1)
    return np.asarray(turned > 0.5)
