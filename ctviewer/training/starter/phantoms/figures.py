"""Figures of a card from records of single studies, with intervals by bootstrap over patients (5 or more)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ctviewer.models.metadata import Metric
from ctviewer.models.metrics import bootstrap
from ctviewer.training.scores.resampling import LEAST_RESAMPLED

T = TypeVar("T")
Figure = Callable[[Sequence[T]], float]


def card_figures(
    figures: Mapping[str, Figure[T]], records: Sequence[T], patients: Sequence[str], data: str, draws: int = 1000
) -> tuple[Metric, ...]:
    """Compute figures by name; those that are not defined on these records are left out.

    Args:
        figures: by name, each of a list of records.
        records: one per study.
        patients: whose study each record is.
        data: what they were measured on.
        draws: of the bootstrap.
    """
    groups = [[r for r, p in zip(records, patients, strict=True) if p == name] for name in dict.fromkeys(patients)]
    out = []
    for name, figure in figures.items():
        value = figure(records)
        if math.isfinite(value):
            low, high = bootstrap(groups, _flat(figure), draws)
            if len(groups) < LEAST_RESAMPLED or low == high:  # no spread was seen, which is not none
                low = high = None
            out.append(Metric(name, round(value, 4), low, high, len(groups), "patients", data))
    return tuple(out)


def _flat(figure: Figure[T]) -> Callable[[Sequence[Sequence[T]]], float]:
    return lambda groups: figure([record for group in groups for record in group])
