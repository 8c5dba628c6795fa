"""Frames that are whole but unusual: what codecs say of sign and depth differs from the header, marks, padding, cuts."""

from __future__ import annotations

import zlib

import imagecodecs
import numpy as np
import pytest
from pydicom.pixels.encoders import RLELosslessEncoder

from ctviewer import codecs
from ctviewer.codecs import CodecError, PixelFormat, fallback, jpeg2000, jpegxl

JPEG, JPEG_EXTENDED, LOSSLESS, LOSSLESS_SV1 = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70))
JPEG_LS, NEAR_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K, PART2 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.92"
JXL_LOSSLESS, JXL_JPEG, JXL = (f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112))
RLE, DEFLATED_FRAME = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"
EIGHT = PixelFormat(40, 50, 8, 8, 7, False)


RLE_FACTS = {
    "rows": 40,
    "columns": 50,
    "samples_per_pixel": 1,
    "bits_allocated": 16,
    "bits_stored": 16,
    "pixel_representation": 0,
    "photometric_interpretation": "MONOCHROME2",
    "number_of_frames": 1,
}


def twelve(*, signed: bool = False, allocated: int = 16, stored: int = 12, high: int | None = None) -> PixelFormat:
    return PixelFormat(40, 50, allocated, stored, stored - 1 if high is None else high, signed)


def lossless(image, predictor: int = 1, bits: int = 16) -> bytes:
    return imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=bits)


def j2k(image, bits: int | None = None) -> bytes:
    return imagecodecs.jpeg2k_encode(image, level=0, reversible=True, codecformat="j2k", bitspersample=bits)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_all_predictors_of_jpeg_lossless(image, predictor):
    decoded = codecs.decode(LOSSLESS, lossless(image(), predictor, 12), twelve())
    assert np.array_equal(decoded, image())


@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
def test_jpeg_lossless_of_any_depth(image, bits):
    pixels = image(bits=min(bits, 12)).astype(np.uint8 if bits == 8 else np.uint16)
    decoded = codecs.decode(LOSSLESS_SV1, lossless(pixels, bits=bits), twelve(stored=16))
    assert decoded.dtype == np.uint16 and np.array_equal(decoded, pixels)


def test_baseline_pixels_equal_pillows(image):
    from io import BytesIO

    from PIL import Image

    data = imagecodecs.jpeg8_encode((image() >> 4).astype(np.uint8), level=80)
    assert np.array_equal(codecs.decode(JPEG, data, EIGHT), np.asarray(Image.open(BytesIO(data))))


def _with_restarts(image) -> bytes:
    """Baseline JPEG with a restart mark after each row of blocks, written by Pillow."""
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90, restart_marker_rows=1)
    return file.getvalue()


def test_restart_marks(image):
    pixels = (image() >> 4).astype(np.uint8)
    data = _with_restarts(pixels)
    assert b"\xff\xdd" in data and b"\xff\xd0" in data
    difference = codecs.decode(JPEG, data, EIGHT).astype(int) - pixels
    assert abs(difference).mean() < 4


ENCODED = {
    JPEG: lambda image: imagecodecs.jpeg8_encode((image >> 4).astype(np.uint8)),
    JPEG_EXTENDED: lambda image: imagecodecs.jpeg8_encode(image, bitspersample=12),
    LOSSLESS_SV1: lossless,
    JPEG_LS: imagecodecs.jpegls_encode,
    NEAR_LOSSLESS: lambda image: imagecodecs.jpegls_encode(image, level=2),
    J2K: j2k,
    "1.2.840.10008.1.2.4.201": lambda image: imagecodecs.htj2k_encode(image, reversible=True),
    JXL_LOSSLESS: lambda image: imagecodecs.jpegxl_encode(image, lossless=True),
}


@pytest.mark.parametrize("syntax", ENCODED)
@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0" * 1000, b" "])
def test_padding_behind_the_data_does_no_harm(image, syntax, padding):
    data, facts = ENCODED[syntax](image()), EIGHT if syntax == JPEG else twelve()
    assert np.array_equal(codecs.decode(syntax, data + padding, facts), codecs.decode(syntax, data, facts))


@pytest.mark.parametrize("syntax", [syntax for syntax in ENCODED if syntax != JXL_LOSSLESS])
@pytest.mark.parametrize("gone", [1, 2])
def test_an_end_mark_that_is_missing_does_no_harm(image, syntax, gone):
    data, facts = ENCODED[syntax](image()), EIGHT if syntax == JPEG else twelve()
    assert data.endswith(b"\xff\xd9")
    assert np.array_equal(codecs.decode(syntax, data[:-gone], facts), codecs.decode(syntax, data, facts))


@pytest.mark.parametrize("syntax", ENCODED)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("tail", [b"", bytes(500)])
def test_data_that_are_cut_off_are_refused(image, syntax, part, tail):
    """Codecs make up what is missing, in grey: nobody must take that for the patient."""
    data = ENCODED[syntax](image())
    with pytest.raises(CodecError):
        codecs.decode(syntax, data[: int(part * len(data))] + tail, EIGHT if syntax == JPEG else twelve())


def test_signs_that_jpeg_ls_cannot_tell(image):
    values = (image() >> 4).astype(np.uint8).view(np.int8)
    data = imagecodecs.jpegls_encode(values.view(np.uint8))
    decoded = codecs.decode(JPEG_LS, data, twelve(signed=True, stored=16))
    assert decoded.dtype == np.int16 and np.array_equal(decoded, values)


@pytest.mark.parametrize("stream_signed", [False, True])
@pytest.mark.parametrize("header_signed", [False, True])
def test_signs_of_jpeg_2000(image, stream_signed, header_signed):
    """The header is believed; as pydicom, whose rule is: the highest bit of the stream's precision is the sign."""
    words = image()
    values = ((words << 4).view(np.int16) >> 4) if stream_signed else words
    data = j2k(values, 12)
    head = jpeg2000.codestream_head(data)
    assert (head.precision, head.signed) == (12, stream_signed)
    decoded = codecs.decode(J2K, data, twelve(signed=header_signed, stored=16))
    wanted = (words << 4).view(np.int16) >> 4 if header_signed else words.astype(np.int16)
    assert np.array_equal(decoded.astype(np.int16), wanted)


def test_signed_bytes_of_jpeg_2000_keep_their_sign_in_wider_words(image):
    values = (image() >> 4).astype(np.uint8).view(np.int8)
    decoded = codecs.decode(J2K, j2k(values), twelve(signed=True, stored=16))
    assert decoded.dtype == np.int16 and np.array_equal(decoded, values)


@pytest.mark.parametrize(("high", "bits"), [(15, 12), (13, 12)])
def test_values_in_the_upper_bits_of_a_word(image, high, bits):
    """A codec counts from its lowest bit, the header from the word's."""
    decoded = codecs.decode(LOSSLESS_SV1, lossless(image(), bits=bits), twelve(high=high))
    assert np.array_equal(decoded >> (high - 11), image())
    whole = codecs.decode(LOSSLESS_SV1, lossless(image() << (high - 11)), twelve(high=high))
    assert np.array_equal(whole >> (high - 11), image()), "a codec that was given whole words gives whole words"


def test_deeper_than_stated_is_refused(image):
    with pytest.raises(CodecError, match="deeper"):
        codecs.decode(LOSSLESS_SV1, lossless(image()), EIGHT)


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_xl_without_loss(image, bits, container):
    pixels = image(bits=min(bits, 12)).astype(np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpegxl_encode(pixels, lossless=True, bitspersample=bits, usecontainer=container)
    facts = PixelFormat(40, 50, 16, 16, 15, False)
    for syntax in (JXL_LOSSLESS, JXL):
        assert np.array_equal(codecs.decode(syntax, data, facts), pixels)


def test_a_recompressed_jpeg_is_the_jpeg_it_was(image):
    data = imagecodecs.jpeg8_encode((image() >> 4).astype(np.uint8))
    recompressed = imagecodecs.jpegxl_encode_jpeg(data, usecontainer=True)
    assert np.array_equal(codecs.decode(JXL_JPEG, recompressed, EIGHT), codecs.decode(JPEG, data, EIGHT))


@pytest.mark.parametrize("shape", [(512, 512), (40, 50), (300, 1000), (8, 16), (2100, 70), (64, 128), (48, 64), (9, 9)])
def test_the_size_of_jpeg_xl_is_read_from_its_head(shape):
    data = imagecodecs.jpegxl_encode(np.zeros(shape, np.uint16), lossless=True, usecontainer=False)
    assert jpegxl.codestream_size(data) == shape
    assert jpegxl.codestream_size(b"\xff\x0a"[:1]) is None


def test_jpeg_2000_part_2(image):
    data = bytearray(j2k(image()))
    assert np.array_equal(codecs.decode(PART2, bytes(data), twelve()), image()), "a plain stream"
    data[6:8] = (0x8000 | 0x0040).to_bytes(2, "big")  # arbitrary wavelets, which OpenJPEG would pass over in silence
    with pytest.raises(CodecError, match="extension"):
        codecs.decode(PART2, bytes(data), twelve())


def test_deflated_frames(image):
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(image().tobytes()) + deflater.flush()
    assert np.array_equal(codecs.decode(DEFLATED_FRAME, data + b"\0", twelve()), image())
    for broken in (data[:-200], b"", b"\xff" + data[1:]):
        with pytest.raises(CodecError):
            codecs.decode(DEFLATED_FRAME, broken, twelve())


def _segments(words: np.ndarray) -> list[bytes]:
    """The bytes of a word from the highest to the lowest, each plane as literal runs (PS3.5 G.3)."""
    planes = [(words.view(np.uint16) >> shift).astype(np.uint8).tobytes() for shift in (8, 0)]
    return [b"".join(bytes([len(run) - 1]) + run for run in _runs(plane)) for plane in planes]


def _runs(plane: bytes) -> list[bytes]:
    return [plane[at : at + 128] for at in range(0, len(plane), 128)]


def test_rle_of_signed_words(image):
    values = image().astype(np.int16) - 2048
    high, low = _segments(values)
    high += b"\0" * (len(high) % 2)
    offsets = np.array([2, 64, 64 + len(high), *[0] * 13], "<u4").tobytes()
    decoded = codecs.decode(RLE, offsets + high + low, twelve(signed=True, stored=16))
    assert np.array_equal(decoded.view(np.int16), values)


def test_rle_that_is_damaged_is_refused(image):
    data = RLELosslessEncoder.encode(image().tobytes(), **RLE_FACTS)
    assert np.array_equal(codecs.decode(RLE, data + bytes(1), twelve()), image())
    half = len(data) // 2
    for broken in (b"", data[:70], data[:-2], data[:half], data[:half] + bytes(half), b"\x07" + data[1:]):
        with pytest.raises(CodecError):
            codecs.decode(RLE, broken, twelve())


@pytest.mark.parametrize("offset", [0, 63, 64, 10_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0])
def test_rle_whose_segments_lie_nowhere_is_refused(image, offset):
    """Some of these end a process that hands them to imagecodecs."""
    data = bytearray(RLELosslessEncoder.encode(image().tobytes(), **RLE_FACTS))
    data[8:12] = offset.to_bytes(4, "little")
    with pytest.raises(CodecError, match="damaged"):
        codecs.decode(RLE, bytes(data), twelve())


def test_rle_with_much_behind_it(image):
    data = RLELosslessEncoder.encode(image().tobytes(), **RLE_FACTS)
    assert np.array_equal(codecs.decode(RLE, data + bytes(100), twelve()), image())


@pytest.mark.parametrize("syntax", [JPEG, LOSSLESS_SV1, JPEG_LS, J2K])
def test_the_fall_back_gives_the_same_pixels(image, syntax):
    data, facts = ENCODED[syntax](image()), EIGHT if syntax == JPEG else twelve(stored=16)
    decoded, precision = fallback.decode(syntax, data, facts)
    assert precision == (8 if syntax == JPEG else 16)
    assert np.array_equal(decoded.reshape(40, 50), codecs.decode(syntax, data, facts))


def test_the_fall_back_takes_over_what_imagecodecs_lacks(image, monkeypatch):
    def missing(data, pixel_format):
        raise ImportError("built without this codec")

    monkeypatch.setitem(codecs._DECODERS, JPEG_LS, missing)
    monkeypatch.setitem(codecs._DECODERS, JXL, missing)
    assert np.array_equal(codecs.decode(JPEG_LS, ENCODED[JPEG_LS](image()), twelve(stored=16)), image())
    with pytest.raises(CodecError, match="by anything"):
        codecs.decode(JXL, ENCODED[JXL_LOSSLESS](image()), twelve(stored=16))


def test_the_fall_back_refuses_what_is_cut_off(image):
    data = lossless(image())
    with pytest.raises(CodecError, match="cut off"):
        fallback.decode(LOSSLESS_SV1, data[: len(data) // 2], twelve(stored=16))
