"""What a bundle made by a training run says of itself in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctviewer.core.words import counted, enumerated
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT, InputLimits
from ctviewer.training.config import RunConfig
from ctviewer.training.predictions import Predictions
from ctviewer.training.recipes import Recipe

_SHARES_APART = 0.1

TITLES = {CLASSIFIER: "Study classifier", ONE_SHOT: "One-shot model"}
LICENCE = "other"  # who trains from scratch decides; a child has its parent's
INTENDED_USE = "Research in the department that trained it, on studies like those it learned from."
OUT_OF_SCOPE = (
    "Any clinical decision. Studies of other scanners, protocols and patients than those it learned from, until it has "
    "been measured on them."
)
CHOSEN = {
    CLASSIFIER: "the epoch was chosen and the probabilities were calibrated",
    ONE_SHOT: "the epoch and the display threshold were chosen",
}
UNITS = {CLASSIFIER: "study", ONE_SHOT: "scan"}
"""What one of the studies of a run is."""
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


_ATTENTION = {
    CLASSIFIER: "Attention says where the model looked, not where disease is; it sums to 1 in a healthy chest too.",
    ONE_SHOT: "An outline says that something looks like what it learned, not what it is; attention says which regions a "
    "slice's class came from, and sums to 1 in a healthy slice too.",
}


@dataclass(frozen=True)
class Told:
    """Sentences that depend on what a run started from.

    Attributes:
        title, licence, restriction, trained_on, limits, out_of_scope: see `Metadata`; a child has its parent's licence.
        input_limits: the parent's, else `INPUT_LIMITS`.
    """

    title: str
    licence: str
    restriction: str
    trained_on: str
    limits: str
    out_of_scope: str
    input_limits: InputLimits

    @classmethod
    def of(cls, base: Bundle | None, task: str, knows: str, learned_from: str) -> Told:
        """What to say of a child of `base`.

        Args:
            base: None for a start without one.
            task: of the child.
            knows: what it can tell, as a sentence.
            learned_from: "40 studies of 38 patients".
        """
        limits = f"{knows} It learned them from {learned_from}. {_ATTENTION[task]}"
        if base is None:
            return cls(TITLES[task], LICENCE, "", f"trained on {learned_from}", limits, OUT_OF_SCOPE, INPUT_LIMITS)
        parent = base.metadata
        return cls(
            title=parent.title if parent.task == task else TITLES[task],
            licence=parent.licence,
            restriction=parent.restriction,
            trained_on=f"tuned from {base.key} on {learned_from}",
            limits=f"{limits} What its parent, {base.key}, was learned from and cannot do stands in the parent's card.",
            out_of_scope=OUT_OF_SCOPE,
            input_limits=parent.input_limits,
        )


def licence_note(base: Bundle | None) -> tuple[str, ...]:
    """What a licence that restricts means for a run that starts from a model: it holds for what the run makes too."""
    if base is None or not base.metadata.restriction:
        return ()
    m = base.metadata
    return (f"The licence of {base.key} ({m.licence}) holds for the new model too. {m.restriction}",)


def judged_by_validation(task: str) -> str:
    """Where nobody was left to judge by but those that something was chosen by."""
    units = counted(2, UNITS[task]).partition(" ")[2]
    return (
        f"There were no test {units}: the figures are of the validation {units}, by which {CHOSEN[task]}; they look better "
        "than they would on new patients."
    )


def knows(classes: Sequence[str]) -> str:
    """What a study classifier tells apart."""
    return f"It knows these classes and no others: {', '.join(classes)}."


def knows_slices(classes: Sequence[str], image_classes: Sequence[str]) -> str:
    """What a one-shot model tells of a slice."""
    outlined = f"It outlines {enumerated(classes[1:])} on single slices and nothing else"
    if not image_classes:
        return f"{outlined}; it tells no class of a slice."
    return f"{outlined}; it tells slices of these classes and no others: {', '.join(image_classes)}."


def slice_probabilities(image_classes: Sequence[str], recipe: Recipe) -> str:
    """What the probabilities of slices refer to; "" where there are none."""
    if not image_classes:
        return ""
    refer = "equally frequent" if recipe.sampling == "inverse_frequency" else "as frequent as in training"
    return (
        "Each class of slices has a probability of its own; they need not sum to 1. They are not calibrated, and refer to "
        f"classes that are {refer}."
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
    units = counted(2, UNITS[config.task]).partition(" ")[2]
    if folds:
        return (
            f"Cross-validation of {config.data.folds} folds, repeated {counted(config.data.repeats, 'time')}, grouped by "
            "patient and stratified by class. The figures are of nets that had not seen the patient; the weights in this "
            f"bundle learned from all {units} afterwards and were not measured themselves."
        )
    how = {
        "stratified": f"stratified by class, drawn with seed {config.seed}",
        "time": "by time, older to training and newer to test",
    }[config.data.splitting]
    if config.task == ONE_SHOT:
        return f"By patient, {how}; scans to which their set gives a part are there."
    return f"By patient, {how}; studies whose row of the labels names a split are where it says."


def seen_by_parent(seen: int, studies: int, parent: str, unit: str = "study") -> str:
    """A warning that belongs on the card."""
    return (
        f"{seen} of the {counted(studies, unit)} that the figures refer to had been learned from by {parent} or what it was made "
        "of: on them the figures of both look better than they would on new patients."
    )


def seen_by_model(seen: int, studies: int, model: str, unit: str = "study") -> str:
    """A warning beside figures of one model."""
    return (
        f"{seen} of {counted(studies, unit)} had been learned from by {model} or what it was made of: on them it looks better than "
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


def learned_from(studies: int, patients: int, unit: str = "study") -> str:
    """For instance "40 studies of 38 patients"."""
    what = counted(studies, unit)
    return f"{what} of {counted(patients, 'patient')}" if patients else what
