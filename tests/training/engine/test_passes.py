"""Cached features: studies that pass the aggregator together learn what they learn one by one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.encoders import freeze
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.augment import Pose
from ctviewer.training.engine import passes as module
from ctviewer.training.engine.features import Draws, FeatureCache
from ctviewer.training.engine.learner import Place
from ctviewer.training.engine.parallel import SINGLE, World
from ctviewer.training.engine.passes import Passes
from ctviewer.training.engine.studies import StudyStore
from ctviewer.training.engine.task import Task
from ctviewer.training.sampling import Subsequence

PLACE = Place(seed=3, fold=0, epoch=5, step=1)
BATCH = (Subsequence("s0"), Subsequence("s1", 1, 2), Subsequence("s2", 0, 3), Subsequence("s1", 0, 2))


@pytest.fixture
def frozen(labelled, tmp_path) -> Passes:
    source = labelled(4, slices=7)
    store = StudyStore(source, Preprocessing(-600.0, 1500.0, 36, 32, (0.5,), (0.3,)), tmp_path / "studies")
    torch.manual_seed(0)
    net = StudyClassifier(2, encoder_options={"width": 16}, aggregator="lstm_attention", head="binary").train()
    freeze(net.encoder, trainable="none")
    draws = Draws(Pose(), 3, 4)
    task = Task("binary", ("well", "sick"), {s: source.classes(s) for s in source.ids()}, balanced=True)
    return Passes(net, task, store, FeatureCache(tmp_path / "features", store, net, draws), draws, "float32", 2)


def learned(passes: Passes, world: World = SINGLE) -> tuple[float, dict[str, torch.Tensor]]:
    passes.net.zero_grad()
    work = passes.learn(BATCH, PLACE, 4.0, world)
    while True:
        try:
            next(work)
        except StopIteration as end:
            gradients = {n: p.grad.clone() for n, p in passes.net.named_parameters() if p.grad is not None}
            return end.value, gradients


def by_hand(passes: Passes) -> tuple[float, dict[str, torch.Tensor]]:
    """A plain loop over the batch; the draw of epoch 5 of 4 draws is draw 1."""
    passes.net.zero_grad()
    total = 0.0
    for one in BATCH:
        features = passes.cache.features(one.study, 1)[one.start :: one.step]
        logit = passes.net.aggregate(features[None]).logits[0, 1]
        target = torch.tensor(float(passes.task.truth[one.study] == ("sick",)))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, target) / len(BATCH)
        (4.0 * loss).backward()
        total += float(loss.detach())
    return total, {n: p.grad.clone() for n, p in passes.net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("rows", [4096, 8, 1])
def test_learning_from_features_is_a_plain_loop(frozen, monkeypatch, rows: int) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", rows)
    loss, gradients = learned(frozen)
    expected, theirs = by_hand(frozen)
    assert loss == pytest.approx(expected, rel=1e-6)
    assert set(gradients) == set(theirs)
    for name, gradient in theirs.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_the_parts_of_two_processes_add_up(frozen) -> None:
    loss, gradients = learned(frozen)
    halves = [learned(frozen, World(rank, 2)) for rank in range(2)]
    assert sum(half[0] for half in halves) == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(halves[0][1][name] + halves[1][1][name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_judging_is_the_net_on_the_whole_study(frozen) -> None:
    frozen.net.eval()
    expected = frozen.net(frozen.store.slices("s2")[0:7][None])
    for passes in (frozen, dataclasses.replace(frozen, cache=None)):
        work = passes.judge("s2")
        while True:
            try:
                next(work)
            except StopIteration as end:
                out = end.value
                break
        assert not out.logits.requires_grad
        torch.testing.assert_close(out.logits, expected.logits.detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(out.attention, expected.attention.detach(), rtol=1e-4, atol=1e-5)


def test_a_run_from_cached_features_is_taken_up(inputs, said, small_config, toy_bundle, after, no_figures) -> None:
    from ctviewer.training.control import Wish
    from ctviewer.training.events import Paused

    config = small_config(model={"start": "base"}, trainable="none", epochs=3, draws=2, augmentation="tuned")
    whole = said(inputs(config, base=toy_bundle, name="whole"))
    for asked in (14, 33, 60):
        wanted = inputs(config, base=toy_bundle, name=f"paused-{asked}", control=after(asked, Wish.PAUSE))
        first = said(wanted)
        assert isinstance(first.last, Paused)
        rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON))
        assert first.losses + rest.losses == whole.losses
        assert {e[:2]: e for e in first.judged + rest.judged} == {e[:2]: e for e in whole.judged}
