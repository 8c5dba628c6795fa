"""What a fold drives: a net that learns from steps, is judged after each epoch, and can be left and taken up again.

`Fold` knows optimizers, schedules, checkpoints and wishes; a learner knows what its net is shown and what that costs. There
is one for study classifiers (`study_learner`) and one for one-shot models (`one_shot.learner`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.parallel import World
from ctviewer.training.recipes import Recipe

B = TypeVar("B")
B_contra = TypeVar("B_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)


@dataclass(frozen=True)
class Place:
    """A step of a run: what its draws depend on.

    Attributes:
        seed: of the run.
        fold: from 0.
        epoch, step: from 0; the step within its epoch.
    """

    seed: int
    fold: int
    epoch: int
    step: int


@dataclass(frozen=True)
class Verdict:
    """What the validation data say of a net after an epoch; the same in every process.

    Attributes:
        loss: by which epochs are compared, lower is better; NaN without validation data.
        metrics: figures to watch, by name; those of the card are made when a run is finished.
    """

    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)


class Steps(Protocol[B_co]):
    """The steps of an epoch: pure functions of seed, fold, epoch and step, so that resuming is exact."""

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        ...

    def step(self, epoch: int, number: int) -> B_co:
        """What a step is shown, both counted from 0."""
        ...

    def taken(self, steps: int) -> int:
        """How much of an epoch so many steps are, as a checkpoint keeps it."""
        ...

    def steps_of(self, taken: int) -> int:
        """How many steps of an epoch that was."""
        ...


class Learner(Protocol[B_contra]):
    """A net and what it is shown. What a process keeps of it between two steps is in the net, in `state`, or nowhere."""

    @property
    def net(self) -> nn.Module:
        """On its device; the fold puts it into training mode when an epoch begins."""
        ...

    @property
    def precision(self) -> str:
        """A key of `passes.PRECISIONS`."""
        ...

    @property
    def chunk(self) -> int:
        """Slices that pass at once: results depend on it by rounding alone."""
        ...

    def make_optimizer(self, recipe: Recipe) -> Optimizer:
        """Over all that ever learns; each group has a "factor" of the rate."""
        ...

    def slow_epochs(self, epochs: int) -> int:
        """How many of the epochs take their full time, before what is kept on disk makes the others quick."""
        ...

    def amount(self, batch: B_contra, world: World) -> int:
        """Slices that `learn` will yield in this process."""
        ...

    def learn(self, batch: B_contra, place: Place, scale: float, world: World) -> Generator[int, None, float]:
        """Add this process's part of the gradients of a step's loss, times `scale`, to what the net has.

        What does not learn in this step gets no gradient (None, not 0). Draws depend on the place alone. Whoever closes it
        early throws the gradients away.

        Yields:
            Slices that have just passed.

        Returns:
            This process's part of the loss, not scaled; the sum over processes is that of the step.
        """
        ...

    def kind(self, batch: B_contra) -> str:
        """What a step is shown, where steps of several kinds take turns and their losses are no one curve; else ""."""
        ...

    def after_step(self, batch: B_contra, world: World) -> None:
        """The optimizer has taken the step that was learned last; every process calls it."""
        ...

    def mean_loss(self, losses: Sequence[float]) -> float:
        """Of an epoch, from those of its steps in their order, to be laid beside `Verdict.loss`."""
        ...

    def judge_epoch(
        self, validation: Sequence[str], world: World, control: Control
    ) -> Generator[int, None, Verdict | Wish]:
        """Judge with the weights as they are; the net is left in eval mode. `control` is asked between slices.

        Yields:
            Slices that have just passed, in this process.

        Returns:
            The same in every process; or what the user wanted meanwhile.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Plain values that the next step depends on besides the net, for the checkpoint; finite numbers only."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there; empty for a checkpoint of a version that kept none."""
        ...

    def kept_state(self) -> dict[str, Tensor]:
        """What of the net changes while it learns, by its names in `state_dict`: the tensors themselves."""
        ...
