"""The learner of a study classifier."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.judging import figures, judge
from ctviewer.training.engine.learner import Place, Verdict
from ctviewer.training.engine.optimizers import make_optimizer
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.passes import Passes
from ctviewer.training.recipes import Recipe
from ctviewer.training.sampling import Subsequence


@dataclass(frozen=True)
class StudyLearner:
    """Meets `learner.Learner` for batches of sequences.

    Attributes:
        passes: the net, and what its slices come from.
    """

    passes: Passes

    @property
    def net(self) -> StudyClassifier:
        """On its device."""
        return self.passes.net

    @property
    def precision(self) -> str:
        """Of the encoder."""
        return self.passes.precision

    @property
    def chunk(self) -> int:
        """Slices that pass the encoder at once."""
        return self.passes.chunk

    def make_optimizer(self, recipe: Recipe) -> Optimizer:
        """Over aggregator and encoder."""
        return make_optimizer(self.net, recipe)

    def slow_epochs(self, epochs: int) -> int:
        """Those before every draw is in the cache of features."""
        passes = self.passes
        if passes.cache is None:
            return epochs
        return passes.draws.count if passes.draws.pose is not None else 1

    def amount(self, batch: Sequence[Subsequence], world: World) -> int:
        """Slices of this process's sequences."""
        return sum(one.count(self.passes.store.length(one.study)) for one in world.share(batch))

    def learn(
        self, batch: Sequence[Subsequence], place: Place, scale: float, world: World
    ) -> Generator[int, None, float]:
        """See `Passes.learn`."""
        return self.passes.learn(batch, place, scale, world)

    def kind(self, batch: Sequence[Subsequence]) -> str:
        """All steps are alike."""
        return ""

    def after_step(self, batch: Sequence[Subsequence], world: World) -> None:
        """Nothing follows from a step but the next one."""

    def mean_loss(self, losses: Sequence[float]) -> float:
        """Over steps."""
        return sum(losses) / len(losses)

    def judge_epoch(
        self, validation: Sequence[str], world: World, control: Control
    ) -> Generator[int, None, Verdict | Wish]:
        """By the mean loss of the validation studies."""
        judged = yield from judge(self.passes, validation, world, control)
        if isinstance(judged, Wish):
            return judged
        task = self.passes.task
        return Verdict(task.mean_loss(judged.logits, validation), figures(task, judged))

    def state(self) -> dict[str, Any]:
        """All of it is in the net."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept."""

    def kept_state(self) -> dict[str, Tensor]:
        """Parameters that learn. The net's buffers do not change (BatchNorm stays in eval mode)."""
        return {name: p for name, p in self.net.named_parameters() if p.requires_grad}
