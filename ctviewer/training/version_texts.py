"""What a bundle made by a training run says of itself in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctviewer.core.words import counted, enumerated
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, InputLimits
from ctviewer.training.config import RunConfig
from ctviewer.training.predictions import Predictions
from ctviewer.training.recipes import Recipe

_SHARES_APART = 0.1

TITLE = "Study classifier"
LICENCE = "other"  # who trains from scratch decides; a child has its parent's
INTENDED_USE = "Research in the department that trained it, on studies like those it learned from."
OUT_OF_SCOPE = (
    "Any clinical decision. Studies of other scanners, protocols and patients than those it learned from, until it has "
    "been measured on them."
)
JUDGED_BY_VALIDATION = (
    "There were no test studies: the figures are of the validation studies, by which the epoch was chosen and the "
    "probabilities were calibrated; they look better than they would on new patients."
)
INPUT_LIMITS = InputLimits(
    modalities=("CT",),
    planes=("axial",),
    original_only=True,
    slices=(8, 1500),
    slice_spacing_mm=(0.4, 12.0),
    field_of_view_mm=(200.0, 600.0),
    air_hu=(-3100.0, -700.0),
    tissue_hu=(-150.0, 200.0),
)


@dataclass(frozen=True)
class Told:
    """Sentences that depend on what a run started from.

    Attributes:
        title, licence, trained_on, limits, out_of_scope: see `Metadata`.
        input_limits: the parent's, else `INPUT_LIMITS`.
    """

    title: str
    licence: str
    trained_on: str
    limits: str
    out_of_scope: str
    input_limits: InputLimits

    @classmethod
    def of(cls, base: Bundle | None, classes: Sequence[str], learned_from: str) -> Told:
        """What to say of a child of `base`.

        Args:
            base: None for a start without one.
            classes: that it knows.
            learned_from: "40 studies of 38 patients".
        """
        limits = (
            f"It knows these classes and no others: {', '.join(classes)}. It learned them from {learned_from}. Attention "
            "says where the model looked, not where disease is; it sums to 1 in a healthy chest too."
        )
        if base is None:
            return cls(TITLE, LICENCE, f"trained on {learned_from}", limits, OUT_OF_SCOPE, INPUT_LIMITS)
        parent = base.metadata
        return cls(
            title=parent.title if parent.task == CLASSIFIER else TITLE,
            licence=parent.licence,
            trained_on=f"tuned from {base.key} on {learned_from}",
            limits=f"{limits} What its parent, {base.key}, was learned from and cannot do stands in the parent's card.",
            out_of_scope=OUT_OF_SCOPE,
            input_limits=parent.input_limits,
        )


def probabilities(calibration: str, recipe: Recipe) -> str:
    """What the probabilities refer to.

    Args:
        calibration: what was fitted, as sentences; "" where nothing was tried.
        recipe: of the run.
    """
    if calibration:
        return calibration  # it names the shares
    if recipe.sampling == "inverse_frequency":
        return "The probabilities are not calibrated; they refer to classes that are equally frequent."
    return "The probabilities are not calibrated; they refer to the shares of the classes among the training studies."


def split(config: RunConfig, folds: int) -> str:
    """How studies were shared out."""
    if folds:
        return (
            f"Cross-validation of {config.data.folds} folds, repeated {counted(config.data.repeats, 'time')}, grouped by "
            "patient and stratified by class. The figures are of nets that had not seen the patient; the weights in this "
            "bundle learned from all studies afterwards and were not measured themselves."
        )
    how = {
        "stratified": f"stratified by class, drawn with seed {config.seed}",
        "time": "by time, older to training and newer to test",
    }[config.data.splitting]
    return f"By patient, {how}; studies whose row of the labels names a split are where it says."


def seen_by_parent(seen: int, studies: int, parent: str) -> str:
    """A warning that belongs on the card."""
    return (
        f"{seen} of the {studies} studies that the figures refer to had been learned from by {parent} or what it was made "
        "of: on them the figures of both look better than they would on new patients."
    )


def seen_by_model(seen: int, studies: int, model: str) -> str:
    """A warning beside figures of one model."""
    return (
        f"{seen} of {studies} studies had been learned from by {model} or what it was made of: on them it looks better than "
        "it would on new patients."
    )


def other_shares(prevalence: Mapping[str, float], predictions: Predictions, model: str) -> str:
    """A warning that calibration and log loss are measured where classes are otherwise frequent; "" where they are not.

    Args:
        prevalence: class to share that the probabilities refer to; empty where nobody knows.
        predictions: on the set that figures refer to.
        model: "name version".
    """
    truths = [case.truth for case in predictions.cases]
    found = {name: sum(name in truth for truth in truths) / max(1, len(truths)) for name in prevalence}
    if not truths or all(abs(share - found[name]) <= _SHARES_APART for name, share in prevalence.items()):
        return ""
    referred, here = (enumerated([f"{name} {share:.0%}" for name, share in one.items()]) for one in (prevalence, found))
    return (
        f"The probabilities of {model} refer to other shares of the classes ({referred}) than this set has ({here}): ECE and "
        "log loss measured on it look worse than where the probabilities hold."
    )


def learned_from(studies: int, patients: int) -> str:
    """For instance "40 studies of 38 patients"."""
    what = counted(studies, "study")
    return f"{what} of {counted(patients, 'patient')}" if patients else what
