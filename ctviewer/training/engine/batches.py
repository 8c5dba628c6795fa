"""Which sequences each step learns from: pure functions of seed, fold, epoch and step, so that resuming is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.recipes import Recipe
from ctviewer.training.sampling import Subsequence, inverse_frequency, training_sequences

_ORDER, _DROPOUT = 1, 2  # tell the two kinds of draws apart


@dataclass(frozen=True)
class Batches:
    """All steps of a fold.

    Attributes:
        sequences: what one epoch goes through.
        weights: `[sequences]`, to be drawn by with replacement; None to take each once.
        size: sequences of a step; the last step of an epoch may have fewer.
        seed: of the run.
        fold: of the cross-validation.
    """

    sequences: tuple[Subsequence, ...]
    weights: NDArray[np.float64] | None
    size: int
    seed: int
    fold: int

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-len(self.sequences) // self.size)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """`[sequences]`: which of them the epoch takes, in its order."""
        rng = np.random.default_rng([_ORDER, self.seed, self.fold, epoch])
        count = len(self.sequences)
        if self.weights is None:
            return np.asarray(rng.permutation(count))
        return np.asarray(rng.choice(count, count, p=self.weights))

    def taken(self, steps: int) -> int:
        """Sequences that so many steps of an epoch take."""
        return min(steps * self.size, len(self.sequences))

    def steps_of(self, taken: int) -> int:
        """Steps that so many sequences of an epoch were taken in."""
        return -(-taken // self.size)

    def step(self, epoch: int, number: int) -> tuple[Subsequence, ...]:
        """The sequences of a step, counted from 0 within its epoch."""
        chosen = self.order(epoch)[number * self.size : (number + 1) * self.size]
        return tuple(self.sequences[i] for i in chosen)


def make_batches(
    lengths: Mapping[str, int], classes: Mapping[str, Sequence[str]], recipe: Recipe, seed: int, fold: int
) -> Batches:
    """The steps of a fold.

    Args:
        lengths: slices by training study.
        classes: by study.
        recipe: its batch, sampling and splitting of long studies.
        seed: of the run.
        fold: of the cross-validation.
    """
    long = recipe.long_study if recipe.long_study > 0 else max(lengths.values()) + 1
    sequences = training_sequences(lengths, long, recipe.every)
    weights = None
    if recipe.sampling == "inverse_frequency":
        weights = inverse_frequency([classes[one.study] for one in sequences])
    return Batches(sequences, weights, recipe.batch, seed, fold)


def dropout_seed(seed: int, fold: int, epoch: int, step: int, position: int) -> int:
    """What torch's generators are seeded with before a sequence passes the net.

    Dropout thus depends neither on what was computed before nor on which process computes it.
    """
    state = np.random.SeedSequence([_DROPOUT, seed, fold, epoch, step, position]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
