"""Which configurations no run can be made with. Needs no torch."""

from __future__ import annotations

import dataclasses
import math
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.models.metadata import ONE_SHOT, TASKS, is_name
from ctviewer.training.config import (
    CROSS_VALIDATION,
    SPLITTING,
    STARTS,
    DataConfig,
    ModelConfig,
    RunConfig,
)
from ctviewer.training.config_check_slices import check_slices
from ctviewer.training.recipes import (
    AUGMENTATIONS,
    COPIES,
    KEEPS,
    LOSSES,
    OPTIMIZERS,
    PRECISIONS,
    RECIPES,
    SAMPLINGS,
    SCHEDULES,
    TRAINABLE,
)

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "device": ("auto", "cpu", "cuda"),
    "data.splitting": SPLITTING,
    "data.cross_validation": CROSS_VALIDATION,
    "data.order": ("", "head-first", "feet-first"),
    "model.start": STARTS,
    "model.head": ("", "binary", "multi_class", "multi_label"),
    "recipe.trainable": TRAINABLE,
    "recipe.optimizer": OPTIMIZERS,
    "recipe.schedule": SCHEDULES,
    "recipe.sampling": SAMPLINGS,
    "recipe.augmentation": AUGMENTATIONS,
    "recipe.precision": PRECISIONS,
    "recipe.keep": KEEPS,
    "recipe.losses": LOSSES,
    "recipe.copy": COPIES,
}
_ABOVE_ZERO = (
    "recipe.rate",
    "recipe.epochs",
    "recipe.batch",
    "recipe.draws",
    "recipe.every",
    "chunk",
    "model.size",
    "model.crop",
)
_FROM_ZERO = (
    "recipe.encoder_rate", "recipe.decay", "recipe.warm_up", "recipe.clip", "recipe.patience", "recipe.supervision",
    "recipe.long_study", "recipe.smoothing", "recipe.per_class", "checkpoint_minutes", "seed",
)  # fmt: skip
_LEAST_FOLDS, _MOST_TITLE = 3, 200
_MOST, _MOST_SEED = 2**31 - 1, 2**63 - 1
_MOST_SHOWN, _MOST_PATH = 80, 1024
_FOLDER, _FILE = stat.S_IFDIR, stat.S_IFREG
_SET_FOLDER, _SET_TABLE = (re.compile(rf"(lesions|images)\[\d+\]\.{name}") for name in ("folder", "table"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check(config: RunConfig) -> None:
    """Refuse values that no run can be made with.

    Raises:
        InputError: one of them; the text names its key.
    """
    values = _flat(config)
    for key, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{key} is {value}, which is no number to reckon with.")
        if isinstance(value, int) and value > (_MOST_SEED if key == "seed" else _MOST):
            raise InputError(f"{key} is larger than such a number can be.")
    for key, choices in _CHOICES.items():
        if values[key] not in choices:
            known = ", ".join(repr(one) for one in choices if one)
            raise InputError(f"{key} is {values[key][:_MOST_SHOWN]!r}; it can be {known}.")
    for key in _ABOVE_ZERO:
        if values[key] <= 0:
            raise InputError(f"{key} is {values[key]}; it must be above 0.")
    for key in _FROM_ZERO:
        if values[key] < 0:
            raise InputError(f"{key} is {values[key]}; it must not be below 0.")
    if config.recipe.task != config.task:
        raise InputError(
            f"task is {config.task!r}, and the recipe {config.recipe.name!r} is for {config.recipe.task!r}; "
            f"choose one of {', '.join(r.name for r in RECIPES.values() if r.task == config.task)}."
        )
    check_slices(config)
    if config.task != ONE_SHOT and not config.data.folder and not config.data.labels:
        raise InputError("data.folder is missing: the folder that holds the studies.")
    _check_data(config.data)
    _check_model(config.model, config.model.image_classes if config.task == ONE_SHOT else config.model.classes)
    if config.recipe.warm_up >= 1:
        raise InputError("recipe.warm_up is the share of the steps over which the rate rises: it must be below 1.")
    if config.recipe.smoothing >= 1:
        raise InputError("recipe.smoothing is the share of the loss that was before: it must be below 1.")


def require_paths(config: RunConfig) -> None:
    """Refuse a configuration whose folder or files are not there.

    Raises:
        InputError: one is not; the text names its key.
    """
    values = _flat(config)
    for key in ("data.folder", *(key for key in values if _SET_FOLDER.fullmatch(key))):
        if (text := values[key]) and (found := _found(text)) != _FOLDER:
            what = "is a file, not a folder" if found else "does not exist"
            raise InputError(f"{key} is {_shown(text)}, which {what}.")
    for key in ("data.labels", "model.weights", *(key for key in values if _SET_TABLE.fullmatch(key))):
        text = values[key]
        if text and (found := _found(text)) != _FILE:
            what = "is no file" if found else "does not exist"
            raise InputError(f"{key} is {_shown(text)}, which {what}.")


def _found(path: str) -> int:
    """What is there, as in `stat`; 0 for nothing, and for a name that is too long to be one."""
    try:
        return stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return 0


def _shown(path: str) -> str:
    return path if len(path) <= _MOST_PATH else f"{path[:_MOST_SHOWN]}…"


def _check_data(data: DataConfig) -> None:
    if min(data.shares) < 0 or not math.isclose(sum(data.shares), 1.0, abs_tol=1e-6) or data.shares[0] <= 0:
        raise InputError("data.shares must be three numbers that sum to 1, of train (above 0), validation and test.")
    if data.folds < _LEAST_FOLDS:
        raise InputError(f"data.folds is {data.folds}; it must be {_LEAST_FOLDS} at least.")
    if data.repeats < 1:
        raise InputError(f"data.repeats is {data.repeats}; it must be above 0.")
    for name, share in data.prevalence.items():
        if not 0 < share < 1:
            raise InputError(f"data.prevalence.{name} is {share}; it must lie between 0 and 1.")


def _check_model(model: ModelConfig, answers: tuple[str, ...]) -> None:
    """The classes that it tells of a study, or of a slice, are its answers."""
    if model.name and not is_name(model.name):  # or the run would fail once it is trained
        told = f"model.name is {model.name[:_MOST_SHOWN]!r}"
        raise InputError(f"{told}; it takes lower case letters, digits and hyphens, 64 at most.")
    if _CONTROL.search(model.title) or len(model.title) > _MOST_TITLE:
        raise InputError(f"model.title must be one line of plain text, {_MOST_TITLE} characters at most.")
    if model.window[1] <= 0:
        raise InputError(f"model.window is {list(model.window)}: its width must be above 0 HU.")
    if model.crop > model.size:
        raise InputError(f"model.crop is {model.crop}, larger than model.size ({model.size}).")
    if len(set(model.classes)) < len(model.classes) or not all(model.classes):
        raise InputError("model.classes names a class twice, or one without a name.")
    if model.negative_class and answers and model.negative_class not in answers:
        which = "model.classes" if answers is model.classes else "model.image_classes"
        raise InputError(f"model.negative_class is {model.negative_class!r}, which is none of {which}.")


def _flat(config: RunConfig) -> dict[str, Any]:
    """Values by dotted key; of tables with free keys and of lists each value by itself too."""
    found: dict[str, Any] = {}

    def put(key: str, value: Any) -> None:
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                put(f"{key}.{field.name}".lstrip("."), getattr(value, field.name))
            return
        found[key] = value
        if isinstance(value, Mapping):
            for name, one in value.items():
                put(f"{key}.{name}", one)
        elif isinstance(value, tuple):
            for number, one in enumerate(value, 1):
                put(f"{key}[{number}]", one)

    put("", config)
    return found
