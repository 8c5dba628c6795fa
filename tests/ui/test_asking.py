"""What files do not say: asked once in the message bar, stated in a dialog, kept, and applied silently the next time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QToolButton

from ctviewer.core.geometry import Plane
from ctviewer.core.interpretation import Interpretation
from ctviewer.ui.interpretation_dialog import InterpretationDialog, hint

_HU, _OFFSET, _LINE, _GREY = 1, 2, 3, 4


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    values = np.random.default_rng(0).integers(0, 3000, (4, 32, 32)).astype("u2")
    for number, one in enumerate(values):
        Image.fromarray(one).save(place / f"{number}.png")
    return place


@pytest.fixture
def asked(window, open_and_wait, pictures):
    open_and_wait(window, pictures)
    return window


def buttons(window) -> dict[str, QToolButton]:
    return {b.text(): b for b in window.parts.messages.findChildren(QToolButton) if len(b.text()) > 1}


def dialog(window) -> InterpretationDialog:
    found = [one for one in window.findChildren(InterpretationDialog) if one.isVisible()]
    assert len(found) == 1
    return found[0]


def reopened(qtbot, window, act) -> None:
    with qtbot.waitSignal(window.opening.fully_loaded, timeout=10_000):
        act()


def codes(window) -> list[str]:
    return [notice.code for notice in window.session.series.notices]


def test_pictures_are_shown_without_a_unit_and_one_question_is_asked(asked):
    assert asked.session.volume.unit == ""
    assert asked.parts.messages.text == (
        "PNG does not say what its values mean, how large its pixels are and how its slices lie in the patient."
    )
    assert set(buttons(asked)) == {"They are Hounsfield units", "Say more…"}
    assert asked.actions_["state"].isEnabled()
    assert not asked.parts.messages.hasFocus()


def test_dicom_asks_nothing(ready):
    assert not ready.parts.messages.text
    assert not ready.actions_["state"].isEnabled()
    ready.actions_["state"].trigger()
    assert not ready.findChildren(InterpretationDialog)


def test_one_click_states_hounsfield_units_and_it_is_remembered(qtbot, asked, open_and_wait, pictures, study):
    reopened(qtbot, asked, buttons(asked)["They are Hounsfield units"].click)
    assert asked.session.volume.unit == "HU" and asked.session.series.modality == "CT"
    assert "stated-by-reader" in codes(asked) and not asked.parts.messages.text
    open_and_wait(asked, study)
    open_and_wait(asked, pictures)
    assert asked.session.volume.unit == "HU" and not asked.parts.messages.text
    assert asked.actions_["state"].isEnabled(), "it can be stated anew"


def test_the_question_goes_with_its_series(asked, open_and_wait, study):
    asked.actions_["state"].trigger()
    assert dialog(asked)
    open_and_wait(asked, study)
    assert not asked.parts.messages.text and not asked.findChildren(InterpretationDialog)


def test_the_dialog_states_values_distances_and_order(qtbot, asked):
    buttons(asked)["Say more…"].click()
    shown = dialog(asked)
    shown._choices.button(_OFFSET).setChecked(True)
    low, high = asked.asking.question().values
    assert f"holds {low:g} to {high:g}; by this it is {low - 1024:g} to {high - 1024:g} HU" in shown._preview.text()
    assert not shown._orders.button(1).isEnabled(), "without distances nothing can be placed"
    shown._lengths[0].setValue(0.7)
    assert shown._lengths[1].value() == 0.7
    shown._lengths[2].setValue(2.0)
    shown._orders.button(1).setChecked(True)
    before = asked.session.volume.hu(0)
    reopened(qtbot, asked, shown._apply.click)
    volume = asked.session.volume
    assert volume.unit == "HU" and volume.geometry.plane is Plane.AXIAL
    assert volume.geometry.pixel_spacing == (0.7, 0.7) and volume.geometry.slice_spacing == 2.0
    assert np.array_equal(volume.hu(3), before - 1024), "the first picture is the head, the last slice of the volume"
    assert asked.session.series.questions == () and not asked.parts.messages.text


def test_a_statement_can_be_changed_and_taken_back(qtbot, asked):
    asked.actions_["state"].trigger()
    dialog(asked)._choices.button(_OFFSET).setChecked(True)
    dialog(asked)._offset.setValue(1000.0)
    reopened(qtbot, asked, dialog(asked)._apply.click)
    first = asked.session.volume.hu(0)
    asked.actions_["state"].trigger()
    shown = dialog(asked)
    assert shown._choices.checkedId() == _OFFSET and shown._offset.value() == 1000.0
    assert shown._question.values[0] >= 0, "the preview speaks of what the file holds"
    shown._choices.button(0).setChecked(True)
    reopened(qtbot, asked, shown._apply.click)
    assert asked.session.volume.unit == ""
    assert np.array_equal(asked.session.volume.hu(0), first + 1000)
    assert len(asked.session.catalog.series) == 1


@pytest.mark.parametrize(
    ("number", "stated"),
    [
        (_HU, Interpretation("HU")),
        (_LINE, Interpretation("HU", 0.5, -1024.0)),
        (_GREY, Interpretation("")),
        (0, Interpretation()),
    ],
)
def test_each_choice_is_one_statement(asked, number, stated):
    asked.actions_["state"].trigger()
    shown = dialog(asked)
    shown._slope.setValue(0.5)
    shown._choices.button(number).setChecked(True)
    assert shown.interpretation() == stated
    shown.close()


def test_numbers_that_are_impossible_cannot_be_stated(asked):
    asked.actions_["state"].trigger()
    shown = dialog(asked)
    shown._slope.setValue(0.0)
    assert not shown._apply.isEnabled()
    shown._slope.setValue(1.0)
    assert shown._apply.isEnabled()
    shown._lengths[1].setValue(1.0)
    assert not shown._apply.isEnabled(), "columns without rows"
    shown.close()


def test_thumbnails_come_back_after_a_statement(qtbot, asked):
    with qtbot.waitSignal(asked.opening.thumbnail_made, timeout=10_000):
        asked.asking.state_hounsfield()


def test_the_banner_says_that_no_patient_is_named(asked):
    from ctviewer.ui.binders.image import banner

    assert banner(asked.session.series)[0] == ("no patient is named in the file",)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0, 255, "probably lost"),
        (-1024, 3071, "look like Hounsfield"),
        (0, 4095, "HU + 1024"),
        (-3024, 3000, "outside"),
        (5, 900, "not typical"),
    ],
)
def test_hints(low, high, word):
    assert word in hint(low, high)
