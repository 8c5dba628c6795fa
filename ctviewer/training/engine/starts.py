"""What a run starts from. Nothing ever starts from chance unless it was asked to, and what is new is told in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, Preprocessing
from ctviewer.nets.encoders import freeze
from ctviewer.nets.study_classifier import HEADS, StudyClassifier
from ctviewer.nets.weights import load_imagenet
from ctviewer.training.config import STARTS, ModelConfig
from ctviewer.training.recipes import Recipe
from ctviewer.training.version_texts import licence_note

_LAST_LAYER = "aggregator.head."  # of every aggregator


@dataclass(frozen=True, eq=False)
class Start:
    """A net that is ready to learn.

    Attributes:
        net: on the CPU, in training mode, frozen as told.
        options: its constructor arguments besides the number of classes, for a bundle's metadata.
        classes: in the order of its outputs.
        head: one of `study_classifier.HEADS`.
        negative_class: the class that means "no finding"; "" for none.
        preprocessing: of its input.
        trainable: what of the encoder learns: "none", "last_two" or "all".
        weights_sha256: of the file that it starts from; "" for random weights.
        notes: sentences for the user and the card: what is kept, what is new.
    """

    net: StudyClassifier
    options: Mapping[str, Any]
    classes: tuple[str, ...]
    head: str
    negative_class: str
    preprocessing: Preprocessing
    trainable: str
    weights_sha256: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Made:
    """What one kind of start makes."""

    net: StudyClassifier
    options: dict[str, Any]
    preprocessing: Preprocessing
    weights_sha256: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Task:
    """What the net is to tell.

    Attributes:
        classes, head, negative: see `Start`.
        unseen: classes that no study shows.
    """

    classes: tuple[str, ...]
    head: str
    negative: str
    unseen: tuple[str, ...]


def start_net(
    model: ModelConfig, recipe: Recipe, label_sets: Sequence[Sequence[str]], base: Bundle | None, seed: int
) -> Start:
    """Build the net of a run. What is drawn at random is drawn from the seed; torch's generators stay where they were.

    Args:
        model: what is wanted.
        recipe: says what of the encoder learns.
        label_sets: the classes of each study.
        base: the bundle that "base" and "domain" start from.
        seed: of new layers.

    Raises:
        InputError: the start, the classes, the head and the labels do not fit together; a file of weights is missing
            or not this encoder's.
        BundleError: the base is damaged.
    """
    if model.start not in STARTS:
        raise InputError(f"A run starts from {', '.join(STARTS)}, not from {model.start!r}.")
    if model.start in ("base", "domain"):
        base = _required(base, model.start)
    task = _task(model, label_sets, base if model.start == "base" else None)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = _make(model, task, recipe, base)
    if task.unseen:
        made.notes.append(f"No study shows {_listed(task.unseen)}: the model learns to find it ever less likely.")
    trainable = _trainable(made, recipe)
    made.net.requires_grad_(True)
    freeze(made.net.encoder, trainable=trainable)
    made.net.train()
    return Start(
        net=made.net,
        options=made.options,
        classes=task.classes,
        head=task.head,
        negative_class=task.negative,
        preprocessing=made.preprocessing,
        trainable=trainable,
        weights_sha256=made.weights_sha256,
        notes=(*made.notes, *licence_note(base)),
    )


def _make(model: ModelConfig, task: _Task, recipe: Recipe, base: Bundle | None) -> _Made:
    if model.start == "imagenet":
        return _from_imagenet(model, task)
    if model.start == "scratch":
        return _from_scratch(model, task, recipe)
    assert base is not None  # the caller looked
    return _from_base(task, base) if model.start == "base" else _from_domain(model, task, base)


def _from_base(task: _Task, base: Bundle) -> _Made:
    m, built = base.metadata, base.build()
    assert isinstance(built, StudyClassifier)
    if (task.classes, task.head) == (m.classes, built.head):
        notes = [f"All weights start from {base.key}, its last layer included."]
        return _Made(built, {**m.net, "head": built.head}, m.preprocessing, m.weights_sha256, notes)
    options = {**m.net, "head": task.head}
    net = _built(task, options)
    kept = {name: t for name, t in built.state_dict().items() if not name.startswith(_LAST_LAYER)}
    net.load_state_dict({**net.state_dict(), **kept})
    notes = [
        f"The last layer is new and starts from random weights, for the classes {_listed(task.classes)}: {base.key} "
        f"tells {_listed(m.classes)} apart. All other weights start from {base.key}."
    ]
    return _Made(net, options, m.preprocessing, m.weights_sha256, notes)


def _from_domain(model: ModelConfig, task: _Task, base: Bundle) -> _Made:
    m, built = base.metadata, base.build()
    assert isinstance(built, StudyClassifier)
    encoder = {name: m.net[name] for name in ("encoder", "encoder_options") if name in m.net}
    options = {**encoder, **_head_options(model, task)}
    net = _built(task, options)
    net.encoder.load_state_dict(built.encoder.state_dict())
    notes = [
        f"The slice encoder starts from {base.key}, with its window and size; {_aggregator(model)} and the last layer "
        "are new and start from random weights."
    ]
    return _Made(net, options, m.preprocessing, m.weights_sha256, notes)


def _from_imagenet(model: ModelConfig, task: _Task) -> _Made:
    options = {**_encoder_options(model, "batch"), **_head_options(model, task)}
    net = _built(task, options)
    loaded = load_imagenet(net.encoder, Path(model.weights) if model.weights else None)
    notes = [
        f"The slice encoder starts from ImageNet's weights ({loaded.file.name}); {_aggregator(model)} and the last "
        "layer are new and start from random weights."
    ]
    return _Made(net, options, _preprocessing(model, net), loaded.sha256, notes)


def _from_scratch(model: ModelConfig, task: _Task, recipe: Recipe) -> _Made:
    if recipe.trainable != "all":
        raise InputError(
            f'The recipe "{recipe.title}" keeps the slice encoder, or most of it, as it is, and from scratch there is '
            "nothing worth keeping: choose the recipe that trains everything, or another start."
        )
    options = {**_encoder_options(model, "group"), **_head_options(model, task)}
    net = _built(task, options)
    return _Made(net, options, _preprocessing(model, net), "", ["All weights start from random values."])


def _trainable(made: _Made, recipe: Recipe) -> str:
    """Under max pooling the paper trains nothing of the encoder (section 4.3)."""
    if recipe.trainable == "last_two" and made.options.get("aggregator") == "max_pool":
        made.notes.append("Under max pooling nothing of the slice encoder learns, as in the paper.")
        return "none"
    return recipe.trainable


def _required(base: Bundle | None, start: str) -> Bundle:
    if base is None:
        raise InputError(f'The start "{start}" needs an installed study classifier, and none is active or named.')
    if base.metadata.task != CLASSIFIER:
        raise InputError(f"{base.key} is no study classifier, so a run cannot start from it.")
    return base


def _task(model: ModelConfig, label_sets: Sequence[Sequence[str]], base: Bundle | None) -> _Task:
    """Classes, head and negative class from what is wanted, what the labels have, and the base."""
    found = {name for classes in label_sets for name in classes}
    several = any(len(set(classes)) > 1 for classes in label_sets)
    if len({frozenset(classes) for classes in label_sets}) < 2:
        what = f"All studies are of one class ({_listed(sorted(found))})" if found else "No study has a class"
        raise InputError(f"{what}, so there is nothing to tell apart.")
    classes = model.classes or _classes(found, model, base)
    unknown = sorted(found - set(classes))
    if unknown:
        raise InputError(f"The labels name {_listed(unknown)}, which the run's classes ({_listed(classes)}) lack.")
    if len(set(classes)) != len(classes):
        raise InputError(f"A class is named twice among the run's classes ({_listed(classes)}).")
    head = model.head or _head(classes, several, base)
    negative = model.negative_class or (base.metadata.negative_class if base is not None else "")
    if negative not in classes:
        if model.negative_class:
            raise InputError(f'The class without finding, "{negative}", is none of {_listed(classes)}.')
        negative = ""
    _require_head(head, classes, several)
    return _Task(tuple(classes), head, negative, tuple(name for name in classes if name not in found))


def _classes(found: set[str], model: ModelConfig, base: Bundle | None) -> tuple[str, ...]:
    """The base's where the labels have no others; else sorted, the class without finding first."""
    if base is not None and found <= set(base.metadata.classes):
        return base.metadata.classes
    first = model.negative_class or (base.metadata.negative_class if base is not None else "")
    return tuple(sorted(found, key=lambda name: (name != first, name)))


def _head(classes: Sequence[str], several: bool, base: Bundle | None) -> str:
    if base is not None and tuple(classes) == base.metadata.classes:
        head = str(base.metadata.net.get("head", "multi_class"))
        if head == "multi_label" or not several:
            return head
    if several:
        return "multi_label"
    return "binary" if len(classes) == 2 else "multi_class"


def _require_head(head: str, classes: Sequence[str], several: bool) -> None:
    if head not in HEADS:
        raise InputError(f"A head is one of {', '.join(HEADS)}, not {head!r}.")
    if head != "multi_label" and several:
        raise InputError(f"Some studies have several classes, and a {head} head gives each study one: use multi_label.")
    if head == "binary" and len(classes) != 2:
        raise InputError(f"A binary head tells two classes apart, and there are {len(classes)} ({_listed(classes)}).")


def _encoder_options(model: ModelConfig, norm: str) -> dict[str, Any]:
    given = model.encoder_options.get("norm", norm)
    if given != norm:
        raise InputError(f'The start "{model.start}" needs an encoder of norm {norm}, not {given}.')
    return {"encoder": model.encoder, "encoder_options": {**model.encoder_options, "norm": norm}}


def _head_options(model: ModelConfig, task: _Task) -> dict[str, Any]:
    return {
        "aggregator": model.aggregator,
        "aggregator_options": dict(model.aggregator_options),
        "head": task.head,
    }


def _built(task: _Task, options: Mapping[str, Any]) -> StudyClassifier:
    try:
        return StudyClassifier(len(task.classes), **options)
    except ValueError as error:
        raise InputError(f"The net of the run cannot be built: {error}.") from error


def _preprocessing(model: ModelConfig, net: StudyClassifier) -> Preprocessing:
    (centre, width), traits = model.window, net.encoder.traits
    if width <= 0 or not 0 < model.crop <= model.size:
        raise InputError(f"A window of {width} HU, or a crop of {model.crop} of {model.size} pixels, cannot be.")
    return Preprocessing(centre, width, model.size, model.crop, traits.mean, traits.std)


def _aggregator(model: ModelConfig) -> str:
    return f"the aggregator ({model.aggregator})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
