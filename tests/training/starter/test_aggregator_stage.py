"""BiLSTM and attention learn where lesions are, from parts of chests at any slice spacing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctviewer.core.events import Progress
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.aggregator_stage import Study, resampled, train_aggregator
from ctviewer.training.starter.loop import EpochDone, Plan

N, D = 150, 16


def drawn(rng: np.random.Generator, label: int) -> Study:
    """Noise; where a lesion is shown, the first feature is large."""
    features, shown = rng.normal(0, 0.3, (30, D)).astype(np.float32), np.zeros(30, np.float32)
    if label:
        first = int(rng.integers(0, 26))
        shown[first : first + 4] = 1
        features[:, 0] += 3 * shown
    return features, shown, label


def small_net() -> StudyClassifier:
    torch.manual_seed(0)
    options = {"width": 16, "channels": 16}  # 64 features: the aggregator alone is trained
    return StudyClassifier(2, encoder="resnet18_pyramid", encoder_options=options, aggregator="lstm_attention")


def test_resampling_is_linear_and_keeps_order() -> None:
    features, shown = np.arange(N, dtype=np.float32)[:, None], np.zeros(N, np.float32)
    shown[40:60] = 1
    rng, lengths, partial = np.random.default_rng(0), set(), 0
    for _ in range(300):
        f, hot = resampled(features, shown, rng, 220)
        assert f.dtype == hot.dtype == np.float32 and len(f) == len(hot) <= 220
        assert bool((np.diff(f[:, 0]) > 0).all()) and f.min() >= 0 and f.max() <= N - 1
        np.testing.assert_allclose(hot, np.interp(f[:, 0], range(N), shown), atol=1e-3)
        lengths.add(len(f))
        partial += float(f[-1, 0] - f[0, 0]) < 0.95 * (N - 1)
    assert min(lengths) < 20 and max(lengths) > 180 and 40 < partial < 120


@pytest.mark.parametrize("lesion", [slice(0, 1), slice(77, 79), slice(149, 150)])
def test_a_small_lesion_is_never_skipped(lesion) -> None:
    """A study called infected shows it, at whatever spacing."""
    features, shown = np.arange(N, dtype=np.float32)[:, None], np.zeros(N, np.float32)
    shown[lesion] = 1
    rng = np.random.default_rng(0)
    for _ in range(300):
        f, hot = resampled(features, shown, rng, 24)
        assert hot.any() and bool((np.diff(f[:, 0]) >= 0).all()) and f.min() >= 0 and f.max() <= N - 1


def test_a_clean_study_stays_clean_and_one_slice_is_repeated() -> None:
    rng = np.random.default_rng(0)
    assert not resampled(np.ones((9, 2), np.float32), np.zeros(9, np.float32), rng, 30)[1].any()
    features, hot = resampled(np.ones((1, 2), np.float32), np.ones(1, np.float32), rng, 20)
    assert (features == 1).all() and (hot == 1).all()


def trained(seed: int = 0, epochs: int = 1) -> tuple[StudyClassifier, list[object], list[int]]:
    net, labels = small_net(), []

    def draw(rng: np.random.Generator, label: int) -> Study:
        labels.append(label)
        features, shown, _ = drawn(rng, label)
        return np.pad(features, ((0, 0), (0, net.encoder.out_features - D))), shown, label

    events = list(train_aggregator(net, 2, draw, Plan(epochs, 20, 3e-3, warm_up=5, seed=seed), batch=8))
    return net, events, labels


def test_it_learns_where_lesions_are() -> None:
    net, events, labels = trained(epochs=3)
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert sum(isinstance(e, Progress) for e in events) == 60 and epochs[-1].loss < 0.6 * epochs[0].loss
    assert labels.count(0) == labels.count(1) == 240, "each class as often"
    rng, right, attended = np.random.default_rng(99), 0, []
    for i in range(20):
        features, shown, label = drawn(rng, i % 2)
        padded = np.pad(features, ((0, 0), (0, net.encoder.out_features - D)))
        with torch.inference_mode():
            out = net.aggregate(torch.from_numpy(padded)[None])
        right += int(out.logits.argmax()) == label
        if label:
            attended.append(float(out.attention[0].numpy()[shown > 0].sum()))
    assert right >= 18 and np.mean(attended) > 0.4, "four of thirty slices have most of the attention"


def test_the_encoder_stays_and_equal_seeds_give_equal_weights() -> None:
    fresh, (one, _, _), (same, _, _), (other, _, _) = small_net(), trained(), trained(), trained(1)
    for name, value in fresh.encoder.state_dict().items():
        assert torch.equal(one.encoder.state_dict()[name], value)
    first, second, third = (net.aggregator.state_dict() for net in (one, same, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)
