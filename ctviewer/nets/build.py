"""Nets by task: what a model bundle names, built with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ctviewer.nets.detector import LesionDetector
from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.study_classifier import StudyClassifier


def _one_shot(classes: int, **options: Any) -> nn.Module:
    """The shipped detector's bundle names no backbone; its weights are converted next, and then this goes."""
    return OneShot(classes, **options) if "backbone" in options else LesionDetector(classes, **options)


NETS: dict[str, Callable[..., nn.Module]] = {"study_classifier": StudyClassifier, "one_shot": _one_shot}


def build_net(task: str, classes: int, options: Mapping[str, Any]) -> nn.Module:
    """Build the net of a task.

    Args:
        task: one of `NETS`.
        classes: number of classes (a one-shot model's background included).
        options: the other constructor arguments, as a bundle's metadata keeps them.

    Raises:
        ValueError: an unknown task, or arguments the net does not take.
    """
    if task not in NETS:
        raise ValueError(f"unknown task {task!r}; known: {', '.join(sorted(NETS))}")
    try:
        return NETS[task](classes, **options)
    except TypeError as error:
        raise ValueError(f"the net of task {task!r} does not take {dict(options)}") from error
