"""Left at any moment and taken up again, a run on the CPU goes on as if it had never been left: bit by bit."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from training.engine.conftest import Said, collected, inputs_in, small_run_config

from ctviewer.core.errors import InputError
from ctviewer.core.events import Message, Progress
from ctviewer.models.bundle import load_bundle
from ctviewer.training.config import DataConfig, RunConfig, SliceSet
from ctviewer.training.control import Wish
from ctviewer.training.engine.memory import Memory
from ctviewer.training.engine.resuming import deciding_settings
from ctviewer.training.engine.run import RunInputs, run
from ctviewer.training.events import EpochDone, Paused, RunBegun, RunFinished, Saved, StepDone
from ctviewer.training.splits import Split


def taken_up(said, wanted, found):
    """The rest of a run that was paused or killed, and all that was said: what was done again counts as last done."""
    rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON))
    assert isinstance(rest.last, RunFinished)
    losses = {place[:2]: place for place in (*found.losses, *rest.losses)}
    judged = {place[:2]: place for place in (*found.judged, *rest.judged)}
    return list(losses.values()), list(judged.values()), load_bundle_state(rest.last.bundle)


def load_bundle_state(folder: str) -> str:
    return load_bundle(Path(folder)).metadata.weights_sha256


pytestmark = pytest.mark.usefixtures("no_figures")


class Counting:
    """A control that never wants anything and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Wish:
        self.asked += 1
        return Wish.GO_ON


class Whole(NamedTuple):
    """An undisturbed run: what it was given, what it said, how often its control was asked, and its weights."""

    wanted: RunInputs
    found: Said
    asked: int
    weights: str


def undisturbed(place: Path, config, source=None, split=None) -> Whole:
    counting = Counting()
    wanted = inputs_in(place, config, source, split, "whole", control=counting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ctviewer.training.engine.finish.evaluate", lambda predictions, data: ())
        found = collected(wanted)
    return Whole(wanted, found, counting.asked, load_bundle_state(found.last.bundle))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Whole:
    config = small_run_config(augmentation="tuned", patience=0, clip=1.0)
    return undisturbed(tmp_path_factory.mktemp("whole"), config)


def test_paused_anywhere(whole, inputs, said, after) -> None:
    """In the middle of a step, between steps, while judging, while finishing."""
    config, found, weights = whole.wanted.config, whole.found, whole.weights
    for number in range(5, whole.asked, 23):
        wanted = inputs(config, name=f"paused-{number}", control=after(number, Wish.PAUSE))
        first = said(wanted)
        assert isinstance(first.last, Paused), number
        losses, judged, state = taken_up(said, wanted, first)
        assert losses == found.losses, number
        assert judged == found.judged, number
        assert state == weights, number


def test_killed_anywhere(whole, inputs, said) -> None:
    """The generator is dropped where it stands, as `kill -9` leaves it: what is on disk is all there is."""
    config, found, weights = whole.wanted.config, whole.found, whole.weights
    config = dataclasses.replace(config, checkpoint_minutes=0.0)
    lasting = [event for event in found.events if not isinstance(event, Progress | Saved)]
    for number in range(2, len(lasting), 4):
        wanted = inputs(config, name=f"killed-{number}")
        first = said([])
        events = run(wanted)
        while len([e for e in first.events if not isinstance(e, Progress | Saved)]) < number:
            first.events.append(next(events))
        events.close()
        losses, judged, state = taken_up(said, wanted, first)
        assert (losses, judged, state) == (found.losses, found.judged, weights), number


def test_paused_again_and_again(whole, inputs, said, after) -> None:
    config, found, weights = whole.wanted.config, whole.found, whole.weights
    wanted = inputs(config, name="often")
    losses, seen = {}, None
    for number in range(1, 30):
        seen = said(dataclasses.replace(wanted, resume=number > 1, control=after(20 + 3 * number, Wish.PAUSE)))
        losses.update({place[:2]: place for place in seen.losses})
        if isinstance(seen.last, RunFinished):
            break
    assert isinstance(seen.last, RunFinished)
    assert list(losses.values()) == found.losses
    assert load_bundle_state(seen.last.bundle) == weights


def newest(folder: Path) -> Path:
    return max((folder / "checkpoints").iterdir())


def left_after(wanted, kind: type, count: int) -> list:
    """What a run says until it is killed: after so many events of a kind."""
    events, seen = run(wanted), []
    while sum(isinstance(event, kind) for event in seen) < count:
        seen.append(next(events))
    events.close()
    return seen


@pytest.mark.parametrize("lost", ["newest", "engine.json", "all but the studies"])
def test_what_is_lost_of_the_folder_changes_no_result(whole, inputs, said, lost: str) -> None:
    config, found, weights = whole.wanted.config, whole.found, whole.weights
    wanted = inputs(dataclasses.replace(config, checkpoint_minutes=0.0), name=f"lost {lost}")
    seen = said(left_after(wanted, StepDone, 3))
    if lost == "newest":
        newest(wanted.folder).write_bytes(newest(wanted.folder).read_bytes()[:-1])
    else:
        (wanted.folder / "engine.json").unlink()
    if lost == "all but the studies":
        shutil.rmtree(wanted.folder / "checkpoints")
    rest = said(dataclasses.replace(wanted, resume=True))
    told = [event.text for event in rest.of(Message)]
    assert any("is damaged; the run goes on" in text for text in told) == (lost == "newest")
    assert any("engine.json was missing" in text for text in told) == (lost == "engine.json")
    losses = {place[:2]: place for place in (*seen.losses, *rest.losses)}
    assert (list(losses.values()), load_bundle_state(rest.last.bundle)) == (found.losses, weights)


def test_stopped_right_after_the_newest_checkpoint_was_lost(inputs, said, small_config) -> None:
    """The best state is that of the checkpoint gone on from, and not of a later epoch that is to come again."""
    settings = {"schedule": "constant", "warm_up": 0.0, "calibrate": False, "rate": 1e-4}
    said(inputs(small_config(epochs=1, **settings), name="one epoch"))
    wanted = inputs(small_config(epochs=4, minutes=0.0, **settings))
    seen = said(left_after(wanted, StepDone, 5))  # of two steps an epoch
    assert [event.best for event in seen.of(EpochDone)] == [True, True]
    newest(wanted.folder).write_bytes(b"")
    rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.STOP))
    ours, theirs = (load_bundle(wanted.bundles / f"toy-1.{minor}.0").metadata for minor in (1, 0))
    assert rest.last.stopped
    assert ours.run.epochs == 1
    assert ours.weights_sha256 == theirs.weights_sha256


def test_what_was_stopped_and_lost_is_not_made_of_untrained_weights(inputs, said, after) -> None:
    wanted = inputs()
    left_after(dataclasses.replace(wanted, control=after(40, Wish.STOP)), Message, 2)  # the second is of finishing
    shutil.rmtree(wanted.folder / "checkpoints")
    with pytest.raises(InputError, match="what it had learned is gone"):
        said(dataclasses.replace(wanted, resume=True))


def test_other_conditions_are_told(inputs, said, small_config) -> None:
    wanted = inputs(small_config())
    left_after(dataclasses.replace(wanted, config=small_config(minutes=0.0)), Saved, 1)
    rest = said(dataclasses.replace(wanted, config=small_config(chunk=3), resume=True))
    (told,) = [event.text for event in rest.of(Message) if "conditions" in event.text]
    assert "(slices in a chunk 2 before, 3 now)" in told


def test_nothing_is_made_twice(whole, said) -> None:
    again = said(dataclasses.replace(whole.wanted, resume=True))
    assert again.last.key == "toy 1.0.0"
    assert len(list(whole.wanted.bundles.glob("toy-*"))) == 1


def test_a_run_begun_is_not_begun_again(whole, said) -> None:
    with pytest.raises(InputError, match="holds a run that was begun"):
        said(whole.wanted)


def test_another_configuration_is_refused(inputs, said, after, small_config) -> None:
    wanted = inputs(small_config(rate=1e-3), control=after(40, Wish.PAUSE))
    assert isinstance(said(wanted).last, Paused)
    with pytest.raises(InputError, match="rate"):
        said(dataclasses.replace(wanted, config=small_config(rate=2e-3), resume=True))
    other = dataclasses.replace(wanted.report, data_sha256=dict.fromkeys(wanted.report.data_sha256, "1" * 64))
    with pytest.raises(InputError, match="other data"):
        said(dataclasses.replace(wanted, report=other, resume=True))


def test_a_pause_says_where_it_goes_on(inputs, said, after) -> None:
    wanted = inputs(control=after(40, Wish.PAUSE))
    paused = said(wanted).last
    assert isinstance(paused, Paused)
    begun = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON)).of(RunBegun)
    assert [event.resumed for event in begun] == [paused.step]


FOLDS = {"cross_validation": "always", "folds": 3, "repeats": 1}


def test_a_cross_validation_is_taken_up_in_the_middle(inputs, said, after, small_config, labelled, tmp_path) -> None:
    config = small_config(data=FOLDS, epochs=1, batch=4)
    source = labelled(7, slices=3)
    split = Split(source.ids())
    _, found, asked, weights = undisturbed(tmp_path, config, source, split)
    assert {event[0] for event in found.losses} == {0, 1, 2, 3}
    for number in range(12, asked, 37):
        wanted = inputs(config, source, split, name=f"paused-{number}", control=after(number, Wish.PAUSE))
        first = said(wanted)
        assert isinstance(first.last, Paused), number
        losses, judged, state = taken_up(said, wanted, first)
        assert (losses, judged, state) == (found.losses, found.judged, weights), number


def test_a_run_of_an_older_version_goes_on(inputs, said, after, small_config) -> None:
    """What it did not know to keep is as it was: the default."""
    wanted = inputs(small_config(), control=after(40, Wish.PAUSE))
    assert isinstance(said(wanted).last, Paused)
    memory = Memory.read(wanted.folder)
    since = ("task", "lesions", "images", "recipe.task", "recipe.losses", "recipe.copy", "recipe.per_class")
    assert set(since) < set(memory.config)
    dataclasses.replace(memory, config={k: v for k, v in memory.config.items() if k not in since}).write(wanted.folder)
    again = dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON)
    with pytest.raises(InputError, match=r'recipe\.losses was "alternate" and is "sum"'):
        said(dataclasses.replace(again, config=small_config(losses="sum")))
    assert isinstance(said(again).last, RunFinished)


def test_sets_of_slices_may_move() -> None:
    def settings(**changes):
        sets = (SliceSet("cncb", **{"folder": "a", **changes}),)
        return deciding_settings(RunConfig(DataConfig(""), lesions=sets))

    assert settings() == settings(folder="b", table="c.csv")
    assert settings() != settings(split="train")
