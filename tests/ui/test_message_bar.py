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
