"""ZIP archives: opened without unpacking, equal to the folder, and harmless whatever they hold."""

from __future__ import annotations

import os
import struct
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.errors import DecodeError, InputError, StorageError
from ctviewer.core.files import refuse_inside
from ctviewer.dicom import load_volume, scan, storage, unpacking
from ctviewer.dicom.archive import safe_parts


@pytest.fixture
def zipped(tmp_path):
    """Pack files into an archive, by the names they have below the folder."""

    def make(folder: Path, method: int = zipfile.ZIP_DEFLATED, name: str = "study.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
        return path

    return make


@pytest.fixture
def packed(tmp_path):
    """An archive of the given members, names as they are."""

    def make(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "packed.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return path

    return make


def _refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(scan(path))
    text = str(caught.value)
    assert text.endswith(".") and str(path) in text
    return text


def _names(path: Path) -> list[str]:
    """All files in an archive, by their names in it."""
    found: list[str] = []
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        for entry in storage.list_folder(folder):
            inner = folder / entry.name
            waiting += [inner] if entry.is_folder else []
            found += [inner.relative_to(path).as_posix()] if entry.is_file else []
    return sorted(found)


def _patch(path: Path, **fields: int) -> None:
    """Change fields of the first entry of the table of contents."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    for name, value in fields.items():
        place, kind = {
            "flags": (8, "<H"),
            "method": (10, "<H"),
            "packed": (20, "<I"),
            "size": (24, "<I"),
            "offset": (42, "<I"),
        }[name]
        struct.pack_into(kind, data, start + place, value)
    path.write_bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_opens_as_its_folder_does(written, zipped, catalog, method):
    made = written("CT/series 1")
    path = zipped(made.folder.parent.parent, method)
    found = catalog(path)
    (series,) = found.series
    assert found.root == path and found.notices == ()
    assert series.slices[0].path.parent == path / "CT" / "series 1"
    assert np.array_equal(load_volume(series).stored, made.stored)


@pytest.mark.parametrize("compress", ["jpeg_ls", "jpeg_lossless"])
def test_compressed_pixels_in_an_archive(written, zipped, only, compress):
    made = written(compress=compress)
    assert np.array_equal(load_volume(only(zipped(made.folder))).stored, made.stored)


def test_a_folder_and_a_file_in_an_archive_can_be_opened(written, zipped, catalog):
    one, two = written("a/one", series_number=1), written("a/two", series_number=2)
    path = zipped(one.folder.parent.parent)
    assert [series.number for series in catalog(path / "a").series] == [1, 2]
    assert [series.number for series in catalog(path / "a" / "two").series] == [2]
    found = catalog(path / "a" / "two" / two.paths[3].name)
    assert [series.number for series in found.series] == [2] and len(found.series[0].slices) == 7


def test_an_archive_of_any_name_is_one(written, zipped, only):
    made = written()
    assert len(only(zipped(made.folder, name="download")).slices) == 7


def test_nothing_is_written_beside_an_archive(written, zipped, only):
    path = zipped(written().folder)
    before = sorted(path.parent.rglob("*"))
    load_volume(only(path))
    assert sorted(path.parent.rglob("*")) == before


def test_an_archive_in_a_folder_is_told_of(written, zipped, catalog, notice_of):
    made = written()
    path = zipped(made.folder).rename(made.folder / "prior.zip")
    (made.folder / "older.tar.gz").write_bytes(b"x")
    found = catalog(made.folder)
    assert len(found.series[0].slices) == 7
    assert notice_of(found, "archives-not-opened").paths == (path,)
    assert "prior.zip" in notice_of(found, "archives-not-opened").text
    assert "older.tar.gz" in notice_of(found, "archives-not-readable").text


def test_a_folder_of_archives_alone_says_so(written, zipped):
    path = zipped(written().folder)
    folder = path.parent / "download"
    folder.mkdir()
    path.rename(folder / "a.zip")
    assert "1 ZIP archive is not looked into: a.zip" in _refusal(folder)


def test_an_archive_in_an_archive_is_not_followed(written, zipped, packed, catalog, notice_of):
    made = written()
    inner = zipped(made.folder).read_bytes()
    path = packed({"inner.zip": inner} | {file.name: file.read_bytes() for file in made.paths})
    found = catalog(path)
    assert len(found.series[0].slices) == 7 and notice_of(found, "archives-not-opened").paths == (path / "inner.zip",)
    assert "is not looked into: inner.zip" in _refusal(packed({"inner.zip": inner}))
    assert "does not exist" in _refusal(path / "inner.zip" / "IM0001.dcm")


def test_an_empty_archive(packed):
    assert "ZIP archive" in _refusal(packed({})) and "is empty" in _refusal(packed({}))


@pytest.mark.parametrize("cut", [10, 5000, -1, -30])
def test_a_cut_archive(written, zipped, cut):
    path = zipped(written().folder)
    path.write_bytes(path.read_bytes()[:cut])
    assert "damaged or incomplete ZIP archive" in _refusal(path)


def test_a_web_page_called_zip(tmp_path):
    path = tmp_path / "study.zip"
    path.write_text("<html>Sign in</html>")
    assert "is not a ZIP archive, or it is damaged" in _refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("where", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("size", [64, 256])
def test_a_damaged_member_costs_that_slice_only(written, zipped, catalog, method, where, size):
    """A byte that changed is found by the checksum, if the data can be unpacked at all: no wrong pixel is shown."""
    made = written(shape=(3, size, size))
    path = zipped(made.folder, method)
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[1]
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + int(where * info.compress_size)] ^= 0x40
    path.write_bytes(data)
    found = catalog(path)
    (series,) = found.series
    volume = load_volume(series)
    damaged = len(series.slices) == 2 or volume.failed.sum() == 1
    assert damaged
    for index, ref in enumerate(series.slices):
        if not volume.failed[index]:
            original = made.paths.index(made.folder / ref.path.name)
            assert np.array_equal(volume.stored[index], made.stored[original])


def test_members_under_lock(written, zipped, catalog, notice_of):
    path = zipped(written().folder)
    _patch(path, flags=1)
    found = catalog(path)
    assert "locked with a password" in notice_of(found, "unreadable-files").text
    assert len(found.series[0].slices) == 6


@pytest.mark.parametrize(("method", "word"), [(93, "Zstandard"), (9, "Deflate64"), (99, "method 99")])
def test_a_method_that_nobody_here_unpacks_is_named(written, zipped, method, word):
    made = written(shape=(1, 8, 8))
    path = zipped(made.folder)
    _patch(path, method=method)
    assert word in _refusal(path)


def test_a_bomb_of_one_member(packed):
    path = packed({"IM1": bytes(20_000_000)})
    assert "ZIP bomb" in _refusal(path)


def test_a_member_that_holds_more_than_is_announced_gives_no_more(packed):
    path = packed({"IM1": b"x" * 100_000})
    _patch(path, size=1000)
    with storage.open_file(path / "IM1") as (file, size):
        assert size == 1000
        with pytest.raises(OSError, match="damaged"):  # the checksum is that of all
            file.read()


def test_a_member_that_holds_less_than_is_announced_is_damaged(packed):
    path = packed({"IM1": b"x" * 1000})
    _patch(path, size=5000)
    with storage.open_file(path / "IM1") as (file, _), pytest.raises(OSError, match="packed data"):
        file.read()


def test_members_that_overlap(packed):
    path = packed({"a": os.urandom(5000), "b": os.urandom(5000)})
    _patch(path, packed=9000)
    assert "overlap" in _refusal(path)


def test_a_total_beyond_reason(packed, monkeypatch):
    monkeypatch.setattr("ctviewer.dicom.archive._SMALL_TOTAL", 1_000_000)
    path = packed({f"IM{number}": bytes(1_000_000) for number in range(5)})
    assert "more than 200 times its size" in _refusal(path)


def test_too_many_members(packed, monkeypatch):
    monkeypatch.setattr("ctviewer.dicom.archive._MOST_MEMBERS", 4)
    assert "more than 4 files" in _refusal(packed({f"IM{number}": b"" for number in range(5)}))


def test_a_table_of_contents_of_absurd_size(packed, monkeypatch):
    monkeypatch.setattr("ctviewer.dicom.archive._LARGEST_DIRECTORY", 100)
    assert "table of contents is larger" in _refusal(packed({f"IM{number}": b"" for number in range(5)}))


def test_a_member_elsewhere_than_the_archive_says(packed):
    path = packed({"IM1": b"x" * 100})
    _patch(path, offset=7)
    assert "damaged" in _refusal(path) or "not where the archive says" in _refusal(path)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("/etc/passwd", ("etc", "passwd")),
        ("../../../etc/passwd", ("etc", "passwd")),
        ("a/./b//../c", ("a", "b", "c")),
        ("..\\..\\a\\b", ("a", "b")),
        ("C:\\Windows\\system.ini", ("Windows", "system.ini")),
        ("//server/share/x", ("server", "share", "x")),
        ("ab:c|d?", ("ab_c_d_",)),
        ("a\x00b\x1b[31m\nc", ("a_b_[31m_c",)),
        ("\u202egnp.exe", ("_gnp.exe",)),
        ("\udcff", ("_",)),
        ("...", ()),
        ("", ()),
        ("Müller 山田.dcm", ("Müller 山田.dcm",)),
    ],
)
def test_names_are_cleaned(name, parts):
    assert safe_parts(name) == parts


def test_a_name_of_absurd_length_or_depth_stays_a_path():
    assert len(safe_parts("x" * 60_000)[0]) < 255
    assert len("/".join(safe_parts("deep/" * 12_000))) < 2000


def test_hostile_names_are_read_where_they_are_and_lead_nowhere(written, packed, catalog, tmp_path):
    made = written()
    names = ["../../IM1", "/IM2", "C:\\IM3", "a\nb", "IM5", "x" * 40_000, "./././IM7"]
    path = packed({name: file.read_bytes() for name, file in zip(names, made.paths, strict=True)})
    before = sorted(tmp_path.rglob("*"))
    (series,) = catalog(path).series
    assert all(ref.path.is_relative_to(path) and ".." not in ref.path.parts for ref in series.slices)
    assert np.array_equal(load_volume(series).stored, made.stored)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # zipfile's, of what is wanted here
def test_members_of_one_name_are_all_read(written, tmp_path, catalog):
    made = written()
    path = tmp_path / "same.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in made.paths:
            archive.write(file, "IM.dcm")
    assert np.array_equal(load_volume(catalog(path).series[0]).stored, made.stored)
    assert _names(path)[:2] == ["IM (2).dcm", "IM (3).dcm"]


def test_a_name_that_is_a_file_and_a_folder(packed):
    assert _names(packed({"a": b"1", "a/b": b"2"})) == ["a (2)", "a/b"]


def test_links_are_left_out(tmp_path):
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("IM1", b"x")
    assert _names(path) == ["IM1"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("Jürgen".encode(), "Jürgen"), ("J\x81rgen".encode("latin-1"), "Jürgen"), ("山田".encode(), "山田")],
    ids=["utf-8 unstated", "cp437", "cjk"],
)
def test_names_in_encodings_that_are_not_stated(packed, raw, shown):
    path = packed({"n" * len(raw): b"x"})
    path.write_bytes(path.read_bytes().replace(b"n" * len(raw), raw))
    assert _names(path) == [shown]


def test_the_unicode_name_of_info_zip(tmp_path):
    import zlib

    path = tmp_path / "named.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("IM1")
        name = b"\x01" + struct.pack("<I", zlib.crc32(b"IM1")) + "Übersicht".encode()
        info.extra = struct.pack("<HH", 0x7075, len(name)) + name
        archive.writestr(info, b"x")
    assert _names(path) == ["Übersicht"]


def test_a_zip64_archive(tmp_path):
    path = tmp_path / "large.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("IM1", "w", force_zip64=True) as file,
    ):
        file.write(b"abc" * 1000)
    with storage.open_file(path / "IM1") as (file, size):
        assert (size, file.read()) == (3000, b"abc" * 1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_a_member_is_read_at_any_place_by_several_threads(packed, method, size):
    data = os.urandom(size)
    path = packed({"a/IM1": data}, method)
    wrong: list[object] = []

    def read(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(10):
            with storage.open_file(path / "a" / "IM1") as (file, stated):
                at, count = (int(random.integers(0, size + 10)) for _ in range(2))
                file.seek(at)
                if (
                    stated != size
                    or file.read(count) != data[at : at + count]
                    or file.tell() != min(at + count, max(at, size))
                ):
                    wrong.append((at, count))

    with storage.keeping():
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_large_member_is_unpacked_once_while_it_is_kept(packed, monkeypatch):
    data = os.urandom(2_500_000)
    path = packed({"IM1": data})
    read: list[int] = []
    original = unpacking.Unpacked._more
    monkeypatch.setattr(
        unpacking.Unpacked, "_more", lambda self, size: read.append(len(data := original(self, size))) or data
    )
    with storage.keeping():
        for start in range(0, 2_500_000, 250_000):
            with storage.open_file(path / "IM1") as (file, _):
                file.seek(start)
                assert file.read(1000) == data[start : start + 1000]
    assert 2_250_000 < sum(read) <= len(data)


def test_a_header_costs_only_the_beginning_of_a_member(packed, monkeypatch):
    path = packed({"IM1": os.urandom(2_500_000)})
    read: list[int] = []
    original = unpacking.Unpacked._more
    monkeypatch.setattr(
        unpacking.Unpacked, "_more", lambda self, size: read.append(len(data := original(self, size))) or data
    )
    with storage.open_file(path / "IM1") as (file, _):
        file.read(16384)
    assert sum(read) == 16384


def test_what_is_large_goes_to_a_file_without_a_name(packed, monkeypatch, tmp_path):
    monkeypatch.setattr(unpacking, "_IN_MEMORY", 100_000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    data = os.urandom(2_000_000)
    path = packed({"IM1": data})
    with storage.keeping(), storage.open_file(path / "IM1") as (file, _):
        assert file.read() == data
        assert os.name == "nt" or not list((tmp_path / "temporary").iterdir())


def test_a_temporary_file_that_cannot_be_made_is_an_error_of_the_system(packed, monkeypatch, tmp_path):
    monkeypatch.setattr(unpacking, "_IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    path = packed({"IM1": os.urandom(100_000)})
    with storage.open_file(path / "IM1") as (file, _), pytest.raises(FileNotFoundError):
        file.read()


def test_an_archive_that_is_replaced_is_read_anew(packed):
    path = packed({"IM1": b"old"})
    assert _names(path) == ["IM1"]
    path.unlink()
    assert _names(packed({"IM2": b"new one"})) == ["IM2"]
    with pytest.raises(FileNotFoundError), storage.open_file(path / "IM1"):
        pass


def test_an_archive_that_goes_away_after_the_scan(written, zipped, only):
    path = zipped(written().folder)
    series = only(path)
    path.unlink()
    with pytest.raises(DecodeError, match="could not be read"):
        load_volume(series)


def test_writing_is_refused_in_an_archive_only(written, zipped):
    path = zipped(written().folder)
    for opened in (path, path / "a" / "b"):
        with pytest.raises(StorageError, match="inside the opened archive"):
            refuse_inside(path, opened)
        with pytest.raises(StorageError):
            refuse_inside(path / "report.pdf", opened)
        refuse_inside(path.parent / "report.pdf", opened)


def test_ordinary_files_are_opened_without_a_look_for_archives(written, only, monkeypatch):
    made = written()
    series = only(made.folder)
    monkeypatch.setattr(storage, "_inside", None)
    assert np.array_equal(load_volume(series).stored, made.stored)


@pytest.mark.parametrize("name", ["enhanced_ct", "encodings", "geometry_faults", "lung_pet_ct_dx_A0002"])
def test_real_data_in_an_archive_are_equal(shared_data, zipped, catalog, name):
    folder = shared_data / name
    path = zipped(folder)
    plain, packed = catalog(folder), catalog(path)
    assert [notice.text for notice in plain.notices] == [notice.text for notice in packed.notices]
    for one, other in zip(plain.series, packed.series, strict=True):
        assert [path / ref.path.relative_to(folder) for ref in one.slices] == [ref.path for ref in other.slices]
        assert [notice.text for notice in one.notices] == [notice.text for notice in other.notices]
        assert (one.readable, one.reason) == (other.readable, other.reason)
        if one.readable:
            assert np.array_equal(load_volume(one).stored, load_volume(other).stored)


def test_a_damaged_member_without_preamble_is_told(written, zipped, catalog, notice_of):
    made = written(shape=(3, 64, 64))
    for file in made.paths:
        file.write_bytes(file.read_bytes()[132:])
    path = zipped(made.folder)
    data = bytearray(path.read_bytes())
    data[200:230] = bytes(30)
    path.write_bytes(data)
    found = catalog(path)
    assert len(found.series[0].slices) == 2
    assert "packed data" in notice_of(found, "unreadable-files").text
