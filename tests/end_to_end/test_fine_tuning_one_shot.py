"""A one-shot model fine-tuned from the window: sets of slices, pre-flight, training, comparison, activation, roll-back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import write_studies
from ctviewer.ui.finetune.state import Phase

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]

SOON, LONG = 60_000, 400_000
CLASSES = ("background", "lung", "ground glass", "consolidation")
SLICE_CLASSES = ("control", "common pneumonia", "COVID-19")


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    """Twelve generated patients, four of each class, 64 px: series, masks and a table, all reviewed completely."""
    folder = tmp_path_factory.mktemp("hospital") / "studies"
    variants = [variant for variant in Variant for _ in range(4)]
    specs = [PhantomSpec(seed, variant, Family.A, matrix=64, slices=8) for seed, variant in enumerate(variants)]
    write_studies(folder, [generate(spec) for spec in specs])
    return folder


@pytest.fixture
def base(make_one_shot, private_folders):
    """A one-shot model of these classes and of random weights, in use."""
    from ctviewer.app.folders import data_folder
    from ctviewer.app.models import installed
    from ctviewer.models.bundle import load_bundle

    made = make_one_shot(threshold=0.5, classes=CLASSES, image_classes=SLICE_CLASSES)
    target = data_folder() / "bundles" / made.metadata.name
    shutil.copytree(made.folder, target)
    bundle = load_bundle(target)
    installed().activate(bundle)
    return bundle


def choose(qtbot, hands, desk, studies: Path) -> None:
    """The same studies for both kinds of sets, as a department has them: one epoch, one split."""
    page = desk.data
    hands.click(page.task.choice.button("one_shot"))
    for panel in (page.lesions, page.images):
        hands.click(panel.add)
        (row,) = panel.rows
        hands.type_path(row.folder, studies)
        qtbot.waitUntil(lambda row=row: row.found is not None, timeout=SOON)
        assert row.found.scans == row.found.patients == 12
    assert page.lesions.outlined == CLASSES[1:] and page.ready, page.missing
    advanced = page.advanced
    advanced.folds.setCurrentIndex(advanced.folds.findData("never"))
    for spin, value in ((advanced.epochs, 1), (advanced.validation, 25), (advanced.test, 25)):
        spin.setValue(value)
    config = page.config()
    assert config.task == "one_shot" and config.recipe.name == "one-shot-tuned" and config.recipe.epochs == 1


def test_a_department_tunes_a_one_shot_model(qtbot, hands, start, base, studies):
    from ctviewer.app.models import in_use

    window = start()
    window.actions_["fine_tune"].trigger()
    training, desk = window.training, window.fine_tuning.dialog
    hands.bring_to_front(desk.dialog)
    choose(qtbot, hands, desk, studies)
    assert desk.data.model.chosen_base.key == base.key

    hands.press(desk.dialog, "Check the data")
    hands.wait_for(training, Phase.CHECKED, LONG)
    report = training.state.report
    assert report.unit == "scan" and report.studies == 24 and not report.blocked, report.findings
    assert report.slices["train/lesions"] and report.slices["test/images"]
    scan = report.split.test[0]
    with qtbot.waitSignal(window.reading.ready, timeout=SOON):
        desk.preflight.study_requested.emit(scan)
    hands.bring_to_front(desk.dialog)
    hands.accept_doubts(desk)

    hands.press(desk.dialog, "Start training")
    hands.wait_for(training, Phase.FINISHED, LONG)
    assert set(training.history.current.kinds) == {"lesions", "images"}, "a curve of each kind of steps"
    assert training.history.begun.unit == "scan"

    result, classifier = training.state.result, in_use("study_classifier").key
    assert desk.dialog.page is desk.comparison and result.parent == base.key and not result.active
    assert result.key == "tiny-one-shot 0.2.0" and result.doubts, "nothing shows that it is better"
    comparison = result.comparison
    assert comparison is not None and comparison.unit == "slice" and comparison.old == base.key
    hands.click(desk.comparison.activate)
    qtbot.waitUntil(lambda: training.state.result.active, timeout=SOON)
    assert in_use("one_shot").key == result.key
    hands.click(desk.comparison.roll_back)
    qtbot.waitUntil(lambda: not training.state.result.active, timeout=SOON)
    assert in_use("one_shot").key == base.key and in_use("study_classifier").key == classifier, "the task at hand alone"
    desk.dialog.close()
