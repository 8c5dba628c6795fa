"""Whether a run may go on from a checkpoint: under the same configuration and with the same data alone.

What changes results by rounding alone (another device, another chunk, another number of processes) may change, and is told.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Protocol

from ctviewer.core.errors import InputError
from ctviewer.training.config import DataConfig, RunConfig

_MOST_DIFFERENCES = 4
# Where and how often, and what is only words: all of it may change while a run is paused
_NOT_TOLD = (
    "checkpoint_minutes", "device", "chunk", "data.folder", "data.labels", "model.weights", "model.title",
    "recipe.name", "recipe.title", "recipe.explanation",
)  # fmt: skip

_PLACES = ("folder", "table")  # of a set of labelled slices: data may move; what they hold is compared by hashes


def deciding_settings(config: RunConfig) -> dict[str, Any]:
    """What of a configuration decides the result, as plain values by dotted names."""
    plain = json.loads(json.dumps(dataclasses.asdict(config)))
    for kind in ("lesions", "images"):
        plain[kind] = [{name: value for name, value in one.items() if name not in _PLACES} for one in plain[kind]]
    return {name: value for name, value in _flat("", plain).items() if name not in _NOT_TOLD}


class Begun(Protocol):
    """What was kept of a run: a snapshot, or what it remembers besides."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Of `deciding_settings`."""
        ...

    @property
    def data(self) -> Mapping[str, str]:
        """Digest of the studies by part."""
        ...


def require_same(snapshot: Begun, config: RunConfig, data: Mapping[str, str]) -> None:
    """Refuse to go on under another configuration or with other data.

    Args:
        snapshot: what was kept.
        config: of the run now.
        data: digest of the studies by part, now.

    Raises:
        InputError: names what differs.
    """
    now = deciding_settings(config)
    before = {**deciding_settings(RunConfig(DataConfig(""))), **snapshot.config}  # an older version kept fewer settings
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        listed = [f"{name} was {_shown(before, name)} and is {_shown(now, name)}" for name in changed]
        more = [f"and {len(listed) - _MOST_DIFFERENCES} settings more"] if len(listed) > _MOST_DIFFERENCES else []
        raise InputError(
            f"The run cannot go on under another configuration: {'; '.join(listed[:_MOST_DIFFERENCES] + more)}. "
            "Resume it as it was, or begin a new run."
        )
    parts = sorted(part for part in {*snapshot.data, *data} if snapshot.data.get(part) != data.get(part))
    if parts:
        raise InputError(
            f"The run cannot go on with other data: the studies of {' and '.join(parts)} are not those that it began "
            "with (a study, a label or pixels have changed). Restore them, or begin a new run."
        )


def told_changes(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence where a run goes on under conditions that its numbers depend on in their last digits.

    Args:
        before: `Snapshot.environment`.
        now: the same of this process.
    """
    changed = [f"{name} {before.get(name, 'not known')} before, {value} now" for name, value in now.items()
               if before.get(name) != value]  # fmt: skip
    if not changed:
        return ()
    return (f"The run goes on under other conditions ({'; '.join(changed)}): its results are the same up to rounding.",)


def _flat(where: str, value: Any) -> dict[str, Any]:
    """Values of nested settings by dotted names."""
    if not isinstance(value, dict):
        return {where: value}
    return {
        name: inner for key, item in value.items() for name, inner in _flat(f"{where}.{key}".lstrip("."), item).items()
    }


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return json.dumps(settings[name]) if name in settings else "not set"
