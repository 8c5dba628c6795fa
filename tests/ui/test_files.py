"""Choosing what to open: any kind of file by dialog, by drop, again from the list; long paths stay readable."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog

from ctviewer.ui.binders.files import FILTERS
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.panels.common import shortened


@pytest.fixture
def archive(study, tmp_path) -> Path:
    return Path(shutil.make_archive(str(tmp_path / "with & sign"), "zip", study))


def drop(window, *urls: QUrl) -> bool:
    data = QMimeData()
    data.setUrls(list(urls))
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, buttons, keys)
    event.ignore()
    window.dropEvent(event)
    return event.isAccepted()


def test_the_dialog_offers_every_kind_and_opens_an_archive(window, archive, qtbot, monkeypatch):
    asked = []

    def choose(_parent, _title, start, filters):
        asked.append((start, filters))
        return str(archive), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", choose)
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        window.actions_["open_file"].trigger()
    assert window.session.slice_count == 12
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        window.actions_["open_file"].trigger()
    assert asked[1][0] == str(archive), "the next dialog begins where the last one ended"
    kinds = asked[0][1].split(";;")
    assert kinds[0] == "All files (*)", "files of DICOM often have no ending"
    endings = set(re.findall(r"\*(\.[\w.]+)", FILTERS))
    assert {".dcm", ".zip", ".nii", ".nii.gz", ".mha", ".mhd", ".png", ".tif"} <= endings and "DICOMDIR" in FILTERS


def test_an_archive_that_is_dropped_opens_and_comes_into_the_list(window, archive, services, qtbot, study):
    assert not drop(window, QUrl("https://example.org/x.zip")), "nothing is fetched"
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        assert drop(window, QUrl("https://example.org/x.zip"), QUrl.fromLocalFile(str(archive)))
    (entry,) = window.files._recent.actions()
    assert entry.text().startswith("CT chest   ") and "with && sign.zip" in entry.text()
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        window.open_path(study)
    assert len(window.files._recent.actions()) == 2
    with qtbot.waitSignal(window.reading.ready, timeout=10_000):
        window.files._recent.actions()[1].trigger()
    assert services.opened == archive


def test_a_long_path_neither_widens_the_window_nor_hides_its_end(qtbot):
    bar = MessageBar()
    qtbot.addWidget(bar)
    path = "/data/" + "x" * 300 + "/study/IM0001.dcm"
    bar.say(f"{path} does not exist.")
    assert bar.text == f"{path} does not exist.", "the whole sentence for those who ask"
    assert bar._text.text().endswith("/study/IM0001.dcm does not exist.") and len(bar._text.text()) < 100
    assert path in bar._text.toolTip() and bar.minimumSizeHint().width() < 700


@pytest.mark.parametrize(("text", "longest"), [("short", 5), ("a" * 50, 50), ("abcdefghij", 7), ("x" * 99, 20)])
def test_shortened(text, longest):
    short = shortened(text, longest)
    assert len(short) == min(len(text), longest) and short[-2:] == text[-2:] and short[0] == text[0]
