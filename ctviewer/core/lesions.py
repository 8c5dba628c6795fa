"""From outlines on single slices to lesions: merged where they overlap, joined over neighbouring slices, measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.anatomy import look_at_chest
from ctviewer.core.findings import Instance, Lesion
from ctviewer.core.geometry import Geometry
from ctviewer.core.masks import BoxMask
from ctviewer.core.measure import measure
from ctviewer.core.volume import Volume

_WIDEST_BRIDGED_GAP = 2.2  # in median gaps: a lesion goes on over one missing slice, not over two


def find_lesions(volume: Volume, instances: Iterable[Instance]) -> tuple[Lesion, ...]:
    """Join instances over neighbouring slices and measure them, as `each_lesion` does."""
    return tuple(each_lesion(volume, instances))


def each_lesion(volume: Volume, instances: Iterable[Instance]) -> Iterator[Lesion]:
    """Join instances over neighbouring slices, and measure one lesion at a time: many of them take a while.

    Args:
        volume: what the instances lie on.
        instances: lesions only (no lungs), in any order: the answer does not depend on it.

    Yields:
        Lesions by falling score, ties by place; ids count from 1 in that order.
    """
    groups = join_instances(merge_overlapping(instances), volume.geometry)
    midline = look_at_chest(volume).midline if groups and volume.unit == "HU" else None
    ranked = sorted(groups, key=lambda group: (-max(i.score for i in group), _place(group[0])))
    for number, group in enumerate(ranked, start=1):
        yield _lesion(volume, number, group, midline)


def merge_overlapping(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    """Merge instances of one label that share pixels on one slice: union of the masks, the highest score; by place."""
    ordered = sorted(instances, key=_place)
    masks = [i.mask.array() for i in ordered]
    sets = _DisjointSets(len(ordered))
    for members in _positions(ordered).values():
        for n, a in enumerate(members):
            for b in members[n + 1 :]:
                if ordered[a].label == ordered[b].label and _overlap(ordered, masks, a, b):
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
    masks = [i.mask.array() for i in ordered]
    by_slice = _positions(ordered)
    sets = _DisjointSets(len(ordered))
    for index, members in by_slice.items():
        if not _adjacent(geometry, index):
            continue
        for a in members:
            for b in by_slice.get(index + 1, ()):
                if ordered[a].label == ordered[b].label and _overlap(ordered, masks, a, b):
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
        areas[index] = _union(members).mask.area * per_pixel
    return areas, "px" if spacing is None else "mm2"


def _lesion(volume: Volume, number: int, group: tuple[Instance, ...], midline: tuple[float, float] | None) -> Lesion:
    m = measure(volume, group, midline)
    score = max(i.score for i in group)
    return Lesion(number, group[0].label, score, group, m.volume_ml, m.diameter_mm, m.mean_hu, m.side)


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


class _DisjointSets:
    """Union-find over positions 0..n-1."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, a: int, b: int) -> None:
        a, b = sorted((self._root(a), self._root(b)))
        self._parent[b] = a

    def groups(self) -> list[list[int]]:
        """Groups by their smallest member, members ascending."""
        out: dict[int, list[int]] = {}
        for i in range(len(self._parent)):
            out.setdefault(self._root(i), []).append(i)
        return list(out.values())


def _overlap(instances: Sequence[Instance], masks: Sequence[NDArray[np.bool_]], a: int, b: int) -> bool:
    """Whether two instances share a pixel in-plane."""
    p, q = instances[a].mask, instances[b].mask
    top, bottom = max(p.top, q.top), min(p.top + p.height, q.top + q.height)
    left, right = max(p.left, q.left), min(p.left + p.width, q.left + q.width)
    if top >= bottom or left >= right:
        return False
    first = masks[a][top - p.top : bottom - p.top, left - p.left : right - p.left]
    second = masks[b][top - q.top : bottom - q.top, left - q.left : right - q.left]
    return bool((first & second).any())


def _union(instances: Sequence[Instance]) -> Instance:
    """One instance for several of one slice: the pixels of all, the highest score."""
    if len(instances) == 1:
        return instances[0]
    masks = [i.mask for i in instances]
    top, left = min(m.top for m in masks), min(m.left for m in masks)
    height = max(m.top + m.height for m in masks) - top
    width = max(m.left + m.width for m in masks) - left
    box = np.zeros((height, width), bool)
    for m in masks:
        box[m.top - top : m.top - top + m.height, m.left - left : m.left - left + m.width] |= m.array()
    mask = BoxMask(top, left, height, width, np.packbits(box).tobytes())
    return replace(instances[0], score=max(i.score for i in instances), mask=mask)


def _adjacent(geometry: Geometry, index: int) -> bool:
    """Whether tissue on slice `index` can go on to the next one."""
    locations, step = geometry.locations, geometry.slice_spacing
    if index + 1 >= geometry.shape[0]:
        return False
    return (
        locations is None or step is None or bool(locations[index + 1] - locations[index] <= _WIDEST_BRIDGED_GAP * step)
    )
