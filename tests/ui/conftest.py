"""A small DICOM study on disk, services with a scripted analysis, and the real window around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_training import FakeTraining

from ctviewer.core.analysis_events import Abstained, SliceSegmented, StudyClassified, SuitabilityChecked
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    ModelInfo,
    Provenance,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.geometry import Geometry
from ctviewer.core.lesions import find_lesions, lesion_area
from ctviewer.core.masks import BoxMask
from ctviewer.core.volume import Volume
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.jobs import JobRunner
from ctviewer.library import WorkStore
from ctviewer.ui.finetune.services import FinishedRun
from ctviewer.ui.services import ModelCard, Preferences, StudyClasses

SLICES, SIDE = 12, 64
HOT = 8  # volume index with the highest attention and a lesion around it
CLASSES = ("no finding", "infection-like")
LESIONS = ("background", "lung", "ground glass")
CLASSIFIER = ModelInfo("Test classifier", "1.0.0", "study_classifier", "a" * 64, CLASSES, "phantoms only", "No.", "MIT")
DETECTOR = ModelInfo("Test detector", "1.0.0", "one_shot", "b" * 64, LESIONS, "phantoms only", "No.", "MIT")


def _write_study(folder: Path, seed: int = 0, **attributes: Any) -> Path:
    """A chest-like axial series: air, a body of water, lungs; file names do not follow the slices."""
    rng = np.random.default_rng(seed)
    stored = np.full((SLICES, SIDE, SIDE), -1000, np.int16)
    stored[:, 12:52, 8:56] = 40
    stored[:, 20:44, 14:28] = stored[:, 20:44, 36:50] = -850
    stored += rng.integers(-8, 8, stored.shape, dtype=np.int16)
    origins = np.stack([np.full(SLICES, -100.0), np.full(SLICES, -90.0), -60.0 + 2.5 * np.arange(SLICES)], 1)
    geometry = Geometry(stored.shape, origins, pixel_spacing=(3.0, 3.0))
    facts = {
        "patient_name": "Test^Person",
        "patient_id": "T-1",
        "description": "Chest",
        "study_description": "CT chest",
    }
    write_ct_series(folder, stored, geometry=geometry, attributes=SeriesAttributes(**(facts | attributes)))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return _write_study(tmp_path / "opened" / "study")


@dataclass
class ScriptedAnalysis:
    """An analysis whose answer is known: slice HOT stands out and carries a lesion, with its neighbours."""

    outcome: str = "done"
    before_step: Callable[[int], None] = lambda _: None
    runs: int = 0
    closed: int = 0

    def __call__(self, volume: Volume) -> Iterator[Event]:
        self.runs += 1
        try:
            yield from self._events(volume)
        finally:
            self.closed += 1

    def _events(self, volume: Volume) -> Iterator[Event]:
        bad = "abstain" if self.outcome == "abstain" else "ok"
        suitability = Suitability((Check("slices", bad, f"The series has {volume.slice_count} slices."),))
        yield SuitabilityChecked(suitability)
        if self.outcome == "abstain":
            yield Abstained(suitability)
            return
        if self.outcome == "fail":
            raise InputError("The model bundle is damaged.")
        for step in range(5):
            self.before_step(step)
            yield Progress("Classifying slices", step, 5)
        told = classification(volume)
        yield StudyClassified(told)
        found = []
        for index in (HOT, HOT - 1, HOT + 1):
            mask = np.zeros((SIDE, SIDE), bool)
            mask[24:34, 16:26] = True
            found.append(Instance(index, "ground glass", 0.9, BoxMask.from_array(mask)))
            yield SliceSegmented(index, (found[-1],))
        yield Done(self._result(volume, suitability, told, tuple(found)))

    def _result(self, volume, suitability, told, found) -> AnalysisResult:
        digests = tuple(volume.slice_digest(i) for i in range(volume.slice_count))
        area, unit = lesion_area(found, volume.geometry, np.ones(volume.slice_count, bool))
        made = f"2026-11-22T10:00:{self.runs:02d}+00:00"
        provenance = Provenance((CLASSIFIER, DETECTOR), "cpu", "float32", "ctviewer test", made, 1.0)
        lesions = find_lesions(volume, found)
        key, uid = volume.series.key, volume.series.uid
        return AnalysisResult(key, uid, digests, suitability, told, lesions, area, unit, provenance)


def classification(volume: Volume) -> StudyClassification:
    weights = np.full(volume.slice_count, 0.02)
    weights[HOT] = 1.0 - 0.02 * (volume.slice_count - 1)
    return StudyClassification(CLASSIFIER, (0.1, 0.9), "no finding", 0.5, SliceScore.ATTENTION, weights)


@dataclass(frozen=True)
class Written:
    """What an export tells."""

    folder: Path
    text: str


@dataclass
class FakeServices:
    """Services without settings file and models."""

    folder: Path
    analysis: ScriptedAnalysis = field(default_factory=ScriptedAnalysis)
    kept: Preferences = field(default_factory=Preferences)
    reports: list[Path] = field(default_factory=list)
    current: bool = True
    used: list[str] = field(default_factory=list)
    exports: list[tuple[Path, tuple[Path, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = WorkStore(self.folder / "data")
        self.training = FakeTraining(self.folder)
        self.kept = replace(self.kept, report_folder=self.folder / "reports")

    def preferences(self) -> Preferences:
        return self.kept

    def set_preference(self, **changes: Any) -> None:
        self.kept = replace(self.kept, **changes)

    def will_open(self, path: Path) -> None:
        self.opened = path

    def preload(self) -> Iterator[Event]:
        yield Done()

    def analyse(self, volume: Volume) -> Iterator[Event]:
        return self.analysis(volume)

    def models(self) -> tuple[tuple[ModelCard, ...], tuple[str, ...]]:
        card = ModelCard(
            "Test classifier", "1.0.0", "study_classifier", "MIT", "No.", "phantoms only", True, "# Card", "test 1.0.0"
        )
        return (card,), ("The model bundle x cannot be used because it is damaged.",)

    def activate_model(self, key: str) -> None:
        self.used.append(key)

    def model_before(self, task: str) -> str:
        return self.used[-2] if len(self.used) > 1 else ""

    def roll_back_model(self, task: str) -> str:
        if len(self.used) < 2:
            raise InputError("There is no earlier model to go back to.")
        self.used.pop()
        return self.used[-1]

    def model_result(self, key: str) -> FinishedRun:
        return FinishedRun(Path(), key)

    def detector_classes(self) -> tuple[str, ...]:
        return LESIONS

    def slice_classes(self) -> StudyClasses:
        return StudyClasses(exclusive=False)

    def lesion_classes(self) -> tuple[str, ...]:
        return ("ground glass", "consolidation")

    def study_classes(self) -> StudyClasses:
        return StudyClasses(CLASSES, CLASSES[0])

    def is_current(self, result: AnalysisResult) -> bool:
        return self.current

    def device_text(self) -> str:
        return "CPU"

    def write_report(self, volume, result, reading, target, opened) -> Iterator[Event]:
        from ctviewer.app.reports import write_report
        from ctviewer.core.printing import PageSize

        self.reports.append(target)
        return write_report(volume, result, reading, PageSize.A4, target, opened)

    def write_findings(self, volume, result, reading, target, opened) -> Iterator[Event]:
        from ctviewer.app.reports import write_findings

        return write_findings(volume, result, reading, target, opened)

    def write_training_set(self, folder, opened) -> Iterator[Event]:
        self.exports.append((folder, opened))
        yield Done(Written(folder, "3 findings were written."))

    def report_name(self, series) -> str:
        return "CT report.pdf"

    @property
    def log_folder(self) -> Path:
        return self.folder


@pytest.fixture
def services(tmp_path: Path) -> Iterator[FakeServices]:
    made = FakeServices(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def open_window(qtbot, qapp, services) -> Iterator[Callable[[FakeServices], Any]]:
    """Make real windows; all are closed, and their threads joined, at the end."""
    from ctviewer.pdf import load_fonts
    from ctviewer.ui.main_window import MainWindow
    from ctviewer.ui.theme import apply_theme

    load_fonts()
    apply_theme(qapp, "dark")
    windows = []

    def make(services: FakeServices) -> MainWindow:
        window = MainWindow(services, JobRunner())
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    qapp.processEvents()


@pytest.fixture
def window(open_window, services):
    return open_window(services)


@pytest.fixture
def ready(window, open_and_wait, study):
    """The window with the study open, loaded and recognised."""
    open_and_wait(window, study)
    return window


@pytest.fixture
def open_and_wait(qtbot) -> Callable[[Any, Path], None]:
    """Open a path and wait until its slices are loaded and recognised."""

    def act(window, path: Path) -> None:
        with qtbot.waitSignal(window.reading.ready, timeout=10_000):
            window.open_path(path)

    return act


@pytest.fixture
def write_study() -> Callable[..., Path]:
    return _write_study


@pytest.fixture
def make_services(tmp_path: Path) -> Callable[[], FakeServices]:
    """The services of another start of the program, by the same user."""
    return lambda: FakeServices(tmp_path)
