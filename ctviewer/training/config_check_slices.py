"""Which configurations no one-shot run can be made with. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping

from ctviewer.core.errors import InputError
from ctviewer.core.slices import BACKGROUND
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import COMPLETE, FORMATS, ModelConfig, RunConfig, SliceSet
from ctviewer.training.splits import EXTERNAL, PARTS, TRAIN_ONLY

_MOST_SHOWN = 80


def check_slices(config: RunConfig) -> None:
    """Refuse sets and classes that no one-shot run can be made with, and sets where another model is trained.

    Raises:
        InputError: one of them; the text names its key.
    """
    if config.task != ONE_SHOT:
        for name in ("lesions", "images"):
            if getattr(config, name):
                raise InputError(f'[[{name}]] is for a one-shot model: write task = "{ONE_SHOT}", or leave it out.')
        return
    for key in ("folder", "labels"):
        if getattr(config.data, key):
            raise InputError(f"data.{key} is for studies; the data of a one-shot model are [[lesions]] and [[images]].")
    if config.data.splitting == "time":
        raise InputError("data.splitting is 'time', and labelled slices have no dates; it can be 'stratified'.")
    if not config.lesions:
        raise InputError("[[lesions]] is missing: sets of slices with outlined lesions.")
    for name in ("lesions", "images"):
        for number, one in enumerate(getattr(config, name), 1):
            _check_set(f"{name}[{number}]", one)
    _check_classes(config.model)
    _check_merge(config.model.merge)


def _check_set(key: str, one: SliceSet) -> None:
    if one.format not in FORMATS:
        known = ", ".join(map(repr, FORMATS))
        raise InputError(f"{key}.format is {one.format[:_MOST_SHOWN]!r}; it can be {known}.")
    if not one.folder:
        raise InputError(f"{key}.folder is missing: the folder that holds the slices.")
    if one.complete not in COMPLETE:
        raise InputError(f"{key}.complete is {one.complete[:_MOST_SHOWN]!r}; it can be 'yes', 'no'.")
    external = one.split.startswith(EXTERNAL) and one.split != EXTERNAL
    if one.split not in ("", *PARTS, TRAIN_ONLY) and not external:
        known = ", ".join(map(repr, (*PARTS, TRAIN_ONLY, f"{EXTERNAL}NAME")))
        raise InputError(f"{key}.split is {one.split[:_MOST_SHOWN]!r}; it can be {known}.")


def _check_classes(model: ModelConfig) -> None:
    if model.classes and (model.classes[0] != BACKGROUND or len(model.classes) < 2):
        raise InputError(f"model.classes of a one-shot model are {BACKGROUND!r}, then what it is to outline.")
    if BACKGROUND in model.classes[1:]:
        raise InputError("model.classes names the background twice.")
    images = model.image_classes
    if len(set(images)) < len(images) or not all(images):
        raise InputError("model.image_classes names a class twice, or one without a name.")
    if len(images) == 1:
        raise InputError("model.image_classes must be two at least, or none where slices have no class.")
    if model.crop != model.size:
        raise InputError(
            f"model.crop is {model.crop} and model.size {model.size}: a one-shot model sees the whole slice."
        )


def _check_merge(merge: Mapping[str, str]) -> None:
    for name, into in merge.items():
        if name in ("", BACKGROUND):
            raise InputError(f"model.merge names {name!r}, which is no class of lesions or slices.")
        if merge.get(into, into) != into:
            raise InputError(
                f"model.merge.{name} is {into!r}, which is itself learned as {merge[into]!r}: say the last."
            )
