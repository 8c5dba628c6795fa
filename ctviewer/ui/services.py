"""What the window needs of the rest of the program, handed in by `app`: the window itself knows no folders or models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ctviewer.core.events import Event
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.reading import Reading
from ctviewer.core.series import Series
from ctviewer.core.volume import Volume
from ctviewer.library import WorkStore
from ctviewer.ui.finetune.services import FinishedRun, TrainingServices


@dataclass(frozen=True)
class ModelCard:
    """An installed model for the window's list.

    Attributes:
        title, version, task, licence, limits, trained_on: from the bundle.
        active: whether it is used for its task.
        card: the whole model card, Markdown.
        key: "name version".
        parent: key of what it was made from; "" for none.
        classes: that it tells of a study, or of a slice; may be empty for a one-shot model.
        outlined: what a one-shot model outlines; empty for others.
        restriction: what its licence forbids or asks; "" for nothing.
        made_here: whether a training run of a department made it.
    """

    title: str
    version: str
    task: str
    licence: str
    limits: str
    trained_on: str
    active: bool
    card: str
    key: str = ""
    parent: str = ""
    classes: tuple[str, ...] = ()
    outlined: tuple[str, ...] = ()
    restriction: str = ""
    made_here: bool = False


@dataclass(frozen=True)
class StudyClasses:
    """What a model tells apart; no classes without one.

    Attributes:
        classes: in the model's order.
        negative_class: the one that means "no finding"; "" for none.
        exclusive: whether a study (or slice) shows one of them alone.
    """

    classes: tuple[str, ...] = ()
    negative_class: str = ""
    exclusive: bool = True


@dataclass(frozen=True)
class Preferences:
    """What the window remembers from one start to the next.

    Attributes:
        light: light panels.
        auto_analyse: analyse a suitable series when it has loaded.
        page: "A4" or "Letter".
        overlay_opacity: 0..1.
        report_folder: where one click writes reports.
        geometry: place and size of the window, as base64 text; "" for the first time.
        memory_budget_mb: for the images of all series in memory; 0 keeps the open one alone, -1 is `memory_share_mb`.
        memory_share_mb: what -1 stands for on this machine.
        understood: keys of models whose restriction the reader has read.
    """

    light: bool = False
    auto_analyse: bool = False
    page: str = "A4"
    overlay_opacity: float = 0.35
    report_folder: Path = Path()
    geometry: str = ""
    memory_budget_mb: int = -1
    memory_share_mb: int = 1024
    understood: tuple[str, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """The budget for images in bytes."""
        budget = self.memory_share_mb if self.memory_budget_mb < 0 else self.memory_budget_mb
        return budget * 2**20


class Services(Protocol):
    """Given by `ctviewer.app`.

    Attributes:
        store: the reader's work.
    """

    store: WorkStore

    @property
    def training(self) -> TrainingServices:
        """What fine-tuning needs."""

    def preferences(self) -> Preferences:
        """As they are now."""

    def set_preference(self, **changes: Any) -> None:
        """Change some (fields of `Preferences`) and keep them."""

    def will_open(self, path: Path) -> None:
        """A folder is about to be opened: the log must not name what lies in it."""

    def preload(self) -> Iterator[Event]:
        """Get ready for the first analysis while nothing else is to do."""

    def analyse(self, volume: Volume) -> Iterator[Event]:
        """The analysis pipeline with the active models."""

    def models(self) -> tuple[tuple[ModelCard, ...], tuple[str, ...]]:
        """Installed models, and one sentence for each bundle that cannot be used."""

    def activate_model(self, key: str) -> None:
        """Use an installed model ("name version") for its task. Raises CtviewerError."""

    def model_before(self, task: str) -> str:
        """Key of the model that was used for a task before the one in use; "" for none."""

    def roll_back_model(self, task: str) -> str:
        """Use the model again that was used for a task before; its key. Raises CtviewerError."""

    def model_result(self, key: str) -> FinishedRun:
        """How an installed model compares with what it was made from, and what to know before it is activated.

        `folder` is empty where the run that made it is not kept here. Raises CtviewerError.
        """

    def detector_classes(self) -> tuple[str, ...]:
        """Classes of the active detector, in order: they give the colours."""

    def lesion_classes(self) -> tuple[str, ...]:
        """Those of them that are lesions: what the reader chooses from for a finding."""

    def slice_classes(self) -> StudyClasses:
        """What the active one-shot model tells of single slices; no classes where it tells none, or without one."""

    def study_classes(self) -> StudyClasses:
        """What the active study classifier tells apart: what the reader chooses from."""

    def is_current(self, result: AnalysisResult) -> bool:
        """Whether the models that made a result are the active ones."""

    def device_text(self) -> str:
        """What the models run on, for the status line: "CPU", "CUDA"."""

    def write_report(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
    ) -> Iterator[Event]:
        """Write the PDF; Done carries its path."""

    def write_findings(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
    ) -> Iterator[Event]:
        """Write the findings as the reader left them as JSON; Done carries its path."""

    def write_training_set(self, folder: Path, opened: tuple[Path, ...]) -> Iterator[Event]:
        """Write the findings that were judged, corrected or drawn; Done carries a `presenters.exporting.Written`."""

    def report_name(self, series: Series) -> str:
        """A file name without patient data."""

    @property
    def log_folder(self) -> Path:
        """Where the log is."""
