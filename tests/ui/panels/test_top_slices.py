import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from ctviewer.core.findings import SliceScore
from ctviewer.ui.panels.top_slices import TopSlice, TopSlices, weight_text


@pytest.fixture
def four(picture):
    return [TopSlice(10 * n, f"Im {n}", w, picture) for n, w in zip((5, 3, 8, 1), (0.312, 0.2, 0.1, 0.04), strict=True)]


@pytest.mark.parametrize(
    ("weight", "score", "text"),
    [
        (0.312, SliceScore.ATTENTION, "31 %"),
        (0.0333, SliceScore.ATTENTION, "3.3 %"),
        (0.0996, SliceScore.ATTENTION, "10 %"),
        (0.97, SliceScore.PROBABILITY, "97 %"),
        (412.6, SliceScore.LESION_AREA, "4.1 cm²"),
    ],
)
def test_weights_in_words(weight, score, text):
    assert weight_text(weight, score) == text


@pytest.fixture
def panel(show, four, qapp):
    """Four slices, laid out."""
    shown = show(TopSlices())
    shown.set_slices(four)
    qapp.processEvents()
    return shown


def test_ranked_slices_in_order_and_a_click_goes_there(panel, qtbot):
    assert [b.toolTip() for b in panel._buttons][:2] == ["Rank 1: 31 %, Im 5", "Rank 2: 20 %, Im 3"]
    assert all(a.x() < b.x() for a, b in zip(panel._buttons, panel._buttons[1:], strict=False))
    for button, index in zip(panel._buttons, (50, 30, 80, 10), strict=True):
        with qtbot.waitSignal(panel.slice_requested) as asked:
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert asked.args == [index]


def test_keys_walk_and_press(panel):
    asked = []
    panel.slice_requested.connect(asked.append)
    panel._buttons[0].setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Left, Qt.Key.Key_Space):
        QTest.keyClick(panel.window().focusWidget(), key)
    assert asked == [80, 30]
    for _ in range(5):
        QTest.keyClick(panel.window().focusWidget(), Qt.Key.Key_Left)
    assert panel._buttons[0].hasFocus()


def test_the_slice_shown_is_highlighted(panel, dark):
    def underlined(button):
        image = button.grab().toImage()
        return image.pixelColor(image.width() // 2, min(image.width(), 68) - 2).name() == dark.accent

    panel.set_current(30)
    assert [underlined(b) for b in panel._buttons] == [False, True, False, False]
    assert [b.is_current() for b in panel._buttons] == [False, True, False, False]
    panel.set_current(31)
    assert not any(b.is_current() for b in panel._buttons)


def test_only_attention_is_called_attention_and_doubt_is_said(show, four):
    panel = show(TopSlices())
    panel.set_slices(four, SliceScore.PROBABILITY, stands_out=False)
    text = "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())
    assert "slice probability" in text
    assert "attention" not in text
    assert "No slice stands out" in text


def test_the_focus_survives_new_pictures(panel, four):
    panel._buttons[2].setFocus()
    panel.set_slices(four)
    assert panel._buttons[2].hasFocus()


def test_new_slices_replace_old_ones_and_fit_any_column(show, four, qtbot):
    panel = show(TopSlices(), width=256)
    panel.set_slices(four)
    panel.set_slices([TopSlice(1, "Im 1", 0.5, QImage()) for _ in range(6)])
    assert len(panel._buttons) == 6
    assert panel.minimumSizeHint().width() <= 256
    panel.grab()
    panel.set_slices(())
    assert panel._buttons == []
