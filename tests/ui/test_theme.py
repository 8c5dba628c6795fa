import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QAction, QColor, QPalette
from PySide6.QtWidgets import QToolButton

from ctviewer.core.series import Severity
from ctviewer.ui import palette, theme

ICONS = [
    "open",
    "analyse",
    "cancel",
    "report",
    "window",
    "pan",
    "zoom",
    "fit",
    "invert",
    "overlay",
    "heat",
    "key-image",
    "accept",
    "reject",
    "comment",
    "settings",
    "info",
    "warning",
    "play",
]


def luminance(colour):
    parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in QColor(colour).getRgbF()[:3]]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
def test_text_is_readable_on_every_surface(colours):
    for surface in (colours.window, colours.panel, colours.selection, colours.raised):
        assert contrast(colours.text, surface) >= 4.5
    for ink in (colours.muted, colours.danger, colours.warning, colours.info):
        assert contrast(ink, colours.panel) >= 4.5
    for mark in (colours.accent, colours.area, colours.focus):
        assert contrast(mark, colours.panel) >= 3.0


@pytest.mark.parametrize("name", ["dark", "light"])
def test_a_theme_reaches_the_application(qapp, name):
    theme.apply_theme(qapp, name)
    c = theme.colours()
    assert c is {"dark": theme.DARK, "light": theme.LIGHT}[name]
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == c.window
    assert luminance(c.image) < 0.01


def test_an_unknown_theme_is_refused(qapp):
    with pytest.raises(ValueError, match="pink"):
        theme.apply_theme(qapp, "pink")


@pytest.mark.parametrize("name", ICONS)
def test_every_icon_is_drawn_in_the_colour_asked_for(qapp, name):
    image = theme.icon(name, "#ff0000").pixmap(QSize(24, 24)).toImage()
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    inked = [p for p in pixels if p.alpha() > 200]
    assert len(inked) > 20
    assert all(p.red() > 240 and p.green() < 15 for p in inked)
    assert "currentColor" in theme.icon_path(name).read_text()


def test_icons_are_sharp_on_dense_screens(qapp):
    pixmap = theme.icon("open").pixmap(QSize(20, 20), 2.0)
    assert pixmap.width() == 40
    assert pixmap.devicePixelRatio() == 2.0


def test_icons_of_buttons_and_actions_follow_the_theme(qapp, qtbot):
    theme.apply_theme(qapp, "dark")
    button = QToolButton()
    qtbot.addWidget(button)
    action = QAction(button)
    button.addAction(action)

    def ink(thing):
        image = thing.icon().pixmap(24, 24).toImage()
        pixels = [image.pixelColor(x, y) for x in range(24) for y in range(24)]
        return max(pixels, key=lambda p: p.alpha()).lightness()

    for thing in (button, action):
        theme.set_icon(thing, "cancel")
        assert ink(thing) > 150
    theme.apply_theme(qapp, "light")
    assert ink(button) < 100
    assert ink(action) < 100


def test_red_is_for_danger_only(qapp):
    theme.apply_theme(qapp, "dark")
    hues = {s: palette.severity_colour(s).hue() for s in Severity}
    assert min(hues[Severity.DANGER], 360 - hues[Severity.DANGER]) < 15
    assert all(30 < hues[s] < 330 for s in (Severity.INFO, Severity.WARNING))
    assert {palette.severity_icon(s) for s in Severity} <= set(ICONS)


def test_lesion_colours_differ_and_leave_attention_alone(qapp):
    classes = ("lung", "ground glass", "consolidation", "a", "b", "c")
    colours = [palette.lesion_colour(label, classes).name() for label in classes]
    assert len(set(colours)) == len(classes)
    assert palette.attention_colour().name() not in colours
    assert palette.lesion_colour("never seen", classes).hslSaturation() < 30


def test_blending_stays_between_its_ends():
    low, high = QColor("#000000"), QColor("#ffffff")
    assert palette.blend(low, high, -1) == palette.blend(low, high, 0) == QColor.fromRgbF(0, 0, 0)
    assert palette.blend(low, high, 2).name() == "#ffffff"
    assert palette.blend(low, high, 0.5).lightness() == pytest.approx(127, abs=1)
