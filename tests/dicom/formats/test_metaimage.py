from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.dicom import load_volume

UPRIGHT = np.eye(3)


@pytest.fixture
def save(folder):
    def write(data, name="chest.mha", directions=UPRIGHT, compress=False):
        """`data` is `[k, j, i]`."""
        image = sitk.GetImageFromArray(data)
        image.SetSpacing((0.7, 0.8, 2.5))
        image.SetOrigin((10.0, -20.0, 33.0))
        image.SetDirection(directions.ravel().tolist())
        sitk.WriteImage(image, str(folder / name), compress)
        return folder / name

    return write


@pytest.mark.parametrize(
    ("name", "compress"), [("a.mha", False), ("a.mha", True), ("a.mhd", False), ("a.mhd", True), ("a.nii", False)]
)
def test_every_voxel_lies_where_simpleitk_has_it_however_the_volume_is_stored(
    save, only, values, all_directions, assert_same_places, name, compress
):
    for number, directions in enumerate(all_directions[:: 1 if name == "a.mha" else 4]):
        path = save(values.T.astype(np.int16), f"{number}{name}", directions, compress)
        known = sitk.ReadImage(str(path))

        def value_at(place, known=known):
            index = np.array(known.TransformPhysicalPointToContinuousIndex(place.tolist()))
            assert np.abs(index - np.rint(index)).max() < 1e-4
            return known[np.rint(index).astype(int).tolist()]

        assert_same_places(load_volume(only(path)), value_at)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("compress", [False, True])
def test_values_of_every_type(save, only, values, dtype, compress):
    data = np.abs(values.T).astype(dtype)
    volume = load_volume(only(save(data, compress=compress)))
    assert np.array_equal([volume.hu(i) for i in range(5)], data)


HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = {big}
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 1 2 3
ElementSpacing = 0.5 0.6 2
DimSize = 4 3 2
{more}ElementType = MET_SHORT
ElementDataFile = {where}
"""
DATA = np.arange(24, dtype=np.int16).reshape(2, 3, 4) * 300 - 1000


@pytest.fixture
def header(folder):
    """Write a header by hand, followed by bytes of its own."""

    def write(where, data=b"", more="", big=False, text=HEADER):
        path = folder / "a.mhd"
        path.write_bytes(text.format(where=where, more=more, big=big).encode("latin-1") + data)
        return path

    return write


def test_big_endian_and_other_spellings(header, only):
    text = (
        HEADER.replace("Offset", "Position")
        .replace("TransformMatrix", "Rotation")
        .replace(" = ", "=")
        .replace("\n", "\r\n")
    )
    volume = load_volume(only(header("LOCAL", DATA.astype(">i2").tobytes(), big=True, text=text)))
    assert np.array_equal(volume.stored, DATA)
    assert volume.geometry.origins[1].tolist() == [1.0, 2.0, 5.0]
    assert volume.geometry.pixel_spacing == (0.6, 0.5)


def test_data_in_another_file_behind_a_header_of_its_own(header, folder, only):
    (folder / "a.raw").write_bytes(b"x" * 100 + DATA.tobytes())
    for more in ("HeaderSize = 100\n", "HeaderSize = -1\n"):
        assert np.array_equal(load_volume(only(header("a.raw", more=more))).stored, DATA)


def test_one_file_per_slice_by_a_list(header, folder, only):
    for index in (0, 1):
        (folder / f"slice{index}.raw").write_bytes(DATA[index].tobytes())
    series = only(header("LIST", b"slice1.raw\nslice0.raw\n"))
    assert [ref.path.name for ref in series.slices] == ["slice1.raw", "slice0.raw"]
    assert np.array_equal(load_volume(series).stored, DATA[::-1])


def test_scaling_of_the_header_is_applied_and_told(header, only, notice_of):
    more = "ElementToIntensityFunctionSlope = 2\nElementToIntensityFunctionOffset = -1024\n"
    series = only(header("LOCAL", DATA.tobytes(), more))
    assert np.array_equal(load_volume(series).hu(0), DATA[0] * 2.0 - 1024)
    assert "2 times the stored value -1024" in notice_of(series, "scaled-values").text


def test_a_stated_modality_is_taken(header, only):
    assert only(header("LOCAL", DATA.tobytes(), "Modality = MET_MOD_CT\n")).modality == "CT"


@pytest.mark.parametrize(
    "where", ["../a.raw", "/etc/hostname", "C:\\a.raw", "\\\\host\\a.raw", "x/../../a.raw", "C:a.raw", ".."]
)
@pytest.mark.parametrize("listed", [False, True])
def test_no_file_outside_the_folder_is_opened(header, catalog, folder, where, listed):
    (folder.parent / "a.raw").write_bytes(DATA.tobytes())
    path = header("LIST", f"{where}\n{where}\n".encode()) if listed else header(where)
    with pytest.raises(InputError, match=r"a\.mhd cannot be opened: its header names a file outside its folder"):
        catalog(path)


def test_without_directions_nothing_is_guessed(header, only):
    text = HEADER.replace("TransformMatrix = 1 0 0 0 1 0 0 0 1\n", "")
    series = only(header("LOCAL", DATA.tobytes(), text=text))
    assert series.plane is Plane.UNKNOWN
    assert (series.pixel_spacing, series.slice_spacing) == ((0.6, 0.5), 2.0)
    assert series.questions == ("values", "orientation")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("DimSize = 4 3 2", "DimSize = 4 3", "no usable size"),
        ("DimSize = 4 3 2", "DimSize = 4 3 99999999", "impossible size"),
        ("DimSize = 4 3 2", "DimSize = 4 3 two", r"damaged \(DimSize\)"),
        ("DimSize = 4 3 2", "DimSize = 4 3 60000", "ends in the middle of the pixels"),
        ("MET_SHORT", "MET_SHORT_ARRAY", "unknown type"),
        ("BinaryData = True", "BinaryData = False", "written as text"),
        ("ObjectType = Image", "ObjectType = Tube", "no image but Tube"),
        ("ElementType", "ElementNumberOfChannels = 3\nElementType", "several values for each voxel"),
        ("ElementDataFile = LOCAL\n", "", "where the pixels are"),
        ("LOCAL", "gone.raw", "its pixels should be in gone.raw"),
        ("LOCAL", "slice%03d.raw 1 2 1", "named by a pattern"),
        ("LOCAL", "LIST", "outside its folder"),
        ("ObjectType = Image\nNDims = 3", "h\xe4\0llo", "not MetaImage"),
        ("ElementSpacing", "CompressedData = True\nElementSpacing", ""),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_sentence(header, catalog, old, new, reason):
    path = header("LOCAL", DATA.tobytes(), text=HEADER.replace("{where}", "LOCAL").replace(old, new))
    if not reason:  # compressed data that are none: known only when they are read
        with pytest.raises(InputError, match=r"a\.mhd could not be read: its packed data are damaged"):
            load_volume(catalog(path).series[0])
        return
    with pytest.raises(InputError, match=rf"a\.mhd cannot be opened: .*{reason}"):
        catalog(path)


def test_equal_headers_of_different_data_are_different_series(header, folder, only):
    path = header("a.raw")
    (folder / "a.raw").write_bytes(DATA.tobytes())
    key = only(path).key
    (folder / "a.raw").write_bytes((DATA + 1).tobytes())
    assert only(path).key != key
