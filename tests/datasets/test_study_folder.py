"""A folder of studies of every kind: listed cheaply, loaded one by one, nothing guessed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry, Plane
from ctviewer.core.reading import content_digest
from ctviewer.datasets.stating import read_statement
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.dicom import SeriesAttributes, write_ct_series

SHAPE = (12, 16, 16)
HU = np.random.default_rng(3).integers(-1000, 200, SHAPE).astype(np.int16)


def dicom(place: Path, hu: np.ndarray = HU, step: float = 2.0, **attributes: object) -> None:
    origins = np.arange(len(hu))[:, None] * np.array([[0.0, 0.0, step]])
    geometry = Geometry(hu.shape, origins, pixel_spacing=(2.0, 2.0))
    write_ct_series(place, hu, geometry=geometry, attributes=SeriesAttributes(**attributes))


def pictures(place: Path, values: np.ndarray) -> None:
    place.mkdir()
    for index, one in enumerate(values):
        Image.fromarray(one).save(place / f"{index:03d}.png")


@pytest.fixture
def data(tmp_path):
    """`data(rows, heading)` writes the table; gives the folder."""

    def write(*rows: str, heading: str = "study,patient,class", stated=None) -> StudyFolder:
        (tmp_path / "labels.csv").write_text("\n".join((heading, *rows)) + "\n")
        return StudyFolder(tmp_path, stated)

    return write


def test_listing_opens_nothing(data):
    folder = data("a,p1,x", "b,p1,y|z,", "c,p2,x,external:Ulm", heading="study,patient,class,split")
    assert folder.ids() == ("a", "b", "c")
    assert (folder.patient("b"), folder.label("b"), folder.classes("b")) == ("p1", "y|z", ("y", "z"))
    assert [folder.split(study) for study in folder.ids()] == ["", "", "external:Ulm"]
    with pytest.raises(InputError, match=r"The study a \(line 2 of the labels\) is not in"):
        folder.load("a")


def test_folders_archives_and_files_are_studies(data, tmp_path):
    dicom(tmp_path / "deep" / "folder")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for file in sorted((tmp_path / "deep" / "folder").iterdir()):
            archive.write(file, file.name)
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(HU.transpose(2, 1, 0), affine), tmp_path / "grid.nii.gz")
    rows = ("deep/folder,p1,x", "packed,p2,x", "grid,p3,x", "packed.zip,p4,x")
    source = data(*rows, stated=read_statement("hu"))
    for study in source.ids():
        volume, labels = source.load(study)
        assert labels is None and volume.unit == "HU" and volume.geometry.plane is Plane.AXIAL
        assert np.array_equal(volume.hu(4), HU[4].astype(np.float32)), study
    assert source.unlisted() == ()


def test_16_bit_pictures_with_an_offset_stated_in_a_column(data, tmp_path):
    pictures(tmp_path / "png", (HU[::-1] + 1024).astype(np.uint16))
    heading = "study,patient,class,values,spacing,order"
    volume, _ = data("png,p,x,hu+1024,2x2x3,head-first", heading=heading).load("png")
    assert volume.unit == "HU" and volume.series.modality == "CT" and volume.geometry.slice_spacing == 3.0
    assert np.array_equal(volume.hu(5), HU[5].astype(np.float32))
    assert any("Stated by the reader" in notice.text for notice in volume.series.notices)


def test_8_bit_pictures_with_a_window_stated_for_all(data, tmp_path):
    grey = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), (4, 1, 1))
    pictures(tmp_path / "png", grey)
    volume, _ = data("png,p,x", stated=read_statement("window=-600/1500")).load("png")
    assert volume.unit == "HU"
    assert volume.hu(0)[0, 0] == pytest.approx(-1350) and volume.hu(0)[15, 15] == pytest.approx(150)


def test_nothing_stated_is_nothing_guessed(data, tmp_path):
    pictures(tmp_path / "png", (HU + 1024).astype(np.uint16))
    volume, _ = data("png,p,x").load("png")
    assert volume.unit == "" and volume.geometry.plane is Plane.UNKNOWN


def test_a_window_of_8_bits_for_16_bit_pictures_is_refused(data, tmp_path):
    pictures(tmp_path / "png", (HU + 1024).astype(np.uint16))
    with pytest.raises(InputError, match="window is stated for values up to 255"):
        data("png,p,x", stated=read_statement("window=-600/1500")).load("png")


def test_a_window_of_16_bits_states_its_white(data, tmp_path):
    pictures(tmp_path / "png", np.tile(np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 16, 16), (4, 1, 1)))
    volume, _ = data("png,p,x", stated=read_statement("window=-600/1500/65535")).load("png")
    assert volume.hu(0)[0, 0] == pytest.approx(-1350) and volume.hu(0)[15, 15] == pytest.approx(150, abs=0.1)


def test_a_row_comes_before_what_holds_for_all(data, tmp_path):
    pictures(tmp_path / "png", (HU + 1000).astype(np.uint16))
    source = data("png,p,x,hu+1000", heading="study,patient,class,values", stated=read_statement("hu+1024", "2x2"))
    volume, _ = source.load("png")
    assert np.array_equal(volume.hu(5), HU[5].astype(np.float32))
    assert volume.geometry.pixel_spacing == (2.0, 2.0)


def test_a_row_does_not_contradict_its_files(data, tmp_path):
    dicom(tmp_path / "a")
    with pytest.raises(InputError, match="says what its values mean itself"):
        data("a,p,x,hu+1024", heading="study,patient,class,values").load("a")
    volume, _ = data("a,p,x", stated=read_statement("hu+1024")).load("a")
    assert np.array_equal(volume.hu(4), HU[4].astype(np.float32)), "what holds for all is for files that leave it open"


def test_the_series_is_chosen_as_an_analysis_does_and_said(data, tmp_path):
    common = {"study_uid": "1.2.3", "patient_id": "P"}
    dicom(tmp_path / "a" / "thick", series_number=2, kernel="STANDARD", **common)
    dicom(tmp_path / "a" / "lung", hu=HU[::-1].copy(), step=1.0, series_number=7, kernel="LUNG", **common)
    source = data("a,p,x")
    volume, _ = source.load("a")
    assert volume.series.kernel == "LUNG"
    told = [notice.text for notice in volume.series.notices if notice.code == "chosen-series"]
    assert told == ["Of 2 series Se 7 is taken (12 slices of 1.00 mm; chosen as an analysis does)."]


def test_the_table_may_name_the_series(data, tmp_path):
    dicom(tmp_path / "a" / "one", series_uid="1.2.3.1", study_uid="1.2.3", kernel="STANDARD")
    dicom(tmp_path / "a" / "two", hu=HU[::-1].copy(), series_uid="1.2.3.2", study_uid="1.2.3", kernel="LUNG")
    heading = "study,patient,class,series"
    assert data("a,p,x,1.2.3.1", heading=heading).series("a").kernel == "STANDARD"
    with pytest.raises(InputError, match="holds no series 9"):
        data("a,p,x,9", heading=heading).series("a")


def test_a_date_is_that_of_the_files_or_else_of_the_table(data, tmp_path):
    dicom(tmp_path / "a", date="20200102")
    pictures(tmp_path / "png", (HU + 1024).astype(np.uint16))
    source = data("a,p,x,2021-03-04", "png,q,x,2021-03-04", heading="study,patient,class,date")
    assert source.series("a").study.date == "20200102" and source.series("png").study.date == "20210304"


def test_files_of_two_patients_in_one_study_are_told(data, tmp_path):
    dicom(tmp_path / "a" / "one", patient_id="P1")
    dicom(tmp_path / "a" / "two", hu=HU[::-1].copy(), patient_id="P2")
    assert "several-patients" in {notice.code for notice in data("a,p,x").series("a").notices}


def test_a_damaged_study_is_refused_by_name(data, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.dcm").write_bytes(b"nothing of use")
    with pytest.raises(InputError, match=r"x\.dcm|holds no DICOM") as error:
        data("a,p,x").load("a")
    assert str(tmp_path / "a") in str(error.value)


def test_names_that_fit_several_files_are_refused(data, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    (tmp_path / "a.nii").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.zip and a\.nii"):
        data("a,p,x").path("a")


def test_what_the_table_does_not_name_is_listed(data, tmp_path):
    dicom(tmp_path / "a")
    (tmp_path / "more").mkdir()
    (tmp_path / "b.nii.gz").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    assert data("a,p,x").unlisted() == ("b.nii.gz", "more")


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        StudyFolder(tmp_path / "absent")


def test_a_table_of_absolute_paths_needs_no_folder(tmp_path):
    dicom(tmp_path / "far" / "a")
    labels = tmp_path / "labels.csv"
    labels.write_text(f"study,patient,class,path\none,p,x,{tmp_path / 'far' / 'a'}\ntwo,q,y,{tmp_path / 'gone'}\n")
    source = StudyFolder(None, labels=labels)
    volume, _ = source.load("one")
    assert np.array_equal(volume.hu(4), HU[4].astype(np.float32)) and source.unlisted() == ()
    with pytest.raises(InputError, match=r"two \(line 3 of the labels\) is not there any more: there is no .*gone"):
        source.load("two")
    with pytest.raises(InputError, match="Neither a folder"):
        StudyFolder(None)


def test_a_label_is_of_the_slices_that_were_read(data, tmp_path):
    dicom(tmp_path / "a")
    volume, _ = data("a,p,x").load("a")
    content = content_digest(tuple(volume.slice_digest(i) for i in range(volume.slice_count)))
    heading = "study,patient,class,content"
    data(f"a,p,x,{content}", heading=heading).load("a")
    (tmp_path / "a" / "IM0003.dcm").unlink()
    with pytest.raises(InputError, match="slices of the study a changed since its class was stated"):
        data(f"a,p,x,{content}", heading=heading).load("a")


def test_a_series_whose_parts_were_renamed_is_found_by_its_content(data, tmp_path):
    dicom(tmp_path / "a", series_uid="1.2.3.1")
    volume, _ = data("a,p,x").load("a")
    content = content_digest(tuple(volume.slice_digest(i) for i in range(volume.slice_count)))
    heading = "study,patient,class,series,content"
    assert data(f"a,p,x,1.2.3.1#0a1b2c3d,{content}", heading=heading).series("a").uid == "1.2.3.1"
    with pytest.raises(InputError, match=r"no series 1\.2\.3\.1#0a1b2c3d"):
        data("a,p,x,1.2.3.1#0a1b2c3d,", heading=heading).series("a")
