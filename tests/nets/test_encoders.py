"""Slice encoders: what they say of themselves, what a frozen one does, and BatchNorm that never moves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctviewer.nets.encoders import ENCODERS, SliceEncoder, build_encoder, freeze

SIZES = {"resnet50": 2048, "googlenet": 1024, "resnet18": 512, "mobilenet_v3": 1280, "convnext_tiny": 768}
PUBLISHED = sorted(SIZES)
SMALL = {"resnet18": {"width": 16}, "resnet50": {"width": 16}, "resnet18_pyramid": {"width": 16, "channels": 16}}
LAST_TWO = {
    "resnet50": ("layer3.", "layer4."),
    "resnet18": ("layer3.", "layer4."),
    "resnet18_pyramid": ("pyramid.body.layer3.", "pyramid.body.layer4.", "pyramid.fpn."),
    "googlenet": ("inception5a.", "inception5b."),
    "mobilenet_v3": ("features.15.", "features.16.", "classifier.0."),
    "convnext_tiny": ("features.6.", "features.7.", "classifier.0."),
}


def small(name: str, norm: str) -> SliceEncoder:
    torch.manual_seed(0)
    return build_encoder(name, norm=norm, **SMALL.get(name, {}))


def batch_norms(encoder: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]


def test_all_that_are_asked_for_are_there() -> None:
    assert set(ENCODERS) == {*SIZES, "resnet18_pyramid"} == set(LAST_TWO)


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_feature_size_and_statistics(name: str, norm: str) -> None:
    encoder = build_encoder(name, norm=norm).eval()
    images = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        features = encoder(images)
        torch.testing.assert_close(encoder(images.repeat(1, 3, 1, 1)), features)
    assert features.shape == (2, SIZES[name]) == (2, encoder.out_features) and bool(torch.isfinite(features).all())
    traits = encoder.traits
    assert (traits.published is not None) == (norm == "batch") == (len(traits.mean) == len(traits.std) == 3)
    has_batch_norm = bool(batch_norms(encoder))
    assert has_batch_norm == (norm == "batch" and name != "convnext_tiny")


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_groups_of_one_slice_do_not_see_the_others(name: str) -> None:
    encoder = small(name, "group").eval()
    images = torch.randn(3, 1, 64, 64)
    with torch.inference_mode():
        together = encoder(images)
        torch.testing.assert_close(encoder(images[1:2]), together[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("trainable", ["last_two", "all", "none"])
@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_gradient_flows_where_it_should_and_nowhere_else(name: str, trainable: str) -> None:
    encoder = small(name, "group")
    freeze(encoder, trainable=trainable)
    out = encoder.train()(torch.randn(2, 1, 64, 64)).sum()
    assert out.requires_grad == (trainable != "none")
    if trainable != "none":
        out.backward()
    for parameter_name, parameter in encoder.trunk.named_parameters():
        learns = trainable == "all" or (trainable == "last_two" and parameter_name.startswith(LAST_TWO[name]))
        assert parameter.requires_grad == learns and (parameter.grad is not None) == learns, parameter_name


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_frozen_modules_keep_eval_mode(name: str) -> None:
    encoder = small(name, "group").train()
    freeze(encoder, trainable="last_two")
    for _ in range(2):
        for module_name, module in encoder.trunk.named_modules():
            if list(module.children()) or not module_name:
                continue
            learns = f"{module_name}.".startswith((*LAST_TWO[name], "dropout.", "classifier."))
            assert module.training == learns, module_name
        encoder.eval().train()
    assert encoder.training
    freeze(encoder, trainable="none")
    assert not any(m.training for m in encoder.trunk.modules())
    freeze(encoder, trainable="all")
    assert all(m.training for m in encoder.trunk.modules())


@pytest.mark.parametrize("trainable", ["last_two", "all", "none"])
@pytest.mark.parametrize("name", [n for n in PUBLISHED if n != "convnext_tiny"])
def test_batch_norm_never_moves(name: str, trainable: str) -> None:
    encoder = small(name, "batch")
    freeze(encoder, trainable=trainable)
    encoder.train()
    before = {k: v.clone() for k, v in encoder.named_buffers()}
    assert before and not any(m.training for m in batch_norms(encoder))
    encoder(5 + torch.randn(4, 1, 64, 64))
    assert all(torch.equal(v, before[k]) for k, v in encoder.named_buffers())


def test_only_what_is_trainable_drops_out() -> None:
    encoder = build_encoder("googlenet").train()
    images = torch.randn(1, 1, 64, 64)
    for trainable, differs in (("all", True), ("last_two", True), ("none", False)):
        freeze(encoder, trainable=trainable)
        assert torch.equal(encoder(images), encoder(images)) is not differs, trainable


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of last_two, all, none, not 'half'"):
        freeze(small("resnet18", "group"), trainable="half")
