"""The parts of the loop by themselves: batches, rates, optimizers, losses, figures and the time that is left."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from ctviewer.core.errors import InputError
from ctviewer.nets.encoders import freeze
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.engine.batches import dropout_seed, make_batches
from ctviewer.training.engine.judging import Judged, figures
from ctviewer.training.engine.optimizers import make_optimizer, optimizer_of, rate_at, set_rate, trained_parameters
from ctviewer.training.engine.pace import Pace
from ctviewer.training.engine.passes import _groups
from ctviewer.training.engine.task import Task
from ctviewer.training.recipes import RECIPES

TUNED, PAPER = RECIPES["tuned"], RECIPES["paper"]
CLASSES = {"a": ("sick",), "b": ("well",), "c": ("well",), "d": ("well",)}


def test_batches_take_every_sequence_once_or_by_weight() -> None:
    lengths = {"a": 8, "b": 3, "c": 3, "d": 3}
    recipe = dataclasses.replace(PAPER, long_study=8, every=4, batch=3)
    even = make_batches(lengths, CLASSES, dataclasses.replace(recipe, sampling="even"), 1, 0)
    assert even.steps == 3
    taken = [one for step in range(3) for one in even.step(5, step)]
    assert sorted(taken, key=str) == sorted(even.sequences, key=str)
    assert len([one for one in taken if one.study == "a"]) == 4, "every 4th slice of the long study, four times"
    weighted = make_batches(lengths, CLASSES, recipe, 1, 0)
    drawn = [one.study for epoch in range(300) for step in range(3) for one in weighted.step(epoch, step)]
    assert drawn.count("a") / len(drawn) == pytest.approx(0.5, abs=0.03), "both classes come equally often"


def test_batches_depend_on_seed_fold_and_epoch_alone() -> None:
    lengths = dict.fromkeys(CLASSES, 3)

    def orders(seed: int, fold: int, epoch: int) -> list[int]:
        return make_batches(lengths, CLASSES, PAPER, seed, fold).order(epoch).tolist()

    assert orders(1, 0, 0) == orders(1, 0, 0)
    assert len({tuple(orders(s, f, e)) for s in range(4) for f in range(4) for e in range(4)}) > 32


def test_a_recipe_that_splits_no_long_study() -> None:
    batches = make_batches({"a": 900, "b": 3}, CLASSES, dataclasses.replace(PAPER, long_study=0), 1, 0)
    assert [one.step for one in batches.sequences] == [1, 1]


def test_dropout_has_a_seed_of_its_own_for_each_sequence() -> None:
    places = [(s, f, e, i, p) for s in range(2) for f in range(2) for e in range(3) for i in range(3) for p in range(3)]
    seeds = {dropout_seed(*place) for place in places}
    assert len(seeds) == len(places)
    assert all(0 <= seed < 2**63 for seed in seeds), "what torch takes"


def test_rates() -> None:
    """Tuned: up over a twentieth of the steps, then half a cosine to zero. Paper: the same throughout."""
    rates = [rate_at(step, 100, TUNED) for step in range(100)]
    assert rates[:5] == pytest.approx([TUNED.rate * share for share in (0.2, 0.4, 0.6, 0.8, 1.0)])
    assert rates[5] == TUNED.rate
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[5:]))
    assert rates[52] == pytest.approx(TUNED.rate * 0.5 * (1 + math.cos(math.pi * 47 / 95)))
    assert rates[99] < 0.001 * TUNED.rate
    assert {rate_at(step, 30, PAPER) for step in range(30)} == {1e-3}


def test_groups_of_an_optimizer() -> None:
    """The encoder learns at its part of the rate; biases and norms do not decay; what is frozen is not there."""
    net = StudyClassifier(2, encoder_options={"width": 16}, aggregator="lstm_attention", head="binary")
    freeze(net.encoder, trainable="last_two")
    recipe = dataclasses.replace(TUNED, encoder_rate=0.1, decay=0.01)
    optimizer = make_optimizer(net, recipe)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert isinstance(make_optimizer(net, PAPER), torch.optim.Adam)
    set_rate(optimizer, 2e-3)
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert len(trained_parameters(optimizer)) == len(settings)
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            assert id(parameter) not in settings, name
            continue
        rate, decay = settings[id(parameter)]
        assert rate == pytest.approx(2e-4 if name.startswith("encoder.") else 2e-3), name
        assert decay == (0.01 if parameter.ndim > 1 else 0.0), name


def test_the_one_shot_paper_decays_all_weights() -> None:
    """As torch's Adam does it, which the paper used: biases and norms too."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.GroupNorm(2, 16))
    ours = optimizer_of([(net, 1.0)], RECIPES["one-shot-paper"])
    twin = copy.deepcopy(net)
    theirs = torch.optim.Adam(twin.parameters(), lr=1e-5, betas=(0.9, 0.999), weight_decay=1e-3)
    for _ in range(3):
        for one, optimizer in ((net, ours), (twin, theirs)):
            optimizer.zero_grad()
            one(torch.ones(1, 3, 8, 8)).square().mean().backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    assert {group["weight_decay"] for group in ours.param_groups} == {1e-3}


def test_losses_of_each_head_by_hand() -> None:
    logits = torch.tensor([[0.0, 1.5], [0.0, -0.5]])
    binary = Task("binary", ("well", "sick"), CLASSES, balanced=False)
    expected = [math.log1p(math.exp(-1.5)), math.log1p(math.exp(-0.5))]
    assert binary.losses(logits, ["a", "b"]).tolist() == pytest.approx(expected)
    several = Task("multi_label", ("well", "sick"), {"a": ("sick", "well"), "b": ("well",)}, balanced=False)
    expected = [(math.log(2) + math.log1p(math.exp(-1.5))) / 2, (math.log(2) + math.log1p(math.exp(-0.5))) / 2]
    assert several.losses(logits, ["a", "b"]).tolist() == pytest.approx(expected)


def test_the_mean_loss_counts_classes_as_training_draws_them() -> None:
    logits = np.array([[0.0, 2.0], [0.0, 2.0], [0.0, -1.0], [0.0, -3.0]])
    losses = [math.log1p(math.exp(-x)) for x in (2.0, -2.0, 1.0, 3.0)]
    balanced = Task("binary", ("well", "sick"), CLASSES, balanced=True)
    plain = dataclasses.replace(balanced, balanced=False)
    assert balanced.mean_loss(logits, "abcd") == pytest.approx(losses[0] / 2 + sum(losses[1:]) / 6)
    assert plain.mean_loss(logits, "abcd") == pytest.approx(sum(losses) / 4)
    assert math.isnan(plain.mean_loss(np.zeros((0, 2)), ()))


def test_labels_that_a_net_cannot_learn() -> None:
    task = Task("multi_class", ("well", "sick"), {"a": ("odd",), "b": ("well", "sick"), "c": ()}, balanced=False)
    for study, text in (("a", "odd"), ("b", "several"), ("c", "no class")):
        with pytest.raises(InputError, match=text):
            task.target(study)


def test_figures_to_watch() -> None:
    task = Task("binary", ("well", "sick"), CLASSES, balanced=True)
    logits = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, -1.0], [0.0, -2.0]])
    found = figures(task, Judged(("a", "b", "c", "d"), logits, ((),) * 4, (3,) * 4))
    assert found == pytest.approx({"accuracy": 0.75, "AUC-ROC": 2 / 3})
    alone = figures(task, Judged(("b",), logits[1:2], ((),), (3,)))
    assert alone == {"accuracy": 0.0}, "no area where one class is all there is"
    assert figures(task, Judged((), np.zeros((0, 2)), (), ())) == {}


def test_sequences_of_about_one_length_go_together() -> None:
    groups = list(_groups({0: 300, 1: 10, 2: 5000, 3: 12, 4: 1300, 5: 1300, 6: 1300}))
    assert sorted(i for group in groups for i in group) == list(range(7))
    lengths = {0: 300, 1: 10, 2: 5000, 3: 12, 4: 1300, 5: 1300, 6: 1300}
    assert all(len(group) == 1 or max(lengths[i] for i in group) * len(group) <= 4096 for group in groups)
    assert groups[0][:3] == [1, 3, 0]
    assert [2] in groups


def test_time_left() -> None:
    """Four epochs of three steps, the first two of which encode; judging takes a second."""
    pace = Pace(encoding_epochs=2)
    assert pace.left(0, 3, 3, 4) is None
    pace.stepped(0, 10.0)
    assert pace.left(0, 2, 3, 4) == pytest.approx(5 * 10.0 + 6 * 1.0), "a cached step is taken for a tenth"
    pace.judged(1.0)
    pace.stepped(2, 0.5)
    assert pace.left(2, 2, 3, 4) == pytest.approx(5 * 0.5 + 2 * 1.0)
    assert pace.whole(3, 4) == pytest.approx(4 * (3 * 0.5 + 1.0)), "another fold finds its features in the cache"
