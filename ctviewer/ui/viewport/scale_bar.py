"""The scale bar: a round length that is true at the present zoom."""

from __future__ import annotations

from dataclasses import dataclass

_LENGTHS_MM = (200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5)


@dataclass(frozen=True)
class ScaleBar:
    """A scale bar.

    Attributes:
        length_mm: what it stands for.
        pixels: how long it is, in view pixels.
        label: e.g. "5 cm".
    """

    length_mm: float
    pixels: float
    label: str


def choose_scale_bar(mm_per_pixel: float | None, longest: float, shortest: float = 16.0) -> ScaleBar | None:
    """The longest round bar of at most `longest` view pixels; None without spacing or where only a stub would fit.

    Args:
        mm_per_pixel: millimetres per view pixel. Pixels are drawn in their true aspect, so one number holds in both directions.
        longest: most view pixels that it may take.
        shortest: fewest view pixels at which it still can be read.
    """
    if mm_per_pixel is None or mm_per_pixel <= 0:
        return None
    for length in _LENGTHS_MM:
        pixels = length / mm_per_pixel
        if pixels <= longest:
            label = f"{length / 10:g} cm" if length >= 10 else f"{length:g} mm"
            return ScaleBar(length, pixels, label) if pixels >= shortest else None
    return None
