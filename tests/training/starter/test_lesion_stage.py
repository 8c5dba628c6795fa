"""What the lesion model learns from: the patients it is given and no others, clean lungs among them, all by the seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctviewer.core.events import Progress
from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.training.starter.chests import CLASSES, INFECTION, PHANTOM, RECOVERED, SCANNED
from ctviewer.training.starter.lesion_stage import (
    CLEAN,
    DECOYED,
    GENERATED,
    INFECTED,
    PAINTED,
    Mixture,
    SliceDraws,
    pools_of,
    train_lesions,
)
from ctviewer.training.starter.loop import EpochDone, Plan
from ctviewer.training.starter.scanner import Scanner

SIDE = 96
P = Preprocessing(-600.0, 1500.0, SIDE, SIDE, (0.5,), (0.3,))
STILL = Scanner(0.0, (1.0, 1.0), 0.0, (0.0, 0.0), 0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0, 0.0, (1e-6, 2e-6), 0.0)


@pytest.fixture(scope="module")
def chests(chest_of):
    return [
        chest_of(0), chest_of(1), chest_of(2, infected=False, kind=SCANNED),
        chest_of(3, kind=PHANTOM), chest_of(4, infected=False, kind=RECOVERED),
    ]  # fmt: skip


def test_pools_by_what_chests_show(chests) -> None:
    pools = pools_of(chests, 0)
    assert {name: [c.patient for c in those] for name, those in pools.items()} == {
        INFECTED: ["patient 0", "patient 1"], DECOYED: ["patient 0", "patient 1"], PAINTED: ["patient 0", "patient 1"],
        CLEAN: ["patient 2", "patient 4"], GENERATED: ["patient 3"],
    }  # fmt: skip
    for name in (PAINTED, CLEAN):
        assert not any(chest.infected.any() for chest in pools[name]), "healthy lungs have no lesion in their labels"
    assert GENERATED not in pools_of(chests[:3], 0), "there is no empty pool to draw from"


def test_pools_are_the_same_by_the_seed(chests) -> None:
    one, same, other = pools_of(chests, 0), pools_of(chests, 0), pools_of(chests, 1)
    for name in (DECOYED, PAINTED):
        for a, b, c in zip(one[name], same[name], other[name], strict=True):
            np.testing.assert_array_equal(a.hu, b.hu)
            assert (a.hu != c.hu).any()


def test_kinds_are_drawn_by_their_shares(chests) -> None:
    mixture = Mixture({INFECTED: 0.5, PAINTED: 0.25, CLEAN: 0.25, DECOYED: 0.0, GENERATED: 0.0}, thick=0.0)
    pools = pools_of(chests, 0)
    draws, rng = SliceDraws(pools, mixture, STILL, P), np.random.default_rng(0)
    known = {
        chest.hu[i].tobytes(): name for name, those in pools.items() for chest in those for i in range(len(chest.hu))
    }
    # first and last slices show no lesion, so that they are the same painted out or not
    drawn = Counter(known[draws.one(rng)[0].round().astype(np.int16).tobytes()] for _ in range(400))
    assert set(drawn) <= {INFECTED, PAINTED, CLEAN, DECOYED}
    assert drawn[CLEAN] / 400 == pytest.approx(0.25, abs=0.08)


def test_shares_of_what_there_is_none_of_go_to_the_others(chests) -> None:
    draws = SliceDraws(pools_of(chests[2:3], 0), Mixture(thick=0.0), STILL, P)
    rng = np.random.default_rng(0)
    for _ in range(20):
        hu, labels = draws.one(rng)
        assert any(np.array_equal(hu.round(), one) for one in chests[2].hu) and not (labels == INFECTION).any()


@pytest.mark.parametrize("average", [0.0, 1.0])
def test_nothing_of_another_patient_comes_in(chest_of, average) -> None:
    """Each patient's lungs have a level of their own: what is drawn for a fold has the levels of its patients alone."""
    levels = {f"patient {n}": -900.0 + 60 * n for n in range(5)}
    everyone = [chest_of(n, patient=name, level=level, slices=6) for n, (name, level) in enumerate(levels.items())]
    test = {"patient 1", "patient 3"}
    pools = pools_of([chest for chest in everyone if chest.patient not in test], 0)
    assert {chest.patient for those in pools.values() for chest in those} == set(levels) - test
    draws, rng = SliceDraws(pools, Mixture(thick=average), STILL, P), np.random.default_rng(0)
    seen = set()
    for _ in range(80):
        hu, labels = draws.one(rng)
        level = float(np.median(hu[labels == 1]))
        seen.add(min(levels, key=lambda name: abs(levels[name] - level)))
        assert min(abs(level - levels[name]) for name in levels) < 15
    assert seen == set(levels) - test


def test_a_batch_is_windowed_and_has_a_target_for_each_slice(chests) -> None:
    draws = SliceDraws(pools_of(chests, 0), Mixture(), Scanner(noise=(50.0, 60.0)), P)
    images, targets = draws.batch(np.random.default_rng(2), 12)
    assert images.shape == (12, 1, SIDE, SIDE) and images.dtype == torch.float32 and bool(images.isfinite().all())
    low, high = (0 - 0.5) / 0.3, (1 - 0.5) / 0.3
    assert float(images.min()) >= low - 1e-6 and float(images.max()) <= high + 1e-6, "HU are clipped by the window"
    assert float(images.amax(dim=(1, 2, 3)).min()) > 0
    for target in targets:
        assert target.complete, "what is not marked is healthy: it is learned as such"
        assert len(target.labels) == len(target.boxes) == len(target.masks)
        assert set(target.labels.tolist()) <= {1, 2} and target.masks.shape[1:] == (SIDE, SIDE)
    again, _ = draws.batch(np.random.default_rng(2), 12)
    assert torch.equal(images, again)


def test_targets_are_what_the_labels_show(chests) -> None:
    draws = SliceDraws(pools_of(chests, 0), Mixture(thick=0.0), STILL, P)
    _, targets = draws.batch(np.random.default_rng(4), 10)
    rng, sick = np.random.default_rng(4), 0
    for target in targets:
        _, labels = draws.one(rng)
        marked = target.masks[target.labels == CLASSES.index("infection")].any(dim=0).numpy()
        np.testing.assert_array_equal(marked, labels == INFECTION)
        lungs = target.masks[target.labels == CLASSES.index("lung")].any(dim=0).numpy()
        np.testing.assert_array_equal(lungs, labels > 0, err_msg="lungs with the lesions in them")
        sick += bool(marked.any())
    assert 0 < sick < 10


def small_net() -> OneShot:
    torch.manual_seed(0)
    return OneShot(len(CLASSES), **{**light_options(64, 16, 16), "box_hidden": 16})


def test_equal_seeds_give_equal_weights_and_the_last_are_kept(chests) -> None:
    middle = slice(16, 80)
    small = [replace(c, hu=c.hu[:, middle, middle], labels=c.labels[:, middle, middle]) for c in chests]
    p = replace(P, size=64, crop=64)

    def trained(seed: int) -> tuple[OneShot, list[object]]:
        net = small_net()
        return net, list(train_lesions(net, small, Plan(2, 2, 1e-3, warm_up=1, seed=seed), batch=2, preprocessing=p))

    (one, events), (same, _), (other, _) = trained(0), trained(0), trained(1)
    assert [e.done for e in events if isinstance(e, Progress)] == [1, 2, 3, 4]
    epochs = [e for e in events if isinstance(e, EpochDone)]
    assert [e.best for e in epochs] == [True, True], "no figure chooses: the last weights are kept"
    assert not one.training and all(np.isfinite(e.loss) for e in epochs)
    first, second, third = (net.state_dict() for net in (one, same, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)
