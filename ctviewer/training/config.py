"""Configuration of a training run: frozen, checked, and the same in the window, on the command line and in a checkpoint.

Needs no torch: the window builds one, the training process reads it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ctviewer.models.metadata import CLASSIFIER
from ctviewer.training.recipes import RECIPES, Recipe

SCHEMA = 1
STARTS = ("base", "imagenet", "domain", "scratch")
SPLITTING = ("stratified", "time")
CROSS_VALIDATION = ("auto", "always", "never")
FORMATS = ("studies", "cncb", "covidx", "prefixed", "ictcf", "lidc", "covid19_ct_seg")
"""Where labelled slices come from; `datasets.slices` reads each."""
COMPLETE = ("", "yes", "no")
BACKBONES = ("resnet18", "resnet50", "resnext50", "resnext101")
"""Of one-shot models (`nets.one_shot`, told here without torch)."""
LEVELS = ("pyramid", "single")
"""Of their feature maps."""
ONE_SHOT_SIZE = 512
"""Side in pixels of a one-shot model's input where a configuration says none; nothing is cropped from it."""


@dataclass(frozen=True)
class SliceSet:
    """A set of labelled slices, for a one-shot model.

    Attributes:
        format: one of `FORMATS`.
        folder: of the images or studies.
        table: file that lists them, where the format has one ("labels.csv" of the folder by default).
        split: part that all its scans are in ("train", "val", "test", "external:NAME"); "" where the set says it, or not.
        complete: "yes": all lesions of its slices are marked; "no": what is unmarked is unknown; "": as the format says.
        values: what the values of its pictures mean, where the files do not say it (`datasets.stating`).
        own_patients: whether its patients are other people than those of equal name in other sets.
    """

    format: str
    folder: str
    table: str = ""
    split: str = ""
    complete: str = ""
    values: str = ""
    own_patients: bool = False


@dataclass(frozen=True)
class DataConfig:
    """Which studies, and how they are shared out.

    Attributes:
        folder: of the studies; "" where the table gives absolute paths.
        labels: the table; "" for `labels.csv` of the folder.
        values, spacing, order: what holds for all studies whose files do not say it (`datasets.stating`).
        splitting: how studies whose row names no split are shared out: "stratified" at random, or by "time".
        shares: of the patients, for train, validation and test.
        cross_validation: "auto" (under 50 patients), "always" or "never".
        folds, repeats: of the cross-validation.
        prevalence: class to share that the probabilities are to refer to; empty: the classes' shares among the patients.
    """

    folder: str
    labels: str = ""
    values: str = ""
    spacing: str = ""
    order: str = ""
    splitting: str = "stratified"
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
    cross_validation: str = "auto"
    folds: int = 5
    repeats: int = 2
    prevalence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelConfig:
    """What is trained and what it starts from.

    Attributes:
        name: of the bundle to be made (lower case, digits, hyphens); "" takes the base's.
        title: for the window; "" takes the base's.
        start: "base" (an installed study classifier), "imagenet" (torchvision's weights from a file of this computer),
            "domain" (the encoder of an installed bundle, a new head) or "scratch".
        base: "name version" of the bundle for "base" and "domain"; "" for the active one, or for "domain" the study
            classifier that is the default, whose encoder was trained to be started from.
        weights: file of ImageNet weights; "" for torchvision's cache.
        encoder, encoder_options: for "imagenet" and "scratch".
        aggregator, aggregator_options: for a new head.
        head: "binary", "multi_class" or "multi_label"; "" follows the labels (two classes: binary).
        classes: order of the net's outputs; empty: the base's where the labels have no others, else sorted. Of a one-shot
            model the lesion classes, background first.
        image_classes: of a one-shot model; empty: the base's, or what the labels have, sorted, the negative one first.
        merge: of a one-shot model: what classes of its sets are learned as, by their name there; "" for a lesion class that
            counts as background, and for an image class whose slices are not learned from.
        net: further options of a one-shot net (`nets.one_shot`), by name.
        negative_class: the class that means "no finding"; "" for the base's or none.
        window: centre and width in HU.
        size, crop: pixels; for a base the bundle's own.
    """

    name: str = ""
    title: str = ""
    start: str = "base"
    base: str = ""
    weights: str = ""
    encoder: str = "resnet50"
    encoder_options: Mapping[str, int | str] = field(default_factory=dict)
    aggregator: str = "lstm_attention"
    aggregator_options: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    head: str = ""
    classes: tuple[str, ...] = ()
    image_classes: tuple[str, ...] = ()
    merge: Mapping[str, str] = field(default_factory=dict)
    net: Mapping[str, int | float | bool | str | tuple[int | float, ...]] = field(default_factory=dict)
    negative_class: str = ""
    window: tuple[float, float] = (-600.0, 1500.0)
    size: int = 256
    crop: int = 224


@dataclass(frozen=True)
class RunConfig:
    """All that decides a run besides pixels and labels.

    Attributes:
        task: one of `models.metadata.TASKS`: what is trained.
        data, model: see there. A one-shot run has no `data.folder`.
        lesions, images: sets of a one-shot run: slices with outlined lesions, and slices with an image class.
        recipe: how it is trained.
        seed: of all draws.
        device: "auto", "cpu" or "cuda".
        chunk: slices that pass the encoder at once.
        checkpoint_minutes: time between two checkpoints; 0 saves after every step.
    """

    data: DataConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    recipe: Recipe = RECIPES["tuned"]
    seed: int = 0
    device: str = "auto"
    chunk: int = 16
    checkpoint_minutes: float = 5.0
    task: str = CLASSIFIER
    lesions: tuple[SliceSet, ...] = ()
    images: tuple[SliceSet, ...] = ()

    def digest(self) -> str:
        """SHA-256 (hex) of all that changes the result: what a checkpoint is resumed under, or refused."""
        told = dataclasses.asdict(self)
        for name in ("checkpoint_minutes", "device", "chunk"):  # where and how often, not what
            del told[name]
        for name in ("folder", "labels"):  # data may move; what they hold is compared by its own hashes
            del told["data"][name]
        for one in (*told["lesions"], *told["images"]):
            del one["folder"], one["table"]
        for name in ("title", "explanation"):  # words
            del told["recipe"][name]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
