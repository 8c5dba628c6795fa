"""From what a net found on the slices of a scan to what is kept of it: overlaps with the truth, and what each mark adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.disjoint_sets import DisjointSets
from ctviewer.core.masks import BoxMask, overlap
from ctviewer.training.scores.detection.froc import FROC_IOU
from ctviewer.training.slice_predictions import LEAST_OVERLAP, SliceLesions
from ctviewer.training.slices.targets import Instances, instances, least_pixels, region

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Mark:
    """One detection.

    Attributes:
        label: index of its class.
        score: 0..1.
        mask: in the net's square.
    """

    label: int
    score: float
    mask: BoxMask


@dataclass(frozen=True, eq=False)
class MarkedSlice:
    """One slice whose lesions are marked, and what a net found on it.

    Attributes:
        labels: `[S, S]` uint8, index of the class; the net's square.
        complete: whether all lesions are marked.
        marks: in any order.
        place: within the scan, from 0.
        unmarked: lesion classes that its set does not mark at all.
    """

    labels: NDArray[np.uint8]
    complete: bool
    marks: tuple[Mark, ...]
    place: int = 0
    unmarked: tuple[int, ...] = ()


def lesions_of(
    slices: Sequence[MarkedSlice], classes: Sequence[str], lesion_classes: Sequence[str], *, neighbours: bool
) -> tuple[SliceLesions, ...]:
    """What is kept of each slice of one scan.

    Args:
        slices: of the scan, in its order.
        classes: the background first.
        lesion_classes: those of them that are lesions.
        neighbours: whether slices whose places follow each other are neighbours in the chest, so that cross-sections that
            overlap are one lesion; else each counts for itself.
    """
    values = frozenset(classes.index(name) for name in lesion_classes)
    ordered = [tuple(sorted(one.marks, key=lambda mark: -mark.score)) for one in slices]
    found = [instances(one.labels, classes) for one in slices]
    places = [one.place for one in slices]
    linked = [neighbours and b == a + 1 for a, b in pairwise(places)]
    numbers = _lesion_numbers(found, linked)
    sides = [_Slice(*row, classes, values) for row in zip(slices, ordered, found, strict=True)]
    own = _false_findings(ordered, [side.false_of_class for side in sides], linked, by_class=True)
    any_ = _false_findings(ordered, [side.false_of_any for side in sides], linked, by_class=False)
    return tuple(side.kept(n, a, b) for side, n, a, b in zip(sides, numbers, own, any_, strict=True))


class _Slice:
    """One slice: overlaps, areas, and which marks are false."""

    def __init__(
        self, one: MarkedSlice, marks: Sequence[Mark], found: Instances, classes: Sequence[str], lesions: frozenset[int]
    ) -> None:
        self._one, self._marks, self._found, self._lesions = one, marks, found, lesions
        self._classes, count = classes, len(found.values)
        self._areas = np.bincount(found.layers.ravel(), minlength=count)
        self.matches = [match for i, mark in enumerate(marks) for match in self._met(i, mark)]
        hit: list[set[int]] = [set() for _ in marks]
        for mark, truth, iou in self.matches:
            if iou >= FROC_IOU:
                hit[mark].add(found.values[truth + 1])
        self.false_of_class = [
            one.complete and mark.label not in hit[i] and mark.label not in one.unmarked for i, mark in enumerate(marks)
        ]
        self.false_of_any = [
            one.complete and mark.label in lesions and not hit[i] & lesions for i, mark in enumerate(marks)
        ]

    def _met(self, number: int, mark: Mark) -> list[tuple[int, int, float]]:
        """Truths that a mark overlaps; the truth's number is one less than in the layers, whose 0 is nothing."""
        m, inside, area = mark.mask, mark.mask.array(), mark.mask.area
        crop = self._found.layers[:, m.top : m.top + m.height, m.left : m.left + m.width]
        shared = np.bincount(crop[:, inside].ravel(), minlength=len(self._areas))
        out = []
        for truth in np.flatnonzero(shared[1:]) + 1:
            iou = float(shared[truth] / (area + self._areas[truth] - shared[truth]))
            if iou >= LEAST_OVERLAP:
                out.append((number, int(truth) - 1, round(iou, 6)))
        return out

    def kept(self, numbers: Sequence[int], false: Sequence[int], false_any: Sequence[int]) -> SliceLesions:
        """All columns."""
        labels, classes = self._one.labels, self._classes
        regions = [np.zeros(labels.shape, bool), *(region(labels, v, classes) for v in range(1, len(classes)))]
        any_lesion = np.isin(labels, list(self._lesions))
        own = [_added(self._marks, [v], regions[v]) for v in range(len(classes))]
        any_ = _added(self._marks, self._lesions, any_lesion)
        least = max(1.0, least_pixels(labels.shape[-1]))
        return SliceLesions(
            complete=self._one.complete,
            truth_labels=tuple(self._found.values[1:]),
            truth_small=tuple(bool(area < least) for area in self._areas[1:]),
            truth_lesions=tuple(numbers),
            labels=tuple(mark.label for mark in self._marks),
            scores=tuple(round(mark.score, 9) for mark in self._marks),
            matches=tuple(self.matches),
            marked=tuple(own[mark.label][i][0] for i, mark in enumerate(self._marks)),
            hit=tuple(own[mark.label][i][1] for i, mark in enumerate(self._marks)),
            marked_any=tuple(new for new, _ in any_),
            hit_any=tuple(hit for _, hit in any_),
            false=tuple(false),
            false_any=tuple(false_any),
            truth_pixels=tuple(int(one.sum()) for one in regions),
            truth_any=int(any_lesion.sum()),
            unmarked=self._one.unmarked,
        )


def _added(marks: Sequence[Mark], labels: Sequence[int] | frozenset[int], true: Bools) -> list[tuple[int, int]]:
    """Pixels that each mark of some classes adds to those before it, and how many are true; 0 for other marks."""
    covered, out = np.zeros(true.shape, bool), []
    for mark in marks:
        if mark.label not in labels:
            out.append((0, 0))
            continue
        m = mark.mask
        place = slice(m.top, m.top + m.height), slice(m.left, m.left + m.width)
        new = m.array() & ~covered[place]
        covered[place] |= new
        out.append((int(new.sum()), int((new & true[place]).sum())))
    return out


def _lesion_numbers(found: Sequence[Instances], linked: Sequence[bool]) -> list[list[int]]:
    """Number of the lesion of each cross-section, by slice; `linked` tells whether a slice and the next are neighbours."""
    starts = np.cumsum([0, *(len(one.values) - 1 for one in found)])
    sets = DisjointSets()
    for start, one in zip(starts, found, strict=False):
        for at in range(len(one.values) - 1):
            sets.add(int(start) + at)
    for i in (i + 1 for i, joined in enumerate(linked) if joined):
        before, here = found[i - 1], found[i]
        for a, b in _overlapping(before.layers, here.layers):
            if before.values[a] == here.values[b]:
                sets.join(int(starts[i - 1]) + a - 1, int(starts[i]) + b - 1)
    roots = [
        [sets.root(int(start) + at) for at in range(len(one.values) - 1)]
        for start, one in zip(starts, found, strict=False)
    ]
    order = {root: number for number, root in enumerate(dict.fromkeys(root for row in roots for root in row))}
    return [[order[root] for root in row] for row in roots]


def _overlapping(before: NDArray[np.int32], here: NDArray[np.int32]) -> set[tuple[int, int]]:
    """Pairs of numbers that share a pixel, layer by layer."""
    pairs: set[tuple[int, int]] = set()
    for a, b in zip(before, here, strict=True):
        both = (a > 0) & (b > 0)
        pairs |= set(zip(a[both].tolist(), b[both].tolist(), strict=True))
    return pairs


def _false_findings(
    marks: Sequence[Sequence[Mark]], false: Sequence[Sequence[bool]], linked: Sequence[bool], *, by_class: bool
) -> list[list[int]]:
    """By how much each mark changes the number of false findings, were marks shown by falling score.

    False marks that overlap on a slice, or from a slice to its neighbour, are one finding.
    """
    out = [[0] * len(row) for row in marks]
    ranked = sorted(
        ((mark.score, k, i) for k, row in enumerate(marks) for i, mark in enumerate(row) if false[k][i]),
        key=lambda one: (-one[0], one[1], one[2]),
    )
    sets, shown = DisjointSets(), dict[int, list[int]]()
    for _, k, i in ranked:
        mark, key = marks[k][i], (k << 32) + i
        sets.add(key)
        near = [k, *([k - 1] if k and linked[k - 1] else []), *([k + 1] if k < len(linked) and linked[k] else [])]
        joined = set()
        for place in near:
            for other in shown.get(place, ()):
                theirs = marks[place][other & 0xFFFFFFFF]
                if (not by_class or theirs.label == mark.label) and overlap(mark.mask, theirs.mask):
                    joined.add(sets.root(other))
        for root in joined:
            sets.join(root, key)
        out[k][i] = 1 - len(joined)
        shown.setdefault(k, []).append(key)
    return out
