"""What the fine-tuning window needs of the rest of the program (`ctviewer.ui.finetune.services.TrainingServices`)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import ctviewer
from ctviewer.app.comparisons import doubts_about
from ctviewer.app.folders import data_folder
from ctviewer.app.models import in_use, installed, is_used, lends, named
from ctviewer.app.runs import require_resumable, runs_folder
from ctviewer.app.train_check import ALL, base_bundle
from ctviewer.app.train_data import place_of_scan
from ctviewer.app.training_set import look_at_marked
from ctviewer.core.errors import CtviewerError, InputError, StorageError
from ctviewer.core.events import Event
from ctviewer.core.files import reason
from ctviewer.jobs.child import ChildCommand
from ctviewer.library import WorkStore
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import RunConfig
from ctviewer.training.config_check import check
from ctviewer.training.config_file import read_config, write_config
from ctviewer.training.run_folder import (
    COMPARISON,
    CONFIG,
    FAILED,
    KILLED,
    PAUSED,
    RUNNING,
    RunEntry,
    entry,
    list_runs,
)
from ctviewer.training.run_record import read_events
from ctviewer.ui.finetune.services import (
    BaseModel,
    FinishedRun,
    ReadStudies,
    TrainingChoices,
    UnfinishedRun,
)

_STATES = {PAUSED: "paused", KILLED: "interrupted", FAILED: "failed"}
_DRAFT, _REPORT, _READ_TABLE = "asked.toml", "asked-report.json", "read-studies"
_FINDINGS = "corrected-findings"
_KEPT_FINDINGS = 24 * 3600.0  # s that a set of findings is kept which no run learns from


class AppTraining:
    """Runs of this user, and the process that does one.

    Args:
        store: with the studies that were read and labelled.
        device: what the settings say the models run on.
    """

    def __init__(self, store: WorkStore, device: str) -> None:
        self._store, self._device = store, device
        self._checked: tuple[RunConfig, RunConfig] | None = None  # as it was asked for, and as it was written

    def choices(self) -> TrainingChoices:
        """As they are now."""
        bundles = installed().scan()[0]
        tasks = {bundle.metadata.task for bundle in bundles}
        used = {one.key for task in tasks if (one := in_use(task)) is not None}  # one that cannot be is told elsewhere
        bases = [_base(bundle, bundle.key in used) for bundle in bundles]
        devices = [("auto", "Automatic"), ("cpu", "Processor (CPU)")]
        if Path("/dev/nvidiactl").exists() and self._device != "cpu":
            devices.append(("cuda", "Graphics card (CUDA)"))
        read = self._read_studies()
        ordered = sorted(bases, key=lambda base: not base.active)
        return TrainingChoices(
            tuple(ordered), tuple(devices), read.studies, read if read.studies else None, _folder() / _FINDINGS
        )

    def read_studies_table(self) -> Path:
        """Write the table of the studies read in the viewer anew; where it is."""
        return self._write_read_studies(())

    def look_at_findings(self, kind: str) -> Iterator[Event]:
        """What the findings corrected in the viewer would be as a set of a kind; for any thread."""
        return look_at_marked(kind)

    def check(self, config: RunConfig) -> ChildCommand:
        """The process that does pre-flight, and writes the findings corrected in the viewer where they are a set."""
        placed, wanted = self._with_findings(config)
        self._checked = (config, placed)
        return _command("train", str(_written(placed)), "--check", *wanted, *_report(), "--events", "jsonl")

    def begin(self, config: RunConfig) -> ChildCommand:
        """The process that does a run whose doubts were accepted."""
        wanted: tuple[str, ...] = ()
        if self._checked is not None and self._checked[0] == config:
            placed = self._checked[1]  # with the findings as they were checked
        else:
            placed, wanted = self._with_findings(config)
        return _command(
            "train", str(_written(placed)), "--accept-doubts", ALL, *wanted, *_report(), "--events", "jsonl"
        )

    def resume(self, folder: Path) -> ChildCommand:
        """The process that goes on with a run."""
        require_resumable(folder)
        return _command("train", "--resume", str(folder), "--events", "jsonl")

    def config_of(self, folder: Path) -> RunConfig:
        """What a run was told."""
        if not folder.is_dir():
            raise InputError(f"The run in {folder} is not there any more.")
        return read_config(folder / CONFIG)

    def said(self, folder: Path) -> Iterator[Event]:
        """What a run has said so far."""
        return iter(read_events(folder))

    def unfinished(self) -> tuple[UnfinishedRun, ...]:
        """Runs that can be resumed, newest first."""
        return tuple(_unfinished(one) for one in list_runs(runs_folder()) if one.resumable and one.state in _STATES)

    def discard(self, folder: Path) -> None:
        """Remove a run that does not go on, with all its checkpoints."""
        if entry(folder).state == RUNNING:
            raise InputError(f"The run in {folder} is going on in another process.")
        if folder.parent != runs_folder():
            raise InputError(f"{folder} was not made here; remove it by hand.")
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{folder} could not be removed: {reason(error)}.") from error

    def result_of(self, folder: Path, key: str) -> FinishedRun:
        """What a finished run made."""
        from ctviewer.training.comparison import read_comparison

        bundle = named(key)
        comparison, notes = None, []
        try:
            if (folder / COMPARISON).exists():
                comparison = read_comparison(folder / COMPARISON)
        except InputError as error:
            notes.append(str(error))
        doubts, parent = doubts_about(bundle), bundle.metadata.parent
        return FinishedRun(folder, key, parent, is_used(bundle), comparison, tuple(notes), doubts, looks_at(bundle))

    def activate(self, key: str) -> None:
        """Use a bundle for its task."""
        installed().activate(named(key))

    def roll_back(self, key: str) -> str:
        """Use what was used before for the task of a model; its key."""
        return installed().roll_back(named(key).metadata.task).key

    def place_of(self, config: RunConfig, study: str) -> Path:
        """Where a study of these data lies."""
        if self._checked is not None and self._checked[0] == config:
            config = self._checked[1]  # with the findings as they were written for it
        if config.task == ONE_SHOT:
            return place_of_scan(config, study)
        from ctviewer.datasets.study_folder import StudyFolder

        folder = Path(config.data.folder) if config.data.folder else None
        return StudyFolder(folder, labels=Path(config.data.labels) if config.data.labels else None).path(study)

    def _placed(self, config: RunConfig) -> RunConfig:
        """The same, with the table of studies read as it is now and for the base that was chosen."""
        check(config)
        labels = Path(config.data.labels)
        if not config.data.labels or labels.parent != _folder() or not labels.name.startswith(_READ_TABLE):
            return config
        table = self._write_read_studies(_lineage(base_bundle(config.model)))
        return replace(config, data=replace(config.data, labels=str(table)))

    def _with_findings(self, config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
        """`_placed`, with a new folder for the findings corrected in the viewer, and the words that have it written."""
        placed, asked = self._placed(config), str(_folder() / _FINDINGS)
        if not any(one.folder.startswith(asked) for one in (*placed.lesions, *placed.images)):
            return placed, ()
        _remove_unused_findings()
        new = str(_folder() / f"{_FINDINGS}-{secrets.token_hex(6)}")  # what a paused run needs is not written over
        lesions, images = (
            tuple(replace(one, folder=new) if one.folder.startswith(asked) else one for one in sets)
            for sets in (placed.lesions, placed.images)
        )
        return replace(placed, lesions=lesions, images=images), ("--findings", new)

    def _write_read_studies(self, compared: tuple[str, ...]) -> Path:
        from ctviewer.datasets.read_studies import ReadStudies as Source
        from ctviewer.datasets.read_studies import export_read_studies

        studies = self._store.labelled_studies()
        if not studies:
            raise InputError("No study was read and given a class in the viewer yet.")
        source, new = Source(studies, compared), _folder() / f"{_READ_TABLE}.csv"
        export_read_studies(source, new)
        digest = hashlib.sha256(new.read_bytes()).hexdigest()[:12]
        return new.replace(_folder() / f"{_READ_TABLE}-{digest}.csv")  # one that a paused run needs is not written over

    def _read_studies(self) -> ReadStudies:
        accepted: dict[str, int] = {}
        classes: dict[str, int] = {}
        studies, own = self._store.labelled_studies(), 0
        for study in studies:
            answer = study.label.accepted
            own += answer is None
            if answer is not None:
                accepted[answer.model] = accepted.get(answer.model, 0) + 1
            for name in study.label.classes:
                classes[name] = classes.get(name, 0) + 1
        return ReadStudies(own, accepted, classes, len({study.patient for study in studies}))


def _base(bundle: Bundle, active: bool) -> BaseModel:
    m = bundle.metadata
    one_shot = m.task == ONE_SHOT
    return BaseModel(
        bundle.key,
        m.title,
        m.image_classes if one_shot else m.classes,
        m.negative_class,
        active,
        m.licence,
        m.trained_on,
        m.limits,
        m.task,
        outlined=m.classes[1:] if one_shot else (),
        lends=lends(m),
        restriction=m.restriction,
    )


def looks_at(bundle: Bundle) -> int:
    """How often models were judged by the hold-out of a version, its own run included; 0 where nobody knows."""
    run = bundle.metadata.run
    if run is None or not run.holdouts:
        return 0
    return 1 + sum(run.holdouts[0].looks.values())


def _lineage(base: Bundle | None) -> tuple[str, ...]:
    """SHA-256 of the weights of a bundle and of all that it descends from, as far as they are installed."""
    by_key = {bundle.key: bundle for bundle in installed().scan()[0]}
    found: dict[str, str] = {}
    while base is not None and base.key not in found:
        found[base.key] = base.metadata.weights_sha256
        base = by_key.get(base.metadata.parent or "")
    return tuple(found.values())


def _unfinished(one: RunEntry) -> UnfinishedRun:
    return UnfinishedRun(one.folder, one.told.title, _when(one.told.changed), _STATES[one.state])


def _when(changed: str) -> str:
    """A time in local words: "today 14:02", "2026-11-20 09:15"; "" where it is not known."""
    try:
        then = datetime.fromisoformat(changed).astimezone()
    except ValueError:
        return ""
    day = "today" if then.date() == datetime.now().astimezone().date() else f"on {then:%Y-%m-%d}"
    return f"{day} at {then:%H:%M}"


def _folder() -> Path:
    """Where the window keeps what it hands to the process. Raises StorageError."""
    folder = data_folder() / "training"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be used: {reason(error)}.") from error
    return folder


def _remove_unused_findings() -> None:
    """Sets of findings that were checked once, and that no run of this computer learned from."""
    used: set[Path] = set()
    for run in list_runs(runs_folder()):
        with contextlib.suppress(CtviewerError):  # told where it is resumed
            config = read_config(run.folder / CONFIG)
            used |= {Path(one.folder) for one in (*config.lesions, *config.images)}
    left = _folder().glob(f".{_FINDINGS}-*")  # half written by a process that was killed
    for folder in (*_folder().glob(f"{_FINDINGS}-*"), *left):
        with contextlib.suppress(OSError):
            if folder not in used and time.time() - folder.stat().st_mtime > _KEPT_FINDINGS:
                shutil.rmtree(folder, ignore_errors=True)


def _report() -> tuple[str, str]:
    """What the check found is kept for the run, which need not read all studies once more."""
    return "--report", str(_folder() / _REPORT)


def _written(config: RunConfig) -> Path:
    """The configuration as a file. Raises CtviewerError."""
    path = _folder() / _DRAFT
    write_config(path, config)
    return path


def _command(*arguments: str) -> ChildCommand:
    """This program in a process of its own, with this one's modules and none of the working folder."""
    python = Path(sys.executable)
    if python.name.lower() == "pythonw.exe":  # it has no standard output
        python = python.with_name("python.exe")
    home = str(Path(ctviewer.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    environment = {"PYTHONPATH": paths, "PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1"}
    # its threads wait asleep: those that wait awake take the processor from the viewer, and the run itself gets slower
    environment["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    return ChildCommand((str(python), "-P", "-m", "ctviewer", *arguments), environment)
