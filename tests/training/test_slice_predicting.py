"""A one-shot bundle over labelled slices, as `ctviewer evaluate` asks it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from training.slices.conftest import MadeUp

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.training.predicting import StudyTold
from ctviewer.training.slice_predicting import named_as, predict_slices
from ctviewer.training.slice_predictions import OTHER
from ctviewer.training.slices.facts import content_of

SIDE = 64


def scan(label_classes=("background", "lung", "ggo"), value=2, image_classes=(), complete=True):
    """Three slices of a grey square with a darker one in it; the middle one has a lesion."""
    rng = np.random.default_rng(3)
    pixels = rng.normal(-800, 20, (3, SIDE, SIDE)).astype(np.float32)
    labels = np.zeros((3, SIDE, SIDE), np.uint8)
    labels[:, 10:50, 10:50] = label_classes.index("lung") if "lung" in label_classes else 0
    labels[1, 20:34, 20:34] = value
    pixels[1, 20:34, 20:34] = -300
    names = tuple(f"slice {i}" for i in range(3))
    return LabelledSlices(
        names, pixels, HU, (5.0, 5.0), labels, label_classes, np.full(3, complete), image_classes, neighbours=True
    )


def answered(events):
    """The predictions, and what was told of scans."""
    *rest, last = list(events)
    assert isinstance(last, Done)
    return last.value, [one for one in rest if isinstance(one, StudyTold)]


def test_outlines_and_classes_of_what_is_known(tiny_one_shot):
    slices = scan(image_classes=("clear", "covid", ""))
    source = MadeUp({"a": slices})
    predictions, told = answered(predict_slices(tiny_one_shot, source, ("a",), device="cpu"))
    assert not told
    assert (predictions.model, predictions.lesion_classes) == (tiny_one_shot.key, ("ggo",))
    assert [case.truth for case in predictions.cases] == ["clear", "covid", ""]
    assert [len(case.logits) for case in predictions.cases] == [3, 3, 0]
    lesions = [case.lesions for case in predictions.cases]
    assert all(one is not None and one.complete for one in lesions)
    assert [one.truth_any for one in lesions] == [0, 14 * 14, 0]
    assert {case.content for case in predictions.cases} == {content_of(slices).sha256}
    assert {case.split for case in predictions.cases} == {"test"}


def test_classes_that_the_model_does_not_know_are_kept_and_lesions_of_others_count_as_any(tiny_one_shot):
    slices = scan(("background", "consolidation", "lung"), 1, ("measles", "clear", "clear"))
    predictions, _ = answered(predict_slices(tiny_one_shot, MadeUp({"a": slices}), ("a",), device="cpu"))
    found = predictions.cases[1].lesions
    assert predictions.has_others and found.truth_any == 14 * 14
    assert 3 in found.truth_labels, "after the model's three"
    assert predictions.cases[0].truth == "measles"


def test_scans_that_cannot_be_read_or_tell_nothing_are_left_out_and_said(tiny_one_shot):
    class Broken(MadeUp):
        def load_slices(self, name):
            if name == "broken":
                raise InputError("/data/x.png is damaged.")
            return super().load_slices(name)

    bare = dataclasses.replace(scan(), labels=None, label_classes=("background",), complete=np.zeros(3, bool))
    empty = LabelledSlices((), np.zeros((0, 64, 64), np.float32), "HU", None)
    source = Broken({"good": scan(), "broken": scan(), "bare": bare, "empty": empty})
    predictions, told = answered(predict_slices(tiny_one_shot, source, source.ids(), device="cpu"))
    assert {case.scan for case in predictions.cases} == {"good"}
    assert [(one.study, one.text, one.left_out) for one in told] == [
        ("broken", "/data/x.png is damaged.", True),
        *(
            (name, "Nothing is known of its slices that the model could be judged by.", True)
            for name in ("bare", "empty")
        ),
    ]
    with pytest.raises(InputError, match="None of the scans could be judged"):
        list(predict_slices(tiny_one_shot, source, ("broken",), device="cpu"))


def test_a_study_classifier_is_refused(classifier):
    with pytest.raises(InputError, match="is no one-shot model"):
        list(predict_slices(classifier, MadeUp({}), (), device="cpu"))


def test_outlines_are_named_as_the_model_knows_them():
    told = named_as(scan(("background", "consolidation", "lung", "unused"), 1), ("background", "ggo"))
    assert told.label_classes == ("background", OTHER)
    assert (told.labels[1] == 1).sum() == 14 * 14 and not told.labels[0].any()
    same = named_as(scan(), ("background", "lung", "ggo"))
    assert same.label_classes == ("background", "lung", "ggo")
    assert np.array_equal(same.labels, scan().labels)


def test_accepted_output_of_a_model_judges_none(tiny_one_shot):
    """Whichever model it was of; what a person drew on other slices of the scan does judge, and classes of slices do."""
    slices = dataclasses.replace(scan(image_classes=("clear", "covid", "")), origins=("", "a" * 64, ""))
    source = MadeUp({"a": slices, "b": scan()})
    predictions, told = answered(predict_slices(tiny_one_shot, source, ("a", "b"), device="cpu"))
    judged = {(case.scan, case.name): case for case in predictions.cases}
    assert judged["a", "slice 1"].lesions is None and judged["a", "slice 1"].has_class
    assert all(judged["a", name].lesions is not None for name in ("slice 0", "slice 2"))
    assert [(one.study, one.left_out) for one in told] == [("a", False)]
    assert told[0].text == "What is outlined on 1 slice is accepted output of a model, and judges none."
    alone = MadeUp({"a": dataclasses.replace(scan(), origins=("a" * 64,) * 3)})
    with pytest.raises(InputError, match="None of the scans could be judged"):
        answered(predict_slices(tiny_one_shot, alone, ("a",), device="cpu"))
