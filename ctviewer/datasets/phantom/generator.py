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
from ctviewer.datasets.phantom.chest import MIDLINE, Chest
from ctviewer.datasets.phantom.distractors import Distractors
from ctviewer.datasets.phantom.families import FAMILIES, draw_anatomy
from ctviewer.datasets.phantom.fields import NoiseField, Warp
from ctviewer.datasets.phantom.lesions import Disease
from ctviewer.datasets.phantom.lung import LungPainter, Truth
from ctviewer.datasets.phantom.organs import AIR, Body
from ctviewer.datasets.phantom.scanner import Scanner
from ctviewer.datasets.phantom.shapes import Array, SliceGrid, View, smooth_step
from ctviewer.datasets.phantom.skeleton import Skeleton
from ctviewer.datasets.phantom.spec import CONSOLIDATION, GROUND_GLASS, Lesion, Phantom, PhantomSpec, Variant
from ctviewer.datasets.phantom.vessels import draw_trees

STAGE = "Making the sample study"
_BELOW, _ABOVE = 22.0, 20.0  # mm scanned beyond the lungs
_CENTRE = 12.0  # mm by which the field of view lies behind the chest's middle: it holds the couch


@dataclass(frozen=True)
class _Patient:
    """A patient on a scanner, ready to be rendered.

    Attributes:
        heights: `[slices]` z in mm, ascending.
        thickness: of a slice, mm.
        (others: see their classes)
    """

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
    truth: Truth
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
    """Draw everything from independent streams: the variants of one seed are one patient, ill in different ways."""
    traits, family = FAMILIES[spec.family], ord(spec.family.value)
    streams = [np.random.default_rng([spec.seed, family, part]) for part in range(8)]
    illness = np.random.default_rng([spec.seed, family, 8, list(Variant).index(spec.variant)])
    chest = Chest.draw(draw_anatomy(traits.anatomy, streams[0]), streams[0])
    warp = Warp.draw(streams[1], chest.a.warp)
    scanner = Scanner.draw(traits.scanner, streams[2])
    heights = _heights(spec, chest)
    lungs = LungPainter(
        chest=chest,
        trees=draw_trees(chest, streams[3]).bent(warp),
        disease=Disease.draw(spec.variant, chest, traits, illness),
        distractors=Distractors.draw(chest, warp, streams[4]),
        base=float(streams[6].uniform(*traits.parenchyma)),
        fine=NoiseField(streams[6], 1.9),
        lobules=NoiseField(streams[6], 7.0),
        fissure=float(streams[6].uniform(0.35, 0.8)),
    )
    return _Patient(
        spec=spec,
        chest=chest,
        warp=warp,
        body=Body.draw(chest, warp, spec.contrast, streams[5]),
        skeleton=Skeleton.draw(chest, warp, streams[7]),
        lungs=lungs,
        scanner=scanner,
        grid=_grid(spec, scanner),
        heights=heights,
        thickness=min(scanner.thickness, float(heights[1] - heights[0])),
    )


def _heights(spec: PhantomSpec, chest: Chest) -> NDArray[np.float64]:
    """Heights of the slices, around the middle of the lungs; by default they cover the lungs and a little more."""
    spacing = spec.slice_spacing_mm or (chest.a.height + _BELOW + _ABOVE) / spec.slices
    middle = (chest.a.height + _ABOVE - _BELOW) / 2
    return middle + (np.arange(spec.slices, dtype=np.float64) - (spec.slices - 1) / 2) * spacing


def _grid(spec: PhantomSpec, scanner: Scanner) -> SliceGrid:
    field = spec.field_of_view_mm or scanner.field_of_view
    pixel = field / spec.matrix
    axis = ((np.arange(spec.matrix) + 0.5) * pixel - field / 2).astype(np.float32)
    return SliceGrid(axis, axis + np.float32(_CENTRE), pixel)


def _render(patient: _Patient, index: int) -> _Slice:
    """Compose one slice from the outside in, then scan it."""
    spec, chest, grid = patient.spec, patient.chest, patient.grid
    view = View.of(grid, patient.warp, float(patient.heights[index]), patient.thickness)
    image: Array = np.full(grid.shape, AIR, np.float32)
    patient.scanner.paint_table(image, grid, patient.body.back)
    patient.body.paint(image, view)
    truth = patient.lungs.paint(image, view, patient.body.blood)
    patient.body.paint_trachea(image, view)
    patient.skeleton.paint(image, view)
    shoulders = float(smooth_step(view.z, 0.72 * chest.a.height, 0.98 * chest.a.height))
    rng = np.random.default_rng([spec.seed, ord(spec.family.value), 100, index])
    scanned = patient.scanner.degrade(image, grid, shoulders, rng)
    hu = np.rint(np.clip(scanned, -1024, 3071)).astype(np.int16)
    return _Slice(hu, truth, (view.x < MIDLINE).sum(axis=1).astype(np.float32))


def _assemble(patient: _Patient, slices: list[_Slice]) -> Phantom:
    """Stack the slices and measure the lesions."""
    spec, grid = patient.spec, patient.grid
    labels = np.stack([s.truth.labels for s in slices])
    owners = np.stack([s.truth.owners for s in slices])
    corner = np.tile([float(grid.x[0]), float(grid.y[0])], (spec.slices, 1))
    origins = np.round(np.column_stack([corner, patient.heights]), 4)
    geometry = Geometry((spec.slices, spec.matrix, spec.matrix), origins, pixel_spacing=(grid.pixel, grid.pixel))
    return Phantom(
        spec=spec,
        hu=np.stack([s.hu for s in slices]),
        labels=labels,
        geometry=geometry,
        lesions=_lesions(patient, labels, owners),
        midline=np.stack([s.midline for s in slices]),
        thickness_mm=patient.thickness,
        kernel=patient.scanner.kernel,
    )


def _lesions(patient: _Patient, labels: NDArray[np.uint8], owners: NDArray[np.uint8]) -> tuple[Lesion, ...]:
    voxel_ml = patient.grid.pixel**2 * float(patient.heights[1] - patient.heights[0]) / 1000
    found = []
    for number, shape in enumerate(patient.lungs.disease.shapes, start=1):
        for label in (GROUND_GLASS, CONSOLIDATION):
            counts = ((owners == number) & (labels == label)).sum(axis=(1, 2))
            if counts.any():
                indices = tuple(int(i) for i in np.flatnonzero(counts))
                side = "right" if shape.side < 0 else "left"
                found.append(Lesion(number, label, side, indices, float(counts.sum() * voxel_ml)))
    return tuple(found)
