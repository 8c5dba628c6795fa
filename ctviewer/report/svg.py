"""Small vector pictures for HTML pages: dark on light, readable on a phone and on paper, with words for those who cannot see.

No scripts, no styles from outside, nothing that a printer or a strict browser leaves out.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from ctviewer.report.markup import INK, MUTED, RULE, printable

Point = tuple[float, float]

PAPER = "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#1b2530", "#7a5c00")
"""Of lines; dark enough for white paper, told apart by the colour blind (after Okabe and Ito), and never alone: see `DASHES`."""
DASHES = ("", "7 4", "2 3", "10 3 2 3", "1 5", "14 4")

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def text_of(value: str, most: int = 200) -> str:
    """Text for SVG: escaped, on one line, no longer than `most` letters."""
    plain = " ".join(printable(value).split())
    return html.escape(plain if len(plain) <= most else plain[: most - 1] + "…")


def style_of(index: int) -> tuple[str, str]:
    """Colour and dashes of the n-th line."""
    return COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]


class Sheet:
    """A picture being drawn, in units of about one CSS pixel.

    Args:
        width, height: of the drawing; it is scaled to the width that the page gives it.
        title: short, what it is.
        told: what it shows, in words and numbers, for a screen reader.
    """

    def __init__(self, width: float, height: float, title: str, told: str) -> None:
        self.width, self.height = width, height
        self._head = f"<title>{text_of(title)}</title><desc>{text_of(told, 2000)}</desc>"
        self._label = f"{text_of(title)}. {text_of(told, 2000)}"
        self._parts: list[str] = []

    def line(self, start: Point, end: Point, colour: str = RULE, width: float = 1.0, dash: str = "") -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"'
            f"{_dashed(dash)}/>"
        )

    def path(self, points: Sequence[Point], colour: str, dash: str = "", width: float = 2.0) -> None:
        """A line through points."""
        if points:
            at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            self._parts.append(
                f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"'
                f"{_dashed(dash)}/>"
            )

    def rect(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "none") -> None:
        """A filled rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" stroke="{edge}"/>'
        )

    def dot(self, at: Point, colour: str, radius: float = 4.0, hollow: bool = False) -> None:
        """A marker."""
        fill = PAPER if hollow else colour
        self._parts.append(
            f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
        )

    def text(
        self, at: Point, words: str, *, size: float = 13, colour: str = INK, anchor: str = "start", bold: bool = False,
        turned: bool = False, most: int = 60,
    ) -> None:  # fmt: skip
        """One line of text; `anchor` is "start", "middle" or "end"."""
        x, y = at
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}"{weight}{turn}>'
            f"{text_of(words, most)}</text>"
        )

    def svg(self) -> str:
        """The picture as an element for an HTML page."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{self._label}" font-family="{_FONT}">{self._head}'
            f'<rect x="0" y="0" width="{self.width:g}" height="{self.height:g}" fill="{PAPER}"/>{"".join(self._parts)}</svg>'
        )


class Frame:
    """A pair of axes on a sheet.

    Args:
        sheet: to draw on.
        box: left, top, width, height.
        across, up: lowest and highest value of each axis.
    """

    def __init__(self, sheet: Sheet, box: tuple[float, float, float, float], across: Point, up: Point) -> None:
        self._sheet, self._box, self._across, self._up = sheet, box, across, up

    def at(self, x: float, y: float) -> Point:
        """Where a value lies on the sheet."""
        left, top, width, height = self._box
        (x0, x1), (y0, y1) = self._across, self._up
        return left + width * (x - x0) / (x1 - x0), top + height * (1 - (y - y0) / (y1 - y0))

    def axes(self, across: str, up: str, across_ticks: Sequence[float], up_ticks: Sequence[float]) -> None:
        """Grid, numbers and names."""
        left, top, width, height = self._box
        for tick in across_ticks:
            x, _ = self.at(tick, self._up[0])
            self._sheet.line((x, top), (x, top + height))
            self._sheet.text((x, top + height + 17), f"{tick:g}", size=12, colour=MUTED, anchor="middle")
        for tick in up_ticks:
            _, y = self.at(self._across[0], tick)
            self._sheet.line((left, y), (left + width, y))
            self._sheet.text((left - 7, y + 4), f"{tick:g}", size=12, colour=MUTED, anchor="end")
        self._sheet.line((left, top + height), (left + width, top + height), INK, 1.2)
        self._sheet.line((left, top), (left, top + height), INK, 1.2)
        self._sheet.text((left + width / 2, top + height + 36), across, anchor="middle")
        self._sheet.text((left - 40, top + height / 2), up, anchor="middle", turned=True)


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two values, `about` of them: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = min((power * factor for factor in (1, 2, 5, 10)), key=lambda size: abs(span / size - about))
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
