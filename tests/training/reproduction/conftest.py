"""Predictions made up: what models of a comparison said of the same few slices."""

from __future__ import annotations

import pytest

from ctviewer.training.reproduction.ter_sarkisov_results import ArmRun, Judged
from ctviewer.training.slice_predictions import SliceLesions, SlicePrediction, SlicePredictions

CLASSES = ("background", "lung", "ground glass")
IMAGES = ("control", "common pneumonia", "COVID-19")


def _lesions(overlaps, scores):
    """A slice with a lung and a ground glass opacity; what is found of them, by IoU and score."""
    ranked = sorted(zip((1, 2), overlaps, scores, strict=True), key=lambda row: -row[2])
    n = len(ranked)
    return SliceLesions(
        complete=True,
        truth_labels=(1, 2),
        truth_small=(False, False),
        truth_lesions=(0, 1),
        labels=tuple(label for label, _, _ in ranked),
        scores=tuple(score for _, _, score in ranked),
        matches=tuple((i, label - 1, iou) for i, (label, iou, _) in enumerate(ranked) if iou),
        marked=(10,) * n,
        hit=(10,) * n,
        marked_any=(0,) * n,
        hit_any=(0,) * n,
        false=tuple(int(iou < 0.25) for _, iou, _ in ranked),
        false_any=(0,) * n,
        truth_pixels=(0, 10, 10),
        truth_any=10,
    )


def _case(kind, i, split, **told):
    return SlicePrediction(f"{kind}/0/{i}", "s", f"patient {kind} {i}", split, **told)


@pytest.fixture
def judge():
    """`judge(arm, overlaps, answers, seed=0, split="test")`: IoU of (lung, lesion) by slice; place of the class answered by
    slice, whose truths go round the classes."""

    def make(arm, overlaps=(), answers=(), seed=0, split="test", external=(), losses=(1.0, 0.5)):
        cases = [_case("lesions", i, split, lesions=_lesions(two, (0.9, 0.8))) for i, two in enumerate(overlaps)]
        for where, given in ((split, answers), ("external:holdout", external)):
            for i, answer in enumerate(given):
                logits = tuple(float(k == answer) for k in range(3))
                cases.append(_case(f"images {where}", i, where, truth=IMAGES[i % 3], logits=logits))
        predictions = SlicePredictions(arm, CLASSES, CLASSES[2:], IMAGES, IMAGES[0], 0.5, tuple(cases))
        return Judged(ArmRun(arm, seed, 2, tuple(losses), (None, 0.7), 1_500_000, 90.0, ("random",)), predictions)

    return make
