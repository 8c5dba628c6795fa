"""When the classification branch takes the weights of the segmentation branch (models.md, "weight copy")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BEST, PREVIOUS_STEP = "best", "previous_step"


@dataclass
class Copying:
    """Follows the segmentation loss.

    Attributes:
        rule: `BEST`: whenever the smoothed loss is lower than it ever was, the first time always; `PREVIOUS_STEP`: after
            each step on lesions, as the paper's reference does.
        smoothing: 0..1, the share of the smoothed loss that each step leaves of what it was before.
        smoothed: so far; None before the first step on lesions.
        best: lowest of it; None before.
    """

    rule: str
    smoothing: float
    smoothed: float | None = None
    best: float | None = None

    def seen(self, loss: float) -> bool:
        """Note the segmentation loss of a step, the same in all processes; whether weights are copied now."""
        kept = self.smoothing
        self.smoothed = loss if self.smoothed is None else kept * self.smoothed + (1.0 - kept) * loss
        better = math.isfinite(self.smoothed) and (self.best is None or self.smoothed < self.best)
        if better:
            self.best = self.smoothed
        return better or self.rule == PREVIOUS_STEP

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"smoothed": self.smoothed, "best": self.best}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.smoothed, self.best = state.get("smoothed"), state.get("best")
