from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from ctviewer.dicom import load_volume


def _keys(catalog):
    return sorted(series.key for series in catalog.series)


def test_two_kernels_under_one_uid_become_two_series(written, edit, catalog, notice_of):
    sharp, soft = written("a", series_uid="1.2", kernel="B70f"), written("b", series_uid="1.2", kernel="B40f")
    edit(soft.paths, lambda d, i: setattr(d, "SOPInstanceUID", f"1.2.{i}"))
    found = catalog(sharp.folder.parent)
    assert all(re.fullmatch(r"1\.2#[0-9a-f]{8}", key) for key in _keys(found)) and len(set(_keys(found))) == 2
    assert {series.kernel for series in found.series} == {"B70f", "B40f"}
    for series in found.series:
        assert len(series.slices) == 7 and series.uid == "1.2"
        assert "differ in reconstruction kernel" in notice_of(series, "series-split").text
        assert "of 2 (7 slices)" in notice_of(series, "series-split").text


def test_localizer_apart_from_its_series(written, edit, catalog, notice_of):
    made = written()
    edit(made.paths[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    axial, scout = catalog(made.folder).series
    assert (len(axial.slices), axial.is_localizer, axial.is_original) == (6, False, True)
    assert (len(scout.slices), scout.is_localizer, scout.is_original) == (1, True, False)
    assert scout.private.unit == "", "numbers of a scout are no Hounsfield units"
    assert "image type" in notice_of(axial, "series-split").text


def test_a_short_series_called_topogram_is_a_localizer(written, catalog):
    scout = written("scout", shape=(2, 8, 8), description="Topogram 0.6 T20f", series_number=1)
    written("chest", description="Thorax", series_number=2)
    found = catalog(scout.folder.parent)
    assert [series.is_localizer for series in found.series] == [False, True]


def test_one_frame_of_another_orientation_is_split_off(written, edit, catalog, notice_of):
    made = written()
    edit(made.paths[3], ImageOrientationPatient=[1, 0, 0, 0, 0.9998, 0.02])  # just over a degree
    large, small = sorted(catalog(made.folder).series, key=lambda s: -len(s.slices))
    assert (len(large.slices), len(small.slices)) == (6, 1)
    assert "orientation" in notice_of(small, "series-split").text
    assert "1 slice is missing" in notice_of(large, "missing-slices").text


def test_rounded_cosines_do_not_split(written, edit, only):
    made = written(plane="oblique")
    edit(
        made.paths,
        lambda d, i: setattr(
            d, "ImageOrientationPatient", [1, 0, 0, 0, "0.7071" if i % 2 else "0.70710678", "0.70711"]
        ),
    )
    assert len(only(made.folder).slices) == 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PixelSpacing": [0.8, 0.9]}, "pixel spacing"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "image type"),
        ({"ImagePositionPatient": None}, "presence of positions"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "kind of pixels"),
        ({"Modality": "MR"}, "modality or kind of object"),
    ],
)
def test_what_splits_a_series(written, edit, catalog, notice_of, change, words):
    made = written()
    edit(made.paths[2:4], **change)
    found = catalog(made.folder)
    assert sorted(len(series.slices) for series in found.series) == [2, 5]
    for series in found.series:
        assert words in notice_of(series, "series-split").text


def test_other_image_size_splits(written, edit, catalog):
    a = written("a", series_uid="1.2")
    written("b", series_uid="1.2", shape=(3, 8, 8))
    assert sorted((s.rows, len(s.slices)) for s in catalog(a.folder.parent).series) == [(8, 3), (12, 7)]


def _second_pass(written, edit, fact, **attributes):
    """Two series of the same positions under one UID; `fact` tells them apart."""
    one, two = written("one", series_uid="1.2", **attributes), written("two", series_uid="1.2", **attributes)
    edit(two.paths, lambda d, i: setattr(d, "SOPInstanceUID", f"1.2.9.{i}"), **fact)
    return one, two


@pytest.mark.parametrize("fact", [{"AcquisitionNumber": 2}, {"KVP": 80}, {"AcquisitionTime": "101500"}])
def test_passes_at_the_same_positions_are_told_apart(written, edit, catalog, notice_of, fact):
    one, _ = _second_pass(written, edit, fact)
    found = catalog(one.folder.parent)
    assert [len(series.slices) for series in found.series] == [7, 7]
    for series in found.series:
        assert "acquisition pass at the same positions" in notice_of(series, "series-split").text
        assert not [notice for notice in series.notices if notice.code == "duplicate-positions"]


def test_passes_that_nothing_tells_apart_stay_and_are_told(written, edit, only, notice_of):
    one, _ = _second_pass(written, edit, {})
    series = only(one.folder.parent)
    assert len(series.slices) == 14
    assert len(notice_of(series, "duplicate-positions").slices) == 14
    assert not series.private.geometry.is_regular()


def test_acquisition_number_alone_splits_nothing(written, edit, only):
    made = written()
    edit(made.paths, lambda d, i: setattr(d, "AcquisitionNumber", i // 3))
    assert len(only(made.folder).slices) == 7


def test_bolus_monitoring_stays_one_series_over_time(written, edit, volume_of, notice_of):
    made = written()

    def monitor(dataset, index):
        dataset.ImagePositionPatient = [0, 0, 40]
        dataset.AcquisitionNumber = dataset.InstanceNumber = 20 - index

    edit(made.paths, monitor)
    volume = volume_of(made.folder)
    assert np.array_equal(volume.stored, made.stored[::-1]), "in the order of time"
    notice_of(volume.series, "one-position")


def test_copies_are_dropped_and_told(written, catalog, notice_of):
    made = written()
    copy = made.folder / "copies"
    copy.mkdir()
    for path in made.paths[:2]:
        shutil.copy(path, copy / path.name)
    (series,) = catalog(made.folder).series
    assert np.array_equal(load_volume(series).stored, made.stored)
    notice = notice_of(series, "copies-dropped")
    assert len(notice.paths) == 2 and "Se 1 / Im 7 (30.0 mm)" in notice.text


def test_same_uid_other_pixels_are_kept_and_told(written, edit, catalog, notice_of):
    made = written()
    other = made.folder / "other.dcm"
    shutil.copy(made.paths[2], other)
    edit(other, lambda d, i: setattr(d, "PixelData", b"\1\0" * 192))
    (series,) = catalog(made.folder).series
    assert len(series.slices) == 8
    assert notice_of(series, "repeated-uids").slices == (2, 3)
    notice_of(series, "duplicate-positions")


def test_two_patients_with_one_series_uid_never_meet(written, edit, catalog, notice_of):
    made = written(patient_id="A", patient_name="One^Patient")
    edit(made.paths[3:], PatientID="B", PatientName="Other^Patient")
    found = catalog(made.folder)
    assert sorted(len(series.slices) for series in found.series) == [3, 4]
    assert {series.patient.patient_id for series in found.series} == {"A", "B"}
    assert len(set(_keys(found))) == 2
    for series in found.series:
        assert notice_of(series, "shared-series-uid").severity.value == "danger"


def test_mixed_signedness_that_fits_is_one_series(written, edit, volume_of):
    made = written()

    def unsign(dataset, index):
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11

    edit(made.paths[::2], unsign)
    volume = volume_of(made.folder)
    assert volume.signed and np.array_equal(volume.stored, made.stored)


def test_mixed_signedness_that_does_not_fit_is_split(written, edit, catalog, notice_of):
    made = written()
    edit(made.paths[::2], PixelRepresentation=0)
    found = catalog(made.folder)
    assert sorted(load_volume(series).stored.dtype.name for series in found.series) == ["int16", "uint16"]
    assert "signed and unsigned" in notice_of(found.series[0], "series-split").text


def test_equal_slices_without_positions_are_no_copies(written, edit, only):
    """Two slices of air are equal; with one UID for all and no positions nothing says that they are one."""
    made = written()
    edit(made.paths, SOPInstanceUID="1.2.3", ImagePositionPatient=None, PixelData=bytes(384))
    assert len(only(made.folder).slices) == 7
