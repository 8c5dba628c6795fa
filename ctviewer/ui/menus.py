"""Menus and toolbar of the main window, laid out from the table of commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMainWindow, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from ctviewer.core.windowing import PRESETS, Voi, VoiTable
from ctviewer.ui.viewport.slice_text import number as format_number

_SEPARATOR = ""
_PAPERS = ("paper_a4", "paper_letter")
_PRESETS = tuple(f"preset_{n}" for n in range(1, len(PRESETS) + 1))
_MENUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "&File",
        (
            "open_folder",
            "open_file",
            "recent",
            _SEPARATOR,
            "report",
            "report_as",
            "save_findings",
            "paper",
            _SEPARATOR,
            "quit",
        ),
    ),
    (
        "&Edit",
        (
            *("undo", "redo", _SEPARATOR, "key_image", _SEPARATOR),
            *("accept_class", "next_class", _SEPARATOR, "memory"),
        ),
    ),
    (
        "&View",
        (
            *("presets", _SEPARATOR, "tool_window", "tool_pan", "tool_zoom", _SEPARATOR),
            *(
                "fit",
                "actual_size",
                "reset",
                "flip_h",
                "flip_v",
                "invert",
                _SEPARATOR,
                "information",
                "state",
                "histogram",
                _SEPARATOR,
            ),
            *("bars", "overlay", "rois", "graphics", "marks", "panels", "theme"),
        ),
    ),
    (
        "&Navigate",
        (
            *("previous_slice", "next_slice", "first_slice", "last_slice", _SEPARATOR),
            *("next_ranked", "previous_ranked", _SEPARATOR, "previous_series", "next_series", _SEPARATOR, "cine"),
        ),
    ),
    (
        "Fin&dings",
        (
            *("accept", "reject", "next_lesion_class", "remove_finding", "erase_slice", _SEPARATOR),
            *("new_finding", "tool_brush", "tool_eraser", "smaller_brush", "larger_brush", _SEPARATOR),
            *("reviewed_slice", "reviewed_study", _SEPARATOR, "export_training"),
        ),
    ),
    ("&Analysis", ("analyse", "cancel", _SEPARATOR, "auto_analyse")),
    ("&Model", ("models", "fine_tune")),
    ("&Help", ("keys", "log", _SEPARATOR, "about")),
)


def build_menus(window: QMainWindow, actions: dict[str, QAction]) -> QMenu:
    """Fill the menu bar; returns the (empty) menu of recent folders."""
    recent = QMenu("Open &recent", window)
    presets = QMenu("&Window presets", window)
    presets.addActions([actions[name] for name in ("window_file", *_PRESETS)])
    paper = QMenu("&Paper of reports", window)
    paper.addActions([actions[name] for name in _PAPERS])
    submenus = {"recent": recent, "presets": presets, "paper": paper}
    for title, names in _MENUS:
        menu = window.menuBar().addMenu(title)
        for name in names:
            if name == _SEPARATOR:
                menu.addSeparator()
            elif name in submenus:
                menu.addMenu(submenus[name])
            else:
                menu.addAction(actions[name])
    for names in (("tool_window", "tool_pan", "tool_zoom", "tool_brush", "tool_eraser"), _PAPERS):
        group = QActionGroup(window)
        for name in names:
            group.addAction(actions[name])
    return recent


def build_toolbar(window: QMainWindow, actions: dict[str, QAction]) -> QToolButton:
    """Add the toolbar; returns the button of the window presets, whose text names the window in use."""
    bar = QToolBar("Tools", window)
    bar.setObjectName("tools")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    window.addToolBar(bar)
    presets = QToolButton(bar)
    presets.setObjectName("presets")
    presets.setText("Window")
    presets.setAccessibleName("Window presets")
    presets.setToolTip("Window presets (keys 1 to 6, 0 = as in the file)")
    presets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    presets.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    menu = QMenu(presets)
    menu.addActions([actions[name] for name in ("window_file", *_PRESETS)])
    menu.addSeparator()
    presets.setMenu(menu)
    _add(bar, actions, ("open_folder", "report"), text=True)
    bar.addSeparator()
    bar.addWidget(presets)
    _add(bar, actions, ("tool_window", "tool_pan", "tool_zoom", "fit", "invert"))
    bar.addSeparator()
    _add(bar, actions, ("new_finding", "tool_brush", "tool_eraser"))
    bar.addSeparator()
    _add(bar, actions, ("bars", "overlay", "key_image", "cine"))
    spring = QWidget(bar)
    spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    bar.addWidget(spring)
    actions["cancel"].setIconText("Cancel")
    _add(bar, actions, ("analyse", "cancel"), text=True)
    return presets


def fill_file_windows(button: QToolButton, windows: Sequence[Voi], choose: Callable[[Voi], object]) -> None:
    """Offer the file's own windows and tables below the presets, by their explanation."""
    menu = button.menu()
    for action in [a for a in menu.actions() if a.data() is not None]:
        menu.removeAction(action)
        action.deleteLater()
    for number, window in enumerate(windows, 1):
        action = menu.addAction(_name_in_menu(number, window))
        action.setData(number)
        action.triggered.connect(lambda _checked=False, w=window: choose(w))


def _name_in_menu(number: int, window: Voi) -> str:
    """Its explanation in the file, or its number; an ampersand in it is no mark of a key."""
    name = window.name.replace("&", "&&")
    if isinstance(window, VoiTable):
        return f"From file: LUT - {name or number}"
    size = f"{format_number(window.width)} / {format_number(window.centre)}"
    return f"{name or f'Window {number} of the file'}  {size}"


def _add(bar: QToolBar, actions: dict[str, QAction], names: tuple[str, ...], text: bool = False) -> None:
    for name in names:
        bar.addAction(actions[name])
        button = bar.widgetForAction(actions[name])
        if isinstance(button, QToolButton):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            if text:
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
