"""Tables of the file, MONOCHROME1 and overlay planes in the real window, by what is on the screen."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from ctviewer.core.windowing import VoiTable, Window, window_lut
from ctviewer.report.slices import grey
from ctviewer.ui.binders.image import preview
from ctviewer.ui.viewport.graphics import GRAPHICS


def pixels(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def slice_on_screen(view) -> np.ndarray:
    """Grey levels of the image at 1:1."""
    view.zoom_one_to_one()
    left, top, width, height = (round(v) for v in view.transform.image_rect())
    return pixels(view)[top : top + height, left : left + width, 0]


@pytest.fixture
def changed_study(write_study, tmp_path):
    """The small study with something changed in each file."""

    def make(change, **attributes):
        folder = write_study(tmp_path / "opened" / "changed", **attributes)
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            change(dataset)
            dataset.save_as(path)
        return folder

    return make


def add_table(dataset) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [1200, -1000, 12])
    item.add_new("LUTData", "US", (np.arange(1200)[::-1] * 3).tolist())
    item.LUTExplanation = "LUNG & MORE"
    dataset.VOILUTSequence = [item]


@pytest.fixture
def with_table(window, open_and_wait, changed_study):
    windows = (Window(50, 350, name="SOFT"),)
    open_and_wait(window, changed_study(add_table, windows=windows))
    return window


def offered(window) -> dict:
    return {action.text(): action for action in window._preset_button.menu().actions()}


def test_a_table_is_offered_by_its_explanation_and_shown(with_table):
    session, view = with_table.session, with_table.parts.view
    assert session.window == Window(50, 350, name="SOFT"), "the file's window comes first"
    offered(with_table)["From file: LUT - LUNG && MORE"].trigger()
    voi = session.window
    assert isinstance(voi, VoiTable) and with_table._preset_button.text() == "LUT LUNG & MORE"
    volume, index = session.volume, session.index
    entries = np.arange(1200)[::-1] * 3
    expected = np.rint(entries[np.clip(volume.hu(index).astype(int) + 1000, 0, 1199)] / 4095 * 255)
    assert np.array_equal(slice_on_screen(view), expected)
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert session.window is voi, "scrolling never changes it"
    QTest.keyClick(view, Qt.Key.Key_0)
    assert session.window == Window(50, 350, name="SOFT")


def test_a_drag_leaves_the_table_and_esc_comes_back(with_table):
    session, view = with_table.session, with_table.parts.view
    voi = session.volume.windows[1]
    session.set_window(voi)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    QTest.mouseMove(view, QPoint(150, 100))
    moved = session.window
    assert isinstance(moved, Window) and moved.width > voi.as_window.width and moved.name == ""
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert session.window is voi
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(150, 100))


def test_a_table_is_kept_with_the_reading(with_table, open_window, open_and_wait, make_services):
    voi = with_table.session.volume.windows[1]
    with_table.session.set_window(voi)
    with_table.session.step(1)
    folder = with_table.session.series.slices[0].path.parent
    with_table.close()
    again_services = make_services()
    again = open_window(again_services)
    open_and_wait(again, folder)
    assert again.session.window == voi and again._preset_button.text() == "LUT LUNG & MORE"
    again.close()
    again_services.store.close()


def test_the_histogram_shows_the_range_of_a_table(with_table, qtbot):
    with_table.session.set_window(with_table.session.volume.windows[1])
    with_table.actions_["histogram"].trigger()
    from ctviewer.ui.histogram import HistogramDialog

    dialog = with_table.findChild(HistogramDialog)
    assert dialog.region == (-1000, 200)
    dialog.set_region(-500, 500)
    assert with_table.session.window == Window(0, 1000)
    dialog.close()


def test_a_report_in_a_table_names_it(with_table, tmp_path):
    import pypdf

    from ctviewer.app.reports import write_report
    from ctviewer.core.printing import PageSize

    with_table.session.set_window(with_table.session.volume.windows[1])
    with_table.actions_["key_image"].trigger()
    target = tmp_path / "report.pdf"
    list(
        write_report(
            with_table.session.volume,
            None,
            with_table.reading.reading,
            PageSize.A4,
            target,
            with_table.session.series.slices[0].path.parent,
        )
    )
    assert "LUT LUNG & MORE" in "".join(page.extract_text() for page in pypdf.PdfReader(target).pages)


def test_monochrome1_is_turned_round_everywhere_and_invert_turns_it_back(window, open_and_wait, changed_study):
    open_and_wait(window, changed_study(lambda d: setattr(d, "PhotometricInterpretation", "MONOCHROME1")))
    session, view = window.session, window.parts.view
    volume, index = session.volume, session.index
    plain = window_lut(session.window, volume.slope[index], volume.intercept[index], signed=volume.signed)[
        volume.stored[index].view(np.uint16)
    ]
    assert np.array_equal(slice_on_screen(view), 255 - plain)
    small = preview(volume, index, session.window).convertToFormat(QImage.Format.Format_Grayscale8)
    levels = np.frombuffer(small.constBits(), np.uint8).reshape(small.height(), small.bytesPerLine())
    assert np.array_equal(levels[:, : small.width()], 255 - plain)
    assert np.array_equal(grey(volume, index, session.window), 255 - plain)
    value = volume.value_at(index, 30, 30)
    QTest.keyClick(view, Qt.Key.Key_I)
    assert np.array_equal(slice_on_screen(view), plain)
    assert volume.value_at(index, 30, 30) == value


def test_graphics_of_the_file_follow_their_key_and_space(window, open_and_wait, changed_study):
    def add(dataset) -> None:
        mask = np.zeros((64, 64), np.uint8)
        mask[20:30, 40] = 1
        for element, vr, value in (
            *((0x10, "US", 64), (0x11, "US", 64), (0x22, "LO", "Ruler"), (0x40, "CS", "G"), (0x50, "SS", [1, 1])),
            *((0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", np.packbits(mask, bitorder="little").tobytes())),
        ):
            dataset.add_new((0x6000, element), vr, value)

    open_and_wait(window, changed_study(add))
    view, colour = window.parts.view, (GRAPHICS.red(), GRAPHICS.green(), GRAPHICS.blue())

    def seen() -> bool:
        return bool((pixels(view) == colour).all(axis=2).any())

    assert seen()
    for key in (Qt.Key.Key_G, Qt.Key.Key_Space):
        QTest.keyClick(view, key)
        assert not seen()
        QTest.keyClick(view, key)
        assert seen()


def test_units_are_named_under_the_cursor(window, open_and_wait, changed_study):
    def change(dataset) -> None:
        dataset.Modality, dataset.Units = "PT", "BQML"
        dataset.RescaleSlope, dataset.RescaleIntercept = "1.0002", "0"
        del dataset.RescaleType

    open_and_wait(window, changed_study(change))
    view, volume = window.parts.view, window.session.volume
    told = []
    view.hovered.connect(told.append)
    x, y = view.transform.to_view(30.5, 40.5)
    QTest.mouseMove(view, QPoint(round(x), round(y)))
    row, column = view.transform.pixel_at(round(x), round(y))
    assert told[-1].value == int(volume.stored[view.slice_index, row, column]) * 1.0002
    assert volume.unit == "BQML" and view._scene.cursor_info()[-1][0].startswith("Bq/mL ")
