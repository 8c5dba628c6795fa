"""The outlines of a chest: cavity, diaphragm, mediastinum, heart, lungs and their lobes, as signed distances in LPS mm.

The origin lies in the midline, in the middle of the chest's depth, at the height of the lungs' lowest recess.
x runs to the patient's left, y to the back, z to the head. Sides are -1 (right) and +1 (left).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctviewer.datasets.phantom.families import Anatomy
from ctviewer.datasets.phantom.shapes import Number, ellipse, ellipsoid, intersection, rotate, smooth_step, union

SIDES = (-1, 1)
MIDLINE = 3.0
"""The bent x in mm that parts right from left: the heart pushes it to the left."""
_PLEURA_ROUNDING = 5.0


@dataclass(frozen=True)
class Chest:
    """The chest of one phantom; distances are in mm and negative inside.

    Attributes:
        a: its measures.
        dome_shift: mm that the left diaphragm lies lower.
        heart_turn: degrees by which the heart's axis points to the left and forwards.
        oblique: heights (as a share of the lungs') at which the oblique fissures cross the chest's middle, right and left.
    """

    a: Anatomy
    dome_shift: float
    heart_turn: float
    oblique: tuple[float, float]

    @classmethod
    def draw(cls, anatomy: Anatomy, rng: np.random.Generator) -> Chest:
        """Draw what the family leaves open."""
        shift, turn = rng.uniform(6, 18), rng.uniform(28, 44)
        return cls(anatomy, float(shift), float(turn), (float(rng.uniform(0.46, 0.52)), float(rng.uniform(0.48, 0.54))))

    def taper(self, z: Number) -> Number:
        """Width of the cavity at a height, 1 at its widest and towards 0 at the apex."""
        start = 0.3 * self.a.height
        t = np.clip((z - start) / (self.a.height - start), 0.0, 0.999)
        return np.sqrt(1 - t**self.a.taper)

    def axis(self, z: Number, side: int) -> tuple[Number, Number]:
        """Centre x, y of a lung's cavity at a height: it leans inwards and backwards upwards."""
        s = self.taper(z)
        return side * self.a.separation * (0.5 + 0.5 * s), 14.0 * (1 - s) - 4.0 * smooth_step(z, 0, 120)

    def half_axes(self, z: Number) -> tuple[Number, Number]:
        """Half width and half depth of one lung's cavity at a height."""
        s = self.taper(z)
        return self.a.half_width * s, self.a.half_depth * s**1.15

    def cavity(self, x: Number, y: Number, z: Number, side: int) -> Number:
        """One half of the thoracic cavity, inside of the ribs."""
        cx, cy = self.axis(z, side)
        a, b = self.half_axes(z)
        return ellipse(x - cx, y - cy, a, b, self.a.square) + np.maximum(z - self.a.height, 0)

    def hull(self, x: Number, y: Number, z: Number) -> Number:
        """Both halves and what lies between them."""
        cx, cy = self.axis(z, 1)
        _, b = self.half_axes(z)
        middle = np.maximum(np.abs(x) - np.abs(cx), np.abs(y - cy) - 0.86 * b)
        return union(np.minimum(self.cavity(x, y, z, -1), self.cavity(x, y, z, 1)), middle, 12.0)

    def under_dome(self, x: Number, y: Number, z: Number, side: int) -> Number:
        """Distance to a hemidiaphragm, negative under it: a paraboloid, steep at the back, flat in front."""
        top = self.dome_top(side)
        dx, dy = (x - side * 0.98 * self.a.separation) * side, y + 0.16 * self.a.half_depth
        width = np.where(dx > 0, 1.22 * self.a.half_width, 1.45 * self.a.half_width)
        depth = np.where(dy > 0, 1.08 * self.a.half_depth, 1.55 * self.a.half_depth)
        u, v = dx / width, dy / depth
        rho = u * u + v * v
        slope = np.sqrt(4 * ((u / width) ** 2 + (v / depth) ** 2) + 1 / top**2)
        return (rho + np.maximum(z, 0) / top - 1) / slope

    def dome_top(self, side: int) -> float:
        """Height of a hemidiaphragm."""
        return self.a.dome - (self.dome_shift if side > 0 else 0.0)

    def abdomen(self, x: Number, y: Number, z: Number) -> Number:
        """What lies under either diaphragm."""
        under = union(self.under_dome(x, y, z, -1), self.under_dome(x, y, z, 1), 30.0)  # the central tendon
        return np.where(z <= 0, -20.0, under)

    def heart(self, x: Number, y: Number, z: Number) -> Number:
        """Heart with its right atrium, without the fat around it."""
        k, h = self.a.heart, self.a.height
        u, v = rotate(x - 14 * k, y + 0.42 * self.a.half_depth, -self.heart_turn)
        w = z - 0.36 * h
        ventricles = ellipsoid(u, v, w + 0.28 * u, (60 * k, 43 * k, 47 * k))
        atrium = ellipsoid(x + 24 * k, y + 0.27 * self.a.half_depth, z - 0.38 * h, (30 * k, 33 * k, 40 * k))
        left_atrium = ellipsoid(x - 4, y + 4, z - 0.44 * h, (36 * k, 20 * k, 27 * k))
        return union(union(ventricles, atrium, 10.0), left_atrium, 8.0)

    def spine_y(self, z: Number) -> Number:
        """Where the vertebral bodies' centres lie (y): the thoracic curve."""
        return (
            0.54 * self.a.half_depth
            + 6.0 * np.sin(np.pi * np.clip(z / self.a.height, -0.3, 1.3))
            - 16 * smooth_step(z, 0.72 * self.a.height, 1.1 * self.a.height)
        )

    def mediastinum(self, x: Number, y: Number, z: Number) -> Number:
        """All between the lungs: heart, great vessels, spine, hila and the septum in front."""
        h, k = self.a.height, self.a.heart
        lift = smooth_step(z, 0.46 * h, 0.6 * h)
        above = smooth_step(z, 0.76 * h, 0.9 * h)
        upper = ellipse(x - 2, y - 2 + 6 * above, 8 + 19 * lift - 3 * above, 12 + 36 * lift - 8 * above)
        spine = ellipse(x, y - self.spine_y(z) - 4, 21.0, 24.0)
        behind = np.maximum(np.abs(x) - 14, self.spine_y(z) + 10 - y)
        aorta = ellipse(x - 19, y - self.spine_y(z) + 26, 14.0, 14.0)
        gullet = ellipse(x - 4, y - self.spine_y(z) + 26, 15.0, 14.0)
        septum = np.maximum(np.abs(x - MIDLINE) - 2.5, y + 0.1 * self.a.half_depth)
        hila = np.minimum(
            ellipsoid(x + 32, y - 6, z - 0.53 * h, (13.0, 15.0, 24.0)),
            ellipsoid(x - 32, y - 6, z - 0.56 * h, (13.0, 15.0, 22.0)),
        )
        heart = self.heart(x, y, z) - 3.0 * k
        out = union(union(upper, heart, 12.0), union(spine, union(aorta, gullet, 6.0), 8.0), 10.0)
        return union(union(out, np.minimum(septum, behind), 8.0), hila, 10.0)

    def lung(self, x: Number, y: Number, z: Number, side: int) -> Number:
        """One lung, diaphragm included."""
        wall = self.lung_wall(x, y, z, side)
        return intersection(wall, -self.under_dome(x, y, z, side), _PLEURA_ROUNDING)

    def lung_wall(self, x: Number, y: Number, z: Number, side: int, medial: Number | None = None) -> Number:
        """One lung as far as chest wall, mediastinum and the lowest recess bound it (the diaphragm does not)."""
        medial = self.mediastinum(x, y, z) if medial is None else medial
        midline = 3.0 - side * (x - MIDLINE)
        bounds = np.maximum(np.maximum(-medial, midline), -z)
        return intersection(self.cavity(x, y, z, side), bounds, _PLEURA_ROUNDING)

    def oblique_fissure(self, y: Number, z: Number, side: int) -> Number:
        """Distance from the oblique fissure: positive in the upper (and middle) lobe, negative in the lower one."""
        centre = self.oblique[0 if side < 0 else 1] * self.a.height
        slope = 0.95
        line = z - centre - slope * y + 0.0016 * y * y
        return line / np.sqrt(1 + slope**2)

    def horizontal_fissure(self, y: Number, z: Number) -> Number:
        """Distance from the right lung's horizontal fissure: positive in the upper lobe, negative in the middle one."""
        return z - 0.50 * self.a.height - 0.08 * y

    def lobe(self, y: Number, z: Number, side: int) -> Number:
        """0 lower, 1 upper, 2 middle (right only)."""
        upper = np.where(self.oblique_fissure(y, z, side) > 0, 1, 0)
        if side > 0:
            return upper
        return np.where((upper == 1) & (self.horizontal_fissure(y, z) < 0), 2, upper)
