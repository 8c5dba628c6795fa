"""Pages: one file that runs nothing, with the notice on top and every text escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ctviewer.report import page

VOID = {"meta", "br"}


class _Checked(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def checked(html):
    parser = _Checked()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def example():
    table = page.table(("Figure", "Value"), [("AUC <x>", "0.9"), ("b & c", "1")], right=(1,))
    chart = page.figures([("Chart", "what it is", "<svg><title>t</title></svg>")])
    parts = [page.section("A <section>", page.text("Doubtful.", "doubt"), page.points(["one", "two"]), table, chart)]
    return page.page("Evaluation of m", "For research use, not a medical device.", parts)


def test_it_is_well_formed_and_escaped():
    found = checked(example())
    assert "AUC <x>" in found.words and "A <section>" in found.words and "b & c" in found.words
    tags = [tag for tag, _ in found.seen]
    assert tags.count("li") == 2 and "figure" in tags and "svg" in tags


def test_the_notice_stands_before_everything_else():
    body = example().partition("<body>")[2]
    assert body.startswith('<p class="notice" role="note">For research use')


def test_nothing_runs_and_nothing_comes_from_outside():
    html = example()
    assert "default-src 'none'" in html and "<script" not in html
    assert not re.search(r"(src|href)=|url\(|@import|https?://", html)


def test_it_is_light_in_any_setting_and_has_rules_for_print_and_phone():
    html = example()
    assert "color-scheme: light" in html and "@media print" in html and "width=device-width" in html


def test_tables_name_their_rows_and_columns():
    found = checked(example())
    scopes = [attributes.get("scope") for tag, attributes in found.seen if tag == "th"]
    assert scopes == ["col", "col", "row", "row"]


def test_no_list_without_points():
    assert page.points([]) == ""
