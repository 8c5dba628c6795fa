"""Each aggregator against loops written from the paper's formulas, and blind to padding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from ctviewer.nets.aggregators import AGGREGATORS, Attention, Lstm, LstmAttention, MaxPool, real_slices

D, CLASSES = 8, 3
LENGTHS = [5, 1, 9]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    features = torch.zeros(len(LENGTHS), max(LENGTHS), D)
    for i, n in enumerate(LENGTHS):
        features[i, :n] = torch.randn(n, D)
    return features, torch.tensor(LENGTHS)


def aggregator(name: str) -> nn.Module:
    torch.manual_seed(1)
    return AGGREGATORS[name](D, CLASSES).eval()


def lstm_states(lstm: nn.LSTM, x: np.ndarray, suffix: str) -> np.ndarray:
    """Hidden states of one direction, gate by gate (Hochreiter and Schmidhuber; torch's gate order i, f, g, o)."""
    w_x, w_h, b_x, b_h = (
        getattr(lstm, f"{kind}_l0{suffix}").detach().numpy().astype(np.float64)
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731  # one formula, one line
    h, c, out = np.zeros(D // 2), np.zeros(D // 2), []
    for row in x[::-1] if suffix else x:
        i, f, g, o = np.split(w_x @ row + b_x + w_h @ h + b_h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out[::-1] if suffix else out)


def paper_states(net: LstmAttention | Lstm, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    forward, backward = (lstm_states(net.recurrent.lstm, x, s) for s in ("", "_reverse"))
    return np.concatenate([forward, backward], axis=1), np.concatenate([forward[-1], backward[0]])


def paper_attention(states: np.ndarray, query: np.ndarray, scale: float) -> np.ndarray:
    scores = [scale * sum(h * q for h, q in zip(row, query, strict=True)) for row in states]
    total = sum(math.exp(s) for s in scores)
    return np.array([math.exp(s) / total for s in scores])


@pytest.mark.parametrize("scale", ["none", "sqrt", "learned"])
def test_lstm_attention_is_the_papers_formula(batch: tuple[torch.Tensor, torch.Tensor], scale: str) -> None:
    torch.manual_seed(1)
    net = LstmAttention(D, CLASSES, scale=scale).eval()
    out = net(*batch)
    weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    for i, n in enumerate(LENGTHS):
        states, query = paper_states(net, batch[0][i, :n].numpy().astype(np.float64))
        alpha = paper_attention(states, query, 1.0 if scale == "none" else 1 / math.sqrt(D))
        pooled = sum(a * h for a, h in zip(alpha, states, strict=True))
        np.testing.assert_allclose(out.attention[i, :n].detach(), alpha, atol=1e-6)
        np.testing.assert_allclose(out.logits[i].detach(), weight @ pooled + bias, atol=1e-6)
        for k in range(n):
            np.testing.assert_allclose(out.evidence[i, k].detach(), alpha[k] * (weight @ states[k]), atol=1e-6)


def test_the_last_column_as_query_is_h_at_the_last_slice(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(1)
    net = LstmAttention(D, CLASSES, query="last_column").eval()
    out = net(*batch)
    for i, n in enumerate(LENGTHS):
        states, final = paper_states(net, batch[0][i, :n].numpy().astype(np.float64))
        alpha = paper_attention(states, states[-1], 1.0)
        np.testing.assert_allclose(out.attention[i, :n].detach(), alpha, atol=1e-6)
        assert n == 1 or not np.allclose(states[-1], final)


def test_attention_alone_asks_with_the_mean_feature(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    net = aggregator("attention")
    assert isinstance(net, Attention)
    out = net(*batch)
    for i, n in enumerate(LENGTHS):
        x = batch[0][i, :n].numpy()
        alpha = paper_attention(x, x.mean(axis=0), 1 / math.sqrt(D))
        np.testing.assert_allclose(out.attention[i, :n].detach(), alpha, atol=1e-6)
        pooled = sum(a * h for a, h in zip(alpha, x, strict=True))
        expected = net.head.weight.detach().numpy() @ pooled + net.head.bias.detach().numpy()
        np.testing.assert_allclose(out.logits[i].detach(), expected, atol=1e-6)


def test_lstm_uses_the_final_states_of_both_directions(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    net = aggregator("lstm")
    assert isinstance(net, Lstm)
    out = net(*batch)
    for i, n in enumerate(LENGTHS):
        _, final = paper_states(net, batch[0][i, :n].numpy().astype(np.float64))
        expected = net.head.weight.detach().numpy() @ final + net.head.bias.detach().numpy()
        np.testing.assert_allclose(out.logits[i].detach(), expected, atol=1e-6)
    assert out.attention is None and out.evidence is None and out.slice_logits is None


def test_max_pool_takes_the_largest_logit_of_real_slices(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    net = aggregator("max_pool")
    assert isinstance(net, MaxPool)
    out = net(*batch)
    for i, n in enumerate(LENGTHS):
        logits = torch.stack([net.head(batch[0][i, k]) for k in range(n)])
        torch.testing.assert_close(out.logits[i], logits.max(dim=0).values)
        torch.testing.assert_close(out.slice_logits[i, :n], logits)
        assert bool((out.slice_logits[i, n:] == -math.inf).all())
    assert out.attention is None and out.evidence is None


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
@pytest.mark.parametrize("filler", [0.0, 1e3, float("nan")])
def test_padding_changes_nothing(batch: tuple[torch.Tensor, torch.Tensor], name: str, filler: float) -> None:
    net, (features, lengths) = aggregator(name), batch
    wide = torch.full((len(LENGTHS), 14, D), filler)
    wide[:, : features.shape[1]] = torch.where(
        real_slices(lengths, features.shape[1])[:, :, None], features, torch.tensor(filler)
    )
    padded = net(wide, lengths)
    for i, n in enumerate(LENGTHS):
        alone = net(features[i : i + 1, :n], torch.tensor([n]))
        torch.testing.assert_close(padded.logits[i], alone.logits[0])
        if alone.attention is not None:
            torch.testing.assert_close(padded.attention[i, :n], alone.attention[0])
            assert bool((padded.attention[i, n:] == 0).all())


@pytest.mark.parametrize("name", ["lstm_attention", "attention"])
def test_attention_sums_to_one_and_evidence_to_the_logit(batch: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    net = aggregator(name)
    out = net(*batch)
    torch.testing.assert_close(out.attention.sum(dim=1), torch.ones(len(LENGTHS)))
    torch.testing.assert_close(out.evidence.sum(dim=1) + net.head.bias, out.logits)
    assert bool((out.evidence[~real_slices(batch[1], out.evidence.shape[1])] == 0).all())


def test_a_batch_mate_changes_nothing(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    features, lengths = batch
    other = features.clone()
    other[2] = 100 * torch.randn_like(other[2])
    for name in AGGREGATORS:
        net = aggregator(name)
        one, two = net(features, lengths), net(other, lengths)
        assert torch.equal(one.logits[:2], two.logits[:2]), name
        assert not torch.equal(one.logits[2], two.logits[2]), name


def test_padding_takes_no_gradient_whatever_it_holds(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    features, lengths = batch
    real = real_slices(lengths, features.shape[1])
    for name in AGGREGATORS:
        net = aggregator(name)
        wild = features.masked_fill(~real[:, :, None], math.nan).requires_grad_()
        net(wild, lengths).logits.sum().backward()
        assert bool((wild.grad[~real] == 0).all()), name
        assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters()), name


def test_1500_slices_and_extreme_scores_stay_finite() -> None:
    torch.manual_seed(0)
    features = 50 * torch.randn(1, 1500, D)
    for name in AGGREGATORS:
        out = aggregator(name)(features, torch.tensor([1500]))
        assert bool(torch.isfinite(out.logits).all()), name
        if out.attention is not None:
            torch.testing.assert_close(out.attention.sum(), torch.tensor(1.0))


def test_slice_order_matters_to_the_lstm_only(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    features = batch[0][2:3]
    lengths = torch.tensor([features.shape[1]])
    for name, matters in (("lstm", True), ("lstm_attention", True), ("attention", False), ("max_pool", False)):
        net = aggregator(name)
        same = torch.allclose(net(features, lengths).logits, net(features.flip(1), lengths).logits, atol=1e-6)
        assert same is not matters, name


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_gradient_reaches_real_slices_and_every_weight(batch: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    net, (features, lengths) = aggregator(name), batch
    features = features.clone().requires_grad_()
    out = net(features, lengths)
    out.logits.square().sum().backward()
    real = real_slices(lengths, features.shape[1])
    assert bool((features.grad[~real] == 0).all())
    assert bool(features.grad[real].abs().sum() > 0)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in net.parameters())


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="scale must be"):
        LstmAttention(D, CLASSES, scale="cubed")
    with pytest.raises(ValueError, match="query must be"):
        LstmAttention(D, CLASSES, query="mean")
    with pytest.raises(ValueError, match="even number"):
        LstmAttention(7, CLASSES)
