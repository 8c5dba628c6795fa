"""What the net is to tell of a study: the order of the classes, the truth as a tensor, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.errors import InputError
from ctviewer.nets.losses import study_loss
from ctviewer.training.sampling import inverse_frequency


@dataclass(frozen=True)
class Task:
    """Head and classes of a net.

    Attributes:
        head: one of `nets.study_classifier.HEADS`.
        classes: in the order of the logits.
        truth: classes by study.
        balanced: whether all classes count alike in the mean loss of studies, as they do where each step draws them
            equally often; else all studies.
    """

    head: str
    classes: tuple[str, ...]
    truth: Mapping[str, tuple[str, ...]]
    balanced: bool

    def target(self, study: str) -> Tensor:
        """Index of the class, a scalar; multi-label: `[classes]`, 1 where a class is present.

        Raises:
            InputError: the study has a class that the net does not know, or several under a head of exclusive classes.
        """
        names = self.truth[study]
        unknown = sorted(set(names) - set(self.classes))
        if unknown or not names:
            what = f"the class {unknown[0]}" if unknown else "no class"
            raise InputError(f"The study {study} has {what}; the model's classes are {', '.join(self.classes)}.")
        if self.head == "multi_label":
            return torch.tensor([float(name in names) for name in self.classes])
        if len(names) != 1:
            raise InputError(f"The study {study} has several classes; choose the head multi_label for such studies.")
        return torch.tensor(self.classes.index(names[0]))

    def losses(self, logits: Tensor, studies: Sequence[str]) -> Tensor:
        """Loss of each study, `[b]`.

        Args:
            logits: `[b, classes]`.
            studies: whose they are.
        """
        targets = torch.stack([self.target(study) for study in studies]).to(logits.device)
        rows = [study_loss(self.head, logits[i : i + 1], targets[i : i + 1]) for i in range(len(studies))]
        return torch.stack(rows)

    def shares(self, studies: Sequence[str]) -> NDArray[np.float64]:
        """What each study counts in a mean over them, `[b]`; the shares sum to 1."""
        if self.balanced:
            return inverse_frequency([self.truth[study] for study in studies])
        return np.full(len(studies), 1.0 / len(studies))

    def mean_loss(self, logits: NDArray[np.float64], studies: Sequence[str]) -> float:
        """Of judged studies, `[studies, classes]`; NaN without any."""
        if not studies:
            return float("nan")
        losses = self.losses(torch.from_numpy(logits), studies).numpy()
        return float((losses * self.shares(studies)).sum())
