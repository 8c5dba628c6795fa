"""Cached features equal uncached ones bit by bit, and are never those of something else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.encoders import freeze
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.augment import Pose
from ctviewer.training.engine.features import Draws, FeatureCache, encoder_sha256
from ctviewer.training.engine.studies import StudyStore
from ctviewer.training.sampling import Subsequence

INPUT = Preprocessing(-600.0, 1500.0, 48, 40, (0.5,), (0.3,))
DRAWS = Draws(Pose(), seed=7, count=3)


def frozen(seed: int = 0, encoder: str = "resnet18", **options) -> StudyClassifier:
    torch.manual_seed(seed)
    options = options or {"width": 16}
    net = StudyClassifier(2, encoder=encoder, encoder_options=options, aggregator="max_pool", head="binary")
    freeze(net.encoder, trainable="none")
    return net.train()


class Counting(StudyClassifier):
    """Counts the slices that pass its encoder."""

    passed = 0

    def encode(self, images):
        self.passed += len(images)
        return super().encode(images)


def counting() -> Counting:
    net = frozen()
    net.__class__ = Counting
    return net


@pytest.fixture
def store(toy, tmp_path) -> StudyStore:
    return StudyStore(toy("s", 3, slices=11), INPUT, tmp_path / "studies")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cached_are_uncached_bit_by_bit_for_every_draw(store, tmp_path, precision):
    net = frozen()
    common = {"precision": precision, "chunk": 4}
    cached = FeatureCache(tmp_path / "f", store, net, DRAWS, **common)
    plain = FeatureCache(tmp_path / "g", store, net, DRAWS, enabled=False, **common)
    seen = []
    for study in ("s0", "s1", "s2"):
        for draw in (None, 0, 1, 2):
            expected = plain.features(study, draw)
            for _ in range(2):  # computed, then kept
                assert torch.equal(cached.features(study, draw), expected)
            seen.append(expected)
    assert not (tmp_path / "g").exists()
    assert all(not torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_after_a_resume_nothing_is_computed_again_and_all_is_equal(store, toy, tmp_path):
    first = FeatureCache(tmp_path / "f", store, frozen(), DRAWS, chunk=4)
    expected = [first.features("s1", draw) for draw in (None, 0, 2)]
    net = counting()  # another process: net, store and cache are new
    source = toy("s", 3, slices=11)
    source.load = None  # nor are studies read again
    later = FeatureCache(tmp_path / "f", StudyStore(source, INPUT, tmp_path / "studies"), net, DRAWS, chunk=4)
    for draw, features in zip((None, 0, 2), expected, strict=True):
        assert torch.equal(later.features("s1", draw), features)
    assert net.passed == 0


def test_epochs_beyond_the_draws_repeat_them(store, tmp_path):
    net = counting()
    cache = FeatureCache(tmp_path / "f", store, net, DRAWS, chunk=4)
    per_epoch = []
    for epoch in range(7):
        before = net.passed
        cache.features("s0", cache.draws.of(epoch))
        per_epoch.append(net.passed - before)
    assert per_epoch == [11, 11, 11, 0, 0, 0, 0]
    assert Draws().of(5) is None  # never varied


def test_split_long_studies_are_rows_of_the_whole_cached_or_not(store, tmp_path):
    """A long study's subsequences see the slices of one draw: their features are what their own slices would give."""
    net = frozen()
    cache = FeatureCache(tmp_path / "f", store, net, DRAWS, chunk=11)
    plain = FeatureCache(tmp_path / "f", store, net, DRAWS, chunk=11, enabled=False)
    for start in range(4):
        rows = cache.features("s1", 1)[start::4]
        assert torch.equal(rows, plain.features("s1", 1)[start::4])
        images = store.slices("s1", Subsequence("s1", start, 4), DRAWS.pose, DRAWS.generator("s1", 1))
        with torch.no_grad():
            assert torch.allclose(rows, net.encode(images[0 : len(images)]), atol=1e-5)


def test_training_on_cached_features_is_training_on_computed_ones(store, tmp_path):
    """Weights after some steps, bit by bit."""
    ends = []
    for enabled in (True, False):
        net = frozen(3)
        cache = FeatureCache(tmp_path / "f", store, net, DRAWS, chunk=4, enabled=enabled)
        optimizer = torch.optim.AdamW(net.aggregator.parameters(), lr=1e-2)
        for epoch in range(5):
            for study in ("s0", "s1"):
                features = cache.features(study, cache.draws.of(epoch))
                optimizer.zero_grad()
                net.aggregate(features[None]).logits[0, 1].mul(1.0 if study == "s0" else -1.0).backward()
                optimizer.step()
        ends.append(net.aggregator.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_everything_that_features_depend_on_makes_them_anew(store, toy, tmp_path):
    net = counting()

    def computed(cache: FeatureCache, draw=0) -> bool:
        before = net.passed
        cache.features("s0", draw)
        return net.passed > before

    def cache(**changes) -> FeatureCache:
        given = {"store": store, "net": net, "draws": DRAWS, "precision": "float32", "chunk": 4} | changes
        return FeatureCache(tmp_path / "f", **given)

    assert computed(cache()) and not computed(cache())
    other = StudyStore(toy("s", 3, slices=11), dataclasses.replace(INPUT, mean=(0.4,)), tmp_path / "studies")
    for changes in (
        {"draws": dataclasses.replace(DRAWS, seed=8)},
        {"draws": dataclasses.replace(DRAWS, pose=Pose(degrees=3.0))},
        {"precision": "bfloat16"},
        {"chunk": 5},
        {"store": other},
    ):
        assert computed(cache(**changes)), changes
        assert not computed(cache(**changes)), changes
    assert computed(cache())  # the last change had taken its place
    with torch.no_grad():
        next(net.encoder.parameters()).mul_(1.001)
    assert computed(cache())


def test_other_pixels_make_features_anew(toy, tmp_path):
    net = counting()
    for slices in (11, 10, 11):
        store = StudyStore(toy("s", 1, slices=slices), INPUT, tmp_path / f"studies {slices}")
        assert len(FeatureCache(tmp_path / "f", store, net, DRAWS).features("s0")) == slices
    assert net.passed == 32


def test_the_plain_slices_do_not_depend_on_seed_or_pose(store, tmp_path):
    net = counting()
    FeatureCache(tmp_path / "f", store, net, DRAWS).features("s0")
    FeatureCache(tmp_path / "f", store, net, Draws(Pose(zoom=(1.0, 1.0)), 99, 5)).features("s0")
    assert net.passed == 11


@pytest.mark.parametrize("harm", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: d[:9] + b"x" + d[10:]])
def test_damaged_features_are_made_anew(store, tmp_path, harm):
    cache = FeatureCache(tmp_path / "f", store, frozen(), DRAWS, chunk=4)
    whole = cache.features("s0", 0)
    (path,) = (tmp_path / "f").iterdir()
    path.write_bytes(harm(path.read_bytes()))
    assert torch.equal(cache.features("s0", 0), whole)
    assert torch.equal(cache.features("s0", 0), whole)


def test_it_reports_after_each_chunk_and_keeps_nothing_when_left(store, tmp_path):
    net = counting()
    cache = FeatureCache(tmp_path / "f", store, net, DRAWS, chunk=4)
    work = cache.computing("s0", 0)
    assert next(work) == 4
    work.close()
    assert net.passed == 4 and not (tmp_path / "f").exists()
    assert list(cache.computing("s0", 0)) == [4, 4, 3]
    assert list(cache.computing("s0", 0)) == []


def test_features_can_be_learned_on_and_belong_to_the_caller(store, tmp_path):
    cache = FeatureCache(tmp_path / "f", store, frozen(), DRAWS)
    for _ in range(2):
        features = cache.features("s0", 0)
        assert not features.is_inference() and features.dtype == torch.float32
        features.zero_()
    assert float(cache.features("s0", 0).abs().sum()) > 0


def test_googlenet_drops_nothing_out_while_it_is_frozen(toy, tmp_path):
    p = dataclasses.replace(INPUT, size=72, crop=64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    store = StudyStore(toy("s", 1, slices=3), p, tmp_path / "studies")
    net = frozen(0, "googlenet", norm="batch")
    cache = FeatureCache(tmp_path / "f", store, net, DRAWS)
    assert torch.equal(cache.features("s0", 0), FeatureCache(tmp_path / "g", store, net, DRAWS).features("s0", 0))


def test_an_encoder_that_learns_has_no_cache(store, tmp_path):
    net = frozen()
    freeze(net.encoder, trainable="last_two")
    with pytest.raises(ValueError, match="wholly frozen"):
        FeatureCache(tmp_path / "f", store, net, DRAWS)


def test_the_hash_is_of_the_encoder_alone():
    one, same, other = frozen(0), frozen(0), frozen(1)
    with torch.no_grad():
        same.aggregator.head.bias.add_(1.0)
    assert encoder_sha256(one) == encoder_sha256(same) != encoder_sha256(other)


def test_draws_are_functions_of_seed_study_and_number_alone():
    a, b = DRAWS.generator("s1", 2), dataclasses.replace(DRAWS, count=8).generator("s1", 2)
    np.testing.assert_array_equal(a.random(5), b.random(5))
    assert [DRAWS.of(epoch) for epoch in range(5)] == [0, 1, 2, 0, 1]
