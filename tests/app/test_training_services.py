"""What the fine-tuning window is given: choices, runs that can go on, and a process that really trains."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.app.runs import runs_folder
from ctviewer.app.training import AppTraining
from ctviewer.core.errors import InputError
from ctviewer.core.events import Message
from ctviewer.core.geometry import Geometry
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import LabelledStudy, SeenAnswer, StudyLabel
from ctviewer.datasets.label_table import read_labels
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import SAMPLES
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.jobs import ChildCommand
from ctviewer.training import run_folder
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.config_file import read_config
from ctviewer.training.recipes import RECIPES
from ctviewer.training.run_lock import hold
from ctviewer.training.run_record import append_events
from ctviewer.ui.finetune.state import Phase
from ctviewer.ui.presenters.training import TrainingPresenter

ENDED = (Phase.PAUSED, Phase.CANCELLED, Phase.FINISHED, Phase.FAILED)


class Store:
    """A work store with labelled studies."""

    def __init__(self) -> None:
        self.studies: tuple[LabelledStudy, ...] = ()

    def labelled_studies(self) -> tuple[LabelledStudy, ...]:
        return self.studies


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def services(store, private_folders) -> AppTraining:
    return AppTraining(store, "auto")


@pytest.fixture
def config(tmp_path) -> RunConfig:
    return RunConfig(DataConfig(str(tmp_path / "opened")), ModelConfig("lung", "Lung", start="scratch"))


@pytest.fixture
def read_studies(store, tmp_path, tiny_models) -> tuple[LabelledStudy, ...]:
    """One that the base had answered before, and agreed with; one of the reader's own."""
    (tmp_path / "s").mkdir()
    base = tiny_models[0].info
    seen = SeenAnswer(base.name, base.version, base.sha256, ("infection",))
    labels = StudyLabel(("infection",), (seen,)), StudyLabel(("clear",))
    store.studies = tuple(
        LabelledStudy(f"content {n}", f"key {n}", tmp_path / "s", f"patient {n}", label, Interpretation())
        for n, label in enumerate(labels)
    )
    return store.studies


def write_run(config: RunConfig, state: str, title: str = "") -> Path:
    folder = run_folder.create(runs_folder(), config, title)
    if state != run_folder.NEW:
        run_folder.set_state(folder, state)
    return folder


def test_a_run_that_is_gone_is_said_to_be_gone(services):
    with pytest.raises(InputError, match="is not there any more"):
        services.config_of(runs_folder() / "20261122-101500-run")


def test_choices_name_the_models_of_each_task_the_active_ones_first(services, tiny_models, read_studies):
    choices = services.choices()
    assert [base.active for base in choices.bases[:3]] == [True, True, False]
    by_task = {base.task: base for base in choices.bases if base.active}
    first = by_task["study_classifier"]
    assert first.key == tiny_models[0].key
    assert first.classes == ("clear", "infection", "other") and first.negative_class == "clear" and not first.outlined
    detector, m = by_task["one_shot"], tiny_models[1].metadata
    assert detector.key == tiny_models[1].key and detector.lends
    assert detector.outlined == m.classes[1:] and detector.classes == m.image_classes
    assert [name for name, _ in choices.devices][:2] == ["auto", "cpu"]
    assert choices.read_studies == 2 and choices.read.own == 1 and choices.read.patients == 2
    assert choices.read.accepted == {f"{tiny_models[0].info.name} {tiny_models[0].info.version}": 1}
    assert choices.read.classes == {"infection": 1, "clear": 1}


def test_nothing_read_is_said(services):
    assert services.choices().read is None
    with pytest.raises(InputError, match="No study was read"):
        services.read_studies_table()


def test_the_table_of_studies_read_is_written_for_the_base_that_was_chosen(services, read_studies, tiny_models):
    table = services.read_studies_table()
    assert {row.split for row in read_labels(table)} == {""}
    config = RunConfig(DataConfig("", str(table)), ModelConfig(base=tiny_models[0].key))
    command = services.check(config)
    written = services._checked[1]
    rows = {row.classes: row.split for row in read_labels(Path(written.data.labels))}
    assert rows == {("infection",): "train-only", ("clear",): ""}, "what the base had said judges it not"
    assert Path(written.data.labels) != table, "a run that has the other table keeps it"
    assert "--check" in command.arguments
    assert "--accept-doubts" in services.begin(config).arguments
    assert read_config(data_folder() / "training" / "asked.toml").data.labels == written.data.labels


def test_the_process_is_this_program_apart_from_the_working_folder(services, config):
    command = services.check(config)
    assert isinstance(command, ChildCommand) and command.arguments[1:4] == ("-P", "-m", "ctviewer")
    assert command.arguments[4] == "train" and command.arguments[-2:] == ("--events", "jsonl")
    assert command.environment["OMP_WAIT_POLICY"] == "PASSIVE", "the viewer needs the processor too"
    with pytest.raises(InputError):
        services.check(replace(config, device="abacus"))


def test_runs_that_can_go_on(services, config):
    assert services.unfinished() == ()
    paused = write_run(config, run_folder.PAUSED, "A")
    killed = write_run(config, run_folder.RUNNING, "B")
    write_run(config, run_folder.FINISHED)
    write_run(config, run_folder.CANCELLED)
    failed = write_run(config, run_folder.FAILED, "C")
    found = {run.folder: run for run in services.unfinished()}
    assert {folder: run.state for folder, run in found.items()} == {
        paused: "paused",
        killed: "interrupted",
        failed: "failed",
    }
    assert found[paused].title == "A" and found[paused].changed.startswith("today at ")
    with hold(killed):
        assert killed not in {run.folder for run in services.unfinished()}, "it runs in another process"
        with pytest.raises(InputError, match="another process"):
            services.discard(killed)
    services.discard(paused)
    assert not paused.exists() and paused not in {run.folder for run in services.unfinished()}


def test_a_run_s_folder_tells_what_it_was_told_and_what_it_said(services, config, tmp_path):
    folder = write_run(config, run_folder.PAUSED)
    append_events(folder, [Message("It said this.")])
    assert services.config_of(folder) == config and list(services.said(folder)) == [Message("It said this.")]
    assert services.resume(folder).arguments[4:7] == ("train", "--resume", str(folder))
    run_folder.set_state(folder, run_folder.FINISHED)
    with pytest.raises(InputError, match="finished"):
        services.resume(folder)
    with pytest.raises(InputError, match="not made here"):
        services.discard(tmp_path)


def test_activating_and_rolling_back(services, tiny_models, tmp_path):
    before = installed().active("study_classifier").key
    bases = services.choices().bases
    starter = next(base.key for base in bases if base.task == "study_classifier" and not base.active)
    services.activate(starter)
    assert installed().active("study_classifier").key == starter
    assert services.result_of(tmp_path, starter).active and services.result_of(tmp_path, starter).comparison is None
    assert services.roll_back(starter) == before
    with pytest.raises(InputError, match="not installed"):
        services.activate("nothing 1.0.0")


def test_what_was_used_before_comes_back_for_the_task_at_hand_alone(services, tiny_models):
    before = {bundle.metadata.task: bundle.key for bundle in tiny_models}
    starter = next(base for base in services.choices().bases if base.task == "one_shot" and not base.active)
    services.activate(starter.key)
    assert services.roll_back(starter.key) == before["one_shot"]
    assert {task: installed().active(task).key for task in before} == before


@pytest.fixture
def slices(tmp_path, services) -> RunConfig:
    """A one-shot run from the findings corrected in the viewer and another set."""
    findings = SliceSet("studies", str(services.choices().findings))
    return RunConfig(
        DataConfig(""), ModelConfig("mine", start="scratch", size=64, crop=64), RECIPES["one-shot-scratch"],
        task="one_shot", lesions=(SliceSet("cncb", str(tmp_path / "cncb")), findings),
    )  # fmt: skip


def findings_of(command: ChildCommand) -> str:
    return command.arguments[command.arguments.index("--findings") + 1]


def test_findings_corrected_in_the_viewer_are_written_anew_for_each_check(services, slices):
    first = findings_of(services.check(slices))
    written = read_config(data_folder() / "training" / "asked.toml")
    assert [one.folder for one in written.lesions] == [slices.lesions[0].folder, first] and not Path(first).exists()
    begun = services.begin(slices)
    assert "--findings" not in begun.arguments, "a run learns from what was checked"
    assert read_config(data_folder() / "training" / "asked.toml") == written
    other = findings_of(services.begin(replace(slices, seed=4)))
    assert other != first and findings_of(services.check(replace(slices, lesions=written.lesions))) not in (
        first,
        other,
    )


def test_findings_are_one_set_for_lesions_and_for_classes(services, slices):
    both = replace(slices, images=(slices.lesions[1],))
    new = findings_of(services.check(both))
    written = read_config(data_folder() / "training" / "asked.toml")
    assert written.lesions[1].folder == written.images[0].folder == new
    only = replace(slices, lesions=slices.lesions[:1], images=(slices.lesions[1],))
    assert findings_of(services.check(only)) != new


def test_sets_of_findings_that_no_run_learned_from_go_after_a_day(services, slices):
    folder = services.choices().findings.parent
    used, unused, new = (folder / f"corrected-findings-{name}" for name in ("used", "unused", "new"))
    half = folder / ".corrected-findings-x.abc.part"
    for one in (used, unused, new, half):
        one.mkdir()
        (one / "labels.csv").write_text("")
    for one in (used, unused, half):
        os.utime(one, (time.time() - 90_000,) * 2)
    write_run(replace(slices, lesions=(SliceSet("studies", str(used)),)), run_folder.FINISHED)
    services.check(slices)
    assert [one.exists() for one in (used, unused, new, half)] == [True, False, True, False]


def test_a_scan_of_a_run_is_found_where_it_can_be_opened(services, slices, tmp_path):
    phantom = generate(PhantomSpec(1, Variant.COVID, Family.A, matrix=64, slices=6))
    for name in ("studies", "cncb"):
        SAMPLES[name](tmp_path / name, [phantom])
    sets = (SliceSet("cncb", str(tmp_path / "cncb")), SliceSet("studies", str(tmp_path / "studies")))
    config = replace(slices, lesions=sets, images=sets[1:])
    study = phantom.spec.name
    assert services.place_of(config, f"lesions/1/{study}") == tmp_path / "studies" / study
    assert services.place_of(config, f"images/0/{study}") == tmp_path / "studies" / study
    for scan, why in (
        ("lesions/0/0", "single pictures"),
        ("images/7/x", "no scan"),
        ("x", "no scan"),
        ("images/0/gone", "any more"),
    ):
        with pytest.raises(InputError, match=why):
            services.place_of(config, scan)
    findings = replace(slices, lesions=(slices.lesions[1],))
    written = Path(findings_of(services.check(findings)))
    SAMPLES["studies"](written, [phantom])
    assert services.place_of(findings, f"lesions/0/{study}") == written / study, "as they were written for this check"


@pytest.fixture
def toy_studies(tmp_path, chest_hu, volume_of) -> Path:
    """Twelve small chests of twelve patients; a class is told by the place of a bright square."""
    folder, rows = tmp_path / "opened" / "toys", ["study,patient,class,split"]
    rng = np.random.default_rng(0)
    for number in range(12):
        stored = chest_hu(4, 64).astype(np.int16) + rng.integers(-9, 9, (4, 64, 64), dtype=np.int16)
        stored[:, 26:34, 20:28] += 500 * (number % 2)
        origins = volume_of(stored).geometry.origins
        geometry = Geometry(stored.shape, origins, pixel_spacing=(3.0, 3.0))
        facts = SeriesAttributes(patient_id=f"T{number}", series_number=1)
        write_ct_series(folder / f"s{number}", stored, geometry=geometry, attributes=facts)
        rows.append(
            f"s{number},T{number},{('clear', 'infection')[number % 2]},{('train', 'train', 'val', 'test')[number // 3]}"
        )
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.mark.timeout(240)
def test_the_real_process_is_checked_and_stopped(services, toy_studies, qtbot, qapp):
    """Pausing, killing and resuming: `test_fine_tuning.py` of the end-to-end tests, and `training/test_steered.py`."""
    recipe = replace(RECIPES["scratch"], epochs=40, batch=2, calibrate=False, precision="float32", augmentation="none")
    model = ModelConfig("toy", "Toy", "scratch", encoder="resnet18", encoder_options={"width": 16}, size=64, crop=56)
    data = DataConfig(str(toy_studies), cross_validation="never")
    training = TrainingPresenter(services)

    def until(*phases: Phase) -> None:
        qtbot.waitUntil(lambda: training.state.phase in (*phases, *ENDED, Phase.IDLE), timeout=120_000)
        assert training.state.phase in phases, training.state.text

    def learned(step: int) -> None:
        def far_enough() -> bool:
            done = training.history.step.step if training.history.step is not None else 0
            return training.state.phase in ENDED or (training.state.phase is Phase.RUNNING and done >= step)

        qtbot.waitUntil(far_enough, timeout=120_000)
        assert training.state.phase is Phase.RUNNING, training.state.text

    training.check(RunConfig(data, model, recipe, device="cpu", checkpoint_minutes=0))
    until(Phase.CHECKED)
    assert training.state.report.studies == 12 and not training.state.report.blocked
    training.train()
    learned(3)
    assert training.state.folder.parent == runs_folder() and services.unfinished() == ()
    training.stop()
    until(Phase.FINISHED)
    result = training.state.result
    assert result.key == "toy 1.0.0" and not result.active and services.unfinished() == ()
    steps = training.history.current.steps[0]
    assert steps.tolist() == list(range(1, len(steps) + 1)), "every step once"
    training.activate()
    assert training.state.result.active and installed().active("study_classifier").key == "toy 1.0.0"
    assert services.place_of(training.state.config, "s3") == toy_studies / "s3"
    training.shut_down()
    training.deleteLater()
