"""Windowing as DICOM PS3.3 C.11.2.1.2 defines it, and the presets of CT reading."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class VoiFunction(Enum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class Window:
    """A display window in the volume's unit (HU for CT).

    Attributes:
        centre: window centre (level).
        width: window width, at least 1 for LINEAR (greater than 0 for the others).
        function: how values map to grey.
        name: its explanation in the file, or the preset's name; empty where the reader made it.
    """

    centre: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR
    name: str = ""

    def __post_init__(self) -> None:
        least = 1.0 if self.function is VoiFunction.LINEAR else 1e-6
        if not np.isfinite(self.centre) or not np.isfinite(self.width) or self.width < least:
            raise ValueError(f"window width {self.width} / centre {self.centre} is not valid for {self.function.value}")


PRESETS: tuple[Window, ...] = (
    Window(-600, 1500, name="Lung"),
    Window(40, 400, name="Mediastinum"),
    Window(40, 350, name="Abdomen"),
    Window(350, 2000, name="Bone"),
    Window(40, 80, name="Brain"),
    Window(90, 150, name="Liver"),
)


def apply_window(values: NDArray[np.floating], window: Window) -> NDArray[np.float64]:
    """Map values (any shape, in the window's unit) to grey 0..1 by PS3.3 C.11.2.1.2."""
    x = np.asarray(values, dtype=np.float64)
    c, w = window.centre, window.width
    if window.function is VoiFunction.SIGMOID:
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (x - c) / w)))
    if window.function is VoiFunction.LINEAR_EXACT:
        return np.clip((x - c) / w + 0.5, 0.0, 1.0)
    if w == 1.0:  # the standard's formula degenerates to a step
        return np.where(x > c - 0.5, 1.0, 0.0)
    return np.clip((x - (c - 0.5)) / (w - 1.0) + 0.5, 0.0, 1.0)


def window_lut(
    window: Window, slope: float, intercept: float, *, signed: bool, invert: bool = False
) -> NDArray[np.uint8]:
    """Grey levels for all 65,536 stored values, indexed by the stored value's uint16 bit pattern.

    Args:
        window: the window, in modality units.
        slope: rescale slope.
        intercept: rescale intercept.
        signed: whether the stored values are int16 (their bit pattern is looked up through `.view(uint16)`).
        invert: for MONOCHROME1, or the reader's own inversion.

    Returns:
        `[65536]` uint8.
    """
    codes = np.arange(65536, dtype=np.uint16)
    stored = codes.view(np.int16) if signed else codes
    grey = apply_window(stored.astype(np.float64) * slope + intercept, window)
    lut = np.rint(grey * 255.0).astype(np.uint8)
    return 255 - lut if invert else lut
