import dataclasses

import numpy as np
import pytest

from ctviewer.core.slices import LabelledSlices
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, Part, TwoSources, kind_of, renamed


@pytest.fixture
def sets(made_set, made_slices):
    cncb = made_set({"a": made_slices(1), "b": made_slices(2)}, {"a": "P1", "b": "P2"})
    classed = made_set(
        {
            "a": made_slices(3, 2, ("control", "COVID-19"), labelled=False),
            "c": made_slices(4, 1, ("CP",), labelled=False),
            "none": made_slices(5, 1, labelled=False),
        },
        {"a": "P1", "c": "P3"},
        {"c": "external:there"},
    )
    return cncb, classed


def test_ids_say_kind_set_and_scan(sets):
    cncb, classed = sets
    both = TwoSources([Part(cncb), Part(cncb)], [Part(classed)])
    assert both.ids() == ("lesions/0/a", "lesions/0/b", "lesions/1/a", "lesions/1/b", "images/0/a", "images/0/c")
    assert both.of_kind(IMAGES) == ("images/0/a", "images/0/c") and both.unclassed == 1
    assert {kind_of(scan) for scan in both.of_kind(LESIONS)} == {LESIONS}
    assert both.classes("lesions/0/a") == ("lesions",) and both.label("images/0/a") == "control|COVID-19"
    assert both.split("images/0/c") == "external:there" and both.split("lesions/1/a") == ""
    assert cncb.loads == classed.loads == []


def test_a_patient_of_both_kinds_is_one_unless_the_set_says_otherwise(sets):
    cncb, classed = sets
    both = TwoSources([Part(cncb)], [Part(classed)])
    assert both.patient("lesions/0/a") == both.patient("images/0/a") == "P1"
    apart = TwoSources([Part(cncb)], [Part(classed, own_patients=True)])
    assert apart.patient("lesions/0/a") == "P1" != apart.patient("images/0/a")
    assert apart.patient("images/0/a") != apart.patient("images/0/c")


def test_merged_classes_are_learned_under_one_name(sets):
    cncb, classed = sets
    merge = {"ground glass": "infection", "consolidation": "infection", "CP": "", "COVID-19": "pneumonia"}
    both = TwoSources([Part(cncb)], [Part(classed)], merge)
    assert both.ids() == ("lesions/0/a", "lesions/0/b", "images/0/a") and both.unclassed == 2
    assert both.classes("images/0/a") == ("control", "pneumonia")
    was, now = cncb.load_slices("a"), both.load_slices("lesions/0/a")
    assert now.label_classes == ("background", "lung", "infection")
    np.testing.assert_array_equal(now.labels, np.minimum(was.labels, 2))
    assert both.load_slices("images/0/a").image_classes == ("control", "pneumonia")


def test_a_class_merged_into_nothing_is_background(made_slices):
    was = made_slices()
    now = renamed(was, {"lung": ""})
    assert now.label_classes == ("background", "ground glass", "consolidation")
    np.testing.assert_array_equal(now.labels, np.array([0, 0, 1, 2])[was.labels])
    assert renamed(was, {"other": "x"}) is was


def test_values_decide_and_not_their_rank():
    one = LabelledSlices(
        ("s",), np.zeros((1, 1, 4), np.float32), "HU", None, np.array([[[0, 2, 3, 3]]], np.uint8),
        ("background", "lung", "ground glass", "consolidation"),
    )  # fmt: skip
    now = renamed(one, {"ground glass": "consolidation"})
    assert [now.label_classes[v] for v in now.labels[0, 0]] == ["background", *["consolidation"] * 3]


def test_where_a_scan_lies_is_asked_of_its_set(sets, tmp_path):
    cncb, classed = sets
    cncb.paths = lambda scan: (tmp_path / scan,)
    both = TwoSources([Part(cncb)], [Part(classed)])
    assert both.paths("lesions/0/b") == (tmp_path / "b",) and both.paths("images/0/c") == ()


def test_a_scan_gives_what_its_kind_is_for(made_set, made_slices):
    one = made_slices(1, 4, ("", "control", "COVID-19", ""), complete=False)
    labels = one.labels.copy()
    labels[[0, 2]] = 0
    one = dataclasses.replace(one, labels=labels, complete=np.array([True, False, False, False]))
    both = TwoSources([Part(made_set({"a": one}))], [Part(made_set({"a": one}))])
    lesions, images = both.load_slices("lesions/0/a"), both.load_slices("images/0/a")
    assert lesions.names == ("slice 0", "slice 1", "slice 3") and lesions.image_classes == ("",) * 3
    np.testing.assert_array_equal(lesions.labels, labels[[0, 1, 3]])
    np.testing.assert_array_equal(lesions.pixels, one.pixels[[0, 1, 3]])
    assert list(lesions.complete) == [True, False, False]
    assert images.names == ("slice 1", "slice 2") and images.image_classes == ("control", "COVID-19")
    assert images.labels is None and not images.complete.any()
    unmarked = TwoSources([Part(made_set({"a": made_slices(labelled=False)}))])
    assert unmarked.load_slices("lesions/0/a").names == ()


def test_accepted_output_of_a_model_is_for_training_alone(made_set, made_slices):
    source = made_set({"a": made_slices(1), "b": made_slices(2)}, splits={"a": "test", "b": "test"})
    both = TwoSources([Part(source)], train_only=["lesions/0/b"])
    assert [both.split(scan) for scan in both.ids()] == ["test", "train-only"]
