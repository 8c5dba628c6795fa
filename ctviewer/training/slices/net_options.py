"""Whether a one-shot net can be told what a configuration tells it: names and kinds of values, before anything is read."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.nets.one_shot.options import OPTION_NAMES, Options
from ctviewer.training.config import ModelConfig

REFERENCE = "reference"
"""Of `ModelConfig.net`: all that the paper's reference code does."""
_ELSEWHERE = {
    "size": "model.size",
    "backbone": "model.encoder",
    "negative": "model.negative_class",
    "image_classes": "model.image_classes",
}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}


def require_options(model: ModelConfig) -> None:
    """Refuse options that a one-shot net does not have, or that are of another kind.

    Raises:
        InputError: one of them; the text names its key.
    """
    hints = {**typing.get_type_hints(Options), REFERENCE: bool}
    for name, value in model.net.items():
        if name in _ELSEWHERE:
            raise InputError(f"model.net.{name} follows from {_ELSEWHERE[name]}: leave it out.")
        if name not in hints:
            near = difflib.get_close_matches(name, (*OPTION_NAMES, REFERENCE), 1)
            raise InputError(f"model.net.{name} is no option of the net{f'; is {near[0]} meant?' if near else '.'}")
        if not _fits(hints[name], value):
            told = _KINDS.get(hints[name], "a list of numbers")
            raise InputError(f"model.net.{name} must be {told}, and is {value!r}.")


def _fits(hint: Any, value: Any) -> bool:
    if hint is float:
        return type(value) in (int, float)
    if typing.get_origin(hint) is Sequence:
        kinds: Mapping[Any, tuple[type, ...]] = {int: (int,), float: (int, float)}
        return isinstance(value, tuple) and all(type(one) in kinds[typing.get_args(hint)[0]] for one in value)
    return type(value) is hint
