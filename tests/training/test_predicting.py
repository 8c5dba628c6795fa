"""Predictions are those of the viewer; studies that cannot be read are left out and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctviewer.core.errors import DecodeError, DeviceError, InputError
from ctviewer.core.events import Done, Progress
from ctviewer.inference import AnalysisSettings, NetCache
from ctviewer.inference import classify as inference
from ctviewer.inference.engine import Engine
from ctviewer.models.probabilities import softmax
from ctviewer.training import predicting
from ctviewer.training.predicting import Classifier, StudyTold, predict
from ctviewer.training.predictions import patient_digest
from ctviewer.training.preflight.facts import content_of


class Studies:
    """Meets `LabelledSource`: volumes or errors by name."""

    def __init__(self, found):
        self._found = found

    def ids(self):
        return tuple(self._found)

    def patient(self, study):
        return f"patient {study[-1]}"

    def label(self, study):
        return "clear"

    def classes(self, study):
        return ("clear",) if study != "odd" else ("mass",)

    def split(self, study):
        return "external:far" if study == "b" else ""

    def load(self, study):
        found = self._found[study]
        if isinstance(found, Exception):
            raise found
        return found, None


@pytest.fixture
def volumes(volume_of, chest_hu):
    return {name: volume_of(chest_hu(n, 96, seed=n)) for name, n in (("a", 7), ("b", 1), ("c", 20))}


def run(*arguments, **options):
    events = list(predict(*arguments, **options))
    assert isinstance(events[-1], Done)
    return events[-1].value, events[:-1]


@pytest.mark.parametrize("aggregator", ["lstm_attention", "max_pool"])
def test_probabilities_and_attention_are_those_of_the_viewer(make_classifier, volumes, aggregator):
    bundle = make_classifier(aggregator)
    found, events = run(bundle, Studies(volumes), ("a", "b", "c"), device="cpu", chunk=3)
    engine = Engine(bundle, AnalysisSettings(device="cpu", precision="float32"), NetCache())
    list(inference.load(engine))
    for case in found.cases:
        told = inference.classify(volumes[case.study], engine)
        try:
            while True:
                next(told)
        except StopIteration as end:
            shown = end.value
        np.testing.assert_allclose(softmax(np.array(case.logits)), shown.probabilities, atol=1e-5)
        assert case.slices == volumes[case.study].slice_count
        if aggregator == "lstm_attention":
            order = volumes[case.study].geometry.display_order
            np.testing.assert_allclose(case.attention, shown.weights[order], atol=1e-5)
            assert sum(case.attention) == pytest.approx(1.0, abs=1e-5)
        else:
            assert case.attention == ()
    assert [e.done for e in events if isinstance(e, Progress)] == [0, 1, 2, 3]


def test_what_a_case_says_of_its_study(classifier, volumes):
    found, _ = run(classifier, Studies(volumes), ("a", "b"), device="cpu")
    assert (found.model, found.classes, found.negative_class) == (classifier.key, classifier.metadata.classes, "clear")
    a, b = found.cases
    assert (a.split, b.split) == ("test", "external:far") and a.truth == ("clear",)
    assert a.patient == patient_digest("patient a") and "patient" not in a.patient
    assert a.content == content_of(volumes["a"]).sha256
    named, _ = run(
        classifier, Studies(volumes), ("a", "b"), device="cpu", parts={"a": "val", "b": "val"}, contents={"a": "x"}
    )
    assert [case.split for case in named.cases] == ["val", "val"]
    assert [case.content for case in named.cases] == ["x", b.content]


def test_chunks_do_not_change_the_answer(classifier, volumes):
    one, many = (run(classifier, Studies(volumes), ("c",), device="cpu", chunk=chunk)[0] for chunk in (64, 1))
    np.testing.assert_allclose(one.logits, many.logits, atol=1e-5)


def test_studies_that_cannot_be_read_are_left_out_and_told(classifier, volumes, volume_of, chest_hu):
    half = volumes["a"]
    half.failed[2:4] = True
    dead = volume_of(chest_hu(3, 96))
    dead.failed[:] = True
    found, events = run(
        classifier,
        Studies(
            {
                "a": half,
                "gone": InputError("The study gone is not in the folder."),
                "broken": DecodeError("No slice could be decoded."),
                "locked": PermissionError(13, "Permission denied"),
                "dead": dead,
                "sagittal": volume_of(row_cosines=(0.0, 1.0, 0.0), column_cosines=(0.0, 0.0, -1.0)),
                "grey": volume_of(changes={"unit": None}),
                "b": volumes["b"],
            }
        ),
        ("a", "gone", "broken", "locked", "dead", "sagittal", "grey", "b"),
        device="cpu",
    )
    assert [case.study for case in found.cases] == ["a", "b"]
    told = {event.study: event for event in events if isinstance(event, StudyTold)}
    assert set(told) == {"a", "gone", "broken", "locked", "dead", "sagittal", "grey"}
    assert told["a"] == StudyTold("a", "2 slices of 7 could not be read and are left out.", False)
    assert all(event.left_out for name, event in told.items() if name != "a")
    assert "Permission denied" in told["locked"].text and "not axial" in told["sagittal"].text
    assert "Hounsfield" in told["grey"].text and "None of its slices" in told["dead"].text
    assert found.cases[0].slices == 5 == len(found.cases[0].attention)


def test_nothing_to_read(classifier):
    with pytest.raises(InputError, match="None of the studies"):
        run(classifier, Studies({"x": InputError("No.")}), ("x",), device="cpu")


def test_labels_are_kept_though_the_model_does_not_know_them(classifier, volumes):
    found, _ = run(classifier, Studies({"odd": volumes["a"]}), ("odd",), device="cpu")
    assert found.cases[0].truth == ("mass",)


def test_each_volume_is_shown_before_it_is_classified(classifier, volumes):
    seen = []
    run(classifier, Studies(volumes), ("a", "c"), device="cpu", look=lambda study, volume: seen.append((study, volume)))
    assert seen == [("a", volumes["a"]), ("c", volumes["c"])]


def test_a_net_with_its_metadata_will_do(classifier, volumes):
    judge = Classifier.with_net(classifier.build(), classifier.metadata)
    whole, _ = run(judge, Studies(volumes), ("a",), device=torch.device("cpu"))
    assert whole == run(classifier, Studies(volumes), ("a",), device="cpu")[0]
    judge.net.train()
    assert run(judge, Studies(volumes), ("a",), device="cpu")[0] == whole


def test_a_detector_gives_studies_no_class(detector, volumes):
    with pytest.raises(InputError, match="is no study classifier"):
        run(detector, Studies(volumes), ("a",), device="cpu")


def test_a_short_memory_is_met_with_smaller_chunks(classifier, volumes, monkeypatch):
    judge = Classifier.of(classifier)
    encode, sizes = judge.net.encode, []

    def short(images):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("full")
        return encode(images)

    monkeypatch.setattr(judge.net, "encode", short)
    found, _ = run(judge, Studies(volumes), ("a",), device="cpu", chunk=8)
    assert sizes[:3] == [7, 4, 2] and len(found.cases) == 1
    monkeypatch.setattr(judge.net, "encode", lambda images: (_ for _ in ()).throw(torch.OutOfMemoryError("full")))
    with pytest.raises(DeviceError, match="memory of cpu"):
        run(judge, Studies(volumes), ("a",), device="cpu")


def test_values_that_are_not_finite_are_no_prediction(classifier, volumes):
    judge = Classifier.of(classifier)
    judge.net.aggregator.head.bias.data.fill_(float("nan"))
    with pytest.raises(DeviceError, match="not finite"):
        run(judge, Studies(volumes), ("a",), device="cpu")


def test_a_device_that_is_not_there(classifier, volumes, monkeypatch):
    monkeypatch.setattr(predicting.torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device"):
        run(replace(Classifier.of(classifier)), Studies(volumes), ("a",), device="cuda")
