"""What a one-shot run starts from. Nothing starts from chance unless it was asked to, and what is new is told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT, Metadata, Preprocessing
from ctviewer.nets.one_shot import OneShot, load_backbone, reference_options
from ctviewer.training.config import STARTS, ModelConfig
from ctviewer.training.engine.one_shot.backbones import backbone_of
from ctviewer.training.recipes import TRAINABLE, Recipe
from ctviewer.training.slices.task import SliceTask
from ctviewer.training.version_texts import licence_note

_OF_LESIONS = ("box_predictor.", "mask_predictor.mask_fcn_logits.")  # layers with a row for each class
_OF_IMAGES = ("attention_layer.positive_classes.logits.", "attention_layer.negative_classes.logits.")
_LAST_TWO = ("layer3", "layer4")
_REFERENCE = "reference"  # of `model.net`: all that the paper's reference code does


@dataclass(frozen=True, eq=False)
class OneShotStart:
    """A net that is ready to learn.

    Attributes:
        net: on the CPU, in training mode, frozen as the recipe says.
        options: its constructor arguments besides the number of classes, for a bundle's metadata.
        task: its classes.
        preprocessing: of its input.
        weights_sha256: of the file that it starts from; "" for random weights.
        notes: sentences for the user and the card: what is kept, what is new.
    """

    net: OneShot
    options: Mapping[str, Any]
    task: SliceTask
    preprocessing: Preprocessing
    weights_sha256: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class _Made:
    """What one kind of start makes."""

    net: OneShot
    options: dict[str, Any]
    weights_sha256: str = ""
    notes: list[str] = field(default_factory=list)


def input_of(model: ModelConfig, recipe: Recipe, base: Bundle | None) -> Preprocessing:
    """How slices are prepared: known before any of them is read. What can be refused by then, is.

    Args:
        model: what is wanted.
        recipe: how it is trained.
        base: the bundle that "base" and "domain" start from.

    Raises:
        InputError: the start is none, or cannot be without something that is missing.
    """
    if model.start not in STARTS:
        raise InputError(f"A run starts from {', '.join(STARTS)}, not from {model.start!r}.")
    if model.start == "base":
        return _required(base, model.start, whole=True).metadata.preprocessing
    if model.start == "scratch" and recipe.trainable != "all":
        raise InputError(
            f'The recipe "{recipe.title}" keeps the backbone, or most of it, as it is, and from scratch there is nothing '
            "worth keeping: choose a recipe that trains everything, or another start."
        )
    (centre, width), size = model.window, model.size
    if width <= 0 or not 0 < model.crop == size:
        raise InputError(f"A window of {width} HU, or a crop of {model.crop} of {size} pixels, cannot be.")
    if model.start == "domain":
        found = _required(base, model.start, whole=False).metadata.preprocessing
        return Preprocessing(
            found.window_centre, found.window_width, size, size, found.mean, found.std,
            floor_hu=found.floor_hu, per_image=found.per_image,
        )  # fmt: skip
    return Preprocessing(centre, width, size, size, (0.0,), (1.0,), per_image=True)


def whole_base(model: ModelConfig, base: Bundle | None) -> Metadata | None:
    """What says the classes where nothing else does: the model that a run starts from with all its weights."""
    return base.metadata if base is not None and model.start == "base" else None


def start_one_shot(model: ModelConfig, recipe: Recipe, task: SliceTask, base: Bundle | None, seed: int) -> OneShotStart:
    """Build the net of a run. What is drawn at random is drawn from the seed; torch's generators stay where they were.

    Args:
        model: what is wanted.
        recipe: says what of the backbone learns.
        task: the classes.
        base: the bundle that "base" and "domain" start from.
        seed: of new layers.

    Raises:
        InputError: the start and the options do not fit together; a file of weights is missing or not this backbone's.
        BundleError: the base is damaged.
    """
    preprocessing = input_of(model, recipe, base)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = _make(model, task, base)
    if not task.image_classes:
        made.notes.append("No set has slices with a class: the model outlines lesions, and tells no class of a slice.")
    if task.unseen:
        made.notes.append(
            f"No slice shows {', '.join(task.unseen)}: the model learns nothing new of it, and may find it less often."
        )
    _freeze(made.net, recipe.trainable)
    made.net.train()
    return OneShotStart(
        made.net, made.options, task, preprocessing, made.weights_sha256, (*made.notes, *licence_note(base))
    )


def _make(model: ModelConfig, task: SliceTask, base: Bundle | None) -> _Made:
    if model.start == "base":
        return _from_base(model, task, _required(base, model.start, whole=True))
    if model.start == "domain":
        return _from_domain(model, task, _required(base, model.start, whole=False))
    if model.start == "scratch":
        options = _options(model, task, {"norm": "group"})
        if options["norm"] == "batch":
            raise InputError("From scratch a backbone cannot have frozen BatchNorm (norm batch): choose norm group.")
        return _Made(_built(task, options), options, "", ["All weights start from random values."])
    options = _options(model, task, {"norm": "batch"})
    net = _built(task, options)
    loaded = load_backbone(net, Path(model.weights) if model.weights else None)
    notes = [
        f"The backbone starts from ImageNet's weights ({loaded.file.name}); its feature pyramid and all heads are new and "
        "start from random weights."
    ]
    return _Made(net, options, loaded.sha256, notes)


def _from_base(model: ModelConfig, task: SliceTask, base: Bundle) -> _Made:
    built, m = base.build(), base.metadata
    assert isinstance(built, OneShot)
    stored: dict[str, Any] = {**m.net, **_given(model), **_counted(task)}
    net = _built(task, stored)
    new = _take_over(net, _by_class(built.state_dict(), net.state_dict(), m, task))
    if net.copied is not None and any(name.startswith("copied.") for name in new):
        net.copy_branch()
    notes = [f"All weights that fit start from {base.key}."] if new else [f"All weights start from {base.key}."]
    if unknown := [name for name in task.classes if name not in m.classes]:
        outlined = ", ".join(m.classes[1:])
        notes.append(f"The last layers are new for {', '.join(unknown)}: {base.key} outlines {outlined}.")
    if unknown := [name for name in task.image_classes if name not in m.image_classes]:
        told = f"tells {', '.join(m.image_classes)} apart" if m.image_classes else "tells no classes of slices"
        notes.append(f"The last layers are new for slices of {', '.join(unknown)}: {base.key} {told}.")
    if others := sorted({_part(name) for name in new if _rows(name) is None and not name.startswith("copied.")}):
        notes.append(f"New as well, and started from random weights: {', '.join(others)}.")
    return _Made(net, stored, m.weights_sha256, notes)


def _from_domain(model: ModelConfig, task: SliceTask, base: Bundle) -> _Made:
    found = backbone_of(base)
    options = _options(model, task, found.options)
    net = _built(task, options)
    expected = {name for name in net.backbone.state_dict() if found.pyramid or name.startswith("body.")}
    new = _take_over(net, {f"backbone.{name}": tensor for name, tensor in found.state.items()})
    missing = sorted(name for name in expected if f"backbone.{name}" in new)
    if missing:
        raise InputError(f"The backbone of {base.key} does not fit the options of the net ({missing[0]} differs).")
    what = "backbone and feature pyramid start" if found.pyramid else "backbone starts"
    notes = [f"The {what} from {base.key}, with its window; all else is new and starts from random weights."]
    return _Made(net, options, base.metadata.weights_sha256, notes)


def _take_over(net: OneShot, state: Mapping[str, Tensor]) -> list[str]:
    """Give a net all weights of its names and shapes; the names of its others."""
    own = net.state_dict()
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    net.load_state_dict({**own, **fitting})
    return [name for name in own if name not in fitting]


def _by_class(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], base: Metadata, task: SliceTask
) -> dict[str, Tensor]:
    """Weights of a base with the rows of its last layers by the names of classes; rows of other classes are the net's own.

    Args:
        state: of the base's net.
        own: of the net that is to learn.
        base: says its classes.
        task: the classes that are to be learned.
    """
    classes = {"lesions": (base.classes, task.classes), "images": (base.image_classes, task.image_classes)}
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        kind = _rows(name)
        if kind is None:
            out[name] = tensor
        elif name in own and own[name].shape[1:] == tensor.shape[1:]:
            was, now = classes[kind]
            out[name] = own[name].clone()
            each = len(tensor) // len(was)  # four of a box, one of a score
            for place, label in enumerate(now):
                if label in was:
                    at = was.index(label)
                    out[name][place * each : (place + 1) * each] = tensor[at * each : (at + 1) * each]
    return out


def _rows(name: str) -> str | None:
    """Of what classes a layer has rows: of "lesions" or of "images"; None for other layers."""
    if name.startswith(("segmentation.", "copied.")) and name.partition(".")[2].startswith(_OF_LESIONS):
        return "lesions"
    return "images" if name.startswith(_OF_IMAGES) else None


def _part(name: str) -> str:
    words = {
        "attention_layer": "the attention layer",
        "rpn": "the proposals",
        "segmentation": "the segmentation branch",
    }
    return words.get(name.partition(".")[0], "the backbone")


def _options(model: ModelConfig, task: SliceTask, usual: Mapping[str, Any]) -> dict[str, Any]:
    """Of a new net: what was asked for, on what the start needs."""
    return {"backbone": model.encoder, **usual, **_given(model), "size": model.size, **_counted(task)}


def _given(model: ModelConfig) -> dict[str, Any]:
    given = dict(model.net)
    if given.pop(_REFERENCE, False):
        given = {**reference_options(), **given}
    for name in ("image_classes", "negative", "size"):
        if name in given:
            raise InputError(f"model.net says {name}, which follows from the classes and model.size.")
    return given


def _counted(task: SliceTask) -> dict[str, int]:
    """Options that follow from the classes."""
    negative = task.image_classes.index(task.negative_class) if task.negative_class else -1
    return {"image_classes": len(task.image_classes), "negative": negative}


def _built(task: SliceTask, options: Mapping[str, Any]) -> OneShot:
    try:
        return OneShot(len(task.classes), **options)
    except (ValueError, TypeError) as error:
        raise InputError(f"The net of the run cannot be built: {error}.") from error


def _freeze(net: OneShot, trainable: str) -> None:
    """What of the trunk learns; its copied branch never does, nor what the net's options keep as it is."""
    if trainable not in TRAINABLE:
        raise InputError(f"What is trainable must be one of {', '.join(TRAINABLE)}, not {trainable!r}.")
    if trainable == "all":
        return
    for name, parameter in net.backbone.body.named_parameters():
        parameter.requires_grad_(trainable == "last_two" and name.startswith(_LAST_TWO))


def _required(base: Bundle | None, start: str, *, whole: bool) -> Bundle:
    if base is None:
        raise InputError(f'The start "{start}" needs an installed model, and none is active or named.')
    if whole and base.metadata.task != ONE_SHOT:
        raise InputError(f"{base.key} is no one-shot model, so a run cannot start from it.")
    return base
