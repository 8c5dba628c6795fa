from __future__ import annotations

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1, RLELossless

from ctviewer.core.series import Severity
from ctviewer.core.windowing import VoiFunction, Window
from ctviewer.dicom import load_volume


def test_rescale_is_kept_per_slice(written, edit, volume_of):
    made = written()
    edit(made.paths, lambda d, i: d.update({"RescaleSlope": str(1 + 0.0002 * i), "RescaleIntercept": str(-1000 - i)}))
    volume = volume_of(made.folder)
    assert np.allclose(volume.slope, 1 + 0.0002 * np.arange(7)) and np.allclose(
        volume.intercept, -1000 - np.arange(7.0)
    )
    assert np.array_equal(volume.stored, made.stored)
    for index, path in enumerate(made.paths):
        dataset = pydicom.dcmread(path)
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.allclose(volume.hu(index), expected, atol=1e-3)
    assert volume.value_at(6, 2, 3) == pytest.approx(made.stored[6, 2, 3] * 1.0012 - 1006)
    assert volume.unit == "HU" and volume.series.notices == ()


def test_unsigned_above_the_signed_range(written, edit, volume_of):
    made = written(dtype=np.uint16)
    edit(made.paths[0], lambda d, i: setattr(d, "PixelData", np.full(SIZE, 65000, "<u2").tobytes()))
    volume = volume_of(made.folder)
    assert volume.stored.dtype == np.uint16 and volume.stored[0].min() == 65000


SIZE = 12 * 16


@pytest.mark.parametrize(("stored", "high"), [(12, 11), (12, 15), (10, 13)])
@pytest.mark.parametrize("signed", [True, False])
def test_only_the_stored_bits_count(written, edit, volume_of, stored, high, signed):
    made = written()
    words = np.arange(7 * SIZE, dtype=np.uint16).reshape(7, 12, 16) * 53  # every bit is used

    def change(dataset, index):
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = stored, high, int(signed)
        dataset.PixelData = words[index].tobytes()

    edit(made.paths, change)
    values = (words >> (high + 1 - stored)) & ((1 << stored) - 1)
    expected = values.astype(np.int32)
    if signed:
        expected = np.where(values >= 1 << stored - 1, expected - (1 << stored), expected)
    volume = volume_of(made.folder)
    assert volume.signed == signed
    assert np.array_equal(volume.stored, expected)


@pytest.mark.parametrize("signed", [True, False])
def test_eight_bit_pixels(written, edit, volume_of, signed):
    made = written()

    def change(dataset, index):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, int(signed)
        dataset.PixelData = (np.arange(SIZE) + 60 + index).astype(np.uint8).tobytes()

    edit(made.paths, change)
    volume = volume_of(made.folder)
    expected = np.stack([pydicom.dcmread(path).pixel_array for path in made.paths])
    assert np.array_equal(volume.stored, expected)
    assert volume.signed == signed


def test_monochrome1_is_inverted_for_display_only(written, edit, volume_of):
    made = written()
    edit(made.paths, PhotometricInterpretation="MONOCHROME1")
    volume = volume_of(made.folder)
    assert volume.inverted and np.array_equal(volume.stored, made.stored)


def test_padding_and_its_range(written, edit, volume_of, notice_of):
    made = written(dtype=np.int16)

    def change(dataset, index):
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.add_new("PixelPaddingRangeLimit", "SS", -1990)
        dataset.PixelData = np.full(SIZE, -1995, "<i2").tobytes()

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert volume.padding == (-2000, -1990) and volume.value_at(3, 0, 0) is None
    assert not volume.valid(3).any()
    assert "-2000 to -1990" in notice_of(volume.series, "padding").text


@pytest.mark.parametrize("high", [15, 13, 11, 3])
@pytest.mark.parametrize("kind", ["rle", "jpeg"])
def test_compressed_values_in_the_upper_bits_of_a_word(written, edit, volume_of, high, kind):
    made = written(dtype=np.uint16)
    low = max(0, high - 11)
    values = made.stored % 4096

    def change(dataset, index):
        words = values[index] << low | (1 << low) - 1  # what lies below is no part of the value
        if kind == "rle":
            dataset.compress(RLELossless, words, generate_instance_uid=False)
        else:
            data = imagecodecs.jpeg8_encode(words, lossless=True, predictor=1, bitspersample=16)
            dataset.PixelData = encapsulate([data])
            dataset["PixelData"].VR = "OB"
            dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.BitsStored, dataset.HighBit = 12, high

    edit(made.paths, change)
    assert np.array_equal(volume_of(made.folder).stored, values)


def test_padding_written_as_unsigned_in_signed_pixels(written, edit, volume_of):
    made = written()
    edit(made.paths, lambda d, i: d.add_new("PixelPaddingValue", "US", 63536))
    assert volume_of(made.folder).padding == (-2000, -2000)


def test_padding_outside_the_stored_bits_stays_padding(written, edit, volume_of):
    """Some scanners write 63536 into pixels of 12 bits: clearing its high bits would make it 2096, bright bone."""
    made = written(dtype=np.uint16)

    def change(dataset, index):
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.add_new("PixelPaddingValue", "US", 63536)
        dataset.PixelData = np.array([63536] * SIZE, "<u2").tobytes()

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert np.all(volume.stored == 63536) and volume.value_at(0, 0, 0) is None


def test_differing_padding_is_told(written, edit, volume_of, notice_of):
    made = written(padding=-2000)
    edit(made.paths[1:], PixelPaddingValue=None)
    volume = volume_of(made.folder)
    assert volume.padding == (-2000, -2000)
    notice_of(volume.series, "padding-differs")


def test_modality_lut(written, edit, volume_of, notice_of):
    made = written(shape=(3, 12, 16), dtype=np.int16)

    def change(dataset, index):
        item = Dataset()
        item.add_new("LUTDescriptor", "SS", [4, -1, 16])
        item.ModalityLUTType = "OD"
        item.add_new("LUTData", "OW", np.array([10, 20, 30, 65535], "<u2").tobytes())
        dataset.ModalityLUTSequence = [item]
        dataset.PixelData = (np.arange(SIZE) % 6 - 3).astype("<i2").tobytes()  # -3 .. 2

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert volume.stored[0].ravel()[:6].tolist() == [10, 10, 10, 20, 30, 65535]
    assert volume.unit == "OD" and volume.stored.dtype == np.uint16
    assert np.all(volume.slope == 1) and np.all(volume.intercept == 0)
    notice_of(volume.series, "modality-lut")


def test_a_modality_lut_that_cannot_be_read_is_no_table(written, edit, only, notice_of):
    made = written(shape=(3, 12, 16))

    def change(dataset, index):
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [400, 0, 16])
        item.add_new("LUTData", "OW", bytes(8))  # four entries, not 400
        dataset.ModalityLUTSequence = [item]

    edit(made.paths, change)
    series = only(made.folder)
    notice = notice_of(series, "modality-lut-damaged")
    assert notice.severity is Severity.DANGER and notice.slices == (0, 1, 2)
    assert "modality-lut" not in [one.code for one in series.notices] and load_volume(series).unit == ""


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({"RescaleType": None}, "HU"),
        ({"RescaleType": "HU"}, "HU"),
        ({"RescaleType": "US"}, ""),
        ({"RescaleType": "MGML"}, "MGML"),
        ({"RescaleType": None, "ImageType": ["DERIVED", "PRIMARY", "AXIAL", "EFF_ATOMIC_NUM"]}, ""),
        ({"RescaleType": "HU", "ImageType": ["DERIVED", "PRIMARY", "AXIAL", "IODINE"]}, ""),
        ({"Modality": "MR", "RescaleType": None}, ""),
        ({"Modality": "PT", "RescaleType": None, "Units": "BQML"}, "BQML"),
    ],
)
def test_unit(written, edit, volume_of, changes, unit):
    made = written()
    edit(made.paths, **changes)
    assert volume_of(made.folder).unit == unit


@pytest.mark.parametrize(
    "changes", [{"RescaleSlope": None}, {"RescaleIntercept": None}, {"RescaleSlope": 0}, {"RescaleSlope": "1e-300"}]
)
def test_without_rescale_there_are_no_hounsfield_units(written, edit, volume_of, notice_of, changes):
    made = written()
    edit(made.paths[4], **changes)
    volume = volume_of(made.folder)
    assert volume.unit == ""
    notice = notice_of(volume.series, "no-rescale")
    assert notice.slices == (4,) and notice.severity.value == "danger"


def test_windows_of_the_middle_slice(written, edit, volume_of):
    made = written()
    edit(made.paths, WindowCenter=1, WindowWidth=2)
    edit(
        made.paths[3],
        WindowCenter=[-600, 40, 7],
        WindowWidth=[1500, 400, 0],
        WindowCenterWidthExplanation=["LUNG", "SOFT", "BAD"],
        VOILUTFunction="SIGMOID",
    )
    volume = volume_of(made.folder)
    assert volume.windows == (
        Window(-600, 1500, VoiFunction.SIGMOID, "LUNG"),
        Window(40, 400, VoiFunction.SIGMOID, "SOFT"),
    )
    assert volume.initial_window == volume.windows[0]


@pytest.mark.parametrize(("centre", "width"), [("abc", "400"), ("", ""), ("40", "0"), ("nan", "400"), ("40", "1e400")])
def test_impossible_windows_are_left_out(written, edit, volume_of, centre, width):
    made = written()

    def change(dataset, index):
        dataset.add_new("WindowCenter", "LO", centre)  # LO writes anything
        dataset.add_new("WindowWidth", "LO", width)

    edit(made.paths, change)
    assert volume_of(made.folder).windows == ()
