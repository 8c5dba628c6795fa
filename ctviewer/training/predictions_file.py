"""Predictions on disk: JSON, strict when read. It names studies as their source does, patients by a digest alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ctviewer.core.records import Format
from ctviewer.training.predictions import Predictions

_FORMAT = Format("ctviewer.predictions", 1, "predictions")


def to_json(predictions: Predictions) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`."""
    return _FORMAT.to_json(predictions)


def from_json(data: object) -> Predictions:
    """The inverse of `to_json`.

    Raises:
        ValueError: it is something else, incomplete, or contradicts itself; the text is a clause after "because".
    """
    predictions = _FORMAT.from_json(Predictions, data)
    _check(predictions)
    return predictions


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a file, atomically, readable by its owner alone.

    Raises:
        StorageError: it cannot be written.
    """
    _FORMAT.write(path, predictions)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        InputError: it cannot be read; the text names the file and the reason.
    """
    return _FORMAT.read(path, from_json)


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
