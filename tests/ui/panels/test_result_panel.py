import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

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
    for part in ("demo 1.2.0", "Trained on phantoms only. Not for children.", "more than 3.0 mm", RESEARCH_USE):
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
