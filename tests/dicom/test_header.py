from __future__ import annotations

import io
import random
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ctviewer.core.errors import CtviewerError
from ctviewer.dicom import fast_header, fragments, functional_groups, load_volume, scan
from ctviewer.dicom.fast_header import read_fast
from ctviewer.dicom.header import DamagedError, Header, NotDicomError
from ctviewer.dicom.slow_header import read_slow
from ctviewer.dicom.tags import FRAME_GROUPS, SPECIFIC_CHARACTER_SET

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the damage that is made here


def _both(path: Path) -> tuple[Header | None, Header]:
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        fast = read_fast(file, size)
    with path.open("rb", buffering=0) as file:
        return fast, read_slow(file, size)


def _add_oddities(dataset, index):
    """Nested sequences, private groups, long values: all that has to be stepped over."""
    inner = Dataset()
    inner.CodeValue = "1"
    inner.SOPInstanceUID = "9.9"  # a wanted tag, but inside a sequence
    outer = Dataset()
    outer.ReferencedImageSequence = Sequence([inner, inner])
    outer.PixelSpacing = [9, 9]
    dataset.SourceImageSequence = Sequence([outer])
    dataset["SourceImageSequence"].is_undefined_length = index % 2 == 0
    block = dataset.private_block(0x0029, "CTVIEWER TEST", create=True)
    block.add_new(0x10, "OB", bytes(70000))
    dataset.add_new(0x00189999, "UN", b"abcd")
    dataset.ImageComments = "x" * 30000


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("compress", [None, "jpeg_ls"])
def test_the_fast_reader_agrees_with_pydicom(written, edit, implicit, compress):
    made = written(compress=compress, patient_name="Müller^Ä", padding=-2000)
    edit(made.paths, _add_oddities)
    for path in made.paths:
        if implicit and compress is None:
            dataset = pydicom.dcmread(path)
            dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
            dataset.save_as(path, implicit_vr=True, little_endian=True)
        fast, slow = _both(path)
        assert fast == slow
        assert fast.numbers(0x0028_0030) == (0.8, 0.8)
    (series,) = list(scan(made.folder))[-1].value.series
    assert np.array_equal(load_volume(series).stored, made.stored)


def test_the_fast_reader_agrees_with_pydicom_on_real_files(shared_data):
    folders = ("covid_ct_md/P001", "lung_pet_ct_dx_A0002", "lidc_0003", "geometry_faults", "encodings", "enhanced_ct")
    paths = [path for name in folders for path in sorted((shared_data / name).rglob("*")) if path.is_file()]
    paths = [path for path in paths if path.suffix not in (".xml", ".md", ".csv")]
    fast_ones = 0
    for path in paths:
        fast, slow = _both(path)
        assert fast is None or fast == slow, path
        fast_ones += fast is not None
    assert fast_ones == len(paths) - 1, "all but big endian"


def test_pydicoms_own_files_are_read_alike_or_refused():
    """They hold wrong VRs, cut-off files, odd sequences and private encodings."""
    compared = 0
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        try:
            fast, slow = _both(path)
        except (DamagedError, NotDicomError):
            continue
        if fast is not None:
            compared += 1
            sets = [header.values.pop(SPECIFIC_CHARACTER_SET, b"") for header in (fast, slow)]  # pydicom strips it
            assert [part.strip() for part in sets[0].split(b"\\")] == sets[1].split(b"\\")
            assert (fast.values, fast.pixels, fast.syntax) == (slow.values, slow.pixels, slow.syntax), path
    assert compared > 50


def test_every_cut_is_noticed(written):
    """Whatever is cut off, a file either is refused or has no pixels: never half of them."""
    made = written(shape=(1, 8, 8), compress="jpeg_ls")
    plain = written("plain", shape=(1, 8, 8))
    for path in (made.paths[0], plain.paths[0]):
        data = path.read_bytes()
        for length in range(0, len(data) - 8, 5):  # the last 8 bytes may be a sequence delimiter
            path.write_bytes(data[:length])
            try:
                fast, slow = _both(path)
            except (DamagedError, NotDicomError):
                continue
            for header in (fast, slow):
                assert header is None or header.pixels is None or header.pixels.cut


def test_mutated_files_end_in_words_or_open(written, tmp_path):
    """Bytes changed at random in headers and pixels: an error of our own, or a volume; never anything else."""
    rng = random.Random(4711)
    sources = [written(str(c), shape=(1, 8, 8), compress=c).paths[0].read_bytes() for c in CODECS]
    target = tmp_path / "mutated" / "IM.dcm"
    target.parent.mkdir()
    opened = 0
    for number in range(300):
        data = bytearray(sources[number % len(sources)])
        for _ in range(rng.choice((1, 1, 3, 20))):
            data[rng.randrange(132 if number % 3 else 0, len(data))] = rng.randrange(256)
        target.write_bytes(data)
        try:
            (series,) = list(scan(target))[-1].value.series
            assert load_volume(series).stored.ndim == 3
            opened += 1
        except CtviewerError as error:
            assert str(error).endswith("."), error
    assert opened > 100, "most single bytes do no harm"


CODECS = (None, "jpeg_lossless", "jpeg_ls", "jpeg_2000")


def test_numbers():
    header = Header("", True, {1: b"1.5\\-2 ", 2: b"1\\x", 3: b"", 4: b"nan", 5: b"1e400", 6: b"12.0\0", 7: b"1.5"})
    assert header.numbers(1) == (1.5, -2.0)
    assert all(header.numbers(tag) == () for tag in (2, 3, 4, 5, 99))
    assert [Header("", True, {1: raw}).integer(1) for raw in (b"1e9", b"1e10", b"-1e300", b"0")] == [
        10**9,
        None,
        None,
        0,
    ]
    assert (header.integer(6), header.integer(7), header.number(7)) == (12, None, 1.5)


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (b"1e-" + b"9" * 400, 16),
        (b"1e-" + b"9" * 5000, 0),
        (b"1." + b"1" * 5000, 16),
        (b"1", 0),
        (b"1.25\\3", 2),
        (b"1.5e-3", 4),
        (b"1.5e2", 0),
        (b"-12.100 ", 3),
        (b"1ex", 0),
    ],
)
def test_decimal_places(raw, places):
    assert Header("", True, {1: raw}).decimals(1) == places


def test_big_endian_shorts():
    assert Header("", False, {1: b"\x02\x00"}).short(1) == 512
    assert Header("", True, {1: b"\x02"}).short(1) is None


def test_an_unreadable_stream_is_not_dicom():
    with pytest.raises(NotDicomError):
        read_slow(io.BytesIO(b"\x08\x00" + bytes(range(200))), 202)


def _deflated(path: Path, frames: int = 1, pad: int = 0) -> bytes:
    """The file with its data set deflated, its pixels repeated for each frame, and zeros behind them."""
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.PixelData * frames
    dataset.NumberOfFrames = frames
    plain = io.BytesIO()
    dataset.save_as(plain)
    head = 144 + dataset.file_meta.FileMetaInformationGroupLength
    meta = plain.getvalue()[:head].replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x16\x001.2.840.10008.1.2.1.99")
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(plain.getvalue()[head:]) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(pad))
    return meta + body + packer.flush()


def test_deflated_files_are_inflated_as_far_as_needed(written, volume_of):
    made = written(shape=(1, 8, 8))
    path = made.paths[0]
    plain = path.read_bytes()
    path.write_bytes(_deflated(path, pad=400))
    fast, slow = _both(path)
    assert fast == slow and fast.pixels.deflated
    tracemalloc.start()
    volume = volume_of(made.folder)
    assert tracemalloc.get_traced_memory()[1] < 20e6, "400 MB of zeros follow the pixels"
    tracemalloc.stop()
    assert np.array_equal(volume.stored, made.stored)
    path.write_bytes(plain)
    path.write_bytes(_deflated(path, frames=3))
    assert np.array_equal(volume_of(made.folder).stored, np.repeat(made.stored, 3, axis=0))


def test_a_cut_deflated_file_is_refused(written, volume_of):
    made = written(shape=(1, 64, 64))
    data = _deflated(made.paths[0])
    for length in (len(data) // 2, len(data) - 100):
        made.paths[0].write_bytes(data[:length])
        with pytest.raises(CtviewerError, match=made.paths[0].name):
            volume_of(made.folder)


def test_megabytes_of_zeros_are_no_header(written):
    """To pydicom they are a million empty elements, which take a minute to read."""
    path = written(shape=(1, 8, 8)).paths[0]
    data = path.read_bytes()
    broken = data[:400] + bytes(8 << 20)
    path.write_bytes(broken)
    with path.open("rb", buffering=0) as file, pytest.raises(DamagedError, match="malformed"):
        assert read_fast(file, len(broken)) is None
        read_slow(file, len(broken))


@pytest.mark.parametrize("what", [b"\x02\x00\x00\x01UI\0\0", b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4])
def test_a_header_made_to_be_endless_is_left_to_pydicom(monkeypatch, what):
    """Empty elements of the file meta, and empty items, by the hundred thousand."""
    monkeypatch.setattr(fast_header, "_MOST_BLOCKS", 10)
    more = what if what.startswith(b"\x02") else b"\xfe\xff\x00\xe0" + bytes(4)
    meta = b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
    data = bytes(128) + b"DICM" + meta + what + more * 100_000
    assert read_fast(io.BytesIO(data), len(data)) is None


def test_endless_empty_descriptions_of_frames_are_refused(monkeypatch):
    monkeypatch.setattr(functional_groups, "_MOST_ITEMS", 1000)
    data = (b"\xfe\xff\x00\xe0" + bytes(4)) * 2000
    with pytest.raises(DamagedError, match="more frames"):
        functional_groups.read_items(io.BytesIO(data), len(data), FRAME_GROUPS, 0, 0xFFFFFFFF, explicit=True)


def test_pixels_in_endless_empty_pieces_are_refused(monkeypatch):
    monkeypatch.setattr(fragments, "_MOST_FRAGMENTS", 1000)
    data = (b"\xfe\xff\x00\xe0" + bytes(4)) * 2000
    with pytest.raises(DamagedError, match="more pieces"):
        fragments.find_fragments(io.BytesIO(data), 0, len(data))
    assert len(fragments.find_fragments(io.BytesIO(data), 0, 8000).fragments) == 999
