"""Figures of a study classifier on studies whose infected slices are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ctviewer.models.metadata import Metric
from ctviewer.models.metrics import auc_roc
from ctviewer.models.probabilities import softmax
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.phantoms.figures import Figure, card_figures
from ctviewer.training.starter.phantoms.study_stage import EncodedStudy


@dataclass(frozen=True, eq=False)
class StudyOutcome:
    """What the classifier said of one study, and the truth.

    Attributes:
        probabilities: `[c]`.
        label: index of the true class.
        attention: `[n]`.
        infected: `[n]` bool.
    """

    probabilities: NDArray[np.float64]
    label: int
    attention: NDArray[np.float64]
    infected: NDArray[np.bool_]


def outcomes(net: StudyClassifier, studies: Sequence[EncodedStudy]) -> list[StudyOutcome]:
    """Classify encoded studies, without augmentation."""
    found = []
    for study in studies:
        with torch.inference_mode():
            out = net.aggregate(torch.from_numpy(study.features[0])[None])
        assert out.attention is not None
        attention = out.attention[0].double().numpy()
        found.append(StudyOutcome(softmax(out.logits[0].numpy()), study.label, attention, study.infected > 0))
    return found


def best_threshold(found: Sequence[StudyOutcome], negative: int) -> float:
    """Finding probability with the best sensitivity plus specificity, in the middle of the range that has it."""
    scores = np.array([1.0 - x.probabilities[negative] for x in found])
    positive = np.array([x.label != negative for x in found])
    candidates = np.linspace(0.02, 0.98, 97)
    gain = np.array([(scores[positive] >= t).mean() - (scores[~positive] >= t).mean() for t in candidates])
    return float(np.median(candidates[gain == gain.max()]))


def study_metrics(
    found: Sequence[StudyOutcome],
    patients: Sequence[str],
    negative: int,
    threshold: float,
    data: str,
) -> tuple[Metric, ...]:
    """All figures of the card, with intervals by bootstrap over patients.

    Args:
        found: of `outcomes`.
        patients: whose study each is.
        negative: index of the negative class.
        threshold: finding probability from which a study counts as positive.
        data: what it was measured on.
    """
    figures: dict[str, Figure[StudyOutcome]] = {
        "AUC-ROC, any finding against none": lambda s: _finding_auc(s, negative),
        "sensitivity at the threshold": lambda s: _positive_share(s, negative, threshold, with_finding=True),
        "specificity at the threshold": lambda s: 1 - _positive_share(s, negative, threshold, with_finding=False),
        "accuracy over all classes": lambda s: float(np.mean([x.probabilities.argmax() == x.label for x in s])),
        "AUC-ROC of attention, infected against clean slices, mean over studies": _attention_auc,
        "infected among the four slices with most attention": _top_four,
        "attention on the first tenth of the slices": lambda s: _tenth(s, first=True),
        "attention on the last tenth of the slices": lambda s: _tenth(s, first=False),
    }
    return card_figures(figures, found, patients, data)


def _finding_auc(found: Sequence[StudyOutcome], negative: int) -> float:
    scores = np.array([1.0 - x.probabilities[negative] for x in found])
    return auc_roc(scores, np.array([x.label != negative for x in found]))


def _positive_share(found: Sequence[StudyOutcome], negative: int, threshold: float, *, with_finding: bool) -> float:
    called = [1.0 - x.probabilities[negative] >= threshold for x in found if (x.label != negative) == with_finding]
    return float(np.mean(called)) if called else float("nan")


def _attention_auc(found: Sequence[StudyOutcome]) -> float:
    values = [auc_roc(x.attention, x.infected) for x in found]
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")


def _top_four(found: Sequence[StudyOutcome]) -> float:
    values = [x.infected[np.argsort(-x.attention)[:4]].mean() for x in found if x.infected.sum() >= 4]
    return float(np.mean(values)) if values else float("nan")


def _tenth(found: Sequence[StudyOutcome], *, first: bool) -> float:
    def share(x: StudyOutcome) -> float:
        tenth = max(1, round(len(x.attention) / 10))
        return float((x.attention[:tenth] if first else x.attention[-tenth:]).sum())

    return float(np.mean([share(x) for x in found]))
