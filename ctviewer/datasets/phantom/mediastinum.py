"""The tubes between the lungs: aorta and its branches, veins, pulmonary arteries, oesophagus, trachea."""

from __future__ import annotations

import numpy as np

from ctviewer.datasets.phantom.chest import Chest
from ctviewer.datasets.phantom.tubes import Tubes

Node = tuple[float, float, float, float]


def _path(*nodes: Node) -> Tubes:
    """A tube through nodes of x, y, z, radius in mm."""
    table = np.array(nodes)
    return Tubes.path(table[:, :3], table[:, 3])


def great_vessels(chest: Chest) -> Tubes:
    """Arteries and veins of the mediastinum and the upper abdomen, LPS mm."""
    return Tubes.join([_aorta(chest), *_arch_branches(chest), *_veins(chest), *_pulmonary_arteries(chest)])


def _aorta(chest: Chest) -> Tubes:
    h, d = chest.a.height, chest.a.half_depth
    rise: list[Node] = [(-10, -0.40 * d, 0.44 * h, 15), (-17, -0.34 * d, 0.58 * h, 15), (-12, -0.24 * d, 0.69 * h, 14)]
    arch: list[Node] = [(1, -0.08 * d, 0.735 * h, 13), (14, 0.12 * d, 0.735 * h, 12.5)]
    heights, radii = np.linspace(0.69 * h, -60, 12), np.linspace(12, 10, 12)
    fall: list[Node] = [
        (19.0, float(chest.spine_y(z)) - 26, float(z), float(r)) for z, r in zip(heights, radii, strict=True)
    ]
    return _path(*rise, *arch, *fall)


def _arch_branches(chest: Chest) -> list[Tubes]:
    h, up, top = chest.a.height, 0.74 * chest.a.height, 1.12 * chest.a.height
    return [
        _path((-2, -16, up, 6), (-12, -14, 0.86 * h, 6), (-24, -8, top, 5.5)),
        _path((7, -6, up, 4), (10, -4, 0.88 * h, 4), (20, -4, top, 4)),
        _path((14, 2, up, 4.5), (20, 6, 0.88 * h, 4.5), (34, 6, top, 4.5)),
    ]


def _veins(chest: Chest) -> list[Tubes]:
    h, up, top = chest.a.height, 0.80 * chest.a.height, 1.12 * chest.a.height
    return [
        _path((-22, -20, up, 8.5), (-24, -16, 0.62 * h, 9), (-23, -14, 0.42 * h, 9.5)),
        _path((-22, -20, up, 6), (8, -32, up + 8, 6), (36, -30, 0.93 * h, 6), (66, -34, top, 5.5)),
        _path((-22, -20, up, 6.5), (-30, -22, 0.9 * h, 6.5), (-42, -26, top, 6)),
        _path((-20, -8, 0.40 * h, 10), (-22, 2, 0.2 * h, 12), (-20, 10, -60, 12)),
    ]


def _pulmonary_arteries(chest: Chest) -> list[Tubes]:
    h, fork = chest.a.height, -0.10 * chest.a.half_depth
    return [
        _path((20, 5 * fork, 0.45 * h, 14), (15, 3.8 * fork, 0.56 * h, 13.5), (10, fork, 0.585 * h, 11)),
        _path((10, fork, 0.585 * h, 11), (-10, -1, 0.565 * h, 10), (-32, 5, 0.53 * h, 8.5), (-46, 10, 0.47 * h, 6.5)),
        _path((12, fork, 0.585 * h, 11), (26, 1, 0.60 * h, 9.5), (33, 7, 0.56 * h, 8.5), (44, 12, 0.49 * h, 6.5)),
    ]


def gullet(chest: Chest) -> Tubes:
    """The oesophagus, in front of the spine."""
    z = np.linspace(1.15 * chest.a.height, 0.1 * chest.a.height, 12)
    return Tubes.path(np.stack([np.full(12, 3.0), chest.spine_y(z) - 25, z], axis=1), 6.5)


def trachea(chest: Chest) -> Tubes:
    """Trachea and main bronchi by their inner radius."""
    h = chest.a.height
    x, y, z = 0.0, 10.0, 0.64 * h
    return Tubes.join(
        [
            _path((x, y - 22, 1.15 * h, 8), (x, y - 9, 0.85 * h, 8.3), (x, y, z, 8.3)),
            _path((x - 3, y, z - 1, 7.2), (-19, 13, 0.58 * h, 6.8), (-34, 20, 0.52 * h, 5)),
            _path((x + 3, y, z - 1, 6.6), (20, 15, 0.59 * h, 6), (36, 21, 0.53 * h, 4.8)),
        ]
    )
