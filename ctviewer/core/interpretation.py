"""What a reader states about images that do not say it themselves: the meaning of values, distances, orientation."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ctviewer.core.errors import InputError
from ctviewer.core.series import Series

VALUES, SPACING, ORIENTATION = "values", "spacing", "orientation"
"""What `Series.questions` may hold."""
STATED = "stated-by-reader"
"""Code of the notices that say what rests on a reader's statement; results and reports repeat them."""
HEAD_FIRST, FEET_FIRST = "head-first", "feet-first"
_LARGEST = 1e6
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_OFFSET = re.compile(rf"hu(?P<offset>[+-]{_NUMBER})?", re.IGNORECASE)
_LINE = re.compile(rf"hu=(?P<slope>[+-]?{_NUMBER})\*x(?P<intercept>[+-]{_NUMBER})?", re.IGNORECASE)


@dataclass(frozen=True)
class Interpretation:
    """A reader's statement about one series. Fields that were not stated are None (`order`: empty).

    Attributes:
        unit: "HU"; "" for plain grey values without a unit; None where nothing was stated.
        slope, intercept: HU = value in the file * slope + intercept; 1 and 0 unless `unit` is "HU".
        pixel_spacing: mm between rows, mm between columns.
        slice_spacing: mm between neighbouring slices.
        order: "head-first" or "feet-first": the slices are axial, seen from the feet with the front on top, and the first
            one is the one nearest to the head or to the feet. Empty: the orientation is unknown.
        stated_on: day of the statement, ISO 8601; empty for one made on the command line.
    """

    unit: str | None = None
    slope: float = 1.0
    intercept: float = 0.0
    pixel_spacing: tuple[float, float] | None = None
    slice_spacing: float | None = None
    order: str = ""
    stated_on: str = ""

    def __post_init__(self) -> None:
        if self.unit not in (None, "", "HU") or self.order not in ("", HEAD_FIRST, FEET_FIRST):
            raise ValueError("an interpretation states HU or plain grey values, and head first or feet first")
        if self.unit != "HU" and (self.slope, self.intercept) != (1.0, 0.0):
            raise ValueError("slope and intercept lead to Hounsfield units only")
        if not (math.isfinite(self.slope) and 1 / _LARGEST < abs(self.slope) < _LARGEST):
            raise ValueError(f"a slope of {self.slope:g} is not possible")
        if not (math.isfinite(self.intercept) and abs(self.intercept) < _LARGEST):
            raise ValueError(f"an intercept of {self.intercept:g} is not possible")
        for length in (*(self.pixel_spacing or ()), *([] if self.slice_spacing is None else [self.slice_spacing])):
            if not 1e-4 <= length <= 1e3:  # NaN fails too
                raise ValueError(f"a distance of {length:g} mm is not possible")

    @property
    def values_text(self) -> str:
        """What was stated about the values, in words; "" where nothing was."""
        if self.unit is None:
            return ""
        if self.unit == "":
            return "the values are plain grey values"
        if (self.slope, self.intercept) == (1.0, 0.0):
            return "the values are Hounsfield units"
        if self.slope == 1.0:
            sign = "-" if self.intercept > 0 else "+"
            return f"the file holds Hounsfield units {sign} {abs(self.intercept):g}"
        return f"Hounsfield units are {self.slope:g} times the value in the file {self.intercept:+g}"

    @property
    def spacing_text(self) -> str:
        """What was stated about distances, in words; "" where nothing was."""
        parts = []
        if self.pixel_spacing is not None:
            rows, columns = self.pixel_spacing
            same = rows == columns
            parts.append(
                f"pixels of {rows:g} mm" if same else f"{rows:g} mm between rows, {columns:g} mm between columns"
            )
        if self.slice_spacing is not None:
            parts.append(f"{self.slice_spacing:g} mm between slices")
        return ", ".join(parts)

    @property
    def order_text(self) -> str:
        """What was stated about the orientation, in words; "" where nothing was."""
        end = {HEAD_FIRST: "head", FEET_FIRST: "feet"}.get(self.order)
        return f"axial slices seen from the feet, the first one nearest to the {end}" if end else ""


def parse_values(text: str) -> Interpretation:
    """What `--values` states: "hu", "hu+1024" (the file holds HU + 1024), "hu=0.5*x-1000", or "grey".

    Raises:
        InputError: the text is none of these.
    """
    plain = text.replace(" ", "")
    if plain.lower() in ("grey", "gray"):
        return Interpretation(unit="")
    try:
        if found := _OFFSET.fullmatch(plain):
            return Interpretation("HU", 1.0, 0.0 - float(found["offset"] or 0))
        if found := _LINE.fullmatch(plain):
            return Interpretation("HU", float(found["slope"]), float(found["intercept"] or 0))
    except ValueError as error:
        raise InputError(f"--values {text}: {error}.") from error
    raise InputError(f"--values {text} is not understood; give hu, hu+1024, hu=0.5*x-1000 or grey.")


def parse_spacing(text: str) -> Interpretation:
    """What `--spacing` states: "ROWxCOLUMN" or "ROWxCOLUMNxSLICE" in mm, "0.7x0.7x1.25" for instance.

    Raises:
        InputError: the text is none of these.
    """
    try:
        lengths = [float(part) for part in text.lower().split("x")]
        if len(lengths) in (2, 3):
            return Interpretation(
                pixel_spacing=(lengths[0], lengths[1]), slice_spacing=lengths[2] if len(lengths) == 3 else None
            )
    except ValueError as error:
        if "not possible" in str(error):
            raise InputError(f"--spacing {text}: {error}.") from error
    raise InputError(
        f"--spacing {text} is not understood; give ROWxCOLUMN or ROWxCOLUMNxSLICE in mm, like 0.7x0.7x1.25."
    )


def statements(series: Series) -> tuple[str, ...]:
    """What of a series rests on a reader's statement, in a sentence each."""
    return tuple(notice.text for notice in series.notices if notice.code == STATED)
