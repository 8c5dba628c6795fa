"""What comes from hospitals and colleagues: archives with holes, compressed slices, volumes that leave questions open."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QListView, QPlainTextEdit, QToolButton

from ctviewer.core.events import Done
from ctviewer.core.interpretation import STATED
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series
from ctviewer.ui.information import InformationDialog

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]


def open_path(qtbot, window, path: Path) -> None:
    with qtbot.waitSignal(window.reading.ready, timeout=60_000):
        window.open_path(path)


def read(folder: Path):
    return load_volume(next(event.value for event in scan(folder) if isinstance(event, Done)).series[0])


def click_notice(window, code: str) -> None:
    """Click on a notice of the panel with the mouse."""
    view = window.parts.notices.findChild(QListView)
    (notice,) = [one for one in window.session.series.notices if one.code == code]
    for row in range(view.model().rowCount()):
        index = view.model().index(row, 0)
        if notice.text in index.data(Qt.ItemDataRole.AccessibleTextRole):
            view.scrollTo(index)
            QTest.mouseClick(
                view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).topLeft() + QPoint(40, 12)
            )
            return
    raise AssertionError(f"no notice {code} in the panel")


def test_an_archive_with_holes_and_a_cut_file(qtbot, start, generated, tmp_path):
    archive = tmp_path / "from a colleague.zip"
    files = sorted(generated.iterdir())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for number, path in enumerate(files):
            data = path.read_bytes()
            if number not in (20, 21):
                target.writestr(f"DICOM/{path.name}", data[: len(data) // 2] if number == 40 else data)
    window = start()
    open_path(qtbot, window, archive)
    volume = window.session.volume
    assert volume.slice_count == len(files) - 3 and volume.loaded.all() and not volume.failed.any()
    assert [n.code for n in window.session.catalog.notices] == ["unreadable-files"]
    (hole,) = [one for one in window.session.series.notices if one.code == "missing-slices"]
    click_notice(window, "missing-slices")
    assert window.session.index == hole.slices[0] and window.parts.view.slice_index == hole.slices[0]
    assert "2-D only" in window._status.text()
    window.actions_["information"].trigger()
    dialog = window.findChild(InformationDialog)
    qtbot.waitUntil(lambda: " HU" in dialog.text, timeout=30_000)  # the range of values has been measured
    assert "3 slices are missing" in dialog.text and window.session.volume.citation(hole.slices[0]) in dialog.text
    assert sorted(tmp_path.iterdir()) == [archive]


def test_decoders_that_are_killed_cost_nothing(qtbot, start, generated, tmp_path, expected_logs):
    original = read(generated)
    folder = tmp_path / "compressed"
    write_ct_series(
        folder,
        original.stored,
        geometry=original.geometry,
        attributes=SeriesAttributes(intercept=float(original.intercept[0])),
        compress="jpeg_lossless",
    )
    window = start()
    open_path(qtbot, window, folder)
    QTest.keyClicks(window.parts.comment.findChild(QPlainTextEdit), "Kept.")
    children = [c for c in psutil.Process().children(recursive=True) if "ctviewer.codecs.worker" in c.cmdline()]
    assert children
    for child in children:
        child.kill()
    with qtbot.waitSignal(window.opening.fully_loaded, timeout=60_000):
        window.opening.open_series(window.session.series)
    volume = window.session.volume
    assert not volume.failed.any() and np.array_equal(volume.stored, original.stored)
    qtbot.waitUntil(lambda: window.reading.reading is not None and window.reading.reading.comment == "Kept.")


def test_a_volume_without_units_is_asked_about_once(qtbot, start, generated, tmp_path):
    import nibabel

    original = read(generated)
    place = original.geometry
    affine = np.eye(4)
    affine[:3, 0] = np.array(place.row_cosines) * place.pixel_spacing[1]
    affine[:3, 1] = np.array(place.column_cosines) * place.pixel_spacing[0]
    affine[:3, 2] = place.normal * place.slice_spacing
    affine[:3, 3] = place.origins[0]
    values = np.stack([original.hu(i) for i in range(original.slice_count)]).astype(np.int16)
    path = tmp_path / "chest.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine), path)

    window = start()
    open_path(qtbot, window, path)
    assert window.session.volume.unit == "" and "does not say" in window.parts.messages.text
    (button,) = [b for b in window.parts.messages.findChildren(QToolButton) if b.text() == "They are Hounsfield units"]
    with qtbot.waitSignal(window.reading.ready, timeout=60_000):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    volume = window.session.volume
    assert volume.unit == "HU" and volume.series.modality == "CT" and not window.parts.messages.text
    assert np.array_equal(np.stack([volume.hu(i) for i in range(volume.slice_count)]), values.astype(np.float32))
    assert volume.geometry.origins == pytest.approx(place.origins, abs=1e-3)
    window.close()
    again = start()
    open_path(qtbot, again, path)
    assert again.session.volume.unit == "HU" and not again.parts.messages.text
    (told,) = [notice for notice in again.session.series.notices if notice.code == STATED]
    assert told.text.startswith("Stated by the reader on 20")
