"""The first page for one-shot models: sets of slices, their classes, starts, recipes, and a configuration of it all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel

from ctviewer.models.metadata import ONE_SHOT
from ctviewer.nets.one_shot import options
from ctviewer.training.config import BACKBONES, LEVELS, DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.config_check import check
from ctviewer.training.recipes import RECIPES
from ctviewer.ui.finetune import model_panel
from ctviewer.ui.finetune.data_page import DataPage
from ctviewer.ui.finetune.recipe_panel import recipes_for
from ctviewer.ui.finetune.services import BaseModel, TrainingChoices
from ctviewer.ui.finetune.set_row import classes_of, summary_of
from ctviewer.ui.presenters.looking import FoundClass
from ctviewer.ui.presenters.looking_sets import FoundSet

STUDIES = BaseModel("starter 0.1.0", "Starter", ("well", "covid"), "well", True, lends=True)
OLD = BaseModel("ancient 1.0.0", "Ancient", ("a", "b"))
LUNG = BaseModel("shot 1.0.0", "Shot", ("control", "covid"), "control", True, task=ONE_SHOT, outlined=("lung", "ggo"), lends=True)  # fmt: skip
FINDINGS = Path("/data/training/corrected-findings")
CHOICES = TrainingChoices((STUDIES, LUNG, OLD), findings=FINDINGS)
OUTLINED = FoundSet(3, 2, 40, ("lung", "ggo"))
CLASSED = FoundSet(9, 8, None, (), (FoundClass("control", 4, 4), FoundClass("covid", 5, 4)), (("", 7), ("test", 2)))


@pytest.fixture
def page(qtbot) -> DataPage:
    made = DataPage()
    qtbot.addWidget(made)
    made.set_choices(CHOICES)
    made.show()
    made.task.choice.button(ONE_SHOT).click()
    return made


def add(panel, folder: Path, found: FoundSet | None = None, problem: str = ""):
    """A set as a reader adds it, and the answer of a look."""
    panel.add.click()
    row = panel.rows[-1]
    row.folder._give(str(folder))
    if found is not None or problem:
        row.set_found(found, problem)
    return row


def pick(combo, key: str) -> None:
    combo.setCurrentIndex(combo.findData(key))
    combo.activated.emit(combo.currentIndex())


def shown(widget) -> bool:
    return not widget.isHidden()


def test_the_kind_of_model_decides_what_is_asked(page):
    of_studies, of_slices = (page.studies, page.classes), (page.lesions, page.images, page.merge)
    assert not any(map(shown, of_studies)) and all(map(shown, of_slices))
    assert page.missing == "Add a set of slices with outlined lesions."
    assert page.model.chosen_base == LUNG and page.model.base.count() == 1
    page.task.choice.button("study_classifier").click()
    assert all(map(shown, of_studies)) and not any(map(shown, of_slices))
    assert page.model.chosen_base == STUDIES and page.config().recipe == RECIPES["tuned"]
    assert page.config().task == "study_classifier" and page.config().model.size == 256


def test_a_set_is_looked_at_and_said_to_be_what_it_is(page, qtbot, tmp_path):
    with qtbot.waitSignal(page.set_look_requested) as asked:
        row = add(page.lesions, tmp_path)
    key, one, kind = asked.args
    assert (one, kind) == (SliceSet("studies", str(tmp_path)), "lesions")
    assert page.missing == "Set 1 of the lesions is being looked at." and row._summary.text() == "Looking at the set…"
    with qtbot.waitSignal(page.ready_changed) as ready:
        page.set_found_set(key, OUTLINED, "")
    assert ready.args == [True] and row._summary.text() == "40 slices in 3 scans of 2 patients."
    assert row._classes.text() == "Outlines lung and ggo."
    page.set_found_set(("images", 99), CLASSED, "")  # of a set that is gone
    assert "3 scans of 2 patients; slices are counted by the check." in summary_of(replace(OUTLINED, slices=None))
    assert "patients unknown" in summary_of(replace(OUTLINED, patients_known=False))
    assert classes_of(CLASSED) == "control (4 scans), covid (5 scans). It gives 2 scans to test."


def test_what_is_wrong_with_a_set_stands_at_the_set(page, tmp_path):
    row = add(page.lesions, tmp_path, problem="labels.csv is not there.")
    assert row._error.text() == "labels.csv is not there." and shown(row._error)
    assert page.missing == "Set 1 of the lesions cannot be used."
    row.set_found(OUTLINED, "")
    row.values.setText("bright")
    row.values.editingFinished.emit()
    assert "bright" in row._error.text() and not page.ready


def test_a_format_says_how_its_folder_looks_and_whether_it_has_a_list(page, tmp_path, qtbot):
    row = add(page.images, tmp_path, CLASSED)
    assert row._form.isRowVisible(row.table) and "labels.csv" in row._told.text()
    row.table._give("mine.csv")
    pick(row.format, "covidx")
    assert "a list each" in row._told.text() and row.value.table == "", "a list of one format is none of another"
    lesions = add(page.lesions, tmp_path, OUTLINED)
    pick(lesions.format, "cncb")
    lesions.table.set_text("mine.csv")
    assert not lesions._form.isRowVisible(lesions.table) and lesions.value.table == ""
    assert lesions._rest.isRowVisible(lesions.complete)
    assert row.complete.parent() is None or not row.complete.isVisible(), "classes are not complete"


def test_what_a_set_does_not_say_is_stated(page, tmp_path):
    row = add(page.lesions, tmp_path / "Ulm", OUTLINED)
    for field, key in ((row.part, "external:"), (row.complete, "no")):
        pick(field, key)
    row.values.setText("window=-600/1500")
    row.own.setChecked(True)
    assert row.value == SliceSet("studies", str(tmp_path / "Ulm"), "", "external:Ulm", "no", "window=-600/1500", True)


def test_sets_are_taken_away_and_numbered_anew(page, tmp_path, qtbot):
    first, second = add(page.lesions, tmp_path / "a", OUTLINED), add(page.lesions, tmp_path / "b", OUTLINED)
    assert second._title.text() == "Set 2"
    with qtbot.waitSignal(page.set_forgotten):
        first.remove.click()
    assert second._title.text() == "Set 1" and page.config().lesions == (SliceSet("studies", str(tmp_path / "b")),)


def test_findings_corrected_in_the_viewer_are_a_set_by_one_click(page, qtbot):
    with qtbot.waitSignal(page.findings_look_requested) as asked:
        page.lesions.add_findings.click()
    page.set_found_set(asked.args[0], replace(OUTLINED, told="All of them were reviewed completely."), "")
    (row,) = page.lesions.rows
    assert "2 patients. All of them were reviewed completely." in row._summary.text() and page.ready
    assert (
        not shown(page.lesions.add_findings)
        and not row.folder.isVisible()
        and "never judge a model" in row._told.text()
    )
    assert page.config().lesions == (SliceSet("studies", str(FINDINGS)),)
    with qtbot.waitSignal(page.findings_look_requested):  # they may be others by now
        page.set_choices(CHOICES)
    assert not page.ready
    earlier = replace(page.config(), lesions=(SliceSet("studies", f"{FINDINGS}-0123456789ab"),))
    page.set_config(earlier)
    assert page.lesions.rows[0].findings and page.config().lesions[0].folder == str(FINDINGS)


def test_slices_reviewed_in_the_viewer_are_a_set_with_classes_by_one_click(page, qtbot):
    """A department whose only labels are its own keeps the classes of slices too."""
    with qtbot.waitSignal(page.findings_look_requested) as of_lesions:
        page.lesions.add_findings.click()
    with qtbot.waitSignal(page.findings_look_requested) as of_images:
        page.images.add_findings.click()
    assert (of_lesions.args[1], of_images.args[1]) == ("lesions", "images") and not shown(page.images.add_findings)
    page.set_found_set(of_lesions.args[0], OUTLINED, "")
    page.set_found_set(of_images.args[0], CLASSED, "")
    (row,) = page.images.rows
    assert "have the class that you stated for the study" in row._told.text() and page.ready
    config = page.config()
    assert config.images == config.lesions == (SliceSet("studies", str(FINDINGS)),)
    page.set_config(replace(config, images=(SliceSet("studies", f"{FINDINGS}-0123456789ab"),)))
    assert page.images.rows[0].findings and page.config().images == config.images


def test_slices_of_one_stated_class_are_for_the_check_to_judge(page, tmp_path):
    """Those that were reviewed completely and have no lesion are of another."""
    add(page.lesions, tmp_path, OUTLINED)
    add(page.images, tmp_path, replace(CLASSED, classes=CLASSED.classes[1:]))
    assert page.ready, page.missing


def test_what_is_dropped_is_a_set(page, tmp_path):
    page._take(tmp_path)
    page.lesions.rows[0].set_found(OUTLINED, "")
    page._take(tmp_path)
    page.images.rows[0].set_found(CLASSED, "")
    assert len(page.lesions.rows) == len(page.images.rows) == 1 and page.images.rows[0].folder.text == str(tmp_path)
    table = tmp_path / "list.txt"
    table.write_text("")
    page._take(table)
    assert page.images.rows[0].table.text == str(table)


def test_classes_are_merged_by_name(page, tmp_path):
    add(page.lesions, tmp_path, replace(OUTLINED, outlined=("lung", "ground glass", "consolidation")))
    add(page.images, tmp_path, CLASSED)
    boxes = page.merge.boxes
    assert (
        set(boxes) == {"lung", "ground glass", "consolidation", "control", "covid"} and page.config().model.merge == {}
    )
    for name in ("ground glass", "consolidation"):
        boxes[name].setEditText("infection")
        boxes[name].lineEdit().editingFinished.emit()
    assert page.config().model.merge == {"ground glass": "infection", "consolidation": "infection"}
    assert "does not know (infection): the last layers for them are learned anew" in page.model._fit.text()
    pick(boxes["lung"], "")
    assert page.config().model.merge["lung"] == "" and page.ready
    pick(boxes["covid"], "")
    assert page.missing == "Slices are learned as one class: there is nothing to tell apart."
    pick(boxes["covid"], "covid")
    pick(boxes["lung"], "ground glass")
    assert "lung is learned as ground glass, which is itself learned as infection" in page.missing


def test_the_class_without_a_finding_is_the_base_s_or_goes_by_its_name(page, tmp_path):
    add(page.lesions, tmp_path, OUTLINED)
    add(page.images, tmp_path, CLASSED)
    assert page.merge.negative.currentText() == "as in the base model (control)"
    page.model.set_bases(())
    page._follow()
    assert page.merge.negative.currentText() == "by its name (control)" and page.config().model.negative_class == ""
    pick(page.merge.negative, "covid")
    assert page.config().model.negative_class == "covid"


def test_starts_offer_what_fits(page, tmp_path):
    add(page.lesions, tmp_path, OUTLINED)
    assert (
        "all that it learned is kept" in page.model._fit.text() and "Outlines: lung, ggo." in page.model._about.text()
    )
    pick(page.model.start, "domain")
    assert {page.model.base.itemData(i) for i in range(page.model.base.count())} == {STUDIES.key, LUNG.key}
    pick(page.model.base, STUDIES.key)
    assert page.missing == "Give the new model a name.", "it is no version of a model of another kind"
    assert "as in the base model" not in page.merge.negative.currentText()
    pick(page.model.start, "scratch")
    page.version.title_field.setText("Ours")
    pick(page.model.encoder, "resnext101")
    pick(page.model.levels, "single")
    pick(page.model.input_size, "384")
    model = page.config().model
    assert (model.encoder, model.net, model.size, model.crop) == ("resnext101", {"levels": "single"}, 384, 384)
    assert page.config().recipe == RECIPES["one-shot-scratch"] and page.ready
    pick(page.model.start, "base")
    assert page.config().recipe == RECIPES["one-shot-tuned"] and page.config().model.net == {}


def test_what_is_offered_is_what_there_is():
    assert BACKBONES == options.BACKBONES and LEVELS == options.LEVELS
    assert {key for key, _ in model_panel._ENCODERS[ONE_SHOT]} == set(BACKBONES)
    assert {key for key, _ in model_panel._LEVELS} == set(LEVELS)


def test_recipes_fit_the_task_and_the_start():
    names = {start: [one.name for one in recipes_for(ONE_SHOT, start)] for start in ("base", "imagenet", "scratch")}
    assert names["base"] == ["one-shot-tuned", "one-shot-paper", "one-shot-transfer"]
    assert names["imagenet"] == ["one-shot-tuned", "one-shot-paper"] and names["scratch"] == ["one-shot-scratch"]
    shown_once = {
        one.name for start in names for one in (*recipes_for(ONE_SHOT, start), *recipes_for("study_classifier", start))
    }
    assert shown_once == set(RECIPES)


def test_numbers_of_one_shot_recipes_are_changed_and_said(page):
    pick(page.recipe.recipe_box, "one-shot-transfer")
    assert page.advanced.per_class.value() == 300 and shown(page.advanced._columns[-1])
    assert not shown(page.advanced._columns[-2]) and "Slices a step" in page.advanced.batch.accessibleName()
    page.advanced.per_class.setValue(0)
    pick(page.advanced.losses, "sum")
    assert page.recipe._altered.text() == "Changed from this recipe: steps of both kinds, slices of each class."
    recipe = page.config().recipe
    assert (recipe.losses, recipe.per_class, recipe.copy) == ("sum", 0, "best")
    assert page.advanced.per_class.text() == "all of them"


def test_an_earlier_run_is_shown_again_and_the_configuration_can_be_trained(page, tmp_path):
    earlier = RunConfig(
        DataConfig("", shares=(0.5, 0.3, 0.2), folds=7),
        ModelConfig(
            "mine", "mine", "imagenet", encoder="resnet18", size=320, crop=320, merge={"ggo": "infection"},
            net={"levels": "single", "sieve": 2}, negative_class="control",
        ),
        replace(RECIPES["one-shot-paper"], epochs=3),
        seed=5,
        device="cpu",
        task=ONE_SHOT,
        lesions=(SliceSet("cncb", str(tmp_path), "", "train", "no", "window=-600/1500", True), SliceSet("lidc", str(tmp_path))),
        images=(SliceSet("covidx", str(tmp_path), "x.txt", "external:Ulm"),),
    )  # fmt: skip
    page.task.choice.button("study_classifier").click()
    page.set_config(earlier)
    for row in page.lesions.rows:
        row.set_found(OUTLINED, "")
    page.images.rows[0].set_found(CLASSED, "")
    assert page.ready and page.config() == earlier
    check(page.config())


@pytest.mark.parametrize("start", ["base", "domain", "imagenet", "scratch"])
@pytest.mark.parametrize("task", ["study_classifier", ONE_SHOT])
def test_each_letter_leads_to_one_place(page, task, start, tmp_path):
    page.task.choice.button(task).click()
    pick(page.model.start, start)
    page.fold.button.setChecked(True)
    add(page.lesions, tmp_path, OUTLINED)
    add(page.images, tmp_path, CLASSED)
    told = [w.text() for kind in (QLabel, QAbstractButton) for w in page.findChildren(kind) if w.isVisibleTo(page)]
    letters = [text[text.index("&") + 1].lower() for text in told if "&" in text]
    assert sorted(letters) == sorted(set(letters)), told
