"""From outlines on single slices to lesions: merged where they overlap, joined over neighbouring slices, measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.anatomy import find_midline
from ctviewer.core.disjoint_sets import DisjointSets
from ctviewer.core.findings import Instance, Lesion, Lungs
from ctviewer.core.geometry import Geometry
from ctviewer.core.masks import overlap, union
from ctviewer.core.measure import Midline, measure
from ctviewer.core.volume import Volume

_WIDEST_BRIDGED_GAP = 2.2  # in median gaps: a lesion goes on over one missing slice, not over two


def find_lesions(volume: Volume, instances: Sequence[Instance], lungs: Lungs | None = None) -> tuple[Lesion, ...]:
    """Join instances over neighbouring slices and measure them, as `each_lesion` does, with the volume's own midline."""
    return tuple(each_lesion(volume, instances, find_midline(volume) if instances else None, lungs))


def each_lesion(
    volume: Volume, instances: Iterable[Instance], midline: Midline = None, lungs: Lungs | None = None
) -> Iterator[Lesion]:
    """Join instances over neighbouring slices, and measure one lesion at a time: many of them take a while.

    Args:
        volume: what the instances lie on.
        instances: lesions only (no lungs), in any order: the answer does not depend on it.
        midline: see `measure`.
        lungs: what their volume is a share of.

    Yields:
        Lesions by falling score, ties by place; ids count from 1 in that order.
    """
    groups = join_instances(merge_overlapping(instances), volume.geometry)
    ranked = sorted(groups, key=lambda group: (-max(i.score for i in group), _place(group[0])))
    for number, group in enumerate(ranked, start=1):
        yield measured_lesion(volume, number, group, midline, lungs)


def measured_lesion(
    volume: Volume, lesion_id: int, instances: Sequence[Instance], midline: Midline = None, lungs: Lungs | None = None
) -> Lesion:
    """One lesion of these instances, measured.

    Args:
        volume: what the instances lie on.
        lesion_id: its id.
        instances: of one label, one at least, none sharing pixels on a slice.
        midline: see `measure`.
        lungs: what its volume is a share of.
    """
    m = measure(volume, instances, midline, lungs)
    return Lesion(
        lesion_id=lesion_id,
        label=instances[0].label,
        score=max(i.score for i in instances),
        instances=tuple(sorted(instances, key=_place)),
        volume_ml=m.volume_ml,
        diameter_mm=m.diameter_mm,
        mean_hu=m.mean_hu,
        side=m.side,
        ground_glass=m.ground_glass,
        consolidation=m.consolidation,
        lung_share=m.lung_share,
    )


def merge_overlapping(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    """Merge instances of one label that share pixels on one slice: union of the masks, the highest score; by place."""
    ordered = sorted(instances, key=_place)
    sets = DisjointSets(range(len(ordered)))
    for members in _positions(ordered).values():
        for n, a in enumerate(members):
            for b in members[n + 1 :]:
                if ordered[a].label == ordered[b].label and overlap(ordered[a].mask, ordered[b].mask):
                    sets.join(a, b)
    merged = [_union([ordered[i] for i in group]) for group in sets.groups()]
    return tuple(sorted(merged, key=_place))


def join_instances(instances: Sequence[Instance], geometry: Geometry) -> tuple[tuple[Instance, ...], ...]:
    """Group instances of one label whose pixels overlap in-plane from one slice to the next.

    A hole in the series of more than one missing slice is not bridged.

    Returns:
        Groups by the place of their first instance, each by slice index.
    """
    ordered = sorted(instances, key=_place)
    by_slice = _positions(ordered)
    sets = DisjointSets(range(len(ordered)))
    for index, members in by_slice.items():
        if not _adjacent(geometry, index):
            continue
        for a in members:
            for b in by_slice.get(index + 1, ()):
                if ordered[a].label == ordered[b].label and overlap(ordered[a].mask, ordered[b].mask):
                    sets.join(a, b)
    return tuple(tuple(ordered[i] for i in group) for group in sets.groups())


def lesion_area(
    instances: Iterable[Instance], geometry: Geometry, looked_at: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], str]:
    """Area of all lesions on each slice; pixels under two of them count once.

    Args:
        instances: lesions only.
        geometry: of their volume.
        looked_at: `[slices]`, where the detector has been.

    Returns:
        `[slices]`, NaN where it has not been, and the unit: "mm2", or "px" without spacing.
    """
    spacing = geometry.pixel_spacing
    per_pixel = 1.0 if spacing is None else spacing[0] * spacing[1]
    areas = np.where(looked_at, 0.0, np.nan)
    by_slice: dict[int, list[Instance]] = {}
    for instance in instances:
        by_slice.setdefault(instance.slice_index, []).append(instance)
    for index, members in by_slice.items():
        areas[index] = union([i.mask for i in members]).area * per_pixel
    return areas, "px" if spacing is None else "mm2"


def _place(instance: Instance) -> tuple[int, int, int, str, float, bytes]:
    """A total order of instances, so that no answer depends on the order they come in."""
    mask = instance.mask
    return instance.slice_index, mask.top, mask.left, instance.label, -instance.score, mask.bits


def _positions(ordered: Sequence[Instance]) -> dict[int, list[int]]:
    """Positions in `ordered` of the instances of each slice."""
    out: dict[int, list[int]] = {}
    for position, instance in enumerate(ordered):
        out.setdefault(instance.slice_index, []).append(position)
    return out


def _union(instances: Sequence[Instance]) -> Instance:
    """One instance for several of one slice: the pixels of all, the highest score."""
    if len(instances) == 1:
        return instances[0]
    return replace(instances[0], score=max(i.score for i in instances), mask=union([i.mask for i in instances]))


def _adjacent(geometry: Geometry, index: int) -> bool:
    """Whether tissue on slice `index` can go on to the next one."""
    locations, step = geometry.locations, geometry.slice_spacing
    if index + 1 >= geometry.shape[0]:
        return False
    return (
        locations is None or step is None or bool(locations[index + 1] - locations[index] <= _WIDEST_BRIDGED_GAP * step)
    )
