"""Each stage of the attention layer against straightforward loops over regions and states."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctviewer.nets.norms import group_norm
from ctviewer.nets.one_shot.attention import LstmAttention
from ctviewer.nets.one_shot.classifier import ClassLogits
from ctviewer.nets.one_shot.layer import AttentionLayer
from ctviewer.nets.one_shot.norms import SliceBatchNorm
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.sieve import MaskSieve, SieveStage
from ctviewer.nets.one_shot.vectorise import Vectorise, VectorNorm

C = 16


def halve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A 2x2 convolution of stride 2, each cell by its four pixels."""
    out = torch.zeros(len(x), conv.out_channels, x.shape[2] // 2, x.shape[3] // 2)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            patch = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten(1)
            out[:, :, i, j] = patch @ conv.weight.flatten(1).T + conv.bias
    return out


def double(conv: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """A transposed 2x2 convolution of stride 2: every pixel paints its own four cells."""
    out = torch.zeros(len(x), conv.out_channels, 2 * x.shape[2], 2 * x.shape[3])
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            cells = torch.einsum("rc,cohw->rohw", x[:, :, i, j], conv.weight)
            out[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = cells + conv.bias[:, None, None]
    return out


@pytest.mark.parametrize("order", ["reference", "paper"])
@torch.no_grad()
def test_a_stage_of_the_sieve(order: str) -> None:
    stage, x = SieveStage(C, group_norm, order), torch.randn(3, C, 28, 28)
    small = stage.norm(halve(stage.down, x))
    assert small.shape == (3, C // 2, 14, 14)
    expected = double(stage.up, small.clamp(min=0)) if order == "reference" else double(stage.up, small).clamp(min=0)
    torch.testing.assert_close(stage(x), expected, atol=1e-5, rtol=1e-5)
    assert (expected < 0).any() == (order == "reference")


@torch.no_grad()
def test_a_sieve_of_n_has_n_stages_and_the_references_one_stage_n_squared_passes() -> None:
    x = torch.randn(2, C, 28, 28)
    distinct, shared = (MaskSieve(C, group_norm, "reference", 2, shared=s) for s in (False, True))
    assert len(distinct.stages) == 2 and len(shared.stages) == 1
    torch.testing.assert_close(distinct(x), distinct.stages[1](distinct.stages[0](x)))
    one = shared.stages[0]
    torch.testing.assert_close(shared(x), one(one(one(one(x)))))
    once = MaskSieve(C, group_norm, "reference", 1, shared=True)
    torch.testing.assert_close(once(x), once.stages[0](x))


@torch.no_grad()
def test_vectorising_is_three_convolutions_each_with_relu_then_norm() -> None:
    part, x = Vectorise(C, group_norm, VectorNorm), torch.randn(3, C, 28, 28)
    half = part.norm1(halve(part.conv1, x).clamp(min=0))
    quarter = part.norm2(halve(part.conv2, half).clamp(min=0))
    assert quarter.shape == (3, C, 7, 7)
    expected = torch.zeros(3, C)
    for r in range(3):
        vector = [(quarter[r] * w).sum() + b for w, b in zip(part.conv3.weight, part.conv3.bias, strict=True)]
        vector = torch.stack(vector).clamp(min=0)
        scaled = (vector - vector.mean()) / (vector.var(correction=0) + 1e-5).sqrt()
        expected[r] = scaled * part.norm3.weight + part.norm3.bias
    torch.testing.assert_close(part(x), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_lstm_with_attention_state_by_state() -> None:
    part, x = LstmAttention(C, 12, attention=True), torch.randn(2, 5, C)
    w = part.lstm
    for n in range(2):
        h, c, states = torch.zeros(12), torch.zeros(12), []
        for k in range(5):
            gates = w.weight_ih_l0 @ x[n, k] + w.bias_ih_l0 + w.weight_hh_l0 @ h + w.bias_hh_l0
            i, f, g, o = gates.split(12)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        z = part.linear.weight @ states[-1] + part.linear.bias
        scores = [float(z @ s) for s in states]
        alpha = [math.exp(s) / sum(math.exp(t) for t in scores) for s in scores]
        expected = z + sum(a * s for a, s in zip(alpha, states, strict=True))
        out, told = part(x)
        torch.testing.assert_close(out[n], expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(told[n], torch.tensor(alpha), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_without_attention_the_last_state_alone_goes_on() -> None:
    part, x = LstmAttention(C, 12, attention=False), torch.randn(2, 5, C)
    out, told = part(x)
    assert told is None
    torch.testing.assert_close(out, part.linear(part.lstm(x)[0][:, -1]))


@torch.no_grad()
def test_the_classifier_is_two_layers_with_relu_and_one_of_logits() -> None:
    part, x = ClassLogits(12, 10, 3), torch.randn(4, 12)
    hidden = (part.layer1.weight @ x.T + part.layer1.bias[:, None]).clamp(min=0)
    hidden = (part.layer2.weight @ hidden + part.layer2.bias[:, None]).clamp(min=0)
    torch.testing.assert_close(part(x), (part.logits.weight @ hidden + part.logits.bias[:, None]).T)


@torch.no_grad()
def test_the_layer_joins_its_stages_slice_by_slice() -> None:
    options = Options(channels=C, mask_hidden=C, hidden=12, class_hidden=10, beta=4)
    layer, x = AttentionLayer(options, 3), torch.randn(8, C, 28, 28)
    reduced = layer.reduced(x)
    torch.testing.assert_close(reduced, F.conv2d(x, layer.reduce.weight, layer.reduce.bias, padding=1).clamp(min=0))
    both = layer(reduced)
    assert both.positive.shape == both.negative.shape == (2, 3) and both.attention_positive.shape == (2, 4)
    for n in range(2):
        regions = layer.vectorise(layer.sieve(reduced[4 * n : 4 * n + 4]))[None]
        for name in ("positive", "negative"):
            vector, alpha = getattr(layer, name)(regions)
            torch.testing.assert_close(getattr(both, name)[n], getattr(layer, f"{name}_classes")(vector)[0])
            torch.testing.assert_close(getattr(both, f"attention_{name}")[n], alpha[0])


def plain_batch_norm(norm: SliceBatchNorm, maps: Tensor) -> Tensor:
    out = torch.empty_like(maps)
    for c in range(maps.shape[1]):
        values = maps[:, c]
        scaled = (values - values.mean()) / (values.var(correction=0) + norm.eps).sqrt()
        out[:, c] = scaled * norm.weight[c] + norm.bias[c]
    return out


@pytest.mark.parametrize(("rows", "cells"), [(1, 5), (3, 5), (3, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_the_reference_is_slice_by_slice(rows: int, cells: int, training: bool) -> None:
    norm = SliceBatchNorm(4, rows).train(training)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    x = torch.randn(2 * rows, 4, cells, cells, requires_grad=True)
    before = {k: v.clone() for k, v in norm.named_buffers()}
    out = norm(x)
    expected = torch.cat([plain_batch_norm(norm, part) for part in x.split(rows)])
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)
    push = torch.randn_like(out)
    wanted = (x, norm.weight, norm.bias)
    for ours, theirs in zip(
        torch.autograd.grad(out, wanted, push), torch.autograd.grad(expected, wanted, push), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    same = all(torch.equal(v, before[k]) for k, v in norm.named_buffers())
    assert same != training


def test_running_statistics_are_those_of_one_slice_after_another() -> None:
    norm, plain = SliceBatchNorm(4, 3, running=True), nn.BatchNorm2d(4)
    x = torch.randn(6, 4, 5, 5)
    norm(x)
    for part in x.split(3):
        plain(part)
    for ours, theirs in zip(norm.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(norm.eval()(x), plain.eval()(x))
