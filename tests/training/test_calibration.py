"""Calibration: finds what was done to probabilities, at the stated prevalence, and never more sure than the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ctviewer.core.errors import InputError
from ctviewer.models.probabilities import class_probabilities, softmax
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.calibration import Calibration, choose_threshold, fit, fold_in
from ctviewer.training.predictions import Prediction, Predictions


def set_of(logits, truth, classes, exclusive=True, negative=""):
    """One patient a study; `truth` are indices, or rows of booleans."""
    rows = [[k] if exclusive else np.flatnonzero(k) for k in truth]
    cases = tuple(
        Prediction(f"s{i}", f"p{i}", tuple(classes[k] for k in row), tuple(map(float, z)), "val")
        for i, (z, row) in enumerate(zip(logits, rows, strict=True))
    )
    return Predictions("m 1.0.0", classes, negative, exclusive, 0.5, cases)


def distorted(n, temperature, bias, seed=0, classes=("a", "b", "c")):
    """Labels drawn from the true probabilities of logits; what is given are these logits, distorted."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 1.5, (n, len(classes)))
    p = softmax(true)
    labels = [int(rng.choice(len(classes), p=row)) for row in p]
    return set_of((true - np.array(bias)) * temperature, labels, classes), true


def test_it_finds_temperature_and_bias():
    made, true = distorted(8000, 2.5, (0.0, 0.8, -0.5))
    found = fit(made)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(found.bias, (0.0, 0.8, -0.5), atol=0.08)
    np.testing.assert_allclose(softmax(found.apply(made.logits)), softmax(true), atol=0.03)
    assert "8000 validation patients" in found.text and "shares of patients" in found.text


def test_it_is_the_minimum_of_the_weighted_loss():
    """An independent plain loss, minimised without gradients."""
    made, _ = distorted(60, 0.6, (0.0, 0.4, 0.2), seed=3)
    shares = {"a": 0.7, "b": 0.2, "c": 0.1}
    truth, logits = made.truth, made.logits
    sizes = truth.sum(axis=0)

    def loss(x):
        total = 0.0
        for z, row in zip(logits, truth, strict=True):
            k = int(np.flatnonzero(row)[0])
            log_p = np.log(softmax(np.exp(x[0]) * z + np.array([0.0, x[1], x[2]])))
            sure = (sizes[k] + 1) / (sizes[k] + 2)
            weight = shares["abc"[k]] / sizes[k]
            for j in range(3):
                total -= weight * (sure if j == k else (1 - sure) / 2) * log_p[j]
        return total

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 4000}).x
    found = fit(made, shares)
    assert 1 / found.temperature == pytest.approx(np.exp(best[0]), rel=1e-3)
    np.testing.assert_allclose(found.bias, [0.0, best[1], best[2]], atol=2e-3)


def test_probabilities_refer_to_the_stated_prevalence():
    """Trained and validated half and half; in use a tenth is sick: the mean probability must be a tenth there."""
    rng = np.random.default_rng(1)

    def scan(n, share):
        sick = rng.random(n) < share
        score = rng.normal(np.where(sick, 1.0, -1.0), 1.0)  # log-odds at equal prevalence: 2 * score
        return np.stack([np.zeros(n), 2 * score], 1), sick.astype(int)

    logits, labels = scan(4000, 0.5)
    found = fit(set_of(logits, labels, ("well", "sick")), {"sick": 0.1, "well": 0.9})
    assert found.bias[0] == 0.0 and found.bias[1] == pytest.approx(np.log(0.1 / 0.9), abs=0.15)
    in_use, truth = scan(20000, 0.1)
    p = softmax(found.apply(in_use))[:, 1]
    assert p.mean() == pytest.approx(truth.mean(), abs=0.01)
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2)
        assert p[inside].mean() == pytest.approx(truth[inside].mean(), abs=0.06)
    assert list(found.prevalence) == ["well", "sick"] and "10.0%" in found.text


def test_a_set_without_mistakes_gives_no_certainty():
    """Six patients of each, all right by far: nobody may be told more than (6 + 1) / (6 + 2)."""
    logits = np.array([[0.0, -9.0]] * 6 + [[0.0, 9.0]] * 6)
    found = fit(set_of(logits, [0] * 6 + [1] * 6, ("well", "sick")))
    p = softmax(found.apply(logits))
    np.testing.assert_allclose(p[:6, 0], 7 / 8, atol=1e-3)
    np.testing.assert_allclose(p[6:, 1], 7 / 8, atol=1e-3)


def test_classes_that_do_not_exclude_each_other():
    rng = np.random.default_rng(2)
    true = rng.normal(0, 1.5, (6000, 2))
    truth = rng.random((6000, 2)) < class_probabilities(true, exclusive=False)
    made = set_of((true - [0.5, -0.5]) * 1.7, truth, ("a", "b"), exclusive=False)
    cases = tuple(case for case in made.cases if case.truth)  # a study without a class cannot be judged
    assert len(cases) < 6000
    made = replace(made, cases=tuple(replace(c, truth=c.truth or ("a",)) for c in cases))
    shares = {name: float(made.truth[:, i].mean()) for i, name in enumerate("ab")}
    found = fit(made, shares)
    p = class_probabilities(found.apply(made.logits), exclusive=False)
    np.testing.assert_allclose(p.mean(axis=0), made.truth.mean(axis=0), atol=0.005)
    assert "each by itself" in found.text


def test_studies_of_one_patient_weigh_as_one():
    made, _ = distorted(90, 1.0, (0, 0, 0), seed=5)
    copies = tuple(replace(case, study=f"{case.study}-{k}") for case in made.cases for k in range(3))
    once, thrice = fit(made), fit(replace(made, cases=copies))
    assert thrice.temperature == pytest.approx(once.temperature, rel=1e-3)
    np.testing.assert_allclose(thrice.bias, once.bias, atol=1e-3)


def test_too_few_patients_are_told_and_only_the_prevalence_is_applied():
    made, _ = distorted(30, 3.0, (0.0, 1.0, 0.0), seed=4)
    few = replace(made, cases=tuple(c for c in made.cases if c.truth != ("c",)))
    found = fit(few, {"a": 0.5, "b": 0.25, "c": 0.25})
    assert found.temperature == 1.0 and "Nothing was fitted: under 3 validation patients for c" in found.text
    np.testing.assert_allclose(found.bias, [0.0, np.log(0.5), np.log(0.5)])
    even = {"a": 0.5, "b": 0.25, "c": 0.25}
    assert fit(few, even, trained=even).bias == pytest.approx((0.0, 0.0, 0.0))
    assert fit(few).bias == (0.0, 0.0, 0.0) and "33.3%" in fit(few).text


@pytest.mark.parametrize(
    ("prevalence", "why"),
    [
        ({"a": 0.5, "b": 0.5}, "name each class once: a, b, c"),
        ({"a": 0.5, "b": 0.5, "d": 0.1}, "name each class once"),
        ({"a": 0.5, "b": 0.5, "c": 0.5}, "sum to 1.5"),
        ({"a": 1.0, "b": 0.0, "c": 0.0}, "between 0 and 1"),
        ({"a": float("nan"), "b": 0.5, "c": 0.5}, "between 0 and 1"),
    ],
)
def test_a_prevalence_that_cannot_be(prevalence, why):
    made, _ = distorted(30, 1.0, (0, 0, 0))
    with pytest.raises(InputError, match=why):
        fit(made, prevalence)


@pytest.mark.parametrize("head", ["binary", "multi_class", "multi_label"])
@pytest.mark.parametrize("aggregator", ["max_pool", "lstm", "lstm_attention", "attention"])
def test_a_net_with_its_calibration_folded_in(head, aggregator):
    classes = 2 if head == "binary" else 3
    torch.manual_seed(0)
    net = StudyClassifier(classes, encoder_options={"width": 16}, aggregator=aggregator, head=head).eval()
    features = torch.randn(4, 6, net.encoder.out_features)
    lengths = torch.tensor([6, 2, 5, 1])
    with torch.no_grad():
        before = net.aggregate(features, lengths).logits.double().numpy()
        bias = (0.0, 0.7) if head == "binary" else (0.0, 0.7, -0.4)
        made = Calibration(2.5, bias, {}, "")
        fold_in(net, made)
        out = net.aggregate(features, lengths)
    np.testing.assert_allclose(out.logits.numpy(), made.apply(before), atol=1e-5)
    if out.evidence is not None:
        linear = net.aggregator.head.bias
        told = out.evidence.sum(dim=1)
        constant = torch.cat([torch.zeros(1), linear]) if head == "binary" else linear
        torch.testing.assert_close(told + constant, out.logits, atol=1e-5, rtol=1e-4)


def test_a_calibration_of_other_classes_is_refused():
    net = StudyClassifier(3, encoder_options={"width": 16})
    with pytest.raises(ValueError, match="2 classes"):
        fold_in(net, Calibration(1.0, (0.0, 0.1), {}, ""))


def of_findings(scores, sick):
    logits = np.stack([np.zeros(len(scores)), np.log(scores) - np.log1p(-np.asarray(scores))], 1)
    return set_of(logits, [int(s) for s in sick], ("well", "sick"), negative="well")


def test_the_threshold_has_the_best_sensitivity_plus_specificity():
    rng = np.random.default_rng(0)
    sick = rng.random(80) < 0.4
    scores = np.clip(rng.normal(np.where(sick, 0.6, 0.4), 0.15), 0.01, 0.99)
    found = choose_threshold(of_findings(scores, sick))

    def gain(t):
        return (scores[sick] >= t).mean() + (scores[~sick] < t).mean()

    assert gain(found) == pytest.approx(max(gain(t) for t in [*scores, 0.0, 1.0]))


def test_the_threshold_lies_in_the_middle_of_a_gap():
    assert choose_threshold(of_findings([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1])) == pytest.approx(0.4)
    assert choose_threshold(of_findings([0.3, 0.3, 0.3], [0, 1, 1])) == pytest.approx(0.15)  # rather too many


def test_the_threshold_of_a_rare_disease_is_not_held_up():
    assert choose_threshold(of_findings([0.0004, 0.0008, 0.003, 0.006], [0, 0, 1, 1])) == pytest.approx(0.0019)
    assert choose_threshold(of_findings([1e-9, 1e-8, 1e-7], [0, 1, 1])) == pytest.approx(1e-4), "never 0"


def test_no_threshold_without_two_sides():
    assert choose_threshold(of_findings([0.1, 0.2], [1, 1])) == 0.5
    made, _ = distorted(10, 1.0, (0, 0, 0))
    assert choose_threshold(made) == 0.5
