from __future__ import annotations

import numpy as np
import pydicom
import pytest

from ctviewer.core.errors import StorageError
from ctviewer.core.geometry import Geometry
from ctviewer.core.windowing import Window
from ctviewer.dicom import write_ct_series

TYPE_1 = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "PixelData",
]
TYPE_2 = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "SeriesNumber",
    "PatientPosition",
    "PositionReferenceIndicator",
    "Manufacturer",
    "InstanceNumber",
    "AcquisitionNumber",
    "KVP",
    "SliceThickness",
]


def test_required_attributes(written):
    made = written()
    for index, path in enumerate(made.paths):
        dataset = pydicom.dcmread(path)
        for keyword in TYPE_1:
            assert dataset.get(keyword) not in (None, ""), keyword
        for keyword in TYPE_2:
            assert keyword in dataset, keyword
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert np.array_equal(dataset.pixel_array, made.stored[index])
        assert np.allclose(dataset.ImagePositionPatient, made.geometry.origins[index])


def test_uids_are_valid_and_distinct(written):
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in written(shape=(30, 4, 4)).paths]
    assert len(set(uids)) == 30 and all(uid.is_valid for uid in uids)


def test_the_same_input_gives_the_same_bytes(written):
    facts = {"patient_name": "A^B", "windows": (Window(-600, 1500, name="Lung"),), "compress": "jpeg_ls"}
    one, two = written("one", **facts), written("two", **facts)
    assert [a.read_bytes() for a in one.paths] == [b.read_bytes() for b in two.paths]


@pytest.mark.parametrize("change", [{"kernel": "SHARP"}, {"plane": "coronal"}, {"step": 1.0}, {"patient_id": "other"}])
def test_other_input_gives_other_uids(written, change):
    one, two = (pydicom.dcmread(made.paths[0]) for made in (written("one"), written("two", **change)))
    assert one.SeriesInstanceUID != two.SeriesInstanceUID and one.SOPInstanceUID != two.SOPInstanceUID
    assert (one.StudyInstanceUID == two.StudyInstanceUID) == ("patient_id" not in change)


def test_image_numbers_count_from_the_head(written):
    made = written()
    assert [path.name for path in made.paths] == [f"IM{7 - i:04d}.dcm" for i in range(7)]
    assert [pydicom.dcmread(path).InstanceNumber for path in made.paths] == [7, 6, 5, 4, 3, 2, 1]


def test_windows_and_padding(written, volume_of):
    windows = (Window(-600, 1500, name="Lung"), Window(40, 400, name="Soft"))
    volume = volume_of(written(windows=windows, padding=-2000, slope=0.5, intercept=-12.25).folder)
    assert volume.windows == windows and volume.padding == (-2000, -2000)
    assert volume.slope[0] == 0.5 and volume.intercept[0] == -12.25


def test_other_files_in_the_folder_stay(written):
    made = written()
    note = made.folder / "notes.txt"
    note.write_text("keep me")
    again = written(kernel="SHARP")
    assert note.read_text() == "keep me" and again.paths == made.paths
    assert pydicom.dcmread(again.paths[0]).ConvolutionKernel == "SHARP"
    assert not [path for path in made.folder.parent.iterdir() if path.suffix == ".part"]


@pytest.mark.parametrize(
    ("stored", "origins", "spacing"),
    [
        (np.zeros((2, 4, 4), np.int32), np.zeros((2, 3)), (1, 1)),
        (np.zeros((2, 4, 5), np.int16), np.zeros((2, 3)), (1, 1)),
        (np.zeros((2, 4, 4), np.int16), None, (1, 1)),
        (np.zeros((2, 4, 4), np.int16), np.zeros((2, 3)), None),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, stored, origins, spacing):
    with pytest.raises(ValueError, match=r"16-bit|positions"):
        write_ct_series(tmp_path / "x", stored, geometry=Geometry((2, 4, 4), origins, pixel_spacing=spacing))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    geometry = Geometry((1, 4, 4), np.zeros((1, 3)), pixel_spacing=(1, 1))
    with pytest.raises(StorageError, match="could not be written"):
        write_ct_series(tmp_path / "file" / "x", np.zeros((1, 4, 4), np.int16), geometry=geometry)


def test_an_mr_series_for_tests_of_refusal(written, only):
    series = only(written(modality="MR").folder)
    assert series.modality == "MR" and series.readable and series.private.unit == ""
