"""Studies read and labelled in the viewer, as a source and as a table: no names, no model judged by its own answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import LabelledStudy, SeenAnswer, StudyLabel, patient_digest, place_of
from ctviewer.core.reading import content_digest
from ctviewer.datasets.label_table import read_labels
from ctviewer.datasets.read_studies import ReadStudies, export_read_studies
from ctviewer.datasets.stating import read_statement
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.dicom import SeriesAttributes, write_ct_series

BASE, OTHER = "a" * 64, "b" * 64
AT = "2026-11-22T10:00:00+00:00"
COVID = SeenAnswer("Model", "1.0.0", BASE, ("covid",))


def study(number: int, patient: str, classes: str = "covid", seen: tuple[SeenAnswer, ...] = ()) -> LabelledStudy:
    label = StudyLabel((classes,), seen, AT)
    return LabelledStudy(f"{number:064x}", f"1.2.{number}", Path(f"/data/Müller_{number}"), patient, label)


MIXED = (
    study(1, "p1"),
    study(2, "p2", seen=(COVID,)),
    study(3, "p3", "control", (COVID,)),
    study(4, "p2", "control"),
    study(5, "p5", seen=(SeenAnswer("Other", "2.0.0", OTHER, ("covid",)),)),
)


def splits(source: ReadStudies) -> dict[str, str]:
    return {source.row(one).path[-1]: source.split(one) for one in source.ids()}


def test_what_was_stated_in_view_of_the_compared_model_never_judges_nor_do_others_of_the_patient():
    source = ReadStudies(MIXED, {BASE})
    assert splits(source) == {"1": "", "2": "train-only", "3": "train-only", "4": "train-only", "5": ""}


def test_without_a_base_every_study_may_judge():
    assert set(splits(ReadStudies(MIXED)).values()) == {""}


def test_a_label_that_an_ancestor_gave_is_kept_from_the_comparison_of_its_descendants():
    child = ReadStudies(MIXED, {"c" * 64, BASE})
    assert splits(child)["2"] == "train-only"
    assert splits(ReadStudies(MIXED, {OTHER}))["5"] == "train-only"


def test_ids_and_patients_name_nobody_and_stay_the_same():
    source = ReadStudies(MIXED)
    assert all(one.startswith("read-") and "ller" not in one for one in source.ids())
    assert source.ids() == ReadStudies(MIXED).ids() and len(set(source.ids())) == 5
    first = source.ids()[0]
    assert (source.patient(first), source.label(first), source.classes(first)) == ("p1", "covid", ("covid",))


def test_the_table_says_the_same_and_where_each_label_comes_from(tmp_path):
    source = ReadStudies(MIXED, {BASE})
    export_read_studies(source, tmp_path / "labels.csv")
    again = StudyFolder(None, labels=tmp_path / "labels.csv")
    assert again.ids() == source.ids()
    for one in source.ids():
        assert (again.patient(one), again.classes(one), again.split(one)) == (
            source.patient(one),
            source.classes(one),
            source.split(one),
        )
    assert [again.row(one).origin for one in again.ids()] == [
        "reader's own, before any model's answer",
        "accepted from Model 1.0.0",
        "reader's own, against Model 1.0.0",
        "reader's own, before any model's answer",
        "accepted from Other 2.0.0",
    ]


@pytest.mark.parametrize(
    "stated",
    [
        Interpretation("HU"),
        Interpretation("HU", 0.1 + 0.2, -1024.3, (0.7, 0.8), 1.25, "feet-first", "2026-11-22"),
        Interpretation("HU", -1e-5, 1e5),
        Interpretation("", pixel_spacing=(1e-4, 999.5)),
        Interpretation(None, slice_spacing=2.5, order="head-first"),
    ],
)
def test_what_was_stated_of_images_survives_the_table(tmp_path, stated):
    first = study(1, "p1")
    source = ReadStudies([LabelledStudy(first.content, "k", first.place, "p1", first.label, stated)])
    export_read_studies(source, tmp_path / "t.csv")
    (row,) = read_labels(tmp_path / "t.csv", in_folder=False)
    found = row.stated.meaning
    for name in ("unit", "slope", "intercept", "pixel_spacing", "slice_spacing", "order"):
        assert getattr(found, name) == getattr(stated, name), name


@pytest.mark.parametrize("text", ["xx", "xx0", "xx1x2", "xxa"])
def test_a_distance_of_slices_alone_is_checked_too(text):
    with pytest.raises(InputError, match=f"The statement {text}"):
        read_statement(spacing=text)


@pytest.fixture
def read() -> Callable[[StudyFolder, str], LabelledStudy]:
    """A study of a folder as the viewer would keep it."""

    def make(folder: StudyFolder, name: str, stated: Interpretation | None = None) -> LabelledStudy:
        volume, _ = folder.load(name)
        content = content_digest(tuple(volume.slice_digest(i) for i in range(volume.slice_count)))
        place = place_of(volume.series)
        assert place is not None
        label = StudyLabel(("x",), (), AT)
        key = volume.series.key.partition("~")[0]
        return LabelledStudy(content, key, place, patient_digest(volume.series), label, stated)

    return make


def test_a_series_among_others_is_loaded_and_refused_once_it_changed(tmp_path, read):
    hu = np.random.default_rng(1).integers(-1000, 200, (6, 16, 16)).astype(np.int16)
    geometry = Geometry(hu.shape, np.arange(6)[:, None] * np.array([[0.0, 0.0, 2.0]]), pixel_spacing=(2.0, 2.0))
    one, two = tmp_path / "s" / "one", tmp_path / "s" / "two"
    write_ct_series(one, hu, geometry=geometry, attributes=SeriesAttributes(patient_id="P", kernel="LUNG"))
    write_ct_series(two, hu[::-1].copy(), geometry=geometry, attributes=SeriesAttributes(patient_id="P"))
    (tmp_path / "labels.csv").write_text("study,patient,class\ns/two,p,x\n")
    labelled = read(StudyFolder(tmp_path), "s/two")
    assert labelled.place == two
    source = ReadStudies([labelled])
    (name,) = source.ids()
    volume, _ = source.load(name)
    assert np.array_equal(volume.hu(2), hu[::-1][2].astype(np.float32))
    (two / "IM0002.dcm").unlink()
    with pytest.raises(InputError, match="changed since its class was stated"):
        source.load(name)


def test_a_grid_is_loaded_with_what_was_stated_of_it(tmp_path, read):
    hu = np.random.default_rng(1).integers(-1000, 200, (6, 16, 16)).astype(np.int16)
    nibabel.save(
        nibabel.Nifti1Image((hu + 1024).transpose(2, 1, 0), np.diag([-2.0, -2.0, 2.0, 1.0])), tmp_path / "g.nii"
    )
    (tmp_path / "labels.csv").write_text("study,patient,class,values\ng,p,x,hu+1024\n")
    source = ReadStudies([read(StudyFolder(tmp_path), "g", Interpretation("HU", 1.0, -1024.0, stated_on="2026-11-22"))])
    export_read_studies(source, tmp_path / "out" / "t.csv")
    for studies in (source, StudyFolder(None, labels=tmp_path / "out" / "t.csv")):
        volume, _ = studies.load(studies.ids()[0])
        assert volume.unit == "HU" and np.array_equal(volume.hu(3), hu[3].astype(np.float32))
