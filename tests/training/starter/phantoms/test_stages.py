"""The parts of the stages that are easy to get wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.one_shot import Detections, Rois, SliceAnswer
from ctviewer.training.starter.phantoms import detector_figures, study_figures
from ctviewer.training.starter.phantoms.detector_stage import target
from ctviewer.training.starter.phantoms.figures import card_figures
from ctviewer.training.starter.phantoms.prepared import CONSOLIDATION, GROUND_GLASS, LUNG, PreparedStudy
from ctviewer.training.starter.phantoms.slice_stage import slice_loss, slice_targets
from ctviewer.training.starter.phantoms.study_figures import StudyOutcome, study_metrics
from ctviewer.training.starter.phantoms.study_stage import resample

P = Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,))


def study(labels: np.ndarray, label: str = "sick") -> PreparedStudy:
    return PreparedStudy("s", "p", label, np.zeros(labels.shape, np.float16), labels)


def test_slice_targets_say_nothing_about_specks() -> None:
    labels = np.zeros((3, 64, 64), np.uint8)
    labels[0, :2, :2] = GROUND_GLASS  # four pixels: too few to tell
    labels[1, :10, :10] = CONSOLIDATION
    targets = slice_targets(study(labels))
    assert np.isnan(targets[0, 0]) and np.isnan(targets[0, 1]) and targets[0, 2] == 0
    assert targets[1].tolist() == [1, 0, 1] and targets[2].tolist() == [0, 0, 0]


def test_clean_slices_teach_no_class() -> None:
    findings = torch.zeros(2, 3)
    study_logits = torch.randn(2, 2, requires_grad=True)
    targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    slice_loss(findings, study_logits, targets, torch.tensor([1, 0])).backward()
    assert bool(study_logits.grad[0].abs().sum() > 0) and bool((study_logits.grad[1] == 0).all())


def test_resampling_keeps_order_and_something_infected() -> None:
    features = np.arange(30, dtype=np.float32)[:, None]
    infected = np.zeros(30, np.float32)
    infected[3:5] = 1
    rng = np.random.default_rng(0)
    lengths = set()
    for _ in range(200):
        f, hot = resample(features, infected, rng, 120)
        assert len(f) == len(hot) <= 120 and bool((np.diff(f[:, 0]) > 0).all())
        assert hot.sum() > 0 and f.min() >= 0 and f.max() <= 29
        np.testing.assert_allclose(hot, np.interp(f[:, 0], range(30), infected), atol=1e-5)
        lengths.add(len(f))
    assert min(lengths) < 24 and max(lengths) > 90


def test_resampling_a_single_slice_repeats_it() -> None:
    f, hot = resample(np.ones((1, 2), np.float32), np.ones(1, np.float32), np.random.default_rng(0), 20)
    assert bool((f == 1).all()) and bool((hot == 1).all())


def test_detection_targets_have_tight_boxes() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[10:50, 5:30] = LUNG
    labels[20:30, 10:22] = GROUND_GLASS
    out = target(labels)
    assert out.labels.tolist() == [LUNG, GROUND_GLASS]
    assert out.boxes.tolist() == [[5, 10, 30, 50], [10, 20, 22, 30]]
    assert out.masks.sum(dim=(1, 2)).tolist() == [40 * 25, 120]
    empty = target(np.zeros((64, 64), np.uint8))
    assert empty.boxes.shape == (0, 4) and empty.masks.shape == (0, 64, 64)


class Fixed:
    """In the place of a detector: on every slice the same box, right on the lesion."""

    def analyse(self, images: torch.Tensor, _score: float, _limit: int) -> list[SliceAnswer]:
        n = len(images)
        box, label = torch.tensor([[10.0, 20.0, 22.0, 30.0]]), torch.tensor([GROUND_GLASS])
        found = Detections(box, label, torch.tensor([0.8]), torch.ones(1, 28, 28))
        return [SliceAnswer(found, torch.zeros(0), Rois(box[:0], label[:0], torch.zeros(0), None, None))] * n


def test_detector_figures_of_a_perfect_and_a_false_mark() -> None:
    sick = np.zeros((2, 64, 64), np.uint8)
    sick[:, 20:30, 10:22] = GROUND_GLASS
    clean = np.zeros((3, 64, 64), np.uint8)
    net = Fixed()
    records = [
        detector_figures.study_record(net, s, P, (0.5, 0.9))  # type: ignore[arg-type]
        for s in (study(sick), study(clean, "well"))
    ]
    assert detector_figures.ap(records[:1], "ground glass") == 1.0
    assert 0.3 < detector_figures.ap(records[::-1], "ground glass") < 1.0  # the false marks come first
    assert detector_figures.lesion_dice(records, 0.5) == 1.0 and detector_figures.lesion_dice(records, 0.9) == 0.0
    assert detector_figures.sensitivity(records, 0.5) == 1.0 and detector_figures.sensitivity(records, 0.9) == 0.0
    assert detector_figures.marked_share(records, 0.5) == 1.0 and detector_figures.marked_share(records, 0.9) == 0.0
    metrics = detector_figures.card_metrics(records, ["a", "b"], 0.5, "toy")
    assert {m.n for m in metrics} == {2} and all(m.data == "toy" for m in metrics)


def outcome(p: float, label: int, attention: list[float], infected: list[int]) -> StudyOutcome:
    return StudyOutcome(np.array([1 - p, p]), label, np.array(attention), np.array(infected, bool))


def test_study_figures() -> None:
    found = [
        outcome(0.9, 1, [0.7, 0.1, 0.1, 0.1], [1, 0, 0, 0]),
        outcome(0.6, 1, [0.1, 0.7, 0.1, 0.1], [1, 0, 0, 0]),
        outcome(0.2, 0, [0.25] * 4, [0] * 4),
        outcome(0.1, 0, [0.25] * 4, [0] * 4),
    ]
    assert 0.2 < study_figures.best_threshold(found, 0) <= 0.6
    figures = {m.name.split(",")[0]: m.value for m in study_metrics(found, ["a", "b", "c", "d"], 0, 0.5, "toy")}
    assert figures["AUC-ROC"] == 1.0 and figures["sensitivity at the threshold"] == 1.0
    assert figures["specificity at the threshold"] == 1.0 and figures["accuracy over all classes"] == 1.0
    assert figures["AUC-ROC of attention"] == pytest.approx((1.0 + 1 / 3) / 2, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "known"), [([1, 0, 1, 1, 0], True), ([1, 1, 1, 1, 1], False), ([1, 0, 1, 0], False)]
)
def test_intervals_are_of_five_patients_or_more_and_of_what_differs_between_them(values, known) -> None:
    (made,) = card_figures(
        {"share": lambda records: float(np.mean(records))}, values, list("abcde")[: len(values)], "d"
    )
    assert made.value == pytest.approx(np.mean(values)) and made.n == len(values)
    assert (made.low is not None) == (made.high is not None) == known
