"""Backbones: maps, names of weights, published weights from a local file, and folded BatchNorm."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from ctviewer.core.errors import InputError
from ctviewer.nets.one_shot import OneShot, load_backbone
from ctviewer.nets.one_shot.backbones import Backbone
from ctviewer.nets.one_shot.options import BACKBONES, Options

SMALL = {"size": 64, "channels": 16, "mask_hidden": 16, "box_hidden": 16, "hidden": 16, "beta": 4}


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("levels", "strides"), [("pyramid", [4, 8, 16, 32, 64]), ("single", [32])])
def test_maps_of_every_backbone(name: str, levels: str, strides: list[int]) -> None:
    part = Backbone(Options(backbone=name, levels=levels, width=16, channels=8, size=128)).eval()
    with torch.no_grad():
        maps = part(torch.randn(1, 3, 128, 128))
    assert [m.shape for m in maps.values()] == [(1, 8, 128 // s, 128 // s) for s in strides]


def test_a_pyramid_is_torchvisions_weight_for_weight() -> None:
    theirs = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5).eval()
    ours = Backbone(Options(backbone="resnet18", norm="batch")).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for name, expected in theirs(images).items():
            torch.testing.assert_close(ours(images)[name], expected)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(0)
    state = resnet18(weights=None).state_dict()
    state = {k: torch.rand_like(v) + 0.5 if "running" in k else v for k, v in state.items()}
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(state, file)
    return file, state


@pytest.mark.parametrize("norm", ["batch", "batch_of_one"])
def test_published_weights_are_loaded_into_the_trunk(norm: str, published: tuple[Path, dict[str, Tensor]]) -> None:
    file, state = published
    net = OneShot(3, backbone="resnet18", norm=norm, **SMALL)
    loaded = load_backbone(net, file)
    own = net.backbone.body.state_dict()
    assert loaded.file == file and all(torch.equal(v, state[k]) for k, v in own.items())
    assert set(state) - set(own) <= {"fc.weight", "fc.bias"} | {k for k in state if k.endswith("num_batches_tracked")}


def test_trunk_features_are_torchvisions(published: tuple[Path, dict[str, Tensor]]) -> None:
    file, state = published
    net = OneShot(3, backbone="resnet18", norm="batch", **SMALL).eval()
    load_backbone(net, file)
    theirs = resnet18(weights=None).eval()
    theirs.load_state_dict(state)
    theirs.fc = theirs.avgpool = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.backbone.body(images)["3"].flatten(1), theirs(images), atol=1e-4, rtol=1e-4)


def test_weights_that_do_not_fit_leave_the_net_as_it_was(published: tuple[Path, dict[str, Tensor]], tmp_path) -> None:
    file, _ = published
    for options, words in (
        ({"norm": "group"}, "norm group"), ({"norm": "batch", "width": 16}, "shape of conv1.weight"),
    ):  # fmt: skip
        net = OneShot(3, backbone="resnet18", **SMALL, **options)
        before = {k: v.clone() for k, v in net.state_dict().items()}
        with pytest.raises(InputError, match=words):
            load_backbone(net, file)
        assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    with pytest.raises(InputError, match=r"none\.pth does not exist.*resnet18"):
        load_backbone(OneShot(3, backbone="resnet18", norm="batch", **SMALL), tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50"])
def test_folded_batch_norm_gives_the_same_and_is_gone(name: str) -> None:
    torch.manual_seed(1)
    net = OneShot(3, image_classes=2, backbone=name, norm="batch", width=16, **SMALL).eval()
    for module in net.modules():
        if isinstance(module, FrozenBatchNorm2d):
            for value in module.buffers():
                value.uniform_(0.5, 1.5)
    images = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before = net.features(images)
        net.fold_batch_norm()
        after = net.features(images)
    scale = float(before.abs().max())
    torch.testing.assert_close(after / scale, before / scale, atol=1e-5, rtol=1e-4)
    assert not any(isinstance(m, FrozenBatchNorm2d) for m in net.modules())
    assert net.analyse(images, 0.0)[0].logits.shape == (2,)


def test_folding_leaves_group_norm_alone(one_shot_net) -> None:
    net = one_shot_net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.fold_batch_norm()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_frozen_batch_norm_learns_nothing_and_moves_nothing() -> None:
    net = OneShot(3, image_classes=2, backbone="resnet18", norm="batch", width=16, **SMALL).train()
    assert not any(".bn" in name for name in net.learns("lesion"))
    norms = {k: v.clone() for k, v in net.state_dict().items() if ".bn" in k}
    net.classify(torch.randn(2, 1, 64, 64))
    assert norms and all(torch.equal(net.state_dict()[k], v) for k, v in norms.items())
