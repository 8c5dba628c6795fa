from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.events import Progress
from ctviewer.core.findings import RESEARCH_USE, Check, Suitability, probability_text
from ctviewer.ui.panels.result_panel import STALE, ResultPanel


def words(panel):
    """All text that is visible."""
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "<0.01"), (0.004, "<0.01"), (0.01, "0.01"), (0.5, "0.50"), (0.99, "0.99"), (1.0, ">0.99")]
)
def test_no_probability_is_a_certainty(p, text):
    assert probability_text(p) == text


def test_nothing_open(show):
    panel = show(ResultPanel())
    assert "Open a chest CT" in words(panel)
    assert not panel._button.isVisible()


def test_ready_offers_to_analyse(show, qtbot):
    panel = show(ResultPanel())
    panel.show_ready()
    with qtbot.waitSignal(panel.analyse_requested):
        QTest.mouseClick(panel._button, Qt.MouseButton.LeftButton)
    assert not panel._bars.isVisible()


def test_running_shows_stage_and_progress_and_can_be_cancelled(show, qtbot, classification, doubtful):
    panel = show(ResultPanel())
    panel.show_running(Progress("Classifying slices", 3, 20))
    assert "Classifying slices 3/20" in words(panel)
    assert not panel._bars.isVisible()
    assert not panel._button.isVisible()
    panel.show_running(Progress("Looking for lesions", 1, 20), doubtful, classification)
    assert panel._bars.isVisible()
    assert "more than 3.0 mm" in words(panel)
    panel.set_progress(Progress("Looking for lesions", 9, 20))
    assert "Looking for lesions 9/20" in words(panel)
    with qtbot.waitSignal(panel.cancel_requested):
        QTest.mouseClick(panel._progress._cancel, Qt.MouseButton.LeftButton)


def test_abstained_gives_reasons_and_no_number(show, classification):
    panel = show(ResultPanel())
    panel.show_running(None, None, classification)
    panel.show_abstained(Suitability((Check("modality", "abstain", "Modality is MR; the model was made for CT."),)))
    assert "Modality is MR; the model was made for CT." in words(panel)
    assert not panel._bars.isVisible()
    assert not panel._button.isVisible()
    assert panel._bars.accessibleName() == ""


def test_failed_says_why_and_offers_another_try(show, qtbot, result):
    panel = show(ResultPanel())
    panel.show_result(result)
    panel.show_failed("The GPU ran out of memory.")
    assert "The GPU ran out of memory." in words(panel)
    assert "demo" not in words(panel)
    assert panel._model.toolTip() == ""
    assert panel._button.text() == "Try again"
    with qtbot.waitSignal(panel.analyse_requested):
        QTest.mouseClick(panel._button, Qt.MouseButton.LeftButton)


def test_done_names_model_doubt_and_research_use(show, result, qtbot):
    panel = show(ResultPanel())
    panel.show_result(result)
    text = words(panel)
    for part in ("demo 1.2.0", "Trained on phantoms only.", "Not for children.", "more than 3.0 mm", RESEARCH_USE):
        assert part in text
    assert "AI output, not verified" in text
    assert not panel._button.isVisible()
    panel.resize(290, 420)
    assert "SHA-256 abababababab" in panel._model.toolTip()
    assert "batch: 8" in panel._bars.toolTip()
    assert panel._bars.accessibleName() == "control 0.02, pneumonia-like <0.01, COVID-19-like 0.97"
    with qtbot.waitSignal(panel.model_requested):
        QTest.mouseClick(panel._details, Qt.MouseButton.LeftButton)


def test_stale_says_so_and_keeps_the_numbers(show, result):
    panel = show(ResultPanel())
    panel.show_result(result, STALE)
    assert STALE in words(panel)
    assert panel._bars.isVisible()
    assert panel._button.text() == "Analyse again"
    panel.show_result(result)
    assert STALE not in words(panel)


def test_bars_have_the_length_of_their_probability_and_the_negative_class_is_grey(show, dark, result):
    panel = show(ResultPanel())
    panel.show_result(result)
    image = panel.grab().toImage()
    origin = panel._bars.mapTo(panel, QPoint(0, 0))

    def length(row, colour):
        wanted = QColor(colour).rgb()
        return sum(image.pixel(x, origin.y() + row * 20 + 10) == wanted for x in range(image.width()))

    empty = length(0, dark.window)
    assert length(0, dark.muted) > 0
    assert length(0, dark.accent) == 0
    assert length(2, dark.accent) / (length(2, dark.accent) + length(2, dark.window)) == pytest.approx(0.975, abs=0.02)
    assert length(2, dark.accent) > 0.9 * empty


def test_it_fits_a_column_with_long_class_names(show, result, dark):
    panel = show(ResultPanel(), width=240)
    panel.show_result(result)
    assert panel.minimumSizeHint().width() <= 240
    panel.grab()


SIMULATED = "trained on simulated studies, not for differential diagnosis"


def calibrated(told, patients=30, real=True):
    """The answer of a model whose probabilities were calibrated on so many patients of each class."""
    band = (BandPoint(0.0, 0.0, 0.1), BandPoint(1.0, 0.9, 1.0))
    classes = told.model.classes
    record = Calibration(
        "validation patients", real, dict.fromkeys(classes, patients), 0.03, "", dict.fromkeys(classes, band)
    )
    return replace(told, model=replace(told.model, calibration=record))


def test_without_calibration_on_patients_no_interval_is_shown_and_the_reason_is(show, classification):
    panel = show(ResultPanel())
    for told in (classification, calibrated(classification, 29), calibrated(classification, 300, real=False)):
        panel.show_running(None, None, told)
        assert "No interval: " in words(panel)
        assert " to " not in panel._bars.accessibleName()


def test_an_interval_stands_beside_each_probability_that_patients_bear_out(show, classification, dark, has_colour):
    panel = show(ResultPanel(), width=280)
    panel.show_running(None, None, calibrated(classification))
    assert panel._bars.accessibleName() == (
        "control 0.02 (0.02 to 0.12), pneumonia-like <0.01 (<0.01 to 0.10), COVID-19-like 0.97 (0.88 to 0.98)"
    )
    assert "No interval" not in words(panel) and "30 patients of control" in words(panel)
    assert "Trained on phantoms only." not in panel._trained.text()
    assert panel.minimumSizeHint().width() <= 280
    assert has_colour(panel._bars, dark.accent)


def test_a_model_of_simulated_studies_says_so_beside_its_answer(show, classification):
    panel = show(ResultPanel())
    model = replace(classification.model, trained_on=SIMULATED)
    panel.show_running(None, None, replace(classification, model=model))
    assert panel._trained.isVisible() and panel._trained.property("role") == "warning"
    assert panel._trained.text() == "Trained on simulated studies, not for differential diagnosis."
    assert words(panel).count("Trained on simulated studies") == 1
    below = panel._trained.geometry().top() - panel._bars.geometry().bottom()
    assert 0 <= below < 12


def test_the_restriction_of_a_licence_is_among_what_made_the_result(show, result):
    bound = replace(result.provenance.models[0], licence="CC BY-NC-SA 4.0", restriction="Not for commercial use.")
    panel = show(ResultPanel())
    panel.show_result(replace(result, provenance=replace(result.provenance, models=(bound,))))
    assert "CC BY-NC-SA 4.0. Not for commercial use." in panel._model.toolTip()
