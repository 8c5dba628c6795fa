"""From a spec to voxels: draw a patient, render slice by slice on a few threads, measure the lesions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.geometry import Geometry
from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.families import FAMILIES, draw_anatomy
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.lesions import Disease, Distractors
from ctviewer.datasets.phantom.lung import LungPainter
from ctviewer.datasets.phantom.organs import AIR, Body
from ctviewer.datasets.phantom.scanner import Scanner
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, smooth_step
from ctviewer.datasets.phantom.skeleton import Skeleton
from ctviewer.datasets.phantom.spec import CONSOLIDATION, GROUND_GLASS, Lesion, Phantom, PhantomSpec
from ctviewer.datasets.phantom.vessels import draw_trees

STAGE = "Making the sample study"
_BELOW, _ABOVE = 22.0, 20.0


@dataclass(frozen=True)
class _Patient:
    """A patient on a scanner, ready to be rendered."""

    spec: PhantomSpec
    chest: Chest
    warp: Warp
    body: Body
    skeleton: Skeleton
    lungs: LungPainter
    scanner: Scanner
    grid: SliceGrid
    heights: NDArray[np.float64]
    thickness: float


@dataclass(frozen=True)
class _Slice:
    """One rendered slice."""

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    midline: NDArray[np.float32]


def generate(spec: PhantomSpec, workers: int | None = None) -> Phantom:
    """Make one phantom; `workers` threads (by default as many as cores, four at most) give the same bytes as one."""
    *_, last = generate_events(spec, workers)
    return cast(Phantom, cast(Done, last).value)


def generate_events(spec: PhantomSpec, workers: int | None = None) -> Iterator[Event]:
    """Make one phantom, slice by slice.

    Yields:
        `Progress` after every slice, then `Done` with the `Phantom`.
    """
    yield Progress(STAGE, 0, spec.slices)
    patient = _draw(spec)
    slices: list[_Slice] = []
    pool = ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1), thread_name_prefix="phantom")
    try:
        for rendered in pool.map(lambda index: _render(patient, index), range(spec.slices)):
            slices.append(rendered)
            yield Progress(STAGE, len(slices), spec.slices)
    finally:
        pool.shutdown(cancel_futures=True)
    yield Done(_assemble(patient, slices))


def _draw(spec: PhantomSpec) -> _Patient:
    """Draw everything from independent streams, so that a change in one part leaves the others alone."""
    traits = FAMILIES[spec.family]
    family = ord(spec.family.value)
    streams = [np.random.default_rng([spec.seed, family, part]) for part in range(8)]
    ill = np.random.default_rng([spec.seed, family, 8, list(type(spec.variant)).index(spec.variant)])
    chest = Chest.draw(draw_anatomy(traits.anatomy, streams[0]), streams[0])
    warp = Warp.draw(streams[1], chest.a.warp)
    scanner = Scanner.draw(traits.scanner, streams[2])
    field = spec.field_of_view_mm or scanner.field_of_view
    spacing = spec.slice_spacing_mm or (chest.a.height + _BELOW + _ABOVE) / spec.slices
    covered = chest.a.height + _ABOVE - _BELOW  # twice the middle's height
    heights = covered / 2 + (np.arange(spec.slices) - (spec.slices - 1) / 2) * spacing
    pixel = field / spec.matrix
    axis = ((np.arange(spec.matrix) + 0.5) * pixel - field / 2).astype(np.float32)
    lungs = LungPainter(
        chest=chest, traits=traits, warp=warp, base=float(streams[6].uniform(*traits.parenchyma)),
        trees=draw_trees(chest, streams[3]), disease=Disease.draw(spec.variant, chest, traits, ill),
        distractors=Distractors.draw(chest, warp, streams[4]),
        fine=NoiseField(streams[6], 1.9), lobules=NoiseField(streams[6], 7.0), fissure=float(streams[6].uniform(0.35, 0.8)),
    ).placed()  # fmt: skip
    return _Patient(
        spec, chest, warp, Body.draw(chest, warp, spec.contrast, streams[5]), Skeleton.draw(chest, warp, streams[7]),
        lungs, scanner, SliceGrid(axis, axis + np.float32(12.0), pixel), heights, min(scanner.thickness, spacing),
    )  # fmt: skip


def _render(patient: _Patient, index: int) -> _Slice:
    """Compose one slice from the outside in, then scan it."""
    spec, chest, grid = patient.spec, patient.chest, patient.grid
    z = float(patient.heights[index])
    bent = patient.warp.grids(grid.x, grid.y, z)
    image: Array = np.full(grid.shape, AIR, np.float32)
    patient.scanner.paint_table(image, grid, chest.a.half_depth + 27 + 0.8 * chest.a.fat)
    patient.body.paint(image, bent, grid, z, patient.thickness)
    labels, owners = patient.lungs.paint(image, bent, grid, z, patient.thickness, patient.body.blood)
    patient.body.paint_trachea(image, grid, z, patient.thickness)
    grain = patient.body.marrow_field.plane(grid.x, grid.y, z)
    patient.skeleton.paint(image, chest, bent, grid, z, patient.thickness, grain)
    shoulders = float(smooth_step(z, 0.72 * chest.a.height, 0.98 * chest.a.height))
    rng = np.random.default_rng([spec.seed, ord(spec.family.value), 100, index])
    scanned = patient.scanner.degrade(image, grid, shoulders, rng)
    hu = np.rint(np.clip(scanned, -1024, 3071)).astype(np.int16)
    inner = bent[0] < 3.0
    midline = inner.sum(axis=1).astype(np.float32)
    return _Slice(hu, labels, owners, midline)


def _assemble(patient: _Patient, slices: list[_Slice]) -> Phantom:
    """Stack the slices and measure the lesions."""
    spec, grid = patient.spec, patient.grid
    labels = np.stack([s.labels for s in slices])
    owners = np.stack([s.owners for s in slices])
    origins = np.stack(
        [np.full(spec.slices, grid.x[0], np.float64), np.full(spec.slices, grid.y[0], np.float64), patient.heights],
        axis=1,
    )
    spacing = float(patient.heights[1] - patient.heights[0])
    geometry = Geometry(labels.shape, np.round(origins, 4), pixel_spacing=(grid.pixel, grid.pixel))
    voxel = grid.pixel**2 * spacing / 1000
    lesions = []
    for number, shape in enumerate(patient.lungs.disease.shapes, start=1):
        for label in (GROUND_GLASS, CONSOLIDATION):
            counts = ((owners == number) & (labels == label)).sum(axis=(1, 2))
            if counts.any():
                side = "right" if shape.side == SIDES[0] else "left"
                indices = tuple(int(i) for i in np.flatnonzero(counts))
                lesions.append(Lesion(number, label, side, indices, float(counts.sum() * voxel)))
    return Phantom(
        spec, np.stack([s.hu for s in slices]), labels, geometry, tuple(lesions),
        np.stack([s.midline for s in slices]), patient.thickness, patient.scanner.kernel,
    )  # fmt: skip
