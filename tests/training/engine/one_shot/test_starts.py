"""What a one-shot run starts from: which weights are taken over, which are new, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from ctviewer.core.errors import InputError
from ctviewer.models.bundle import load_bundle
from ctviewer.nets.one_shot import reference_options
from ctviewer.training.config import ModelConfig
from ctviewer.training.engine.one_shot.starts import input_of, start_one_shot
from ctviewer.training.recipes import RECIPES
from ctviewer.training.slices.task import SliceTask

RESOURCES = Path(__file__).parents[4] / "resources"
SCRATCH, PAPER = RECIPES["one-shot-scratch"], RECIPES["one-shot-paper"]
BASE = SliceTask(("background", "lung", "ggo"), ("ggo",), ("clear", "pneumonia", "covid"), "clear")
SMALL = {"width": 16, "channels": 16, "mask_hidden": 16, "box_hidden": 16, "hidden": 16, "class_hidden": 16}
NEW = {"start": "scratch", "encoder": "resnet18", "size": 64, "crop": 64, "net": SMALL}


def started(base=None, task=BASE, recipe=SCRATCH, seed=1, **model):
    return start_one_shot(ModelConfig(**model), recipe, task, base, seed)


def differing(start, bundle) -> set[str]:
    """Names of weights that are not the bundle's."""
    theirs = bundle.build().state_dict()
    state = start.net.state_dict()
    return {name for name, t in state.items() if name not in theirs or not torch.equal(t, theirs[name])}


def test_from_a_base_of_the_same_classes_all_weights_are_taken(tiny_one_shot) -> None:
    start = started(tiny_one_shot)
    assert differing(start, tiny_one_shot) == set()
    assert start.preprocessing == tiny_one_shot.metadata.preprocessing
    assert start.weights_sha256 == tiny_one_shot.metadata.weights_sha256
    assert start.notes == (f"All weights start from {tiny_one_shot.key}.",)
    assert start.net.training
    assert all(p.requires_grad for p in start.net.parameters())


def test_what_is_known_of_a_class_of_slices_is_kept_by_its_name(tiny_one_shot) -> None:
    task = dataclasses.replace(BASE, image_classes=("covid", "other", "clear"))
    start = started(tiny_one_shot, task)
    last = [f"attention_layer.{which}_classes.logits" for which in ("positive", "negative")]
    assert {name.rpartition(".")[0] for name in differing(start, tiny_one_shot)} == set(last)
    assert (start.options["image_classes"], start.options["negative"]) == (3, 2)
    assert start.notes[1].startswith("The last layers are new for slices of other: ")
    theirs, ours = tiny_one_shot.build().state_dict(), start.net.state_dict()
    for layer in last:
        for kind in ("weight", "bias"):
            assert torch.equal(ours[f"{layer}.{kind}"][[0, 2]], theirs[f"{layer}.{kind}"][[2, 0]])
        assert not torch.equal(ours[f"{layer}.weight"][1], theirs[f"{layer}.weight"][1])


def test_fewer_classes_of_slices_are_all_kept(tiny_one_shot) -> None:
    start = started(tiny_one_shot, dataclasses.replace(BASE, image_classes=("clear", "covid")))
    assert start.notes == (f"All weights start from {tiny_one_shot.key}.",)
    name = "attention_layer.positive_classes.logits.weight"
    assert torch.equal(start.net.state_dict()[name], tiny_one_shot.build().state_dict()[name][[0, 2]])


def test_what_is_known_of_a_lesion_is_kept_by_its_name(tiny_one_shot) -> None:
    classes = ("background", "infection", "lung")
    start = started(tiny_one_shot, dataclasses.replace(BASE, classes=classes, lesion_classes=("infection",)))
    last = {
        "segmentation.box_predictor.cls_score": 1,
        "segmentation.box_predictor.bbox_pred": 4,
        "segmentation.mask_predictor.mask_fcn_logits": 1,
    }
    assert {name.rpartition(".")[0] for name in differing(start, tiny_one_shot)} == set(last)
    assert start.notes[1].startswith("The last layers are new for infection: ")
    theirs, ours = tiny_one_shot.build().state_dict(), start.net.state_dict()
    for layer, each in last.items():
        name = f"{layer}.weight"
        assert torch.equal(ours[name][:each], theirs[name][:each]), "background"
        assert torch.equal(ours[name][2 * each :], theirs[name][each : 2 * each]), "lung"
        assert not torch.equal(ours[name][each : 2 * each], theirs[name][2 * each :]), "infection is not ggo"


def test_without_classes_of_slices_the_rest_is_taken(make_one_shot) -> None:
    base = make_one_shot(branches="copied")
    plain = started(base, dataclasses.replace(BASE, image_classes=(), negative_class=""))
    assert plain.net.segmentation_only
    assert any("tells no class of a slice" in note for note in plain.notes)
    assert differing(plain, base) == set()


def test_a_copied_branch_starts_as_the_one_it_copies(tiny_one_shot, make_one_shot) -> None:
    start = started(tiny_one_shot, net={"branches": "copied"})
    for ours, theirs in zip(start.net.copied.parameters(), start.net.segmentation.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert not ours.requires_grad
    base = make_one_shot(branches="copied")
    assert differing(started(base), base) == set(), "what was copied once is as it was"


def test_the_domain_start_takes_the_backbone_alone(tiny_one_shot) -> None:
    net = {"box_hidden": 24, "mask_hidden": 16}
    start = started(tiny_one_shot, start="domain", size=64, crop=64, net=net)
    same = set(start.net.state_dict()) - differing(start, tiny_one_shot)
    assert {name for name in start.net.state_dict() if name.startswith("backbone.")} <= same
    assert not any(name.startswith("segmentation.box_head.fc7.weight") for name in same)
    assert start.preprocessing == tiny_one_shot.metadata.preprocessing
    with pytest.raises(InputError, match="does not fit the options"):
        started(tiny_one_shot, start="domain", size=64, crop=64, net={"channels": 32})


def test_a_licence_that_restricts_goes_with_what_is_made(tiny_one_shot) -> None:
    m = dataclasses.replace(tiny_one_shot.metadata, licence="CC BY-NC-SA-4.0", restriction="Not for commercial use.")
    start = started(dataclasses.replace(tiny_one_shot, metadata=m))
    said = f"The licence of {tiny_one_shot.key} (CC BY-NC-SA-4.0) holds for the new model too. Not for commercial use."
    assert start.notes[-1] == said and not any("licence" in note for note in started(tiny_one_shot).notes)


def test_the_domain_start_from_a_study_classifier(classifier) -> None:
    start = started(classifier, start="domain", size=64, crop=64, net={k: v for k, v in SMALL.items() if k != "width"})
    trunk, body = classifier.build().encoder.trunk.state_dict(), start.net.backbone.body.state_dict()
    assert set(trunk) == set(body)
    assert all(torch.equal(tensor, trunk[name]) for name, tensor in body.items())
    p = classifier.metadata.preprocessing
    assert (start.preprocessing.window_centre, start.preprocessing.mean) == (p.window_centre, p.mean)
    assert "The backbone starts from" in start.notes[0]


def test_from_published_weights_of_a_file(tmp_path) -> None:
    torch.manual_seed(0)
    published = torchvision.models.resnet18(weights=None).state_dict()
    file = tmp_path / "resnet18.safetensors"
    save_file(published, file)
    model = {"start": "imagenet", "encoder": "resnet18", "size": 64, "crop": 64, "weights": str(file)}
    model["net"] = {k: v for k, v in SMALL.items() if k != "width"}
    start = started(recipe=PAPER, **model)
    body = start.net.backbone.body.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.items())
    assert start.options["norm"] == "batch"
    assert len(start.weights_sha256) == 64
    assert start.preprocessing.per_image
    with pytest.raises(InputError, match="does not exist"):
        started(recipe=PAPER, **{**model, "weights": str(tmp_path / "none.pth")})


def test_from_scratch_nothing_is_frozen() -> None:
    start = started(**NEW)
    assert start.options["norm"] == "group"
    assert start.notes == ("All weights start from random values.",)
    with pytest.raises(InputError, match="nothing worth keeping"):
        started(recipe=dataclasses.replace(SCRATCH, trainable="last_two"), **NEW)
    with pytest.raises(InputError, match="frozen BatchNorm"):
        started(**{**NEW, "net": {**SMALL, "norm": "batch"}})


def test_the_seed_decides_and_torch_is_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (started(seed=seed, **NEW).net.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("trainable", ["last_two", "none"])
def test_what_of_the_trunk_learns(tiny_one_shot, trainable: str) -> None:
    start = started(tiny_one_shot, recipe=dataclasses.replace(SCRATCH, trainable=trainable))
    learning = {name for name, p in start.net.named_parameters() if p.requires_grad}
    trunk = {name.split(".")[2] for name in learning if name.startswith("backbone.body.")}
    assert trunk == ({"layer3", "layer4"} if trainable == "last_two" else set())
    assert any(name.startswith("backbone.fpn.") for name in learning)


def test_the_reference_as_a_whole() -> None:
    net = {"reference": True, "backbone": "resnet18", "norms": "product", **SMALL}
    start = started(**{**NEW, "net": net})
    for name, value in reference_options().items():
        expected = {"backbone": "resnet18", "norms": "product"}.get(name, value)
        assert start.options[name] == expected, name
    assert "reference" not in start.options


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"start": "base"}, "needs an installed model"),
        ({"start": "moon"}, "starts from"),
        ({**NEW, "net": {"wings": 2}}, "wings"),
        ({**NEW, "net": {"size": 32}}, "model.net says size"),
        ({**NEW, "size": 65, "crop": 65}, "cannot be built"),
        ({**NEW, "window": (0.0, -1.0)}, "cannot be"),
        ({**NEW, "encoder": "googlenet"}, "cannot be built"),
    ],
)
def test_what_cannot_be(model: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        started(**model)


def test_a_study_classifier_is_no_base(classifier) -> None:
    with pytest.raises(InputError, match="no one-shot model"):
        input_of(ModelConfig(start="base"), SCRATCH, classifier)


def test_the_shipped_models_are_starts() -> None:
    net = {"box_hidden": 16, "hidden": 16, "class_hidden": 16}
    for name in ("starter-lesion-detector", "starter-study-classifier"):
        (folder,) = sorted((RESOURCES / "bundles").glob(f"{name}-*"))[-1:]
        start = started(load_bundle(folder), start="domain", size=128, crop=128, net=net)
        assert start.notes[0].startswith("The backbone and feature pyramid start from"), name


def test_the_shipped_detector_learns_classes_of_slices() -> None:
    (folder,) = sorted((RESOURCES / "bundles").glob("starter-lesion-detector-*"))[-1:]
    base = load_bundle(folder)
    m = base.metadata
    task = SliceTask(m.classes, m.lesion_classes, ("clear", "sick"), "clear")
    start = started(base, task, net={"hidden": 16, "class_hidden": 16})
    assert {name.partition(".")[0] for name in differing(start, base)} == {"attention_layer"}
    assert start.preprocessing == m.preprocessing
    assert start.notes[-1] == "New as well, and started from random weights: the attention layer."
