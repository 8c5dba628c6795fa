"""Which models are trained with which data and settings, and how."""

import dataclasses

import pytest

from ctviewer.core.errors import InputError
from ctviewer.nets.one_shot.options import BACKBONES as NET_BACKBONES
from ctviewer.nets.one_shot.options import LEVELS as NET_LEVELS
from ctviewer.nets.one_shot.options import OPTION_NAMES, Options
from ctviewer.nets.slice_classifier import SLICE_CLASSIFIERS
from ctviewer.training.config import SliceSet
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.reproduction import ter_sarkisov
from ctviewer.training.reproduction.ter_sarkisov_plan import (
    ARMS,
    BACKBONES,
    LEVELS,
    MAIN,
    NAMES,
    TRANSFERRED,
    Kind,
    TerSarkisovSettings,
    arms,
    recipe_of,
)
from ctviewer.training.reproduction.ter_sarkisov_published import TABLE_1, TABLE_2
from ctviewer.training.slices.two_sources import TwoSources

USUAL = dataclasses.asdict(Options())


def _names(settings=None, lesions=True, images=True, usual=USUAL):
    found = arms(settings or TerSarkisovSettings(), lesions=lesions, images=images, usual=usual)
    return [arm.name for arm in found]


def test_every_model_names_what_there_is():
    published = {row.model for row in (*TABLE_1.rows, *TABLE_2.rows)}
    assert {arm.published for arm in ARMS} - {""} <= published
    assert {arm.net["encoder"] for arm in ARMS if arm.kind is Kind.BASELINE} == set(SLICE_CLASSIFIERS)
    for arm in ARMS:
        if arm.kind is Kind.ABLATION:
            assert set(arm.net) <= {*OPTION_NAMES, "reference"} and arm.about
    assert set(BACKBONES) == set(NET_BACKBONES) and set(LEVELS) == set(NET_LEVELS)
    assert len(set(NAMES)) == len(NAMES)


def test_an_ablation_that_changes_nothing_is_left_out():
    assert "tied" not in _names() and "copied" in _names()
    copied = _names(usual=USUAL | {"branches": "copied", "order": "score"})
    assert "tied" in copied and "copied" not in copied and "order-score" not in copied


def test_what_there_are_no_data_for_is_left_out():
    assert set(_names(images=False)) == {"mask-rcnn", "heads-only"}
    assert all(name in {arm.name for arm in ARMS if arm.kind is Kind.BASELINE} for name in _names(lesions=False))
    assert "heads-only" not in _names(TerSarkisovSettings(start="scratch"))
    with pytest.raises(InputError, match="none of the models"):
        _names(TerSarkisovSettings(models=("one-shot",)), images=False)
    with pytest.raises(InputError, match="There is no model 'vgg16'"):
        _names(TerSarkisovSettings(models=("vgg16",)))


def test_the_recipe_is_the_papers_with_what_is_said_otherwise():
    usual = recipe_of(TerSarkisovSettings(), MAIN)
    assert (usual.optimizer, usual.rate, usual.decay, usual.epochs) == ("adam", 1e-5, 1e-3, 50)
    other = recipe_of(TerSarkisovSettings(epochs=3, batch=2, rate=1e-3, precision="bfloat16"), MAIN)
    assert (other.epochs, other.batch, other.rate, other.precision) == (3, 2, 1e-3, "bfloat16")
    assert recipe_of(TerSarkisovSettings(recipe="one-shot-tuned"), TRANSFERRED).per_class == 300
    summed = next(arm for arm in ARMS if arm.name == "summed")
    assert recipe_of(TerSarkisovSettings(), summed).losses == "sum"


def test_parts_and_baselines_take_as_many_steps_as_the_model():
    sets = (SliceSet("cncb", "/a"),), (SliceSet("covidx", "/b"),)
    report = PreflightReport(0, 0, (), slices={"train/lesions": 10, "train/images": 45})
    data = ter_sarkisov.Data(*sets, TwoSources([]), report, "control")
    settings = TerSarkisovSettings(epochs=4, batch=2)
    by_name = {arm.name: ter_sarkisov.arm_config(settings, data, arm, 1) for arm in ARMS}
    assert by_name["one-shot"].recipe.epochs == by_name["resnet18"].recipe.epochs == 4
    assert by_name["mask-rcnn"].recipe.epochs == round(
        4 * 23 / 5
    )  # 23 steps on lesions an epoch beside the model's classes
    assert by_name["mask-rcnn"].images == () and by_name["mask-rcnn"].model.negative_class == ""
    assert by_name["heads-only"].recipe.trainable == "none"
    assert by_name["resnet18"].model.encoder == "resnet18"
    assert by_name["no-attention"].model.net == {"backbone": "resnext101", "attention": False}
    assert {config.data.cross_validation for config in by_name.values()} == {"never"}
    assert {config.seed for config in by_name.values()} == {1}


def test_reference_is_all_of_it():
    told = ter_sarkisov.net_options(TerSarkisovSettings(net={"reference": True, "backbone": "resnet18"}), MAIN)
    assert (told["levels"], told["branches"], told["norms"], told["reduce"]) == (
        "single",
        "copied",
        "reference",
        "frozen",
    )
    assert told["backbone"] == "resnet18" and told["size"] == 512
