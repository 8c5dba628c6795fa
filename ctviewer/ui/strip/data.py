"""What the strip shows, and how it is said in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.findings import SliceScore, probability_text
from ctviewer.core.scales import FULL_AREA, FULL_ATTENTION
from ctviewer.ui.strip.scale import area_text, value_text

NOTHING_STANDS_OUT = "no slice stands out"
NO_SCORE = "no score per slice"
REVIEWED = "reviewed completely"
LETTERS = "ABCD"
"""What stands over the columns of the class lane: a class is told by its place and letter, never by colour alone."""
_SCORE_HELP = {
    SliceScore.ATTENTION: (
        "Attention: the model's weight of each slice, in times uniform (the line is 1 × uniform).\n"
        f"The scale is fixed and compressed, and ends at {FULL_ATTENTION:.0f} ×. Colour strength is the probability of a "
        "finding; grey means that no slice stands out. Hatched: not looked at."
    ),
    SliceScore.PROBABILITY: "Probability of a finding on each slice, 0 to 1 (the line is 0.5). Hatched: not looked at.",
    SliceScore.LESION_AREA: f"Area of all lesions on each slice, square-root scale that ends at {FULL_AREA:.0f}.",
    SliceScore.NONE: "",
}


@dataclass(eq=False)
class StripData:
    """What the strip shows; arrays are by display position.

    Attributes:
        count: number of slices.
        score: what `lengths` are.
        lengths: `[count]`, times uniform for attention; NaN where not looked at; None without an analysis.
        strength: probability of a finding, 0..1.
        stands_out: whether any slice stands out.
        area: `[count]` lesion area, NaN where not looked at; None without a detector.
        area_unit: "mm2" or "px".
        classes: slice classes of the one-shot model in use; empty where it tells none.
        negative_class: the one of them that means "no finding"; "" for none.
        probabilities: `[count, classes]`, each class for itself, NaN where not looked at; None before it has begun.
        loaded: `[count]` bool, None where all are.
        reviewed: `[count]` bool, which slices the reader reviewed completely; None where none is.
        top: display positions by rank.
        bars: whether bars and marks are shown.
    """

    count: int = 0
    score: SliceScore = SliceScore.NONE
    lengths: NDArray[np.float64] | None = None
    strength: float = 0.0
    stands_out: bool = True
    area: NDArray[np.float64] | None = None
    area_unit: str = "mm2"
    classes: tuple[str, ...] = ()
    negative_class: str = ""
    probabilities: NDArray[np.float64] | None = None
    loaded: NDArray[np.bool_] | None = None
    reviewed: NDArray[np.bool_] | None = None
    top: tuple[int, ...] = ()
    bars: bool = True

    def checked(self, values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """A copy of `values`.

        Raises:
            ValueError: there is not one value per slice.
        """
        if values is None:
            return None
        if values.shape != (self.count,):
            raise ValueError("one value per slice is needed")
        return np.array(values, np.float64)

    @property
    def columns(self) -> tuple[int, ...]:
        """Places in `classes` of those that have a column of the class lane: findings only, the first four."""
        return tuple(k for k, name in enumerate(self.classes) if name != self.negative_class)[: len(LETTERS)]

    @property
    def strongest_class(self) -> NDArray[np.float64] | None:
        """`[count]`, the highest probability of the classes that have a column; None before the model has begun."""
        if self.probabilities is None or not self.columns:
            return None
        return np.asarray(self.probabilities[:, list(self.columns)].max(axis=1))

    @property
    def note(self) -> str:
        """The line under the lanes, empty where the bars speak for themselves."""
        if not self.bars or self.lengths is None:
            return ""
        if self.score is SliceScore.NONE:
            return NO_SCORE
        return "" if self.stands_out else NOTHING_STANDS_OUT

    @property
    def title(self) -> str:
        """Header of the main lane: what the score is, and never another name for it."""
        names = {
            SliceScore.ATTENTION: "Attention",
            SliceScore.PROBABILITY: "Probability",
            SliceScore.LESION_AREA: "Lesion area",
        }
        return names.get(self.score, "")

    def values(self, position: int) -> tuple[str, ...]:
        """What is known of the slice at a display position, a line each."""
        lines: tuple[str, ...] = ()
        if self.bars and self.lengths is not None:
            lines += (value_text(float(self.lengths[position]), self.score, self.area_unit),)
            lines += (f"rank {self.top.index(position) + 1}",) if position in self.top and self.stands_out else ()
        if self.bars and self.area is not None:
            lines += (area_text(float(self.area[position]), self.area_unit),)
        if self.bars and self.probabilities is not None:
            lines += self._class_lines(self.probabilities[position])
        if self.reviewed is not None and self.reviewed[position]:
            lines += (REVIEWED,)
        return tuple(line for line in lines if line)

    def _class_lines(self, probabilities: NDArray[np.float64]) -> tuple[str, ...]:
        """The slice's classes under their own heading: they are another model's answer, and none about the study."""
        if not np.isfinite(probabilities).all():
            return ("slice class: not looked at",)
        letters = {k: f"{letter} " for letter, k in zip(LETTERS, self.columns, strict=False)}
        told = zip(self.classes, probabilities.tolist(), strict=True)
        return (
            "slice class, each for itself:",
            *(f"   {letters.get(k, '')}{name} {probability_text(p)}" for k, (name, p) in enumerate(told)),
        )

    @property
    def class_help(self) -> str:
        """What the class lane means, and its legend; empty without it."""
        if not self.bars or not self.columns:
            return ""
        legend = [f"{letter}: {self.classes[k]}" for letter, k in zip(LETTERS, self.columns, strict=False)]
        left_out = [name for k, name in enumerate(self.classes) if k not in self.columns]
        return "\n".join(
            (
                "Slice class: what the one-shot model says of each slice, 0 to 1, each class for itself.",
                "It is no answer about the study. The line is 0.5; bars from there on are bright. Hatched: not looked at.",
                *legend,
                *([f"Without a column: {', '.join(left_out)}"] if left_out else []),
            )
        )

    @property
    def score_help(self) -> str:
        """What the main lane means; empty without bars."""
        return _SCORE_HELP[self.score] if self.bars and self.lengths is not None else ""

    @property
    def area_help(self) -> str:
        """What the lesion lane means; empty without it."""
        if not self.bars or self.area is None:
            return ""
        unit = self.area_unit.replace("mm2", "mm²")
        return f"Area of all lesions on each slice. Square-root scale, fixed; ends at {FULL_AREA:.0f} {unit}."
