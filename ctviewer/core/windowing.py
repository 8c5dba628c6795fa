"""Windows and VOI tables as DICOM PS3.3 C.11.2.1 defines them, and the presets of CT reading."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_MOST = 1e12  # centres and widths beyond it are damage: no 16-bit value times a sane slope comes near it


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
        least = 1.0 if self.function is VoiFunction.LINEAR else 1e-12
        if not abs(self.centre) <= _MOST or not least <= self.width <= _MOST:  # neither holds for NaN
            raise ValueError(f"window width {self.width} / centre {self.centre} is not valid for {self.function.value}")


@dataclass(frozen=True)
class VoiTable:
    """A table of the file that maps values to grey: one item of a VOI LUT Sequence (PS3.3 C.11.2).

    Attributes:
        first: value that the first entry stands for, in the volume's unit; values below it take the first entry, values
            beyond the last entry the last one.
        bits: of an entry, 8 to 16: `2 ** bits - 1` is white.
        entries: uint16, little endian, one per whole value. Bytes, so that tables can be compared and hashed.
        name: its explanation in the file; empty where there is none.
    """

    first: int
    bits: int
    entries: bytes
    name: str = ""

    def __post_init__(self) -> None:
        if not self.entries or len(self.entries) % 2 or not 1 <= self.bits <= 16:
            raise ValueError("a VOI table needs whole entries of 1 to 16 bits")

    @property
    def values(self) -> NDArray[np.uint16]:
        """The entries, read only."""
        return np.frombuffer(self.entries, "<u2")

    @property
    def as_window(self) -> Window:
        """The linear window over the range in which the table changes: where a drag of the window starts from."""
        steps = np.flatnonzero(np.diff(self.values.astype(np.int32)))
        low, high = (int(steps[0]), int(steps[-1]) + 1) if steps.size else (0, len(self.values) - 1)
        return Window(self.first + (low + high + 1) / 2, high - low + 1)

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Grey 0..1 of values of any shape, each rounded to the nearest entry."""
        table = self.values
        places = np.clip(np.rint(np.asarray(values, np.float64)) - self.first, 0, len(table) - 1).astype(np.intp)
        return np.asarray(np.minimum(table[places] / float(2**self.bits - 1), 1.0))


Voi: TypeAlias = Window | VoiTable
"""How a volume's values become grey."""


def as_window(voi: Voi) -> Window:
    """A window as it is, a table as the window over its range."""
    return voi.as_window if isinstance(voi, VoiTable) else voi


PRESETS: tuple[Window, ...] = (
    Window(-600, 1500, name="Lung"),
    Window(40, 400, name="Mediastinum"),
    Window(40, 350, name="Abdomen"),
    Window(350, 2000, name="Bone"),
    Window(40, 80, name="Brain"),
    Window(90, 150, name="Liver"),
)


_BODY_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Lung", ("CHEST", "THORAX", "LUNG")),  # also where more is named: CHESTABDPELVIS
    ("Mediastinum", ("NECK", "HEART", "CARDI", "CORONARY", "AORTA", "MEDIASTINUM")),
    ("Brain", ("HEAD", "BRAIN", "SKULL")),
    ("Liver", ("LIVER",)),
    ("Abdomen", ("ABD", "PELVIS", "KIDNEY", "PANCREAS", "COLON", "SPLEEN", "BLADDER", "UROGRAM")),
    (
        "Bone",
        ("SPINE", "HIP", "KNEE", "FOOT", "ANKLE", "HAND", "WRIST", "ELBOW", "SHOULDER", "EXTREMITY", "JAW", "LEG"),
    ),
)


def preset_for(body_part: str) -> Window:
    """The preset in which a CT series without a window of its own is shown first: by Body Part Examined, else for lungs."""
    stated = body_part.upper()
    names = (name for name, parts in _BODY_PARTS if any(part in stated for part in parts))
    wanted = next(names, "Lung")
    return next(preset for preset in PRESETS if preset.name == wanted)


def apply_window(values: NDArray[np.floating], window: Voi) -> NDArray[np.float64]:
    """Map values (any shape, in the window's unit) to grey 0..1 by PS3.3 C.11.2.1."""
    if isinstance(window, VoiTable):
        return window(values)
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
    window: Voi,
    slope: float,
    intercept: float,
    *,
    signed: bool,
    invert: bool = False,
    padding: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Grey levels for all 65,536 stored values, indexed by the stored value's uint16 bit pattern.

    Args:
        window: the window or table, in modality units.
        slope: rescale slope.
        intercept: rescale intercept.
        signed: whether the stored values are int16 (their bit pattern is looked up through `.view(uint16)`).
        invert: for MONOCHROME1, or the reader's own inversion.
        padding: stored values from..to that are no tissue: black, like what lies around the image, also when inverted.

    Returns:
        `[65536]` uint8.
    """
    codes = np.arange(65536, dtype=np.uint16)
    stored = codes.view(np.int16) if signed else codes
    grey = apply_window(stored.astype(np.float64) * slope + intercept, window)
    lut = np.rint(grey * 255.0).astype(np.uint8)
    lut = 255 - lut if invert else lut
    if padding is not None:
        lut[(stored >= padding[0]) & (stored <= padding[1])] = 0
    return lut
