"""Nets by task: what a model bundle names, built with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.study_classifier import StudyClassifier

NETS: dict[str, Callable[..., nn.Module]] = {"study_classifier": StudyClassifier, "one_shot": OneShot}


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
