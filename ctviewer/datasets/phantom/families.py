"""What tells the families apart. Held-out families draw from ranges, textures and scanners that training never saw."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

import numpy as np

from ctviewer.datasets.phantom.spec import Family

Range = tuple[float, float]


class Texture(Enum):
    """How a lesion's ground glass is grained."""

    CLOUD = "cloud"
    PAVING = "crazy paving"
    PATCHES = "patches"
    GRANULAR = "granular"
    RETICULAR = "reticular"


class Table(Enum):
    """Cross-section of the couch."""

    CURVED = "curved"
    FLAT = "flat"
    CRADLE = "cradle"
    SLAB = "slab"
    DOUBLE = "double"


@dataclass(frozen=True)
class AnatomyRanges:
    """Ranges of the chest's measures: mm, except ratios.

    Attributes:
        height: of the lungs, from the lowest recess to the apex.
        half_width, half_depth: half axes of the cavity of one lung.
        separation: distance of a lung's axis from the midline.
        square: 0 elliptic, 1 box-like lungs.
        taper: power by which the chest narrows upwards: small is a cone, large a barrel.
        heart: size ratio.
        dome: height of the right diaphragm over the lowest recess.
        wall: muscle between ribs and fat at the side.
        fat: under the skin.
        breast: how far breasts stand out; below 12 none.
        warp: irregularity of all outlines.
        branching: exponent of the vessel radii at a branching (Murray's 3; lungs about 2.3).
        advance: how far a branch runs towards its territory before it divides (ratio).
        vessels: end branches per lung of the arteries.
        calibre: radius of a pulmonary artery at the hilum.
        rib_slope: how much lower a rib's front end lies.
    """

    height: Range
    half_width: Range
    half_depth: Range
    separation: Range
    square: Range
    taper: Range
    heart: Range
    dome: Range
    wall: Range
    fat: Range
    breast: Range
    warp: Range
    branching: Range
    advance: Range
    vessels: Range
    calibre: Range
    rib_slope: Range


@dataclass(frozen=True)
class Anatomy:
    """One draw from `AnatomyRanges`; see there."""

    height: float
    half_width: float
    half_depth: float
    separation: float
    square: float
    taper: float
    heart: float
    dome: float
    wall: float
    fat: float
    breast: float
    warp: float
    branching: float
    advance: float
    vessels: float
    calibre: float
    rib_slope: float


@dataclass(frozen=True)
class ScannerRanges:
    """The machine: ranges and fixed parts.

    Attributes:
        kernel: name of the kernel.
        blur: standard deviation of the point spread, mm.
        edge: overshoot at edges (ratio of an unsharp mask).
        noise: standard deviation in the heart, HU.
        grain: size of the noise's grain, mm.
        field_of_view: mm.
        thickness: slice thickness, mm.
        table: shape of the couch.
        circle: whether what lies outside the field of view's circle is set to -1024.
    """

    kernel: str
    blur: Range
    edge: Range
    noise: Range
    grain: Range
    field_of_view: Range
    thickness: Range
    table: Table
    circle: bool


@dataclass(frozen=True)
class FamilyTraits:
    """All that a family is.

    Attributes:
        anatomy: ranges of the body.
        scanner: ranges of the machine.
        textures: grains of ground glass that its lesions use.
        grain: mm, the size of that grain.
        ragged: irregularity of lesion outlines (ratio).
        parenchyma: HU of well-aired lung.
    """

    anatomy: AnatomyRanges
    scanner: ScannerRanges
    textures: tuple[Texture, ...]
    grain: Range
    ragged: Range
    parenchyma: Range


def draw_anatomy(ranges: AnatomyRanges, rng: np.random.Generator) -> Anatomy:
    """Draw every measure evenly from its range."""
    return Anatomy(**{f.name: float(rng.uniform(*getattr(ranges, f.name))) for f in fields(ranges)})


FAMILIES: dict[Family, FamilyTraits] = {
    Family.A: FamilyTraits(
        AnatomyRanges(
            height=(238, 258), half_width=(70, 74), half_depth=(88, 94), separation=(60, 65), square=(0.06, 0.12),
            taper=(2.2, 2.6), heart=(0.92, 1.0), dome=(78, 90), wall=(15, 22), fat=(8, 14), breast=(0, 10),
            warp=(2.0, 2.6), branching=(2.5, 2.6), advance=(0.36, 0.44), vessels=(600, 690), calibre=(6.1, 6.6),
            rib_slope=(70, 85),
        ),
        ScannerRanges("soft", (0.6, 0.7), (0.0, 0.05), (11, 15), (0.8, 0.9), (340, 352), (1.0, 1.25), Table.CURVED, True),
        (Texture.CLOUD, Texture.PAVING), (3.0, 3.8), (0.22, 0.30), (-872, -855),
    ),
    Family.B: FamilyTraits(
        AnatomyRanges(
            height=(222, 237), half_width=(66, 69), half_depth=(80, 86), separation=(56, 59), square=(0.13, 0.19),
            taper=(2.7, 3.0), heart=(1.0, 1.08), dome=(68, 77), wall=(12, 18), fat=(15, 24), breast=(18, 30),
            warp=(2.7, 3.2), branching=(2.61, 2.7), advance=(0.45, 0.50), vessels=(500, 590), calibre=(5.5, 6.0),
            rib_slope=(58, 69),
        ),
        ScannerRanges("standard", (0.48, 0.56), (0.1, 0.2), (16, 22), (0.6, 0.7), (353, 366), (1.9, 2.2), Table.FLAT, False),
        (Texture.CLOUD, Texture.PATCHES), (3.9, 4.6), (0.31, 0.38), (-854, -840),
    ),
    Family.C: FamilyTraits(
        AnatomyRanges(
            height=(259, 276), half_width=(75, 79), half_depth=(95, 101), separation=(66, 69), square=(0.0, 0.05),
            taper=(1.9, 2.15), heart=(0.84, 0.91), dome=(91, 102), wall=(20, 28), fat=(4, 8), breast=(0, 10),
            warp=(1.4, 1.9), branching=(2.4, 2.49), advance=(0.30, 0.35), vessels=(700, 790), calibre=(6.7, 7.2),
            rib_slope=(86, 98),
        ),
        ScannerRanges("lung", (0.36, 0.42), (0.3, 0.5), (24, 32), (0.45, 0.55), (367, 385), (1.3, 1.6), Table.CRADLE, False),
        (Texture.PAVING, Texture.PATCHES), (2.3, 2.9), (0.15, 0.21), (-885, -873),
    ),
    Family.D: FamilyTraits(
        AnatomyRanges(
            height=(246, 262), half_width=(79.5, 83), half_depth=(86.5, 87.8), separation=(69.5, 73), square=(0.21, 0.28),
            taper=(3.1, 3.5), heart=(1.09, 1.16), dome=(77.2, 77.9), wall=(22.5, 27), fat=(10, 16), breast=(0, 10),
            warp=(3.3, 3.8), branching=(2.72, 2.8), advance=(0.51, 0.56), vessels=(800, 880), calibre=(7.3, 7.7),
            rib_slope=(99, 108),
        ),
        ScannerRanges("sharp", (0.43, 0.47), (0.21, 0.29), (23, 23.9), (0.56, 0.59), (386, 400), (1.65, 1.85), Table.DOUBLE, True),
        (Texture.RETICULAR, Texture.GRANULAR), (4.7, 5.4), (0.39, 0.46), (-839, -828),
    ),
    Family.E: FamilyTraits(
        AnatomyRanges(
            height=(205, 221), half_width=(62, 65.5), half_depth=(74, 79), separation=(51, 55), square=(-0.1, -0.03),
            taper=(1.6, 1.85), heart=(0.76, 0.83), dome=(58, 67), wall=(9, 11.5), fat=(25, 32), breast=(31, 40),
            warp=(0.8, 1.3), branching=(2.3, 2.39), advance=(0.57, 0.62), vessels=(400, 490), calibre=(4.9, 5.4),
            rib_slope=(46, 57),
        ),
        ScannerRanges("smooth", (0.75, 0.85), (0.0, 0.0), (7, 10), (1.0, 1.2), (322, 338), (2.3, 2.6), Table.SLAB, False),
        (Texture.GRANULAR, Texture.RETICULAR), (1.6, 2.2), (0.47, 0.52), (-900, -886),
    ),
}  # fmt: skip
