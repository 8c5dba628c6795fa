"""Folders as they come: odd names, special files, no rights, files that go away, things that are no CT."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ctviewer.core.errors import InputError
from ctviewer.core.events import Progress
from ctviewer.dicom import load_volume, scan, scanning, storage

posix = pytest.mark.skipif(os.name == "nt", reason="a thing of Unix")
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")


@posix
def test_special_files_are_passed_over(written, catalog, monkeypatch):
    made = written()
    os.mkfifo(made.folder / "pipe")
    (made.folder / "device").symlink_to("/dev/zero")
    monkeypatch.chdir(made.folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        found = catalog(made.folder)
        for name in ("pipe", "device", "socket"):
            with pytest.raises(InputError, match="neither a file nor a folder"):
                list(scan(made.folder / name))
    assert len(found.series[0].slices) == 7 and found.notices == ()


@linux
def test_names_that_are_no_text_are_opened_and_shown_safely(written, catalog, notice_of):
    made = written()
    folder = made.folder.rename(Path(os.fsdecode(os.fsencode(made.folder.parent) + b"/J\xfcrgen\x1b[31m")))
    for index, name in enumerate((b"\xff\xfe.dcm", b"line\nbreak", "\u202eevil".encode())):
        (folder / f"IM000{index + 1}.dcm").rename(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)))
    damaged = Path(os.fsdecode(os.fsencode(folder) + b"/\xe4\x07.dcm"))
    damaged.write_bytes(b"no")
    found = catalog(folder)
    assert np.array_equal(load_volume(found.series[0]).stored, made.stored)
    text = notice_of(found, "unreadable-files").text
    assert text.isprintable() and text.encode()
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(InputError) as caught:
        list(scan(folder))
    assert str(caught.value).isprintable() and str(caught.value).encode()


def test_long_names_and_deep_folders(written, only):
    made = written()
    folder = made.folder
    for depth in range(20):
        folder = folder / f"{depth:02d}{'d' * 20}"
    folder.mkdir(parents=True)
    for number, file in enumerate(made.paths):
        file.rename(folder / f"{number}{'n' * 200}")
    assert np.array_equal(load_volume(only(made.folder)).stored, made.stored)


def test_names_without_endings_and_with_odd_ones(written, only):
    made = written()
    for number, file in enumerate(made.paths):
        file.rename(file.with_name(["I1", "I.1", "1.2.840.5", "a.dcm.bak", "IM.DCM", "img.IMA", "x y.0001"][number]))
    assert np.array_equal(load_volume(only(made.folder)).stored, made.stored)


def test_a_folder_without_rights_is_told(written, catalog, notice_of, monkeypatch):
    """The tests may run as root, whom no right stops: the system's answer is made up."""
    made = written("study/one")
    closed = written("study/two").folder
    original = storage.os.scandir

    def scandir(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(storage.os, "scandir", scandir)
    found = catalog(made.folder.parent)
    assert len(found.series[0].slices) == 7
    assert notice_of(found, "unlisted-folders").text == "1 folder could not be looked into: two (Permission denied)."
    with pytest.raises(InputError, match="could not be read: Permission denied"):
        list(scan(closed))


def test_files_that_go_away_while_they_are_read(written, catalog, notice_of, monkeypatch):
    made = written()
    original = scanning.read_slices

    def read(path):
        if path.name == "IM0003.dcm":
            path.unlink()
        return original(path)

    monkeypatch.setattr(scanning, "read_slices", read)
    found = catalog(made.folder)
    assert len(found.series[0].slices) == 6
    assert "No such file" in notice_of(found, "unreadable-files").text


def test_a_file_without_rights_is_told(written, catalog, notice_of, monkeypatch):
    made = written()
    original = Path.open

    def deny(self, *arguments, **named):
        if self.name == "IM0003.dcm":
            raise PermissionError(13, "Permission denied")
        return original(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", deny)
    assert "Permission denied" in notice_of(catalog(made.folder), "unreadable-files").text


@posix
def test_links_to_files_and_folders_are_followed_once(written, only, tmp_path):
    made = written()
    opened = tmp_path / "links"
    (opened / "deep").mkdir(parents=True)
    (opened / "a").symlink_to(made.folder, target_is_directory=True)
    (opened / "b").symlink_to(made.folder, target_is_directory=True)
    (opened / "deep" / "up").symlink_to(opened, target_is_directory=True)
    (opened / "gone").symlink_to(tmp_path / "nowhere")
    assert np.array_equal(load_volume(only(opened)).stored, made.stored)


def test_a_large_folder_reports_while_it_is_listed(written, monkeypatch):
    made = written(shape=(30, 4, 4))
    clock = iter(np.arange(0, 1000, 0.02))
    monkeypatch.setattr("ctviewer.dicom.files.time.monotonic", lambda: float(next(clock)))  # a slow network
    stages = [event.stage for event in scan(made.folder) if isinstance(event, Progress)]
    assert stages.count("Looking for files") >= 5


def test_a_scan_stops_at_once_while_a_large_series_is_put_together(written, monkeypatch):
    made = written(shape=(30, 4, 4))
    monkeypatch.setattr(scanning, "_QUICK", 10)
    steps = scan(made.folder)
    assert [event for event in steps if isinstance(event, Progress)]
    original = scanning.assemble
    monkeypatch.setattr(scanning, "assemble", lambda *given: (scanning.time.sleep(0.2), original(*given))[1])
    steps = scan(made.folder)
    assert any(getattr(event, "stage", "") == "Putting the slices in order" for event in steps)
    steps.close()


def test_large_series_are_the_same_as_small_ones(written, catalog, monkeypatch):
    made = written()
    expected = catalog(made.folder)
    monkeypatch.setattr(scanning, "_QUICK", 0)
    assert catalog(made.folder) == expected


# What lies beside a CT: SOP class, modality, has pixels, words of the reason.
BESIDE = {
    "rtstruct": ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", False, "Contours"),
    "seg": ("1.2.840.10008.5.1.4.1.1.66.4", "SEG", True, "Segmentations"),
    "sr": ("1.2.840.10008.5.1.4.1.1.88.33", "SR", False, "structured report"),
    "pr": ("1.2.840.10008.5.1.4.1.1.11.1", "PR", False, "presentation state"),
    "ko": ("1.2.840.10008.5.1.4.1.1.88.59", "KO", False, "key objects"),
    "pdf": ("1.2.840.10008.5.1.4.1.1.104.1", "DOC", False, "encapsulated document"),
    "sc": ("1.2.840.10008.5.1.4.1.1.7", "CT", True, "Secondary captures"),
    "dose": ("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", True, "Dose"),
    "plan": ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", False, "plan"),
    "reg": ("1.2.840.10008.5.1.4.1.1.66.1", "REG", False, "registration"),
    "raw": ("1.2.840.10008.5.1.4.1.1.66", "OT", False, "no pixels"),
}


def _object(path: Path, sop_class: str, modality: str, pixels: bool) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.Modality = generate_uid(), "1.2.3", modality
    if pixels:
        dataset.Rows = dataset.Columns = 8
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.PixelData = bytes(64)
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("kind", BESIDE)
def test_what_lies_beside_a_ct_is_listed_and_left_alone(written, catalog, kind):
    made = written()
    sop_class, modality, pixels, words = BESIDE[kind]
    _object(made.folder / "AAA", sop_class, modality, pixels)
    first, other = catalog(made.folder).series
    assert first.readable and first.modality == "CT" and len(first.slices) == 7
    assert not other.readable and words in other.reason
    with pytest.raises(InputError) as caught:
        list(scan(made.folder / "AAA"))
    assert words in str(caught.value)


def test_mr_is_opened_by_a_click_only(written, catalog):
    made = written("ct", shape=(3, 8, 8), series_number=2)
    written("mr", shape=(9, 8, 8), series_number=1, modality="MR")
    first, other = catalog(made.folder.parent).series
    assert (first.modality, other.modality, other.readable) == ("CT", "MR", True)


def test_a_file_of_a_folder_of_folders(written, catalog):
    made = written()
    shutil.copytree(made.folder, made.folder / "copy")
    assert len(catalog(made.paths[0]).series[0].slices) == 7
