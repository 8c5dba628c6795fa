"""Predictions on disk: JSON, strict when read. It names studies as their source does, patients by a digest alone."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.records import read_record
from ctviewer.training.predictions import Predictions

SCHEMA, VERSION = "ctviewer.predictions", 1


def to_json(predictions: Predictions) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`."""
    return {"schema": SCHEMA, "version": VERSION, **dataclasses.asdict(predictions)}


def from_json(data: object) -> Predictions:
    """The inverse of `to_json`.

    Raises:
        ValueError: it is something else, incomplete, or contradicts itself; the text is a clause after "because".
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError("it holds no predictions")
    if data.get("version") != VERSION:
        raise ValueError(f"it has version {data.get('version')!r} and this program reads version {VERSION}")
    plain = {name: value for name, value in data.items() if name not in ("schema", "version")}
    predictions = read_record(Predictions, plain)
    _check(predictions)
    return predictions


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a file, atomically, readable by its owner alone.

    Raises:
        StorageError: it cannot be written.
    """
    write_bytes(path, (json.dumps(to_json(predictions), allow_nan=False) + "\n").encode())


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        InputError: it cannot be read; the text names the file and the reason.
    """
    try:
        return from_json(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors too
        unread = isinstance(error, json.JSONDecodeError | UnicodeError | RecursionError)
        because = "it is not valid JSON" if unread else error
        raise InputError(f"The predictions {path} cannot be used because {because}.") from error


def _check(p: Predictions) -> None:
    rules = (
        (len(set(p.classes)) == len(p.classes) > 0, "its classes are empty or repeat"),
        (p.negative_class in (*p.classes, ""), f"its negative class {p.negative_class!r} is none of its classes"),
        (0.0 < p.threshold < 1.0, "its threshold is not between 0 and 1"),
        (all(len(case.logits) == len(p.classes) for case in p.cases), "a study has not one logit for each class"),
        (all(len(case.ranking) in (0, len(p.classes)) for case in p.cases),
         "a study has not one logit for each class to rank it by"),
        (len({case.study for case in p.cases}) == len(p.cases), "a study is there twice"),
        (all(not case.attention or len(case.attention) == case.slices for case in p.cases),
         "a study has not one attention weight for each slice"),
        (all(math.isfinite(value) for case in p.cases for value in case.logits), "a logit is not finite"),
    )  # fmt: skip
    for holds, why in rules:
        if not holds:
            raise ValueError(why)
