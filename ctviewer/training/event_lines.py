"""Events of a run as JSON, a line each: what the training process says to the window, and keeps in `events.jsonl`."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.training import events

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Progress,
        Message,
        events.Checked,
        events.RunPlaced,
        events.RunBegun,
        events.StepDone,
        events.EpochDone,
        events.Saved,
        events.Paused,
        events.RunCancelled,
        events.RunFinished,
        events.RunFailed,
    )
}
_FIELDS = {kind: typing.get_type_hints(kind) for kind in _KINDS.values()}


def to_line(event: Event) -> str:
    """One line of strict JSON, without its end: `{"event": "StepDone", "fold": 0, ...}`; NaN is null, but in a report.

    Raises:
        TypeError: the event is of a kind that stays inside its process.
    """
    if type(event) not in _FIELDS:
        raise TypeError(f"{type(event).__name__} has no line")
    name, values = type(event).__name__, {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    if isinstance(event, events.Checked):  # read by `preflight.report.from_json`, which knows Python's NaN
        return json.dumps({"event": name, **values})
    return json.dumps({"event": name, **plain(values)}, allow_nan=False)


def from_line(text: str) -> Event:
    """The event of a line. Values that a newer program adds are left out.

    Raises:
        InputError: the line holds no event that is known.
    """
    try:
        data = json.loads(text)
        kind = _KINDS[data.pop("event")]
        return kind(
            **{name: _read(_FIELDS[kind][name], value) for name, value in data.items() if name in _FIELDS[kind]}
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError("A line of the training process could not be understood.") from error


def plain(value: Any) -> Any:
    """Fit for strict JSON, which knows no NaN (null) and nothing infinite (a text)."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _read(hint: Any, value: Any) -> Any:
    """Undo `plain` where a number is wanted; a wrong type is refused."""
    if typing.get_origin(hint) is not None and typing.get_args(hint) == (str, float):
        return {str(name): _number(one) for name, one in value.items()}
    if hint is float:
        return _number(value)
    if hint in (int, str, bool) and type(value) is not hint:
        raise TypeError("wrong type")
    return value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
