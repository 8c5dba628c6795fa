"""Classifiers of every kind of head and encoder through the whole analysis."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.findings import SliceScore
from ctviewer.core.serialise import from_dict, to_dict
from ctviewer.inference import AnalysisSettings, analyse
from ctviewer.inference.classify import classify
from ctviewer.inference.engine import Engine
from ctviewer.models.bundle import save_bundle
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.nets.build import build_net

FLOAT32 = AnalysisSettings(device="cpu", precision="float32", chunk=5)


@pytest.fixture
def bundle_of(classifier, tmp_path):
    """A bundle of random weights, its metadata like the tiny classifier's."""

    def make(classes, negative="", preprocessing=None, **net):
        torch.manual_seed(3)
        net = {"encoder_options": {"width": 16}, **net}
        described = dataclasses.replace(classifier.metadata, classes=classes, negative_class=negative, net=net)
        if preprocessing:
            described = dataclasses.replace(
                described, preprocessing=dataclasses.replace(described.preprocessing, **preprocessing)
            )
        return save_bundle(tmp_path / "b", described, build_net("study_classifier", len(classes), net).state_dict())

    return make


def told(volume, bundle, cache):
    *_, done = analyse(volume, bundle, None, FLOAT32, cache)
    assert isinstance(done, Done)
    assert to_dict(from_dict(json.loads(json.dumps(to_dict(done.value), allow_nan=False)))) == to_dict(done.value)
    return done.value.classification


def whole(volume, bundle):
    net, order = bundle.build(), study_order(volume)
    with torch.inference_mode():
        return net, order, net(net_input(volume, order, bundle.metadata.preprocessing)[None])


def test_a_binary_head_gives_both_probabilities_and_the_evidence_of_one_logit(volume, bundle_of, cache):
    bundle = bundle_of(("clear", "infection"), "clear", head="binary")
    c = told(volume, bundle, cache)
    net, _, _ = whole(volume, bundle)
    logit = c.evidence[:, 1].sum() + float(net.aggregator.head.bias)
    assert sum(c.probabilities) == pytest.approx(1)
    assert c.finding_probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert (c.evidence[:, 0] == 0).all() and c.score is SliceScore.ATTENTION


def test_a_multi_label_head_gives_each_class_its_own_probability(volume, bundle_of, cache):
    bundle = bundle_of(("effusion", "nodule", "embolism"), head="multi_label")
    c = told(volume, bundle, cache)
    _, _, out = whole(volume, bundle)
    np.testing.assert_allclose(c.probabilities, out.logits[0].double().sigmoid(), atol=1e-5)
    assert c.finding_probability == max(c.probabilities) and sum(c.probabilities) != pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("head", ["binary", "multi_label"])
def test_slice_probabilities_are_those_of_the_head(volume, bundle_of, cache, head):
    bundle = bundle_of(("clear", "infection"), "clear" if head == "binary" else "", head=head, aggregator="max_pool")
    c = told(volume, bundle, cache)
    _, order, out = whole(volume, bundle)
    logits = out.slice_logits[0].double()
    expected = logits[:, 1].sigmoid() if head == "binary" else logits.sigmoid().amax(dim=1)
    assert c.score is SliceScore.PROBABILITY and c.evidence is None
    np.testing.assert_allclose(c.weights[order], expected, atol=1e-5)
    if head == "binary":
        assert c.finding_probability == pytest.approx(c.weights.max(), abs=1e-5)


def test_the_papers_net_with_the_statistics_of_its_weights(volume, bundle_of, cache):
    options = {"encoder": "googlenet", "encoder_options": {"norm": "batch"}, "head": "binary"}
    traits = build_net("study_classifier", 2, options).encoder.traits
    bundle = bundle_of(("clear", "infection"), "clear", {"mean": traits.mean, "std": traits.std}, **options)
    c = told(volume, bundle, cache)
    _, order, out = whole(volume, bundle)
    np.testing.assert_allclose(c.weights[order], out.attention[0], atol=1e-5)
    np.testing.assert_allclose(c.probabilities, out.logits[0].double().softmax(0), atol=1e-5)


def test_a_series_of_which_nothing_could_be_read(volume_of, classifier, cache):
    nothing = volume_of(changes={"failed": np.ones(12, bool)})
    with pytest.raises(InputError, match="could be read"):
        list(classify(nothing, Engine(classifier, FLOAT32, cache)))
