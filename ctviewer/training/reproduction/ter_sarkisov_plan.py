"""Which models the comparison trains: the one-shot model, its parts, the paper's slice classifiers, and ablations.

Needs no torch: the command line names them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.training.recipes import RECIPES, Recipe
from ctviewer.training.reproduction.ter_sarkisov_published import ONE_SHOT_TITLE

BACKBONES = ("resnext101", "resnext50", "resnet50", "resnet18")
LEVELS = ("pyramid", "single")
STARTS = ("imagenet", "scratch")
TRANSFER_RECIPE = "one-shot-transfer"


class Kind(Enum):
    """What a model of the comparison is."""

    ONE_SHOT = "one-shot model"
    SEGMENTATION = "segmentation alone"
    BASELINE = "slice classifier"
    ABLATION = "ablation"
    TRANSFER = "transferred model"


@dataclass(frozen=True, eq=False)
class Arm:
    """One model of the comparison, known by its name.

    Attributes:
        name: on the command line and in file names.
        title: for people.
        kind: what it is.
        published: the row of the paper's tables that it stands beside; "" for none.
        net: options of the one-shot net that differ from the model's; of a slice classifier `{"encoder": name}`.
        recipe: settings of the recipe that differ.
        about: a sentence, for who reads the table.
    """

    name: str
    title: str
    kind: Kind
    published: str = ""
    net: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


def _baseline(title: str, encoder: str) -> Arm:
    return Arm(title.lower(), title, Kind.BASELINE, title, {"encoder": encoder})


def _ablation(name: str, title: str, net: Mapping[str, Any], about: str, **recipe: Any) -> Arm:
    return Arm(name, title, Kind.ABLATION, "", net, recipe, about)


MAIN = Arm("one-shot", "One-shot model", Kind.ONE_SHOT, ONE_SHOT_TITLE)
ARMS = (
    MAIN,
    Arm("mask-rcnn", "Mask R-CNN", Kind.SEGMENTATION, "Mask R-CNN", about="The segmentation branch alone."),
    Arm(
        "heads-only", "Mask R-CNN, heads only", Kind.SEGMENTATION, "Mask R-CNN (heads only)", {}, {"trainable": "none"},
        "The same with a backbone that does not learn.",
    ),
    _baseline("ResNet18", "resnet18"),
    _baseline("ResNet34", "resnet34"),
    _baseline("ResNet50", "resnet50"),
    _baseline("ResNeXt50", "resnext50_32x4d"),
    _baseline("ResNeXt101", "resnext101_32x8d"),
    _baseline("DenseNet121", "densenet121"),
    _baseline("DenseNet169", "densenet169"),
    _ablation("no-attention", "Attention off", {"attention": False}, "The last LSTM state goes to the classifiers."),
    _ablation("sieve-2", "Sieve, N = 2", {"sieve": 2}, "Two stages of the sieve with weights of their own, instead of one."),
    _ablation("sieve-3", "Sieve, N = 3", {"sieve": 3}, "Three stages."),
    _ablation("sieve-paper", "Sieve as printed", {"sieve_order": "paper"}, "The norm before the transposed convolution, ReLU after it."),
    _ablation("order-score", "RoIs by score", {"order": "score"}, "The sequence goes by falling score, not by distance."),
    _ablation(
        "norms-reference", "Batch statistics of the RoIs", {"norms": "reference"},
        "The attention layer normalises over the RoIs of one slice, when judging too, as the reference code does.",
    ),
    _ablation(
        "norms-running", "Running statistics of the RoIs", {"norms": "running"},
        "The attention layer has BatchNorm as usual, with running statistics when judging.",
    ),
    _ablation("frozen-reduce", "3x3 convolution frozen", {"reduce": "frozen"}, "The convolution after the mask head stays random."),
    _ablation("copied", "Copied branch", {"branches": "copied"}, "The classification branch has weights of its own, copied."),
    _ablation("tied", "Tied branch", {"branches": "tied"}, "One branch serves both, detached for the classes."),
    _ablation("single-level", "One level", {"levels": "single"}, "Proposals and regions from the map of stride 32 alone."),
    _ablation("reference", "All as the reference code", {"reference": True}, "Every choice of the reference code at once."),
    _ablation("summed", "Summed losses", {}, "One step on both losses, as equation 8 is printed.", losses="sum"),
)  # fmt: skip
TRANSFERRED = Arm("transferred", "One-shot model, transferred", Kind.TRANSFER, ONE_SHOT_TITLE)
"""From the one-shot model of the same seed to other sets with a class per slice; trained where there are such sets."""
NAMES = tuple(arm.name for arm in ARMS)
"""All models that can be asked for."""


@dataclass(frozen=True)
class TerSarkisovSettings:
    """What is compared, and how it is trained.

    Attributes:
        models: names of arms; empty: all.
        seeds: how many runs of each model.
        recipe: name of a one-shot recipe; the paper's is "one-shot-paper".
        epochs, batch, rate: instead of the recipe's; 0: the recipe's.
        start: one of `STARTS`; "imagenet" as in the paper.
        net: options of the one-shot net by name; `{"reference": True}` is all that the paper's reference code does.
        size: of the input, in pixels.
        precision: "float32", "bfloat16" or "auto".
        device: "auto", "cpu" or "cuda".
        about: what the data are, for the top of the page.
    """

    models: tuple[str, ...] = ()
    seeds: int = 1
    recipe: str = "one-shot-paper"
    epochs: int = 0
    batch: int = 0
    rate: float = 0.0
    start: str = "imagenet"
    net: Mapping[str, int | float | bool | str] = field(default_factory=lambda: {"backbone": "resnext101"})
    size: int = 512
    precision: str = "float32"
    device: str = "auto"
    about: str = ""


def recipe_of(settings: TerSarkisovSettings, arm: Arm) -> Recipe:
    """How an arm is trained."""
    name = TRANSFER_RECIPE if arm.kind is Kind.TRANSFER else settings.recipe
    changes = {"precision": settings.precision, **arm.recipe}
    changes |= {key: value for key in ("epochs", "batch", "rate") if (value := getattr(settings, key))}
    return dataclasses.replace(RECIPES[name], **changes)


def arms(settings: TerSarkisovSettings, *, lesions: bool, images: bool, usual: Mapping[str, Any]) -> tuple[Arm, ...]:
    """The models that are trained, in the order of the tables.

    Args:
        settings: which are asked for.
        lesions: whether there are slices with outlined lesions.
        images: whether there are slices with an image class.
        usual: all options of the net without any change: an ablation that changes nothing is the model itself.

    Raises:
        InputError: a name that there is not, or nothing to train with these data.
    """
    if unknown := [name for name in settings.models if name not in NAMES]:
        raise InputError(f"There is no model {unknown[0]!r}; there are {', '.join(NAMES)}.")
    wanted = [arm for arm in ARMS if not settings.models or arm.name in settings.models]
    found = tuple(
        arm for arm in wanted if _possible(arm, settings, lesions, images) and not _same(arm, settings, usual)
    )
    if not found:
        raise InputError("With these data and settings none of the models that are asked for can be trained.")
    return found


def _possible(arm: Arm, settings: TerSarkisovSettings, lesions: bool, images: bool) -> bool:
    """Whether there are data for it; a backbone of random weights is not kept as it is."""
    if settings.start == "scratch" and arm.recipe.get("trainable", "all") != "all":
        return False
    needs = {Kind.SEGMENTATION: lesions, Kind.BASELINE: images}
    return needs.get(arm.kind, lesions and images)


def _same(arm: Arm, settings: TerSarkisovSettings, usual: Mapping[str, Any]) -> bool:
    """Whether an ablation changes nothing: its option has that value anyway."""
    if arm.kind is not Kind.ABLATION:
        return False
    recipe = RECIPES[settings.recipe]
    return all(usual.get(name) == value for name, value in arm.net.items()) and all(
        getattr(recipe, name) == value for name, value in arm.recipe.items()
    )
