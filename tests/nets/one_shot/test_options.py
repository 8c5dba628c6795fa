"""Every decision is an option: each is taken and does something, and what does not fit is refused in words."""

from __future__ import annotations

import json

import pytest
import torch

from ctviewer.nets.build import build_net
from ctviewer.nets.one_shot import OneShot, Options, light_options, reference_options

SMALL = {
    "size": 64, "backbone": "resnet18", "width": 16, "channels": 16, "mask_hidden": 16, "box_hidden": 16, "hidden": 16,
    "class_hidden": 16, "beta": 6,
}  # fmt: skip


def test_defaults_are_the_specifications() -> None:
    o = Options()
    assert (o.size, o.channels, o.levels, o.norm) == (512, 256, "pyramid", "group")
    assert (o.beta, o.theta, o.roi_nms, o.order, o.branches) == (16, -0.01, 0.25, "distance", "tied")
    assert (list(o.pre_nms), list(o.post_nms), o.proposal_nms, o.proposal_positive) == (
        [400] * 2,
        [200] * 2,
        0.75,
        0.75,
    )
    assert (o.roi_foreground, o.roi_background, o.roi_batch, o.roi_positive) == (0.75, 0.5, 256, 0.5)
    assert (o.box_hidden, o.mask_hidden, o.hidden, o.class_hidden) == (128, 256, 256, 128)
    assert (o.sieve, o.sieve_order, o.sieve_weights, o.reduce, o.norms, o.attention) == (
        1, "reference", "distinct", "trained", "product", True,
    )  # fmt: skip
    assert tuple(o.anchors) == (16, 32, 64, 128, 256) and tuple(o.ratios) == (0.5, 1.0, 2.0)


def test_a_single_level_has_the_references_anchors_and_large_ones() -> None:
    net = OneShot(4, **SMALL | {"levels": "single"})
    assert net.rpn.anchor_generator.num_anchors_per_location() == [8 * 6]
    assert Options(levels="single").anchors == (2, 4, 8, 16, 32, 64, 128, 256)
    assert list(net.backbone(torch.zeros(1, 3, 64, 64))) == ["0"]


def test_the_reference_is_selected_as_a_whole() -> None:
    o = Options(**reference_options())
    assert (o.backbone, o.levels, o.norm, o.norms) == ("resnext101", "single", "batch_of_one", "reference")
    assert (o.branches, o.reduce, o.sieve_weights, o.sieve_order) == ("copied", "frozen", "shared", "reference")
    assert tuple(o.anchors) == (2, 4, 8, 16, 32)
    net = OneShot(4, image_classes=3, **reference_options() | SMALL).train()
    images = torch.randn(1, 1, 64, 64)
    loss = net.classification_loss(net.classify(images).logits, torch.tensor([1]))
    assert bool(loss.isfinite()) and len(net.eval().analyse(images, 0.0)[0].rois.scores)


@pytest.mark.parametrize("change", [
    {"order": "score"}, {"sieve": 2}, {"sieve_order": "paper"}, {"sieve": 2, "sieve_weights": "shared"},
    {"attention": False}, {"norms": "reference"}, {"norms": "running"}, {"beta": 3}, {"theta": 0.99}, {"roi_nms": 0.9},
    {"norm": "batch"}, {"norm": "batch_of_one"}, {"levels": "single"},
])  # fmt: skip
def test_each_option_changes_the_answer(one_shot_net, change: dict) -> None:
    images = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    change = {"anchors": ()} | change if "levels" in change else change
    net, other = one_shot_net(), one_shot_net(**change)
    fits = {k: v for k, v in net.state_dict().items() if k in (own := other.state_dict()) and own[k].shape == v.shape}
    other.load_state_dict(other.state_dict() | fits)
    (one,), (two,) = net.analyse(images, 0.05), other.analyse(images, 0.05)
    assert bool(two.logits.isfinite().all())
    assert two.logits.tolist() != one.logits.tolist()


@pytest.mark.parametrize(("change", "words"), [
    ({"backbone": "vgg"}, "backbone must be one of resnet18"), ({"order": "random"}, "order must be one of"),
    ({"levels": "two"}, "levels must be one of"), ({"norm": "none"}, "norm must be one of"),
    ({"norms": "none"}, "norms must be one of"), ({"branches": "own"}, "branches must be"),
    ({"size": 100}, "size must be a multiple of 64"), ({"size": 0}, "size must be"), ({"beta": 0}, "beta must be"),
    ({"anchors": (8, 16)}, "5 anchor sides"), ({"norms": "reference", "beta": 1}, "two regions or more"),
    ({"width": 8}, "width must be a multiple of 8"), ({"backbone": "resnext50", "width": 24}, "multiple of 16"),
    ({"negative": 3}, "negative 3"), ({"image_classes": -1}, "-1 image classes"), ({"what": 1}, "does not take"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_net("one_shot", 4, {"image_classes": 3} | SMALL | change)


def test_a_net_needs_a_class_besides_the_background() -> None:
    with pytest.raises(ValueError, match="1 classes"):
        OneShot(1, **SMALL)


@pytest.mark.parametrize("options", [reference_options(), light_options()])
def test_options_survive_json(options: dict) -> None:
    again = json.loads(json.dumps(options))
    assert again == options and Options(**again) == Options(**options)
