"""The bars over the slices, drawn for print: the model's weight, the lesion area, the slice classes, in the order shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ctviewer.core.findings import SliceScore
from ctviewer.core.geometry import Plane
from ctviewer.core.palette import Rgb
from ctviewer.core.scales import FULL_AREA, FULL_ATTENTION, area_fraction, attention_fraction
from ctviewer.report import drawing
from ctviewer.report.document import Picture

_WIDTH, _LEFT, _RIGHT = 2100, 150, 60
_TOP, _LANE, _GAP, _AREA, _BOTTOM = 80, 300, 46, 130, 64
_CLASS, _NAME = 90, 44  # height of a class's lane, and of its name above it
_SMALL, _TEXT = 30, 34
_INK: Rgb = (40, 46, 54)
_MUTED: Rgb = (105, 113, 122)
_RULE: Rgb = (216, 221, 227)
_GREY: Rgb = (158, 165, 173)
_AMBER: Rgb = (201, 128, 0)
_BLUE: Rgb = (31, 127, 191)
_SLATE: Rgb = (90, 99, 109)
_UNSEEN: Rgb = (241, 243, 245)
_ENDS = {
    Plane.AXIAL: ("head", "feet"),
    Plane.CORONAL: ("front", "back"),
    Plane.SAGITTAL: ("right", "left"),
}


@dataclass(frozen=True, eq=False)
class HeatLanes:
    """What is drawn; arrays `[slices]` in the order shown, NaN where a slice was not looked at.

    Attributes:
        lengths: `StudyClassification.bar_lengths`; None without a study classifier.
        score: what they are.
        strength: 0..1, the probability of a finding: how strong the colour is.
        stands_out: False draws the bars grey.
        area: lesion area; None without a detector.
        area_unit: "mm2" or "px".
        classes: name and probability of each slice class that means a finding; a lane each, so that none has to be told
            from another by colour.
        plane: gives the words at both ends.
        marked: (rank, place in the order shown) of the top slices.
        first, last: how the first and last slice shown are cited.
    """

    lengths: NDArray[np.float64] | None
    score: SliceScore
    strength: float
    stands_out: bool
    area: NDArray[np.float64] | None
    area_unit: str
    plane: Plane
    marked: tuple[tuple[int, int], ...]
    first: str
    last: str
    classes: tuple[tuple[str, NDArray[np.float64]], ...] = ()


def draw(lanes: HeatLanes) -> Picture | None:
    """The plot as PNG; None where there is no lane."""
    shown = [lane for lane in (lanes.lengths, lanes.area, *(values for _, values in lanes.classes)) if lane is not None]
    if not shown:
        return None
    height = _TOP + _BOTTOM + (_LANE if lanes.lengths is not None else 0) + (_AREA if lanes.area is not None else 0)
    height += _GAP if lanes.lengths is not None and lanes.area is not None else 0
    height += len(lanes.classes) * (_NAME + _CLASS)
    image = Image.new("RGB", (_WIDTH, height), (255, 255, 255))
    painter = _Painter(ImageDraw.Draw(image), len(shown[0]))
    y = _TOP
    if lanes.lengths is not None:
        painter.weights(lanes, lanes.lengths, y)
        y += _LANE + _GAP
    if lanes.area is not None:
        painter.area(lanes.area, lanes.area_unit, y)
        y += _AREA
    for name, values in lanes.classes:
        painter.slice_class(name, values, y + _NAME)
        y += _NAME + _CLASS
    painter.ends(lanes, height - _BOTTOM)
    painter.marks(lanes.marked)
    return drawing.png(image)


def fraction(lengths: NDArray[np.float64], score: SliceScore) -> NDArray[np.float64]:
    """Share 0..1 of the lane, never stretched to the study: attention on its compressive scale, others as they are."""
    values = np.nan_to_num(lengths, nan=0.0)
    return attention_fraction(values) if score is SliceScore.ATTENTION else np.clip(values, 0.0, 1.0)


class _Painter:
    """Draws lanes onto one picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, count: int) -> None:
        self._draw = draw
        self._edges = np.linspace(_LEFT, _WIDTH - _RIGHT, count + 1)

    def weights(self, lanes: HeatLanes, lengths: NDArray[np.float64], top: int) -> None:
        attention = lanes.score is SliceScore.ATTENTION
        ticks = (1.0, 2.0, 4.0, FULL_ATTENTION) if attention else (0.5, 1.0)
        self._unseen(lengths, top, _LANE)
        for tick in ticks:
            y = top + _LANE * (1.0 - float(fraction(np.array([tick]), lanes.score)[0]))
            self._line(y, _MUTED if attention and tick == 1.0 else _RULE)
            words = f"{tick:g} ×" if attention else f"{tick:g}"
            drawing.text(self._draw, (_LEFT - 14, y), words, size=_SMALL, fill=_MUTED, anchor="rm")
        strength = lanes.strength if lanes.stands_out else 0.0
        self._bars(fraction(lengths, lanes.score), top, _LANE, _blend(_GREY, _AMBER, strength))
        if attention:
            y = top + _LANE * (1.0 - float(fraction(np.array([1.0]), lanes.score)[0]))
            self._line(y, _MUTED)

    def area(self, area: NDArray[np.float64], unit: str, top: int) -> None:
        self._unseen(area, top, _AREA)
        for tick in (FULL_AREA / 10, FULL_AREA):
            y = top + _AREA * (1.0 - float(area_fraction(np.array([tick]))[0]))
            self._line(y, _RULE)
            words = f"{tick / 100:.0f} cm²" if unit == "mm2" else f"{tick:.0f} px"
            drawing.text(self._draw, (_LEFT - 14, y), words, size=_SMALL, fill=_MUTED, anchor="rm")
        self._bars(area_fraction(np.nan_to_num(area, nan=0.0)), top, _AREA, _BLUE)

    def slice_class(self, name: str, values: NDArray[np.float64], top: int) -> None:
        self._unseen(values, top, _CLASS)
        drawing.text(self._draw, (_LEFT, top - 8), name, size=_SMALL, fill=_MUTED, anchor="ls")
        for tick in (0.5, 1.0):
            self._line(top + _CLASS * (1.0 - tick), _RULE)
            at = (_LEFT - 14, top + _CLASS * (1.0 - tick))
            drawing.text(self._draw, at, f"{tick:g}", size=_SMALL, fill=_MUTED, anchor="rm")
        self._bars(np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0), top, _CLASS, _SLATE)

    def ends(self, lanes: HeatLanes, y: int) -> None:
        first, last = _ENDS.get(lanes.plane, ("first", "last"))
        drawing.text(self._draw, (_LEFT, y + 16), f"{first}  ·  {lanes.first}", size=_TEXT, fill=_INK, anchor="lt")
        drawing.text(
            self._draw, (_WIDTH - _RIGHT, y + 16), f"{lanes.last}  ·  {last}", size=_TEXT, fill=_INK, anchor="rt"
        )

    def marks(self, marked: tuple[tuple[int, int], ...]) -> None:
        """Ranks over the lanes, each on a stem to its slice; neighbours move apart."""
        placed: list[float] = []
        for rank, place in sorted(marked, key=lambda m: m[1]):
            x = float(self._edges[place] + self._edges[place + 1]) / 2
            at = max(x, placed[-1] + 46) if placed else x
            placed.append(at)
            self._draw.line((at, 50, x, _TOP - 2), fill=_INK, width=3)
            self._draw.ellipse((at - 21, 8, at + 21, 50), fill=_INK)
            drawing.text(self._draw, (at, 29), str(rank), size=_SMALL, fill=(255, 255, 255), anchor="mm")

    def _bars(self, shares: NDArray[np.float64], top: int, height: int, colour: Rgb) -> None:
        gap = 2 if self._edges[1] - self._edges[0] >= 6 else 0
        for k in np.flatnonzero(shares > 0):
            x0, x1 = self._edges[k], max(self._edges[k] + 1, self._edges[k + 1] - gap - 1)
            self._draw.rectangle((x0, top + height * (1.0 - shares[k]), x1, top + height), fill=colour)
        self._draw.line((_LEFT, top + height, _WIDTH - _RIGHT, top + height), fill=_INK, width=2)

    def _unseen(self, values: NDArray[np.float64], top: int, height: int) -> None:
        for k in np.flatnonzero(~np.isfinite(values)):
            self._draw.rectangle((self._edges[k], top, self._edges[k + 1], top + height), fill=_UNSEEN)

    def _line(self, y: float, colour: Rgb) -> None:
        self._draw.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=colour, width=2)


def _blend(low: Rgb, high: Rgb, share: float) -> Rgb:
    t = min(1.0, max(0.0, share))
    r, g, b = (round(x + (y - x) * t) for x, y in zip(low, high, strict=True))
    return r, g, b
