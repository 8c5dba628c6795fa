"""The page of pre-flight: errors block, each doubt wants its tick, studies can be opened, numbers are in words too."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from ctviewer.core.events import Progress
from ctviewer.models.metadata import Metric
from ctviewer.training.preflight.report import (
    ALL_FACTS,
    OF_OUTLINES,
    OF_SLICES,
    Count,
    CrossTable,
    Estimate,
    Finding,
    PreflightReport,
    Severity,
    Shortcut,
    Width,
)
from ctviewer.ui import theme
from ctviewer.ui.finetune.plots import IntervalPlot
from ctviewer.ui.finetune.preflight_page import PreflightPage
from ctviewer.ui.finetune.preflight_tables import time_text

ERROR = Finding(Severity.ERROR, "unreadable", "A study cannot be read: x is damaged.", ("x",))
DOUBT = Finding(Severity.DOUBT, "hu-out-of-range", "The values are odd.", tuple(f"s<{i}>" for i in range(9)))
OTHER = Finding(Severity.DOUBT, "shortcut", "The class covid can be told by kernel alone.")
NOTE = Finding(Severity.INFO, "unlisted", "The labels do not mention 2 items.", ("a", "b"))


def report(*findings: Finding, **more) -> PreflightReport:
    return PreflightReport(12, 11, tuple(findings), **more)


FULL = {
    "counts": (Count("train", "covid", 4, 3), Count("test", "covid", 2, 2), Count("external:Ulm", "covid", 1, 1)),
    "tables": (CrossTable("kernel", ("b60", "b70"), ("covid", "well"), ((4, 0), (1, 5))),),
    "shortcuts": (Shortcut("kernel", "covid", 0.82, 0.7, 0.9, 11), Shortcut(ALL_FACTS, "covid", 0.65, None, None, 11)),
    "widths": (Width("test", "covid", 2, 3, 0.8, 0.4, 1.0), Width("test", "covid", 2, 3, 0.9, 0.5, 1.0)),
    "estimate": Estimate(7300.0, 3_000_000_000, 0, 3),
    "baseline": (Metric("AUC-ROC, any finding", 0.71, 0.6, 0.8, 11, "patients", "local"),),
}


@pytest.fixture
def page(qtbot) -> PreflightPage:
    made = PreflightPage()
    qtbot.addWidget(made)
    made.show()
    return made


def texts(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if not label.isHidden())


def test_before_anything_was_checked_nothing_leads_on(page):
    assert not page.ready and page._verdict.text() == "Nothing was checked yet." and page._body.isHidden()


def test_the_check_is_followed(page):
    page.set_report(report())
    page.set_progress(Progress("Reading studies", 3, 12))
    assert page._verdict.text() == "Reading studies (3 of 12)" and not page.ready and page._body.isHidden()
    assert (page._bar.value(), page._bar.maximum()) == (3, 12) and not page._bar.isHidden()
    assert "You can go on reading" in page._counted.text()
    page.set_progress(Progress("Comparing studies", 0, 0))
    assert page._bar.maximum() == 0, "an end that nobody knows is shown as such"
    page.set_progress(None)
    assert page._bar.isHidden()


def test_without_findings_the_run_may_begin(page, qtbot):
    with qtbot.waitSignal(page.ready_changed) as said:
        page.set_report(report())
    assert said.args == [True] and page._verdict.text() == "Nothing stands against this run. 12 studies can be used."
    assert "Nothing was found" in texts(page.findings)


def test_an_error_blocks_whatever_is_ticked(page):
    page.set_report(report(ERROR, DOUBT))
    for row in page.findings.rows:
        row.tick.setChecked(True)
    assert not page.ready and page._verdict.text().startswith("1 error stands against this run.")
    assert page.findings.rows[0].tick.isHidden(), "an error cannot be accepted"
    assert page._counted.text() == "12 studies of 11 patients were looked at: 1 error, 1 doubt, 0 notes."


def test_each_doubt_wants_its_own_tick(page, qtbot):
    page.set_report(report(DOUBT, OTHER, NOTE))
    first, second, told = page.findings.rows
    assert not page.ready and page._verdict.text() == "Nothing blocks this run; 2 doubts want your tick."
    assert told.tick.isHidden()
    qtbot.keyClick(first.tick, Qt.Key.Key_Space)
    assert not page.ready and page._verdict.text() == "Nothing blocks this run; 1 doubt wants your tick."
    with qtbot.waitSignal(page.ready_changed) as said:
        second.tick.click()
    assert said.args == [True] and page._verdict.text().endswith("All doubts are accepted.")
    second.tick.click()
    assert not page.ready


def test_ticks_hold_for_one_report_only(page):
    page.set_report(report(DOUBT))
    page.findings.rows[0].tick.setChecked(True)
    assert page.ready
    page.set_report(report(DOUBT))
    assert not page.ready


def test_studies_are_links_that_name_them_as_they_are(page, qtbot):
    page.set_report(report(DOUBT, NOTE))
    row = page.findings.rows[0]
    assert (
        "s&lt;0&gt;" in row._links.text() and "3 more…" in row._links.text() and "s&lt;8&gt;" not in row._links.text()
    )
    row._links.linkActivated.emit("more")
    assert "s&lt;8&gt;" in row._links.text() and "more" not in row._links.text()
    with qtbot.waitSignal(page.study_requested) as asked:
        row._links.linkActivated.emit("8")
    assert asked.args == ["s<8>"]
    keys = Qt.TextInteractionFlag.LinksAccessibleByKeyboard
    assert row._links.textInteractionFlags() & keys


def test_links_follow_the_theme(page, qapp):
    page.set_report(report(DOUBT))
    links = page.findings.rows[0]._links
    seen = []
    for name in ("light", "dark"):
        theme.apply_theme(qapp, name)
        picture = links.grab().toImage()
        colours = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
        seen.append(links.palette().link().color().name() in colours)
    assert seen == [True, True]


def test_a_check_that_failed_says_why(page):
    page.set_report(report())
    page.set_problem("The process was ended by the system: out of memory.")
    assert not page.ready and page._problem.text().startswith("The process") and page._body.isHidden()
    assert page._verdict.text() == "The data could not be checked."


def test_all_numbers_of_the_report_are_there(page):
    page.set_report(report(**FULL))
    counts = texts(page.counts)
    assert all(text in counts for text in ("Training", "Test", "External: Ulm", "4 (3)", "2 (2)", "1 (1)"))
    assert "No patient is in two parts." in counts
    shortcuts = texts(page.shortcuts)
    assert "may learn the scanner instead of the disease" in shortcuts
    assert shortcuts.index("by kernel") < shortcuts.index("by all facts together"), "the strongest first"
    assert "0.82 (0.70 to 0.90)" in shortcuts
    names = [plot.accessibleName() for plot in page.shortcuts.findChildren(IntervalPlot)]
    assert names[0] == "covid by kernel: AUC 0.82 (0.70 to 0.90), 11 patients"
    widths = texts(page.widths)
    assert "0.40 to 1.00" in widths and "at AUC 0.9" in widths and "2 / 3" in widths
    assert "0.71 (0.60 to 0.80)" in widths
    taken = texts(page.estimate)
    assert "about 2 hours" in taken and "3.0 GB" in taken and "next to nothing" in taken and "3 timed steps" in taken


def test_where_a_cross_validation_judges_the_parts_are_not_said_to(page):
    crossed = Finding(Severity.INFO, "cross-validation", "This run judges by repeated cross-validation.")
    page.set_report(report(crossed, **FULL))
    assert "cross-validation instead" in texts(page.counts) and "No patient is in two parts" not in texts(page.counts)


def test_classes_keep_their_names_beside_many_parts(page, qapp):
    parts = ("train", "val", "test", "external:University Hospital Ulm", "external:Phantom D")
    page.resize(980, 620)
    page.set_report(report(counts=tuple(Count(part, "pneumonia-like", 3, 3) for part in parts)))
    qapp.processEvents()
    (name,) = [label for label in page.counts.findChildren(QLabel) if label.text() == "pneumonia-like"]
    assert name.width() >= name.fontMetrics().horizontalAdvance(name.text())
    numbers = [label for label in page.counts.findChildren(QLabel) if label.text() == "3 (3)"]
    assert len(numbers) == 5 and all(
        n.mapTo(page.counts, n.rect().topRight()).x() < page.counts.width() for n in numbers
    )


def test_what_is_not_known_is_said(page):
    page.set_report(report(ERROR))
    assert "Not known" in texts(page.estimate) and "was not judged" in texts(page.widths)
    assert "cannot be split" in texts(page.counts) and "Too few patients" in texts(page.shortcuts)
    assert page.shortcuts.tables.isHidden() and page.shortcuts.rest.isHidden()


def test_a_patient_on_both_sides_is_not_denied(page):
    torn = Finding(Severity.ERROR, "patient-on-both-sides", "Torn.")
    page.set_report(report(torn, **FULL))
    assert "No patient is in two parts" not in texts(page.counts)


def test_many_shortcuts_are_folded_away(page):
    many = tuple(Shortcut(f"fact {i}", "covid", 0.5 + i / 100, None, None, 9) for i in range(9))
    page.set_report(report(shortcuts=many))
    assert page.shortcuts.rest.button.text() == "3 more" and "by fact 8" in texts(page.shortcuts)
    assert "No fact of how the studies were made tells a class" in texts(page.shortcuts)
    page.shortcuts.rest.button.click()
    assert any(label.text() == "by fact 0" and label.isVisible() for label in page.shortcuts.findChildren(QLabel))


def test_the_report_can_be_taken_along_as_text(page):
    page.set_report(report(DOUBT, **FULL))
    page.copy_button.click()
    assert (
        QGuiApplication.clipboard().text().startswith("12 studies of 11 patients: nothing blocks the run, 1 doubtful.")
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "1 minute"), (3600, "60 minutes"), (3 * 3600, "3 hours"), (3 * 86400, "3 days")]
)
def test_times_are_told_roughly(seconds, text):
    assert time_text(seconds) == text


def test_scans_of_slices_are_counted_by_part_with_their_slices_and_outlines(page):
    tables = (
        CrossTable(OF_SLICES, ("train", "test"), ("covid", "well"), ((40, 30), (9, 8))),
        CrossTable(OF_OUTLINES, ("train", "test"), ("ggo",), ((17,), (6,))),
        CrossTable("set", ("images[1]", "images[2]"), ("covid", "well"), ((4, 0), (1, 5))),
    )
    counts = (Count("train", "lesions", 4, 3), Count("test", "lesions", 2, 2))
    page.set_report(report(NOTE, unit="scan", tables=tables, counts=counts))
    told = texts(page)
    assert "12 scans of 11 patients were looked at" in told and "12 scans can be used." in page._verdict.text()
    assert "Scans, and patients in brackets." in told
    shown = [label.text() for label in page.counts.findChildren(QLabel)]
    at = shown.index("Slices by class")
    assert shown[at : at + 10] == ["Slices by class", "", "Training", "Test", "covid", "40", "9", "well", "30", "8"]
    at = shown.index("Outlines large enough to be learned")
    assert shown[at + 4 : at + 7] == ["ggo", "17", "6"]
    facts = [label.text() for label in page.shortcuts.tables.findChildren(QLabel)]
    assert "Set" in facts and not {"Slices of a class", "Outlines of"} & set(facts), "how much there is tells no class"
    assert "no more with this many patients" not in told, "no AUC is foretold where outlines are judged"
