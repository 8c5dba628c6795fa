"""Charts: well-formed, with words for those who cannot see them, and drawn where the numbers say."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from ctviewer.report import charts
from ctviewer.report.svg import COLOURS, DASHES, ticks

NS = {"s": "http://www.w3.org/2000/svg"}
LINES = [
    charts.Line("any finding", [(0, 0), (0.25, 0.75), (1, 1)], [(0.25, 0.75)]),
    charts.Line("other", [(0, 0), (1, 1)]),
]
SHARES = [charts.Share(0.0, 0.1, 12, 0.04, 0.1, 0.02, 0.3), charts.Share(0.9, 1.0, 7, 0.95, 1.0, 0.6, 1.0)]
ROWS = [charts.Interval("AUC-ROC, x", 0.9, 0.8, 0.95), charts.Interval("sensitivity", 0.5, None, None)]
ALL = {
    "roc": lambda: charts.roc_chart(LINES),
    "precision": lambda: charts.precision_chart(LINES),
    "reliability": lambda: charts.reliability_chart("any finding", [("old", SHARES), ("new", SHARES)]),
    "confusion": lambda: charts.confusion_chart("Confusion matrix", ["a", "b"], [[5, 1], [0, 9]]),
    "intervals": lambda: charts.interval_chart("Figures", ROWS),
    "differences": lambda: charts.interval_chart("Differences", [charts.Interval("x", -0.1, -0.2, 0.05)], 0.0),
    "loss": lambda: charts.loss_chart([charts.Line("training", [(1, 0.9), (2, 0.5)], [(2, 0.5)])]),
}


def parsed(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return root


def texts(root):
    return [element.text for element in root.iterfind(".//s:text", NS)]


@pytest.mark.parametrize("name", ALL)
def test_every_chart_says_what_it_shows_and_stays_on_its_sheet(name):
    root = parsed(ALL[name]())
    assert root.get("role") == "img" and len(root.get("aria-label")) > 10
    assert root.find("s:title", NS).text and len(root.find("s:desc", NS).text) > 10
    width, height = map(float, root.get("viewBox").split()[2:])
    for element in root.iter():
        for x, y in (("x1", "y1"), ("x2", "y2"), ("cx", "cy"), ("x", "y")):
            if element.get(x) is not None:
                assert -1 <= float(element.get(x)) <= width + 1 and -1 <= float(element.get(y)) <= height + 1
    assert width <= 420, "letters of 12 units stay readable at the width of a phone"
    assert all(float(element.get("font-size")) >= 11 for element in root.iterfind(".//s:text", NS))


@pytest.mark.parametrize("name", ALL)
def test_nothing_runs_and_nothing_comes_from_outside(name):
    svg = ALL[name]()
    for word in ("<script", "href", "url(", "<style", "<image", "foreignObject", "onload"):
        assert word not in svg


def test_lines_differ_in_more_than_colour():
    root = parsed(charts.roc_chart([charts.Line(str(i), [(0, 0), (1, 1)]) for i in range(6)]))
    kinds = {(line.get("stroke"), line.get("stroke-dasharray")) for line in root.iterfind(".//s:polyline", NS)}
    assert len({colour for colour, _ in kinds}) == len({dash for _, dash in kinds}) == 6
    assert len(COLOURS) == len(DASHES)


@pytest.mark.parametrize("colour", COLOURS)
def test_lines_can_be_seen_on_white(colour):
    """Contrast of graphics after WCAG 2.1 (1.4.11): at least 3 to 1."""

    def linear(value):
        value /= 255
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    r, g, b = (linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    assert 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05) >= 3.0


def test_a_point_lies_where_its_numbers_say():
    root = parsed(charts.roc_chart(LINES))
    corner, end = (charts._LEFT, charts._TOP + charts._SIDE), (charts._LEFT + charts._SIDE, charts._TOP)
    curve = next(iter(root.iterfind(".//s:polyline", NS)))
    points = [tuple(map(float, pair.split(","))) for pair in curve.get("points").split()]
    assert points[0] == pytest.approx(corner) and points[-1] == pytest.approx(end)
    middle = corner[0] + 0.25 * charts._SIDE, corner[1] - 0.75 * charts._SIDE
    assert points[1] == pytest.approx(middle)
    dot = next(iter(root.iterfind(".//s:circle", NS)))
    assert (float(dot.get("cx")), float(dot.get("cy"))) == pytest.approx(middle)


def test_the_reliability_plot_counts_the_studies_of_each_range():
    root = parsed(charts.reliability_chart("any finding", [("old", SHARES), ("new", SHARES[:1])]))
    assert texts(root).count("12") == 2 and texts(root).count("7") == 1
    assert "12 studies of probability 0.04: 10% true" in root.find("s:desc", NS).text


def test_confusion_has_counts_shares_and_rows_for_the_truth():
    root = parsed(charts.confusion_chart("Confusion matrix", ["clear", "sick"], [[5, 1], [0, 0]]))
    shown = texts(root)
    assert {"5", "1", "83%", "17%"} <= set(shown) and shown.count("0") == 2
    assert "Of 6 with clear: 5 clear, 1 sick" in root.find("s:desc", NS).text


def test_an_interval_that_is_not_given_is_told():
    root = parsed(charts.interval_chart("Figures", ROWS))
    assert "0.500 (no interval)" in texts(root) and "0.900 (0.800 to 0.950)" in texts(root)
    assert "−0.100 (−0.200 to 0.050)" in texts(parsed(ALL["differences"]()))


@pytest.mark.parametrize("name", ["<b>&\"'", "a\x00\x1b\u202eb", "x" * 500, "zwei\nZeilen", "肺炎"])
def test_names_from_files_are_letters_and_nothing_else(name):
    for svg in (
        charts.roc_chart([charts.Line(name, [(0, 0), (1, 1)])]),
        charts.reliability_chart(name, [(name, SHARES)]),
        charts.confusion_chart(name, [name, "b"], [[1, 2], [3, 4]]),
        charts.interval_chart(name, [charts.Interval(name, 0.5, 0.4, 0.6)]),
    ):
        root = parsed(svg)
        assert all("\n" not in text and "\u202e" not in text for text in texts(root))
        assert all(len(text) <= 60 for text in texts(root))


def test_nothing_to_draw():
    for svg in (
        charts.roc_chart([]),
        charts.loss_chart([]),
        charts.loss_chart([charts.Line("training", [(1, 0.0)])]),
        charts.interval_chart("Figures", []),
        charts.interval_chart("Figures", [charts.Interval("x", 0.0, None, None)], 0.0),
        charts.reliability_chart("x", [("m", [])]),
    ):
        parsed(svg)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-0.11, 0.26, [-0.1, 0.0, 0.1, 0.2]), (1, 12, [2, 4, 6, 8, 10, 12]), (3, 3, [3])],
)  # fmt: skip
def test_ticks_are_round(low, high, found):
    assert ticks(low, high) == pytest.approx(found)


def test_a_froc_curve_is_level_until_more_is_found_and_ends_at_eight_false_findings():
    curve = charts.Line("any lesion", [(0.0, 0.0), (0.5, 0.4), (3.0, 0.7), (20.0, 0.9)])
    drawn = charts.froc_chart([curve])
    assert "false findings per scan" in drawn and "share of lesions found" in drawn
    assert "Share of lesions found over false findings per scan, of any lesion." in drawn
    assert charts._steps(curve.points, 8.0) == [
        (0.0, 0.0), (0.0, 0.0), (0.5, 0.0), (0.5, 0.4), (3.0, 0.4), (3.0, 0.7), (8.0, 0.7),
    ]  # fmt: skip
    assert charts._steps([(0.0, 0.0), (2.0, 1.0)], 8.0)[-1] == (2.0, 1.0), "it ends where no threshold is milder"
