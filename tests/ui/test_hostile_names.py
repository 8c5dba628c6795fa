"""The window with names that are markup, paths or control characters: shown as the text they are, saved where they should."""

from __future__ import annotations

import pytest
from fuzz.elements import Element, build, parse
from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import QAbstractItemView, QLabel, QWidget

MARKUP = '<b onclick="x">Doe</b><img src=x>'
NAMES = {
    "markup": (MARKUP, MARKUP),
    "path": ("../../etc/passwd", "../../etc/passwd"),
    "drive": ("C:\\con\\nul", "C:\\con\\nul"),
    "control": ("a\0b\r\n\x1b]0;title\x07\u202eevil", "ab  ]0;titleevil"),
    "long": ("N" * 60_000, "N" * 199 + "…"),
}
_TAGS = (0x0010_0010, 0x0010_0020, 0x0020_000D, 0x0020_000E, 0x0008_0018, 0x0008_103E, 0x0008_1030, 0x0018_1210)


@pytest.fixture(params=list(NAMES))
def hostile(request, write_study, tmp_path):
    """A study all of whose texts are hostile: its folder, and the text as it is to be shown."""
    raw, shown = NAMES[request.param]
    value = raw.encode() + b" " * (len(raw.encode()) % 2)
    folder = write_study(tmp_path / "opened" / "study")
    for path in folder.iterdir():
        named = [Element(tag, b"UN", value) for tag in _TAGS]
        path.write_bytes(build(parse(path.read_bytes()).put(Element(0x0008_0005, b"CS", b"ISO_IR 192"), *named)))
    return folder, shown


def _rich(text: str) -> bool:
    return GuiQt.mightBeRichText(text)


def _told(window: QWidget) -> list[tuple[str, bool]]:
    """All texts of labels, tool tips and lists, and whether Qt would take them for markup there."""
    found = [(window.windowTitle(), False)]
    for widget in window.findChildren(QWidget):
        found.append((widget.toolTip(), _rich(widget.toolTip())))
        found.append((widget.accessibleName(), False))
        if isinstance(widget, QLabel):
            plain = widget.textFormat() == Qt.TextFormat.PlainText
            found.append((widget.text(), not plain and _rich(widget.text())))
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            found += _items(widget.model())
    return found


def _items(model, parent=None) -> list[tuple[str, bool]]:
    found = []
    indices = [
        model.index(row, 0, *([parent] if parent else []))
        for row in range(model.rowCount(*([parent] if parent else [])))
    ]
    for index in indices:
        tip = str(index.data(Qt.ItemDataRole.ToolTipRole) or "")
        found += [(str(index.data() or ""), False), (tip, _rich(tip)), *_items(model, index)]
    return found


def test_names_are_shown_as_text(window, open_and_wait, hostile):
    folder, shown = hostile
    open_and_wait(window, folder)
    told = _told(window)
    assert any(shown[:20] in text for text, _ in told), "the reader sees the name"
    assert not [text for text, rich in told if rich and "<img" in text], "markup from a file is no markup"
    assert all(one.isprintable() or one in "\n\t" for text, _ in told for one in text)
    assert len(window.windowTitle()) < 1000


def test_work_on_it_is_kept_and_nothing_is_written_elsewhere(
    window, open_and_wait, open_window, make_services, hostile, tmp_path, qtbot
):
    folder, _ = hostile
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    open_and_wait(window, folder)
    window.actions_["key_image"].trigger()
    assert window.reading.reading.key_slices
    window.close()
    second = make_services()
    again = open_window(second)
    open_and_wait(again, folder)
    assert again.reading.reading.key_slices
    again.close()
    second.store.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} <= {"opened", "data", "reports"}
