"""Values of unusual files, against pydicom's reading of the same files where it has one."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRBigEndian

from ctviewer.dicom import thumbnail
from ctviewer.ui.binders.image import preview


def big_endian(dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset._read_implicit = dataset._read_little = None


@pytest.mark.parametrize("vr", ["OW", "OB"])
@pytest.mark.parametrize("shape", [(3, 12, 16), (3, 5, 7)])
def test_eight_bit_pixels_in_big_endian_words(written, edit, volume_of, vr, shape):
    """PS3.5 8.2: as OW two pixels share a word, so its bytes are swapped; as OB they are not."""
    made = written(shape=shape)
    count = shape[1] * shape[2]
    values = np.arange(3 * count).reshape(3, count).astype(np.uint8)

    def change(dataset, index):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        data = values[index].tobytes() + b"\0" * (count % 2)
        if vr == "OW":
            data = np.frombuffer(data, "<u2").byteswap().tobytes()
        big_endian(dataset)
        dataset.add_new("PixelData", vr, data)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, values.reshape(shape))
    theirs = np.stack([pydicom.dcmread(path).pixel_array for path in made.paths])
    assert np.array_equal(volume.stored, theirs)


def test_frames_of_eight_bit_words_that_start_within_one(written, edit, volume_of):
    made = written(shape=(1, 5, 7))
    values = np.arange(3 * 35).astype(np.uint8)

    def change(dataset, _index):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.NumberOfFrames = 3
        big_endian(dataset)
        dataset.add_new("PixelData", "OW", np.frombuffer(values.tobytes() + b"\0", "<u2").byteswap().tobytes())

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, values.reshape(3, 5, 7))
    assert np.array_equal(volume.stored, pydicom.dcmread(made.paths[0]).pixel_array)


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [("1.0002", "-1024.5"), ("-1", "1000"), ("0.000015258", "0"), ("123456.7", "-9"), ("1e-5", "3")],
)
def test_any_sane_slope_to_the_last_digit(written, edit, volume_of, slope, intercept):
    made = written(shape=(3, 12, 16))
    edit(made.paths, RescaleSlope=slope, RescaleIntercept=intercept)
    volume, dataset = volume_of(made.folder), pydicom.dcmread(made.paths[2])
    theirs = apply_modality_lut(dataset.pixel_array, dataset)
    ours = [[volume.value_at(2, row, column) for column in range(16)] for row in range(12)]
    assert np.array_equal(ours, theirs)
    assert np.allclose(volume.hu(2), theirs, rtol=1e-6)


@pytest.mark.parametrize(("slope", "intercept"), [("0", "-1024"), ("nan", "0"), ("1e9", "0"), ("", "")])
def test_a_senseless_slope_makes_no_hounsfield_units(written, edit, volume_of, notice_of, slope, intercept):
    made = written(shape=(3, 12, 16))

    def change(dataset, _index):
        dataset.add_new("RescaleSlope", "LO", slope)
        dataset.add_new("RescaleIntercept", "LO", intercept)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert volume.unit == "" and volume.value_at(1, 0, 0) == volume.stored[1, 0, 0]
    notice_of(volume.series, "no-rescale")


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({"Modality": "PT", "Units": "BQML", "RescaleType": None}, "BQML"),
        ({"Modality": "PT", "Units": "GML", "RescaleType": None}, "GML"),
        ({"Modality": "PT", "Units": "BQML", "RescaleSlope": "0"}, ""),
        ({"Modality": "MR", "RescaleType": "normalized"}, ""),
        ({"Modality": "CR", "RescaleType": "OD"}, "OD"),
        ({"RescaleType": "Z_EFF"}, "Z_EFF"),
        ({"RescaleType": "HU_MOD"}, "HU_MOD"),
        ({"RescaleType": "PCT"}, "PCT"),
    ],
)
def test_units_other_than_hounsfield(written, edit, volume_of, changes, unit):
    made = written(shape=(3, 12, 16))
    edit(made.paths, **changes)
    assert volume_of(made.folder).unit == unit


def test_a_modality_table_of_packed_bytes_with_a_negative_first_value(written, edit, volume_of):
    made = written(shape=(3, 12, 16))

    def change(dataset, _index):
        item = Dataset()
        item.add_new("LUTDescriptor", "SS", [5, -2, 8])
        item.add_new("LUTData", "OW", bytes([1, 20, 30, 40, 250, 0]))
        item.ModalityLUTType = "US"
        dataset.ModalityLUTSequence = [item]
        dataset.PixelData = (np.arange(192) % 9 - 4).astype("<i2").tobytes()

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert volume.stored[0].ravel()[:9].tolist() == [1, 1, 1, 20, 30, 40, 250, 250, 250]
    assert volume.unit == ""


def test_padding_range_below_and_above_and_in_either_order(written, edit, volume_of):
    made = written(shape=(3, 12, 16), dtype=np.uint16)

    def change(dataset, _index):
        dataset.add_new("PixelPaddingValue", "US", 10)
        dataset.add_new("PixelPaddingRangeLimit", "US", 4)

    edit(made.paths, change)
    volume = volume_of(made.folder)
    assert volume.padding == (4, 10)
    assert np.array_equal(volume.valid(0), (made.stored[0] < 4) | (made.stored[0] > 10))
    assert volume.value_at(0, 0, 4) is None and volume.value_at(0, 0, 3) is not None


@pytest.mark.parametrize("spacing", [(2.0, 0.5), (0.5, 2.0)])
def test_small_pictures_have_the_patients_proportions(written, edit, volume_of, qapp, spacing):
    made = written(shape=(3, 40, 60))
    edit(made.paths, PixelSpacing=list(spacing))
    volume = volume_of(made.folder)
    height, width = 40 * spacing[0], 60 * spacing[1]
    rows, columns = thumbnail(volume.series, 96).shape
    assert rows / columns == pytest.approx(height / width, rel=0.05)
    image = preview(volume, 1, volume.initial_window)
    assert image.height() / image.width() == pytest.approx(height / width, rel=0.05)
