"""The lesion model's figures: of fold models, each judged on patients that it never saw; trained here where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctviewer.app.model_evaluation.parts import BESIDE, LESIONS, Part, Setting, Table, figure, rounded
from ctviewer.app.progress import drain
from ctviewer.models.card_figures import fold_models_note
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.starter.chests import Chest
from ctviewer.training.starter.lesion_figures import INFECTED, PAINTED_OUT
from ctviewer.training.starter.lesion_folds import CrossValidated, Folds, cross_validate

BUNDLE = "infection-lesions"
PUBLISHED = figure(
    "Dice of infection, nnU-Net, published",
    0.673,
    20,
    "patients",
    "COVID-19-CT-Seg, whole volumes, 5-fold (the data set's own benchmark)",
)
_TITLE = "Lesions: cross-validation by patient"
_NOT_ALIKE = (
    "The published Dice of 0.673 (nnU-Net) is not like for like: it is of 20 whole volumes, ours of the infected slices of 10 of "
    "them, and slices without infection make it harder."
)
_FROC = "FROC is per infected slice set: every scanned slice of this data shows infection."
_PAINTED = (
    "Infection was painted out as it was for training: on the lungs of healthy people, as they were scanned, the models may mark "
    "more than on these."
)
_RECOVERED = "The Hounsfield units of these slices were recovered from equalised pictures; they are not values as they were scanned."


@dataclass(frozen=True, eq=False)
class FoldRun:
    """What is to be cross-validated.

    Attributes:
        chests: to learn from and to be judged by.
        judged_too: see `cross_validate`.
        plan: how; its folder keeps the folds.
        data: what the sets are, for the card.
    """

    chests: Sequence[Chest]
    judged_too: Sequence[Chest]
    plan: Folds
    data: str


def judge_lesions(setting: Setting, run: FoldRun | str) -> Part:
    """Figures over all folds, each patient once.

    Args:
        setting: of the evaluation.
        run: what is judged, or why it cannot be.

    Raises:
        CtviewerError: as `cross_validate`.
    """
    if isinstance(run, str):
        return Part(LESIONS, _TITLE, skipped=run)
    events = cross_validate(run.chests, run.plan, judged_too=run.judged_too, data=run.data)
    found: CrossValidated = drain(events, setting.line)
    metrics = [rounded(one) for one in found.metrics]
    whose = fold_models_note(len(found.kept), sum(one.patients["test"] for one in found.kept))
    notes = (whose, _NOT_ALIKE, _FROC, _PAINTED, _RECOVERED)
    keys = [bundle.key for bundle in setting.of(ONE_SHOT) if bundle.metadata.name == BUNDLE]
    figures = dict.fromkeys(keys or [f"fold models of {BUNDLE}"], metrics)
    card_notes = {one.data: " ".join((whose, *_beside(one.data))) for one in metrics}
    return Part(LESIONS, _TITLE, {BESIDE: [PUBLISHED], **figures}, notes, [_folds(found)], card_notes=card_notes)


def _beside(data: str) -> tuple[str, ...]:
    """What is to be known of the figures of one kind of sets."""
    if INFECTED in data:
        return _NOT_ALIKE, _FROC, _RECOVERED
    return (_PAINTED, _RECOVERED) if PAINTED_OUT in data else ()


def _folds(found: CrossValidated) -> Table:
    rows = tuple(
        (str(number), *(str(one.patients[part]) for part in ("train", "holdout", "test")), f"{one.threshold:.2f}")
        for number, one in enumerate(found.kept, 1)
    )
    return Table(("Fold", "Patients learned from", "Held out inside", "Judged", "Threshold, chosen inside"), rows)
