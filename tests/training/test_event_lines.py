import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Message, Progress
from ctviewer.training.event_lines import from_line, to_line
from ctviewer.training.events import (
    Checked,
    EpochDone,
    Paused,
    RunBegun,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunPlaced,
    Saved,
    StepDone,
)

EVENTS = [
    Progress("Reading studies", 3, 10),
    Message("Größe\nund \u2028 Zeile"),
    Checked({"schema": 1, "findings": [{"text": "a", "studies": []}]}),
    RunPlaced("/runs/a b"),
    RunBegun(120, 1, "CPU", "float32", 0, 20, 4, 6),
    StepDone(0, 1, 3, 120, 0.1 + 0.2, 1e-3, 0.5, None, 10**12),
    StepDone(0, 1, 3, 120, 0.25, 1e-3, 0.5, 12.5, 7),
    EpochDone(0, 1, 12, 0.5, 0.25, {"auc": 0.75, "sensitivity": 1.0}, True),
    Saved(0, 3, True),
    Paused(1, 17),
    RunCancelled(),
    RunFinished("/bundles/a-1.0.0", "a 1.0.0", False, {"auc": 0.5}),
    RunFailed("Memory ran out.", True),
]


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_said_is_heard(event):
    line = to_line(event)
    assert "\n" not in line and "\u2028" not in line
    assert from_line(line) == event
    json.loads(line, parse_constant=pytest.fail)  # strict JSON


@given(st.floats(), st.none() | st.floats(allow_nan=False))
def test_every_number_travels(value, left):
    event = from_line(to_line(EpochDone(0, 1, 2, value, value, {"auc": value})))
    for told in (event.loss, event.validation_loss, event.metrics["auc"]):
        assert told == value or (math.isnan(told) and math.isnan(value))
    json.loads(to_line(event), parse_constant=pytest.fail)
    if left is None or math.isfinite(left):
        assert from_line(to_line(StepDone(0, 1, 1, 1, 0.0, 0.0, 0.0, left, 0))).seconds_left == left


def test_what_a_newer_program_adds_is_left_out():
    line = json.dumps({**json.loads(to_line(Paused(1, 2))), "more": 1})
    assert from_line(line) == Paused(1, 2)


@pytest.mark.parametrize(
    "line",
    ["", "a", "[]", "1", "{}", '{"event": "Done"}', '{"event": 1}', '{"event": "Paused", "fold": "0", "step": 1}',
     '{"event": "Paused"}', '{"event": "RunFinished", "bundle": "", "key": "", "stopped": 1}', "[" * 100_000,
     '{"event": "EpochDone", "fold": 0, "epoch": 1, "epochs": 1, "loss": "x", "validation_loss": 1}'],
)  # fmt: skip
def test_what_is_no_event_is_refused(line):
    with pytest.raises(InputError):
        from_line(line)


def test_what_stays_in_its_process_has_no_line():
    with pytest.raises(TypeError):
        to_line(Done(object()))
