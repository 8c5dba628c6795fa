from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.slices import HU
from ctviewer.core.upright import Upright
from ctviewer.datasets.scanned import scanned_chests
from ctviewer.datasets.slices import samples
from ctviewer.datasets.slices.series_samples import lidc_place
from ctviewer.dicom import scan

BOX = "<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_phantom):
    """A chest with LIDC's contours; tests add to copies of it."""
    place = tmp_path_factory.mktemp("scanned")
    samples.SAMPLES["lidc"](place, [tiny_phantom])
    return place / "LIDC-IDRI-0001"


def uids(folder):
    """SOPInstanceUIDs, head to feet."""
    *_, done = scan(folder)
    assert isinstance(done, Done)
    (series,) = done.value.series
    return [ref.sop_instance_uid for ref in sorted(series.slices, key=lambda ref: -ref.position[2])]


def upright(phantom, array):
    """Of the phantom's own, head to feet in patient axes."""
    return Upright.of(phantom.geometry).apply(array[phantom.geometry.display_order])


@pytest.fixture
def boxes(folder):
    """Writes boxes beside the series; they are gone afterwards."""
    place = folder / "boxes"
    place.mkdir()
    yield lambda name, text=BOX: (place / f"{name}.xml").write_text(text)
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


def test_a_series_with_its_lungs(folder, tiny_phantom):
    (chest,) = scanned_chests(folder)
    slices, count = chest.slices, tiny_phantom.spec.slices
    assert (chest.patient, chest.name, chest.left_out) == ("LIDC-IDRI-0001", f"LIDC-IDRI-0001 {chest.kernel}", 0)
    assert list(slices.names) == uids(folder / "series") and slices.neighbours and slices.unit == HU
    assert slices.label_classes == ("background", "lung") and slices.complete.all()
    truth = upright(tiny_phantom, tiny_phantom.labels >= 1)
    found = slices.labels == 1
    assert len(found) == count
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_nodules_are_a_class_where_they_are_asked_for(folder, tiny_phantom):
    (plain,), (chest,) = scanned_chests(folder), scanned_chests(folder, nodules=True)
    assert chest.slices.label_classes == ("background", "lung", "nodule")
    index, row, column = lidc_place(tiny_phantom)
    middle = np.zeros(tiny_phantom.labels.shape, bool)
    middle[index, row, column] = True
    assert (chest.slices.labels[upright(tiny_phantom, middle)] == 2).all()
    outside = chest.slices.labels != 2
    np.testing.assert_array_equal(chest.slices.labels[outside], plain.slices.labels[outside])


@pytest.mark.parametrize(("margin", "out"), [(0, {4}), (1, {3, 4, 5}), (2, {2, 3, 4, 5, 6})])
def test_slices_with_a_tumour_and_beside_it_are_left_out(folder, boxes, margin, out):
    names = uids(folder / "series")
    boxes(names[4])
    boxes(names[8], "<annotation/>")  # of a slice without any
    (chest,) = scanned_chests(folder, margin)
    assert list(chest.slices.names) == [name for i, name in enumerate(names) if i not in out]
    assert chest.left_out == len(out) and not chest.slices.neighbours


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<annotation>", "is damaged: it is no XML"),
        ("<other/>", "is no file of boxes: it begins with 'other'"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "defines entities"),
        (BOX, "are of slices that the series beside them do not have"),
    ],
)
def test_boxes_that_cannot_be_used(folder, boxes, text, told):
    boxes("1.2.3", text)
    with pytest.raises(InputError, match=told):
        scanned_chests(folder)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        scanned_chests(tmp_path / "none")


def test_real_chests(shared_data):
    chests = scanned_chests(shared_data / "lung_pet_ct_dx_A0002")
    assert [chest.kernel for chest in chests] == ["B40f", "B70f"] and {chest.left_out for chest in chests} == {12}
    volumes = [(chest.slices.labels == 1).sum() for chest in chests]
    assert abs(volumes[0] / volumes[1] - 1) < 0.03  # two kernels, one pair of lungs
    (chest,) = scanned_chests(shared_data / "lidc_0003", nodules=True)
    areas = (chest.slices.labels >= 1).sum(axis=(1, 2)) * 0.820312**2 / 100
    assert len(areas) == 11 and areas.min() > 250 and areas.max() < 320  # cm²; looked at
    assert (chest.slices.labels == 2).any(axis=(1, 2)).sum() == 7
