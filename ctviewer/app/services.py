"""What the window needs of the rest of the program (`ctviewer.ui.services.Services`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from ctviewer.app.analysis import Analyst
from ctviewer.app.folders import data_folder, log_folder
from ctviewer.app.logs import redactor
from ctviewer.app.models import installed, listing
from ctviewer.app.reports import report_name, write_findings, write_report
from ctviewer.app.settings import Settings, load_settings, save_settings
from ctviewer.app.training import AppTraining
from ctviewer.app.training_set import write_marked
from ctviewer.core.errors import StorageError
from ctviewer.core.events import Event
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.printing import PageSize
from ctviewer.core.reading import Reading
from ctviewer.core.series import Series
from ctviewer.core.volume import Volume
from ctviewer.library import WorkStore
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.ui.finetune.services import FinishedRun
from ctviewer.ui.services import ModelCard, Preferences, StudyClasses

_logger = logging.getLogger(__name__)


class AppServices:
    """Settings, work store, models and report of this user.

    Attributes:
        store: the work store; closed by the window.
        training: runs of this user, and the process that does one.
        notes: sentences to tell the reader at the start (a damaged file was moved aside, for instance).
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._settings, note = load_settings()
        self.notes += [note] if note else []
        self.store = WorkStore(data_folder(), self.notes.append)
        self._analyst = Analyst(self._settings.device)
        self.training = AppTraining(self.store, self._settings.device)

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self._settings

    def preferences(self) -> Preferences:
        """What the window remembers."""
        s = self._settings
        documents = Path.home() / "Documents"
        folder = (documents if documents.is_dir() else Path.home()) / "ctviewer reports"
        return Preferences(
            light=s.theme == "light",
            auto_analyse=s.analyse_automatically,
            page=s.page_size,
            overlay_opacity=s.overlay_opacity,
            report_folder=folder,
            geometry=s.window_geometry,
            memory_budget_mb=s.memory_budget_mb,
            memory_share_mb=_memory_share_mb(),
            understood=s.understood,
        )

    def set_preference(self, **changes: Any) -> None:
        """Change fields of `Preferences` and keep them; where they cannot be kept they hold for this session."""
        names = {
            "auto_analyse": "analyse_automatically",
            "page": "page_size",
            "overlay_opacity": "overlay_opacity",
            "geometry": "window_geometry",
            "memory_budget_mb": "memory_budget_mb",
            "understood": "understood",
        }
        values = {names[name]: value for name, value in changes.items() if name in names}
        if "light" in changes:
            values["theme"] = "light" if changes["light"] else "dark"
        changed = replace(self._settings, **values)
        if changed == self._settings:
            return
        self._settings = changed
        try:
            save_settings(changed)
        except StorageError:
            _logger.exception("settings could not be saved")

    def will_open(self, path: Path) -> None:
        """Keep the folder's name, and what lies in it, out of the log."""
        redactor.hide(path)

    def preload(self) -> Iterator[Event]:
        """Import torch in small steps."""
        return self._analyst.preload()

    def analyse(self, volume: Volume) -> Iterator[Event]:
        """The pipeline with the active models."""
        return self._analyst.analyse(volume)

    def models(self) -> tuple[tuple[ModelCard, ...], tuple[str, ...]]:
        """Installed models with their cards, and one sentence per bundle that cannot be used."""
        bundles, active, problems = listing(installed())
        cards = []
        for bundle in bundles:
            m = bundle.metadata
            used, card = bundle.key in active, _card(bundle.folder)
            facts = (m.title, m.version, m.task, m.licence, m.limits, m.trained_on)
            answers = (m.image_classes, m.classes[1:]) if m.task == ONE_SHOT else (m.classes, ())
            terms = (m.restriction, m.run is not None)
            cards.append(ModelCard(*facts, used, card, bundle.key, m.parent, *answers, *terms))
        return tuple(cards), problems

    def activate_model(self, key: str) -> None:
        """Use an installed model for its task."""
        self.training.activate(key)

    def model_before(self, task: str) -> str:
        """What was used for a task before."""
        before = installed().before(task)
        return "" if before is None else before.key

    def roll_back_model(self, task: str) -> str:
        """Use again what was used for a task before."""
        return installed().roll_back(task).key

    def model_result(self, key: str) -> FinishedRun:
        """How an installed model compares with what it was made from."""
        from ctviewer.app.model_results import result_of_model  # comparisons take their time: when they are asked for

        return result_of_model(self.training, key)

    def detector_classes(self) -> tuple[str, ...]:
        """Classes of the active detector."""
        return self._analyst.detector_classes()

    def slice_classes(self) -> StudyClasses:
        """Classes that the active one-shot model tells of slices."""
        bundle = self._analyst.detector()
        if bundle is None:
            return StudyClasses()
        return StudyClasses(bundle.metadata.image_classes, bundle.metadata.negative_class, exclusive=False)

    def lesion_classes(self) -> tuple[str, ...]:
        """Lesion classes of the active detector."""
        return self._analyst.lesion_classes()

    def study_classes(self) -> StudyClasses:
        """Classes of the active study classifier."""
        bundle = self._analyst.classifier()
        if bundle is None:
            return StudyClasses()
        m = bundle.metadata
        return StudyClasses(m.classes, m.negative_class, m.exclusive)

    def is_current(self, result: AnalysisResult) -> bool:
        """Whether the models that made a result are the active ones."""
        return self._analyst.active_hashes() == {model.sha256 for model in result.provenance.models}

    def device_text(self) -> str:
        """Where the models run, without importing torch: the driver's device node tells."""
        cuda = self._settings.device != "cpu" and Path("/dev/nvidiactl").exists()
        return "CUDA" if cuda else "CPU"

    def write_report(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
    ) -> Iterator[Event]:
        """Write the PDF on the paper of the settings."""
        return write_report(volume, result, reading, PageSize(self._settings.page_size), target, opened)

    def write_findings(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
    ) -> Iterator[Event]:
        """Write the findings as the reader left them as JSON."""
        return write_findings(volume, result, reading, target, opened)

    def write_training_set(self, folder: Path, opened: tuple[Path, ...]) -> Iterator[Event]:
        """Write the findings of all studies that were judged, corrected or drawn."""
        return write_marked(folder, opened)

    def report_name(self, series: Series) -> str:
        """A file name without patient data."""
        return report_name(series)

    @property
    def log_folder(self) -> Path:
        """Where the log is."""
        return log_folder()


def _memory_share_mb() -> int:
    """A quarter of the machine's memory: the models, other programs and the system need theirs."""
    return int(psutil.virtual_memory().total) // 2**20 // 4


def _card(folder: Path) -> str:
    """A bundle's card without its front matter; the bundle works without one."""
    try:
        return (folder / "README.md").read_text(encoding="utf-8", errors="replace").split("---\n", 2)[-1]
    except OSError:
        return "This model comes without a card."
