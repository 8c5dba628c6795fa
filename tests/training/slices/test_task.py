"""Classes of a one-shot run: from what is wanted, what the sets have, and the model that it starts from."""

from __future__ import annotations

import dataclasses

import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.config import ModelConfig
from ctviewer.training.slices.task import SliceTask, slice_task

FREE = ModelConfig()


def test_classes_follow_the_data() -> None:
    found = slice_task(FREE, {"nodule", "consolidation", "lung", "ground glass"}, {"b", "a"}, None)
    classes = ("background", "lung", "ground glass", "consolidation", "nodule")
    assert found == SliceTask(classes, classes[2:], ("a", "b"), "")


def test_the_negative_class_is_the_first() -> None:
    model = ModelConfig(negative_class="well")
    assert slice_task(model, {"infection"}, {"well", "sick"}, None).image_classes == ("well", "sick")


def test_a_base_keeps_its_classes_where_the_data_have_no_others(tiny_one_shot) -> None:
    base = tiny_one_shot.metadata
    found = slice_task(FREE, {"ggo"}, {"covid", "clear"}, base)
    assert (found.classes, found.lesion_classes) == (base.classes, base.lesion_classes)
    assert (found.image_classes, found.negative_class) == (base.image_classes, "clear")
    assert found.unseen == ("lung", "pneumonia")
    other = slice_task(FREE, {"ggo", "nodule"}, {"covid", "flu"}, base)
    assert (other.classes, other.image_classes) == (("background", "ggo", "nodule"), ("covid", "flu"))
    assert other.negative_class == ""


def test_what_is_wanted_goes_first(tiny_one_shot) -> None:
    model = ModelConfig(classes=("background", "nodule", "ggo"), image_classes=("covid", "clear"))
    found = slice_task(model, {"ggo"}, {"covid", "clear"}, tiny_one_shot.metadata)
    assert (found.lesion_classes, found.image_classes) == (("nodule", "ggo"), ("covid", "clear"))
    assert (found.negative_class, found.unseen) == ("clear", ("nodule",))


def test_without_classes_of_slices_the_model_tells_none(tiny_one_shot) -> None:
    found = slice_task(FREE, {"ggo"}, (), tiny_one_shot.metadata)
    assert (found.image_classes, found.negative_class) == ((), "")


@pytest.mark.parametrize(
    ("changes", "outlined", "classes", "text"),
    [
        ({}, {"lung"}, {"a", "b"}, "nothing but lungs"),
        ({}, (), {"a", "b"}, "show nothing"),
        ({"classes": ("background", "lung")}, (), (), "names no lesion"),
        ({"classes": ("background", "ggo")}, {"ggo", "nodule"}, (), "outlines of nodule"),
        ({"image_classes": ("a", "b")}, {"ggo"}, {"a", "c"}, "slices of the class c"),
        ({}, {"ggo"}, {"a"}, "of one class"),
        ({"negative_class": "c"}, {"ggo"}, {"a", "b"}, "negative class c"),
    ],
)
def test_what_cannot_be_learned(changes: dict, outlined, classes, text: str) -> None:
    with pytest.raises(InputError, match=text):
        slice_task(dataclasses.replace(FREE, **changes), outlined, classes, None)
