import gc
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ctviewer.core.findings import SliceScore
from ctviewer.core.scales import attention_fraction
from ctviewer.ui import palette, theme
from ctviewer.ui.strip.hover import HoverCard
from ctviewer.ui.strip.lanes import FOOTER, HEADER

COUNTS = (40, 148, 800)


@pytest.mark.parametrize("count", COUNTS)
def test_the_bar_of_a_slice_has_the_length_of_its_attention(make, peak, dark, count):
    probe = make(count)
    at = count * 3 // 4
    probe.strip.set_attention(peak(count, at), strength=1.0)
    width = probe.lanes.score.width()
    tick = 1  # the line at uniform attention crosses the bar
    assert probe.bar(at, dark.accent) == round(float(attention_fraction(np.array(6.0))) * width) - tick
    far = count // 4
    assert probe.bar(far, dark.accent) <= round(float(attention_fraction(np.array(1.0))) * width)
    assert probe.bar(far, dark.accent) > 0


def test_nothing_is_stretched_to_the_studys_maximum(make, peak, dark):
    probe = make(148)
    probe.strip.set_attention(peak(148, 100, times=2.0), strength=1.0)
    assert probe.bar(100, dark.accent) < probe.lanes.score.width() * 0.55


def test_bars_are_grey_and_said_so_when_no_slice_stands_out(make, peak, dark):
    probe = make(148)
    probe.strip.set_attention(peak(148, 100), strength=0.9, stands_out=False)
    assert probe.bar(100, dark.accent) == 0
    assert probe.bar(100, dark.faint) > 20
    assert probe.strip._data.note == "no slice stands out"
    footer = probe.image().copy(0, probe.strip.height() - FOOTER, probe.strip.width(), FOOTER)
    background = QColor(dark.window).rgb()
    assert any(footer.pixel(x, y) != background for x in range(footer.width()) for y in range(footer.height()))


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_colour_strength_is_the_probability_of_a_finding(make, peak, dark, strength):
    probe = make(40)
    probe.strip.set_attention(peak(40, 30), strength=strength)
    colour = palette.blend(QColor(dark.faint), QColor(dark.accent), strength)
    pixel = probe.image().pixelColor(probe.lanes.score.left() + 2, int(probe.strip.y_of(30)))
    assert pixel.name() == colour.name()


def test_slices_not_looked_at_have_no_bar_but_a_hatch(make, peak, dark):
    probe = make(40)
    lengths = peak(40, 30)
    lengths[:10] = np.nan
    probe.strip.set_attention(lengths, strength=1.0)
    assert probe.bar(5, dark.accent) == 0
    rect, image = probe.lanes.score, probe.image()
    top = int(probe.strip.y_of(5))
    colours = {image.pixelColor(x, top).name() for x in range(rect.left(), rect.right())}
    assert {dark.panel, dark.border} <= colours


@pytest.mark.parametrize("count", COUNTS)
def test_the_lesion_lane_has_its_own_scale_and_colour(make, peak, dark, count):
    probe = make(count)
    at = count // 2 + 5
    area = np.zeros(count)
    area[at] = 2500.0
    probe.strip.set_lesion_area(area)
    assert probe.bar(at, dark.area, "area") == pytest.approx(probe.lanes.area.width() / 2, abs=1)
    assert probe.bar(at, dark.area) == 0
    assert probe.bar(count // 4, dark.area, "area") == 0


def test_the_bars_can_be_hidden_and_the_slider_stays(make, peak, dark, qtbot):
    probe = make(148)
    probe.strip.set_attention(peak(148, 100), strength=1.0)
    probe.strip.set_position(20)
    probe.strip.set_visible_bars(False)
    assert probe.bar(100, dark.accent) == 0
    assert probe.bar(20, dark.text) == probe.lanes.score.width()
    with qtbot.waitSignal(probe.strip.position_requested) as asked:
        probe.click(probe.strip.y_of(77))
    assert asked.args == [77]


def test_the_loading_lane_fills_and_goes(make, dark):
    probe = make(40)
    loaded = np.arange(40) < 20
    probe.strip.set_loaded(loaded)
    assert probe.bar(10, dark.muted, "loaded") == probe.lanes.loaded.width()
    assert probe.bar(30, dark.muted, "loaded") == 0
    probe.strip.set_loaded(np.ones(40, bool))
    assert probe.bar(10, dark.muted, "loaded") == 0


@pytest.mark.parametrize("count", COUNTS)
def test_ranks_are_marked_in_the_gutter(make, peak, dark, count):
    probe = make(count)
    probe.strip.set_attention(peak(count, count // 2), strength=1.0)
    probe.strip.set_top([count // 2, count // 4, count * 3 // 4, count - 1])
    rect, image = probe.lanes.ranks, probe.image()
    for position in (count // 2, count // 4, count * 3 // 4):
        y = int(probe.strip.y_of(position))
        marked = [image.pixelColor(x, y).name() for x in range(rect.left(), rect.right() + 1)]
        assert dark.accent in marked


@pytest.mark.parametrize("count", COUNTS)
def test_the_handle_stands_over_all_lanes_at_the_position(make, dark, count):
    probe = make(count)
    for position in (0, count // 3, count - 1):
        probe.strip.set_position(position)
        assert probe.bar(position, dark.text) == probe.lanes.score.width()
        assert probe.bar(position, dark.text, "area") == probe.lanes.area.width()
        assert probe.bar(position, dark.text, "ruler") > 4


@pytest.mark.parametrize("count", (1, 40, 148))
def test_a_click_goes_to_the_slice_under_it(make, qtbot, count):
    probe = make(count)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    wanted = list(range(0, count, max(1, count // 13)))
    for position in wanted:
        probe.strip.set_position((position + count // 2) % count)
        asked.clear()
        probe.click(probe.strip.y_of(position))
        assert asked == ([position] if position != probe.strip.value() else [])


def test_in_a_crowded_row_a_click_goes_to_the_strongest_slice(make, peak, qtbot):
    probe = make(800, height=300)
    at = 601
    lengths, area = peak(800, at), np.zeros(800)
    neighbour = next(p for p in (at - 1, at + 1) if int(probe.strip.y_of(p)) == int(probe.strip.y_of(at)))
    area[neighbour] = 500.0
    probe.strip.set_attention(lengths, strength=1.0)
    probe.strip.set_lesion_area(area)
    y = probe.strip.y_of(at)
    with qtbot.waitSignal(probe.strip.position_requested) as asked:
        probe.click(y)
    assert asked.args == [at]
    with qtbot.waitSignal(probe.strip.position_requested) as asked:
        probe.click(y, probe.lanes.area.center().x())
    assert asked.args == [neighbour]


def test_a_click_asks_and_does_not_move(make):
    probe = make(148)
    probe.strip.set_position(3)
    probe.click(probe.strip.y_of(90))
    assert probe.strip.value() == 3


def test_a_drag_scrubs_and_tells_each_slice_once(make):
    probe = make(148)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    x = probe.lanes.score.center().x()
    QTest.mousePress(probe.strip, Qt.MouseButton.LeftButton, pos=QPoint(x, int(probe.strip.y_of(50))))
    for y in range(int(probe.strip.y_of(50)), int(probe.strip.y_of(60)) + 1):
        QTest.mouseMove(probe.strip, QPoint(x, y))
    QTest.mouseRelease(probe.strip, Qt.MouseButton.LeftButton, pos=QPoint(x, int(probe.strip.y_of(60))))
    QTest.mouseMove(probe.strip, QPoint(x, int(probe.strip.y_of(80))))
    assert asked == list(range(50, 61))


def test_a_drag_beyond_the_ends_stays_at_the_ends(make):
    probe = make(148)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    QTest.mousePress(probe.strip, Qt.MouseButton.LeftButton, pos=QPoint(30, int(probe.strip.y_of(50))))
    QTest.mouseMove(probe.strip, QPoint(30, 5000))
    QTest.mouseMove(probe.strip, QPoint(30, -5000))
    QTest.mouseRelease(probe.strip, Qt.MouseButton.LeftButton, pos=QPoint(30, -5000))
    assert asked == [50, 147, 0]


def test_the_tag_is_taken_without_a_jump(make):
    probe = make(148)
    probe.strip.set_position(70)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    probe.click(probe.strip.y_of(70) + 6, probe.lanes.ruler.center().x())
    assert asked == []


def wheel(strip, delta):
    at = QPointF(strip.rect().center())
    event = QWheelEvent(
        at,
        strip.mapToGlobal(at),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(strip, event)


def test_the_wheel_asks_for_steps_and_adds_up_fine_ones(make):
    probe = make(148)
    steps = []
    probe.strip.step_requested.connect(steps.append)
    for delta in (-120, 120, -240, -60, -60, 30):
        wheel(probe.strip, delta)
    assert steps == [1, -1, 2, 1]


def test_keys(make):
    probe = make(148)
    steps, asked = [], []
    probe.strip.step_requested.connect(steps.append)
    probe.strip.position_requested.connect(asked.append)
    for key in (
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    ):
        QTest.keyClick(probe.strip, key)
    assert steps == [-1, 1, -14, 14]
    assert asked == [0, 147]


def test_assistive_technology_may_set_the_value_and_hears_it_in_words(make, peak):
    probe = make(148)
    probe.strip.set_attention(peak(148, 62), strength=1.0)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    probe.strip.set_position(62)
    assert asked == []
    assert probe.strip.accessibleDescription() == "Slice 63 of 148 (Im 63), attention 6.0 × uniform"
    probe.strip.setValue(10)
    assert asked == [10]


def test_it_is_a_slider_to_assistive_technology(make):
    probe = make(148)
    probe.strip.set_position(62)
    interface = QAccessible.queryAccessibleInterface(probe.strip)
    assert interface.role() == QAccessible.Role.Slider
    assert interface.text(QAccessible.Text.Name) == "Slices"
    assert interface.text(QAccessible.Text.Description).startswith("Slice 63 of 148")
    values = interface.valueInterface()
    assert (values.currentValue(), values.minimumValue(), values.maximumValue()) == (62, 0, 147)


def hover(probe, position, x=None):
    x = probe.lanes.score.center().x() if x is None else x
    at = QPointF(x, probe.strip.y_of(position))
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        at,
        probe.strip.mapToGlobal(at),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(probe.strip, event)
    return probe.strip.findChild(HoverCard)


def test_hover_shows_value_and_preview_beside_the_strip_and_takes_no_focus(make, peak):
    probe = make(148)
    probe.strip.move(300, 50)
    probe.strip.set_attention(peak(148, 100), strength=1.0)
    probe.strip.set_lesion_area(np.full(148, 55.0))
    probe.strip.set_top([100])
    asked = []
    preview = QImage(64, 32, QImage.Format.Format_Grayscale8)
    preview.fill(200)
    probe.strip.set_preview(lambda position: asked.append(position) or preview)
    probe.strip.setFocus()
    card = hover(probe, 100)
    hover(probe, 100, probe.lanes.score.left())
    assert card.isVisible()
    assert asked == [100]
    assert card.text().splitlines() == [
        "Slice 101 of 148 (Im 101)",
        "attention 6.0 × uniform",
        "rank 1",
        "lesion area 55 mm²",
    ]
    assert not card.geometry().intersects(probe.strip.frameGeometry())
    assert QApplication.focusWidget() is probe.strip
    probe.click(probe.strip.y_of(100))
    assert not card.isVisible()


def test_hover_takes_captions_and_stands_without_preview(make):
    probe = make(40)
    probe.strip.set_captions(lambda position: (f"Im {position}", "", "z -212.0 mm"))
    probe.strip.set_preview(lambda position: None)
    card = hover(probe, 7)
    assert card.text().splitlines() == ["Im 7", "z -212.0 mm"]
    QApplication.sendEvent(probe.strip, QEvent(QEvent.Type.Leave))
    assert not card.isVisible()


def test_hover_names_the_strongest_slice_of_a_crowded_row(make, peak):
    probe = make(800, height=300)
    probe.strip.set_attention(peak(800, 601), strength=1.0)
    neighbour = 600 if int(probe.strip.y_of(600)) == int(probe.strip.y_of(601)) else 602
    assert hover(probe, neighbour).text().startswith("Slice 602 of 800")


def test_the_headers_explain_their_lanes(make, peak):
    probe = make(40)
    area = QPoint(probe.lanes.area.left() + 2, HEADER // 2)
    assert probe.strip.help_at(area) == ""
    probe.strip.set_attention(peak(40, 3), strength=1.0)
    probe.strip.set_lesion_area(np.zeros(40))
    assert "times uniform" in probe.strip.help_at(QPoint(10, HEADER // 2))
    assert "10000 mm²" in probe.strip.help_at(area)
    assert probe.strip.help_at(QPoint(10, HEADER + 40)) == ""
    probe.strip.set_attention(np.zeros(40), score=SliceScore.PROBABILITY)
    assert "ttention" not in probe.strip.help_at(QPoint(10, HEADER // 2))


def test_another_stack_starts_clean(make, peak, dark):
    probe = make(148)
    probe.strip.set_attention(peak(148, 100), strength=1.0)
    probe.strip.set_position(140)
    asked = []
    probe.strip.position_requested.connect(asked.append)
    probe.strip.set_slices(40)
    assert asked == []
    assert probe.strip.value() == 0
    assert all(probe.bar(p, dark.accent) == 0 for p in (10, 20, 30))


def test_values_of_another_length_are_refused(make):
    probe = make(40)
    for give in (probe.strip.set_attention, probe.strip.set_lesion_area, probe.strip.set_loaded):
        with pytest.raises(ValueError, match="per slice"):
            give(np.zeros(39))


def test_an_empty_strip_ignores_the_mouse_and_keys(make):
    probe = make(0)
    heard = []
    probe.strip.position_requested.connect(heard.append)
    probe.strip.step_requested.connect(heard.append)
    probe.click(100)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_End):
        QTest.keyClick(probe.strip, key)
    probe.strip.set_position(5)
    assert heard == []
    assert probe.strip.accessibleDescription() == "No slices"


def test_scrolling_paints_the_handle_alone(make, peak):
    probe = make(800)
    probe.strip.set_attention(peak(800, 100), strength=1.0)
    probe.image()
    cached = probe.strip._cache
    for position in range(0, 800, 50):
        probe.strip.set_position(position)
        probe.image()
    assert probe.strip._cache is cached
    probe.strip.set_top([1, 2])
    probe.image()
    assert probe.strip._cache is not cached


def test_the_strip_follows_the_theme(make, peak, qapp):
    probe = make(40)
    probe.strip.set_attention(peak(40, 20), strength=1.0)
    assert probe.bar(20, theme.DARK.accent) > 0
    theme.apply_theme(qapp, "light")
    assert probe.bar(20, theme.LIGHT.accent) > 0
    assert probe.bar(20, theme.DARK.accent) == 0


def test_a_strip_leaves_nothing_behind(dark):
    from ctviewer.ui.strip.heat_strip import HeatStrip

    strip = HeatStrip()
    gone = weakref.ref(strip)
    strip.set_slices(10)
    strip.grab()
    del strip
    gc.collect()
    assert gone() is None
