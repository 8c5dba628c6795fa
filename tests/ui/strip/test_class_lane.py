"""The lane of the one-shot model's slice classes: a column per finding, told by its place and letter."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor

from ctviewer.ui.strip.lanes import COLUMN, HEADER, Lanes, class_width

CLASSES = ("control", "CP", "COVID-19")


@pytest.fixture
def lane(make):
    """A strip of 40 slices whose slice 30 is COVID-19 and whose slice 35 may be CP; the first ten were not looked at."""
    probe = make(40)
    probe.strip.set_slice_classes(CLASSES, "control")
    probe.strip.resize(probe.strip.sizeHint().width(), 640)
    told = np.tile([0.9, 0.02, 0.03], (40, 1))
    told[30], told[35], told[:10] = (0.05, 0.1, 0.95), (0.6, 0.4, 0.1), np.nan
    probe.strip.set_class_probabilities(told)
    return probe


def column_pixels(probe, number, position, colour):
    rect, image = Lanes(probe.strip.size(), 2).column(number), probe.image()
    y, wanted = int(probe.strip.y_of(position)), QColor(colour).rgb()
    return sum(image.pixel(x, y) == wanted for x in range(rect.left(), rect.right() + 1))


def test_each_finding_has_a_column_whose_bars_are_its_probability(lane, dark):
    assert column_pixels(lane, 1, 30, dark.text) == pytest.approx(
        0.95 * (COLUMN - 1) - 1, abs=1
    )  # less the line at 0.5
    assert column_pixels(lane, 0, 30, dark.text) == 0
    assert column_pixels(lane, 0, 35, dark.faint) == pytest.approx(0.4 * (COLUMN - 1), abs=1)
    assert column_pixels(lane, 0, 35, dark.text) == 0  # below a half: not bright


def test_what_was_not_looked_at_is_hatched_and_said(lane, dark):
    assert column_pixels(lane, 0, 5, dark.border) > column_pixels(lane, 0, 20, dark.border)
    assert lane.strip.hover_text(5)[-1] == "slice class: not looked at"


def test_the_card_names_all_classes_under_their_own_heading(lane):
    assert lane.strip.hover_text(30)[-4:] == (
        "slice class, each for itself:",
        "   control 0.05",
        "   A CP 0.10",
        "   B COVID-19 0.95",
    )


def test_the_header_is_the_legend(lane, dark):
    lanes, image = Lanes(lane.strip.size(), 2), lane.image()
    for number in range(2):
        rect, background = lanes.column(number), QColor(dark.window).rgb()
        assert any(image.pixel(x, y) != background for x in range(rect.left(), rect.right()) for y in range(HEADER))
        legend = lane.strip.help_at(QPoint(rect.center().x(), 5))
        assert "A: CP\nB: COVID-19" in legend and "Without a column: control" in legend
        assert "no answer about the study" in legend
    assert "Slice class" not in lane.strip.help_at(QPoint(lanes.score.left() + 2, 5))


def test_the_other_lanes_stay_where_they_are(make, lane, dark, peak):
    plain = make(40)
    for name in ("ranks", "score", "area"):
        assert getattr(Lanes(lane.strip.size(), 2), name) == getattr(Lanes(plain.strip.size()), name)
    lane.strip.set_attention(peak(40, 30), strength=1.0)
    plain.strip.set_attention(peak(40, 30), strength=1.0)
    lanes, image = Lanes(lane.strip.size(), 2), lane.image()
    y, wanted = int(lane.strip.y_of(30)), QColor(dark.accent).rgb()
    drawn = sum(image.pixel(x, y) == wanted for x in range(lanes.score.left(), lanes.score.right() + 1))
    assert drawn == plain.bar(30, dark.accent)


def test_a_click_in_a_crowded_lane_goes_to_the_most_probable_finding(make):
    probe = make(800)
    probe.strip.set_slice_classes(CLASSES, "control")
    probe.strip.resize(probe.strip.sizeHint().width(), 640)
    told = np.tile([0.9, 0.02, 0.03], (800, 1))
    told[401] = (0.05, 0.1, 0.95)
    probe.strip.set_class_probabilities(told)
    x = Lanes(probe.strip.size(), 2).classes.center().x()
    assert 401 in [probe.strip.position_at(y, x) for y in range(300, 340)]


def test_without_classes_there_is_no_lane_and_no_room_taken(make):
    probe = make(40)
    width = probe.strip.sizeHint().width()
    probe.strip.set_slice_classes(CLASSES, "control")
    assert probe.strip.sizeHint().width() == width + class_width(2)
    probe.strip.set_slice_classes(())
    assert probe.strip.sizeHint().width() == width
    assert probe.strip.hover_text(3) == ("Slice 4 of 40 (Im 4)",)


def test_the_lane_goes_with_the_bars(lane, dark):
    lane.strip.set_visible_bars(False)
    assert column_pixels(lane, 1, 30, dark.text) == 0
    assert len(lane.strip.hover_text(30)) == 1
    assert lane.strip.help_at(QPoint(Lanes(lane.strip.size(), 2).classes.center().x(), 5)) == ""


def test_only_four_findings_have_columns_the_rest_is_told(make):
    probe = make(40)
    names = ("none", *"uvwxyz")
    probe.strip.set_slice_classes(names, "none")
    probe.strip.set_class_probabilities(np.full((40, 7), 0.25))
    assert probe.strip.sizeHint().width() == make(40).strip.sizeHint().width() + class_width(4)
    assert [line.strip() for line in probe.strip.hover_text(0)[-6:]] == [
        *("A u 0.25", "B v 0.25", "C w 0.25", "D x 0.25"),
        *("y 0.25", "z 0.25"),
    ]


def test_another_stack_keeps_the_lane_and_forgets_the_values(lane):
    width = lane.strip.sizeHint().width()
    lane.strip.set_slices(12)
    assert lane.strip.sizeHint().width() == width and len(lane.strip.hover_text(3)) == 1


@pytest.mark.parametrize("shape", [(39, 3), (40, 2), (40,)])
def test_probabilities_that_do_not_fit_are_refused(lane, shape):
    with pytest.raises(ValueError, match="slice and class"):
        lane.strip.set_class_probabilities(np.zeros(shape))
