"""Real series, against plain pydicom and the files' own numbers."""

from __future__ import annotations

import csv

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.core.windowing import Window
from ctviewer.dicom import analysis_candidate, load_volume, scan, thumbnail


@pytest.mark.parametrize(("name", "count"), [("P001", 148), ("normal001", 154)])
def test_whole_chests(shared_data, only, name, count):
    series = only(shared_data / "covid_ct_md" / name)
    assert (len(series.slices), series.rows, series.columns) == (count, 512, 512)
    assert series.plane is Plane.AXIAL and series.slice_spacing == pytest.approx(2.0)
    assert series.transfer_syntax == "JPEG Lossless" and not series.lossy and series.is_original
    assert series.notices == ()
    heights = [ref.position[2] for ref in series.slices]
    assert heights == sorted(heights)
    names = [ref.path.name for ref in series.slices]
    assert names != sorted(names) and names != sorted(names)[::-1]


def test_values_of_p001(shared_data, only):
    series = only(shared_data / "covid_ct_md" / "P001")
    volume = load_volume(series)
    assert volume.stored.dtype == np.uint16 and volume.unit == "HU" and volume.padding is None
    assert volume.windows == (Window(50, 350), Window(-600, 1200))
    assert volume.loaded.all() and not volume.failed.any()
    for index in range(0, 148, 7):
        dataset = pydicom.dcmread(series.slices[index].path)
        frame = imagecodecs.ljpeg_decode(get_frame(dataset.PixelData, 0, number_of_frames=1))
        assert np.array_equal(volume.stored[index], frame), "another decoder than the program's"
        assert volume.stored[index].max() == dataset.LargestImagePixelValue
        assert np.array_equal(volume.hu(index), frame.astype(np.float32) - 1024)
    assert volume.citation(0) == f"Se 4 / Im {pydicom.dcmread(series.slices[0].path).InstanceNumber}"


def test_labels_of_p001_are_keyed_by_our_uids_from_head_to_feet(shared_data, only):
    series = only(shared_data / "covid_ct_md" / "P001")
    with (shared_data / "covid_ct_md" / "P001_slice_labels.csv").open() as file:
        rows = list(csv.reader(file))
    uids = [cell for row in rows for cell in row if cell.startswith("2.25.")]
    shown = [series.slices[index].sop_instance_uid for index in series.private.geometry.display_order]
    assert shown == uids


def test_two_kernels_in_one_study(shared_data, catalog):
    found = catalog(shared_data / "lung_pet_ct_dx_A0002")
    assert {series.kernel: len(series.slices) for series in found.series} == {"B70f": 30, "B40f": 30}
    assert len({series.study.uid for series in found.series}) == 1
    assert analysis_candidate(found, found.series[0]).kernel == "B70f"
    for series in found.series:
        assert series.slice_spacing == series.thickness == 8.0 and series.notices == ()
        volume = load_volume(series)
        for index in (0, 15, 29):
            assert np.array_equal(volume.stored[index], pydicom.dcmread(series.slices[index].path).pixel_array)


def test_lidc(shared_data, only, notice_of):
    volume = load_volume(only(shared_data / "lidc_0003"))
    assert volume.series.slice_spacing == pytest.approx(2.5) and volume.padding == (-2000, -2000)
    notice_of(volume.series, "padding")
    for index, ref in enumerate(volume.series.slices):
        assert np.array_equal(volume.stored[index], pydicom.dcmread(ref.path).pixel_array)
        assert f"{ref.position[2]:.6f}" in ref.path.name


@pytest.mark.parametrize(
    ("folder", "code", "words"),
    [
        ("sliceincrement/001", "missing-slices", "1 between Se 2 / Im 9 (z 28.1 mm) and Se 2 / Im 10 (z 38.1 mm)"),
        ("sliceincrement/002", "missing-slices", "1 slice is missing"),
        ("sliceincrement/002", "gantry-tilt", "15.5 degrees"),
        ("gantrytilting/001", "gantry-tilt", "14.0 degrees"),
        ("notavolume/001", "one-position", "All 4 slices lie at one position (z 61.5 mm)"),
    ],
)
def test_geometry_faults(shared_data, only, notice_of, folder, code, words):
    assert words in notice_of(only(shared_data / "geometry_faults" / folder), code).text


def test_mixed_orientations(shared_data, catalog, notice_of):
    found = catalog(shared_data / "geometry_faults" / "sliceorientation")
    assert {series.plane for series in found.series} == {Plane.AXIAL, Plane.SAGITTAL}
    for series in found.series:
        assert len(series.slices) == 2 and series.modality == "MR" and series.readable
        assert "orientation" in notice_of(series, "series-split").text


def test_copies_in_many_encodings_are_one_slice(shared_data, catalog, notice_of):
    """Nine files hold the same slice in nine lossless encodings."""
    found = catalog(shared_data / "encodings")
    (original,) = [series for series in found.series if series.is_original and series.modality == "CT"]
    assert len(original.slices) == 1 and len(notice_of(original, "copies-dropped").paths) == 8
    reasons = {series.modality: series.reason for series in found.series if not series.readable}
    assert "structured report" in reasons["SR"] and "Colour images" in reasons["US"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("oracle", "holds no DICOM files"),
        ("encodings/no-pixel-data.dcm", "structured report"),
        ("encodings/no-pixel-spacing.dcm", "Colour images cannot be shown yet"),
        ("lidc_0003/72.xml", "is not a DICOM file"),
    ],
)
def test_refusals(shared_data, path, words):
    with pytest.raises(InputError, match=words):
        list(scan(shared_data / path))


def test_one_file_opens_its_series(shared_data, only):
    assert len(only(shared_data / "covid_ct_md" / "P001" / "IM_77.dcm").slices) == 148


def test_thumbnail_of_p001(shared_data, only):
    picture = thumbnail(only(shared_data / "covid_ct_md" / "P001"))
    assert picture.shape == (96, 96) and picture.dtype == np.uint8
    assert picture[0, 0] == 0 and picture.max() > 150, "air is black, soft tissue is not"
