"""Trees that fill a lung: arteries, veins, and the airways that run along the arteries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.datasets.phantom.chest import SIDES, Chest
from ctviewer.datasets.phantom.fields import Warp
from ctviewer.datasets.phantom.shapes import Array
from ctviewer.datasets.phantom.tubes import Tubes

_THINNEST = 0.45
_AIRWAY_FROM = 1.7
_SPREAD = np.array([0.8191725134, 0.6710436067, 0.5497004779])  # the R3 sequence: even cover of a box


@dataclass(frozen=True)
class Trees:
    """All that branches in both lungs.

    Attributes:
        vessels: arteries and veins outside the mediastinum.
        lumens, walls: airways, without and with their walls.
    """

    vessels: Tubes
    lumens: Tubes
    walls: Tubes

    def bent(self, warp: Warp) -> Trees:
        """The same, moved as a warp moves the lungs."""
        return Trees(self.vessels.bent(warp), self.lumens.bent(warp), self.walls.bent(warp))


def hilum(chest: Chest, side: int) -> NDArray[np.float64]:
    """Where a lung's artery enters, LPS mm `[3]`."""
    return np.array([side * 32.0, 5.0, chest.a.height * (0.53 if side < 0 else 0.56)])


def territory(chest: Chest, side: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """End points `[n, 3]` of about `count` branches, spread evenly in a lung and clear of its fissures."""
    a = chest.a
    low = np.array([min(0.0, side * (a.separation + a.half_width)), -a.half_depth, 0.0])
    size = np.array([a.separation + a.half_width, 2 * a.half_depth + 8, a.height])
    points = low + ((np.arange(count * 4)[:, None] * _SPREAD + rng.random(3)) % 1.0) * size
    points += rng.normal(0, 2.0, points.shape)
    x, y, z = points.T
    keep = (chest.lung(x, y, z, side) < -4.0) & (np.abs(chest.oblique_fissure(y, z, side)) > 2.5)
    return np.asarray(points[keep][:count])


def grow(
    root: NDArray[np.float64], targets: NDArray[np.float64], radius: float, chest: Chest, rng: np.random.Generator
) -> Tubes:
    """A tree from `root` that ends in every target, halving its territory at each branching.

    A branch advances towards the middle of its territory, which is then split across its widest direction; radii
    follow Murray's law with the family's exponent.
    """
    nodes: list[tuple[NDArray[np.float64], NDArray[np.float64], float, float]] = []
    stack = [(root, targets, radius)]
    power = 1.0 / chest.a.branching
    while stack:
        start, points, r = stack.pop()
        if len(points) == 0:
            continue
        if len(points) == 1:
            nodes.append((start, points[0], r, min(r, _THINNEST)))
            continue
        way = points.sum(axis=0) / len(points) - start
        node = start + way * chest.a.advance * rng.uniform(0.8, 1.2)
        spread = points - node
        nodes.append((start, node, r, max(_THINNEST, r * 0.95)))
        across = spread - (spread @ way)[:, None] * way / max(1e-6, float(way @ way))
        direction = np.linalg.eigh(across.T @ across)[1][:, 2]
        shadow = across @ direction
        cut = _quantile(shadow, rng.uniform(0.3, 0.7))
        halves = (points[shadow <= cut], points[shadow > cut])
        for half in halves:
            stack.append((node, half, max(_THINNEST, r * (len(half) / len(points)) ** power)))
    return _curved(nodes, rng)


def _quantile(values: NDArray[np.float64], share: float) -> float:
    """`np.quantile`, whose many choices would be half the time of a tree: it is asked for at each branching."""
    at = (len(values) - 1) * share
    below = int(at)
    low, high = (float(value) for value in np.sort(values)[below : below + 2])
    rest = at - below
    return low + (high - low) * rest if rest < 0.5 else high - (high - low) * (1 - rest)


def _curved(
    nodes: list[tuple[NDArray[np.float64], NDArray[np.float64], float, float]], rng: np.random.Generator
) -> Tubes:
    """Bend every branch at its middle."""
    start, end = np.array([n[0] for n in nodes]), np.array([n[1] for n in nodes])
    r0, r1 = np.array([n[2] for n in nodes]), np.array([n[3] for n in nodes])
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    middle = (start + end) / 2 + rng.normal(0, 0.055, start.shape) * length
    half = (r0 + r1) / 2
    return Tubes(
        np.concatenate([start, middle]).astype(np.float32),
        np.concatenate([middle, end]).astype(np.float32),
        np.concatenate([r0, half]).astype(np.float32),
        np.concatenate([half, r1]).astype(np.float32),
    )


def draw_trees(chest: Chest, rng: np.random.Generator) -> Trees:
    """Grow all trees of both lungs, lobe by lobe, so that no vessel crosses a fissure."""
    vessels: list[Tubes] = []
    airways: list[Tubes] = []
    for side in SIDES:
        gate = hilum(chest, side)
        count = int(chest.a.vessels)
        for share, offset, is_artery in ((1.0, (0, 0, 0), True), (0.85, (-6 * side, -8, -16), False)):
            points = territory(chest, side, int(count * share), rng)
            lobes = chest.lobe(points[:, 1], points[:, 2], side)
            for lobe in np.unique(lobes):
                members = points[lobes == lobe]
                radius = chest.a.calibre * share**0.5 * (len(members) / len(points)) ** (1 / chest.a.branching)
                tree = grow(gate + np.array(offset), members, radius, chest, rng)
                vessels.append(tree)
                if is_artery:
                    airways.append(_airways(tree))
    lumens = Tubes.join(airways)
    return Trees(
        Tubes.join(vessels),
        lumens,
        Tubes(lumens.start, lumens.end, _wall(lumens.start_radius), _wall(lumens.end_radius)),
    )


def _airways(arteries: Tubes) -> Tubes:
    """Airways behind the larger arteries, as wide as they."""
    large = arteries.select(arteries.end_radius > _AIRWAY_FROM)
    shift = np.array([[0.0, 1.0, 0.25]], np.float32)
    r0, r1 = large.start_radius, large.end_radius
    return Tubes(
        large.start + shift * (2.1 * r0 + 0.6)[:, None],
        large.end + shift * (2.1 * r1 + 0.6)[:, None],
        r0 * 0.8,
        r1 * 0.8,
    )


def _wall(lumen: Array) -> Array:
    """Outer radius of an airway."""
    return np.asarray(lumen * np.float32(1.1) + np.float32(0.35))
