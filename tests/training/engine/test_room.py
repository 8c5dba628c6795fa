"""What a study may keep in memory: counted right, within what is free, and without any effect on the gradients."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import nn

from ctviewer.nets.chunks import accumulate_gradients
from ctviewer.nets.encoders import freeze
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.engine import room
from ctviewer.training.engine.room import kept_chunks, slice_bytes


def classifier(encoder: str = "resnet18", trainable: str = "last_two", **options) -> StudyClassifier:
    torch.manual_seed(0)
    if encoder == "resnet18":
        options = {"width": 16, **options}
    net = StudyClassifier(2, encoder=encoder, encoder_options=options, aggregator="attention", head="binary")
    freeze(net.encoder, trainable=trainable)
    return net.train()


class Plain(nn.Module):
    """Keeps the input of its convolution and what relu gave: 4 and 8 channels of 10 x 10 float32."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.ReLU())
        self.encode = self.encoder


def test_bytes_of_a_slice_are_those_that_the_graph_holds():
    assert slice_bytes(Plain(), torch.randn(2, 4, 10, 10)) == (4 + 8) * 100 * 4


def test_what_learns_less_keeps_less():
    images = torch.randn(3, 1, 64, 64)
    some, everything = (slice_bytes(classifier(trainable=word), images) for word in ("last_two", "all"))
    assert 0 < some < everything / 2


def test_the_room_that_is_free_decides_and_the_largest_bounds_it(monkeypatch):
    net, images = classifier(), torch.randn(2, 1, 64, 64)
    chunk = 4 * slice_bytes(net, images)
    monkeypatch.setattr(room, "free_bytes", lambda device: 10 * chunk)
    assert kept_chunks(net, images, 4) == 5  # half of what is free
    assert kept_chunks(net, images, 4, processes=5) == 1
    monkeypatch.setattr(room, "free_bytes", lambda device: 0)
    assert kept_chunks(net, images, 4) == 1
    monkeypatch.setattr(room, "free_bytes", lambda device: 1 << 50)
    assert kept_chunks(net, images, 4) == room.LARGEST // chunk


def test_nothing_is_changed_by_counting():
    net = classifier("convnext_tiny", "all")  # draws at random which blocks to leave out
    before = {name: t.clone() for name, t in net.state_dict().items()}
    torch.manual_seed(3)
    kept_chunks(net, torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)), 4)
    after = torch.rand(3)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(3), after)
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters()) and net.training


def test_a_frozen_encoder_keeps_nothing():
    assert kept_chunks(classifier(trainable="none"), torch.randn(2, 1, 64, 64), 4) == 1


@pytest.fixture(scope="module", params=["resnet18", "googlenet", "convnext_tiny"])
def learning(request) -> StudyClassifier:
    return classifier(request.param, "last_two", **({} if request.param == "convnext_tiny" else {"norm": "batch"}))


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_what_is_kept_changes_no_bit_of_the_gradients(learning, precision):
    net, found = learning, []
    for kept in (1, 2, 3):
        net.zero_grad(set_to_none=True)
        torch.manual_seed(1)
        images = torch.randn(7, 1, 32, 32)
        work = accumulate_gradients(
            net, [images], lambda out, _: out.logits[0, 1].square(), chunk=3, kept=kept, precision=precision
        )
        passed = sum(work)
        assert passed == 7 + max(0, 7 - {1: 1, 2: 4, 3: 7}[kept])
        found.append({name: p.grad for name, p in net.named_parameters() if p.grad is not None})
    assert all(torch.equal(one, other[name]) for other in found[1:] for name, one in found[0].items())


def test_measuring_holds_on_to_nothing():
    net = classifier("resnet18", "all", norm="group")
    left = [weakref.ref(parameter) for parameter in net.parameters()]
    assert kept_chunks(net, torch.randn(2, 1, 32, 32), 4) >= 1
    del net
    gc.collect()
    assert not [one for one in left if one() is not None]
