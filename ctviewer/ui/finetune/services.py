"""What fine-tuning needs of the rest of the program, handed in by `app`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ctviewer.core.events import Event
from ctviewer.jobs.child import ChildCommand
from ctviewer.models.metadata import CLASSIFIER

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig


@dataclass(frozen=True)
class BaseModel:
    """An installed model to start from.

    Attributes:
        key: "name version".
        title: for the list.
        classes: that it tells of a study; of a one-shot model those that it tells of a slice, which may be none.
        negative_class: of these; "" for none.
        active: whether it is the one in use for its task.
        licence, trained_on, limits: from the bundle.
        task: one of `models.metadata.TASKS`.
        outlined: what a one-shot model outlines; empty for others.
        lends: whether a one-shot model can start from its backbone.
        restriction: what its licence forbids or asks; "" for nothing.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    negative_class: str = ""
    active: bool = False
    licence: str = ""
    trained_on: str = ""
    limits: str = ""
    task: str = CLASSIFIER
    outlined: tuple[str, ...] = ()
    lends: bool = False
    restriction: str = ""


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
        bases: installed models of all tasks, the active ones first.
        devices: name for the configuration and words for the reader.
        read_studies: how many studies were read and given a class in the viewer.
        read: the same by class, and by whom; None where it is not known.
        findings: what a set of slices names as its folder where it is to be the findings corrected in the viewer, as they
            are when the data are checked; that of an earlier run begins with it. None where there is no such set.
    """

    bases: tuple[BaseModel, ...] = ()
    devices: tuple[tuple[str, str], ...] = (("auto", "Automatic"), ("cpu", "Processor (CPU)"))
    read_studies: int = 0
    read: ReadStudies | None = None
    findings: Path | None = None


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
    """Given by `ctviewer.app`. All of it answers at once; what takes long runs in the child process, or as events."""

    def choices(self) -> TrainingChoices:
        """As they are now."""

    def read_studies_table(self) -> Path:
        """Write the table of the studies read in the viewer anew; where it is.

        Raises:
            CtviewerError: there are none, or it cannot be written.
        """

    def look_at_findings(self, kind: str) -> Iterator[Event]:
        """What the findings corrected in the viewer would be as a set of a kind; for any thread. Done carries a `FoundSet`.

        Raises:
            CtviewerError: there are none, or they cannot be read.
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

    def roll_back(self, key: str) -> str:
        """Use what was used before for the task of a model; its key. Raises CtviewerError."""

    def place_of(self, config: RunConfig, study: str) -> Path:
        """Where a study of these data lies, to open it. Raises CtviewerError."""
