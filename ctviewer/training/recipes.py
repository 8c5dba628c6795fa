"""Recipes: how a net is trained, by name, each with an explanation for the person who chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT

TRAINABLE = ("none", "last_two", "all")
OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine")
SAMPLINGS = ("inverse_frequency", "even")
AUGMENTATIONS = ("none", "paper", "tuned")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
KEEPS = ("best", "last")
LOSSES = ("alternate", "sum")
COPIES = ("best", "previous_step")


@dataclass(frozen=True)
class Recipe:
    """How a net is trained.

    Attributes:
        name, title: "tuned", and for the window.
        explanation: plain sentences for the person who chooses.
        trainable: what of the encoder learns: "none" (its features are cached), "last_two" modules or "all".
        optimizer: "adam" or "adamw".
        rate: peak learning rate of the aggregator.
        encoder_rate: the encoder's, as a factor of it.
        decay: weight decay.
        warm_up: share of all steps over which the rate rises.
        schedule: after it: "constant", or "cosine" to zero.
        epochs, batch: passes over the training sequences, and studies a step.
        sampling: "inverse_frequency" (with replacement, all classes equally often) or "even" (each sequence once).
        augmentation: "none", "paper" (rotation and crop) or "tuned" (also zoom, contrast, noise).
        draws: of the augmentation per study (K): a draw is a function of seed, study and epoch modulo K.
        long_study, every: training studies from so many slices are split by every so-manyth slice; 0: never.
        precision: of the encoder: "auto" (bfloat16 where measured faster), "float32", "bfloat16" or "float16".
        clip: largest norm of the gradient; 0: not clipped.
        patience: epochs without a better validation loss after which training stops; 0: never.
        keep: weights of the "best" validation epoch, or of the "last".
        supervision: weight of the attention loss where slice labels are known; 0: none.
        calibrate: fit temperature and bias on the validation studies at the stated prevalence.
        task: what it trains, one of `models.metadata.TASKS`. What follows is of one-shot models alone.
        losses: "alternate": a step on lesion-labelled slices, then one on image-labelled ones; "sum": both in one step.
        copy: when the copied branch takes the weights of the segmentation branch: "best" smoothed segmentation loss so far,
            or each "previous_step". Of no meaning where the net's branches are tied.
        smoothing: of that loss, 0..1: the share of what it was before.
        per_class: image-labelled slices taken of each class, drawn once by the seed; 0: all.
    """

    name: str
    title: str
    explanation: str
    trainable: str = "none"
    optimizer: str = "adamw"
    rate: float = 1e-3
    encoder_rate: float = 0.1
    decay: float = 0.01
    warm_up: float = 0.05
    schedule: str = "cosine"
    epochs: int = 30
    batch: int = 8
    sampling: str = "inverse_frequency"
    augmentation: str = "tuned"
    draws: int = 8
    long_study: int = 200
    every: int = 4
    precision: str = "auto"
    clip: float = 5.0
    patience: int = 6
    keep: str = "best"
    supervision: float = 0.0
    calibrate: bool = True
    task: str = CLASSIFIER
    losses: str = "alternate"
    copy: str = "best"
    smoothing: float = 0.9
    per_class: int = 0


_PAPER = Recipe(
    "paper",
    "As in the paper (Ye)",
    "Adam at a constant rate of 0.001 for 12 epochs, 8 studies a step, classes drawn equally often, rotation by up to 10 "
    "degrees and a random crop: one draw per study and epoch, so that a study taken twice in an epoch looks the same both "
    "times; after 12 epochs the draws come again. The last two modules of the encoder learn too. Nothing is calibrated: "
    "probabilities refer to classes that are equally frequent.",
    trainable="last_two",
    optimizer="adam",
    encoder_rate=1.0,
    decay=0.0,
    warm_up=0.0,
    schedule="constant",
    epochs=12,
    augmentation="paper",
    draws=12,
    precision="float32",
    clip=0.0,
    patience=0,
    keep="last",
    calibrate=False,
)
_TUNED = Recipe(
    "tuned",
    "Tuned: head only (recommended)",
    "The slice encoder stays as it is; attention and classifier learn on its features, which are computed once and kept. "
    "Fast, and safe with few patients. The rate rises, then falls; training stops when validation gets no better; "
    "probabilities are calibrated at the prevalence that you state.",
)
_DEEP = Recipe(
    "tuned-deep",
    "Tuned: head and last two modules",
    "Attention and classifier learn, and the last two modules of the encoder at a tenth of their rate; stopped and "
    "calibrated as where the head learns alone. Slower; worth trying from about a hundred patients per class.",
    trainable="last_two",
    rate=3e-4,
    epochs=20,
)
_SCRATCH = Recipe(
    "scratch",
    "From scratch",
    "Everything learns from random weights. For methods work with many studies; not for fine-tuning.",
    trainable="all",
    rate=1e-3,
    encoder_rate=1.0,
    epochs=60,
    patience=12,
)

_ONE_SHOT_PAPER = Recipe(
    "one-shot-paper",
    "One-shot: as in the paper (Ter-Sarkisov)",
    "Adam at a constant rate of 0.00001 with weight decay 0.001 for 50 epochs, one slice a step: a step on a slice with "
    "outlined lesions, then one on a slice with an image class. Everything learns, from ImageNet weights. From random "
    "weights this rate does not move.",
    trainable="all",
    optimizer="adam",
    rate=1e-5,
    encoder_rate=1.0,
    decay=1e-3,
    warm_up=0.0,
    schedule="constant",
    epochs=50,
    batch=1,
    sampling="even",
    augmentation="none",
    draws=1,
    precision="float32",
    clip=0.0,
    patience=0,
    keep="last",
    calibrate=False,
    task=ONE_SHOT,
)
_ONE_SHOT_TUNED = Recipe(
    "one-shot-tuned",
    "One-shot: tuned (recommended)",
    "AdamW with a rate that rises, then falls; the backbone at a tenth of it. Slices are turned, shifted and varied in "
    "contrast; classes of slices are drawn equally often; training stops when validation gets no better.",
    trainable="all",
    rate=3e-4,
    decay=0.01,
    epochs=30,
    batch=4,
    draws=1000,  # nothing is kept of a draw, so that none need come again
    calibrate=False,
    task=ONE_SHOT,
)
_ONE_SHOT_SCRATCH = Recipe(
    "one-shot-scratch",
    "One-shot: from scratch",
    "Everything learns from random weights, at one rate. For methods work, and where no weights are at hand.",
    trainable="all",
    rate=1e-3,
    encoder_rate=1.0,
    epochs=60,
    batch=4,
    draws=1000,
    patience=12,
    calibrate=False,
    task=ONE_SHOT,
)
_ONE_SHOT_TRANSFER = replace(
    _ONE_SHOT_PAPER,
    name="one-shot-transfer",
    title="One-shot: transfer to another set (Ter-Sarkisov, 4.4)",
    explanation="From a one-shot model to other or fewer image classes: 300 slices of each class are drawn, the settings are the "
    "paper's; the last layers are new for classes that it does not know.",
    per_class=300,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for recipe in (
    _TUNED, _DEEP, _PAPER, _SCRATCH, _ONE_SHOT_TUNED, _ONE_SHOT_PAPER, _ONE_SHOT_SCRATCH, _ONE_SHOT_TRANSFER,
)})  # fmt: skip
