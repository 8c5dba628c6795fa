"""What no key hides: lossy compression, slices that failed, padding that is no tissue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.windowing import Window, window_lut
from ctviewer.ui.viewport.lettering import WARNING

AMBER = (WARNING.red(), WARNING.green(), WARNING.blue())


@pytest.fixture
def lossy(make_volume):
    """A volume whose slices 1 and 3 lost detail, by 10 to 1 and by an amount not stated."""
    volume = make_volume(lossy=True)
    marks = {1: (True, 10.04), 3: (True, None)}
    slices = tuple(
        replace(ref, lossy=marks.get(i, (False, None))[0], compression_ratio=marks.get(i, (False, None))[1])
        for i, ref in enumerate(volume.series.slices)
    )
    return replace(volume, series=replace(volume.series, slices=slices))


def amber(grab: np.ndarray) -> bool:
    """Whether the mark's colour stands in the upper right corner."""
    corner = grab[:60, grab.shape[1] // 2 :].astype(int)
    return bool((np.abs(corner - AMBER).sum(2) < 30).any())


def test_only_slices_that_lost_detail_are_marked(view, lossy, grey_of):
    view.set_volume(lossy)
    found = {}
    for index in range(lossy.slice_count):
        view.set_slice(index)
        found[index] = (view._scene.lossy_mark, amber(grey_of(view)))
    nothing = ("", False)
    assert found == {0: nothing, 1: ("LOSSY 10:1", True), 2: nothing, 3: ("LOSSY", True), 4: nothing}


def test_a_series_that_does_not_say_which_is_marked_on_all(view, make_volume, grey_of):
    view.set_volume(make_volume(lossy=True))
    assert view._scene.lossy_mark == "LOSSY" and amber(grey_of(view))


def test_space_hides_the_text_and_not_the_mark(view, lossy, grey_of):
    view.set_volume(lossy)
    view.set_slice(1)
    view.set_marks_visible(False)
    assert amber(grey_of(view))


def test_while_a_slice_loads_the_mark_is_of_the_one_that_stands_in(view, lossy):
    lossy.loaded[:] = False
    lossy.loaded[1] = True
    view.set_volume(lossy)
    assert view._scene.index == 2 and view._scene.lossy_mark == "LOSSY 10:1"


def test_a_failed_slice_says_so_and_shows_no_grey(view, make_volume, grey_of):
    volume = make_volume()
    volume.failed[2] = True
    view.set_volume(volume)
    view.set_marks_visible(False)
    assert view._scene.notice() == "Slice 3 (Se 3 / Im 3) could not be decoded: there is no image of it"
    left, top, width, height = (round(n) for n in view.transform.image_rect())
    image = grey_of(view)[top : top + height, left : left + width].astype(int)
    assert (np.abs(image - AMBER).sum(2) < 30).any(), "the sentence"
    assert np.median(image) == 0, "on black"


@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_whatever_the_window(view, make_volume, grey_of, inverted):
    stored = np.full((3, 48, 64), 40, np.int16)
    stored[:, 10:20, 20:40] = -2000
    view.set_volume(make_volume(stored, padding=(-2000, -1990), inverted=inverted))
    view.set_marks_visible(False)
    view.zoom_one_to_one()
    for window in (Window(-2000, 100), Window(40, 4000)):
        view.set_window(window)
        left, top, _, _ = (round(n) for n in view.transform.image_rect())
        image = grey_of(view)[top : top + 48, left : left + 64, 0]
        assert not image[10:20, 20:40].any() and (image[0] > 0).all() == bool(image[0, 0])
    assert image[0, 0] > 0, "tissue is grey"


def test_padding_in_the_table_of_grey_levels():
    window = Window(0, 100)
    plain = window_lut(window, 1.0, 0.0, signed=True, invert=True)
    padded = window_lut(window, 1.0, 0.0, signed=True, invert=True, padding=(-30, -20))
    differ = np.flatnonzero(plain != padded).astype(np.uint16).view(np.int16)
    assert sorted(differ.tolist()) == list(range(-30, -19)) and not padded[differ.view(np.uint16)].any()
