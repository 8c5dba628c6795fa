from __future__ import annotations

import re
import shutil

import numpy as np
import pydicom
import pytest

from ctviewer.core.series import VolumeUse
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
    assert len(notice.paths) == 2 and "Se 1 / Im 7 (z 30.0 mm)" in notice.text


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


def test_four_dimensions_need_two_facts(written, edit, catalog):
    """Two energies at two time points: neither fact alone tells the four passes apart."""
    folders = [
        (written(f"{kvp}-{time}", series_uid="1.2"), {"KVP": kvp, "TriggerTime": time})
        for kvp in (80, 140)
        for time in (0, 350)
    ]
    for number, (made, facts) in enumerate(folders):
        uid = lambda d, i, n=number: setattr(d, "SOPInstanceUID", f"1.2.{n}.{i}")  # noqa: E731 - a value of its own each time
        edit(made.paths, uid, **facts)
    found = catalog(folders[0][0].folder.parent).series
    assert [len(series.slices) for series in found] == [7] * 4
    assert all(series.use is VolumeUse.VOLUME for series in found) and len(_keys_of(found)) == 4


def _keys_of(series):
    return {one.key for one in series}


def test_a_short_pass_within_a_long_one(written, edit, catalog):
    """The arterial phase covers the liver only."""
    long, short = (
        written("long", series_uid="1.2", shape=(20, 6, 6)),
        written("short", series_uid="1.2", shape=(20, 6, 6)),
    )
    edit(short.paths, lambda d, i: setattr(d, "SOPInstanceUID", f"1.2.9.{i}"), AcquisitionNumber=2)
    for path in [*short.paths[:6], *short.paths[14:]]:
        path.unlink()
    assert [len(series.slices) for series in catalog(long.folder.parent).series] == [20, 8]


def test_passes_between_each_others_positions(written, edit, catalog, notice_of):
    """Two passes that are off by a part of the spacing: together they are no regular volume, each alone is."""
    one, two = written("one", series_uid="1.2"), written("two", series_uid="1.2")

    def shift(dataset, index):
        dataset.SOPInstanceUID, dataset.AcquisitionNumber = f"1.2.9.{index}", 2
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + 0.7]

    edit(two.paths, shift)
    found = catalog(one.folder.parent).series
    assert [len(series.slices) for series in found] == [7, 7]
    assert "acquisition pass" in notice_of(found[0], "series-split").text


def test_rotations_that_touch_are_no_passes(written, edit, only, notice_of):
    """Step and shoot: each rotation gives three slices, and one place was imaged twice."""
    made = written(shape=(12, 6, 6))

    def rotate(dataset, index):
        dataset.AcquisitionNumber = index // 3
        if index == 6:
            dataset.ImagePositionPatient = [
                *dataset.ImagePositionPatient[:2],
                float(dataset.ImagePositionPatient[2]) - 2.5,
            ]

    edit(made.paths, rotate)
    series = only(made.folder)
    assert len(series.slices) == 12 and notice_of(series, "duplicate-positions").slices == (5, 6)


def test_one_true_repetition_does_not_keep_passes_together(written, edit, catalog, notice_of):
    one, two = _second_pass(written, edit, {"AcquisitionNumber": 2}, shape=(12, 6, 6))
    again = one.folder / "again.dcm"
    shutil.copy(one.paths[4], again)
    edit(again, lambda d, i: setattr(d, "PixelData", b"\1\0" * 36), SOPInstanceUID="1.2.77")
    long, short = catalog(two.folder.parent).series
    assert [len(long.slices), len(short.slices)] == [13, 12]
    assert notice_of(long, "duplicate-positions").slices == (4, 5) and short.use is VolumeUse.VOLUME


def test_image_numbers_that_start_over_tell_passes_apart(written, edit, catalog, notice_of):
    one, two = _second_pass(written, edit, {})
    edit(two.paths, lambda d, i: setattr(d, "InstanceNumber", d.InstanceNumber + 7))
    found = catalog(one.folder.parent).series
    assert [[ref.instance_number for ref in s.slices] for s in found] == [list(range(7, 0, -1)), list(range(14, 7, -1))]
    assert "image numbers, which run through the same positions" in notice_of(found[0], "series-split").text


def test_a_lossy_copy_is_apart_from_its_original(written, edit, catalog, notice_of):
    one, _ = _second_pass(written, edit, {"LossyImageCompression": "01"})
    found = catalog(one.folder.parent).series
    assert sorted(series.lossy for series in found) == [False, True]
    assert "differ in lossy compression" in notice_of(found[0], "series-split").text


def test_each_part_says_what_sets_it_apart(written, edit, catalog, notice_of):
    """A scout and two kernels: the scout has no other kernel to differ from."""
    sharp, soft = written("a", series_uid="1.2", kernel="B70f"), written("b", series_uid="1.2", kernel="B40f")
    edit(soft.paths, lambda d, i: setattr(d, "SOPInstanceUID", f"1.2.{i}"))
    edit(sharp.paths[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    texts = {(s.kernel, s.is_localizer): notice_of(s, "series-split").text for s in catalog(sharp.folder.parent).series}
    assert "differ in image type." in texts["B70f", True]
    assert "differ in image type and reconstruction kernel." in texts["B70f", False]
    assert "differ in image type and reconstruction kernel." in texts["B40f", False]


def test_keys_of_two_patients_stay_when_one_is_opened_alone_again(written, edit, catalog):
    made = written(patient_id="A", series_uid="1.2")
    edit(made.paths[3:], PatientID="B")
    both = {s.patient.patient_id: s.key for s in catalog(made.folder).series}
    edit(made.paths[5:], PatientID="C")
    three = {s.patient.patient_id: s.key for s in catalog(made.folder).series}
    assert {name: three[name] for name in both} == both and len(set(three.values())) == 3


@pytest.mark.parametrize(
    ("image_type", "description", "original"),
    [
        (None, "Thorax", True),
        (None, "Low dose chest", True),
        (None, "Thorax MPR cor", False),
        (None, "MIP 10 mm", False),
        (["ORIGINAL", "PRIMARY", "AXIAL"], "MIP", True),
        (["DERIVED", "SECONDARY"], "Thorax", False),
        (["", "PRIMARY", "AXIAL"], "Thorax", True),
    ],
)
def test_originals(written, edit, only, image_type, description, original):
    made = written(description=description)
    edit(made.paths, ImageType=image_type)
    assert only(made.folder).is_original is original


def test_copies_in_another_encoding_are_found(written, catalog, notice_of):
    plain = written("plain", series_uid="1.2")
    packed = written("packed", series_uid="1.2", compress="jpeg_ls")
    for one, two in zip(plain.paths, packed.paths, strict=True):
        first, second = pydicom.dcmread(one), pydicom.dcmread(two)
        second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
        second.save_as(two)
    (series,) = catalog(plain.folder.parent).series
    notice = notice_of(series, "copies-dropped")
    assert len(notice.paths) == 7 and notice.slices == tuple(range(7))


def test_slices_of_air_with_one_uid_and_nothing_else_all_stay(written, edit, only):
    made = written()
    edit(made.paths, SOPInstanceUID="1.2.3", ImagePositionPatient=None, InstanceNumber=None, PixelData=bytes(384))
    assert len(only(made.folder).slices) == 7


def test_two_frames_of_reference_are_apart(written, edit, catalog, notice_of):
    """The patient was moved: positions before and after cannot be compared."""
    made = written()
    edit(made.paths[4:], FrameOfReferenceUID="1.2.99")
    found = catalog(made.folder).series
    assert sorted(len(series.slices) for series in found) == [3, 4]
    assert "differ in frame of reference" in notice_of(found[0], "series-split").text


@pytest.mark.parametrize("reference", [lambda i: f"1.2.99.{i}", lambda i: "" if i % 2 else "1.2.99", lambda i: ""])
def test_frames_of_reference_at_random_or_absent_split_nothing(written, edit, only, reference):
    made = written()
    edit(made.paths, lambda d, i: setattr(d, "FrameOfReferenceUID", reference(i)))
    series = only(made.folder)
    assert len(series.slices) == 7 and series.use is VolumeUse.VOLUME


def test_equal_pixels_of_another_spacing_are_no_copies(written, edit, catalog):
    """A header that was corrected: nobody knows which of the two is right, so neither is dropped."""
    made = written()
    copy = made.folder / "corrected"
    copy.mkdir()
    for path in made.paths:
        shutil.copy(path, copy)
    edit(sorted(copy.iterdir()), PixelSpacing=[0.7, 0.7])
    found = catalog(made.folder)
    assert sorted(one.pixel_spacing for one in found.series) == [(0.7, 0.7), (0.8, 0.8)]
    assert all(len(one.slices) == 7 for one in found.series)
    assert not [notice for one in found.series for notice in one.notices if notice.code == "copies-dropped"]


def test_parts_of_one_digest_have_keys_of_their_own(written, edit, catalog, monkeypatch):
    """Directions and spacings may differ by hardly more than a digest tells apart."""
    made = written()
    edit(made.paths[4:], PixelSpacing=[0.7, 0.7])
    monkeypatch.setattr("ctviewer.dicom.grouping._digest", lambda stack: "0")
    found = catalog(made.folder)
    assert len(found.series) == len(set(_keys(found))) == 2
    assert not [notice for one in found.series for notice in one.notices if notice.code == "shared-series-uid"]
