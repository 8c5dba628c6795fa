from __future__ import annotations

from pathlib import Path

import pytest

from ctviewer.core.geometry import Plane
from ctviewer.core.series import Catalog, Patient, Series, SliceRef, Study, VolumeUse
from ctviewer.dicom import analysis_candidate
from ctviewer.dicom.preference import has_lung_kernel, preference


def _series(key: str, count: int = 100, study: str = "1", **facts) -> Series:
    slices = tuple(SliceRef(Path(f"{key}{i}")) for i in range(count))
    defaults = {"plane": Plane.AXIAL, "thickness": 1.0, "slice_spacing": 1.0, "is_original": True}
    modality, patient = facts.pop("modality", "CT"), facts.pop("patient", Patient("A"))
    return Series(key, key, modality, patient, Study(uid=study), slices, 512, 512, **defaults | facts)


def _keys(*series: Series) -> list[str]:
    return [one.key for one in sorted(series, key=preference)]


def test_the_largest_original_axial_ct_opens():
    order = [
        _series("large", 300),
        _series("small", 100),
        _series("bolus", 350, slice_spacing=None),
        _series("coronal", 400, plane=Plane.CORONAL),
        _series("mip", 500, is_original=False, image_type=("DERIVED", "SECONDARY", "MIP")),
        _series("scout", 2, is_localizer=True, is_original=False),
        _series("mr", 600, modality="MR"),
        _series("report", 1, modality="SR", readable=False),
    ]
    assert _keys(*reversed(order)) == [series.key for series in order]


def test_ties_go_to_the_series_number():
    assert _keys(_series("b", number=3), _series("a", number=None), _series("c", number=2)) == ["c", "b", "a"]


@pytest.mark.parametrize(
    "kernel", ["LUNG", "B70f", "B60s", "Bl57d\\3", "Br59f", "I70f", "FC51", "FC86", "L", "YB", "D60s", "lung"]
)
def test_lung_kernels(kernel):
    assert has_lung_kernel(_series("x", kernel=kernel))


@pytest.mark.parametrize(
    "kernel", ["STANDARD", "B40f", "B30f", "Br40d\\3", "D40s", "FC08", "FC13", "SOFT", "", "B", "C"]
)
def test_other_kernels(kernel):
    assert not has_lung_kernel(_series("x", kernel=kernel))


def test_a_description_may_name_the_lung():
    assert has_lung_kernel(_series("x", kernel="C", description="Thorax LUNG 1.0"))


def test_analysis_takes_the_thinnest_lung_series_of_its_study():
    catalog = Catalog(
        Path(),
        (
            _series("soft thin", kernel="B30f", thickness=0.6, slice_spacing=0.6),
            _series("lung hole", kernel="B70f", thickness=0.5, slice_spacing=0.5, use=VolumeUse.SLICES_ONLY),
            _series("lung thick", kernel="B70f", thickness=5.0, slice_spacing=5.0),
            _series("lung thin", kernel="B70f", thickness=1.0, slice_spacing=0.8),
            _series("lung gaps", kernel="B70f", thickness=0.6, slice_spacing=10.0),
            _series("lung few", 5, kernel="B70f", thickness=0.6, slice_spacing=0.6),
            _series("lung coronal", kernel="B70f", thickness=0.6, slice_spacing=0.6, plane=Plane.CORONAL),
            _series("lung derived", kernel="B70f", thickness=0.6, slice_spacing=0.6, is_original=False),
            _series("lung of another study", study="2", kernel="B70f", thickness=0.5, slice_spacing=0.5),
            _series("lung of another patient", patient=Patient("B"), kernel="B70f", thickness=0.5, slice_spacing=0.5),
        ),
    )
    assert analysis_candidate(catalog, catalog.series[0]).key == "lung thin"
    for last in catalog.series[-2:]:
        assert analysis_candidate(catalog, last) is last


def test_without_a_lung_kernel_the_thinnest():
    catalog = Catalog(
        Path(),
        (
            _series("thick", thickness=5.0),
            _series("thin", thickness=2.0),
            _series("none", thickness=None, slice_spacing=None),
        ),
    )
    assert analysis_candidate(catalog, catalog.series[0]).key == "thin"


def test_a_study_without_ct_has_no_candidate():
    catalog = Catalog(Path(), (_series("mr", modality="MR"), _series("bad", readable=False)))
    assert analysis_candidate(catalog, catalog.series[0]) is None
