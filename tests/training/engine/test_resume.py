"""Left at any moment and taken up again, a run on the CPU goes on as if it had never been left: bit by bit."""

from __future__ import annotations

import dataclasses

import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Progress
from ctviewer.models.bundle import load_bundle
from ctviewer.training.control import Wish
from ctviewer.training.engine.run import run
from ctviewer.training.events import Paused, RunBegun, RunFinished, Saved
from ctviewer.training.splits import Split


def taken_up(said, wanted, found):
    """The rest of a run that was paused or killed, and all that was said: what was done again counts as last done."""
    rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON))
    assert isinstance(rest.last, RunFinished)
    losses = {place[:2]: place for place in (*found.losses, *rest.losses)}
    judged = {place[:2]: place for place in (*found.judged, *rest.judged)}
    return list(losses.values()), list(judged.values()), load_bundle_state(rest.last.bundle)


def load_bundle_state(folder: str) -> str:
    from pathlib import Path

    return load_bundle(Path(folder)).metadata.weights_sha256


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def whole(inputs, said, small_config):
    """An undisturbed run, how often its control was asked, and its configuration."""
    config = small_config(augmentation="tuned", patience=0, clip=1.0)
    asked = []

    def counting() -> Wish:
        asked.append(1)
        return Wish.GO_ON

    found = said(inputs(config, name="whole", control=counting))
    return config, found, len(asked), load_bundle_state(found.last.bundle)


def test_paused_anywhere(whole, inputs, said, after) -> None:
    """In the middle of a step, between steps, while judging, while finishing."""
    config, found, asked, weights = whole
    for number in range(5, asked, 17):
        wanted = inputs(config, name=f"paused-{number}", control=after(number, Wish.PAUSE))
        first = said(wanted)
        assert isinstance(first.last, Paused), number
        losses, judged, state = taken_up(said, wanted, first)
        assert losses == found.losses, number
        assert judged == found.judged, number
        assert state == weights, number


def test_killed_anywhere(whole, inputs, said) -> None:
    """The generator is dropped where it stands, as `kill -9` leaves it: what is on disk is all there is."""
    config, found, _, weights = whole
    config = dataclasses.replace(config, checkpoint_minutes=0.0)
    lasting = [event for event in found.events if not isinstance(event, Progress | Saved)]
    for number in range(2, len(lasting), 3):
        wanted = inputs(config, name=f"killed-{number}")
        first = said([])
        events = run(wanted)
        while len([e for e in first.events if not isinstance(e, Progress | Saved)]) < number:
            first.events.append(next(events))
        events.close()
        losses, judged, state = taken_up(said, wanted, first)
        assert (losses, judged, state) == (found.losses, found.judged, weights), number


def test_paused_again_and_again(whole, inputs, said, after) -> None:
    config, found, _, weights = whole
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


def test_nothing_is_made_twice(whole, inputs, said) -> None:
    config, *_ = whole
    wanted = inputs(config, name="whole")
    again = said(dataclasses.replace(wanted, resume=True))
    assert again.last.key == "toy 1.0.0"
    assert len(list(wanted.bundles.glob("toy-*"))) == 1


def test_a_run_begun_is_not_begun_again(whole, inputs, said) -> None:
    config, *_ = whole
    with pytest.raises(InputError, match="holds a run that was begun"):
        said(inputs(config, name="whole"))


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


def test_a_cross_validation_is_taken_up_in_the_middle(inputs, said, after, small_config, labelled) -> None:
    config = small_config(data=FOLDS, epochs=1, batch=4)
    source = labelled(7, slices=3)
    split = Split(source.ids())
    asked = []

    def counting() -> Wish:
        asked.append(1)
        return Wish.GO_ON

    found = said(inputs(config, source, split, name="whole", control=counting))
    weights = load_bundle_state(found.last.bundle)
    assert {event[0] for event in found.losses} == {0, 1, 2, 3}
    for number in range(12, len(asked), 37):
        wanted = inputs(config, source, split, name=f"paused-{number}", control=after(number, Wish.PAUSE))
        first = said(wanted)
        assert isinstance(first.last, Paused), number
        losses, judged, state = taken_up(said, wanted, first)
        assert (losses, judged, state) == (found.losses, found.judged, weights), number
