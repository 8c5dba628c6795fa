"""Optimizers, and the learning rate as a pure function of the step: resuming needs nothing but the step's number."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Adam, AdamW, Optimizer

from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.recipes import Recipe


def make_optimizer(net: StudyClassifier, recipe: Recipe) -> Optimizer:
    """An optimizer over what of the net is trainable; the encoder's rate is the aggregator's times `recipe.encoder_rate`."""
    return optimizer_of(((net.aggregator, 1.0), (net.encoder, recipe.encoder_rate)), recipe)


def optimizer_of(parts: Iterable[tuple[nn.Module, float]], recipe: Recipe) -> Optimizer:
    """An optimizer over what of some modules is trainable.

    AdamW's decay holds matrices and kernels small and leaves biases and norms alone. Adam's is a penalty on all weights, as
    the paper's recipe has it (Ter-Sarkisov).

    Args:
        parts: modules, and the factor of the recipe's rate that each learns at.
        recipe: its optimizer, rate and decay.
    """
    groups, of_vectors = [], recipe.decay if recipe.optimizer == "adam" else 0.0
    for part, factor in parts:
        trained = [p for p in part.parameters() if p.requires_grad]
        for decay, those in (
            (recipe.decay, [p for p in trained if p.ndim > 1]),
            (of_vectors, [p for p in trained if p.ndim <= 1]),
        ):
            if those:
                groups.append({"params": those, "weight_decay": decay, "lr": recipe.rate * factor, "factor": factor})
    kinds: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW}
    return kinds[recipe.optimizer](groups)  # type: ignore[call-arg]  # every optimizer takes its groups first


def trained_parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    """All that an optimizer changes."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """The aggregator's rate for a step.

    Args:
        step: from 0.
        steps: in all, as the schedule counts them.
        recipe: its rate, warm-up and schedule.
    """
    warm = round(recipe.warm_up * steps)
    if step < warm:
        return recipe.rate * (step + 1) / warm
    if recipe.schedule == "constant":
        return recipe.rate
    return recipe.rate * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group its part of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def make_scaler(precision: str, device: torch.device) -> GradScaler:
    """Scales the loss where gradients are float16, whose smallest numbers would else be lost; passes it on elsewhere."""
    scaler = GradScaler(device.type, enabled=precision == "float16")
    scaler.scale(torch.zeros((), device=device))  # it makes its state when first used, which here it never is directly
    return scaler
