"""What a run starts from: what is kept, what is new, and never by chance what was not asked for."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ctviewer.core.errors import InputError
from ctviewer.nets.encoders import build_encoder
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.config import ModelConfig
from ctviewer.training.engine.starts import start_net
from ctviewer.training.recipes import RECIPES

HEAD_ONLY, DEEP, PAPER, ALL = (RECIPES[name] for name in ("tuned", "tuned-deep", "paper", "scratch"))
THREE = (("clear",), ("infection",), ("other",), ("clear",))
TWO = (("no", "yes"), ("yes",), ("no",))
SMALL = ModelConfig(start="scratch", encoder="resnet18", encoder_options={"width": 16}, size=64, crop=56)


def learns(net: StudyClassifier) -> set[str]:
    return {name for name, p in net.named_parameters() if p.requires_grad}


def differs(a: dict, b: dict) -> set[str]:
    return {name for name in a if name not in b or a[name].shape != b[name].shape or not torch.equal(a[name], b[name])}


@pytest.fixture
def bundle(make_classifier):
    return make_classifier()


def test_a_base_with_the_same_classes_keeps_its_last_layer(bundle):
    start = start_net(ModelConfig(), HEAD_ONLY, THREE, bundle, 0)
    assert not differs(start.net.state_dict(), bundle.build().state_dict())
    assert (start.classes, start.head, start.negative_class) == (
        ("clear", "infection", "other"),
        "multi_class",
        "clear",
    )
    assert start.preprocessing == bundle.metadata.preprocessing
    assert start.weights_sha256 == bundle.metadata.weights_sha256
    assert start.notes == (f"All weights start from {bundle.key}, its last layer included.",)
    rebuilt = StudyClassifier(3, **start.options)
    assert not differs(rebuilt.state_dict() | start.net.state_dict(), start.net.state_dict())


def test_labels_that_the_base_does_not_know_get_a_new_last_layer_and_that_is_said(bundle):
    labels = (*THREE, ("tuberculosis",))
    start = start_net(ModelConfig(), HEAD_ONLY, labels, bundle, 0)
    assert start.classes == ("clear", "infection", "other", "tuberculosis") and start.head == "multi_class"
    changed = differs(start.net.state_dict(), bundle.build().state_dict())
    assert changed == {"aggregator.head.weight", "aggregator.head.bias"}
    assert start.notes == (
        "The last layer is new and starts from random weights, for the classes clear, infection, other, tuberculosis: "
        f"{bundle.key} tells clear, infection, other apart. All other weights start from {bundle.key}.",
    )
    assert start.net.train().aggregate(torch.randn(1, 4, 128)).logits.shape == (1, 4)


def test_new_layers_depend_on_the_seed_alone(bundle):
    labels = (*THREE, ("tuberculosis",))

    def made(seed: int):
        torch.rand(3)  # wherever torch's own generator stands
        return start_net(ModelConfig(), HEAD_ONLY, labels, bundle, seed).net.state_dict()

    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    first = start_net(ModelConfig(), HEAD_ONLY, labels, bundle, 1).net.state_dict()
    assert torch.equal(torch.rand(4), expected)  # nor does it move
    assert not differs(made(1), first) and differs(made(2), first)


def test_the_class_without_finding_comes_first_in_a_new_binary_head(bundle):
    labels = (("clear",), ("abscess",))
    start = start_net(ModelConfig(), HEAD_ONLY, labels, bundle, 0)
    assert (start.classes, start.head, start.negative_class) == (("clear", "abscess"), "binary", "clear")
    start = start_net(dataclasses.replace(SMALL, negative_class="well"), ALL, (("well",), ("ill",)), None, 0)
    assert (start.classes, start.head, start.negative_class) == (("well", "ill"), "binary", "well")


def test_fewer_classes_than_the_base_knows_keep_all_and_that_is_said(bundle):
    start = start_net(ModelConfig(), HEAD_ONLY, (("clear",), ("other",)), bundle, 0)
    assert start.classes == ("clear", "infection", "other")
    assert start.notes[1] == "No study shows infection: the model learns to find it ever less likely."


def test_several_classes_of_a_study_need_and_get_a_head_for_them(bundle):
    labels = (("clear",), ("infection", "other"))
    start = start_net(ModelConfig(), HEAD_ONLY, labels, bundle, 0)
    assert start.head == "multi_label" and "The last layer is new" in start.notes[0]
    assert start.options["head"] == "multi_label"
    with pytest.raises(InputError, match="Some studies have several classes, and a multi_class head gives each study"):
        start_net(ModelConfig(head="multi_class"), HEAD_ONLY, labels, bundle, 0)


def test_heads_follow_the_labels():
    assert start_net(SMALL, ALL, (("a",), ("b",)), None, 0).head == "binary"
    assert start_net(SMALL, ALL, (("a",), ("b",), ("c",)), None, 0).head == "multi_class"
    assert start_net(SMALL, ALL, TWO, None, 0).head == "multi_label"
    wanted = start_net(
        dataclasses.replace(SMALL, head="multi_label", classes=("b", "a")), ALL, (("a",), ("b",)), None, 0
    )
    assert (wanted.head, wanted.classes) == ("multi_label", ("b", "a"))


@pytest.mark.parametrize(
    ("changes", "labels", "said"),
    [
        ({}, (("a",), ("a",)), r"All studies are of one class \(a\), so there is nothing to tell apart\."),
        ({}, (), "No study has a class, so there is nothing to tell apart"),
        ({"classes": ("a", "b")}, (("a",), ("c",)), r"The labels name c, which the run's classes \(a, b\) lack"),
        ({"classes": ("a", "b", "a")}, (("a",), ("b",)), "A class is named twice"),
        ({"head": "binary"}, (("a",), ("b",), ("c",)), r"tells two classes apart, and there are 3 \(a, b, c\)"),
        ({"head": "ternary"}, (("a",), ("b",)), "A head is one of binary, multi_class, multi_label, not 'ternary'"),
        ({"negative_class": "x"}, (("a",), ("b",)), 'The class without finding, "x", is none of a, b'),
        ({"encoder": "vgg"}, (("a",), ("b",)), "cannot be built: unknown slice encoder 'vgg'"),
        ({"aggregator": "mean"}, (("a",), ("b",)), "cannot be built: unknown aggregator 'mean'"),
        ({"aggregator_options": {"depth": 3}}, (("a",), ("b",)), "does not take {'depth': 3}"),
        ({"encoder_options": {"width": 16, "norm": "batch"}}, (("a",), ("b",)), "needs an encoder of norm group, not"),
        ({"crop": 80}, (("a",), ("b",)), "a crop of 80 of 64 pixels, cannot be"),
        ({"window": (0.0, 0.0)}, (("a",), ("b",)), "A window of 0.0 HU"),
        ({"start": "chance"}, (("a",), ("b",)), "A run starts from base, imagenet, domain, scratch, not from 'chance'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(changes, labels, said):
    with pytest.raises(InputError, match=said) as error:
        start_net(dataclasses.replace(SMALL, **changes), ALL, labels, None, 0)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("recipe", [HEAD_ONLY, DEEP, PAPER])
def test_scratch_freezes_nothing_and_refuses_what_would(recipe):
    with pytest.raises(InputError, match="from scratch there is nothing worth keeping: choose the recipe that trains"):
        start_net(SMALL, recipe, THREE, None, 0)
    start = start_net(SMALL, ALL, THREE, None, 0)
    assert learns(start.net) == {name for name, _ in start.net.named_parameters()}
    assert start.trainable == "all" and start.weights_sha256 == ""
    assert start.notes == ("All weights start from random values.",)
    assert start.options["encoder_options"] == {"width": 16, "norm": "group"}


@pytest.mark.parametrize("kind", ["base", "domain"])
def test_without_a_bundle_there_is_no_start(kind, make_detector):
    with pytest.raises(InputError, match=f'The start "{kind}" needs an installed study classifier, and none'):
        start_net(ModelConfig(start=kind), HEAD_ONLY, THREE, None, 0)
    detector = make_detector()
    with pytest.raises(InputError, match=f"{detector.key} is no study classifier"):
        start_net(ModelConfig(start=kind), HEAD_ONLY, THREE, detector, 0)


def test_domain_takes_the_encoder_and_its_input_of_a_bundle_and_nothing_else(bundle):
    model = ModelConfig(start="domain", aggregator="attention", window=(40.0, 400.0), size=512, crop=512)
    start = start_net(model, HEAD_ONLY, (("a",), ("b",), ("c",)), bundle, 0)
    assert not differs(start.net.encoder.state_dict(), bundle.build().encoder.state_dict())
    assert start.preprocessing == bundle.metadata.preprocessing
    assert start.classes == ("a", "b", "c") and start.negative_class == ""
    assert start.options["aggregator"] == "attention" and start.options["encoder_options"] == {"width": 16}
    assert start.notes == (
        f"The slice encoder starts from {bundle.key}, with its window and size; the aggregator (attention) and the last "
        "layer are new and start from random weights.",
    )
    same = start_net(dataclasses.replace(model, aggregator="lstm_attention"), HEAD_ONLY, THREE, bundle, 0)
    assert "aggregator.head.weight" in differs(same.net.state_dict(), bundle.build().state_dict())


@pytest.mark.parametrize("kind", ["base", "domain"])
def test_a_licence_that_restricts_goes_with_what_is_made(bundle, kind):
    m = dataclasses.replace(bundle.metadata, licence="CC BY-NC-SA-4.0", restriction="Not for commercial use.")
    start = start_net(ModelConfig(start=kind), HEAD_ONLY, THREE, dataclasses.replace(bundle, metadata=m), 0)
    said = f"The licence of {bundle.key} (CC BY-NC-SA-4.0) holds for the new model too. Not for commercial use."
    assert start.notes[-1] == said and len(start.notes) == 2


def published(folder: Path, encoder: str) -> Path:
    """Random weights under torchvision's names, as its files hold them."""
    torch.manual_seed(11)
    trunk = build_encoder(encoder, norm="batch").trunk.state_dict()
    extra = {"fc.weight": torch.ones(1000, 4), "fc.bias": torch.ones(1000)}
    if encoder == "googlenet":
        extra |= {"aux1.fc2.bias": torch.ones(1000), "aux2.conv.bn.weight": torch.ones(128)}
    save_file({name: t.contiguous() for name, t in (trunk | extra).items()}, folder / f"{encoder}.safetensors")
    return folder / f"{encoder}.safetensors"


@pytest.mark.parametrize(
    ("encoder", "trunk"), [("resnet18", ("layer3", "layer4")), ("googlenet", ("inception5a", "inception5b"))]
)
def test_imagenet_is_the_published_net_with_all_but_its_last_two_modules_frozen(tmp_path, encoder, trunk):
    file = published(tmp_path, encoder)
    model = ModelConfig(start="imagenet", encoder=encoder, weights=str(file), size=64, crop=56)
    start = start_net(model, PAPER, TWO[1:], None, 0)
    torch.manual_seed(11)
    expected = build_encoder(encoder, norm="batch").trunk.state_dict()
    assert not differs(start.net.encoder.trunk.state_dict(), expected)
    assert start.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    encoded = {name.removeprefix("encoder.trunk.").split(".")[0] for name in learns(start.net) if "encoder" in name}
    assert encoded == set(trunk) and start.trainable == "last_two"
    assert any(name.startswith("aggregator.") for name in learns(start.net))
    norms = [m for m in start.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)
    p = start.preprocessing
    assert (p.mean, p.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) and (p.size, p.crop) == (64, 56)
    assert f"starts from ImageNet's weights ({encoder}.safetensors)" in start.notes[0]


def test_imagenet_without_its_file_is_an_error_with_the_choices_and_never_chance(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"resnet50-0676ba61\.pth does not exist; copy .* or train from scratch\.$"):
        start_net(ModelConfig(start="imagenet"), PAPER, THREE, None, 0)
    with pytest.raises(InputError, match=r"no\.pth does not exist"):
        start_net(ModelConfig(start="imagenet", weights=str(tmp_path / "no.pth")), PAPER, THREE, None, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "resnet18_pyramid"}, "exists with norm group only"),
        ({"encoder_options": {"norm": "group"}}, 'The start "imagenet" needs an encoder of norm batch, not group'),
        ({"encoder_options": {"width": 32}}, "cannot be used because the shape of conv1.weight"),
    ],
)
def test_imagenet_weights_belong_to_their_own_net(tmp_path, changes, said):
    file = published(tmp_path, "resnet18")
    model = ModelConfig(start="imagenet", encoder="resnet18", weights=str(file), size=64, crop=56)
    with pytest.raises(InputError, match=said):
        start_net(dataclasses.replace(model, **changes), PAPER, THREE, None, 0)


def test_what_learns_follows_the_recipe(bundle):
    frozen = start_net(ModelConfig(), HEAD_ONLY, THREE, bundle, 0)
    assert frozen.trainable == "none" and all(name.startswith("aggregator.") for name in learns(frozen.net))
    deep = start_net(ModelConfig(), DEEP, THREE, bundle, 0)
    assert {name.split(".")[2] for name in learns(deep.net) if name.startswith("encoder.")} == {"layer3", "layer4"}
    assert start_net(ModelConfig(), ALL, THREE, bundle, 0).trainable == "all"


def test_under_max_pooling_nothing_of_the_encoder_learns_unless_all_of_it_does(make_classifier):
    bundle = make_classifier("max_pool")
    start = start_net(ModelConfig(), PAPER, THREE, bundle, 0)
    assert start.trainable == "none" and not any(name.startswith("encoder.") for name in learns(start.net))
    assert start.notes[-1] == "Under max pooling nothing of the slice encoder learns, as in the paper."
    assert start_net(ModelConfig(), ALL, THREE, bundle, 0).trainable == "all"


@pytest.mark.parametrize("aggregator", ["max_pool", "lstm", "lstm_attention", "attention"])
def test_every_aggregator_has_its_last_layer_renewed(make_classifier, aggregator):
    bundle = make_classifier(aggregator)
    start = start_net(ModelConfig(), HEAD_ONLY, (*THREE, ("new",)), bundle, 0)
    assert differs(start.net.state_dict(), bundle.build().state_dict()) == {
        "aggregator.head.weight",
        "aggregator.head.bias",
    }


def test_a_net_that_is_ready_to_learn_is_in_training_mode_with_gradients(bundle):
    start = start_net(ModelConfig(), DEEP, THREE, bundle, 0)
    assert start.net.training and start.net.encoder.trunk.layer4.training
    out = start.net(torch.randn(1, 3, 1, 64, 64))
    out.logits.sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in start.net.parameters())
