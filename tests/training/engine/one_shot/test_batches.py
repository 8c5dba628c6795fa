"""Which slices a step takes: every slice with a class once an epoch, lesion slices in turn, by seed and place alone."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from ctviewer.training.engine.one_shot.batches import make_slice_batches
from ctviewer.training.engine.slice_store import SliceInfo
from ctviewer.training.recipes import RECIPES

PAPER, TUNED = RECIPES["one-shot-paper"], RECIPES["one-shot-tuned"]


def info(name: str, image_class=None, shown=(), complete=False) -> SliceInfo:
    return SliceInfo(0, name, image_class, shown, origin="", known=(1, 2), reviewed=complete)


def lesions(count: int):
    return [("lesions/0/a", info(f"l{i}", shown=(1, 2))) for i in range(count)]


def images(*classes: int):
    return [("images/0/b", info(f"i{i}", number)) for i, number in enumerate(classes)]


def names(drawn) -> list[str]:
    return [one.ref.name for one in drawn]


def test_steps_take_turns_and_an_epoch_is_one_pass_over_the_classes() -> None:
    batches = make_slice_batches(lesions(3), images(0, 0, 1, 2, 2), dataclasses.replace(PAPER, batch=2), 1, 0)
    assert (batches.steps, batches.alternates) == (6, True)
    steps = [batches.step(4, number) for number in range(6)]
    assert all(one.lesions and not one.images for one in steps[::2])
    assert all(one.images and not one.lesions for one in steps[1::2])
    assert sorted(name for one in steps for name in names(one.images)) == [f"i{i}" for i in range(5)]
    assert [len(one.lesions) for one in steps[::2]] == [len(one.images) for one in steps[1::2]] == [2, 2, 1]


def test_lesion_slices_come_equally_often_whatever_the_epoch_is_long() -> None:
    batches = make_slice_batches(lesions(4), images(0, 1, 1), PAPER, 1, 0)
    taken = [one for epoch in range(8) for step in range(0, 6, 2) for one in batches.step(epoch, step).lesions]
    assert Counter(names(taken)) == dict.fromkeys(("l0", "l1", "l2", "l3"), 6)
    assert [one.turn for one in taken] == [i // 4 for i in range(24)], "each pass has draws of its own"
    passes = [tuple(names(taken[i : i + 4])) for i in range(0, 24, 4)]
    assert len(set(passes)) > 1


def test_summed_losses_have_both_kinds_in_a_step() -> None:
    batches = make_slice_batches(lesions(3), images(0, 1, 2), dataclasses.replace(PAPER, losses="sum"), 1, 0)
    assert (batches.steps, batches.alternates) == (3, False)
    assert all(len(batches.step(0, i).lesions) == len(batches.step(0, i).images) == 1 for i in range(3))


@pytest.mark.parametrize("kind", ["lesions", "images"])
def test_one_kind_alone(kind: str) -> None:
    given = (lesions(3), []) if kind == "lesions" else ([], images(0, 1, 1))
    batches = make_slice_batches(*given, PAPER, 1, 0)
    assert batches.steps == 3
    taken = [name for i in range(3) for name in names(getattr(batches.step(2, i), kind))]
    assert sorted(taken) == [f"{kind[0]}{i}" for i in range(3)]


def test_classes_are_drawn_equally_often() -> None:
    batches = make_slice_batches(lesions(1), images(0, 0, 0, 0, 1), TUNED, 1, 0)
    taken = [name for e in range(300) for i in range(1, batches.steps, 2) for name in names(batches.step(e, i).images)]
    assert taken.count("i4") / len(taken) == pytest.approx(0.5, abs=0.03)


def test_so_many_slices_of_each_class_are_drawn_once() -> None:
    recipe = dataclasses.replace(RECIPES["one-shot-transfer"], per_class=2)
    given = images(*[0] * 9, *[1] * 7, 2)
    first, again, other = (make_slice_batches([], given, recipe, seed, fold) for seed, fold in ((1, 0), (1, 3), (2, 0)))
    numbers = {f"i{i}": one.image_class for i, (_, one) in enumerate(given)}
    assert Counter(numbers[ref.name] for ref in first.images) == {0: 2, 1: 2, 2: 1}
    assert first.images == again.images != other.images


def test_what_teaches_nothing_is_left_out() -> None:
    given = [("s", info("marked", shown=(1,))), ("s", info("healthy", complete=True)), ("s", info("unknown"))]
    batches = make_slice_batches(given, [("s", info("nobody said")), ("s", info("known", 0))], PAPER, 1, 0)
    assert [ref.name for ref in batches.lesions] == ["marked", "healthy"]
    assert [ref.name for ref in batches.images] == ["known"]


def test_steps_depend_on_seed_fold_and_place_alone() -> None:
    def order(seed: int, fold: int, epoch: int) -> str:
        batches = make_slice_batches(lesions(5), images(*[0, 1] * 4), PAPER, seed, fold)
        batches.step(7, 3)  # what was asked before does not matter
        return str([batches.step(epoch, number) for number in range(batches.steps)])

    assert order(1, 0, 0) == order(1, 0, 0)
    assert len({order(s, f, e) for s in range(2) for f in range(2) for e in range(3)}) == 12


def test_a_checkpoint_counts_in_steps() -> None:
    batches = make_slice_batches(lesions(2), images(0, 1, 1), PAPER, 1, 0)
    assert [batches.steps_of(batches.taken(n)) for n in range(7)] == list(range(7))
