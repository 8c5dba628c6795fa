from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from ctviewer.core.errors import InputError
from ctviewer.dicom import load_volume

SHAPE = (5, 12, 9)


@pytest.fixture
def stack(folder) -> Callable[..., np.ndarray]:
    """Write pictures by Pillow; gives their values `[slices, rows, columns]`."""

    def write(names, dtype="u2", place: Path = folder, rgb=False, shape=SHAPE[1:], seed=0, **options) -> np.ndarray:
        high = 255 if dtype == "u1" else 4000
        data = np.random.default_rng(seed).integers(0, high, (len(names), *shape)).astype(dtype)
        place.mkdir(exist_ok=True)
        for name, values in zip(names, data, strict=True):
            Image.fromarray(np.dstack([values] * 3) if rgb else values).save(place / name, **options)
        return data

    return write


NAMES = ["s1.png", "s2.png", "s10.png", "s3.png"]
ORDER = [0, 1, 3, 2]


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_pictures_are_slices_in_the_natural_order_of_their_names(stack, folder, only, notice_of, dtype, ending):
    data = stack([name.replace("png", ending) for name in NAMES], dtype)
    series = only(folder)
    volume = load_volume(series)
    assert np.array_equal(volume.stored, data[ORDER])
    assert volume.unit == "" and not volume.inverted and volume.geometry.origins is None
    assert series.questions == ("values", "spacing", "orientation")
    assert (series.modality, series.description, series.transfer_syntax) == (
        "OT",
        "opened",
        ending.upper()[:4].replace("TIF", "TIFF"),
    )
    assert [ref.instance_number for ref in series.slices] == [1, 2, 3, 10]
    assert "between 3 and 10" in notice_of(series, "missing-slices").text
    assert notice_of(series, "missing-slices").slices == (2, 3)
    assert notice_of(series, "order-of-names") and notice_of(series, "no-positions") and notice_of(series, "no-spacing")


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_pages_of_a_tiff_file_are_slices(folder, only, compression, dtype):
    data = np.random.default_rng(0).integers(0, 250, SHAPE).astype(dtype)
    pages = [Image.fromarray(page) for page in data]
    pages[0].save(folder / "chest.tif", save_all=True, append_images=pages[1:], compression=compression)
    series = only(folder / "chest.tif")
    volume = load_volume(series)
    assert np.array_equal([volume.hu(i) for i in range(5)], data)
    assert [(ref.frame, ref.instance_number) for ref in series.slices] == [(i, i + 1) for i in range(5)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_byte_orders_and_bigtiff_by_another_writer(folder, only, order, big):
    data = np.random.default_rng(0).integers(0, 60000, (40, 30)).astype("u2")
    (folder / "a.tif").write_bytes(_tiff(data, order, big))
    assert np.array_equal(load_volume(only(folder)).stored[0], data)


def _tiff(data: np.ndarray, order: str, big: bool, **tags: int) -> bytes:
    """A TIFF file of one strip, written by hand; `tags` as t256=..."""
    pixels = data.astype(f"{order}u2").tobytes()
    head = 16 if big else 8
    facts = {256: data.shape[1], 257: data.shape[0], 258: 16, 259: 1, 262: 1, 273: head, 277: 1, 278: data.shape[0]}
    facts |= {279: len(pixels)} | {int(name[1:]): value for name, value in tags.items()}
    magic = {"<": b"II", ">": b"MM"}[order]
    place = head + len(pixels)
    entries = b"".join(
        struct.pack(f"{order}HHQQ" if big else f"{order}HHII", tag, 16 if big else 4, 1, value)
        for tag, value in sorted(facts.items())
    )
    if big:
        return (
            magic + struct.pack(f"{order}HHHQ", 43, 8, 0, place) + pixels
            + struct.pack(f"{order}Q", len(facts)) + entries + bytes(8)
        )  # fmt: skip
    return (
        magic
        + struct.pack(f"{order}HI", 42, place)
        + pixels
        + struct.pack(f"{order}H", len(facts))
        + entries
        + bytes(4)
    )


def test_white_as_zero_is_shown_inverted_and_stays_as_stored(folder, only):
    data = np.arange(12, dtype="u2").reshape(3, 4)
    (folder / "a.tif").write_bytes(_tiff(data, "<", False, t262=0))
    volume = load_volume(only(folder))
    assert volume.inverted and np.array_equal(volume.stored[0], data)


def test_grey_in_three_equal_channels_and_opaque(stack, folder, only):
    data = stack(NAMES, "u1", rgb=True)
    assert np.array_equal(load_volume(only(folder)).stored, data[ORDER])
    for path in folder.iterdir():
        with Image.open(path) as picture:
            picture.convert("RGBA").save(path)
    assert np.array_equal(load_volume(only(folder)).stored, data[ORDER])


def test_sixteen_bits_in_three_channels(folder, only):
    data = np.arange(12, dtype="u2").reshape(3, 4) * 5000
    (folder / "a.png").write_bytes(imagecodecs.png_encode(np.dstack([data] * 3)))
    assert np.array_equal(load_volume(only(folder)).stored[0], data)


@pytest.mark.parametrize("fault", ["colour", "transparent"])
def test_colour_is_refused_in_words(folder, catalog, fault):
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 255, (6, 7, 3 if fault == "colour" else 2)).astype("u1")
        Image.fromarray(values, "RGB" if fault == "colour" else "LA").save(folder / f"{number}.png")
    reason = "colour picture" if fault == "colour" else "partly transparent"
    with pytest.raises(InputError, match=rf"0\.png cannot be opened: it is (a )?{reason}"):
        catalog(folder)


def test_one_colour_picture_among_grey_ones_is_one_failed_slice(stack, folder, only):
    stack([f"{n}.png" for n in range(5)], "u1", rgb=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SHAPE[1:], 3)).astype("u1")).save(folder / "4.png")
    assert np.flatnonzero(load_volume(only(folder)).failed).tolist() == [4]


def test_few_pictures_beside_dicom_are_passed_over_in_silence(written, stack, catalog):
    place = written(shape=(3, 8, 9)).folder
    stack(["logo.png", "screen.tif"], place=place)
    (place / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (30, 20), "red").save(place / "photo.jpg")
    found = catalog(place)
    assert len(found.series) == 1 and found.series[0].modality == "CT" and not found.notices


def test_colour_screenshots_beside_dicom_are_passed_over_in_silence(written, catalog):
    place = written(shape=(3, 8, 9)).folder
    for number in range(4):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (6, 7, 3)).astype("u1")).save(
            place / f"{number}.png"
        )
    found = catalog(place)
    assert len(found.series) == 1 and not found.notices


def test_a_stack_beside_dicom_comes_last(written, stack, catalog):
    place = written(shape=(3, 8, 9)).folder
    stack(NAMES, place=place)
    assert [one.modality for one in catalog(place).series] == ["CT", "OT"]


def test_one_picture_alone_can_be_opened(stack, folder, only):
    data = stack(NAMES)
    assert np.array_equal(load_volume(only(folder / "s2.png")).stored, data[1:2])


def test_sizes_kinds_and_names_make_stacks_of_their_own(stack, folder, catalog):
    stack([f"ct_{n}.png" for n in range(4)])
    stack([f"lung_{n}.png" for n in range(5)])
    stack([f"big_{n}.png" for n in range(6)], shape=(20, 30))
    stack([f"ct_{n}.tif" for n in range(7)], "u1")
    stack(["1.png", "2.png", "3.png"], place=folder / "deeper")
    counts = sorted((len(one.slices), one.rows, one.description) for one in catalog(folder).series)
    assert [count for count, *_ in counts] == [3, 4, 5, 6, 7]
    assert counts[0][2] == "deeper"


def test_names_that_count_two_things_are_not_mixed(stack, folder, catalog):
    stack([f"case{case}_{n:03}.png" for case in (1, 2) for n in range(1, 5)])
    found = catalog(folder).series
    assert [len(one.slices) for one in found] == [4, 4]
    assert all(len({ref.path.name[:5] for ref in one.slices}) == 1 for one in found)


def test_names_without_numbers_are_one_stack(stack, folder, only):
    data = stack(["cherry.png", "apple.png", "banana.png"])
    series = only(folder)
    assert np.array_equal(load_volume(series).stored, data[[1, 2, 0]])
    assert all(ref.instance_number is None for ref in series.slices)


def test_a_folder_of_masks_is_named_as_such(folder, only):
    for number in range(4):
        values = np.zeros((8, 8), "u1")
        values[2:5, number:6] = 255
        Image.fromarray(values).save(folder / f"{number}.png")
    assert only(folder).description == "opened, looks like a mask"


def test_the_key_stays_when_the_folder_moves(stack, folder, only):
    stack(NAMES)
    key = only(folder).key
    assert only(folder.rename(folder.parent / "elsewhere")).key == key


def _png(rows: int, columns: int, depth: int, colour: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", b"", "it is empty"),
        ("a.png", b"GIF89a" * 9, "not PNG, in spite of its name"),
        ("a.png", _png(4, 4, 1, 0, bytes(8)), "1 bits for each value"),
        ("a.png", _png(50_000, 4, 8, 0), "impossible size"),
        ("a.png", _png(8192, 8192, 8, 0, bytes(99)), "more pixels than the file can hold"),
        ("a.tif", b"II*\0\xff\xff\xff\xff", "directory is damaged"),
        ("a.tif", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "lead round in a circle"),
        ("a.tif", b"PK\x03\x04" * 5, "not TIFF, in spite of its name"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t258=12), "12 bits for each value"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t262=3), "from a palette"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t277=5), "several values for each pixel"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t257=30_000, t256=2000), "middle of the pixels"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t257=40_000, t256=40_000), "impossible size"),
        ("a.tif", _tiff(np.zeros((3, 4)), "<", False, t259=5), "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_sentence(folder, catalog, name, content, reason):
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} cannot be opened: .*{reason if reason[:6] != 'cannot' else ''}"):
        catalog(folder)
