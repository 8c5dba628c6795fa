"""The page of comparison: what the figures say is said in words, studies open, the choice is one click each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel

from ctviewer.training.comparison import (
    CORRECTED,
    LOST,
    Changed,
    Comparison,
    Difference,
    Sides,
)
from ctviewer.training.scores.curves import Bin, Confusion, Reliability
from ctviewer.ui import theme
from ctviewer.ui.finetune.comparison_figures import (
    difference_text,
    forgetting_text,
    scale_of,
    sections_of,
    signed,
    verdict_text,
)
from ctviewer.ui.finetune.comparison_page import ComparisonPage, looks_text
from ctviewer.ui.finetune.comparison_pictures import _Cell
from ctviewer.ui.finetune.comparison_slices import brief_name, short_name
from ctviewer.ui.finetune.plots import IntervalPlot, Scale
from ctviewer.ui.finetune.services import FinishedRun

CLASSES = ("well", "covid")
BETTER = Difference("AUC-ROC, any finding", 0.7, 0.85, 0.05, 0.25, False, 40)
OPEN = Difference("AUC-ROC, any finding", 0.7, 0.72, -0.05, 0.09, False, 40)
WORSE = Difference("AUC-ROC, any finding", 0.8, 0.7, -0.19, -0.004, False, 40)
OTHERS = (
    Difference("ECE, any finding", 0.1, 0.05, -0.08, -0.02, True, 40),
    Difference("sensitivity, covid", 0.8, 0.6, -0.3, -0.1, False, 20),
    Difference("accuracy", 0.8, 0.8, None, None, False, 40),
)
CHANGED = (
    Changed("a<b>/1", "d1", ("covid",), ("covid",), ("well",), 0.9, 0.2, LOST),
    Changed("a/2", "d2", ("well",), ("covid",), ("well",), None, None, CORRECTED),
)


def reliability(shift: float) -> tuple[Reliability, ...]:
    bins = tuple(Bin(p - 0.05, p + 0.05, 9, p, min(1.0, p + shift), 0.0, 1.0) for p in (0.15, 0.55, 0.85))
    return tuple(Reliability(name, bins) for name in ("any finding", *CLASSES))


def comparison(main: Difference = BETTER, **more) -> Comparison:
    whole = Comparison(
        old="starter 0.1.0",
        new="ours 0.2.0",
        classes=CLASSES,
        negative_class="well",
        studies=44,
        patients=40,
        old_threshold=0.5,
        new_threshold=0.4,
        differences=(main, *OTHERS),
        sides=Sides(30, 3, 9, 2),
        changed=CHANGED,
        old_reliability=reliability(0.1),
        new_reliability=reliability(0.0),
        old_confusion=Confusion(CLASSES, ((18, 4), (5, 17))),
        new_confusion=Confusion(CLASSES, ((20, 2), (0, 22))),
        notes=("Scanners differ.",),
    )
    return replace(whole, **more)


def result(found: Comparison | None, **more) -> FinishedRun:
    return replace(FinishedRun(Path("run"), "ours 0.2.0", "starter 0.1.0", False, found), **more)


@pytest.fixture
def page(qtbot, qapp) -> ComparisonPage:
    theme.apply_theme(qapp, "dark")
    made = ComparisonPage()
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    return made


def texts(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if not label.isHidden())


def test_before_a_run_there_is_nothing_to_choose(page):
    assert page._verdict.text() == "No run has finished yet." and page._body.isHidden()
    assert page.activate.isHidden() and page.roll_back.isHidden()


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (
            BETTER,
            "The new version is better on these studies: AUC-ROC, any finding 0.70 → 0.85, difference +0.15 (+0.05 to +0.25).",
        ),
        (OPEN, "These studies do not show which version is better"),
        (WORSE, "The new version is worse on these studies"),
    ],
)
def test_the_verdict_is_in_words(main, words):
    assert verdict_text(comparison(main)).startswith(words)


def test_what_to_know_before_activating_is_warned_of_until_it_is_done(page):
    doubts = ("The interval includes zero.", "Something was forgotten.")
    page.set_result(result(comparison(OPEN), doubts=doubts))
    assert page._warning.text() == "The interval includes zero.\nSomething was forgotten." and page._warning.isVisible()
    page.set_result(result(comparison(OPEN), doubts=doubts, active=True))
    assert page._warning.isHidden(), "the choice was made"


def test_activating_keeping_and_rolling_back_are_one_click_each(page, qtbot):
    page.set_result(result(comparison()))
    assert page.activate.text() == "&Activate 0.2.0" and not page.keep.isHidden() and page.roll_back.isHidden()
    with qtbot.waitSignal(page.activate_requested):
        page.activate.click()
    with qtbot.waitSignal(page.keep_requested):
        page.keep.click()
    page.set_result(result(comparison(), active=True))
    assert page.activate.isHidden() and page.keep.isHidden() and "ours 0.2.0 is in use." in page._in_use.text()
    assert "in use before" in page.roll_back.toolTip()
    with qtbot.waitSignal(page.roll_back_requested):
        page.roll_back.click()


def test_without_a_comparison_the_reason_stands_there(page):
    page.set_result(result(None, notes=("There is no base model to compare with.",), parent=""))
    assert page._notes.text() == "There is no base model to compare with." and page._body.isHidden()
    assert not page.activate.isHidden()


@pytest.mark.parametrize(
    ("looks", "words"),
    [(0, ""), (1, "for the first time"), (2, "2 times, this one included"), (5, "5 times: the more often")],
)
def test_how_often_the_hold_out_was_looked_at_is_told(looks, words):
    assert words in looks_text(looks) and bool(looks_text(looks)) == bool(words)


def test_figures_stand_in_sections_each_once():
    first, rest = sections_of(comparison())
    assert [(heading, [one.name for one in rows]) for heading, rows in (*first, *rest)] == [
        ("Any finding against none", ["AUC-ROC, any finding", "ECE, any finding"]),
        ("All answers", ["accuracy"]),
        ("covid", ["sensitivity, covid"]),
    ]


def test_each_difference_is_in_numbers_and_words(page):
    page.set_result(result(comparison()))
    shown = texts(page.differences)
    assert all(text in shown for text in ("0.70", "0.85", "+0.15 (+0.05 to +0.25)", "ECE ↓", "0.00"))
    words = [plot.accessibleName() for plot in page.differences.findChildren(IntervalPlot)]
    assert words[0] == "AUC-ROC, any finding: old 0.70, new 0.85, difference +0.15 (+0.05 to +0.25), better"
    assert any("sensitivity, covid" in text and text.endswith("worse") for text in words)


def test_numbers_near_zero_keep_their_side():
    assert [signed(v) for v in (0.15, -0.02, -0.004, 0.0, 0.0)] == ["+0.15", "−0.02", "−0.004", "0.00", "0.00"]
    assert difference_text(WORSE) == "−0.10 (−0.19 to −0.004)"
    assert difference_text(OTHERS[2]) == "0.00"


def test_the_scale_holds_what_is_shown_around_zero():
    assert scale_of([BETTER]) == Scale(-0.25, 0.25, 0.0, (-0.25, 0.0, 0.25))
    assert scale_of([OTHERS[2]]).high == 0.1
    assert scale_of([BETTER, replace(BETTER, low=-3.0, high=4.0)]).high == 0.25  # the far one is cut


def ink(widget, x: float, y: float) -> QColor:
    ratio = widget.devicePixelRatioF()
    return widget.grab().toImage().pixelColor(QPoint(round(x * ratio), round(y * ratio)))


@pytest.mark.parametrize(("hollow", "colour"), [(True, "panel"), (False, "focus")])
def test_a_dot_that_may_be_chance_is_hollow(qtbot, qapp, hollow, colour):
    theme.apply_theme(qapp, "dark")
    plot = IntervalPlot(Scale(-1.0, 1.0, 0.0), 0.5, 0.2, 0.8, hollow, "words")
    qtbot.addWidget(plot)
    plot.resize(220, 20)
    assert ink(plot, 160, 10).name() == getattr(theme.colours(), colour)
    marked = [ink(plot, x, 10).name() != ink(plot, 4, 10).name() for x in (124, 140, 180, 196)]
    assert marked == [False, True, True, False], "the whisker goes from its low end to its high one"


def test_both_reliabilities_are_drawn_for_the_target_chosen(page):
    page.set_result(result(comparison()))
    panel = page.reliability
    assert [panel.target.itemText(i) for i in range(panel.target.count())] == ["any finding", "well", "covid"]
    assert "starter 0.1.0: 0.15 given, 0.25 true" in panel.plot.accessibleName()
    image = panel.plot.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert {theme.colours().focus, theme.colours().muted} <= colours
    panel.target.setCurrentIndex(2)
    page.set_result(result(comparison(), active=True))
    assert panel.target.currentText() == "covid", "what was chosen stays"


def test_confusion_is_in_numbers_and_words(page):
    page.set_result(result(comparison()))
    words = [cell.accessibleName() for cell in page.confusion.findChildren(_Cell)]
    assert "old: covid, answered as well: 5 of 22" in words and "new: covid, answered as covid: 22 of 22" in words
    assert "by the old alone: 3; by the new alone: 9" in texts(page.confusion)
    page.set_result(result(comparison(old_confusion=None, new_confusion=None)))
    assert "A study may have several classes" in texts(page.confusion)


def test_studies_that_changed_side_open_by_click_and_by_enter(page, qtbot):
    page.set_result(result(comparison()))
    table = page.changed.table
    assert page.changed._told.text() == "2 studies: 1 lost, 1 corrected. A click opens a study in the viewer."
    rows = [[table.topLevelItem(i).text(c) for c in range(5)] for i in range(2)]
    assert rows == [
        ["✕ lost", "a<b>/1", "covid", "covid → well", "90 → 20 %"],
        ["✓ corrected", "a/2", "well", "covid → well", "–"],
    ]
    assert table.topLevelItem(0).toolTip(1) == "<qt>a&lt;b&gt;/1</qt>", "a name is never taken for markup"
    place = table.visualItemRect(table.topLevelItem(0)).center()
    with qtbot.waitSignal(page.study_requested) as asked:
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked.args == ["a<b>/1"]
    qtbot.keyClick(table, Qt.Key.Key_Down)
    with qtbot.waitSignal(page.study_requested) as asked:
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert asked.args == ["a/2"]


def test_studies_that_changed_side_follow_the_theme(page, qapp):
    page.set_result(result(comparison()))
    theme.apply_theme(qapp, "light")
    light = page.changed.table.topLevelItem(0).foreground(1).color().name()
    assert light == theme.colours().focus
    theme.apply_theme(qapp, "dark")
    assert page.changed.table.topLevelItem(0).foreground(1).color().name() == theme.colours().focus != light


def test_where_no_study_changed_side_it_is_said(page):
    page.set_result(result(comparison(changed=())))
    assert (
        page.changed._told.text() == "Both versions give the same answer for every study."
        and page.changed.table.isHidden()
    )


def test_forgetting_is_told_in_words(page):
    page.set_result(result(comparison()))
    assert "was not looked at" in texts(page.regression)
    page.set_result(result(comparison(regression=comparison(WORSE))))
    assert "something was forgotten: 3 that the old version answered rightly are wrong now." in texts(page.regression)
    assert "0.80" in texts(page.regression) and "Scanners differ." in texts(page.regression)
    kept = comparison(OPEN, sides=Sides(40, 0, 2, 2), differences=(OPEN,))
    assert "nothing was forgotten" in forgetting_text(kept)
    worse = comparison(WORSE, sides=Sides(40, 0, 2, 2))
    assert "no right answer was lost, but some figures are worse" in forgetting_text(worse)


def test_the_page_holds_with_many_classes_and_long_names(page):
    names = tuple(f"a class with a very long name number {i}" for i in range(7))
    counts = tuple(tuple(int(n) for n in row) for row in np.eye(7, dtype=int))
    many = Confusion(names, counts)
    page.set_result(result(comparison(classes=names, old_confusion=many, new_confusion=many)))
    page.grab()
    assert page._body.minimumSizeHint().width() < 1000


def test_one_shot_models_are_compared_by_slices(page):
    figures = (
        Difference("AP .5:.95, infection", 0.3, 0.4, 0.05, 0.15, False, 12),
        Difference("Dice per scan, infection", 0.5, 0.6, -0.02, 0.2, False, 12),
        Difference("slice F1, weighted by class shares", 0.7, 0.7, None, None, False, 12),
    )
    changed = (Changed("images/0/scan 7", "d1", ("covid",), ("covid",), ("well",), 0.9, 0.2, LOST, "slice 12"),)
    made = comparison(
        figures[0], differences=figures, unit="slice", classes=("infection", *CLASSES), changed=changed,
        old_reliability=(), new_reliability=(),
    )  # fmt: skip
    page.set_result(result(made))
    assert page._verdict.text().startswith(
        "The new version is better on these slices: AP .5:.95, infection 0.30 → 0.40"
    )
    assert "Both on the same 44 slices of 40 patients." in texts(page)
    assert page.reliability.isHidden() and page.regression.isHidden()
    assert "Slices answered rightly by both: 30" in texts(page.confusion)
    assert page.changed.table.topLevelItem(0).text(1) == "images/0/scan 7, slice 12"
    assert page.changed._told.text() == "1 slice: 1 lost. A click opens the study of a slice in the viewer."
    plain = replace(made, old_confusion=None, new_confusion=None, sides=Sides(0, 0, 0, 0), changed=())
    page.set_result(result(plain))
    assert "No slice has a class that both versions tell" in texts(page.confusion)
    assert "answered rightly" not in texts(page.confusion)
    page.set_result(result(comparison()))
    assert not page.reliability.isHidden() and not page.regression.isHidden()
    assert "Studies that changed side" in texts(page.changed)


def test_figures_of_one_shot_models_stand_in_sections_under_short_names():
    names = (
        "AP .5, mean over classes", "AP .5, ggo", "per_image_ap, at .5", "FROC sensitivity at 1 false per scan, any lesion",
        "FROC sensitivity (mean of 1/8 to 8 false findings per scan), any lesion", "Dice per scan, any lesion",
        "slices without a lesion that get a mark, any lesion", "slice F1, weighted by class shares",
        "slice F1, weighted as in the paper", "slice sensitivity, covid",
    )  # fmt: skip
    figures = tuple(replace(BETTER, name=name) for name in names)
    first, rest = sections_of(replace(comparison(), differences=figures, unit="slice"))
    shown = {heading: [short_name(one.name) for one in rows] for heading, rows in first}
    assert shown == {
        "Outlines, mean over classes": ["AP .5"],
        "Lesions of any class": ["FROC at 1 false", "FROC, mean", "Dice", "marked in vain"],
        "Classes of slices, weighted by their shares": ["F1"],
        "Classes of slices, weighted as in the paper": ["F1"],
        "per_image_ap (of the paper)": ["at .5"],
    }
    assert [(heading, len(rows)) for heading, rows in rest] == [("ggo", 1), ("covid", 1)]
    assert short_name("slice sensitivity") == "sensitivity" and short_name("AUC-ROC") == "AUC-ROC"
    assert brief_name("FROC sensitivity at 4 false per scan, any lesion") == "FROC at 4 false, any lesion"
    assert [brief_name(name) for name in ("AP .5, ggo", "per_image_ap, at .5")] == ["AP .5, ggo", "per_image_ap, at .5"]


def test_the_lung_does_not_speak_for_lesions():
    lung, dice = (replace(WORSE, name=name) for name in ("AP .5:.95, lung", "Dice per scan, lung"))
    lesions = replace(BETTER, name="Dice per scan, any lesion")
    whole = replace(comparison(), differences=(lung, dice, lesions), unit="slice")
    assert whole.main == lesions and replace(whole, differences=(lung, dice)).main == lung
