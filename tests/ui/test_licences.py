"""A restriction is told at first use, once for each model and reader, with one click to models without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QToolButton

from ctviewer.ui.binders.licences import SWITCH_ALL, SWITCH_ONE, UNDERSTOOD, to_tell, unrestricted
from ctviewer.ui.presenters.analysing import Phase
from ctviewer.ui.services import ModelCard

FREE = ModelCard("Starter", "0.1.0", "study_classifier", "Apache-2.0", "No.", "phantoms", False, "#", "starter 0.1.0")
STUDY = replace(
    FREE, title="Study", version="1.0.0", licence="CC BY-NC-SA 4.0", active=True, key="study 1.0.0", restriction="Not for commercial use."
)  # fmt: skip
LESIONS = replace(STUDY, title="Lesions", task="one_shot", key="lesions 1.0.0")
FREE_LESIONS = replace(FREE, title="Phantom lesions", task="one_shot", key="phantom-lesions 0.1.1")
CARDS = (STUDY, LESIONS, FREE, FREE_LESIONS)


def test_one_sentence_for_models_of_the_same_restriction():
    told = to_tell(CARDS, ())
    assert told.text == "Study 1.0.0 and Lesions 1.0.0 (CC BY-NC-SA 4.0): Not for commercial use."
    assert told.keys == (STUDY.key, LESIONS.key) and told.free == (FREE.key, FREE_LESIONS.key)


def test_only_models_in_use_whose_restriction_was_not_read():
    assert to_tell(CARDS, (STUDY.key,)).keys == (LESIONS.key,)
    assert to_tell(CARDS, (STUDY.key, LESIONS.key)) is None
    assert to_tell((replace(STUDY, active=False), FREE), ()) is None
    assert to_tell((replace(FREE, active=True),), ()) is None


def test_another_restriction_is_told_by_itself():
    other = replace(LESIONS, licence="X", restriction="Name the authors.")
    assert to_tell((STUDY, other), ()).text.endswith("Lesions 1.0.0 (X): Name the authors.")


def test_the_way_out_is_the_newest_that_comes_with_the_program():
    newer, made_here = replace(FREE, version="0.10.0", key="b"), replace(FREE, version="9.0.0", key="c", made_here=True)
    assert unrestricted(STUDY, (STUDY, FREE, newer, made_here, FREE_LESIONS)) is newer
    assert unrestricted(STUDY, (STUDY, made_here)) is made_here
    assert unrestricted(STUDY, (STUDY, FREE_LESIONS)) is None


@pytest.fixture
def restricted_models(services, monkeypatch):
    """Cards that follow what is activated."""

    def cards():
        used = {"starter 0.1.0": "study_classifier", "phantom-lesions 0.1.1": "one_shot"}
        gone = {used[key] for key in services.used if key in used}
        return tuple(
            replace(c, active=(c.key in services.used) or (c.active and c.task not in gone)) for c in CARDS
        ), ()

    monkeypatch.setattr(services, "models", cards)
    return services


def buttons(window) -> dict[str, QToolButton]:
    found = window.parts.licences.findChildren(QToolButton)
    return {button.text(): button for button in found if not button.isHidden() and button.text() != "×"}


def analysed(qtbot, window, study):
    window.open_path(study)
    qtbot.waitUntil(lambda: window.opening.complete and window.reading.reading is not None, timeout=30_000)
    assert window.parts.licences.text == ""  # looking at images uses no model
    window.actions_["analyse"].trigger()
    qtbot.waitUntil(lambda: window.analysing.state.phase is Phase.DONE, timeout=30_000)


def test_understood_is_remembered(qtbot, restricted_models, window, study):
    analysed(qtbot, window, study)
    assert window.parts.licences.text == to_tell(CARDS, ()).text
    assert set(buttons(window)) == {UNDERSTOOD, SWITCH_ALL}
    buttons(window)[UNDERSTOOD].click()
    assert window.parts.licences.text == ""
    assert restricted_models.kept.understood == (STUDY.key, LESIONS.key)
    window.analysing.show(None)
    window.analysing.start(loaded=True)
    qtbot.waitUntil(lambda: window.analysing.state.phase is Phase.DONE, timeout=30_000)
    assert window.parts.licences.text == "" and restricted_models.used == []


def test_one_click_to_models_without_the_restriction(qtbot, restricted_models, window, study):
    analysed(qtbot, window, study)
    buttons(window)[SWITCH_ALL].click()
    assert restricted_models.used == [FREE.key, FREE_LESIONS.key]
    assert window.parts.licences.text == "" and restricted_models.kept.understood == ()


def test_put_away_without_an_answer_it_comes_again(qtbot, restricted_models, window, study):
    analysed(qtbot, window, study)
    window.parts.licences.clear()
    window.analysing.show(None)
    window.analysing.start(loaded=True)
    qtbot.waitUntil(lambda: window.analysing.state.phase is Phase.DONE, timeout=30_000)
    assert window.parts.licences.text


def test_other_messages_do_not_replace_it(qtbot, restricted_models, window, study):
    analysed(qtbot, window, study)
    window.parts.messages.say("The report was written.")
    assert window.parts.licences.text and not window.parts.licences.isHidden()


def test_a_kept_result_of_models_no_longer_used_tells_nothing(qtbot, restricted_models, window, study):
    analysed(qtbot, window, study)
    result = window.analysing.state.result
    window.parts.licences.clear()
    restricted_models.current = False
    window.analysing.show(None)
    window.analysing.show(result)
    assert window.parts.licences.text == ""


def test_one_model_has_its_own_words(qtbot, services, monkeypatch, window, study):
    monkeypatch.setattr(services, "models", lambda: ((STUDY, FREE), ()))
    analysed(qtbot, window, study)
    assert set(buttons(window)) == {UNDERSTOOD, SWITCH_ONE}
