from __future__ import annotations

import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

from ctviewer import codecs
from ctviewer.codecs import PixelFormat, jpeg, jpeg2000
from ctviewer.core.errors import DecodeError
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


def test_fifteen_syntaxes_are_tested(shared_data):
    assert len(list((shared_data / "encodings").glob("CTImage*"))) == len(LOSSLESS) + len(LOSSY)


def _image(seed: int = 0, shape=(40, 50), bits: int = 12) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(seed).normal(0, 9, shape)
    return np.clip((x * 31 + y * 17) + noise, 0, (1 << bits) - 1).astype(np.uint16)


FORMAT = PixelFormat(40, 50, 16, 12, 11, False)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
def test_high_throughput_jpeg_2000(syntax):
    image = _image()
    data = imagecodecs.htj2k_encode(image, reversible=True)
    assert np.array_equal(codecs.decode(syntax, data, FORMAT), image)


def test_fragments_are_joined(written, edit, volume_of):
    made = written(compress="jpeg_ls", shape=(1, 64, 64))

    def fragment(dataset, index):
        frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([frame], fragments_per_frame=4, has_bot=False)

    edit(made.paths, fragment)
    volume = volume_of(made.folder)
    assert len(volume.series.private.sources[0].location.fragments) == 4
    assert np.array_equal(volume.stored, made.stored)


def test_rle_of_eight_bits():
    data = RLELosslessEncoder.encode(
        bytes(range(100)),
        rows=10,
        columns=10,
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )
    decoded = codecs.decode("1.2.840.10008.1.2.5", data, PixelFormat(10, 10, 8, 8, 7, False))
    assert np.array_equal(decoded, np.arange(100).reshape(10, 10))


ENCODED = {
    "1.2.840.10008.1.2.4.50": lambda image: imagecodecs.jpeg8_encode((image >> 4).astype(np.uint8)),
    "1.2.840.10008.1.2.4.70": lambda image: imagecodecs.jpeg8_encode(
        image, lossless=True, predictor=1, bitspersample=16
    ),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    "1.2.840.10008.1.2.4.90": lambda image: imagecodecs.jpeg2k_encode(image, level=0, reversible=True),
}


@pytest.mark.parametrize("syntax", ENCODED)
def test_another_size_than_stated_is_refused(syntax):
    """Before a codec allocates what a small forged stream claims."""
    data = ENCODED[syntax](_image(shape=(41, 50)))
    with pytest.raises(DecodeError, match="damaged"):
        codecs.decode(syntax, data, FORMAT)


@pytest.mark.parametrize("syntax", ENCODED)
@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "head"])
def test_damaged_data_are_refused_or_keep_their_size(syntax, damage):
    data = ENCODED[syntax](_image())
    rng = np.random.default_rng(1)
    data = {
        "empty": b"",
        "cut": data[: len(data) // 3],
        "noise": data[:60] + rng.bytes(len(data) - 60),
        "head": rng.bytes(40) + data[40:],
    }[damage]
    try:
        assert codecs.decode(syntax, data, FORMAT).shape == (40, 50)
    except DecodeError as error:
        assert syntaxes.syntax_name(syntax) in str(error)


def test_colour_in_a_grey_series_is_refused():
    data = imagecodecs.jpeg8_encode(np.zeros((40, 50, 3), np.uint8))
    with pytest.raises(DecodeError, match="size or type"):
        codecs.decode("1.2.840.10008.1.2.4.50", data, FORMAT)


def test_sizes_are_read_from_the_streams():
    image = _image()
    assert jpeg.frame_size(ENCODED["1.2.840.10008.1.2.4.70"](image)) == (40, 50)
    assert jpeg.frame_size(ENCODED["1.2.840.10008.1.2.4.80"](image)) == (40, 50)
    assert jpeg.frame_size(b"\xff\xd8\xff\xff\xff\xe0\x00\x02" + b"\xff") is None
    assert jpeg2000.codestream_size(ENCODED["1.2.840.10008.1.2.4.90"](image)) == (40, 50)
    assert jpeg2000.codestream_size(b"\xff\x4f\xff\x51") is None


def test_unknown_syntaxes_are_refused_by_name():
    assert not syntaxes.is_supported("1.2.840.10008.1.2.4.100")
    with pytest.raises(DecodeError, match="MPEG2 Main Profile"):
        codecs.decode("1.2.840.10008.1.2.4.100", b"", FORMAT)
    assert syntaxes.syntax_name("1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.70", "JPEG Lossless"),
        ("1.2.840.10008.1.2.4.90", "JPEG 2000"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
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
