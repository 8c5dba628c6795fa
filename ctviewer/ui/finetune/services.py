"""What fine-tuning needs of the rest of the program, handed in by `app`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ctviewer.core.events import Event
from ctviewer.jobs.child import ChildCommand

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig


@dataclass(frozen=True)
class BaseModel:
    """An installed study classifier to start from.

    Attributes:
        key: "name version".
        title: for the list.
        classes: order of its outputs.
        negative_class: "" for none.
        active: whether it is the one in use.
        licence, trained_on, limits: from the bundle.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    negative_class: str = ""
    active: bool = False
    licence: str = ""
    trained_on: str = ""
    limits: str = ""


@dataclass(frozen=True)
class ReadStudies:
    """Studies that were read and given a class in the viewer.

    Attributes:
        own: studies whose class the reader stated or corrected.
        accepted: studies whose class is a model's, accepted as it was, by "title version".
        classes: studies by class.
        patients: how many.
    """

    own: int = 0
    accepted: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    patients: int = 0

    @property
    def studies(self) -> int:
        """How many in all."""
        return self.own + sum(self.accepted.values())


@dataclass(frozen=True)
class TrainingChoices:
    """What there is to choose from.

    Attributes:
        bases: installed study classifiers, the active one first.
        devices: name for the configuration and words for the reader.
        read_studies: how many studies were read and given a class in the viewer.
        read: the same by class, and by whom; None where it is not known.
    """

    bases: tuple[BaseModel, ...] = ()
    devices: tuple[tuple[str, str], ...] = (("auto", "Automatic"), ("cpu", "Processor (CPU)"))
    read_studies: int = 0
    read: ReadStudies | None = None


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that was paused, or whose process died.

    Attributes:
        folder: of the run.
        title: for the reader, without patient data.
        changed: when it was last heard of, local time, in words ("today 14:02").
        state: "paused", "interrupted" (its process died) or "failed" (it ended with an error).
    """

    folder: Path
    title: str
    changed: str
    state: str


@dataclass(frozen=True)
class FinishedRun:
    """What a run made.

    Attributes:
        folder: of the run.
        key: of the new bundle, "name version".
        parent: key of what it was made from; "" for none.
        active: whether the new bundle is the one in use.
        comparison: old against new (`training.comparison.Comparison`); None where there is none.
        notes: sentences: why there is no comparison, for instance.
        doubts: sentences: what to know before it is activated.
        looks: how often models were judged by this hold-out, this time included; 0 where nobody knows.
    """

    folder: Path
    key: str
    parent: str = ""
    active: bool = False
    comparison: Any = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    looks: int = 0


class TrainingServices(Protocol):
    """Given by `ctviewer.app`. All of it answers at once; what takes long runs in the child process."""

    def choices(self) -> TrainingChoices:
        """As they are now."""

    def read_studies_table(self) -> Path:
        """Write the table of the studies read in the viewer anew; where it is.

        Raises:
            CtviewerError: there are none, or it cannot be written.
        """

    def check(self, config: RunConfig) -> ChildCommand:
        """The process that does pre-flight. Raises CtviewerError."""

    def begin(self, config: RunConfig) -> ChildCommand:
        """The process that does a run whose doubts were accepted; it says where its folder is. Raises CtviewerError."""

    def resume(self, folder: Path) -> ChildCommand:
        """The process that goes on with a run. Raises CtviewerError."""

    def config_of(self, folder: Path) -> RunConfig:
        """What a run was told. Raises CtviewerError."""

    def said(self, folder: Path) -> Iterator[Event]:
        """What a run has said so far, oldest first; damaged lines are passed over."""

    def unfinished(self) -> tuple[UnfinishedRun, ...]:
        """Runs that can be resumed, newest first."""

    def discard(self, folder: Path) -> None:
        """Remove a run that does not go on, with all its checkpoints. Raises CtviewerError."""

    def result_of(self, folder: Path, key: str) -> FinishedRun:
        """What a finished run made. Raises CtviewerError."""

    def activate(self, key: str) -> None:
        """Use a bundle for its task. Raises CtviewerError."""

    def roll_back(self) -> str:
        """Use the study classifier that was used before; its key. Raises CtviewerError."""

    def place_of(self, config: RunConfig, study: str) -> Path:
        """Where a study of these data lies, to open it. Raises CtviewerError."""
