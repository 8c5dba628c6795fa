"""What a reader must know beside the figures of a set: what is not given and why, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctviewer.core.words import counted, enumerated
from ctviewer.models.metadata import Metric
from ctviewer.training.predictions import Predictions
from ctviewer.training.scores.figures import AREAS, ECE, FIRST_TENTH, LAST_TENTH, SHARES
from ctviewer.training.scores.targets import Target, answers, patients_of, targets
from ctviewer.training.scores.weighted import BINS, chance_error


def notes(predictions: Predictions, metrics: Sequence[Metric], least: int) -> tuple[str, ...]:
    """Sentences, the weightiest first.

    Args:
        predictions: of one set.
        metrics: of `evaluation.evaluate` on it.
        least: patients with and without a class from which areas were given.
    """
    found = targets(predictions)
    return (
        *_absent(predictions),
        *_withheld(predictions, found, least),
        *_without_mistake(metrics),
        *_without_spread(metrics),
        *_frequency(predictions, found),
        *_calibration(found, metrics),
        *_repeated(predictions),
        *_attention(predictions, metrics),
    )


def _absent(predictions: Predictions) -> Iterator[str]:
    truth, called = predictions.truth, answers(predictions)
    for i, name in enumerate(predictions.classes):
        if not truth[:, i].any():
            wrongly = int(called[:, i].sum())
            taken = f"{counted(wrongly, 'study')} {'was' if wrongly == 1 else 'were'}" if wrongly else "none was"
            yield f"No study of this set shows {name}, so that it has no sensitivity; {taken} taken for it."


def _withheld(predictions: Predictions, found: Sequence[Target], least: int) -> Iterator[str]:
    few = []
    for target in found:
        with_it, without = patients_of(target.positive, predictions.patients)
        if min(with_it, without) < least:
            few.append(f"{target.name} ({counted(with_it, 'patient')} with, {without} without)")
    if few:
        yield (
            f"{enumerated(AREAS)} are not given for {enumerated(few)}: an area under a curve takes {least} patients with "
            "the class and as many without to mean anything."
        )


def _without_mistake(metrics: Sequence[Metric]) -> Iterator[str]:
    if any(one.name.startswith(SHARES) and one.value in (0.0, 1.0) for one in metrics):
        yield (
            "A sensitivity or specificity of 1 (or 0) has the exact binomial interval over patients: no resampling can "
            "show a mistake, or a success, that was not seen."
        )


def _without_spread(metrics: Sequence[Metric]) -> Iterator[str]:
    flat = [one.name for one in metrics if one.low is None]
    if flat:
        yield f"No interval is given for {enumerated(flat)}: too few patients show it, no resampling of them changes it, or most cannot tell it."


def _frequency(predictions: Predictions, found: Sequence[Target]) -> Iterator[str]:
    shares = enumerated([f"{one.name} {one.positive.mean():.0%}" for one in found])
    yield f"AP, AUC-PR and accuracy depend on how frequent each class is; among the studies of this set: {shares}."


def _calibration(found: Sequence[Target], metrics: Sequence[Metric]) -> Iterator[str]:
    given = {one.name for one in metrics}
    parts = [f"{chance_error(one.scores):.3f} for {one.name}" for one in found if f"{ECE}, {one.name}" in given]
    if parts:
        yield f"With so many studies even a perfectly calibrated model would show an ECE of about {enumerated(parts)}."


def _repeated(predictions: Predictions) -> Iterator[str]:
    patients = len(set(predictions.patients))
    if patients < len(predictions.cases):
        yield (
            f"{counted(len(predictions.cases), 'study')} are of {counted(patients, 'patient')}: figures count studies, "
            "intervals draw patients with all their studies."
        )


def _attention(predictions: Predictions, metrics: Sequence[Metric]) -> Iterator[str]:
    values = {one.name: one.value for one in metrics if one.name in (FIRST_TENTH, LAST_TENTH)}
    if len(values) == 2 and max(values.values()) > 0.2:
        yield (
            "More than a fifth of the attention lies on an outer tenth of the slices, where hardly any lung is: look at "
            "what the model goes by."
        )


DEFINITIONS = (
    "Every study counts once. Intervals are 95 % percentile intervals of 1,000 bootstrap draws of patients, all studies of "
    "a patient together; they say how far a figure moves with other patients of the same kind, not with another scanner "
    "or hospital.",
    "AUC-ROC: probability that a study with the class gets a higher probability than one without; ties count half.",
    "AP: step sum of precision over recall. AUC-PR: the same area by trapezoids.",
    "Sensitivity and specificity: of what the model answers at its own threshold, as in the viewer. Of several classes it "
    "names one; where it has a class for no finding, the threshold decides between that and the rest.",
    f"ECE: expected calibration error, the mean distance between the probability given and the share that was true, over "
    f"{BINS} ranges of equal width, weighted by the studies in each (L1).",
    "Log loss: mean of minus the natural logarithm of the probability given to the truth; 0 is perfect, and confident "
    "mistakes cost most.",
    "Attention on the first and last tenth of the slices (head and feet end): attention always sums to 1, in a healthy "
    "chest too. An even spread has a tenth on each.",
)
"""How the figures are defined, for a page."""
