"""The study classifier as a whole, its encoders, and the table of nets."""

from __future__ import annotations

import pytest
import torch

from ctviewer.nets.build import build_net
from ctviewer.nets.encoders import build_encoder
from ctviewer.nets.norms import group_norm
from ctviewer.nets.resnet import resnet_trunk
from ctviewer.nets.study_classifier import StudyClassifier


@pytest.fixture(scope="module")
def net() -> StudyClassifier:
    torch.manual_seed(0)
    return StudyClassifier(3, encoder_options={"width": 16}).eval()


def test_chunks_of_slices_give_what_the_whole_study_gives(net: StudyClassifier) -> None:
    images = torch.randn(2, 7, 1, 64, 64)
    with torch.inference_mode():
        whole = net(images)
        features = torch.stack([torch.cat([net.encode(part) for part in study.split(3)]) for study in images])
        parts = net.aggregate(features)
    torch.testing.assert_close(parts.logits, whole.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(parts.attention, whole.attention, atol=1e-5, rtol=1e-5)
    assert whole.logits.shape == (2, 3) and whole.attention.shape == (2, 7) and whole.evidence.shape == (2, 7, 3)


def test_one_channel_stands_for_three_equal_ones(net: StudyClassifier) -> None:
    images = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(net.encode(images), net.encode(images.repeat(1, 3, 1, 1)))


def test_a_study_of_one_slice_is_classified(net: StudyClassifier) -> None:
    out = net(torch.randn(1, 1, 1, 64, 64))
    assert out.attention.tolist() == [[1.0]]
    assert bool(torch.isfinite(out.logits).all())


@pytest.mark.parametrize("filler", [0.0, float("nan")])
def test_studies_of_several_lengths_in_one_batch(net: StudyClassifier, filler: float) -> None:
    torch.manual_seed(1)
    lengths = torch.tensor([2, 5, 1])
    images = torch.full((3, 6, 1, 64, 64), filler)
    for i, n in enumerate(lengths):
        images[i, :n] = torch.randn(int(n), 1, 64, 64)
    with torch.inference_mode():
        together = net(images, lengths)
        for i, n in enumerate(lengths):
            alone = net(images[i : i + 1, :n])
            torch.testing.assert_close(together.logits[i], alone.logits[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(together.attention[i, :n], alone.attention[0], atol=1e-5, rtol=1e-5)
            assert float(together.attention[i, n:].sum()) == 0
    torch.testing.assert_close(together.attention.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    ("shape", "lengths", "words"),
    [
        ((1, 0), None, "without slices"),
        ((0, 4), None, "without slices"),
        ((2, 4), [4, 0], "without slices"),
        ((2, 4), [4, 5], "do not fit"),
        ((2, 4), [4], "do not fit"),
    ],
)
def test_empty_studies_and_wrong_lengths_are_refused(
    net: StudyClassifier, shape: tuple[int, int], lengths: list[int] | None, words: str
) -> None:
    given = None if lengths is None else torch.tensor(lengths)
    with pytest.raises(ValueError, match=words):
        net.aggregate(torch.zeros(*shape, net.encoder.out_features), given)
    with pytest.raises(ValueError, match=words):
        net(torch.zeros(*shape, 1, 64, 64), given)


@pytest.mark.parametrize("aggregator", ["lstm_attention", "attention", "lstm", "max_pool"])
def test_a_binary_head_learns_one_logit(aggregator: str) -> None:
    torch.manual_seed(0)
    net = StudyClassifier(2, encoder_options={"width": 16}, aggregator=aggregator, head="binary").eval()
    features, lengths = torch.randn(3, 5, net.encoder.out_features), torch.tensor([5, 1, 3])
    inner, out = net.aggregator(features, lengths), net.aggregate(features, lengths)
    assert net.aggregator.head.out_features == 1 and inner.logits.shape == (3, 1)
    assert torch.equal(out.logits[:, 1:], inner.logits) and bool((out.logits[:, 0] == 0).all())
    torch.testing.assert_close(out.logits.softmax(dim=1)[:, 1:], inner.logits.sigmoid())
    if out.evidence is not None:
        bias = torch.cat([torch.zeros(1), net.aggregator.head.bias])
        torch.testing.assert_close(out.evidence.sum(dim=1) + bias, out.logits)
    if out.slice_logits is not None:
        torch.testing.assert_close(out.slice_logits.amax(dim=1), out.logits)


def test_aggregation_is_float32_under_autocast(net: StudyClassifier) -> None:
    features = torch.randn(1, 5, net.encoder.out_features)
    with torch.autocast("cpu", torch.bfloat16):
        out = net.aggregate(features.bfloat16())
    assert out.logits.dtype == torch.float32
    torch.testing.assert_close(out.attention.sum(), torch.tensor(1.0))


def test_gradient_reaches_the_first_layer(net: StudyClassifier) -> None:
    net.train()
    net(torch.randn(1, 3, 1, 64, 64)).logits.sum().backward()
    first = next(net.encoder.parameters())
    assert first.grad is not None and bool(first.grad.abs().sum() > 0)
    net.zero_grad()
    net.eval()


def test_full_width_has_torchvisions_weight_names_and_shapes() -> None:
    from torchvision.models import resnet18

    ours, theirs = resnet_trunk(18).state_dict(), resnet18(norm_layer=group_norm).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items() if not k.startswith("fc.")}


def test_width_scales_every_stage() -> None:
    encoder = build_encoder("resnet18", width=16)
    assert encoder.out_features == 128
    assert encoder(torch.zeros(1, 3, 64, 64)).shape == (1, 128)
    with pytest.raises(ValueError, match="multiple of 8"):
        build_encoder("resnet18", width=12)


@pytest.mark.parametrize("channels", [1, 6, 8, 24, 48, 64, 100, 512])
def test_groups_divide_the_channels(channels: int) -> None:
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0 and norm.num_groups <= 32
    norm(torch.randn(1, channels, 2, 2))


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("oracle", {}, "unknown task 'oracle'"),
        ("study_classifier", {"encoder": "resnet99"}, "unknown slice encoder 'resnet99'"),
        ("study_classifier", {"encoder_options": {"depth": 3}}, "does not take"),
        ("study_classifier", {"aggregator": "mean"}, "unknown aggregator 'mean'"),
        ("study_classifier", {"aggregator": "lstm", "aggregator_options": {"scale": "sqrt"}}, "does not take"),
        ("study_classifier", {"colour": 1}, "does not take"),
        ("study_classifier", {"head": "ordinal"}, "unknown head 'ordinal'"),
        ("study_classifier", {"head": "binary"}, "tells two classes apart, not 3"),
        ("study_classifier", {"encoder_options": {"norm": "layer"}}, "norm must be batch or group"),
        ("study_classifier", {"encoder": "convnext_tiny", "encoder_options": {"norm": "x"}}, "norm must be batch"),
        ("study_classifier", {"encoder": "resnet18_pyramid", "encoder_options": {"norm": "batch"}}, "norm group only"),
        ("one_shot", {"size": 250}, "size must be a multiple"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(task: str, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_net(task, 3, options)


def test_a_pyramid_encoder_takes_over_the_detectors_weights() -> None:
    from ctviewer.nets.one_shot import OneShot, light_options

    detector = OneShot(3, **light_options(64, 16, 16))
    encoder = build_encoder("resnet18_pyramid", width=16, channels=16)
    assert encoder.out_features == 64
    encoder.load_state_dict({f"trunk.pyramid.{k}": v for k, v in detector.backbone_state().items()})
    images = torch.randn(2, 1, 64, 64)
    maps = detector.backbone(images.expand(-1, 3, -1, -1))
    expected = torch.cat([maps[level].flatten(2).max(dim=2).values for level in "0123"], dim=1)
    torch.testing.assert_close(encoder(images), expected)
    before = encoder(images)
    detector.backbone.body.conv1.weight.data.zero_()  # a copy, not the same tensors
    torch.testing.assert_close(encoder(images), before)
