"""What is on the screen, pixel by pixel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor

from ctviewer.core.findings import Verdict
from ctviewer.core.masks import BoxMask
from ctviewer.core.windowing import PRESETS, Window, apply_window
from ctviewer.ui.viewport import OverlayShape


def expected(volume, index: int, window: Window, *, inverted: bool = False) -> np.ndarray:
    values = volume.stored[index].astype(float) * volume.slope[index] + volume.intercept[index]
    grey = np.rint(apply_window(values, window) * 255).astype(np.uint8)
    return 255 - grey if inverted else grey


def on_screen(view, grab: np.ndarray) -> np.ndarray:
    """The grey levels where the image lies; fails if they are coloured."""
    left, top, width, height = (round(n) for n in view.transform.image_rect())
    part = grab[top : top + height, left : left + width]
    assert np.array_equal(part[..., 0], part[..., 1])
    assert np.array_equal(part[..., 0], part[..., 2])
    return part[..., 0]


def plain(view, volume) -> None:
    view.set_volume(volume)
    view.set_marks_visible(False)
    view.zoom_one_to_one()


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
@pytest.mark.parametrize("inverted", [False, True])
def test_one_to_one_is_the_window_exactly(view, make_volume, grey_of, dtype, inverted) -> None:
    stored = np.random.default_rng(3).integers(0, 65536, (3, 48, 64)).astype(np.uint16).view(dtype)
    volume = make_volume(stored, slope=1.0002, intercept=-1024.0, inverted=inverted)
    plain(view, volume)
    view.set_window(Window(300, 20000))
    for index in (0, 2):
        view.set_slice(index)
        want = expected(volume, index, Window(300, 20000), inverted=inverted)
        assert np.array_equal(on_screen(view, grey_of(view)), want)


def test_the_reader_can_invert_and_monochrome1_inverts_back(view, make_volume, grey_of) -> None:
    volume = make_volume(inverted=True)
    plain(view, volume)
    view.set_inverted(True)
    assert np.array_equal(on_screen(view, grey_of(view)), expected(volume, volume.middle, view.window_setting))


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, False), (False, True), (True, True)])
def test_flips_mirror_pixels_and_letters(view, make_volume, grey_of, horizontal, vertical) -> None:
    volume = make_volume()
    plain(view, volume)
    view.set_flips(horizontal, vertical)
    want = expected(volume, volume.middle, view.window_setting)
    want = want[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    assert np.array_equal(on_screen(view, grey_of(view)), want)
    left, right, top, bottom = view._scene.edge_letters()
    assert left + right == ("LR" if horizontal else "RL")
    assert top + bottom == ("PA" if vertical else "AP")


def test_pixels_are_drawn_in_their_true_aspect(view, make_volume, grey_of) -> None:
    stored = np.zeros((1, 20, 20), np.int16)
    stored[0, :10] = 3000
    plain(view, make_volume(stored, spacing=(2.0, 1.0)))
    _, _, width, height = view.transform.image_rect()
    assert (width, height) == (20, 40)
    grey = on_screen(view, grey_of(view))
    assert (grey[:19] == 255).all()
    assert (grey[21:] == grey[-1, -1]).all()


def test_sharp_pixels_when_magnified(view, make_volume, grey_of) -> None:
    stored = np.random.default_rng(0).integers(-1000, 400, (1, 12, 16)).astype(np.int16)
    volume = make_volume(stored)
    plain(view, volume)
    view.set_show_pixels(True)
    view.set_zoom(8)
    want = np.kron(expected(volume, 0, view.window_setting), np.ones((8, 8), np.uint8))
    assert np.array_equal(on_screen(view, grey_of(view)), want)


def test_a_strongly_reduced_image_is_averaged(view, make_volume, grey_of) -> None:
    stored = np.zeros((1, 400, 400), np.int16)
    stored[0, ::2] = 1000
    plain(view, make_volume(stored))
    view.set_window(Window(500.5, 1001))
    view.set_zoom(0.25)
    grey = on_screen(view, grey_of(view))
    assert np.abs(grey.astype(int) - 127).max() <= 3


def test_a_new_window_repaints(view, make_volume, grey_of) -> None:
    volume = make_volume()
    plain(view, volume)
    for window in PRESETS:
        view.set_window(window)
        assert np.array_equal(on_screen(view, grey_of(view)), expected(volume, volume.middle, window))


def test_a_slice_that_loads_is_never_shown_as_itself(view, make_volume, grey_of) -> None:
    stored = np.full((5, 48, 64), 400, np.int16)
    volume = make_volume(stored, loaded=np.array([True, False, False, False, False]))
    view.set_volume(volume)
    view.zoom_one_to_one()
    view.set_window(PRESETS[0])
    assert view._scene.notice() == "Loading slice 3\n(slice 5 is shown dimmed)"
    left, top, *_ = (round(n) for n in view.transform.image_rect())
    assert 0 < grey_of(view)[top + 2, left + 2, 0] < 120  # 255 if it were loaded
    volume.loaded[1] = True
    view.slice_loaded(1)
    assert "slice 4 is shown dimmed" in view._scene.notice()
    volume.loaded[2] = True
    view.slice_loaded(2)
    assert view._scene.notice() == ""
    assert grey_of(view)[top + 2, left + 2, 0] == 255


def test_nothing_loaded_is_black_with_words(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume(loaded=np.zeros(5, bool)))
    view.set_marks_visible(False)
    assert view._scene.notice() == "Loading slice 3"
    grab = grey_of(view)
    assert grab.max() > 100  # the words, even with marks hidden
    assert (grab == 0).mean() > 0.8


def test_a_failed_slice_says_so_and_shows_no_pixels(view, make_volume, grey_of) -> None:
    failed = np.array([False, False, True, False, False])
    view.set_volume(make_volume(np.full((5, 48, 64), 3000, np.int16), failed=failed))
    assert view._scene.notice() == "Slice 3 (Se 3 / Im 3) could not be decoded: there is no image of it"
    assert (grey_of(view) == 255).mean() < 0.05
    view.set_slice(3)
    assert view._scene.notice() == ""
    assert (grey_of(view) == 255).mean() > 0.3


def shape(state: Verdict = Verdict.PENDING, *, left: int = 10, lesion: int = 1) -> OverlayShape:
    mask = np.zeros((48, 64), bool)
    mask[10:30, left : left + 20] = True
    packed = BoxMask.from_array(mask)
    assert packed is not None
    return OverlayShape("ground glass", lesion, packed, QColor(0, 0, 255), state)


def blue(grab: np.ndarray) -> np.ndarray:
    return grab[..., 2].astype(int) - grab[..., 0]


def test_fill_covers_exactly_the_mask_also_flipped(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume(np.full((5, 48, 64), -600, np.int16)))
    view.zoom_one_to_one()
    view.set_lesions({2: (shape(),)})
    view.set_overlay_opacity(0.5)
    for flip in (False, True):
        view.set_flips(flip, False)
        left, top, width, _ = (round(n) for n in view.transform.image_rect())
        first = width - 30 if flip else 10
        part = blue(grey_of(view))[top : top + 48, left : left + 64]
        assert (part[12:28, first + 2 : first + 18] > 50).all()  # inside, away from the line
        assert (part[32:, :] == 0).all() or part[32:, :].max() < 130  # below there is a label at most
        outside = np.delete(part[12:28], np.s_[max(first - 2, 0) : first + 22], axis=1)
        assert (outside[:, :4] == 0).all()


def test_rejected_lesions_have_no_fill_and_no_colour(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume(np.full((5, 48, 64), -600, np.int16)))
    view.zoom_one_to_one()
    plain_grab = grey_of(view)
    view.set_lesions({2: (shape(Verdict.REJECTED),)})
    grab = grey_of(view)
    assert blue(grab).max() <= 2
    left, top, *_ = (round(n) for n in view.transform.image_rect())
    inside = np.s_[top + 13 : top + 27, left + 13 : left + 27]
    assert np.array_equal(grab[inside], plain_grab[inside])
    assert not np.array_equal(grab, plain_grab)


def test_overlay_can_be_hidden_alone_or_with_all_marks(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume(np.full((5, 48, 64), -600, np.int16)))
    view.set_lesions({2: (shape(),)})
    assert blue(grey_of(view)).max() > 50
    view.set_overlay_visible(False)
    assert blue(grey_of(view)).max() <= 2
    view.set_overlay_visible(True)
    view.set_marks_visible(False)
    assert blue(grey_of(view)).max() <= 2


def test_the_banner_stays_when_all_marks_are_hidden(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume(np.full((5, 48, 64), -3000, np.int16)))
    view.set_banner(("A B", "ID 1"), ("Chest",))
    top = int(view.transform.area[1])
    with_marks = grey_of(view)
    view.set_marks_visible(False)
    without = grey_of(view)
    assert top >= 12
    assert np.array_equal(with_marks[:top], without[:top])
    assert len(np.unique(without[:top])) > 2
    assert (without[top:] == 0).all()
    assert with_marks[top:].max() > 200


def test_a_danger_banner_is_red(view, make_volume, grey_of) -> None:
    view.set_volume(make_volume())
    view.set_banner(("A",), (), danger=True)
    r, g, b = (int(n) for n in grey_of(view)[2, 100])
    assert r > 100
    assert g < 60
    assert b < 60


def test_the_message_is_shown_without_a_volume(view, grey_of) -> None:
    assert grey_of(view).max() == 0
    view.set_message("Open a folder")
    assert grey_of(view).max() > 100


_TWICE = """
import sys
from pathlib import Path
import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Window, apply_window
from ctviewer.ui.viewport import SliceView

app = QApplication([])
stored = np.random.default_rng(0).integers(-1000, 400, (1, 96, 128)).astype(np.int16)
geometry = Geometry(stored.shape, np.zeros((1, 3)), pixel_spacing=(1.0, 1.0))
series = Series("k", "1", "CT", Patient(), Study(), (SliceRef(Path("a")),), 96, 128)
view = SliceView()
view.setMinimumSize(1, 1)
view.resize(101, 81)
view.set_volume(Volume(series, geometry, stored, np.ones(1), np.zeros(1)))
view.set_marks_visible(False)
view.zoom_one_to_one()
view.show()
app.processEvents()
view.clearFocus()
ratio = float(sys.argv[1])
assert view.devicePixelRatioF() == ratio, view.devicePixelRatioF()
assert view.zoom == 1.0
image = view.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
grey = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
left, top, width, height = (round(n * ratio) for n in view.transform.image_rect())
assert (width, height) == (128, 96)
want = np.rint(apply_window(stored[0].astype(float), view.window_setting) * 255).astype(np.uint8)
assert np.array_equal(grey[top : top + 96, left : left + 128], want)
view.fit()
assert view.transform.image_rect()[2] == 101.0
view.close()
"""


@pytest.mark.parametrize("ratio", ["1.5", "2"])
def test_one_to_one_on_screens_of_other_pixel_ratios(ratio: str) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": ratio}
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", _TWICE, ratio],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
