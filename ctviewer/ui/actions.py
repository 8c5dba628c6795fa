"""Every command of the window in one table: what it is called, its keys, its icon. Menus, toolbar and keys come from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from ctviewer.core.windowing import PRESETS
from ctviewer.ui.theme import set_icon


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: identifier.
        text: in menus, with its mnemonic.
        keys: default key sequences in Qt's portable form.
        icon: name in resources/icons, or "".
        tip: one line for tool tip and status bar.
        checkable: whether it is a toggle.
        in_view: keys that mean something else in lists and tables (arrows, Home, Enter): they act where the image is.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    checkable: bool = False
    in_view: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("open_folder", "&Open folder…", ("Ctrl+O",), "open", "Open a folder of CT slices"),
    Command(
        "open_file",
        "Open &file…",
        ("Ctrl+Shift+O",),
        "",
        "Open an image, an archive or a DICOMDIR: with the series that it belongs to",
    ),
    Command("report", "&Write report", ("Ctrl+P",), "report", "Write the PDF report"),
    Command("report_as", "Write report &as…", ("Ctrl+Shift+P",), "", "Write the PDF report to a place you choose"),
    Command("save_findings", "Save &findings as JSON…", (), "", "What the models found and what you said of it"),
    Command("paper_a4", "A&4", checkable=True),
    Command("paper_letter", "&Letter", checkable=True),
    Command("quit", "&Quit", ("Ctrl+Q",)),
    Command("undo", "&Undo", ("Ctrl+Z",)),
    Command("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    Command("key_image", "&Key image", ("K",), "key-image", "Mark this slice as a key image", checkable=True),
    Command("previous_slice", "Previous slice", ("Up",), in_view=True),
    Command("next_slice", "Next slice", ("Down",), in_view=True),
    Command("first_slice", "First slice", ("Home",), in_view=True),
    Command("last_slice", "Last slice", ("End",), in_view=True),
    Command("previous_series", "Previous series", ("PgUp",), in_view=True),
    Command("next_series", "Next series", ("PgDown",), in_view=True),
    Command("next_ranked", "Next slice by &attention", ("T",), "", "Go to the next slice by attention rank"),
    Command("previous_ranked", "Previous slice by attention", ("Shift+T",)),
    Command("cine", "&Cine", ("C",), "play", "Run through the slices; any movement stops it", checkable=True),
    Command("tool_window", "&Window", ("W",), "window", "Left drag changes window width and level", checkable=True),
    Command("tool_pan", "&Pan", ("P",), "pan", "Left drag moves the image", checkable=True),
    Command("tool_zoom", "&Zoom", ("Z",), "zoom", "Left drag zooms", checkable=True),
    Command("fit", "&Fit to view", ("F",), "fit", "Show the whole slice"),
    Command("actual_size", "One image pixel to one screen pixel", ("Ctrl+1",)),
    Command("reset", "&Reset view", ("R",), "", "Zoom, position, flips, inversion and window as at first"),
    Command("flip_h", "Flip &horizontally", ("H",)),
    Command("flip_v", "Flip &vertically", ("V",)),
    Command("invert", "&Invert grey", ("I",), "invert", "Swap black and white", checkable=True),
    Command("histogram", "Hi&stogram…", ("Ctrl+H",), "", "Values of this slice, with the window to drag"),
    Command("state", "What the file does not sa&y…", (), "", "State what values mean, distances and orientation"),
    Command(
        "information",
        "Series &information…",
        ("Ctrl+I",),
        "info",
        "Geometry, order, values and warnings of this series",
    ),
    Command("memory", "Memory for i&mages…", (), "", "How much memory series may take together"),
    Command("bars", "&Heat bars", ("B",), "heat", "Show or hide the bars per slice", checkable=True),
    Command("overlay", "&Lesion overlay", ("O",), "overlay", "Show or hide lesions on the image", checkable=True),
    Command(
        "rois",
        "&Regions by attention",
        ("Shift+O",),
        "",
        "Show or hide the regions that told the class of the slice: solid and + for it, dashed and − against it",
        checkable=True,
    ),
    Command("graphics", "&Graphics of the file", ("G",), "", "Show or hide overlay planes of the file", checkable=True),
    Command("marks", "All &marks and text", ("Space",), "", "The plain image is one key away", checkable=True),
    Command("panels", "&Panels", ("F9",), "", "Fold the panels away", checkable=True),
    Command("theme", "&Light theme", (), "", "Light panels instead of dark ones", checkable=True),
    Command("window_file", "Window from the &file", ("0",)),
    Command("analyse", "&Analyse", ("Ctrl+R",), "analyse", "Run the models over this series"),
    Command("cancel", "&Cancel analysis", ("Ctrl+.",), "cancel", "Stop the analysis; nothing of it is kept"),
    Command("auto_analyse", "Analyse when a chest CT is opened", (), "", "", checkable=True),
    Command("accept", "A&ccept finding", ("Return", "Enter"), "accept", "Accept the selected finding", in_view=True),
    Command("reject", "Re&ject finding", ("Backspace",), "reject", "Reject the selected finding", in_view=True),
    Command("new_finding", "&New finding", ("N",), "new-finding", "Draw a finding that no model marked"),
    Command(
        "tool_brush",
        "&Brush",
        ("M",),
        "brush",
        "Left drag adds pixels to the selected finding; with Shift also those of others",
        checkable=True,
    ),
    Command(
        "tool_eraser",
        "&Eraser",
        ("U",),
        "eraser",
        "Left drag takes pixels out of the selected finding",
        checkable=True,
    ),
    Command("smaller_brush", "&Smaller brush", ("[", "-"), "", "Also Shift and wheel"),
    Command("larger_brush", "&Larger brush", ("]", "+"), "", "Also Shift and wheel"),
    Command("next_lesion_class", "Next class of the &finding", ("L",), "", "Another class for the selected finding"),
    Command(
        "remove_finding",
        "Re&move finding",
        ("Del",),
        "",
        "Remove a drawn finding; reject one of the model",
        in_view=True,
    ),
    Command("erase_slice", "Take finding &off this slice", ("Shift+Del",), "", "The finding stays on its other slices"),
    Command(
        "reviewed_slice",
        "Slice &reviewed completely",
        ("Y",),
        "",
        "All lesions of this slice are marked: what is unmarked is none",
        checkable=True,
    ),
    Command(
        "reviewed_study",
        "Ser&ies reviewed completely",
        ("Shift+Y",),
        "",
        "All lesions of all slices are marked",
        checkable=True,
    ),
    Command(
        "export_training",
        "E&xport as training set…",
        (),
        "",
        "Write the findings of all studies that you judged, corrected or drew, to learn from",
    ),
    Command(
        "accept_class",
        "Accept the model's c&lass",
        ("A",),
        "",
        "State that the study shows what the model says it shows",
    ),
    Command(
        "next_class",
        "State the ne&xt class",
        ("Shift+A",),
        "",
        "Correct the class of the study: the next one each time",
    ),
    Command("models", "&Models…", (), "info", "The installed models, their cards and limits"),
    Command("fine_tune", "&Fine-tune…", (), "", "Train a model further on the department's own studies"),
    Command("keys", "&Keys and mouse", ("F1",)),
    Command("about", "&About ctviewer"),
    Command("log", "Open the &log folder"),
)


def make_actions(window: QWidget, view: QWidget) -> dict[str, QAction]:
    """Build all actions, presets included, with their keys.

    Args:
        window: owns them; its keys act wherever the focus is, except while a text field has it (Qt gives typed
            characters to the field first).
        view: where the keys of `in_view` commands act.
    """
    actions = {}
    presets = (
        Command(f"preset_{n}", f"{w.name}  {w.width:.0f} / {w.centre:.0f}", (str(n),)) for n, w in enumerate(PRESETS, 1)
    )
    for command in (*COMMANDS, *presets):
        action = QAction(command.text, window)
        action.setObjectName(command.name)
        action.setShortcuts([QKeySequence(k) for k in command.keys])
        action.setCheckable(command.checkable)
        if command.icon:
            set_icon(action, command.icon)
        keys = ", ".join(QKeySequence(k).toString(QKeySequence.SequenceFormat.NativeText) for k in command.keys[:1])
        tip = command.tip or command.text.replace("&", "")
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.setStatusTip(tip)
        if command.in_view:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            view.addAction(action)
        else:
            window.addAction(action)
        actions[command.name] = action
    return actions


def connect(actions: dict[str, QAction], slots: Iterable[tuple[str, Callable[..., object]]]) -> None:
    """Connect commands to what they do; toggles pass their new state."""
    for name, slot in slots:
        action = actions[name]
        if action.isCheckable():
            action.toggled.connect(slot)
        else:
            action.triggered.connect(lambda _checked=False, run=slot: run())
