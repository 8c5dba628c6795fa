"""DICOMDIR: what it refers to is opened, below its own folder only; wrong ones are told and do no harm."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from ctviewer.core.errors import InputError
from ctviewer.dicom import load_volume, scan

pytestmark = pytest.mark.filterwarnings(
    "ignore:Invalid value for VR:UserWarning"
)  # pydicom's, of names that discs do hold
DISC = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"


@pytest.fixture
def dicomdir():
    """Write a DICOMDIR that lists file ids, records flat or as given."""

    def make(path: Path, references, **attributes) -> Path:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.FileSetID = "TEST"
        records = []
        for reference in references:
            record = Dataset()
            record.OffsetOfTheNextDirectoryRecord = 1  # leads into the preamble, as a circle of all of them
            record.RecordInUseFlag = 0xFFFF
            record.OffsetOfReferencedLowerLevelDirectoryEntity = 1
            record.DirectoryRecordType = "IMAGE"
            if reference is not None:
                record.ReferencedFileID = reference
            for keyword, value in attributes.items():
                setattr(record, keyword, value)
            records.append(record)
        dataset.DirectoryRecordSequence = Sequence(records)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    return make


def _files(catalog) -> set[Path]:
    return {ref.path for series in catalog.series for ref in series.slices}


def _codes(catalog) -> list[str]:
    return [notice.code for notice in catalog.notices]


# What each of pydicom's own lists: 31 files in three folders, all there; the one without records leads nowhere.
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("DICOMDIR", []),
        ("DICOMDIR-bigEnd", []),
        ("DICOMDIR-implicit", []),
        ("DICOMDIR-nooffset", []),
        ("DICOMDIR-nopatient", []),
        ("DICOMDIR-reordered", []),
        ("DICOMDIR-empty.dcm", ["directory-not-used"]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_directories_of_pydicom(catalog, tmp_path, name, told, packed):
    root = DISC
    if packed:
        root = tmp_path / "disc.zip"
        with zipfile.ZipFile(root, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in DISC.rglob("*"):
                archive.write(file, file.relative_to(DISC))
    found = catalog(root / name)
    expected = {
        root / file.relative_to(DISC)
        for folder in ("77654033", "98892001", "98892003")
        for file in (DISC / folder).rglob("*")
        if file.is_file()
    }
    assert found.root == root and _codes(found)[: len(told)] == told
    if told:
        assert expected == _files(found) and "50 files could not be read" in found.notices[1].text  # TINY_ALPHA
    else:
        assert _files(found) == expected and _codes(found) == []
    kinds = [series.modality for series in found.series]
    assert kinds.count("CT") == 4 and "MR" in kinds and kinds.count("CR") == 3


def test_a_directory_of_files_without_pixels_is_refused():
    with pytest.raises(
        InputError, match=r"TINY_ALPHA/DICOMDIR can be opened: IM000000, for instance: it has no pixels\."
    ):
        list(scan(DISC / "TINY_ALPHA" / "DICOMDIR"))


def test_the_folder_of_a_directory_is_scanned_whole(catalog, notice_of):
    found = catalog(DISC)
    assert len(_files(found)) == 31 and len(notice_of(found, "unreadable-files").paths) == 50


def test_only_what_is_listed_is_opened(written, catalog, dicomdir):
    made = written("A/B")
    path = dicomdir(made.folder.parent.parent / "DICOMDIR", [["A", "B", file.name] for file in made.paths[:4]])
    found = catalog(path)
    assert _files(found) == set(made.paths[:4]) and _codes(found) == []


@pytest.mark.parametrize(
    "spell",
    [
        str.lower,
        str.upper,
        lambda name: f"{name};1",
        lambda name: f"{name.upper()}.;1" if "." not in name else f"{name};1",
    ],
)
def test_names_are_found_in_another_spelling(written, catalog, dicomdir, spell):
    made = written("Disc/Series")
    for file in made.paths[::2]:
        file.rename(file.with_name(spell(file.name)))
    references = [["DISC", "SERIES", file.name.upper()] for file in made.paths]
    path = dicomdir(made.folder.parent.parent / "dicomdir", references)
    assert np.array_equal(load_volume(catalog(path).series[0]).stored, made.stored)


def test_missing_files_are_told(written, catalog, dicomdir, notice_of):
    made = written("A")
    references = [["A", file.name] for file in sorted(made.paths)]
    path = dicomdir(made.folder.parent / "DICOMDIR", references)
    sorted(made.paths)[1].unlink()
    made.paths[0].unlink()
    found = catalog(path)
    text = notice_of(found, "referenced-files-missing").text
    assert text == "2 of 7 files that the DICOMDIR lists are missing: A/IM0002.dcm and 1 more."
    assert len(_files(found)) == 5


@pytest.mark.parametrize(
    "reference",
    [
        ["..", "outside", "IM1"],
        ["..\0", "IM1"],
        "../outside/IM1",
        ["/etc/passwd"],
        ["C:", "IM1"],
        ["A", "..", "..", "outside", "IM1"],
        ["."] * 50,
    ],
    ids=str,
)
def test_references_never_lead_out(written, catalog, dicomdir, notice_of, reference):
    made = written("A")
    outside = made.folder.parent.parent / "outside"
    outside.mkdir()
    shutil.copy(made.paths[0], outside / "IM1")
    path = dicomdir(made.folder.parent / "DICOMDIR", [reference, ["A", made.paths[0].name]])
    found = catalog(path)
    assert _files(found) == {made.paths[0]}
    assert _codes(found) in (["references-outside"], ["referenced-files-missing"])
    assert found.notices[0].text.count("IM1") <= 1


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ([["GONE", "IM1"], ["GONE", "IM2"]], "lists 2 files, none of which is here"),
        ([["..", "IM1"]], "lists 1 file, none of which is here"),
        ([None], "lists no files"),
        ([], "lists no files"),
    ],
)
def test_a_directory_that_leads_nowhere_opens_its_folder(written, catalog, dicomdir, notice_of, references, words):
    made = written()
    path = dicomdir(made.folder / "DICOMDIR", references)
    found = catalog(path)
    assert _files(found) == set(made.paths)
    text = notice_of(found, "directory-not-used").text
    assert words in text and "all files of its folder were looked at" in text


def test_a_directory_alone_says_what_is_missing(tmp_path, dicomdir):
    path = dicomdir(tmp_path / "DICOMDIR", [["GONE", "IM1"]])
    with pytest.raises(InputError, match=r"holds no DICOM files\. The DICOMDIR lists 1 file, none of which is here"):
        list(scan(path))


def test_records_out_of_use_are_passed_over(written, catalog, dicomdir):
    made = written()
    path = dicomdir(made.folder / "DICOMDIR", [[made.paths[0].name]], RecordInUseFlag=0)
    assert _files(catalog(path)) == set(made.paths)


def test_a_file_listed_twice_is_read_once(written, catalog, dicomdir):
    made = written()
    path = dicomdir(made.folder / "DICOMDIR", [[made.paths[0].name], [made.paths[0].name.lower()]])
    assert _codes(catalog(path)) == [] and len(_files(catalog(path))) == 1


def test_a_directory_of_any_name_is_one(written, catalog, dicomdir):
    made = written()
    path = dicomdir(made.folder / "index.dcm", [[file.name] for file in made.paths[:3]])
    assert _files(catalog(path)) == set(made.paths[:3])


@pytest.mark.parametrize("damage", ["cut", "noise", "text", "empty", "no end"])
def test_a_damaged_directory_opens_its_folder(written, catalog, dicomdir, notice_of, damage):
    made = written("A")
    path = dicomdir(made.folder.parent / "DICOMDIR", [["A", file.name] for file in made.paths])
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(
        {
            "cut": data[:half],
            "noise": data[:half] + np.random.default_rng(0).bytes(half),
            "text": b"table of contents",
            "empty": b"",
            "no end": data[:half] + b"\x08\x00\x16\x00UI\xff\xff" + data[half:],
        }[damage]
    )
    found = catalog(path)
    assert _files(found) == set(made.paths)
    assert "all files of its folder were looked at" in notice_of(found, "directory-not-used").text


def test_a_directory_of_many_records_reports_while_it_is_read(written, dicomdir):
    made = written()
    path = dicomdir(made.folder / "DICOMDIR", [["A", f"IM{number}"] for number in range(500)])
    counts = [event.done for event in scan(path) if getattr(event, "stage", "") == "Reading the DICOMDIR"]
    assert len(counts) >= 10 and counts == sorted(counts)
