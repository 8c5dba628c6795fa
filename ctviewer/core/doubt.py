"""How sure a study's probability is: an interval where patients bear it out, and otherwise why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctviewer.core.calibration import LEAST_PATIENTS, BandPoint, Calibration
from ctviewer.core.findings import StudyClassification, probability_text
from ctviewer.core.words import counted, enumerated

Interval = tuple[float, float]

NO_SLICE_INTERVAL = "No interval: probabilities of single slices are not calibrated on patients."


@dataclass(frozen=True)
class Doubt:
    """What stands beside the probabilities of a study.

    Attributes:
        intervals: 95 %, by class in the model's order; None for none.
        finding: of the probability of any finding; None for none.
        reason: one sentence: why there is no interval, or what the intervals are of.
        on_patients: whether the probabilities were calibrated on enough patients of each class.
    """

    intervals: tuple[Interval | None, ...]
    finding: Interval | None
    reason: str
    on_patients: bool


def doubt_of(told: StudyClassification) -> Doubt:
    """The doubt about an answer, by the calibration that its bundle states.

    An interval is given only where that calibration was on at least `LEAST_PATIENTS` real patients of each class.
    """
    calibration, classes = told.model.calibration, told.model.classes
    if calibration is None or (reason := _why_none(calibration, classes)):
        none = "no calibration on patients is on record for this model"
        return Doubt((None,) * len(classes), None, f"No interval: {none if calibration is None else reason}.", False)
    bands = [calibration.bands.get(name, ()) for name in classes]
    intervals = tuple(_interval(band, p) for band, p in zip(bands, told.probabilities, strict=True))
    return Doubt(intervals, _of_finding(told, intervals), _sentence(calibration, classes, intervals), True)


def interval_text(interval: Interval) -> str:
    """For people: "0.71 to 0.90"."""
    return f"{probability_text(interval[0])} to {probability_text(interval[1])}"


def _why_none(calibration: Calibration, classes: Sequence[str]) -> str:
    """Why no class has an interval, as a clause; "" where the calibration bears intervals."""
    if not calibration.real:
        return f"checked on {calibration.data}, not calibrated on patients' own studies"
    few = [name for name in classes if calibration.patients.get(name, 0) < LEAST_PATIENTS]
    if few:
        those = enumerated([f"{calibration.patients.get(name, 0)} of {name}" for name in few])
        return f"calibrated on {those}, and at least {LEAST_PATIENTS} patients of each class are needed"
    return ""


def _interval(band: Sequence[BandPoint], probability: float) -> Interval | None:
    """Between the points of a band, held beyond its ends; None without one, or where it does not hold the probability."""
    if not band:
        return None
    at = [point.probability for point in band]
    low, high = (float(np.interp(probability, at, [getattr(p, end) for p in band])) for end in ("low", "high"))
    inside = min(max(probability, at[0]), at[-1])
    return (min(low, probability), max(high, probability)) if low <= inside <= high else None


def _of_finding(told: StudyClassification, intervals: Sequence[Interval | None]) -> Interval | None:
    """Of anything but the negative class, or of the class that `finding_probability` takes where there is none."""
    classes = told.model.classes
    if told.negative_class not in classes:
        return intervals[int(np.argmax(told.probabilities))]
    negative = intervals[classes.index(told.negative_class)]
    return None if negative is None else (1.0 - negative[1], 1.0 - negative[0])


def _sentence(calibration: Calibration, classes: Sequence[str], intervals: Sequence[Interval | None]) -> str:
    patients = enumerated([f"{counted(calibration.patients[name], 'patient')} of {name}" for name in classes])
    of = f"95 % intervals of the calibration on {calibration.data} ({patients}); other scanners and patients may differ"
    missing = [name for name, interval in zip(classes, intervals, strict=True) if interval is None]
    if len(missing) == len(classes):
        return f"No interval: the calibration on {calibration.data} ({patients}) gives none for this probability."
    return f"{of}. No interval for {enumerated(missing)}." if missing else f"{of}."
