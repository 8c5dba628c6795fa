"""From strokes in the work store to a training set that training reads: the labels arrive on the pixels they were drawn on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.app.cli import BAD_INPUT, main
from ctviewer.app.folders import data_folder
from ctviewer.app.training_set import WrittenSet, look_at_marked, write_marked
from ctviewer.core import editing
from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Done
from ctviewer.core.geometry import Geometry
from ctviewer.core.label import StudyLabel, patient_digest
from ctviewer.core.reading import Reading
from ctviewer.datasets.slices.opening import open_slice_source
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series
from ctviewer.library import WorkStore

SHAPE = (5, 24, 20)


def study(folder: Path, patient: str):
    """A series on disk, and an empty reading of it."""
    stored = np.random.default_rng(len(patient)).integers(-1000, 200, SHAPE).astype(np.int16)
    origins = np.stack([np.zeros(5), np.zeros(5), 2.5 * np.arange(5)], 1)
    geometry = Geometry(SHAPE, origins, pixel_spacing=(0.7, 0.7))
    attributes = SeriesAttributes(patient_name=f"Name^{patient}", patient_id=patient)
    write_ct_series(folder, stored, geometry=geometry, attributes=attributes)
    *_, done = scan(folder)
    volume = load_volume(done.value.series[0])
    digests = tuple(volume.slice_digest(i) for i in range(5))
    reading = Reading.of(volume.series, digests)
    reading = replace(reading, place=folder, patient=patient_digest(volume.series), image_size=SHAPE[1:])
    return volume, reading


def stroke(top: int, left: int) -> np.ndarray:
    mask = np.zeros(SHAPE[1:], bool)
    mask[top : top + 6, left : left + 5] = True
    return mask


@pytest.fixture
def opened(tmp_path):
    """A study with a drawn finding on slice 1, reviewed completely on slices 1 and 3, kept in the store."""
    volume, reading = study(tmp_path / "opened", "P-7")
    made = editing.draw(reading, "tree in bud", 1, stroke(4, 9), "").reading
    made = editing.review(made, [1, 3], on=True).reading
    made = replace(made, label=StudyLabel(("infection",), (), "now"))
    with WorkStore(data_folder()) as store:
        store.save_reading(made)
    return volume, made


def written(folder: Path, opened: tuple[Path, ...] = ()) -> WrittenSet:
    *_, done = write_marked(folder, opened)
    assert isinstance(done, Done)
    return done.value


def test_training_reads_what_was_drawn(tmp_path, opened):
    volume, reading = opened
    told = written(tmp_path / "set", (reading.place,))
    assert told.folder == tmp_path / "set"
    assert told.text.startswith("1 finding on 2 slices of 1 study were written. All of them were reviewed completely")
    source = open_slice_source("studies", tmp_path / "set")
    (name,) = source.ids()
    got = source.load_slices(name)
    assert source.patient(name) == reading.patient and source.classes(name) == ("infection",)
    assert got.label_classes == ("background", "tree in bud") and set(got.origins) == {""}
    by_pixels = {volume.hu(i).tobytes(): i for i in range(5)}
    order = [by_pixels[np.ascontiguousarray(pixels).tobytes()] for pixels in got.pixels]
    for index, labels, complete in zip(order, got.labels, got.complete, strict=True):
        assert np.array_equal(labels == 1, stroke(4, 9) if index == 1 else np.zeros(SHAPE[1:], bool))
        assert complete == (index in (1, 3))
    everything = " ".join(p.name for p in (tmp_path / "set").rglob("*")) + (tmp_path / "set" / "labels.csv").read_text()
    assert "P-7" not in everything and "Name" not in everything


def test_all_studies_of_the_store_go_and_each_once(tmp_path, opened):
    _, other = study(tmp_path / "second", "P-88")
    other = editing.draw(other, "GGO", 2, stroke(1, 1), "").reading
    _, seen = study(tmp_path / "third", "P-999")
    with WorkStore(data_folder()) as store:
        store.save_reading(other)
        store.save_reading(replace(seen, comment="only words"))
        store.save_reading(replace(opened[1], comment="again"))
    assert "2 findings on 3 slices of 2 studies" in written(tmp_path / "set").text
    assert len(open_slice_source("studies", tmp_path / "set").ids()) == 2


def test_files_that_are_gone_are_told(tmp_path, opened):
    _, other = study(tmp_path / "second", "P-88")
    with WorkStore(data_folder()) as store:
        store.save_reading(editing.draw(other, "GGO", 2, stroke(1, 1), "").reading)
    shutil.rmtree(tmp_path / "second")
    assert "1 study left out: the files are not there any more." in written(tmp_path / "set").text


def test_nothing_to_write_and_places_that_are_refused(tmp_path, opened):
    with pytest.raises(StorageError, match="opened"):
        written(opened[1].place / "set", (opened[1].place,))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(StorageError, match="not empty"):
        written(tmp_path / "full")
    with WorkStore(data_folder()) as store:
        store.save_reading(replace(opened[1], marks=Reading("", "", ()).marks))
    with pytest.raises(StorageError, match="nothing to export"):
        written(tmp_path / "set")


def test_a_look_says_what_would_be_written_and_writes_nothing(opened, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    *_, done = look_at_marked("lesions")
    found = done.value
    assert (found.scans, found.patients, found.slices, found.outlined) == (1, 1, 2, ("tree in bud",))
    assert found.told.startswith("All of them were reviewed completely") and sorted(tmp_path.rglob("*")) == before


def test_a_look_at_nothing_says_so(tmp_path):
    with pytest.raises(InputError, match="No finding was accepted, corrected or drawn"):
        list(look_at_marked("lesions"))


def test_a_look_at_classes_says_what_slices_will_have(opened, tmp_path):
    """As the set that is written will be read: the study's class where a finding is, else the negative one."""
    _, made = opened
    *_, done = look_at_marked("images")
    found = done.value
    assert [(one.name, one.studies, one.patients) for one in found.classes] == [("control", 1, 1), ("infection", 1, 1)]
    assert (found.scans, found.patients, found.slices, found.outlined) == (1, 1, None, ())
    written(tmp_path / "set")
    source = open_slice_source("studies", tmp_path / "set")
    (name,) = source.ids()
    assert sorted(source.load_slices(name).image_classes) == ["control", "infection"]
    with WorkStore(data_folder()) as store:
        store.save_reading(replace(made, label=None))
    with pytest.raises(InputError, match="No study whose findings were corrected in this viewer was given a class"):
        list(look_at_marked("images"))


def test_training_writes_the_findings_as_they_are_before_it_reads_them(opened, tmp_path, capsys):
    folder = tmp_path / "home" / "findings"
    config = tmp_path / "run.toml"
    told = f'task = "one_shot"\n[[lesions]]\nformat = "studies"\nfolder = "{folder.as_posix()}"\n[model]\nstart = "scratch"\n'
    config.write_text(f'{told}size = 64\ncrop = 64\n[recipe]\nname = "one-shot-scratch"\n')
    assert main(["train", str(config), "--check", "--findings", str(folder), "--events", "jsonl"]) == BAD_INPUT
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "1 finding on 2 slices of 1 study were written." in next(
        e["text"] for e in events if e["event"] == "Message"
    )
    report = next(e["report"] for e in events if e["event"] == "Checked")
    assert report["studies"] == 1 and "too-few" in {one["code"] for one in report["findings"]}, "one patient is too few"
    assert (folder / "labels.csv").is_file()
    assert main(["train", str(config), "--check", "--findings", str(folder)]) == BAD_INPUT
    assert "is not empty" in capsys.readouterr().err, "what a run learned from is never written over"
    assert main(["train", "--list", "--findings", str(folder)]) == BAD_INPUT
