"""Slice classes and lungs in the panels: under their own names, apart from the answer about the study."""

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.findings import Lungs, SliceClasses
from ctviewer.ui.panels.findings_table import FindingsTable
from ctviewer.ui.panels.result_panel import ResultPanel, lungs_text
from ctviewer.ui.panels.slice_class_panel import NOT_LOOKED_AT, NOTE, SliceClassPanel, lettered

CLASSES = ("control", "common pneumonia", "COVID-19")


@pytest.fixture
def panel(show):
    shown = show(SliceClassPanel(), height=160)
    shown.set_classes(CLASSES, "control", "One shot 1.0.0")
    return shown


def test_letters_are_those_of_the_lane():
    assert lettered(CLASSES, "control") == ("control", "A common pneumonia", "B COVID-19")
    assert lettered(tuple("uvwxyz"), "")[-2:] == ("y", "z")


def test_the_slice_on_show_is_named_with_its_probabilities(panel):
    panel.set_slice("Im 45", (0.1, 0.2, 0.997))
    assert panel._bars.accessibleName() == "control 0.10, A common pneumonia 0.20, B COVID-19 >0.99"
    assert panel._where.text() == "Im 45" and panel._note.text() == NOTE
    assert "no answer about the study" in panel.toolTip() and "One shot 1.0.0" in panel.toolTip()


def test_a_slice_that_was_not_looked_at_has_dashes_and_keeps_its_room(panel):
    panel.set_slice("Im 45", (0.1, 0.2, 0.997))
    height = panel.sizeHint().height()
    panel.set_slice("Im 46", None)
    assert panel._bars.accessibleName() == "control –, A common pneumonia –, B COVID-19 –"
    assert panel._note.text() == NOT_LOOKED_AT and panel.sizeHint().height() == height
    panel.grab()


def test_without_classes_there_is_no_panel(panel):
    panel.set_classes(())
    assert not panel.isVisible()
    panel.set_slice("Im 45", None)


def test_slice_classes_never_change_the_answer_about_the_study(show, result, model):
    logits = np.full((20, 3), 9.0)
    told = SliceClasses(replace(model, task="one_shot"), CLASSES, "control", logits)
    panel = show(ResultPanel(), height=500)
    panel.show_result(result)
    before = panel._bars.accessibleName()
    panel.show_result(replace(result, slice_classes=told))
    assert panel._bars.accessibleName() == before


@pytest.mark.parametrize(
    ("lungs", "said"),
    [
        (None, ""),
        (Lungs(None, None, None), ""),
        (Lungs(None, None, 4612.3), "Lungs 4612 mL, measured on the model's masks, findings included."),
        (
            Lungs(2500.4, 2111.9, 4612.3),
            "Lungs 4612 mL (right 2500, left 2112), measured on the model's masks, findings included.",
        ),
    ],
)
def test_lungs_are_told_as_a_measurement(show, result, lungs, said):
    assert lungs_text(lungs) == said
    panel = show(ResultPanel(), height=500)
    panel.show_result(replace(result, lungs=lungs))
    assert panel._lungs.text() == said and panel._lungs.isVisible() == bool(said)
    panel.show_ready()
    assert not panel._lungs.isVisible()


def test_rows_of_the_table_have_a_third_line_only_where_there_are_shares(show, lesion):
    table = show(FindingsTable())
    table.set_lesions([lesion(1)], ("ground glass",), (), {})
    two = table._view.rowHeight(0)
    measured = replace(lesion(1), ground_glass=0.6, consolidation=0.1, lung_share=0.01)
    table.set_lesions([measured, lesion(2)], ("ground glass",), (), {})
    assert table._view.rowHeight(0) == table._view.rowHeight(1) > two
    table.grab()
    table.set_lesions([lesion(1)], ("ground glass",), (), {})
    assert table._view.rowHeight(0) == two
