"""The line above the image."""

from __future__ import annotations

import pytest

from ctviewer.core.series import Severity
from ctviewer.ui import theme
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.palette import severity_colour


@pytest.fixture
def bar(qtbot, qapp):
    theme.apply_theme(qapp, "dark")
    made = MessageBar()
    qtbot.addWidget(made)
    yield made
    theme.apply_theme(qapp, "dark")


def test_a_message_that_stands_follows_the_theme(bar, qapp):
    bar.say("The report was written.", Severity.DANGER)
    dark = bar._icon.pixmap().toImage()
    theme.apply_theme(qapp, "light")
    assert bar._icon.pixmap().toImage() != dark
    assert severity_colour(Severity.DANGER).name() in bar.styleSheet()


def test_a_message_is_replaced_and_put_away(bar):
    bar.say("First.", actions=(("Open", lambda: None),))
    bar.say("Second.")
    assert bar.text == "Second."
    bar.clear()
    assert bar.text == ""


def test_buttons_of_the_message_before_never_lie_under_the_new_ones(bar):
    bar.say("First.", actions=(("Open another folder", lambda: None),))
    before = bar._buttons[0]
    bar.say("Second.", actions=(("Say more", lambda: None),))
    assert before.isHidden(), "it is deleted later than this"
