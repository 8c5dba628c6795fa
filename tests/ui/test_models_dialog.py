"""The list of models: versions below what they were made from; activated, rolled back and compared by one click each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.comparison import Comparison, Difference, Sides
from ctviewer.ui.binders.models import ModelsBinder
from ctviewer.ui.finetune.services import FinishedRun
from ctviewer.ui.models_dialog import ModelsDialog, answers_text
from ctviewer.ui.presenters.models import ModelsPresenter
from ctviewer.ui.services import ModelCard

BASE = ModelCard(
    "Starter", "1.0.0", "study_classifier", "MIT", "No.", "phantoms", False, "# Base card", "starter 1.0.0"
)
CHILD = replace(BASE, version="1.1.0", active=True, card="# Child card", key="starter 1.1.0", parent="starter 1.0.0")
GRAND = replace(CHILD, version="1.2.0", active=False, card="# Grandchild", key="starter 1.2.0", parent="starter 1.1.0")
DETECTOR = replace(BASE, title="Detector", task="one_shot", active=True, key="detector 1.0.0")
CARDS = (DETECTOR, BASE, CHILD, GRAND)
OPEN = Difference("AUC-ROC, any finding", 0.7, 0.72, -0.05, 0.09, False, 40)


def comparison(main: Difference = OPEN) -> Comparison:
    sides = Sides(1, 1, 1, 1)
    return Comparison(
        "starter 1.1.0", "starter 1.2.0", ("a", "b"), "a", 4, 4, 0.5, 0.5, (main,), sides, (), (), (), None, None
    )


def result_for(key: str) -> FinishedRun:
    if key != GRAND.key:
        return FinishedRun(Path(), key)
    return FinishedRun(Path("run"), key, CHILD.key, False, comparison(), doubts=("The interval includes zero.",))


@pytest.fixture
def dialog(qtbot) -> ModelsDialog:
    made = ModelsDialog(result_for)
    qtbot.addWidget(made)
    made.set_models(CARDS, ("A bundle is damaged.",), lambda task: BASE.key if task == "study_classifier" else "")
    made.show()
    return made


def tree_of(item) -> dict:
    return {item.child(i).text(0): tree_of(item.child(i)) for i in range(item.childCount())}


def test_versions_hang_below_what_they_were_made_from(dialog):
    assert tree_of(dialog.tree.invisibleRootItem()) == {
        "One-shot models (lesions and slice class)": {"Detector 1.0.0": {}},
        "Study classifiers": {"Starter 1.0.0": {"Starter 1.1.0": {"Starter 1.2.0": {}}}},
    }


def test_a_parent_that_is_gone_or_a_circle_leaves_nothing_out(dialog):
    orphan = replace(GRAND, parent="gone 1.0.0")
    circle = [replace(BASE, parent=CHILD.key), CHILD]
    dialog.set_models((orphan, *circle), ())
    assert tree_of(dialog.tree.invisibleRootItem()) == {
        "Study classifiers": {"Starter 1.0.0": {}, "Starter 1.1.0": {}, "Starter 1.2.0": {}}
    }


def test_the_card_of_what_is_chosen_is_shown(dialog):
    dialog._choose(CHILD.key)
    assert dialog._title.text() == "Starter 1.1.0, in use" and "Child card" in dialog.card.toPlainText()
    assert dialog._made_from.text() == "Made from starter 1.0.0. Licence: MIT."
    rows = [dialog.tree.currentItem(), dialog.tree.currentItem().parent()]
    assert [[row.text(column) for column in (1, 2)] for row in rows] == [["MIT", "● in use"], ["MIT", ""]]
    assert dialog._restriction.isHidden()


def test_a_restriction_stands_beside_the_licence(dialog):
    bound = replace(DETECTOR, licence="CC BY-NC-SA 4.0", restriction="Not for commercial use.")
    dialog.set_models((bound, BASE), ())
    dialog._choose(bound.key)
    assert dialog._made_from.text() == "Licence: CC BY-NC-SA 4.0."
    assert dialog._restriction.text() == "Not for commercial use." and not dialog._restriction.isHidden()
    row = dialog.tree.currentItem()
    assert row.text(1) == "CC BY-NC-SA 4.0" and "Not for commercial use." in row.toolTip(1)
    dialog._choose(BASE.key)
    assert dialog._restriction.isHidden()


def test_what_is_in_use_can_be_rolled_back_and_the_rest_activated(dialog, qtbot):
    dialog._choose(CHILD.key)
    assert dialog.activate.isHidden() and dialog.roll_back.text() == "&Roll back to starter 1.0.0"
    with qtbot.waitSignal(dialog.roll_back_requested) as asked:
        dialog.roll_back.click()
    assert asked.args == ["study_classifier"]
    dialog._choose(GRAND.key)
    assert dialog.roll_back.isHidden()
    with qtbot.waitSignal(dialog.activate_requested) as asked:
        dialog.activate.click()
    assert asked.args == [GRAND.key]
    dialog._choose(DETECTOR.key)
    assert not dialog.roll_back.isEnabled() and "No other model" in dialog.roll_back.toolTip()


def test_before_activating_what_may_be_chance_is_warned_of(dialog, qtbot):
    dialog._choose(GRAND.key)
    assert dialog._verdict.text().startswith("Against starter 1.1.0: These studies do not show which version is better")
    assert dialog._warning.text() == "The interval includes zero." and dialog._warning.isVisible()
    with qtbot.waitSignal(dialog.compare_requested) as asked:
        dialog.compare.click()
    assert asked.args == [GRAND.key]
    dialog._choose(CHILD.key)
    assert not dialog.compare.isEnabled() and "No comparison" in dialog.compare.toolTip()
    dialog._choose(BASE.key)
    assert dialog.compare.isHidden() and dialog._warning.isHidden()


def test_what_was_looked_at_stays_chosen(dialog):
    dialog._choose(GRAND.key)
    dialog.set_models([replace(one, active=one is GRAND) for one in CARDS], ())
    assert dialog._title.text() == "Starter 1.2.0, in use" and dialog._problems.count() == 0


def test_without_models_it_says_so(dialog):
    dialog.set_models((), ())
    assert dialog._title.text() == "No model is installed." and dialog.activate.isHidden()


class Services:
    """Two versions, of which one is used."""

    def __init__(self) -> None:
        self.used = [BASE.key]
        self.training = self

    def models(self):
        return tuple(replace(one, active=one.key == self.used[-1]) for one in (BASE, CHILD, GRAND)), ()

    def activate_model(self, key: str) -> None:
        if key == CHILD.key:
            raise InputError("The model is damaged.")
        self.used.append(key)

    def model_before(self, task: str) -> str:
        return self.used[-2] if len(self.used) > 1 else ""

    def roll_back_model(self, task: str) -> str:
        if len(self.used) < 2:
            raise InputError("There is no earlier model to go back to.")
        self.used.pop()
        return self.used[-1]

    def model_result(self, key: str) -> FinishedRun:
        return replace(result_for(key), active=self.used[-1] == key)

    def config_of(self, folder: Path) -> Path:
        return folder

    def place_of(self, config: Path, study: str) -> Path:
        if study == "gone":
            raise InputError("The study gone is not in the folder.")
        return config / study


@pytest.fixture
def binder(qtbot):
    from PySide6.QtWidgets import QWidget

    window = QWidget()
    qtbot.addWidget(window)
    services = Services()
    made = ModelsBinder(ModelsPresenter(services, window), window)
    made.show_dialog()
    made.services = services
    yield made
    made.shut_down()


def test_activating_and_rolling_back_hold_at_once_wherever_they_are_asked_for(binder, qtbot):
    dialog, services = binder.dialog, binder.services
    dialog._choose(GRAND.key)
    dialog.compare.click()
    page = binder.page
    assert page.isVisible() and not page.activate.isHidden()
    page.activate.click()
    assert services.used == [BASE.key, GRAND.key] and dialog._title.text() == "Starter 1.2.0, in use"
    assert page.activate.isHidden() and not page.roll_back.isHidden()
    dialog.roll_back.click()
    assert services.used == [BASE.key] and not page.activate.isHidden()
    dialog._choose(GRAND.key)
    dialog.activate.click()
    page.roll_back.click()
    assert services.used == [BASE.key]


def test_where_the_chosen_model_is_gone_another_of_its_task_is_shown(dialog):
    dialog._choose(CHILD.key)
    others = tuple(card for card in CARDS if card.key != CHILD.key)
    dialog.set_models(others, ())
    assert dialog._key == BASE.key
    dialog._choose(GRAND.key)
    dialog.set_models((DETECTOR, BASE, CHILD), ())
    assert dialog._key == CHILD.key, "the one in use"


def test_why_something_could_not_be_done_is_shown(binder):
    binder.dialog._choose(CHILD.key)
    binder.dialog.activate.click()
    assert binder.dialog._failure.text() == "The model is damaged." and binder.dialog._failure.isVisible()
    binder.refresh()
    assert not binder.dialog._failure.isVisible()


def test_studies_of_a_comparison_open_where_the_run_is_kept(binder, qtbot):
    binder.dialog._choose(GRAND.key)
    binder.dialog.compare.click()
    with qtbot.waitSignal(binder.study_requested) as asked:
        binder.page.study_requested.emit("s1")
    assert asked.args == [Path("run") / "s1"]
    with qtbot.assertNotEmitted(binder.study_requested):
        binder.page.study_requested.emit("gone")
    assert "The study gone" in binder.dialog._failure.text()
    assert "The study gone" in binder._failure.text() and binder._failure.isVisible(), "where it was asked for too"
    binder.page.study_requested.emit("s1")
    assert not binder._failure.isVisible()


def test_the_window_lists_its_models_and_tells_of_a_result_of_another(ready, qtbot, services):
    ready.actions_["analyse"].trigger()
    qtbot.waitUntil(lambda: ready.analysing.state.result is not None)
    ready.actions_["models"].trigger()
    dialog = ready.models.dialog
    assert (
        dialog._title.text() == "Test classifier 1.0.0, in use"
        and "damaged" in dialog._problems.itemAt(0).widget().text()
    )
    shown = []
    ready.parts.result.show_result = lambda _result, stale: shown.append(stale)
    services.current = False
    ready.choosing.activate("test 1.0.0")
    assert shown and "model" in shown[-1]


def test_what_a_model_outlines_and_tells_apart_is_said(dialog):
    shot = replace(DETECTOR, outlined=("lung", "ggo"), classes=("control", "covid"))
    dialog.set_models((shot, BASE), ())
    dialog._choose(shot.key)
    assert dialog._answers.text() == "Outlines lung, ggo. Classes of slices: control, covid."
    dialog._choose(BASE.key)
    assert dialog._answers.isHidden(), "nothing is known of it"
    assert answers_text(replace(BASE, classes=("a", "b"))) == "Classes of studies: a, b."
    assert answers_text(replace(shot, classes=())).endswith("It tells no classes of slices.")
