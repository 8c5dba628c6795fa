"""Series that stay in memory, and all there is to know of the one that is open."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from ctviewer.core.series import Severity
from ctviewer.ui.memory_dialog import AUTOMATIC
from ctviewer.ui.presenters import opening as module

SIZE = 12 * 64 * 64 * 2
ACTIONS = {"up": "previous_series", "down": "next_series"}


@pytest.fixture
def folder(tmp_path, write_study) -> Path:
    for number in (1, 2, 3):
        write_study(tmp_path / "opened" / f"s{number}", seed=number, series_number=number, description=f"S {number}")
    return tmp_path / "opened"


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """Descriptions of the series that were read from files, in order."""
    found = []
    real = module.load

    def counted(series, *args):
        found.append(series.description)
        return real(series, *args)

    monkeypatch.setattr(module, "load", counted)
    return found


@pytest.fixture
def go(qtbot):
    """Go to a neighbouring series and wait until the series is there and recognised."""

    def act(window, *keys):
        for key in keys:
            before = window.session.series
            window.actions_[ACTIONS[key]].trigger()
            assert window.session.series is not before
            qtbot.waitUntil(lambda: window.opening.complete and window.reading.reading is not None, timeout=10_000)

    return act


def release(qtbot, reference) -> bool:
    """Whether a volume goes once the event loop has had its turn (jobs are let go there)."""

    def gone() -> bool:
        gc.collect()
        return reference() is None

    qtbot.waitUntil(gone, timeout=3000)
    return True


def test_going_back_is_instant_and_nothing_is_read_again(window, folder, open_and_wait, loads, go):
    open_and_wait(window, folder)
    first = window.session.volume
    window.session.go_to(3)
    go(window, "down")
    assert len(loads) == 2
    QTest.keyClick(window.parts.view, Qt.Key.Key_PageUp)
    assert window.session.volume is first and window.opening.complete, "before the event loop has run"
    assert window.session.index == 3, "where the reader was"
    assert window.reading.reading is not None and window.parts.view._scene.volume is first
    assert len(loads) == 2 and window.actions_["analyse"].isEnabled()


def test_least_recently_used_is_released_when_the_budget_is_full(window, folder, open_and_wait, loads, go, qtbot):
    window.volumes.set_budget(2 * SIZE)
    open_and_wait(window, folder)
    first = weakref.ref(window.session.volume)
    go(window, "down")
    second = weakref.ref(window.session.volume)
    go(window, "down")
    assert release(qtbot, first) and second() is not None
    go(window, "up")
    assert window.session.volume is second() and len(loads) == 3
    go(window, "up")
    assert len(loads) == 4, "the first one is read anew"


def test_without_a_budget_only_the_open_one_stays(window, folder, open_and_wait, go, qtbot):
    window.volumes.set_budget(0)
    open_and_wait(window, folder)
    first = weakref.ref(window.session.volume)
    go(window, "down")
    assert release(qtbot, first)
    assert [kept.volume for kept in window.volumes.kept] == [window.session.volume]


def test_a_result_keeps_no_volume(window, folder, open_and_wait, go, qtbot):
    window.volumes.set_budget(0)
    open_and_wait(window, folder)
    with qtbot.waitSignal(window.analysing.finished, timeout=10_000):
        window.actions_["analyse"].trigger()
    first = weakref.ref(window.session.volume)
    window.information.show_information()
    qtbot.waitUntil(lambda: " HU" in window.information.information.text.split("values")[-1], timeout=5000)
    go(window, "down")
    assert release(qtbot, first)
    go(window, "up")
    assert window.analysing.state.result is not None, "it comes back from the work store"


def test_another_folder_empties_the_memory(window, folder, open_and_wait, go, qtbot, tmp_path, write_study):
    open_and_wait(window, folder)
    first = weakref.ref(window.session.volume)
    go(window, "down")
    open_and_wait(window, write_study(tmp_path / "other", seed=9))
    assert release(qtbot, first) and len(window.volumes.kept) == 1


def test_a_machine_short_of_memory_gets_kept_series_back(window, folder, open_and_wait, go, qtbot, monkeypatch):
    open_and_wait(window, folder)
    first = weakref.ref(window.session.volume)
    go(window, "down")
    monkeypatch.setattr(module, "free_memory", lambda: SIZE - 1)
    go(window, "down")
    assert release(qtbot, first) and len(window.volumes.kept) == 2


def test_notices_of_loading_come_back_too(window, folder, open_and_wait, go):
    path = sorted((folder / "s1").iterdir())[4]
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8 no image"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    open_and_wait(window, folder)
    broken = next(s for s in window.session.catalog.series if s.description == "S 1")
    while window.session.series is not broken:
        go(window, "down")
    assert "failed-slices" in [notice.code for notice in window.opening.extra]
    go(window, "up" if window.session.catalog.series.index(broken) else "down")
    assert window.opening.extra == ()
    window._open_key(broken.key)
    assert [notice.code for notice in window.opening.extra] == ["failed-slices"]
    assert any(n.code == "failed-slices" and n.severity is Severity.DANGER for n in window.parts.notices.notices)


def test_thumbnails_go_on_after_another_series_was_opened(window, folder, open_and_wait, go, qtbot):
    made = []
    window.opening.thumbnail_made.connect(lambda key, _pixels: made.append(key))
    open_and_wait(window, folder)
    go(window, "down", "down", "up", "up")
    qtbot.waitUntil(lambda: len(made) == 3, timeout=5000)
    qtbot.wait(50)
    assert sorted(made) == sorted(s.key for s in window.session.catalog.series), "each once"


def test_the_budget_is_chosen_in_a_dialog_and_acts_at_once(window, services, folder, open_and_wait, go, qtbot):
    open_and_wait(window, folder)
    go(window, "down")
    window.actions_["memory"].trigger()
    dialog = window.information.memory
    assert "In memory now: 192 kB" in dialog._used.text() and dialog._automatic.isChecked()
    assert "(open)" in dialog._used.text().splitlines()[1]
    dialog._alone.setChecked(True)
    assert services.kept.memory_budget_mb == 0 and window.volumes.budget == 0
    assert "In memory now: 96 kB" in dialog._used.text()
    dialog._own.setChecked(True)
    dialog._amount.setValue(2.0)
    assert services.kept.memory_budget_mb == 2048 and window.volumes.budget == 2 * 2**30
    dialog._automatic.setChecked(True)
    assert services.kept.memory_budget_mb == AUTOMATIC and window.volumes.budget == services.kept.memory_bytes
    dialog.close()


# Information


def test_information_follows_the_open_series(window, folder, open_and_wait, go, qtbot):
    QTest.keyClick(window, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier)
    dialog = window.information.information
    qtbot.waitUntil(dialog.isVisible)
    assert dialog.text == "No series is open."
    open_and_wait(window, folder)
    qtbot.waitUntil(lambda: "values" in dialog.text, timeout=5000)
    volume = window.session.volume
    low, high = int(volume.stored.min()), int(volume.stored.max())
    assert f"{low} to {high} HU" in dialog.text and "12 of 64 rows x 64 columns" in dialog.text
    title = dialog.text.splitlines()[0]
    go(window, "down")
    assert dialog.text.splitlines()[0] != title
    assert "Person" not in dialog.text and "T-1" not in dialog.text
    dialog.copy_button.click()
    assert QGuiApplication.clipboard().text() == dialog.text
    dialog.close()


def test_values_are_of_the_series_that_was_measured(window, folder, open_and_wait, go, qtbot):
    """The reader goes on to a series that is in memory before the job that measures the first one has ended."""
    open_and_wait(window, folder)
    go(window, "down", "up")
    window.information.show_information()
    dialog = window.information.information
    assert window.information._job is not None
    job = window.information._job
    window.information._show_information()
    assert window.information._job is job, "asked again, it is not begun again"
    dialog.hide()
    window.actions_["next_series"].trigger()
    qtbot.waitUntil(lambda: window.information._job is None, timeout=5000)
    dialog.show()
    volume = window.session.volume
    qtbot.waitUntil(lambda: volume in window.information._values, timeout=5000)
    assert f"{int(volume.stored.min())} to {int(volume.stored.max())} HU" in dialog.text
    dialog.close()


def test_a_click_on_a_slice_of_a_warning_goes_there(window, study, open_and_wait, qtbot):
    sorted(study.iterdir())[5].unlink()
    open_and_wait(window, study)
    window.actions_["information"].trigger()
    dialog = window.information.information
    qtbot.waitUntil(dialog.isVisible)
    html = dialog._text.toHtml()
    assert 'href="slice:5"' in html and 'href="slice:6"' in html and "missing" in dialog._text.toPlainText()
    window.session.go_to(0)
    dialog._text.anchorClicked.emit(QUrl("slice:6"))
    assert window.session.index == 6
    dialog._text.anchorClicked.emit(QUrl("file:///etc/passwd"))
    assert window.session.index == 6
    assert "2-D only" in window._status.text()
    dialog.close()


def test_markup_in_a_description_is_text(window, tmp_path, write_study, open_and_wait, qtbot):
    open_and_wait(window, write_study(tmp_path / "opened" / "x", description='<img src="x"><b>bold</b>'))
    window.actions_["information"].trigger()
    dialog = window.information.information
    qtbot.waitUntil(dialog.isVisible)
    assert '<img src="x"><b>bold</b>' in dialog._text.toPlainText()
    dialog.close()
