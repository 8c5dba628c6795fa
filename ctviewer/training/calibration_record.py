"""What a bundle says of the patients that its probabilities were fitted on, and how far they leave a probability open.

The band of a class says what a probability that the model gives would have been, had other patients of the same kind
calibrated it. Patients are drawn anew with replacement; on each draw the logit of the probability is fitted again by a
slope and an intercept (Cox 1958, Biometrika 45:562), with the weights and targets of `calibration.fit`; of the curves
that the draws give, the middle 95 % are the band (a calibration belt by bootstrap; Nattino et al. 2014, Stat Med 33:2390,
make one from the likelihood instead).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.calibration import LEAST_PATIENTS, BandPoint, Calibration
from ctviewer.training.calibration import fit_each, patient_weights
from ctviewer.training.predictions import Predictions
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.scores import weighted
from ctviewer.training.scores.targets import probabilities

Floats = NDArray[np.float64]

GENERATED = "ctviewer"
"""How the manufacturer of studies begins that this program generated."""
VALIDATED = "the validation patients of its training run"
OUT_OF_FOLD = "the patients of its training run, each judged by a net that had not seen him"
METHOD = (
    "Fitted on these patients; the bands are the middle 95 % of {draws} refits of slope and intercept on patients drawn "
    "anew, at the shares of classes that the probabilities refer to. They leave out how other scanners may differ."
)
_GRID = np.array([0.001, 0.01, 0.03, 0.06, *np.arange(0.1, 0.95, 0.05), 0.94, 0.97, 0.99, 0.999])
_LEAST_DRAWS = 0.5  # of the draws must hold the class and its rest


def are_patients(report: PreflightReport) -> bool:
    """Whether pre-flight saw the scanners of the studies, and none was this program's generator of phantoms."""
    rows = [row for table in report.tables if table.fact == "manufacturer" for row in table.rows]
    return bool(rows) and not any(row.startswith(GENERATED) for row in rows)


def calibration_record(
    predictions: Predictions, prevalence: Mapping[str, float], data: str, real: bool, draws: int = 200, seed: int = 0
) -> Calibration:
    """The record for a bundle.

    Args:
        predictions: calibrated, of the studies that the calibration was fitted on.
        prevalence: class to share that the probabilities refer to.
        data: what the studies are, in words.
        real: whether they are patients' own.
        draws: of patients.
        seed: of the draws.

    Returns:
        With a band for each class where the studies are real and have `LEAST_PATIENTS` of each class, and of classes
        that stand alone as many without it; without bands elsewhere.
    """
    counts = {
        name: len(set(_patients(predictions)[predictions.truth[:, k]])) for k, name in enumerate(predictions.classes)
    }
    bands = (
        dict(_bands(predictions, prevalence, draws, seed)) if real and min(counts.values()) >= LEAST_PATIENTS else {}
    )
    p, truth, weights = probabilities(predictions), predictions.truth, patient_weights(predictions)[None]
    errors = [weighted.calibration_error(weights, p[:, k], truth[:, k])[0] for k in range(p.shape[1])]
    return Calibration(data, real, counts, float(np.mean(errors)), METHOD.format(draws=draws) if bands else "", bands)


def _bands(
    predictions: Predictions, prevalence: Mapping[str, float], draws: int, seed: int
) -> Iterator[tuple[str, tuple[BandPoint, ...]]]:
    """Band of each class whose patients, and those without it, are enough."""
    p, truth, names = probabilities(predictions), predictions.truth, _patients(predictions)
    for k, name in enumerate(predictions.classes):
        if len(set(names[~truth[:, k]])) < LEAST_PATIENTS:
            continue
        rng = np.random.default_rng((seed, k))
        curves = list(_curves(_logit(p[:, k]), truth[:, k], predictions, prevalence[name], draws, rng))
        if len(curves) >= _LEAST_DRAWS * draws:
            low, high = np.percentile(curves, [2.5, 97.5], axis=0)
            yield name, tuple(BandPoint(*map(float, point)) for point in zip(_GRID, low, high, strict=True))


def _curves(
    logits: Floats,
    positive: NDArray[np.bool_],
    predictions: Predictions,
    share: float,
    draws: int,
    rng: np.random.Generator,
) -> Iterator[Floats]:
    """What the probabilities of the grid are on each draw of patients."""
    _, patient = np.unique(_patients(predictions), return_inverse=True)
    count, each, at = int(patient.max()) + 1, patient_weights(predictions), _logit(_GRID)
    for _ in range(draws):
        weights = each * np.bincount(rng.integers(0, count, count), minlength=count)[patient]
        if not weights[positive].any() or not weights[~positive].any():
            continue
        temperature, (bias,) = fit_each(logits[:, None], positive[:, None], weights, {"": share})
        yield 1.0 / (1.0 + np.exp(-(at / temperature + bias)))


def _patients(predictions: Predictions) -> NDArray[np.str_]:
    return np.array(predictions.patients)


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside) - np.log1p(-inside))
