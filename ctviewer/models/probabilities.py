"""From logits to probabilities: one copy for training, inference and evaluation. Needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def class_probabilities(logits: NDArray[np.floating], *, exclusive: bool) -> NDArray[np.float64]:
    """Probabilities of a study classifier's classes.

    Args:
        logits: `[..., classes]`, of studies or slices.
        exclusive: whether one class excludes the others, as the bundle's metadata says.
    """
    return softmax(logits) if exclusive else sigmoid(logits)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of classes that do not exclude each other, in float64."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, np.float64))))


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of exclusive classes, over the last axis, in float64: they sum to 1 for the reader too."""
    x = np.asarray(logits, np.float64)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
