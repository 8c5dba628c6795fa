"""The look of the program: Fusion with a dark (default) or light palette, a restrained style sheet, and own icons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from string import Template

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

from ctviewer.core.paths import resources

SPACE = 8  # the one spacing all panels use, in px; half of it inside groups
RADIUS = 3
BODY_PX = 13
SMALL_PX = 11

_FONT_FAMILIES = ("Inter", "Noto Sans", "DejaVu Sans")
_ICON_SIZES = (16, 20, 24, 32)
_PIXEL_RATIOS = (1, 2, 3)
_PROPERTY = "ctviewer_theme"
_ICON_PROPERTY = "ctviewer_icon"


@dataclass(frozen=True)
class Colours:
    """One theme's colours, as `#rrggbb`.

    Attributes:
        image: behind images, the darkest.
        window, panel, raised: from the frame to what can be pressed.
        field: behind text that can be edited.
        border: hairlines.
        text, muted, faint: from what is read to what only orders.
        selection, focus: selected rows and the focus ring; a cool blue, so that amber stays attention's.
        accent: attention.
        area: lesion area.
        info, warning, danger: severities.
    """

    image: str
    window: str
    panel: str
    raised: str
    field: str
    border: str
    text: str
    muted: str
    faint: str
    selection: str
    focus: str
    accent: str
    area: str
    info: str
    warning: str
    danger: str


DARK = Colours(
    image="#050607",
    window="#17191c",
    panel="#1e2124",
    raised="#2a2e33",
    field="#17191c",
    border="#34393f",
    text="#d9dcdf",
    muted="#9ba2a9",
    faint="#666d75",
    selection="#2f4558",
    focus="#6ea8d8",
    accent="#e69f00",
    area="#56b4e9",
    info="#7fb2d9",
    warning="#e2cf4f",
    danger="#f0565b",
)

LIGHT = Colours(
    image="#050607",
    window="#e4e7ea",
    panel="#f3f4f6",
    raised="#ffffff",
    field="#ffffff",
    border="#c3c9cf",
    text="#1b1f23",
    muted="#565e67",
    faint="#8b939b",
    selection="#cbdff1",
    focus="#2c6fb0",
    accent="#b87300",
    area="#1f7fbf",
    info="#2c6fb0",
    warning="#806500",
    danger="#c3272c",
)

_THEMES = {"dark": DARK, "light": LIGHT}

_STYLE = Template("""
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px; }
QToolBar { background: $window; border: 0; padding: 2px; spacing: 2px; }
QToolButton { border: 1px solid transparent; border-radius: ${radius}px; padding: 3px; }
QToolButton:hover { background: $raised; }
QToolButton:checked, QToolButton:pressed { background: $selection; }
QToolButton:focus { border-color: $focus; }
QToolButton[role="fold"]:checked { background: transparent; }
QToolButton[popupMode="2"] { padding-right: 16px; }
QToolButton::menu-indicator { subcontrol-origin: padding; subcontrol-position: center right; right: 3px; }
QToolButton[role="chip"] { background: transparent; border: 1px solid $border; font-size: ${small}px; padding: 1px 4px; }
QToolButton[role="chip"][answer="true"] { border-color: $accent; }
QToolButton[role="chip"]:hover { background: $raised; }
QToolButton[role="chip"]:checked { background: $selection; }
QToolButton[role="chip"]:focus { border-color: $focus; }
QToolButton[role="chip"]:disabled { color: $faint; }
QPushButton { background: $raised; border: 1px solid $border; border-radius: ${radius}px; padding: 3px 10px; }
QPushButton:hover { border-color: $faint; }
QPushButton:pressed { background: $selection; }
QPushButton:focus { border-color: $focus; }
QPushButton:disabled { color: $faint; background: $panel; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QLineEdit, QPlainTextEdit { background: $field; border: 1px solid $border; border-radius: ${radius}px; padding: 3px; }
QLineEdit:focus, QPlainTextEdit:focus { border-color: $focus; }
QAbstractItemView { background: $panel; border: 1px solid transparent; outline: 0; }
QAbstractItemView:focus { border-color: $focus; }
QHeaderView { background: $panel; }
QHeaderView::section { background: $panel; color: $muted; font-size: ${small}px; border: 0; border-bottom: 1px solid $border; padding: 2px 3px; }
QRadioButton { spacing: 6px; }
QRadioButton::indicator { width: 12px; height: 12px; border: 1px solid $faint; border-radius: 7px; background: $field; }
QRadioButton::indicator:checked { background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5, fx: 0.5, fy: 0.5, stop: 0 $focus, stop: 0.55 $focus, stop: 0.65 $field, stop: 1 $field); border-color: $focus; }
QRadioButton:focus { color: $focus; }
QCheckBox { spacing: 6px; }
QCheckBox::indicator { width: 13px; height: 13px; border: 1px solid $faint; border-radius: 2px; background: $field; }
QCheckBox::indicator:checked { background: $focus; border-color: $focus; image: url("$tick"); }
QCheckBox:focus { color: $focus; }
QProgressBar { background: $window; border: 0; border-radius: 2px; }
QProgressBar::chunk { background: $focus; border-radius: 2px; }
QScrollArea { border: 0; }
QSlider::groove:horizontal { background: $border; height: 3px; border-radius: 1px; }
QSlider::sub-page:horizontal { background: $faint; border-radius: 1px; }
QSlider::handle:horizontal { background: $text; width: 9px; height: 9px; margin: -3px 0; border-radius: 4px; }
QSlider::handle:horizontal:focus { background: $focus; }
QSlider::handle:horizontal:disabled { background: $faint; }
QScrollBar:vertical { background: transparent; width: 8px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 8px; margin: 0; }
QScrollBar::handle { background: $border; border-radius: 3px; margin: 1px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $window; }
QFrame#hoverCard { background: $raised; border: 1px solid $border; border-radius: ${radius}px; }
QFrame#hoverCard QLabel { font-size: ${small}px; }
QWidget[role="panel"] { background: $panel; }
QLabel[role="title"] { color: $muted; font-size: ${small}px; font-weight: 600; }
QLabel[role="step"] { color: $faint; }
QLabel[role="step"][current="true"] { color: $text; font-weight: 700; }
QLabel[role="small"] { color: $muted; font-size: ${small}px; }
QLabel[role="faint"] { color: $faint; font-size: ${small}px; }
QLabel[role="warning"] { color: $warning; font-size: ${small}px; }
QLabel[role="danger"] { color: $danger; }
""")


def apply_theme(app: QApplication, name: str = "dark") -> None:
    """Give the whole application the dark or light theme; may be called again at any time.

    Raises:
        ValueError: `name` is neither "dark" nor "light".
    """
    if name not in _THEMES:
        raise ValueError(f"no theme is called {name!r}")
    colours_ = _THEMES[name]
    app.setProperty(_PROPERTY, name)
    app.setStyle("Fusion")
    app.setPalette(_palette(colours_))
    app.setFont(_font())
    app.setStyleSheet(_style(colours_))
    for widget in app.allWidgets():
        for thing in (widget, *widget.actions()):
            if isinstance(thing, QAbstractButton | QAction) and thing.property(_ICON_PROPERTY):
                thing.setIcon(icon(str(thing.property(_ICON_PROPERTY))))


def _style(c: Colours) -> str:
    return _STYLE.substitute(asdict(c), radius=RADIUS, small=SMALL_PX, tick=icon_path("tick").as_posix())


def colours() -> Colours:
    """Colours of the theme in force; dark before any theme was applied."""
    app = QApplication.instance()
    return _THEMES.get(str(app.property(_PROPERTY)), DARK) if app else DARK


def small_font(font: QFont) -> QFont:
    """The same font in the size of captions."""
    small = QFont(font)
    small.setPixelSize(SMALL_PX)
    return small


def icon(name: str, colour: str | None = None) -> QIcon:
    """An icon of `resources/icons` in the theme's text colour, sharp at one to three device pixels per pixel.

    Args:
        name: file name without `.svg`.
        colour: another colour, `#rrggbb`.

    Raises:
        FileNotFoundError: there is no such icon.
    """
    c = colours()
    made = QIcon()
    for mode, stroke in ((QIcon.Mode.Normal, colour or c.text), (QIcon.Mode.Disabled, c.faint)):
        renderer = _renderer(name, stroke)
        for size in _ICON_SIZES:
            for ratio in _PIXEL_RATIOS:
                made.addPixmap(_render(renderer, size, ratio), mode)
    return made


def set_icon(thing: QAbstractButton | QAction, name: str) -> None:
    """Give a button, or an action of some widget, an icon that follows later changes of the theme."""
    thing.setProperty(_ICON_PROPERTY, name)
    thing.setIcon(icon(name))


def draw_icon(painter: QPainter, name: str, rect: QRect, colour: str) -> None:
    """Draw an icon into a square of a widget, in `colour` (`#rrggbb`)."""
    _renderer(name, colour).render(painter, QRectF(rect))


def icon_path(name: str) -> Path:
    """Where an icon's file is."""
    return resources() / "icons" / f"{name}.svg"


@lru_cache(maxsize=64)
def _source(name: str) -> str:
    return icon_path(name).read_text(encoding="utf-8")


def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))


def _render(renderer: QSvgRenderer, size: int, ratio: int) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size * ratio, size * ratio))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _font() -> QFont:
    """The first of the preferred families that is loaded (the shipped one comes first), else the system's own."""
    present = set(QFontDatabase.families())
    font = QFont(next((f for f in _FONT_FAMILIES if f in present), QFont().family()))
    font.setPixelSize(BODY_PX)
    return font


def _palette(c: Colours) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: c.window,
        QPalette.ColorRole.WindowText: c.text,
        QPalette.ColorRole.Base: c.panel,
        QPalette.ColorRole.AlternateBase: c.window,
        QPalette.ColorRole.ToolTipBase: c.raised,
        QPalette.ColorRole.ToolTipText: c.text,
        QPalette.ColorRole.PlaceholderText: c.faint,
        QPalette.ColorRole.Text: c.text,
        QPalette.ColorRole.Button: c.raised,
        QPalette.ColorRole.ButtonText: c.text,
        QPalette.ColorRole.BrightText: c.danger,
        QPalette.ColorRole.Link: c.focus,
        QPalette.ColorRole.Highlight: c.selection,
        QPalette.ColorRole.HighlightedText: c.text,
        QPalette.ColorRole.Light: c.raised,
        QPalette.ColorRole.Midlight: c.raised,
        QPalette.ColorRole.Mid: c.border,
        QPalette.ColorRole.Dark: c.border,
        QPalette.ColorRole.Shadow: c.image,
        QPalette.ColorRole.Accent: c.focus,
    }
    palette = QPalette()
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.faint))
    return palette
