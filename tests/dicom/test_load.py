from __future__ import annotations

import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from ctviewer.codecs import processes
from ctviewer.core.errors import DecodeError, InputError
from ctviewer.core.events import Done
from ctviewer.dicom import SlicesFailed, SlicesLoaded, VolumeReady, load, load_volume, thumbnail


def test_the_wanted_slice_comes_first_and_then_its_neighbours(written, only):
    made = written(shape=(40, 8, 8))
    events = load(only(made.folder), 30)
    ready = next(events)
    assert isinstance(ready, VolumeReady)
    volume = ready.volume
    assert np.flatnonzero(volume.loaded).tolist() == [30]
    assert np.array_equal(volume.stored[30], made.stored[30])
    *middle, last = events
    order = [index for event in middle for index in event.indices]
    assert sorted(order) == [index for index in range(40) if index != 30]
    assert all(abs(index - 30) <= 12 for index in order[:10]), "outwards from the wanted one"
    assert isinstance(last, Done) and last.value is volume
    assert volume.loaded.all() and not volume.failed.any()
    assert np.array_equal(volume.stored, made.stored)


def test_the_middle_slice_is_the_default(written, only):
    made = written(shape=(9, 8, 8))
    volume = next(load(only(made.folder))).volume
    assert np.flatnonzero(volume.loaded).tolist() == [4] == [volume.middle]


def test_a_wanted_slice_outside_is_brought_inside(written, only):
    made = written()
    assert next(load(only(made.folder), 99)).volume.loaded[6]
    assert next(load(only(made.folder), -3)).volume.loaded[0]


def test_loading_follows_the_slice_on_screen(written, only):
    made = written(shape=(60, 8, 8))
    events = load(only(made.folder), 0, focus=lambda: 59)
    next(events)
    order = [index for event in events if isinstance(event, SlicesLoaded) for index in event.indices]
    assert min(order[:20]) > 30


@pytest.mark.parametrize("compress", [None, "jpeg_lossless", "jpeg_ls", "jpeg_2000"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_round_trip(written, volume_of, compress, dtype):
    made = written(compress=compress, dtype=dtype)
    volume = volume_of(made.folder)
    assert volume.stored.dtype == dtype and np.array_equal(volume.stored, made.stored)


def _spoil(path):
    """Damage the compressed pixels, not the header."""
    data = bytearray(path.read_bytes())
    start = data.rindex(b"\xff\xda")
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)


def test_slices_that_cannot_be_decoded_are_marked_and_told(written, only):
    made = written(compress="jpeg_ls", series_number=3, intercept=-1024)
    for index in (0, 3):
        _spoil(made.paths[index])
    *_, failed, last = load(only(made.folder))
    assert isinstance(failed, SlicesFailed)
    assert failed.notice.slices == (0, 3) and failed.notice.code == "failed-slices"
    assert "Se 3 / Im 7, Se 3 / Im 4" in failed.notice.text and str(made.paths[0]) in failed.notice.text
    volume = last.value
    assert volume.loaded.all() and np.flatnonzero(volume.failed).tolist() == [0, 3]
    assert np.all(volume.hu(3) == -1000) and volume.value_at(3, 1, 1) is None
    good = [1, 2, 4, 5, 6]
    assert np.array_equal(volume.stored[good], made.stored[good])


def test_nothing_that_can_be_decoded(written, only):
    made = written(compress="jpeg_ls")
    for path in made.paths:
        _spoil(path)
    series = only(made.folder)
    with pytest.raises(DecodeError, match=r"IM000\d\.dcm could not be decoded: the JPEG-LS"):
        load_volume(series)
    with pytest.raises(DecodeError):
        thumbnail(series)


CRASHING = """
import os
from ctviewer import codecs
from ctviewer.codecs import jpegls, worker

def decode(data, pixel_format):
    decoded = jpegls.decode(data, pixel_format)
    if decoded.image[0, 0] == 3 * 12 * 16:
        os.abort()
    return decoded

codecs._DECODERS["1.2.840.10008.1.2.4.80"] = decode
worker.main()
"""


def test_a_crash_in_native_code_costs_one_slice(written, only, tmp_path, monkeypatch):
    (tmp_path / "crashing.py").write_text(CRASHING)
    pool = processes.DecoderProcesses(2, [sys.executable, "-S", "-P", str(tmp_path / "crashing.py")])
    monkeypatch.setattr(processes, "decode", pool.decode)
    made = written(compress="jpeg_ls")
    *_, failed, last = load(only(made.folder))
    assert failed.notice.slices == (3,)
    assert (
        f"{made.paths[3]} could not be decoded: the JPEG-LS Lossless Image Compression data crashed"
        in failed.notice.text
    )
    good = [0, 1, 2, 4, 5, 6]
    assert np.array_equal(last.value.stored[good], made.stored[good])
    pool.shut_down()


def test_a_file_that_went_away_after_the_scan(written, only):
    made = written()
    series = only(made.folder)
    made.paths[1].unlink()
    made.paths[5].write_bytes(made.paths[5].read_bytes()[:-100])
    *_, failed, _ = load(series)
    assert failed.notice.slices == (1, 5) and "No such file" in failed.notice.text


def test_closing_early_ends_the_threads(written, only):
    made = written(shape=(60, 64, 64), compress="jpeg_2000")
    events = load(only(made.folder))
    next(events)
    next(events)
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_series_that_cannot_be_shown_says_why(written, only):
    made = written()
    series = replace(only(made.folder), readable=False, reason="Colour images cannot be shown yet.", private=None)
    with pytest.raises(InputError, match="Colour images"):
        next(load(series))


def test_more_memory_than_there_is(written, only):
    series = only(written().folder)
    stack = series.private
    huge = replace(stack, geometry=replace(stack.geometry, shape=(2**20, 2**16, 2**16)))
    with pytest.raises(InputError, match=r"IM0007.dcm needs 9,007,199.3 GB of memory, and [\d.]+ GB are free"):
        next(load(replace(series, private=huge)))


@pytest.mark.parametrize(("spacing", "shape"), [((0.8, 0.8), (72, 96)), ((1.6, 0.8), (96, 64)), (None, (72, 96))])
def test_thumbnail_keeps_proportions(written, edit, only, spacing, shape):
    made = written(shape=(5, 150, 200), dtype=np.uint16)
    edit(made.paths, PixelSpacing=None if spacing is None else list(spacing))
    assert thumbnail(only(made.folder)).shape == shape


def test_thumbnail_shows_the_middle_slice_in_its_window(written, edit, only):
    made = written(shape=(3, 100, 100))
    image = np.full((100, 100), -1000, np.int16)
    image[:, 50:] = 400
    edit(made.paths[1], WindowCenter=0, WindowWidth=100, PixelData=image.tobytes())
    small = thumbnail(only(made.folder), 10)
    assert small.dtype == np.uint8
    assert np.all(small[:, :5] == 0) and np.all(small[:, 5:] == 255)
    edit(made.paths, PhotometricInterpretation="MONOCHROME1")
    assert np.all(thumbnail(only(made.folder), 10)[:, :5] == 255)
