"""How well a score per slice ranks the infected slices of one patient. Plain numbers, no interval: slices of one patient are
no sample of patients.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ctviewer.models.metrics import auc_roc

Floats = NDArray[np.float64]
TOPS = (4, 10, 20)


def ranked(scores: Floats, infected: NDArray[np.bool_]) -> dict[str, float]:
    """Figures of one score; those that are not defined are left out.

    Args:
        scores: `[slices]`, head to feet; NaN where the model did not look.
        infected: `[slices]` by the reader's label.

    Returns:
        By name: the area under the ROC curve, and the share of infected slices among the 4, 10 and 20 that score highest (ties
        in their order from the head). Tops that the scan has not slices enough for are left out.
    """
    known = np.isfinite(scores)
    scores, infected = scores[known], infected[known]
    found = {"AUC-ROC": auc_roc(scores, infected)}
    order = np.argsort(-scores, kind="stable")
    for count in TOPS:
        if count <= len(order):
            found[f"infected among the top {count}"] = float(infected[order[:count]].mean())
    return {name: value for name, value in found.items() if np.isfinite(value)}


def position_scores(slices: int, lung: NDArray[np.bool_]) -> Mapping[str, Floats]:
    """Scores that know nothing but where a slice lies.

    Args:
        slices: how many.
        lung: `[slices]`, head to feet: which show lung.

    Returns:
        By name, `[slices]` each: how far towards the feet, how near to the middle of the scan and of the lungs.
    """
    place = np.arange(slices, dtype=np.float64)
    scores = {
        "slice position, towards the feet": place,
        "slice position, near the middle of the scan": -np.abs(place - (slices - 1) / 2),
    }
    if lung.any():
        first, last = np.flatnonzero(lung)[[0, -1]]
        scores["slice position, near the middle of the lungs"] = -np.abs(place - (first + last) / 2)
    return scores


def outer_tenths(weights: Floats) -> tuple[float, float]:
    """Share of the attention on the first and last tenth of the slices, head and feet.

    Args:
        weights: `[slices]`, head to feet; NaN where the model did not look.
    """
    known = weights[np.isfinite(weights)]
    tenth = max(1, round(len(known) / 10))
    total = float(known.sum()) or 1.0
    return float(known[:tenth].sum()) / total, float(known[-tenth:].sum()) / total
