"""The first page makes a configuration of what is chosen, shows one again, and says what is still missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QLineEdit, QPushButton, QVBoxLayout

from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.recipes import RECIPES
from ctviewer.ui.finetune.classes_panel import STATED
from ctviewer.ui.finetune.data_page import DataPage
from ctviewer.ui.finetune.services import BaseModel, ReadStudies, TrainingChoices
from ctviewer.ui.finetune.studies_panel import READ, hints, read_text
from ctviewer.ui.finetune.version_panel import slug
from ctviewer.ui.presenters.looking import FoundClass, FoundStudies

STARTER = BaseModel("starter 0.1.0", "Starter", ("well", "covid"), "well", True, "MIT", "trained on phantoms", "Never.")
OTHER = BaseModel("other 2.0.0", "Other", ("a", "b"))
CHOICES = TrainingChoices(
    (STARTER, OTHER),
    (("auto", "Automatic"), ("cpu", "CPU")),
    5,
    ReadStudies(3, {"Starter 0.1.0": 2}, {"covid": 2, "well": 3}, 4),
)
FOUND = FoundStudies(10, 8, (FoundClass("covid", 4, 2), FoundClass("well", 6, 6)), (("", 8), ("test", 2)), False, 3, 1)


@pytest.fixture
def page(qtbot) -> DataPage:
    made = DataPage()
    qtbot.addWidget(made)
    made.set_choices(CHOICES)
    made.show()
    return made


def fill(page: DataPage, folder: Path, found: FoundStudies = FOUND) -> None:
    page.studies.take(folder)
    page.set_found(folder, found, "")


def shown(widget) -> bool:
    return not widget.isHidden()


def test_it_starts_with_what_is_missing(page):
    assert not page.ready and page.missing == "Choose a folder of studies."


def test_a_folder_is_asked_about_and_its_classes_are_counted(page, qtbot, tmp_path):
    with qtbot.waitSignal(page.look_requested) as asked:
        page.studies.folder._give(str(tmp_path))
    assert asked.args == [tmp_path, None]
    assert page.missing == "The folder is being looked at." and not page.ready
    with qtbot.waitSignal(page.ready_changed) as ready:
        page.set_found(tmp_path, FOUND, "")
    assert ready.args == [True] and page.ready
    assert page.studies._summary.text() == "10 studies of 8 patients"
    assert page.studies._hints.text() == (
        "The table gives 2 test. 1 study of the table is not in the folder. 3 items of the folder are not in the table and will not be used."
    )
    assert "Your labels have its classes" in page.model._fit.text()


def test_the_parts_of_the_table_are_told_in_words_and_in_order():
    splits = (("external:Ulm", 3), ("test", 9), ("train", 9), ("val", 4))
    found = FoundStudies(25, 25, FOUND.classes, splits, False, 0, 0)
    assert hints(found) == ("The table gives 9 training, 4 validation, 9 test and 3 external (Ulm).",)


def test_shares_are_next_after_the_choice_that_wants_them(page, tmp_path):
    fill(page, tmp_path)
    chosen = page.classes.source.button("stated")
    chosen.click()
    spins = list(page.classes._spins.values())
    assert chosen.nextInFocusChain() is spins[0]
    after, between = spins[0].nextInFocusChain(), set()
    while after is not spins[1]:
        between.add(after)
        after = after.nextInFocusChain()
    assert not [one for one in between if isinstance(one, QPushButton | QComboBox)], "nothing else is in between"


def test_advanced_settings_come_into_view_when_they_are_unfolded(page, qtbot):
    page.resize(980, 600)
    page.fold.button.click()
    qtbot.waitUntil(lambda: page._area.verticalScrollBar().value() > 0)
    top = page.advanced.mapTo(page._area.viewport(), QPoint(0, 0)).y()
    assert top + page.advanced.height() // 2 < page._area.viewport().height()


def test_enter_gives_the_path_that_was_typed_and_opens_no_dialog(page, qtbot, tmp_path):
    window = QDialog()
    qtbot.addWidget(window)
    QVBoxLayout(window).addWidget(page)
    window.show()
    field = page.studies.folder.field
    pressed: list[bool] = []
    page.studies.folder.button.clicked.disconnect()  # the system's dialog would wait for somebody
    page.studies.folder.button.clicked.connect(lambda: pressed.append(True))
    QTest.keyClicks(field, str(tmp_path))
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert page.studies.folder.text == str(tmp_path) and not pressed
    page.setParent(None)


def test_an_answer_about_another_folder_is_dropped(page, tmp_path):
    page.studies.take(tmp_path)
    page.set_found(tmp_path / "other", FOUND, "")
    assert not page.ready


def test_why_a_folder_cannot_be_used_is_shown(page, tmp_path):
    page.studies.take(tmp_path)
    page.set_found(tmp_path, None, "labels.csv lists no studies.")
    assert page.studies._error.text() == "labels.csv lists no studies." and shown(page.studies._error)
    assert not page.ready


def test_folders_and_tables_can_be_dropped(page, qtbot, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("")
    for path, expected in ((tmp_path, [tmp_path, None]), (table, [tmp_path, table])):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        with qtbot.waitSignal(page.look_requested) as asked:
            page._drop.dropEvent(event)
        assert asked.args == expected


def test_studies_read_in_the_viewer_are_listed_with_whose_classes_they_are(page, qtbot):
    text = page.studies.source._explanations[READ].text()
    assert "5 studies of 4 patients: 3 with a class of your own and 2 accepted from Starter 0.1.0." in text
    assert "never used to judge that model" in text
    with qtbot.waitSignal(page.read_studies_requested):
        page.studies.source.button(READ).click()
    assert not page.ready
    page.set_read_studies(Path("read.csv"))
    assert page.ready and page.config().data.folder == "" and page.config().data.labels == "read.csv"
    with qtbot.waitSignal(page.read_studies_requested):  # they may be others by now
        page.set_choices(CHOICES)
    assert read_text(ReadStudies(own=1)) == "1 study: 1 with a class of your own."


def test_without_studies_read_there_is_nothing_to_choose(page):
    page.set_choices(TrainingChoices((STARTER,)))
    assert not page.studies.source.button(READ).isEnabled()
    assert "None yet" in page.studies.source._explanations[READ].text()


def test_the_configuration_says_what_was_chosen(page, tmp_path):
    fill(page, tmp_path)
    page.recipe.trained.button("last_two").click()
    page.version.title_field.setText("Große Klinik, COVID")
    page.version.device_box.setCurrentIndex(1)
    page.advanced.seed.setValue(7)
    page.advanced.epochs.setValue(11)
    page.advanced.splitting.setCurrentIndex(1)
    page.advanced.test.setValue(25)
    config = page.config()
    assert config.data == DataConfig(str(tmp_path), splitting="time", shares=(0.6, 0.15, 0.25))
    assert config.model == ModelConfig(name="groe-klinik-covid", title="Große Klinik, COVID", base="starter 0.1.0")
    assert config.recipe == replace(RECIPES["tuned-deep"], epochs=11)
    assert (config.seed, config.device) == (7, "cpu")


def test_what_is_not_shown_of_an_earlier_run_stays(page, tmp_path, qtbot):
    earlier = RunConfig(
        DataConfig(str(tmp_path), "x.csv", folds=7, shares=(0.5, 0.3, 0.2), prevalence={"covid": 0.1, "well": 0.9}),
        ModelConfig("mine", "mine", "base", "other 2.0.0", negative_class="well", size=128),
        replace(RECIPES["paper"], epochs=3, draws=2),
        seed=5,
        device="cpu",
        chunk=4,
    )
    with qtbot.waitSignal(page.look_requested):
        page.set_config(earlier)
    page.set_found(tmp_path, FOUND, "")
    assert page.config() == replace(earlier, data=replace(earlier.data, prevalence={}))  # it does not calibrate
    page.recipe.recipe_box.setCurrentIndex(0)
    page.recipe.recipe_box.activated.emit(0)
    assert page.config().data.prevalence == {"covid": 0.1, "well": 0.9}


def test_stated_frequencies_must_sum_to_one_hundred(page, tmp_path):
    fill(page, tmp_path)
    assert page.config().data.prevalence == {}
    page.classes.source.button(STATED).click()
    assert page.config().data.prevalence == {"covid": 0.25, "well": 0.75}
    page.classes._spins["covid"].setValue(5.0)
    assert page.missing == "The stated frequencies sum to 80.0 %, not to 100 %." and not page.ready
    page.classes._spins["well"].setValue(95.0)
    assert page.ready and page.config().data.prevalence == {"covid": 0.05, "well": 0.95}


def test_several_classes_of_a_study_need_not_sum_to_anything(page, tmp_path):
    fill(page, tmp_path, replace(FOUND, several=True))
    page.classes.source.button(STATED).click()
    page.classes._spins["covid"].setValue(5.0)
    assert page.ready


def test_a_recipe_says_what_was_changed_of_it(page):
    page.advanced.rate.setValue(0.01)
    assert page.recipe._altered.text() == "Changed from this recipe: learning rate."
    page.recipe.recipe_box.setCurrentIndex(page.recipe.recipe_box.findData("paper"))
    page.recipe.recipe_box.activated.emit(2)
    assert not shown(page.recipe._altered) and page.advanced.rate.value() == 0.001
    assert page.recipe.trained.value == "last_two" and "does not calibrate" in page.classes._uncalibrated.text()
    page.recipe.trained.button("none").click()
    assert page.config().recipe == replace(RECIPES["paper"], trainable="none")
    assert page.recipe._altered.text() == "Changed from this recipe: what is trained."


def test_random_weights_learn_by_their_own_recipe(page, tmp_path):
    fill(page, tmp_path)
    page.model.start.setCurrentIndex(page.model.start.findData("scratch"))
    page.model.start.activated.emit(3)
    assert page.config().recipe == RECIPES["scratch"] and page.config().model.base == ""
    assert not page.recipe.trained.button("none").isEnabled()
    assert page.missing == "Give the new model a name."
    page.version.title_field.setText("Ours")
    assert page.ready and page.config().model.start == "scratch"
    page.model.start.setCurrentIndex(0)
    page.model.start.activated.emit(0)
    assert page.config().recipe == RECIPES["tuned"]


def test_an_absent_file_of_weights_is_told(page, tmp_path):
    fill(page, tmp_path)
    page.version.title_field.setText("Ours")
    page.model.start.setCurrentIndex(page.model.start.findData("imagenet"))
    page.model.start.activated.emit(2)
    assert page.ready
    page.model.weights._give(str(tmp_path / "no.pth"))
    assert page.missing == "The file of ImageNet weights is not there."


def test_classes_the_base_does_not_know_are_named(page, tmp_path):
    fill(page, tmp_path, replace(FOUND, classes=(FoundClass("covid", 4, 2), FoundClass("TB", 6, 6))))
    assert "does not know (TB): its last layer is learned anew" in page.model._fit.text()


def test_what_pictures_mean_is_understood_or_refused_at_once(page, tmp_path):
    fill(page, tmp_path)
    page.advanced.values.setText("window=-600/1500")
    assert page.ready and page.config().data.values == "window=-600/1500"
    page.advanced.values.setText("bright")
    assert not page.ready and "bright" in page.missing


def test_choices_come_anew_and_what_was_chosen_stays(page):
    page.model.base.setCurrentIndex(1)
    page.model.base.activated.emit(1)
    page.version.device_box.setCurrentIndex(1)
    page.set_choices(replace(CHOICES, bases=(OTHER, STARTER), devices=(("cpu", "CPU"), ("cuda", "CUDA"))))
    assert page.config().model.base == "other 2.0.0" and page.config().device == "cpu"


def test_no_model_installed_is_told(page, tmp_path):
    fill(page, tmp_path)
    page.set_choices(TrainingChoices(()))
    assert page.missing == "No study classifier is installed: choose another start."


def test_a_problem_is_shown_until_something_is_changed(page):
    page.set_problem("The folder is gone.")
    assert page._problem.text() == "The folder is gone." and shown(page._problem)
    page.advanced.seed.setValue(3)
    assert not shown(page._problem)


def test_every_field_has_a_name_for_screen_readers_and_can_be_reached_by_keys(page):
    for kind in (QLineEdit, QComboBox):
        for field in page.findChildren(kind):
            spin = field.parent().metaObject().className().endswith("SpinBox") or field.objectName().startswith("qt_")
            assert spin or field.accessibleName(), field
            assert field.focusPolicy() & Qt.FocusPolicy.TabFocus or spin


@pytest.mark.parametrize(
    ("title", "name"), [("A  B-c!", "a-b-c"), ("Ärzte 2", "arzte-2"), ("肺", ""), ("x" * 99, "x" * 64)]
)
def test_titles_become_names_of_bundles(title, name):
    assert slug(title) == name
