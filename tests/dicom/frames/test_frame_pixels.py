from __future__ import annotations

import random

import numpy as np
import pydicom
import pytest

from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.dicom import load_volume, scan

CLASSIC = "1.2.840.10008.5.1.4.1.1.2"
SHUFFLED = [3, 0, 5, 1, 4, 2]


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
@pytest.mark.parametrize("compress", ["rle", "jpeg_lossless", "jpeg_ls", "jpeg_2000"])
def test_compressed_frames(multi, along, volume_of, compress, table):
    made = multi(along(order=SHUFFLED), compress=compress, table=table)
    volume = volume_of(made.path)
    assert not volume.failed.any()
    assert np.array_equal(volume.stored, made.stored[np.argsort(SHUFFLED)])
    assert np.array_equal(made.stored, pydicom.dcmread(made.path).pixel_array)


@pytest.mark.parametrize("table", ["basic", "none"])
@pytest.mark.parametrize("compress", ["rle", "jpeg_lossless", "jpeg_ls", "jpeg_2000"])
def test_several_fragments_for_each_frame(multi, along, volume_of, compress, table):
    made = multi(along(), compress=compress, table=table, fragments=3)
    volume = volume_of(made.path)
    assert not volume.failed.any() and np.array_equal(volume.stored, made.stored)


@pytest.mark.parametrize("compress", ["rle", "jpeg_ls"])
def test_a_wrong_offset_table_does_no_harm(multi, along, volume_of, compress):
    made = multi(along(), compress=compress, fragments=2)
    data = made.path.read_bytes()
    dataset = pydicom.dcmread(made.path)
    table = dataset.PixelData[8 : 8 + 4 * 6]
    assert data.count(table) == 1
    made.path.write_bytes(data.replace(table, table[:8] + bytes(16)))
    volume = volume_of(made.path)
    assert not volume.failed.any() and np.array_equal(volume.stored, made.stored)


@pytest.mark.parametrize("compress", ["rle", "jpeg_ls"])
def test_frames_that_cannot_be_told_apart_are_refused(multi, along, compress):
    made = multi(
        along(), compress=compress, fragments=2, table="none", change=lambda d: setattr(d, "NumberOfFrames", 9)
    )
    with pytest.raises(InputError, match="do not tell where each frame starts"):
        list(scan(made.path))


@pytest.mark.parametrize("compress", [None, "rle", "jpeg_2000"])
def test_frames_beyond_the_stated_ones_are_told(multi, frame, only, notice_of, compress):
    made = multi(
        [frame(None)] * 6, sop_class=CLASSIC, compress=compress, change=lambda d: setattr(d, "NumberOfFrames", 4)
    )
    series = only(made.path)
    assert len(series.slices) == 4 and "2 beyond the 4 stated" in notice_of(series, "frames-beyond").text


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", ["implicit", "big", "no preamble", "deflated"])
def test_encodings_of_the_header(multi, along, only, syntax, undefined):
    made = multi(along(order=SHUFFLED), undefined_length=undefined)
    plain = only(made.path)
    dataset = pydicom.dcmread(made.path)
    uid = {"implicit": "1.2.840.10008.1.2", "big": "1.2.840.10008.1.2.2", "deflated": "1.2.840.10008.1.2.1.99"}
    if syntax == "no preamble":
        made.path.write_bytes(made.path.read_bytes()[132:])
    else:
        dataset.file_meta.TransferSyntaxUID = uid[syntax]
        if syntax == "big":
            dataset.PixelData = made.stored.astype(">u2").tobytes()
        pydicom.dcmwrite(
            made.path, dataset, implicit_vr=syntax == "implicit", little_endian=syntax != "big", force_encoding=True
        )
    series = only(made.path)
    assert series.slices == plain.slices and series.notices == plain.notices
    assert np.array_equal(load_volume(series).stored, made.stored[np.argsort(SHUFFLED)])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_other_pixels_and_odd_frame_sizes(multi, along, volume_of, dtype):
    made = multi(
        along(5),
        shape=(7, 9),
        dtype=dtype,
        change=lambda d: setattr(d, "PixelData", d.PixelData + b"\0"[: len(d.PixelData) % 2]),
    )
    volume = volume_of(made.path)
    assert volume.signed == (dtype is np.int16) and np.array_equal(volume.stored, made.stored)


@pytest.mark.parametrize("compress", [None, "rle", "jpeg_ls", "jpeg_2000"])
@pytest.mark.parametrize("table", ["basic", "none"])
def test_a_cut_file_shows_its_whole_frames(multi, along, catalog, notice_of, compress, table):
    made = multi(along(), compress=compress, table=table)
    data = made.path.read_bytes()
    made.path.write_bytes(data[: len(data) - 260])  # a frame is 240 bytes or somewhat less
    found = catalog(made.path)
    (series,) = found.series
    whole = len(series.slices)
    assert whole in (4, 5) and found.incomplete
    text = notice_of(series, "lost-frames").text
    assert f"{6 - whole} of its 6 frames" in text and "multi.dcm" in text
    volume = load_volume(series)
    assert not volume.failed.any() and np.array_equal(volume.stored, made.stored[:whole])


@pytest.mark.parametrize("table", ["basic", "none"])
def test_a_cut_file_of_several_fragments_shows_no_half_frame(multi, along, only, table):
    made = multi(along(), compress="jpeg_ls", table=table, fragments=3)
    data = made.path.read_bytes()
    counts = set()
    for lost in range(10, 400, 7):
        made.path.write_bytes(data[:-lost])
        volume = load_volume(only(made.path))
        counts.add(volume.slice_count)
        assert not volume.failed[:-1].any(), (
            "only a file that ends between two fragments looks whole until it is decoded"
        )
        for index in np.flatnonzero(~volume.failed):
            assert np.array_equal(volume.stored[index], made.stored[index])
    assert {4, 5} <= counts <= {1, 2, 3, 4, 5, 6}


def test_nothing_but_the_first_part_of_a_frame_is_refused(multi, along):
    made = multi(along())
    data = made.path.read_bytes()
    made.path.write_bytes(data[: len(data) - made.stored.nbytes + 100])
    with pytest.raises(InputError, match=r"multi\.dcm cannot be opened: it ends in the middle of the pixels"):
        list(scan(made.path))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "NumberOfFrames": 3}, "32 bits per pixel"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "1 bits per pixel"),
        ({"Modality": "SEG"}, "Segmentations"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3"}, "Secondary captures"),
    ],
)
def test_refusals_in_words(multi, along, changes, words):
    def change(dataset):
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)

    with pytest.raises(InputError, match=words):
        list(scan(multi(along(), change=change).path))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_more_frames_than_a_file_can_sensibly_hold_are_refused(multi, frame, dtype):
    def change(dataset):
        dataset.Rows = dataset.Columns = 1
        dataset.NumberOfFrames = 50000
        dataset.PixelData = bytes(50000 * dtype().itemsize)

    with pytest.raises(InputError, match="50000 frames, more than can be shown"):
        list(scan(multi([frame(None)], sop_class=CLASSIC, dtype=dtype, change=change).path))


@pytest.mark.parametrize("count", [0, -3, 1, 4, 2**31 - 1])
def test_absurd_numbers_of_frames(multi, along, only, notice_of, count):
    made = multi(along(), change=lambda d: setattr(d, "NumberOfFrames", count))
    series = only(made.path)
    assert len(series.slices) == 6
    if count < 6:
        assert "6 described and found" in notice_of(series, "frame-count").text
    else:
        assert "of its 2147483647 frames" in notice_of(series, "lost-frames").text


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the damage that is made here
@pytest.mark.parametrize("compress", [None, "rle", "jpeg_ls"])
def test_mutated_files_end_in_words_or_open(multi, along, compress):
    """Bytes changed at random, in functional groups and pixels: an error of our own, or a series; nothing else."""
    rng = random.Random(4711)
    made = multi(
        along(), compress=compress, fragments=1 if compress == "rle" else 2, undefined_length=compress is not None
    )
    source, opened = made.path.read_bytes(), 0
    for _ in range(60):
        data = bytearray(source)
        for _ in range(rng.choice((1, 1, 3, 20))):
            data[rng.randrange(132, len(data))] = rng.choice((0, 255, rng.randrange(256)))
        made.path.write_bytes(data[: rng.choice((None, None, rng.randrange(132, len(data)))) or len(data)])
        try:
            *_, done = scan(made.path)
            for series in done.value.series:
                if series.readable:
                    load_volume(series)
            opened += 1
        except CtviewerError as error:
            assert "multi.dcm" in str(error)
    assert opened > 5
