from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from ctviewer.core.findings import Verdict
from ctviewer.core.palette import class_colour
from ctviewer.ui.panels.findings_model import SECOND_ROLE, SORT_ROLE, THIRD_ROLE, Column, FindingsModel

CLASSES = ("ground glass", "consolidation")
NAMES = tuple(str(100 - n) for n in range(20))  # numbers that fall along the volume, as in many series


@pytest.fixture
def model(qapp):
    return FindingsModel()


def text(model, row, column, role=Qt.ItemDataRole.DisplayRole):
    return model.index(row, int(column)).data(role)


def test_all_is_said_of_a_lesion(model, lesion):
    model.set_lesions([lesion(1)], CLASSES, NAMES, {})
    row = [text(model, 0, c) for c in Column]
    assert row == ["ground glass", "95–97", "4.2", "18", "−512", "L", "0.90", "–", "–", "–", ""]
    assert text(model, 0, Column.CLASS, SECOND_ROLE) == "L · Im 95–97"
    assert text(model, 0, Column.VOLUME, SECOND_ROLE) == "18"
    assert text(model, 0, Column.SCORE, SECOND_ROLE) == "−512"
    tip = text(model, 0, Column.CLASS, Qt.ItemDataRole.ToolTipRole)
    assert "volume 4.20 mL" in tip
    assert "pending" in tip


def test_measured_shares_are_named_as_measurements(model, lesion):
    measured = replace(lesion(1), ground_glass=0.624, consolidation=0.08, lung_share=0.0123)
    model.set_lesions([measured, lesion(2)], CLASSES, NAMES, {})
    shares = (Column.GROUND_GLASS, Column.CONSOLIDATION, Column.LUNGS)
    assert [text(model, 0, c) for c in shares] == ["62 %", "8.0 %", "1.2 %"]
    third = (Column.CLASS, Column.VOLUME, Column.SCORE)
    assert [text(model, 0, c, THIRD_ROLE) for c in third] == ["1.2 % lungs", "GG 62 %", "C 8.0 %"]
    assert [text(model, 1, c, THIRD_ROLE) for c in third] == ["", "", ""]
    assert text(model, 0, Column.LUNGS, SORT_ROLE) > text(model, 1, Column.LUNGS, SORT_ROLE)
    tip = text(model, 0, Column.CLASS, Qt.ItemDataRole.ToolTipRole)
    assert "measured by HU, not predicted: ground glass 62 %, consolidation 8.0 %" in tip
    assert "of both lungs 1.2 %" in tip
    assert model.has_shares
    model.set_lesions([lesion(2)], CLASSES, NAMES, {})
    assert not model.has_shares


def test_unknown_values_are_dashes_and_one_slice_is_one_number(model, lesion):
    model.set_lesions([lesion(1, slices=(3,), volume=None, size=None, hu=None, side="")], CLASSES, NAMES, {})
    assert [text(model, 0, c) for c in (Column.VOLUME, Column.DIAMETER, Column.HU, Column.SIDE)] == ["–"] * 4
    assert text(model, 0, Column.SLICES) == "97"
    assert text(model, 0, Column.CLASS, SECOND_ROLE) == "Im 97"


def test_slices_without_numbers_are_never_called_images(model, lesion):
    model.set_lesions([lesion(1)], CLASSES, [f"slice {20 - n}" for n in range(20)], {})
    assert text(model, 0, Column.SLICES) == "15–17"
    assert text(model, 0, Column.CLASS, SECOND_ROLE) == "L · slice 15–17"
    assert "slice 15–17" in text(model, 0, Column.CLASS, Qt.ItemDataRole.ToolTipRole)


def test_slices_without_names_are_counted_from_one(model, lesion):
    model.set_lesions([lesion(1)], CLASSES, (), {})
    assert text(model, 0, Column.SLICES) == "4–6"


def test_a_class_has_its_colour_by_its_place(model, lesion):
    model.set_lesions([lesion(1), lesion(2, "consolidation"), lesion(3, "other")], CLASSES, NAMES, {})
    colours = [text(model, r, Column.CLASS, Qt.ItemDataRole.DecorationRole).getRgb()[:3] for r in range(3)]
    assert colours == [class_colour(label, CLASSES) for label in ("ground glass", "consolidation", "other")]


def test_rejected_rows_are_struck_and_grey(model, lesion, dark):
    model.set_lesions([lesion(1), lesion(2)], CLASSES, NAMES, {2: Verdict.REJECTED})
    assert text(model, 0, Column.VOLUME, Qt.ItemDataRole.FontRole) is None
    assert text(model, 1, Column.VOLUME, Qt.ItemDataRole.FontRole).strikeOut()
    assert text(model, 1, Column.VOLUME, Qt.ItemDataRole.ForegroundRole).name() == dark.faint
    model.set_verdicts({})
    assert text(model, 1, Column.VOLUME, Qt.ItemDataRole.FontRole) is None


def test_it_is_a_proper_model(model, lesion):
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_lesions([lesion(1), lesion(2)], CLASSES, NAMES, {})
    model.set_verdicts({1: Verdict.ACCEPTED})
    model.set_lesions([], CLASSES, NAMES, {})
    assert tester.model() is model


def test_no_score_is_written_as_certainty(model, lesion):
    model.set_lesions([replace(lesion(1), score=0.9996)], ("ground glass",), (), {})
    assert text(model, 0, Column.SCORE) == ">0.99"
