"""What the probabilities of a model were checked on, as its bundle states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LEAST_PATIENTS = 30
"""Patients of each class, below which no interval is shown beside a probability: fewer do not bound one usefully."""


@dataclass(frozen=True)
class BandPoint:
    """How far patients leave it open what a probability stands for.

    Attributes:
        probability: that the model gives, 0..1.
        low, high: 95 % interval of the probability that it stands for.
    """

    probability: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """What the probabilities of a study were fitted or checked on.

    Attributes:
        data: what it was ("simulated studies of held-out patients").
        real: whether these were patients' own studies, as they were scanned.
        patients: of each class.
        ece: expected calibration error on it, 0..1.
        method: how it was fitted, and how the bands were made, in sentences.
        bands: by class, rising by probability; a class without one has no interval.
    """

    data: str
    real: bool
    patients: Mapping[str, int] = field(hash=False)
    ece: float
    method: str = ""
    bands: Mapping[str, tuple[BandPoint, ...]] = field(default_factory=dict, hash=False)

    @property
    def enough(self) -> bool:
        """Whether each class has the patients that an interval needs."""
        return bool(self.patients) and min(self.patients.values()) >= LEAST_PATIENTS
