"""How far a figure would move with other patients: a bootstrap over patients, never over slices or single studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 1000
LEAST_RESAMPLED = 5
"""Under so many patients, draws of them with replacement say nothing of others: two alike would look like certainty."""
_VALUES_AT_ONCE = 2_000_000  # bounds the memory of a set of many thousand studies


def draws_of_patients(patients: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Iterator[Floats]:
    """How often each study counts in each draw, in parts `[some draws, n]`.

    As many patients as there are are drawn with replacement; all studies of one come together, as often as it was drawn.

    Args:
        patients: whose study each is.
        draws: in all.
        seed: of the draws; the same for two models, so that they are compared on the same patients.
    """
    names, of_study = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng, count = np.random.default_rng(seed), len(names)
    part = max(1, min(draws, _VALUES_AT_ONCE // max(1, len(patients))))
    for start in range(0, draws, part):
        picked = rng.integers(0, count, (min(part, draws - start), count))
        rows = np.arange(len(picked))[:, None] * count
        times = np.bincount((rows + picked).ravel(), minlength=len(picked) * count).reshape(len(picked), count)
        yield times[:, of_study].astype(float)


def resampled(
    figures: Sequence[Callable[[Floats], Floats]], patients: Sequence[str], draws: int = DRAWS, seed: int = 0
) -> Floats:
    """Figures in each draw `[figures, draws]`, all on the same draws; NaN where one was not defined."""
    parts = [[figure(weights) for figure in figures] for weights in draws_of_patients(patients, draws, seed)]
    return np.concatenate([np.array(part).reshape(len(figures), -1) for part in parts], axis=1)


def interval(values: Floats, patients: int) -> tuple[float, float] | None:
    """The 95 % percentile interval of resampled figures.

    Args:
        values: of the figure in each draw.
        patients: that it is of.

    Returns:
        Low and high; None under `LEAST_RESAMPLED` patients, and where most draws are undefined, or all alike: no spread was
        seen, which is not none.
    """
    known = values[np.isfinite(values)]
    if patients < LEAST_RESAMPLED or not known.size or known.size < len(values) / 2 or np.ptp(known) < 1e-12:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share in which nothing, or everything, went right (Clopper and Pearson, 1934).

    Raises:
        ValueError: the share is neither 0 nor 1; a bootstrap then says how far it moves.
    """
    if trials < 1 or successes not in (0, trials):
        raise ValueError("the share is neither 0 nor 1")
    bound = 0.025 ** (1.0 / trials)
    return (bound, 1.0) if successes else (0.0, 1.0 - bound)
