"""What a training step is given: parts of long studies, how often each comes, and how it is turned and cropped."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.augment import Pose

LONG_STUDY = 200  # slices from which a study is split in training; the paper splits those of 200 to 300
EVERY = 4


@dataclass(frozen=True)
class Subsequence:
    """Every `step`-th slice of a study.

    Attributes:
        study: its id.
        start: first slice, from 0 at the head.
        step: 1 for the whole study.
    """

    study: str
    start: int = 0
    step: int = 1

    def of(self, slices: NDArray[np.intp]) -> NDArray[np.intp]:
        """A view of the slices of the study, `[n]` to `[about n / step]`."""
        return slices[self.start :: self.step]

    def count(self, slices: int) -> int:
        """How many of the slices of the study they are."""
        return len(range(self.start, slices, self.step))


def training_sequences(
    lengths: Mapping[str, int], long: int = LONG_STUDY, step: int = EVERY
) -> tuple[Subsequence, ...]:
    """What one epoch of training goes through: long studies as `step` sequences of every `step`-th slice (Ye, Datasets).

    For training only: validation, test and use take whole studies.

    Args:
        lengths: slices by study.
        long: from how many slices a study is split.
        step: into how many sequences.
    """
    found: list[Subsequence] = []
    for study, slices in lengths.items():
        if slices >= long:
            found += [Subsequence(study, start, step) for start in range(step)]
        else:
            found.append(Subsequence(study))
    return tuple(found)


def inverse_frequency(classes: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Probabilities `[n]` to draw each sequence by, so that all classes come equally often.

    A sequence of several classes has the mean of their weights.

    Args:
        classes: of each sequence, at least one.
    """
    sizes = Counter(name for found in classes for name in found)
    weights = np.array([float(np.mean([1.0 / sizes[name] for name in found])) for found in classes])
    return np.asarray(weights / weights.sum())


def paper_pose(size: int, crop: int, degrees: float = 10.0) -> Pose:
    """The augmentation of the paper: rotation to either side, then a crop anywhere in the square; grey stays as it is.

    Args:
        size: side of the resized square, in pixels.
        crop: side of the crop.
        degrees: of rotation.
    """
    return Pose(
        degrees=degrees,
        zoom=(1.0, 1.0),
        shift=(size - crop) / 2 / size,
        grey_shift=0.0,
        grey_gain=(1.0, 1.0),
        noise=0.0,
        blur=0.0,
    )


def draw_generator(seed: int, study: str, epoch: int, draws: int) -> np.random.Generator:
    """The random numbers of one draw: a pure function of seed, study and epoch modulo the number of draws.

    Features cached for `draws` draws are thus what an uncached run computes, and resuming is exact. All sequences of a
    study share its draws. The name of the study counts by its SHA-256: Python's own hash differs from run to run.
    """
    name = int.from_bytes(hashlib.sha256(study.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return np.random.default_rng([seed, epoch % draws, name])
