"""How long a run still takes, and what memory it holds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import psutil
import torch

_LOOK_BACK = 20  # steps: enough to smooth over long and short studies
_CACHED = 0.1  # of a step that encodes: what one from cached features is taken for before any was seen


@dataclass
class Pace:
    """Seconds that steps and judgements took, and what is left of them.

    Attributes:
        encoding_epochs: in which steps encode slices; later ones take features from the cache.
    """

    encoding_epochs: int
    _encoding: deque[float] = field(default_factory=lambda: deque(maxlen=_LOOK_BACK))
    _cached: deque[float] = field(default_factory=lambda: deque(maxlen=_LOOK_BACK))
    _judging: float = 0.0

    def stepped(self, epoch: int, seconds: float) -> None:
        """Note a step of an epoch, counted from 0."""
        (self._encoding if epoch < self.encoding_epochs else self._cached).append(seconds)

    def judged(self, seconds: float) -> None:
        """Note how long the validation studies of an epoch took."""
        self._judging = seconds

    def left(self, epoch: int, steps_left: int, steps_per_epoch: int, epochs: int) -> float | None:
        """Seconds to the end of a fold; None before the first step.

        Args:
            epoch: now, from 0.
            steps_left: of this epoch.
            steps_per_epoch: of the fold.
            epochs: of the fold.
        """
        slow, fast = _mean(self._encoding), _mean(self._cached)
        if slow is None and fast is None:
            return None
        fast = fast if fast is not None else _CACHED * (slow or 0.0)
        slow = slow if slow is not None else fast
        steps = [steps_per_epoch] * epochs
        steps[epoch] = steps_left
        total = sum(n * (slow if i < self.encoding_epochs else fast) for i, n in enumerate(steps) if i >= epoch)
        return total + self._judging * (epochs - epoch)

    def whole(self, steps_per_epoch: int, epochs: int) -> float:
        """Seconds of another fold; what this one has put into the cache serves it too."""
        slow, fast = _mean(self._encoding) or 0.0, _mean(self._cached)
        cached = self.encoding_epochs < epochs
        step = (fast if fast is not None else _CACHED * slow) if cached else slow
        return epochs * (steps_per_epoch * step + self._judging)


def memory_held(device: torch.device) -> int:
    """Bytes: on CUDA the most that tensors have taken of the device, else what the process holds."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def _mean(seconds: deque[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None
