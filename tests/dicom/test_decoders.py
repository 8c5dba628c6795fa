from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

from ctviewer.dicom import load_volume, syntaxes

LOSSLESS = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
)
LOSSY = {  # largest and mean difference in HU; the header's own slope quantises .50 to 32 HU
    "1.2.840.10008.1.2.4.50": (200, 20),
    "1.2.840.10008.1.2.4.51": (60, 6),
    "1.2.840.10008.1.2.4.53": (60, 6),
    "1.2.840.10008.1.2.4.55": (60, 6),
    "1.2.840.10008.1.2.4.81": (5, 3),
    "1.2.840.10008.1.2.4.91": (60, 6),
}


@pytest.fixture
def encoded(shared_data, tmp_path, only):
    """The real slice in one transfer syntax, alone in a folder."""

    def load(syntax: str):
        (source,) = (shared_data / "encodings").glob(f"CTImage*_{syntax}.dcm")
        folder = tmp_path / syntax
        folder.mkdir()
        shutil.copy(source, folder / "IM.dcm")
        return load_volume(only(folder))

    return load


@pytest.fixture
def reference(shared_data):
    (source,) = (shared_data / "encodings").glob("CTImage*_1.2.840.10008.1.2.1.dcm")
    return pydicom.dcmread(source).pixel_array


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_are_equal_bit_by_bit(encoded, reference, syntax):
    volume = encoded(syntax)
    assert volume.stored.dtype == np.int16 and np.array_equal(volume.stored[0], reference)
    assert not volume.series.lossy


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_syntaxes_are_near(encoded, reference, syntax):
    volume = encoded(syntax)
    inside = reference > -1024  # outside the field of view the files hold different padding
    difference = np.abs(volume.hu(0) - (reference - 1024.0))[inside]
    most, mean = LOSSY[syntax]
    assert difference.max() <= most and difference.mean() <= mean
    assert volume.series.lossy
    assert [notice.code for notice in volume.series.notices].count("lossy-compression") == 1


@pytest.mark.parametrize("syntax", (*LOSSLESS, *LOSSY))
def test_stored_values_equal_simpleitks_bit_by_bit(encoded, shared_data, syntax):
    """ITK's GDCM has decoders of its own for 12-bit JPEG, progressive too: 51, 53 and 55, which pydicom's plug-ins refuse."""
    import SimpleITK as sitk

    (source,) = (shared_data / "encodings").glob(f"CTImage*_{syntax}.dcm")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(source)))[0]
    volume = encoded(syntax)
    stored = (theirs.astype(np.float64) - volume.intercept[0]) / volume.slope[0]
    assert np.abs(stored - np.rint(stored)).max() < 1e-6
    assert np.array_equal(np.rint(stored), volume.stored[0])


def test_progressive_and_sequential_jpeg_hold_the_same_coefficients(encoded):
    """51, 53 and 55 of the test slice were made from one quantised image: entropy coding loses nothing."""
    one, *others = (encoded(f"1.2.840.10008.1.2.4.{end}").stored for end in (51, 53, 55))
    assert all(np.array_equal(one, other) for other in others)


def test_fifteen_syntaxes_are_tested(shared_data):
    assert len(list((shared_data / "encodings").glob("CTImage*"))) == len(LOSSLESS) + len(LOSSY)


def test_fragments_are_joined(written, edit, volume_of):
    made = written(compress="jpeg_ls", shape=(1, 64, 64))

    def fragment(dataset, index):
        frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([frame], fragments_per_frame=4, has_bot=False)

    edit(made.paths, fragment)
    volume = volume_of(made.folder)
    assert len(volume.series.private.sources[0].location.fragments) == 4
    assert np.array_equal(volume.stored, made.stored)


def test_unknown_syntaxes_are_named():
    assert not syntaxes.is_supported("1.2.840.10008.1.2.4.100")
    assert syntaxes.syntax_name("1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.70", "JPEG Lossless"),
        ("1.2.840.10008.1.2.4.90", "JPEG 2000"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
        ("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    ],
)
def test_short_names(syntax, name):
    assert syntaxes.short_name(syntax) == name


def _pydicoms_files() -> list[Path]:
    """Files of pydicom's wheel that it can decode itself and that are grey images of one frame."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    names = ("693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "examples_overlay.dcm")
    return [folder / name for name in names] + sorted(folder.glob("MR_small*[!s].dcm"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the mismatch that is tested
@pytest.mark.parametrize("path", _pydicoms_files(), ids=lambda path: path.stem)
def test_values_equal_pydicoms(path, tmp_path, only):
    """Among them big endian, RLE, and JPEG 2000 whose signedness differs from the header."""
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(path, folder)
    assert np.array_equal(load_volume(only(folder)).stored[0], pydicom.dcmread(path).pixel_array)
