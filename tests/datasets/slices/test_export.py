from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.label import patient_digest
from ctviewer.core.marked import MarkedSlice, MarkedStudy
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import content_digest
from ctviewer.datasets.slices import open_slice_source
from ctviewer.datasets.slices.export import write_training_set
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series

WEIGHTS = "cd" * 32
NAMES = {1: "lung", 2: "GGO", 3: "consolidation"}


@pytest.fixture
def opened(tmp_path, phantoms):
    """A series that is open, its phantom, and the study as a reader marked it: one slice is accepted model output."""
    phantom = phantoms[2]
    folder = tmp_path / "opened"
    origins = np.round(phantom.geometry.origins, 4)
    write_ct_series(folder, phantom.hu, geometry=replace(phantom.geometry, origins=origins))
    *_, done = scan(folder)
    volume = load_volume(done.value.series[0])
    slices = []
    for index in range(volume.slice_count):
        outlines = tuple(
            (name, mask)
            for value, name in NAMES.items()
            if (mask := BoxMask.from_array(phantom.labels[index] == value)) is not None
        )
        uid = "" if index == 3 else volume.series.slices[index].sop_instance_uid
        marked = MarkedSlice(
            volume.slice_digest(index), uid, (64, 64), outlines, index % 2 == 0, origin=WEIGHTS if index == 5 else ""
        )
        slices.append(marked)
    digests = tuple(volume.slice_digest(index) for index in range(volume.slice_count))
    series = volume.series
    study = MarkedStudy(
        content_digest(digests),
        series.key,
        folder,
        patient_digest(series),
        tuple(slices),
        ("COVID-19",),
        "reader's own",
    )
    return phantom, volume, study


def test_what_is_written_is_read_again(tmp_path, opened):
    phantom, volume, study = opened
    table = write_training_set(tmp_path / "set", [study], [study.place])
    source = open_slice_source("studies", tmp_path / "set")
    (scan_name,) = source.ids()
    assert source.patient(scan_name) == study.patient
    assert source.classes(scan_name) == ("COVID-19",)
    got = source.load_slices(scan_name)
    assert got.label_classes == ("background", "lung", "ground glass", "consolidation")
    order = [
        volume.series.slices.index(next(r for r in volume.series.slices if r.sop_instance_uid == n)) for n in got.names
    ]
    np.testing.assert_array_equal(got.labels, phantom.labels[order])
    np.testing.assert_allclose(got.pixels, phantom.hu[order])
    assert list(got.complete) == [index % 2 == 0 for index in order]
    assert [index for index, origin in zip(order, got.origins, strict=True) if origin] == [5]
    assert str(study.place.absolute()) in table.read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_mask_that_got_lost_is_missed_and_one_that_never_was_is_not(tmp_path, opened):
    _, _, study = opened
    clear = replace(study.slices[4], outlines=(), complete=True)
    study = replace(study, slices=(*study.slices[:4], clear, *study.slices[5:]))
    folder = write_training_set(tmp_path / "set", [study], [study.place]).parent
    (scan_name,) = (source := open_slice_source("studies", folder)).ids()
    got = source.load_slices(scan_name)
    place = got.names.index(clear.sop_instance_uid)
    assert got.complete[place] and not got.labels[place].any()
    lost = next(folder.glob("masks/*/*.png"))
    lost.unlink()
    with pytest.raises(InputError, match=rf"slices\.csv, line \d+: the mask of the slice {lost.stem} is missing"):
        source.load_slices(scan_name)


def test_nothing_says_whose_the_study_is(tmp_path, opened):
    _, _, study = opened
    write_training_set(tmp_path / "set", [study])
    for path in (tmp_path / "set").rglob("*"):
        if path.suffix == ".csv":
            assert "PHANTOM" not in path.read_text().upper().replace(str(study.place).upper(), "")


def test_a_study_without_a_class_is_a_set_of_lesions(tmp_path, opened):
    _, _, study = opened
    write_training_set(tmp_path / "set", [replace(study, classes=(), class_origin="")])
    source = open_slice_source("studies", tmp_path / "set")
    assert source.classes(source.ids()[0]) == ()
    assert set(source.load_slices(source.ids()[0]).image_classes) == {""}


def test_classes_of_its_own_and_overlaps(tmp_path, opened):
    _, _, study = opened
    square = np.zeros((64, 64), bool)
    square[20:30, 20:30] = True
    inner = np.zeros((64, 64), bool)
    inner[24:28, 24:28] = True
    outlines = (("Fibrosis", BoxMask.from_array(inner)), ("ground glass", BoxMask.from_array(square)))
    marked = replace(study, slices=(replace(study.slices[4], outlines=outlines),))
    write_training_set(tmp_path / "set", [marked])
    source = open_slice_source("studies", tmp_path / "set")
    got = source.load_slices(source.ids()[0])
    assert got.label_classes == ("background", "ground glass", "Fibrosis")
    np.testing.assert_array_equal(got.labels[0], square.astype(int) + inner)


def test_never_into_an_opened_folder_nor_over_anything(tmp_path, opened):
    _, _, study = opened
    with pytest.raises(StorageError, match="lies inside the opened folder"):
        write_training_set(study.place / "set", [study])
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(StorageError, match="lies inside the opened folder"):
        write_training_set(other / "set", [study], [other])
    (other / "file").write_text("mine")
    with pytest.raises(StorageError, match="is not empty: choose a new folder"):
        write_training_set(other, [study])
    assert [path.name for path in other.iterdir()] == ["file"]
    (other / "file").unlink()
    assert write_training_set(other, [study]).is_file()
    with pytest.raises(StorageError, match="There is nothing to export"):
        write_training_set(tmp_path / "set", [replace(study, slices=())])


def test_nothing_is_left_where_writing_fails(tmp_path, opened, monkeypatch):
    _, _, study = opened

    def fail(path, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ctviewer.datasets.slices.export.write_labels", fail)
    with pytest.raises(StorageError, match="set could not be written: No space left on device"):
        write_training_set(tmp_path / "set", [study])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["opened"]


def test_a_series_that_changed_is_not_learned_from(tmp_path, opened, phantoms):
    _, volume, study = opened
    write_training_set(tmp_path / "set", [study])
    changed = phantoms[2].hu.copy()
    changed[0, 0, 0] += 1
    for ref in volume.series.slices:
        ref.path.unlink()
    origins = np.round(phantoms[2].geometry.origins, 4)
    attributes = SeriesAttributes(series_uid=volume.series.uid)
    write_ct_series(
        study.place, changed, geometry=replace(phantoms[2].geometry, origins=origins), attributes=attributes
    )
    source = open_slice_source("studies", tmp_path / "set")
    with pytest.raises(InputError, match="changed since its class was stated"):
        source.load_slices(source.ids()[0])
