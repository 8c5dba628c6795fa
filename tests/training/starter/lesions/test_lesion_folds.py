"""Cross-validation by patient: who sees whom, what is kept, and what makes a fold be trained anew."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Done, Message, Progress
from ctviewer.models.metadata import Preprocessing
from ctviewer.training.predictions import patient_digest
from ctviewer.training.starter import lesion_figures
from ctviewer.training.starter.chests import PHANTOM, SCANNED, Chest
from ctviewer.training.starter.lesion_folds import RECORD, WEIGHTS, Folds, cross_validate, train_folds
from ctviewer.training.starter.lesion_split import folds_of, painted, thinned

P = Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,))


@pytest.fixture(scope="module")
def chests(draw_chest):
    """Six patients with infection, one of two chests; two scanned without; a phantom with infection."""
    drawn = [draw_chest(f"c{i}", i) for i in range(6)]
    drawn += [draw_chest("c0 again", 30, patient="patient of c0")]
    drawn += [draw_chest(f"s{i}", 40 + i, sick=False, kind=SCANNED) for i in range(2)]
    drawn += [draw_chest("ph", 50, kind=PHANTOM)]
    return [one.chest for one in drawn]


class Trainer:
    """Stands in for a training; it keeps whom it saw, and changes the net by what it is given."""

    def __init__(self):
        self.seen = []

    def __call__(self, net, fold):
        self.seen.append(fold)
        yield Progress("Training", 1, 1)
        with torch.no_grad():
            net.least += 0.2 + 0.01 * len(fold.train)


@pytest.fixture
def trainer():
    return Trainer()


@pytest.fixture
def plan(tmp_path, new_reader, trainer):
    return Folds(tmp_path / "folds", new_reader, trainer, P, {"steps": 3}, count=3, seed=1)


def ended(events):
    """The value, and the messages."""
    *rest, last = list(events)
    assert isinstance(last, Done)
    return last.value, [one.text for one in rest if isinstance(one, Message)]


def patients(those):
    return {chest.patient for chest in those}


@pytest.mark.parametrize(("count", "holdout", "seed"), [(3, 1, 0), (3, 2, 4), (5, 1, 2)])
def test_each_patient_is_judged_once_and_nobody_does_two_things(chests, count, holdout, seed):
    folds = folds_of(chests, count, holdout, seed)
    assert [fold.number for fold in folds] == list(range(1, count + 1))
    everyone = patients(chests) - {"patient of ph"}
    assert sorted(p for fold in folds for p in patients(fold.test)) == sorted(everyone)
    for fold in folds:
        parts = [patients(fold.train), patients(fold.holdout), patients(fold.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(everyone) + 1
        assert "patient of ph" in parts[0], "phantoms only teach"
        assert 1 <= len(parts[1]) <= holdout and all(chest.infected.any() for chest in fold.holdout)
        assert sorted(c.name for c in (*fold.train, *fold.holdout, *fold.test)) == sorted(c.name for c in chests)
    assert {sum(c.kind == SCANNED for c in fold.test) for fold in folds} <= {0, 1}, "scanned chests apart"


def test_the_folds_do_not_depend_on_the_order_of_the_chests(chests):
    one, other = (folds_of(those, 3, 1, 5) for those in (chests, chests[::-1]))
    for a, b in zip(one, other, strict=True):
        assert [patients(part) for part in (a.train, a.holdout, a.test)] == [
            patients(part) for part in (b.train, b.holdout, b.test)
        ]


def test_ten_patients_are_two_to_each_of_five_folds(draw_chest):
    many = [draw_chest(f"c{i}", i, count=1, exact=0.5).chest for i in range(10)]
    folds = folds_of(many)
    assert [len(patients(fold.test)) for fold in folds] == [2] * 5
    assert [len(patients(fold.train)) for fold in folds] == [7] * 5


def test_too_few_patients_are_refused(chests):
    with pytest.raises(InputError, match="cannot be shared out over 9 folds"):
        folds_of(chests, 9)
    few = [chest for chest in chests if chest.name in ("c1", "c2", "s0", "s1", "ph")]
    with pytest.raises(InputError, match="2 patients with infection are too few for 3 folds"):
        folds_of(few, 3)


def test_painted_chests_are_of_the_same_patients_and_show_no_infection(chests):
    found = painted(chests, seed=3, most=2)
    assert [chest.patient for chest in found] == [f"patient of c{i}" for i in (*range(6), 0)], "no phantom, none clean"
    assert all(len(chest.hu) == 2 and not chest.infected.any() for chest in found)
    again = painted(chests, seed=3, most=2)
    assert all(np.array_equal(a.hu, b.hu) for a, b in zip(found, again, strict=True))
    assert len({chest.name for chest in (*found, *chests)}) == len(found) + len(chests)


def test_thinned_slices_are_spread_evenly(draw_chest):
    chest = draw_chest("c", 1, count=9).chest
    assert np.array_equal(thinned(chest, 3).hu, chest.hu[[0, 4, 8]])
    assert np.array_equal(thinned(chest, 20).labels, chest.labels)


def test_figures_of_all_folds_each_patient_by_a_net_that_never_saw_it(chests, plan, trainer):
    too = painted(chests, most=2)
    found, _ = ended(cross_validate(chests, plan, judged_too=too, data="made up", draws=50))
    assert len(trainer.seen) == len(found.kept) == len(found.predictions) == 3
    for fold, told, kept in zip(trainer.seen, found.predictions, found.kept, strict=True):
        judged = {case.patient for case in told.cases}
        assert judged == {patient_digest(p) for p in patients(fold.test)}
        assert not judged & {patient_digest(p) for p in patients((*fold.train, *fold.holdout))}
        assert told.threshold == kept.threshold
        told_of = {part: len(patients(getattr(fold, part))) for part in ("train", "holdout", "test")}
        assert kept.patients == told_of and sum(told_of.values()) == 9
    assert found.metrics == lesion_figures.lesion_metrics(found.predictions, "made up", draws=50)
    sets = {one.data for one in found.metrics}
    assert sets == {
        f"made up, {lesion_figures.INFECTED}, 28 slices of 7 scans of 6 patients",
        f"made up, {lesion_figures.PAINTED_OUT}, 14 slices of 7 scans of 6 patients",
        f"made up, {lesion_figures.SCANNED_CLEAN}, 8 slices of 2 scans of 2 patients",
    }


def test_what_is_there_is_not_trained_again_and_says_the_same(chests, plan, trainer):
    first, _ = ended(cross_validate(chests, plan, draws=20))
    second, told = ended(cross_validate(chests, plan, draws=20))
    assert len(trainer.seen) == 3 and told == [f"Fold {i} is taken as it is kept." for i in (1, 2, 3)]
    assert (second.metrics, second.predictions, second.kept) == (first.metrics, first.predictions, first.kept)


def test_it_goes_on_after_an_end_between_folds(chests, plan, trainer):
    def failing(net, fold):
        if fold.number == 2:
            raise CtviewerError("the loss is not finite.")
        yield from trainer(net, fold)

    with pytest.raises(CtviewerError, match="not finite"):
        list(cross_validate(chests, dataclasses.replace(plan, train=failing)))
    ended(cross_validate(chests, plan, draws=20))
    assert [fold.number for fold in trainer.seen] == [1, 2, 3]


def test_folds_can_be_shared_out_to_processes(chests, plan, trainer):
    kept, _ = ended(train_folds(chests, plan, numbers=(2,)))
    assert len(kept) == 1 and sorted(path.name for path in plan.folder.iterdir()) == ["fold-2"]
    ended(train_folds(chests, plan))
    assert [fold.number for fold in trainer.seen] == [2, 1, 3]


@pytest.mark.parametrize("change", ["recipe", "pixels", "seed"])
def test_another_recipe_or_other_data_train_anew(chests, plan, trainer, change):
    ended(train_folds(chests, plan))
    if change == "recipe":
        plan = dataclasses.replace(plan, recipe={"steps": 4})
    elif change == "seed":
        plan = dataclasses.replace(plan, seed=2)
    else:
        chests = [Chest(c.name, c.patient, c.kind, c.hu + np.int16(c.kind == PHANTOM), c.labels) for c in chests]
    _, told = ended(train_folds(chests, plan))
    assert len(trainer.seen) == 6
    assert told[0] == "Fold 1 is trained: what is kept of it was made by another recipe, or of other data."


@pytest.mark.parametrize("what", ["cut", "gone", "record", "other net"])
def test_a_damaged_fold_is_made_anew_and_the_others_stay(chests, plan, trainer, what):
    ended(train_folds(chests, plan))
    folder = plan.folder / "fold-2"
    if what == "cut":
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1])
    elif what == "gone":
        (folder / WEIGHTS).unlink()
    elif what == "record":
        (folder / RECORD).write_text('{"schema": ')
    else:
        told = json.loads((folder / RECORD).read_text())
        other = (plan.folder / "fold-1" / WEIGHTS).read_bytes()[:-4] + b"\0\0\0\0"
        (folder / WEIGHTS).write_bytes(other)
        assert told["weights_sha256"]
    _, told = ended(train_folds(chests, plan))
    assert [fold.number for fold in trainer.seen] == [1, 2, 3, 2]
    assert told[1].startswith("Fold 2 is trained: ")


def test_nothing_of_the_test_patients_reaches_a_fold_s_net_or_threshold(chests, plan):
    """Their pixels are turned, their outlines are not: the fold that judges them stays as it is, figures alone change."""
    before, _ = ended(cross_validate(chests, plan, draws=20))
    fold = folds_of(chests, plan.count, plan.holdout, plan.seed)[0]
    names = {chest.name for chest in fold.test}

    def spoiled(chest):
        if chest.name not in names or not chest.infected.any():
            return chest
        return Chest(chest.name, chest.patient, chest.kind, chest.hu[:, ::-1], chest.labels)

    after, told = ended(cross_validate([spoiled(chest) for chest in chests], plan, draws=20))
    assert told[0] == "Fold 1 is taken as it is kept."
    assert after.kept[0] == before.kept[0]
    assert after.predictions[0] != before.predictions[0]


def test_a_threshold_is_chosen_anew_by_other_slices_without_training(chests, plan, trainer):
    before, _ = ended(cross_validate(chests, plan, draws=20))
    after, _ = ended(cross_validate(chests, plan, judged_too=painted(chests, most=2), draws=20))
    assert len(trainer.seen) == 3
    for a, b in zip(before.kept, after.kept, strict=True):
        assert (a.key, a.weights_sha256) == (b.key, b.weights_sha256) and a.chosen_by != b.chosen_by


def test_the_net_starts_alike_and_leaves_the_draws_of_others_alone(chests, plan, new_reader):
    starts = []

    def drawn():
        net = new_reader()
        starts.append(float(torch.rand(())))
        return net

    torch.manual_seed(5)
    wanted = torch.rand(())
    torch.manual_seed(5)
    ended(train_folds(chests, dataclasses.replace(plan, new_net=drawn)))
    assert len(set(starts)) == 1 and torch.rand(()) == wanted


def test_what_cannot_be_judged_is_refused(chests, plan, draw_chest):
    with pytest.raises(InputError, match="must be of patients that a fold judges"):
        list(cross_validate(chests, plan, judged_too=[draw_chest("x", 1, sick=False).chest]))
    with pytest.raises(InputError, match="same name"):
        list(cross_validate([*chests, chests[0]], plan))


def test_events_and_files_name_no_patient(chests, plan):
    events = list(cross_validate(chests, plan, draws=20))
    kept = "".join(path.read_text() for path in plan.folder.rglob(RECORD))
    said = "".join(repr(event) for event in events[:-1]) + kept
    assert not [chest.name for chest in chests if chest.patient in said or repr(chest.name) in said]
