"""The main job: open a chest CT, analyse, go to the highest bar, reject a lesion, report, close, and find it all again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pypdf
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit

from ctviewer.core.findings import Verdict, rank_slices
from ctviewer.ui.presenters.analysing import Phase

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]


def open_folder(qtbot, window, folder: Path) -> None:
    with qtbot.waitSignal(window.reading.ready, timeout=60_000):
        window.open_path(folder)


def check_order(window, folder: Path) -> None:
    """Slices are in the order of their positions, read here by pydicom alone; shown from the head."""
    heights = {}
    for path in folder.iterdir():
        header = pydicom.dcmread(path, stop_before_pixels=True)
        heights[header.SOPInstanceUID] = float(header.ImagePositionPatient[2])
    shown = [window.session.volume.series.slices[i].sop_instance_uid for i in window.session.display_order]
    assert shown == sorted(heights, key=heights.get, reverse=True)


def check_pixels(window, folder: Path) -> None:
    """The slice on screen has the values that pydicom reads (compressed ones: tests/dicom, by a second decoder)."""
    ref = window.session.volume.series.slices[window.session.index]
    header = pydicom.dcmread(ref.path)
    if header.file_meta.TransferSyntaxUID.is_compressed:
        return
    values = header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept)
    assert np.array_equal(window.session.volume.hu(window.session.index), values.astype(np.float32))


def analyse(qtbot, window) -> None:
    button = window.parts.result._button
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    ended = (Phase.DONE, Phase.ABSTAINED, Phase.FAILED)
    qtbot.waitUntil(lambda: window.analysing.state.phase in ended, timeout=500_000)
    assert window.analysing.state.phase is Phase.DONE, window.analysing.state.text


def click_highest_bar(window) -> int:
    """Click the strip where the highest bar is; its volume index."""
    lengths = window.analysing.state.classification.bar_lengths
    best = int(np.nanargmax(lengths))
    strip = window.parts.strip
    y = round(strip.y_of(window.session.position_of(best)))
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() // 3, y))
    return best


def reject_first_lesion(window) -> int | None:
    """Reject a lesion by key; None where the model marks none, as it should in a healthy chest."""
    if not window.findings.lesions:
        return None
    lesion = window.findings.lesions[0].lesion_id
    window.findings.go_to_lesion(lesion)
    window.parts.view.setFocus()
    QTest.keyClick(window.parts.view, Qt.Key.Key_Backspace)
    return lesion


def check_report(path: Path, window, rejected: int | None) -> None:
    reader = pypdf.PdfReader(path)
    pages = [page.extract_text() for page in reader.pages]
    assert len(pages) >= 2
    patient = window.session.series.patient
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text
        assert "AI output, not verified" in text and patient.patient_id in text
    whole = "\n".join(pages)
    told = window.analysing.state.classification
    assert told.model.name in whole and told.model.version in whole
    assert told.model.trained_on.lower() in " ".join(whole.lower().split())
    assert "Noted by the test." in whole
    _, ranked = rank_slices(told, window.analysing.state.lesion_area)
    assert all(window.session.volume.citation(index) in whole for index in ranked[:4])
    assert rejected is None or "rejected" in whole.lower()


def main_job(qtbot, start, folder: Path) -> int | None:
    """All of it; the lesion that was rejected, if there was any."""
    before = sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir())
    window = start()
    open_folder(qtbot, window, folder)
    check_order(window, folder)
    check_pixels(window, folder)
    analyse(qtbot, window)
    best = click_highest_bar(window)
    assert window.session.index == best and window.parts.view.slice_index == best
    check_pixels(window, folder)
    rejected = reject_first_lesion(window)
    assert rejected is None or window.reading.reading.latest.verdict(rejected) is Verdict.REJECTED
    QTest.keyClicks(window.parts.comment.findChild(QPlainTextEdit), "Noted by the test.")
    qtbot.waitUntil(lambda: window.reading.reading.comment == "Noted by the test.", timeout=5000)
    with qtbot.waitSignal(window.reporting.written, timeout=60_000) as written:
        window.actions_["report"].trigger()
    check_report(written.args[0], window, rejected)
    window.session.go_to(best)
    result = window.analysing.state.result
    window.close()
    again = start()
    open_folder(qtbot, again, folder)
    kept = again.analysing.state.result
    assert kept is not None and np.array_equal(kept.classification.weights, result.classification.weights)
    assert again.session.index == best
    assert again.reading.reading.comment == "Noted by the test."
    assert rejected is None or again.reading.reading.latest.verdict(rejected) is Verdict.REJECTED
    assert sorted((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir()) == before
    again.close()
    return rejected


def test_generated_study(qtbot, start, generated):
    assert main_job(qtbot, start, generated) is not None, "lesions of the sample study are marked"


def test_real_chest(qtbot, start, shared_data):
    """No chest of those that models are measured on: they are scored by `make evaluate-models` alone, which logs it."""
    main_job(qtbot, start, shared_data / "lung_pet_ct_dx_A0002" / "series_B70f")
