"""What the reproduction of a paper keeps in its folder, so that a later call goes on and trains nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ctviewer.core.errors import InputError
from ctviewer.core.events import Event
from ctviewer.core.files import reason, write_bytes

T = TypeVar("T")
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Interrupted(Event):
    """The user paused: the last event; the next call goes on."""


def require_same_settings(folder: Path, told: Mapping[str, Any]) -> None:
    """Keep what decides the results, or refuse a folder that was begun under something else.

    Args:
        folder: of the reproduction.
        told: plain values; what may change between calls (which models, the device) is left out.

    Raises:
        InputError: the folder holds other settings, or they cannot be read.
        StorageError: it cannot be written.
    """
    plain = json.loads(json.dumps(told))
    path = folder / _SETTINGS
    try:
        if json.loads(path.read_bytes()) != plain:
            raise InputError(f"{folder} holds a comparison of other data or settings; choose another folder.")
    except FileNotFoundError:
        write_bytes(path, (json.dumps(plain, indent=2) + "\n").encode())
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged.") from error


def write_result(path: Path, told: Mapping[str, Any]) -> None:
    """Keep what one model gave; it is finished once its file is there.

    Raises:
        StorageError: it cannot be written.
    """
    write_bytes(path, (json.dumps(told) + "\n").encode())


def read_result(path: Path, read: Callable[[dict[str, Any]], T]) -> T | None:
    """What an earlier call found; None where it did not come so far.

    Args:
        path: of the model's file.
        read: makes a result of its JSON.

    Raises:
        InputError: the file cannot be read or is damaged.
    """
    try:
        return read(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged; remove it, and its model is trained again.") from error
