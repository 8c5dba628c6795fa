"""How diseases are spread over the lungs, as the literature describes them, and what every chest may show besides.

COVID-19: several lesions in both lungs, peripheral, posterior and basal, ground glass first and denser later.
    Haseli et al., 552 patients (PMC7355135): ground glass 87 %, peripheral 82 %, posterior 82 %, effusion 8 %.
    Bai et al., Radiology 296 (2020) E46 (https://doi.org/10.1148/radiol.2020200823), against other viral pneumonia: peripheral
    80 % (57 %), ground glass 91 % (68 %), effusion 4 % (39 %).
    Giannakis et al., Eur J Radiol 144 (2021) 110002 (PMC8524806), against atypical pneumonia: subpleural bands (odds ratio
    5.6); centrilobular nodules speak against it (0.1).
Common (bacterial) pneumonia: consolidation of a segment or lobe, often of one lung.
    CT of 39 patients with S. pneumoniae, Intern Med 51 (2012): one lung in 25 of 39, lower lobes most, segmental 66 %,
    consolidation 56 %, ground glass 72 %, centrilobular nodules 54 %, effusion 10 %.
    Reittner et al., Eur Radiol 13 (2003) 515 (https://doi.org/10.1007/s00330-002-1490-3): consolidation in 30 of 35,
    centrilobular nodules in 6 of 35.
    Okada et al., Br J Radiol 85 (2012) e357 (PMC3587092): centrilobular nodules and effusion of both sides where a second
    germ is there.
Control: neither. What every class may show, as often: density by gravity (Yagi et al. 2024 measured its slope in 100 healthy
    people), scars, small nodules, a little fluid.

The classes overlap here as they do there: no single sign tells them apart. Numbers between those of the sources are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.training.starter.simulation.host import SIDES

CONTROL, PNEUMONIA, COVID = "control", "common pneumonia", "COVID-19"
CLASSES = (CONTROL, PNEUMONIA, COVID)

ROUNDED, DRAWN, BAND, LOBAR, NODULES = "rounded", "drawn", "band", "lobar", "nodules"
"""Outlines: an irregular ellipsoid; one that a radiologist drew; a shell under the pleura; what fills a segment or lobe;
centrilobular nodules."""


@dataclass(frozen=True)
class Lesion:
    """What is to be put where.

    Attributes:
        outline: see `ROUNDED` and the others.
        side: lung.
        lower: whether it keeps to the lower lobe (True) or out of it (False); None: it ignores the fissure.
        height, back: where its middle lies, 0 to 1 from apex to base and from front to back.
        depth: mm below the chest wall.
        radius: mm, about.
        haze: HU of its ground glass.
        core: share of its radius that is consolidated, 0 to 1.
        bronchograms: whether airways stay open in it.
    """

    outline: str
    side: int
    lower: bool | None
    height: float
    back: float
    depth: float
    radius: float
    haze: float
    core: float
    bronchograms: bool


@dataclass(frozen=True)
class Finding:
    """All that is put into a chest.

    Attributes:
        lesions: of the disease; none in controls.
        effusion: height of pleural fluid, as a share of the chest from back to front, by lung (right, left).
        gravity: HU that the back of the lungs is denser than their middle.
        scars, specks: number of scars and of small nodules.
    """

    lesions: tuple[Lesion, ...]
    effusion: tuple[float, float]
    gravity: float
    scars: int
    specks: int


def draw_finding(label: str, rng: np.random.Generator) -> Finding:
    """What a chest of a class shows.

    Args:
        label: one of `CLASSES`.
        rng: of the draw.
    """
    lesions, fluid = [], 0.05
    if label == COVID:
        lesions, fluid = _covid(rng), 0.06
    elif label == PNEUMONIA:
        lesions, fluid = _pneumonia(rng), 0.25
    sides = {one.side for one in lesions} or {int(rng.choice(SIDES))}
    wet = rng.random() < fluid
    both = rng.random() < 0.25
    levels = [float(rng.uniform(0.05, 0.2)) if wet and (side in sides or both) else 0.0 for side in SIDES]
    return Finding(
        lesions=tuple(lesions),
        effusion=(levels[0], levels[1]),
        gravity=float(rng.uniform(20, 160)) if rng.random() < 0.75 else 0.0,
        scars=int(rng.poisson(1.0)),
        specks=int(rng.poisson(1.5)),
    )


def _covid(rng: np.random.Generator) -> list[Lesion]:
    sides = list(SIDES) if rng.random() < 0.88 else [int(rng.choice(SIDES))]
    late = rng.random() < 0.5  # consolidation grows with the days
    scale = float(np.exp(rng.uniform(np.log(0.7), np.log(2.6))))  # of all of them: so is the stage
    lesions = []
    for number in range(int(rng.integers(2, 15, 2).min())):
        peripheral, posterior = rng.random() < 0.85, rng.random() < 0.8
        outline = str(rng.choice([DRAWN, ROUNDED, BAND], p=[0.5, 0.35, 0.15]))
        core = float(rng.uniform(0.3, 0.8)) if rng.random() < (0.65 if late else 0.15) else 0.0
        lesions.append(
            Lesion(
                outline=outline,
                side=sides[number % len(sides)],
                lower=None,
                height=float(0.12 + 0.85 * rng.beta(2.6, 1.7)),
                back=float(rng.uniform(0.6, 1.0) if posterior else rng.uniform(0.0, 0.6)),
                depth=float(rng.uniform(0, 14) if peripheral else rng.uniform(14, 45)),
                radius=float(rng.uniform(8, 26)) * scale,
                haze=float(rng.uniform(-660, -420)),
                core=core,
                bronchograms=bool(rng.random() < 0.3),
            )
        )
    return lesions


def _pneumonia(rng: np.random.Generator) -> list[Lesion]:
    first = int(rng.choice(SIDES))
    lesions = _focus(rng, first)
    if rng.random() < 0.4:
        lesions += _focus(rng, -first)
    elif rng.random() < 0.25:
        lesions += _focus(rng, first)
    return lesions


def _focus(rng: np.random.Generator, side: int) -> list[Lesion]:
    """A segment or lobe of one lung, and what lies about it."""
    lower = bool(rng.random() < 0.65)
    height = float(rng.uniform(0.5, 0.95) if lower else rng.uniform(0.1, 0.65))
    back = float(rng.uniform(0.5, 0.9) if lower else rng.uniform(0.15, 0.6))
    depth, radius = float(rng.uniform(5, 45)), float(rng.uniform(12, 40))
    nodules, solid = rng.random() < 0.35, rng.random() < 0.82
    outline = LOBAR if solid or not nodules else NODULES
    core = float(rng.uniform(0.5, 0.92)) if solid else float(rng.uniform(0.0, 0.3))
    haze, open_airways = float(rng.uniform(-640, -380)), bool(rng.random() < 0.6)
    main = Lesion(outline, side, lower, height, back, depth, radius, haze, core, open_airways)
    around = [main]
    if nodules and outline != NODULES:
        around.append(Lesion(NODULES, side, lower, height, back, depth, 1.4 * radius, haze, 0.3, False))
    for _ in range(int(rng.integers(0, 3))):  # small ones near by, as drawn by radiologists or round
        near = [float(x + rng.normal(0, 0.09)) for x in (height, back)]
        kind = str(rng.choice([DRAWN, ROUNDED]))
        around.append(Lesion(kind, side, lower, near[0], near[1], depth, float(rng.uniform(7, 14)), haze, 0.4, False))
    return around
