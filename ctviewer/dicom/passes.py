"""Acquisition passes over the same positions (phases, energies, time points) that share one series UID."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from itertools import combinations

import numpy as np

from ctviewer.core.geometry import SAME_POSITION_MM
from ctviewer.core.layout import NO_VOLUME
from ctviewer.dicom import tags
from ctviewer.dicom.directions import Array, common_orientation, locations, normal, rounding
from ctviewer.dicom.record import Slice

_STILL_ODD = 0.1  # share of the oddities that may stay in the passes: a true repetition or two
_COVERED = 0.75  # share of a pass that must lie where another one lies
_FEW_PASSES, _LONG_PASS = 4, 10  # passes that overlap less than that, if they are few and long

Labels = list[Hashable]
_REASON = "acquisition pass at the same positions"
_NUMBERS_REASON = "image numbers, which run through the same positions several times"

_FACTS: tuple[Callable[[Slice], Hashable], ...] = (
    lambda one: one.acquisition_number,
    lambda one: one.header.integer(tags.TEMPORAL_POSITION_IDENTIFIER),
    lambda one: one.header.number(tags.TRIGGER_TIME),
    lambda one: one.header.number(tags.KVP),
    lambda one: one.header.number(tags.ECHO_TIME),
    lambda one: one.image_type,
    lambda one: (one.header.text(tags.ACQUISITION_DATE), one.header.text(tags.ACQUISITION_TIME)),
    lambda one: one.header.text(tags.CONTENT_TIME),
    lambda one: one.header.text(tags.DIMENSION_INDEX_VALUES),
    lambda one: one.header.text(tags.CONTRAST_BOLUS_AGENT),
    lambda one: (one.header.integer(tags.SERIES_NUMBER), one.header.text(tags.SERIES_DESCRIPTION)),
)


def acquisition_passes(stack: list[Slice]) -> tuple[str, Labels] | None:
    """Tell passes over the same positions apart: by one fact, by two, or by image numbers that start over.

    A stack that lies at a single position (bolus monitoring) stays whole: it is a series over time.

    Returns:
        In what the passes differ, in words, and a label for each slice; None where there is one pass, or where nothing
        tells several apart.
    """
    direction = common_orientation(stack)
    if direction is None or len(stack) < 3:
        return None
    axis = normal(direction)
    places = locations(stack, axis)
    slack = rounding(stack, axis)
    odd = _oddities(places, slack)
    if not odd or np.ptp(places) <= SAME_POSITION_MM:
        return None
    for reason, labels in _labellings(stack):
        groups = _members(labels)
        if not 1 < len(groups) <= len(stack) // 2 or not _overlap(places, groups, slack):
            continue
        if sum(_oddities(places[members], slack) for members in groups) <= _STILL_ODD * odd:
            return reason, labels
    by_number = _numbered_passes(stack, places)
    return None if by_number is None else (_NUMBERS_REASON, by_number)


def _oddities(places: Array, slack: float) -> int:
    """How many gaps are neither regular nor holes of whole slices: repetitions above all."""
    gaps = np.diff(np.sort(places))
    real = gaps[gaps > SAME_POSITION_MM]
    if not real.size:
        return len(gaps)
    step = float(np.sort(real)[(real.size - 1) // 2])
    off = np.abs(real - np.maximum(np.rint(real / step), 1.0) * step)
    return int(len(gaps) - real.size + (off > max(NO_VOLUME * step, min(slack, step / 2))).sum())


def _labellings(stack: list[Slice]) -> Iterator[tuple[str, Labels]]:
    copies: Labels = [one.lossy for one in stack]
    if len(set(copies)) > 1:
        yield "lossy compression", copies
    single: list[Labels] = [[fact(one) for one in stack] for fact in _FACTS]
    single = [labels for labels in single if len(set(labels)) > 1]
    yield from ((_REASON, labels) for labels in single)
    for first, second in combinations(single, 2):
        yield _REASON, list(zip(first, second, strict=True))


def _members(labels: Labels) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        groups[label].append(index)
    return list(groups.values())


def _overlap(places: Array, groups: list[list[int]], slack: float) -> bool:
    """Whether passes run over the same stretch: all but the longest lie within another, or they are few and long."""
    if len(groups) <= _FEW_PASSES and min(map(len, groups)) >= _LONG_PASS:
        return True
    ranges = sorted((places[members] for members in groups), key=len)
    for number, one in enumerate(ranges[:-1]):
        others = [other for index, other in enumerate(ranges) if index != number]
        inside = max(((one >= o.min() - slack) & (one <= o.max() + slack)).mean() for o in others)
        if inside < _COVERED:
            return False
    return True


def _numbered_passes(stack: list[Slice], places: Array) -> Labels | None:
    """Passes where image numbers run pass by pass, or position by position, through the same positions; else None."""
    numbers = [one.instance_number for one in stack]
    if None in numbers or len(set(numbers)) < len(numbers):
        return None
    order = np.argsort(np.array(numbers, dtype=np.float64))
    ascending = np.argsort(places, kind="stable")
    rank = np.empty(len(places), np.intp)
    rank[ascending] = np.concatenate([[0], np.cumsum(np.diff(places[ascending]) > SAME_POSITION_MM)])
    positions = int(rank.max()) + 1
    if positions < 2 or len(places) % positions or len(places) == positions:
        return None
    ranks, labels = rank[order], np.empty(len(places), np.intp)
    passes = len(places) // positions
    if _runs(ranks.reshape(passes, positions)):
        labels[order] = np.repeat(np.arange(passes), positions)
    elif _runs(ranks.reshape(positions, passes).T):
        labels[order] = np.tile(np.arange(passes), positions)
    else:
        return None
    return [int(label) for label in labels]


def _runs(ranks: np.ndarray) -> bool:
    """Whether each row runs through all positions once, up or down."""
    steps = np.diff(ranks, axis=1)
    return bool(np.all(steps == 1, axis=1).all() or np.all(steps == -1, axis=1).all())
