"""What a net says of studies that it does not learn from: the work shared among processes, the result known to all."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ctviewer.models.metrics import auc_roc
from ctviewer.models.probabilities import class_probabilities
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.passes import Passes
from ctviewer.training.engine.task import Task


@dataclass(frozen=True, eq=False)
class Judged:
    """Studies and what a net says of them.

    Attributes:
        studies: ids.
        logits: `[studies, classes]`.
        attention: by study, head to feet; empty where the aggregator has none.
        slices: of each study.
    """

    studies: tuple[str, ...]
    logits: NDArray[np.float64]
    attention: tuple[tuple[float, ...], ...]
    slices: tuple[int, ...]

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "logits": self.logits.tolist()}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Judged:
        """What `to_plain` made.

        Raises:
            ValueError, TypeError, KeyError: it made something else.
        """
        logits = np.array(told["logits"], np.float64).reshape(len(told["studies"]), -1)
        attention = tuple(tuple(row) for row in told["attention"])
        return cls(tuple(told["studies"]), logits, attention, tuple(told["slices"]))


def judge(
    passes: Passes, studies: Sequence[str], world: World, control: Control
) -> Generator[int, None, Judged | Wish]:
    """Judge whole studies, not augmented, with the net in eval mode.

    Yields:
        Slices that have just been encoded, by this process.

    Returns:
        The same in every process; or what the user wanted meanwhile, and then nothing is known.
    """
    mine = world.share(range(len(studies)))
    found: dict[int, tuple[list[float], list[float]]] = {}
    wish = Wish.GO_ON
    passes.net.eval()
    for position in mine:
        work = passes.judge(studies[position])
        while (wish := control()) is Wish.GO_ON:
            try:
                yield next(work)
            except StopIteration as end:
                out = end.value
                break
        if wish is not Wish.GO_ON:
            work.close()
            break
        attention = [] if out.attention is None else out.attention[0].tolist()
        found[position] = (out.logits[0].tolist(), attention)
    wish = world.agree(wish)
    if wish is not Wish.GO_ON:
        return wish
    return _gathered(passes, tuple(studies), found, world)


def _gathered(
    passes: Passes, studies: tuple[str, ...], found: dict[int, tuple[list[float], list[float]]], world: World
) -> Judged:
    """Each process knows some rows; the sum over processes of rows that are 0 elsewhere is all of them."""
    slices = [passes.store.length(study) for study in studies]
    logits = torch.zeros(len(studies), len(passes.task.classes), dtype=torch.float64)
    attention = torch.zeros(len(studies), max(slices, default=0) + 1, dtype=torch.float64)
    for position, (row, weights) in found.items():
        logits[position] = torch.tensor(row, dtype=torch.float64)
        attention[position, : len(weights)] = torch.tensor(weights, dtype=torch.float64)
        attention[position, -1] = float(bool(weights))
    logits, attention = world.add(logits), world.add(attention)
    rows = [tuple(row[:n]) if row[-1] else () for row, n in zip(attention.tolist(), slices, strict=True)]
    return Judged(studies, logits.numpy(), tuple(rows), tuple(slices))


def figures(task: Task, judged: Judged) -> dict[str, float]:
    """What can be watched while training goes on; the figures of the card are `evaluation`'s.

    Returns:
        "accuracy" of exclusive classes, "AUC-ROC" as the mean over the classes for which there is one.
    """
    if not judged.studies:
        return {}
    exclusive = task.head != "multi_label"
    probabilities = class_probabilities(judged.logits, exclusive=exclusive)
    truth = np.array([[name in task.truth[study] for name in task.classes] for study in judged.studies])
    found: dict[str, float] = {}
    if exclusive:
        found["accuracy"] = float(truth[np.arange(len(truth)), probabilities.argmax(axis=1)].mean())
    areas = [auc_roc(probabilities[:, i], truth[:, i]) for i in range(len(task.classes))]
    if known := [area for area in areas if math.isfinite(area)]:
        found["AUC-ROC"] = float(np.mean(known))
    return found
