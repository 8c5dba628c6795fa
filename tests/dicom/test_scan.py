from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Progress
from ctviewer.dicom import SeriesFound, files, load_volume, scan
from ctviewer.dicom.reading import read_header


def _refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        list(scan(path))
    text = str(caught.value)
    assert text.endswith(".") and str(path) in text and "Traceback" not in text
    return text


def test_missing_path(tmp_path):
    assert "does not exist" in _refusal(tmp_path / "nothing")


def test_impossible_name(tmp_path):
    assert "does not exist" in _refusal(tmp_path / ("x" * 5000))


def test_empty_folder(tmp_path):
    assert "is empty" in _refusal(tmp_path)


def test_folder_without_dicom(tmp_path):
    (tmp_path / "notes.txt").write_text("DICM")
    (tmp_path / "data").write_bytes(os.urandom(5000))
    (tmp_path / "empty").touch()
    assert "holds no DICOM files" in _refusal(tmp_path)


def test_a_file_that_is_no_dicom(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert "is not a DICOM file" in _refusal(path)


def test_only_damaged_files(written):
    made = written()
    for path in made.paths:
        path.write_bytes(path.read_bytes()[:500])
    assert "ends in the middle of the header" in _refusal(made.folder)
    assert "ends in the middle of the header" in _refusal(made.paths[0])


def test_only_objects_without_images(written, edit):
    made = written()
    edit(made.paths, PixelData=None, Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67")
    assert "structured report" in _refusal(made.folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such special files")
def test_a_special_file_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in _refusal(tmp_path / "pipe")
    assert "no DICOM" in _refusal(tmp_path)


def test_progress_series_and_catalog(written):
    made = written(shape=(60, 4, 4))
    events = list(scan(made.folder))
    progress = [event for event in events if isinstance(event, Progress) and event.stage == "Reading headers"]
    assert [p.done for p in progress if p.done % 25 == 0] == [0, 25, 50] and progress[-1].done == 60
    assert {p.total for p in progress} == {60}
    (found,) = [event.series for event in events if isinstance(event, SeriesFound)]
    assert isinstance(events[-1], Done)
    assert events[-1].value.series == (found,) and events[-1].value.root == made.folder


@pytest.mark.parametrize(
    ("cut", "words"),
    [(401, "middle of the header"), (-10, "middle of the pixels"), (0, "it is empty")],
)
@pytest.mark.parametrize("compress", [None, "jpeg_lossless"])
def test_truncated_file_among_good_ones(written, catalog, notice_of, cut, words, compress):
    made = written(compress=compress)
    made.paths[3].write_bytes(made.paths[3].read_bytes()[:cut])
    found = catalog(made.folder)
    notice = notice_of(found, "unreadable-files")
    assert notice.paths == (made.paths[3],) and words in notice.text and made.paths[3].name in notice.text
    (series,) = found.series
    assert np.array_equal(load_volume(series).stored, np.delete(made.stored, 3, axis=0))
    assert notice_of(series, "missing-slices").slices == (2, 3)


def test_a_file_opens_its_own_series_only(written, catalog):
    made = written("one", series_number=1)
    other = written("two", series_number=2)
    for path in other.paths:
        shutil.move(path, made.folder / f"other{path.name}")
    found = catalog(made.paths[0])
    (series,) = found.series
    assert (series.number, len(series.slices)) == (1, 7)


def test_a_file_of_any_name_can_be_opened(written, catalog):
    made = written(shape=(1, 8, 8))
    path = made.paths[0].rename(made.folder / ".hidden.txt")
    assert len(catalog(path).series[0].slices) == 1


def test_files_whose_names_mislead_are_looked_at_where_there_are_no_others(written, catalog):
    made = written()
    for path in made.paths:
        path.rename(path.with_suffix(".txt"))
    (made.folder / "notes.txt").write_text("no DICOM")
    found = catalog(made.folder)
    assert len(found.series[0].slices) == 7 and found.notices == ()


def test_hidden_and_foreign_files_are_passed_over(written, catalog):
    made = written()
    (made.folder / ".git").mkdir()
    for name in (".git/IM.dcm", "._IM0001.dcm", "picture.png", "labels.csv"):
        shutil.copy(made.paths[0], made.folder / name)
    (made.folder / "dicomdir").write_bytes(b"junk")
    (made.folder / "raw").write_bytes(bytes(range(256)) * 10)
    found = catalog(made.folder)
    assert len(found.series[0].slices) == 7 and found.notices == ()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_loop_of_links_ends(written, catalog):
    made = written()
    (made.folder / "again").symlink_to(made.folder, target_is_directory=True)
    (made.folder / "first").symlink_to("second")
    (made.folder / "second").symlink_to("first")
    assert len(catalog(made.folder).series[0].slices) == 7


def test_a_folder_that_goes_away_while_it_is_looked_through(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()

    def vanish(folder, unlisted, **named):
        if gone.exists():
            gone.rmdir()
        yield []

    monkeypatch.setattr(files, "walk", vanish)
    assert f"{gone} could not be read" in _refusal(gone)


@pytest.mark.parametrize("explicit", [True, False])
def test_files_without_preamble_or_file_meta(written, catalog, explicit):
    made = written()
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        with path.with_suffix("").open("wb") as file:
            pydicom.dcmwrite(file, dataset, implicit_vr=not explicit, little_endian=True)
        path.unlink()
    (series,) = catalog(made.folder).series
    assert np.array_equal(load_volume(series).stored, made.stored)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of the lie
def test_file_meta_that_lies_about_the_encoding(written, catalog):
    made = written()
    for path in made.paths:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1))
    (series,) = catalog(made.folder).series
    assert np.array_equal(load_volume(series).stored, made.stored)


def test_secondary_captures_and_colour_are_listed_with_a_reason(written, edit, catalog):
    made = written(series_number=1)
    capture = written("sc", shape=(2, 8, 8), series_number=2)
    edit(capture.paths, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    colour = written("rgb", shape=(1, 8, 8), series_number=3)

    def paint(dataset, index):
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.PixelData = bytes(8 * 8 * 3)

    edit(colour.paths, paint)
    found = catalog(made.folder.parent)
    assert [series.number for series in found.series] == [1, 2, 3] or [s.number for s in found.series] == [1, 3, 2]
    assert found.series[0].readable and not found.series[1].readable and not found.series[2].readable
    reasons = {series.number: series.reason for series in found.series}
    assert "Secondary captures" in reasons[2] and "Colour images" in reasons[3]


def test_an_unknown_transfer_syntax_is_named(written, tmp_path):
    made = written(compress="jpeg_ls")
    for path in made.paths:
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.66"))
    assert "JPEG Lossless, Hierarchical" in _refusal(made.folder) or "1.2.840.10008.1.2.4.66" in _refusal(made.folder)


def test_facts_of_the_series(written, only):
    made = written(
        patient_name="Müller^Jürgen=山田^太郎",
        patient_id="P-1",
        accession="A1",
        study_description="Thorax",
        description="Lung 1.0",
        kernel="B70f",
        thickness=1.25,
        kvp=110,
        manufacturer="ACME",
        model_name="One",
        series_number=12,
        sex="F",
        birth_date="19700102",
        date="20250102",
        time="101112",
        study_uid="1.2.3.4",
    )
    series = only(made.folder)
    assert (series.patient.name, series.patient.patient_id) == ("Müller^Jürgen=山田^太郎", "P-1")
    assert (series.patient.sex, series.patient.birth_date) == ("F", "19700102")
    study = series.study
    assert (study.uid, study.date, study.time, study.accession) == ("1.2.3.4", "20250102", "101112", "A1")
    assert (study.description, series.description, series.number) == ("Thorax", "Lung 1.0", 12)
    assert (series.kernel, series.thickness, series.kvp) == ("B70f", 1.25, 110)
    assert (series.manufacturer, series.model_name, series.body_part) == ("ACME", "One", "CHEST")
    assert series.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert (series.rows, series.columns, series.pixel_spacing) == (12, 16, (0.8, 0.8))
    assert series.transfer_syntax == "Explicit VR Little Endian"
    assert all(ref.sop_instance_uid for ref in series.slices)


def test_nothing_is_written_into_the_folder(written, only):
    made = written()
    before = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")}
    load_volume(only(made.folder))
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")} == before


def test_a_file_cut_off_between_two_elements_is_damaged(written, catalog, notice_of):
    made = written()
    data = made.paths[2].read_bytes()
    made.paths[2].write_bytes(data[: data.rindex(b"\xe0\x7f\x10\x00")])
    assert "it has no pixels" in notice_of(catalog(made.folder), "unreadable-files").text


def test_a_dicomdir_opens_its_folder(written, catalog):
    made = written()
    (made.folder / "DICOMDIR").write_bytes(b"junk")
    assert len(catalog(made.folder / "DICOMDIR").series[0].slices) == 7


def test_a_pixel_format_that_contradicts_itself(written, edit):
    made = written()
    edit(made.paths, BitsStored=12, HighBit=3)
    assert "contradict themselves" in _refusal(made.folder)


def test_more_bits_than_sixteen(written, edit):
    made = written()

    def widen(dataset, index):
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
        dataset.PixelData = bytes(4 * 12 * 16)

    edit(made.paths, widen)
    assert "32 bits per pixel" in _refusal(made.folder)


def test_ten_files_cost_ten_headers(written, monkeypatch):
    """No file is parsed twice."""
    made = written(shape=(10, 6, 6))
    read: list[Path] = []
    original = read_header
    monkeypatch.setattr("ctviewer.dicom.reading.read_header", lambda path: (read.append(path), original(path))[1])
    list(scan(made.folder))
    assert sorted(read) == sorted(made.paths)
