from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.series import Severity


def _move(offsets):
    """Shift slices by mm (LPS): index to offset."""

    def change(dataset, index):
        offset = offsets(index) if callable(offsets) else offsets.get(index, (0, 0, 0))
        dataset.ImagePositionPatient = [float(a) + b for a, b in zip(dataset.ImagePositionPatient, offset, strict=True)]

    return change


def test_missing_slices_are_counted_and_placed(written, only, notice_of):
    made = written(series_number=3, shape=(9, 8, 8))
    for index in (3, 4, 7):
        made.paths[index].unlink()
    series = only(made.folder)
    notice = notice_of(series, "missing-slices")
    assert notice.text.startswith(
        "3 slices are missing: 2 between Se 3 / Im 7 (z 35.0 mm) and Se 3 / Im 4 (z 42.5 mm), 1 "
    )
    assert notice.slices == (2, 3, 4, 5)
    assert series.slice_spacing == pytest.approx(2.5)
    assert not series.private.geometry.is_regular()


def test_small_irregular_gaps_are_information(written, edit, only, notice_of):
    made = written()
    edit(made.paths, _move({3: (0, 0, 0.2)}))
    notice = notice_of(only(made.folder), "irregular-gaps")
    assert notice.severity is Severity.INFO and notice.slices == (2, 3, 4)


def test_large_irregular_gaps_are_no_volume(written, edit, only, notice_of):
    made = written()
    edit(made.paths, _move({3: (0, 0, 0.9)}))
    series = only(made.folder)
    assert "2-D reading only" in notice_of(series, "irregular-gaps").text
    assert not series.private.geometry.is_regular()


def test_rounded_positions_are_regular(written, edit, only):
    made = written(step=0.625, shape=(40, 6, 6))
    edit(made.paths, lambda d, i: setattr(d, "ImagePositionPatient", [0, 0, f"{30 + 0.625 * i:.2f}"]))
    assert only(made.folder).notices == ()


def test_duplicate_positions_are_told(written, edit, only, notice_of):
    made = written()
    edit(made.paths, _move({3: (0, 0, 2.5)}))
    series = only(made.folder)
    assert notice_of(series, "duplicate-positions").slices == (3, 4)
    assert len(series.slices) == 7


@pytest.mark.parametrize("degrees", [5.0, -15.0])
def test_gantry_tilt_is_measured(written, edit, only, notice_of, degrees):
    made = written()
    shear = np.tan(np.radians(degrees)) * 2.5
    edit(made.paths, _move(lambda i: (0, shear * i, 0)))
    notice = notice_of(only(made.folder), "gantry-tilt")
    assert f"{abs(degrees):.1f} degrees" in notice.text


def test_a_shifted_slice_is_told_and_no_tilt(written, edit, only, notice_of):
    made = written()
    edit(made.paths, _move({4: (12, 0, 0)}))
    series = only(made.folder)
    assert notice_of(series, "shifted-slices").slices == (4,)
    assert [notice.code for notice in series.notices] == ["shifted-slices"]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal", "oblique", "axial prone"])
def test_straight_series_have_no_notices(written, only, plane):
    assert only(written(plane=plane).folder).notices == ()


def test_non_square_pixels(written, edit, only, notice_of):
    made = written()
    edit(made.paths, PixelSpacing=[0.5, 0.75])
    series = only(made.folder)
    assert series.pixel_spacing == (0.5, 0.75)
    assert "0.5 mm between rows, 0.75 mm between columns" in notice_of(series, "non-square-pixels").text


@pytest.mark.parametrize("spacing", [None, [0, 0], [-1, 1], ""])
def test_no_spacing(written, edit, only, notice_of, spacing):
    made = written()
    edit(made.paths, PixelSpacing=spacing)
    series = only(made.folder)
    assert series.pixel_spacing is None
    notice_of(series, "no-spacing")


def test_lossy_compression_is_told_with_its_ratio(written, edit, only, notice_of):
    made = written()
    edit(made.paths, LossyImageCompression="01", LossyImageCompressionRatio=[4.5, 9])
    series = only(made.folder)
    assert series.lossy and "9 to 1" in notice_of(series, "lossy-compression").text


def test_lossy_slices_among_others_are_named(written, edit, only, notice_of):
    made = written()
    edit(made.paths[2], LossyImageCompression="01")
    assert notice_of(only(made.folder), "lossy-compression").slices == (2,)


def test_no_notice_holds_patient_data(written, edit, catalog):
    made = written(patient_name="Secret^Name", patient_id="ID-4711", birth_date="19600101", description="Secret study")
    edit(made.paths, _move(lambda i: (0, 0.9 * i, 0.5 * (i % 2))), PixelSpacing=[1, 2], LossyImageCompression="01")
    edit(made.paths[1:3], ConvolutionKernel="X", RescaleSlope=None)
    texts = " ".join(notice.text for series in catalog(made.folder).series for notice in series.notices)
    assert len(texts) > 100
    for secret in ("Secret", "4711", "1960", "Name"):
        assert secret not in texts
