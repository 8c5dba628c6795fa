"""From stored values to grey: every path against pydicom's own, value by value."""

from __future__ import annotations

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from ctviewer.core.windowing import VoiFunction, VoiTable, Window, apply_window, window_lut

SHAPE = (3, 16, 16)
PIXELS = 256
MIDDLE = 1


def table(first: int, values: np.ndarray, bits: int, name: str | None = None, vr: str = "US", signed: bool = False):
    item = Dataset()
    if bits == 8 and vr == "OW":
        data = values.astype(np.uint8).tobytes()
        item.add_new("LUTData", "OW", data + b"\0" * (len(data) % 2))
    elif vr == "OW":
        item.add_new("LUTData", "OW", values.astype("<u2").tobytes())
    else:
        item.add_new("LUTData", vr, values.tolist())
    item.add_new("LUTDescriptor", "SS" if signed else "US", [len(values) % 65536, first, bits])
    if name is not None:
        item.LUTExplanation = name
    return item


@pytest.fixture
def with_tables(written, edit, volume_of):
    """A series whose middle slice has these tables, and the volume."""

    def make(*items: Dataset, dtype=np.int16, windows=False, change=None, **attributes):
        made = written(shape=SHAPE, dtype=dtype, **attributes)

        def add(dataset, _index):
            dataset.VOILUTSequence = list(items)
            if not windows:
                for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction", "WindowCenterWidthExplanation"):
                    if keyword in dataset:
                        del dataset[keyword]

        edit(made.paths[MIDDLE], add)
        if change:
            edit(made.paths, change)
        return made.paths[MIDDLE], volume_of(made.folder)

    return make


def shown(volume, voi, index: int = MIDDLE) -> np.ndarray:
    """What is on the screen, by the table that draws it."""
    lut = window_lut(voi, float(volume.slope[index]), float(volume.intercept[index]), signed=volume.signed)
    return lut[volume.stored[index].view(np.uint16)]


def by_pydicom(path, bits: int, index: int = 0) -> np.ndarray:
    dataset = pydicom.dcmread(path)
    values = np.rint(apply_modality_lut(dataset.pixel_array, dataset)).astype(np.int32)
    grey = apply_voi_lut(values, dataset, index=index)
    return np.rint(grey.astype(np.float64) / (2**bits - 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_tables_of_all_depths_as_pydicom_applies_them(with_tables, bits, vr):
    values = np.random.default_rng(bits).integers(0, 2**bits, 300)
    values[7] = 2**bits - 1
    path, volume = with_tables(table(120, values, bits, "LUNG", "US" if bits == 8 else vr), intercept=-100)
    (voi,) = volume.windows
    assert (voi.name, voi.first, voi.bits) == ("LUNG", 120, bits) and volume.initial_window is voi
    if bits == 8:  # pydicom 3.0.1 counts places in such a table in 8 bits
        places = np.clip(volume.hu(MIDDLE).astype(int) - 120, 0, 299)
        assert np.array_equal(shown(volume, voi), values[places])
    else:
        assert np.array_equal(shown(volume, voi), by_pydicom(path, bits))


def test_a_negative_first_value_signed_or_written_as_unsigned(with_tables):
    values = np.arange(2000) * 2
    for signed, first in ((True, -1000), (False, 65536 - 1000)):
        _, volume = with_tables(
            table(first, values, 12, signed=signed), intercept=-1024, name=f"signed {signed}", dtype=np.uint16
        )
        (voi,) = volume.windows
        assert voi.first == -1000
    values_of = volume.hu(MIDDLE).astype(int)
    expected = values[np.clip(values_of + 1000, 0, 1999)] / 4095
    assert np.abs(shown(volume, voi) / 255 - expected).max() <= 0.5 / 255 + 1e-9


def test_a_high_first_value_of_unsigned_pixels_stays_high(with_tables):
    _, volume = with_tables(table(40000, np.arange(4096), 12), dtype=np.uint16, intercept=0)
    assert volume.windows[0].first == 40000


def test_eight_bit_entries_packed_in_words(with_tables):
    """PS3.3 C.11.1.1.1: entries of 8 bits take 8 bits, two of them a word."""
    values = np.arange(255, 0, -1)  # an odd number of them
    _, volume = with_tables(table(0, values, 8, vr="OW"))
    assert np.array_equal(volume.windows[0].values, values)


def test_zero_entries_are_65536(with_tables):
    values = np.arange(65536)[::-1]
    path, volume = with_tables(table(0, values, 16, vr="OW"), dtype=np.uint16)
    assert np.array_equal(volume.windows[0].values, values)
    assert np.array_equal(shown(volume, volume.windows[0]), by_pydicom(path, 16))


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("bits", [8, 12])
def test_other_encodings(with_tables, syntax, bits):
    values = np.random.default_rng(3).integers(0, 2**bits, 500)
    values[0] = 2**bits - 1
    item = table(0, values, bits)

    def change(dataset, _index):
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset._read_implicit = dataset._read_little = None

    _, volume = with_tables(item, change=change)
    assert np.array_equal(volume.windows[0].values, values)


def test_bits_that_say_what_an_entry_takes_and_not_what_it_uses(with_tables):
    """Some devices state 16 for entries of 12 bits: by the letter the image would be black."""
    _, volume = with_tables(table(0, np.arange(4096), 16))
    assert volume.windows[0].bits == 12
    _, volume = with_tables(table(0, np.arange(1024), 8), name="beyond")
    assert volume.windows[0].bits == 10


def test_windows_come_first_then_tables_by_their_names(with_tables):
    items = (table(0, np.arange(256), 8, "SOFT"), table(0, np.arange(256), 8))
    _, volume = with_tables(
        *items, windows=True, change=lambda d, i: d.update({"WindowCenter": 40, "WindowWidth": 400})
    )
    assert [type(one) for one in volume.windows] == [Window, VoiTable, VoiTable]
    assert [one.name for one in volume.windows] == ["", "SOFT", ""]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda item: item.pop("LUTData"),
        lambda item: item.pop("LUTDescriptor"),
        lambda item: item.add_new("LUTDescriptor", "US", [300, 0]),
        lambda item: item.add_new("LUTDescriptor", "US", [9000, 0, 16]),
        lambda item: item.add_new("LUTData", "OW", b""),
    ],
)
def test_a_damaged_table_is_left_out_and_the_others_stay(with_tables, spoil):
    bad, good = table(0, np.arange(256), 8, "BAD"), table(0, np.arange(256), 8, "GOOD")
    spoil(bad)
    _, volume = with_tables(bad, good)
    assert [one.name for one in volume.windows] == ["GOOD"]


def test_an_empty_sequence_is_no_table(with_tables):
    _, volume = with_tables()
    assert volume.windows == () and volume.initial_window.name == "Lung"


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(-600, 1500), (40, 400), (40.5, 1), (0.25, 3.7), (1000, 4096)])
def test_windows_as_pydicom_applies_them(function, centre, width):
    """On values of all stored bits, so that both ends are met."""
    dataset = Dataset()
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 16, 1
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = centre, width, function
    values = np.arange(-32768, 32768).astype(np.float64)
    with np.errstate(over="ignore"):
        theirs = (apply_windowing(values, dataset) + 32768) / 65535
    np.testing.assert_allclose(apply_window(values, Window(centre, width, VoiFunction(function))), theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "693_J2KI.dcm"])
def test_pydicoms_own_files_in_all_their_windows(name, tmp_path, volume_of):
    path = get_testdata_file(name)
    shutil.copy(path, tmp_path / "one.dcm")
    volume, dataset = volume_of(tmp_path), pydicom.dcmread(path)
    values = apply_modality_lut(dataset.pixel_array, dataset).astype(np.float64)
    assert np.array_equal(volume.stored[0] * volume.slope[0] + volume.intercept[0], values)
    for index, voi in enumerate(volume.windows):
        theirs = apply_windowing(values, dataset, index)
        least, most = (
            (v * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0)))
            for v in _stored_range(dataset)
        )
        grey = (theirs - least) / (most - least)
        np.testing.assert_allclose(apply_window(values, voi), grey, atol=1e-12)


def _stored_range(dataset) -> tuple[int, int]:
    span = 1 << dataset.BitsStored
    return (-span // 2, span // 2 - 1) if dataset.PixelRepresentation else (0, span - 1)


@pytest.mark.parametrize(
    ("centres", "widths", "names", "found"),
    [
        ([1, 2, 3], [10, 20], ["A", "B", "C"], [(1, 10, "A"), (2, 20, "B")]),
        ([1], [10, 20], ["A", "B"], [(1, 10, "A")]),
        ([1, 2], [10, 20], ["A"], [(1, 10, "A"), (2, 20, "")]),
        ([1, 2], [10, 20], None, [(1, 10, ""), (2, 20, "")]),
        ([1, 2], [10, 20], ["", "B"], [(1, 10, ""), (2, 20, "B")]),
        ([1, 2], [10, 20], ["A", "B", "C", "D"], [(1, 10, "A"), (2, 20, "B")]),
    ],
)
def test_numbers_of_centres_widths_and_names_that_differ(written, edit, volume_of, centres, widths, names, found):
    made = written(shape=SHAPE)
    edit(made.paths, WindowCenter=centres, WindowWidth=widths)
    if names is not None:
        edit(made.paths, WindowCenterWidthExplanation=names)
    assert [(w.centre, w.width, w.name) for w in volume_of(made.folder).windows] == found


@pytest.mark.parametrize("bad", ["nan", "inf", "1e300", "", "forty", "1_0"])
def test_one_senseless_pair_does_not_take_the_others_with_it(written, edit, volume_of, bad):
    made = written(shape=SHAPE)

    def change(dataset, _index):
        dataset.add_new("WindowCenter", "LO", ["40", bad])
        dataset.add_new("WindowWidth", "LO", ["400", "300"])

    edit(made.paths, change)
    assert volume_of(made.folder).windows == (Window(40, 400),)


def test_narrow_windows_only_where_the_function_allows_them(written, edit, volume_of):
    made = written(shape=SHAPE)
    edit(made.paths, WindowCenter=0.5, WindowWidth=0.25, VOILUTFunction="LINEAR_EXACT")
    assert volume_of(made.folder).windows == (Window(0.5, 0.25, VoiFunction.LINEAR_EXACT),)
    edit(made.paths, VOILUTFunction="LINEAR")
    assert volume_of(made.folder).windows == ()


@pytest.mark.parametrize(
    ("body_part", "preset"),
    [
        ("", "Lung"),
        ("CHEST", "Lung"),
        ("CHESTABDPELVIS", "Lung"),
        ("HEAD", "Brain"),
        ("BRAIN", "Brain"),
        ("HEADNECK", "Mediastinum"),
        ("ABDOMEN", "Abdomen"),
        ("ABDOMENPELVIS", "Abdomen"),
        ("CSPINE", "Bone"),
        ("KNEE", "Bone"),
    ],
)
def test_without_windows_the_body_part_chooses(written, volume_of, body_part, preset):
    assert volume_of(written(shape=SHAPE, body_part=body_part).folder).initial_window.name == preset


@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_other_modalities_without_windows_show_their_own_range(written, edit, volume_of, modality):
    made = written(shape=(3, 64, 64))
    values = np.random.default_rng(0).integers(100, 300, (64, 64)).astype("<i2")
    values[0, :3] = 32000  # outliers, and padding below
    values[1, :] = -5

    def change(dataset, _index):
        dataset.Modality, dataset.PixelData = modality, values.tobytes()
        dataset.add_new("PixelPaddingValue", "SS", -5)
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.001", "0"
        if "RescaleType" in dataset:
            del dataset.RescaleType

    edit(made.paths, change)
    voi = volume_of(made.folder).initial_window
    assert voi.function is VoiFunction.LINEAR_EXACT
    assert 0.09 < voi.centre - voi.width / 2 < 0.11 and 0.28 < voi.centre + voi.width / 2 < 0.31


def test_presentation_lut_shape_inverse_is_monochrome1(written, edit, volume_of):
    made = written(shape=SHAPE)
    edit(made.paths, PresentationLUTShape="INVERSE")
    assert volume_of(made.folder).inverted
    edit(made.paths, PresentationLUTShape="IDENTITY")
    assert not volume_of(made.folder).inverted
    edit(made.paths, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    assert volume_of(made.folder).inverted
