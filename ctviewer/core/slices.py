"""Labelled slices of one scan: what data sets give and what a one-shot model learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

HU, GREY = "HU", "grey"
BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class LabelledSlices:
    """Slices of one scan, upright in patient axes: columns to the patient's left, rows to posterior.

    Attributes:
        names: `[n]`, stable and each once within the scan.
        pixels: `[n, rows, columns]` float32: Hounsfield units, or grey 0..1 where the files hold a window's picture.
        unit: `HU` or `GREY`.
        spacing: mm between rows, mm between columns; None where unknown.
        labels: `[n, rows, columns]` uint8, an index of `label_classes` by value; None where no lesions are marked.
        label_classes: what the values of `labels` mean; the first is `BACKGROUND`.
        complete: `[n]`, whether all lesions of the slice are marked: only then is what is unmarked known to be none.
        image_classes: `[n]`, the class of each slice; "" where nobody said it.
        origins: `[n]`, SHA-256 of the weights whose accepted output the labels of the slice are; "" for a person's own.
        neighbours: whether slices that follow each other are neighbours in the chest, none missing between them: outlines
            that overlap from one to the next are then of one lesion.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.float32]
    unit: str
    spacing: tuple[float, float] | None
    labels: NDArray[np.uint8] | None = None
    label_classes: tuple[str, ...] = (BACKGROUND,)
    complete: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    image_classes: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    neighbours: bool = False

    def __post_init__(self) -> None:
        """Fill in what was left out, and refuse what does not fit together.

        Raises:
            ValueError: arrays of other lengths, an unknown unit, or a label that has no class.
        """
        count = len(self.names)
        for name, default in (
            ("complete", np.zeros(count, bool)),
            ("image_classes", ("",) * count),
            ("origins", ("",) * count),
        ):
            if len(getattr(self, name)) == 0:
                object.__setattr__(self, name, default)
        lengths = {len(self.pixels), len(self.complete), len(self.image_classes), len(self.origins), count}
        if len(lengths) != 1 or len(set(self.names)) != count or self.unit not in (HU, GREY):
            raise ValueError("labelled slices of different lengths, with equal names or of an unknown unit")
        if self.labels is not None and self.labels.shape != self.pixels.shape:
            raise ValueError(f"labels of shape {self.labels.shape} for pixels of shape {self.pixels.shape}")
        if self.labels is not None and int(self.labels.max(initial=0)) >= len(self.label_classes):
            raise ValueError("a label has no class")
