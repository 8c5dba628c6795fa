"""Against SimpleITK's series reader, in one run: order, positions, spacing, directions and values.

SimpleITK sorts along the normal too, but takes the mean of the gaps for the spacing and one direction for all: where a
stack is no regular volume it is wrong without a word in the image, and that is stated here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ctviewer.core.series import VolumeUse
from ctviewer.dicom import load_volume

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def _peer(folder: Path, uid: str) -> tuple[sitk.Image, list[Path]]:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    return reader.Execute(), [Path(name) for name in names]


def _same_values(volume, image: sitk.Image, names: list[Path]) -> None:
    """Each slice by its file, so that either direction of z is the same."""
    values = sitk.GetArrayViewFromImage(image)
    assert values.shape == volume.stored.shape
    where = {ref.path.name: index for index, ref in enumerate(volume.series.slices)}
    for z, name in enumerate(names):
        assert np.array_equal(volume.hu(where[name.name]), values[z].astype(np.float32)), name.name


def _same_place(volume, image: sitk.Image, names: list[Path]) -> None:
    """Every voxel corner of every slice lies where SimpleITK says, and steps and directions are equal."""
    geometry = volume.geometry
    where = {ref.path.name: index for index, ref in enumerate(volume.series.slices)}
    _, rows, columns = volume.stored.shape
    for z, name in enumerate(names):
        for row, column in ((0, 0), (rows - 1, 0), (0, columns - 1), (rows - 1, columns - 1)):
            theirs = image.TransformIndexToPhysicalPoint((column, row, z))
            np.testing.assert_allclose(geometry.point(where[name.name], row, column), theirs, atol=2e-3)
    directions = np.array(image.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(directions[:, 0], geometry.row_cosines, atol=1e-5)
    np.testing.assert_allclose(directions[:, 1], geometry.column_cosines, atol=1e-5)
    assert abs(directions[:, 2] @ geometry.normal) == pytest.approx(1, abs=1e-5)
    assert image.GetSpacing()[:2] == pytest.approx(geometry.pixel_spacing[::-1])
    if volume.slice_count > 1:
        assert image.GetSpacing()[2] == pytest.approx(geometry.slice_spacing, abs=1e-4)


REAL = [
    "covid_ct_md/P001",
    "covid_ct_md/normal001",
    "lung_pet_ct_dx_A0002/series_B70f",
    "lung_pet_ct_dx_A0002/series_B40f",
    "lidc_0003/slices",
]


@pytest.mark.parametrize("name", REAL)
def test_a_real_series(shared_data, only, name):
    series = only(shared_data / name)
    volume, (image, names) = load_volume(series), _peer(shared_data / name, series.uid)
    assert series.use is VolumeUse.VOLUME and {p.name for p in names} == {ref.path.name for ref in series.slices}
    _same_values(volume, image, names)
    _same_place(volume, image, names)


@pytest.mark.parametrize("ending", ["2", "2.1", "2.2", "2.5", "2.1.99", "2.4.57", "2.4.70", "2.4.80", "2.4.90"])
def test_an_encoding(shared_data, tmp_path, only, ending):
    (path,) = (shared_data / "encodings").glob(f"CTImage*_1.2.840.10008.1.{ending}.dcm")
    alone = tmp_path / "image.dcm"
    alone.write_bytes(path.read_bytes())
    volume = load_volume(only(alone))
    image = sitk.ReadImage(str(alone))
    _same_values(volume, image, [alone])
    _same_place(volume, image, [alone])


PLANES = ["axial", "axial prone", "axial feet up", "coronal", "sagittal", "oblique"]


@pytest.mark.parametrize("compress", [None, "jpeg_lossless"])
@pytest.mark.parametrize("numbers", ["forward", "reversed", "shuffled"])
@pytest.mark.parametrize("plane", PLANES)
def test_a_synthetic_series(written, edit, only, plane, numbers, compress):
    made = written(plane=plane, compress=compress, intercept=-1024.0, slope=1.0)
    order = {"forward": range(1, 8), "reversed": range(7, 0, -1), "shuffled": [5, 1, 7, 3, 2, 6, 4]}[numbers]
    edit(made.paths, lambda dataset, index: setattr(dataset, "InstanceNumber", order[index]))
    for path, number in zip(made.paths, order, strict=True):
        path.rename(made.folder / f"slice{number}.dcm")
    series = only(made.folder)
    volume, (image, names) = load_volume(series), _peer(made.folder, series.uid)
    _same_values(volume, image, names)
    _same_place(volume, image, names)
    assert np.array_equal(volume.stored, made.stored)


def test_rescale_of_each_slice(written, edit, only):
    """Slopes may differ from slice to slice, as in PET; a common one would be wrong."""
    made = written()

    def rescale(dataset, index):
        dataset.RescaleSlope, dataset.RescaleIntercept = 1 + index / 4, -1000 + index

    edit(made.paths, rescale)
    series = only(made.folder)
    volume = load_volume(series)
    for index, ref in enumerate(series.slices):
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(ref.path)))[0]
        np.testing.assert_allclose(volume.hu(index), theirs, rtol=1e-6)


def test_missing_slices_give_simpleitk_a_wrong_spacing(written, only):
    made = written(shape=(9, 6, 6))
    for index in (3, 4):
        made.paths[index].unlink()
    series = only(made.folder)
    image, names = _peer(made.folder, series.uid)
    volume = load_volume(series)
    _same_values(volume, image, names)
    assert series.slice_spacing == pytest.approx(2.5), "what the slices have"
    assert image.GetSpacing()[2] == pytest.approx(20 / 6), "the mean, so that every place after the hole is wrong"
    assert series.use is VolumeUse.SLICES_ONLY


def test_a_tilted_gantry_gives_simpleitk_a_wrong_spacing_and_no_shear(written, edit, only):
    made = written(plane="axial")
    lean = np.tan(np.radians(20)) * 2.5

    def tilt(dataset, index):
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + lean * index, z]

    edit(made.paths, tilt)
    series = only(made.folder)
    image, names = _peer(made.folder, series.uid)
    volume = load_volume(series)
    _same_values(volume, image, names)
    assert series.slice_spacing == pytest.approx(2.5), "perpendicular"
    assert image.GetSpacing()[2] == pytest.approx(2.5 / np.cos(np.radians(20)), abs=1e-4), "along the table"
    last = np.array(image.TransformIndexToPhysicalPoint((0, 0, 6)))
    assert np.linalg.norm(last - volume.geometry.origins[6]) > 5, "its last slice lies beside its true place"
    assert series.use is VolumeUse.SHEARED


def test_repeated_positions_make_simpleitk_leave_the_order(written, edit, only):
    """GDCM falls back on image numbers where two slices share a position; ours stay in order, and it is told."""
    made = written()

    def repeat(dataset, index):
        dataset.InstanceNumber = (index * 5) % 7
        if index == 3:
            dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], dataset.ImagePositionPatient[2] + 2.5]

    edit(made.paths, repeat)
    series = only(made.folder)
    _, names = _peer(made.folder, series.uid)
    heights = {ref.path.name: ref.position[2] for ref in series.slices}
    theirs = [heights[name.name] for name in names]
    assert theirs not in (sorted(theirs), sorted(theirs)[::-1])
    assert [ref.position[2] for ref in series.slices] == sorted(theirs)
    assert series.use is VolumeUse.SLICES_ONLY
