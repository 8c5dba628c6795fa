"""Overlay planes against pydicom's own reading of them, and by the bits that were written."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from ctviewer.dicom import load_volume, overlays

SHAPE = (3, 12, 15)
MIDDLE = 1


def add_plane(dataset, mask: np.ndarray, group: int = 0x6000, origin=(1, 1), kind="G", big: bool = False, **more):
    """One plane as the standard has it; `more` are further elements by number: (VR, value)."""
    dataset.add_new((group, 0x10), "US", mask.shape[-2])
    dataset.add_new((group, 0x11), "US", mask.shape[-1])
    dataset.add_new((group, 0x40), "CS", kind)
    dataset.add_new((group, 0x50), "SS", list(origin))
    dataset.add_new((group, 0x100), "US", 1)
    dataset.add_new((group, 0x102), "US", 0)
    for element, (vr, value) in more.items():
        dataset.add_new((group, int(element[1:], 16)), vr, value)
    packed = np.packbits(mask.ravel(), bitorder="little")
    packed = np.append(packed, np.zeros(len(packed) % 2, np.uint8))
    dataset.add_new((group, 0x3000), "OW", (packed.view(np.uint16).byteswap() if big else packed).tobytes())


@pytest.fixture
def mask() -> np.ndarray:
    return np.random.default_rng(2).random(SHAPE[1:]) < 0.4


def test_a_plane_lies_on_its_own_slice(written, edit, volume_of, mask):
    made = written(shape=SHAPE)
    edit(made.paths[MIDDLE], lambda d, i: add_plane(d, mask, origin=(-2, 5), x0022=("LO", "Graphics")) or None)
    volume = volume_of(made.folder)
    assert list(volume.overlays) == [MIDDLE]
    (plane,) = volume.overlays[MIDDLE]
    assert np.array_equal(plane.array(), mask)
    assert np.array_equal(plane.array(), pydicom.dcmread(made.paths[MIDDLE]).overlay_array(0x6000).astype(bool))
    assert (plane.top, plane.left, plane.roi, plane.name) == (-3, 4, False, "Graphics")
    assert plane.bits.nbytes == -(-mask.size // 8)
    assert np.array_equal(volume.stored, made.stored)


def test_without_planes_there_is_nothing(written, volume_of):
    volume = volume_of(written(shape=SHAPE).folder)
    assert volume.overlays == {} and not volume.series.private.overlays


def test_several_groups_in_their_order_with_label_and_type(written, edit, volume_of, mask):
    made = written(shape=SHAPE)

    def change(dataset, _index):
        dataset.SpecificCharacterSet = "ISO_IR 192"
        add_plane(dataset, ~mask, 0x601E, kind="R", x1500=("LO", "Läsion"))
        add_plane(dataset, mask, 0x6002, x0022=("LO", "ruler"))
        add_plane(dataset, np.zeros((4, 4), bool), 0x6004)  # blank

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert sorted(volume.overlays) == [0, 1, 2]
    first, second = volume.overlays[0]
    assert (first.name, first.roi) == ("ruler", False) and (second.name, second.roi) == ("Läsion", True)
    assert np.array_equal(first.array(), mask) and np.array_equal(second.array(), ~mask)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian])
def test_other_encodings(written, edit, volume_of, mask, syntax):
    made, big = written(shape=SHAPE), syntax == ExplicitVRBigEndian

    def change(dataset, _index):
        add_plane(dataset, mask, origin=(3, 2), big=big)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset._read_implicit = dataset._read_little = None
        if big:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()

    edit(made.paths, change)
    volume = volume_of(made.folder)
    (plane,) = volume.overlays[0]
    assert np.array_equal(plane.array(), mask) and (plane.top, plane.left) == (2, 1)
    assert np.array_equal(volume.stored, made.stored)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_frames_follow_each_other_bit_by_bit(written, edit, volume_of, frame):
    """5 x 5 pixels are no whole number of bytes: the second frame starts within one."""
    frames = np.random.default_rng(1).random((3, 5, 5)) < 0.5
    made = written(shape=SHAPE)
    edit(made.paths[MIDDLE], lambda d, i: add_plane(d, frames, x0015=("IS", "3")))
    source = replace(volume_of(made.folder).series.private.overlays[MIDDLE], frame=frame)
    (plane,) = source.read()
    assert np.array_equal(plane.array(), frames[frame])


@pytest.mark.parametrize(
    ("frame", "count", "first", "shown"),
    [(0, "1", 1, True), (1, "1", 1, False), (2, "1", 3, True), (1, "2", 2, True), (4, None, None, True)],
)
def test_on_which_frames_a_plane_lies(written, edit, volume_of, mask, frame, count, first, shown):
    made = written(shape=SHAPE)
    two = np.stack([mask, ~mask]) if count == "2" else mask
    more = ({"x0015": ("IS", count)} if count else {}) | ({"x0051": ("US", first)} if first else {})
    edit(made.paths[MIDDLE], lambda d, i: add_plane(d, two, **more))
    source = replace(volume_of(made.folder).series.private.overlays[MIDDLE], frame=frame)
    assert bool(source.read()) == shown


@pytest.mark.parametrize("compress", [None, "rle", "jpeg_lossless"])
def test_a_plane_in_unused_bits_of_the_pixels(written, edit, volume_of, mask, compress):
    """The retired form: it must be seen, and must not be part of the values."""
    words = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 4096).astype(np.uint16)
    words[MIDDLE] |= mask.astype(np.uint16) << 14
    made = written(shape=SHAPE, dtype=np.uint16)

    def change(dataset, index):
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.PixelData = words[index].tobytes()
        for element, vr, value in ((0x10, "US", 12), (0x11, "US", 15), (0x50, "SS", [1, 1])):
            dataset.add_new((0x6000, element), vr, value)
        dataset.add_new((0x6000, 0x100), "US", 16)
        dataset.add_new((0x6000, 0x102), "US", 14)

    edit(made.paths, change)
    if compress == "rle":
        edit(made.paths, lambda d, i: d.compress(pydicom.uid.RLELossless))
    elif compress:
        pytest.importorskip("imagecodecs")
        edit(made.paths, lambda d, i: _as_jpeg(d, words[i]))
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, words & 4095)
    (plane,) = volume.overlays[MIDDLE]
    assert np.array_equal(plane.array(), mask) and volume.overlays[0] == ()


def _as_jpeg(dataset, words) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    dataset.PixelData = encapsulate([imagecodecs.ljpeg_encode(words, bitspersample=16)])
    dataset["PixelData"].is_undefined_length = True


def test_a_plane_that_claims_a_bit_of_the_value_is_left_out(written, edit, volume_of):
    made = written(shape=SHAPE)

    def change(dataset, _index):
        for element, value in ((0x10, 12), (0x11, 15), (0x100, 16), (0x102, 3)):
            dataset.add_new((0x6000, element), "US", value)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert not any(volume.overlays.values()) and np.array_equal(volume.stored, made.stored)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.add_new((0x6000, 0x10), "US", 60000),
        lambda d: d.add_new((0x6000, 0x11), "US", 0),
        lambda d: d.add_new((0x6000, 0x3000), "OW", b"\1\2"),
        lambda d: d.add_new((0x6000, 0x15), "IS", "999999"),
        lambda d: d.pop((0x6000, 0x3000)),
    ],
)
def test_a_damaged_plane_costs_the_image_nothing(written, edit, volume_of, mask, spoil):
    made = written(shape=SHAPE)

    def change(dataset, _index):
        add_plane(dataset, mask)
        add_plane(dataset, mask, 0x6002)
        spoil(dataset)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored) and not volume.failed.any()
    assert np.array_equal(volume.overlays[0][-1].array(), mask)


def test_pydicoms_own_file(tmp_path, only):
    path = get_testdata_file("examples_overlay.dcm")
    shutil.copy(path, tmp_path / "one.dcm")
    volume = load_volume(only(tmp_path))
    (plane,) = volume.overlays[0]
    assert np.array_equal(plane.array(), pydicom.dcmread(path).overlay_array(0x6000).astype(bool))
    assert plane.name == "Siemens MedCom Object Graphics"


def test_the_notices_name_the_slices(written, edit, only, notice_of, mask):
    made = written(shape=SHAPE)
    edit(made.paths[MIDDLE], lambda d, i: add_plane(d, mask))
    notice = notice_of(only(made.folder), "overlay-planes")
    assert notice.slices == (MIDDLE,) and notice.severity.value == "info"


def test_a_plane_above_the_value_and_padding_beyond_it(written, edit, volume_of, mask):
    """Padding outside the stored bits keeps all bits; but not those in which graphics lie."""
    words = np.full(SHAPE, 100, np.uint16)
    words[:] |= mask.astype(np.uint16) << 13
    made = written(shape=SHAPE, dtype=np.uint16)

    def change(dataset, index):
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.add_new("PixelPaddingValue", "US", 63536)
        dataset.PixelData = words[index].tobytes()
        for element, value in ((0x10, 12), (0x11, 15), (0x100, 16), (0x102, 13)):
            dataset.add_new((0x6000, element), "US", value)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert np.all(volume.stored == 100) and np.array_equal(volume.overlays[0][0].array(), mask)


def test_frames_of_one_file_read_it_once(written, edit, only, monkeypatch):
    """Each frame of a multi-frame file gets its own frame of the planes; the file's attributes are parsed once."""
    made = written(shape=(1, 12, 15))
    frames = np.random.default_rng(4).random((3, 12, 15)) < 0.3

    def change(dataset, _index):
        dataset.NumberOfFrames, dataset.PixelData = 3, np.arange(3 * 180, dtype="<i2").tobytes()
        add_plane(dataset, frames, x0015=("IS", "3"), x0051=("US", 1))

    edit(made.paths, change)
    opened = []
    real = overlays.open_file
    monkeypatch.setattr(overlays, "open_file", lambda path: opened.append(path) or real(path))
    series = only(made.folder)
    for _ in range(2):
        opened.clear()
        volume = load_volume(series)
        for index, ref in enumerate(series.slices):
            assert np.array_equal(volume.overlays[index][0].array(), frames[ref.frame])
        assert len(opened) == 1 and volume.slice_count == 3
