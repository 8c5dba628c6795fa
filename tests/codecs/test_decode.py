from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.pixels.encoders import RLELosslessEncoder

from ctviewer import codecs
from ctviewer.codecs import CodecError, PixelFormat, jpeg, jpeg2000


def _image(seed: int = 0, shape=(40, 50), bits: int = 12) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(seed).normal(0, 9, shape)
    return np.clip((x * 31 + y * 17) + noise, 0, (1 << bits) - 1).astype(np.uint16)


FORMAT = PixelFormat(40, 50, 16, 12, 11, False)
EIGHT = PixelFormat(40, 50, 8, 8, 7, False)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
def test_high_throughput_jpeg_2000(syntax):
    image = _image()
    data = imagecodecs.htj2k_encode(image, reversible=True)
    assert np.array_equal(codecs.decode(syntax, data, FORMAT), image)


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
    with pytest.raises(CodecError, match="size"):
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
    except CodecError as error:
        assert str(error)


def test_colour_in_a_grey_series_is_refused_unless_it_is_grey():
    image = np.zeros((40, 50, 3), np.uint8)
    image[:, 16:] = 77
    grey = codecs.decode("1.2.840.10008.1.2.4.50", imagecodecs.jpeg8_encode(image), EIGHT)
    assert np.array_equal(grey, image[..., 0])
    image[:, 32:] = (200, 10, 10)
    with pytest.raises(CodecError, match="size or type"):
        codecs.decode("1.2.840.10008.1.2.4.50", imagecodecs.jpeg8_encode(image), EIGHT)


def test_sizes_are_read_from_the_streams():
    image = _image()
    assert jpeg.frame_head(ENCODED["1.2.840.10008.1.2.4.70"](image)).size == (40, 50)
    assert jpeg.frame_head(ENCODED["1.2.840.10008.1.2.4.80"](image)).size == (40, 50)
    assert jpeg.frame_head(b"\xff\xd8\xff\xff\xff\xe0\x00\x02" + b"\xff") is None
    head = jpeg2000.codestream_head(ENCODED["1.2.840.10008.1.2.4.90"](image))
    assert (head.rows, head.columns, head.precision, head.signed) == (40, 50, 16, False)
    assert jpeg2000.codestream_head(b"\xff\x4f\xff\x51") is None


@pytest.mark.parametrize(("value", "fits"), [(-128, True), (127, True), (-300, False), (300, False)])
def test_values_deeper_than_the_header_says_are_refused_on_either_side(value, fits):
    image = np.zeros((40, 50), np.int16)
    image[3, 4] = value
    data = imagecodecs.jpeg2k_encode(image, level=0, reversible=True)
    try:
        decoded = codecs.decode("1.2.840.10008.1.2.4.90", data, PixelFormat(40, 50, 8, 8, 7, True))
        assert fits and decoded[3, 4] == value
    except CodecError as error:
        assert not fits and "deeper" in str(error)
