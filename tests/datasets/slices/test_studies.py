from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from seg_files import frames_of, write_seg

from ctviewer.core.errors import InputError
from ctviewer.core.slices import HU
from ctviewer.datasets.label_table import LabelRow, read_labels, write_labels
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.slices import open_slice_source, samples
from ctviewer.dicom import load_volume, scan, write_ct_series

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def volume_in(folder: Path):
    *_, done = scan(folder)
    return load_volume(done.value.series[0])


@pytest.fixture
def study(tmp_path, phantoms):
    """A set of one COVID-19 study without masks, and its volume."""
    phantom = phantoms[2]
    origins = np.round(phantom.geometry.origins, 4)
    write_ct_series(tmp_path / "s1", phantom.hu, geometry=replace(phantom.geometry, origins=origins))
    write_labels(tmp_path / "labels.csv", [LabelRow("s1", "p1", ("COVID-19",))])
    return tmp_path, phantom, volume_in(tmp_path / "s1")


def row_of(folder, **changes):
    (row,) = read_labels(folder / "labels.csv", classless=True)
    write_labels(folder / "labels.csv", [replace(row, **changes)])


def affine_of(volume):
    """Index (column, row, slice) to RAS mm."""
    geometry = volume.geometry
    step = (geometry.origins[-1] - geometry.origins[0]) / (geometry.shape[0] - 1)
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(geometry.row_cosines) * geometry.pixel_spacing[1]
    affine[:3, 1] = np.asarray(geometry.column_cosines) * geometry.pixel_spacing[0]
    affine[:3, 2], affine[:3, 3] = step, geometry.origins[0]
    return LPS_TO_RAS @ affine


def write_nifti(path, labels, affine, order=(0, 1, 2), flips=(False, False, False)):
    """`labels` [slices, rows, columns] stored with its axes in any order and direction, placed by nibabel's own means."""
    image = nibabel.Nifti1Image(labels.transpose(2, 1, 0).astype(np.uint8), affine)
    orientation = np.array([[axis, -1 if flip else 1] for axis, flip in zip(order, flips, strict=True)])
    nibabel.save(image.as_reoriented(orientation), path)


def check(folder, phantom, **options):
    """The lesions of the one study lie where the phantom has them, head to feet."""
    got = open_slice_source("studies", folder, **options).load_slices("s1")
    by_name = {ref.sop_instance_uid: index for index, ref in enumerate(volume_in(folder / "s1").series.slices)}
    indices = [by_name[name] for name in got.names]
    assert indices == sorted(indices, reverse=True)  # the head has the highest z
    np.testing.assert_array_equal(got.labels, phantom.labels[indices])
    np.testing.assert_allclose(got.pixels, phantom.hu[indices])
    return got


def test_the_sample(tmp_path, phantoms):
    samples.SAMPLES["studies"](tmp_path, phantoms)
    source = open_slice_source("studies", tmp_path)
    assert [source.classes(scan) for scan in source.ids()] == [("control",), ("common pneumonia",), ("COVID-19",)]
    assert source.patient(source.ids()[2]) == "patient-2"
    got = source.load_slices(source.ids()[2])
    assert got.unit == HU
    assert got.complete.all()
    assert got.neighbours
    assert got.label_classes == ("background", "lung", "ground glass", "consolidation")
    np.testing.assert_array_equal(got.labels, phantoms[2].labels[::-1])
    wanted = ["COVID-19" if infected else "control" for infected in phantoms[2].infected_slices[::-1]]
    assert list(got.image_classes) == wanted
    assert set(source.load_slices(source.ids()[0]).image_classes) == {"control"}
    partial = open_slice_source("studies", tmp_path, complete="no").load_slices(source.ids()[2])
    assert not partial.complete.any()
    assert set(partial.image_classes) == {"COVID-19", ""}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_nifti_by_affine_however_its_axes_are_stored(study, order):
    folder, phantom, volume = study
    (folder / "masks").mkdir()
    for number, flips in enumerate(product([False, True], repeat=3)):
        path = folder / "masks" / f"{number}.nii"
        write_nifti(path, phantom.labels, affine_of(volume), order, flips)
        row_of(folder, masks=f"masks/{number}.nii")
        check(folder, phantom)


def test_nifti_beside_a_tilted_series(tmp_path, phantoms):
    phantom = phantoms[2]
    sheared = phantom.geometry.origins + np.outer(np.arange(10), (0.0, 1.7, 0.0))
    write_ct_series(tmp_path / "s1", phantom.hu, geometry=replace(phantom.geometry, origins=np.round(sheared, 4)))
    write_labels(tmp_path / "labels.csv", [LabelRow("s1", "p1", ("COVID-19",))])
    (tmp_path / "masks").mkdir()
    volume = volume_in(tmp_path / "s1")
    write_nifti(tmp_path / "masks" / "s1.nii.gz", phantom.labels, affine_of(volume))
    check(tmp_path, phantom)
    straight = affine_of(volume)
    straight[1, 2] = 0.0  # a program that forgot the tilt
    write_nifti(tmp_path / "masks" / "s1.nii.gz", phantom.labels, straight)
    with pytest.raises(InputError, match=r"s1\.nii\.gz cannot be used as a mask: its pixels lie between those"):
        open_slice_source("studies", tmp_path).load_slices("s1")


def test_a_prone_series_is_brought_upright_with_its_masks(tmp_path, phantoms):
    """Rows and columns run the other way in the file; the labels of a PNG are as stored, the result is upright."""
    phantom = phantoms[2]
    place = phantom.geometry
    far = np.round(place.origins + np.array((63 * place.pixel_spacing[1], 63 * place.pixel_spacing[0], 0.0)), 4)
    turned = replace(place, origins=far, row_cosines=(-1.0, 0.0, 0.0), column_cosines=(0.0, -1.0, 0.0))
    write_ct_series(tmp_path / "s1", np.ascontiguousarray(phantom.hu[:, ::-1, ::-1]), geometry=turned)
    write_labels(tmp_path / "labels.csv", [LabelRow("s1", "p1", ("COVID-19",), complete=True)])
    (tmp_path / "masks" / "s1").mkdir(parents=True)
    for index, ref in enumerate(volume_in(tmp_path / "s1").series.slices):
        labels = np.ascontiguousarray(phantom.labels[index, ::-1, ::-1])
        (tmp_path / "masks" / "s1" / f"{ref.sop_instance_uid}.png").write_bytes(png_bytes(labels))
    check(tmp_path, phantom)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda affine: affine @ np.diag([2.0, 2.0, 1.0, 1.0]), "its pixels are not those of the series"),
        (
            lambda affine: affine + np.array([[0, 0, 0, 0.5], *[[0.0] * 4] * 3]),
            "its pixels lie between|lies at no slice",
        ),
        (
            lambda affine: affine + np.array([*[[0.0] * 4] * 2, [0, 0, 0, 1e3], [0.0] * 4]),
            "it lies at no slice of the series",
        ),
    ],
)
def test_nifti_that_lies_elsewhere_is_refused(study, change, told):
    folder, phantom, volume = study
    (folder / "masks").mkdir()
    affine = affine_of(volume)
    if "between" in told:
        change = lambda affine: affine + np.outer([1, 0, 0, 0], [0, 0, 0, volume.geometry.pixel_spacing[1] / 2])  # noqa: E731
    write_nifti(folder / "masks" / "s1.nii", phantom.labels, change(affine))
    with pytest.raises(InputError, match=rf"s1\.nii cannot be used as a mask: .*({told})"):
        open_slice_source("studies", folder).load_slices("s1")


def test_nifti_with_thicker_slices_leaves_slices_out_and_is_refused(study):
    folder, phantom, volume = study
    (folder / "masks").mkdir()
    thick = affine_of(volume) @ np.diag([1, 1, 2, 1.0])
    write_nifti(folder / "masks" / "s1.nii", phantom.labels[::2], thick)
    with pytest.raises(InputError, match=r"of the series it leaves out 4 slices between its own"):
        open_slice_source("studies", folder).load_slices("s1")
    (folder / "masks" / "s1.nii").unlink()
    larger = np.zeros((14, 64, 64), np.uint8)  # beyond the series on both sides, where nothing is marked
    larger[2:12] = phantom.labels
    shifted = affine_of(volume)
    shifted[:, 3] = shifted @ [0, 0, -2, 1]
    write_nifti(folder / "masks" / "s1.nii", larger, shifted)
    check(folder, phantom)


def test_nifti_that_is_no_label_map_is_refused(study):
    folder, phantom, volume = study
    (folder / "masks").mkdir()
    for values, told in (
        (phantom.labels * 0.3, "holds values that are no labels"),
        (phantom.labels * 2, "holds the value 4, and its labels"),
    ):
        image = nibabel.Nifti1Image(values.transpose(2, 1, 0).astype(np.float32), affine_of(volume))
        nibabel.save(image, folder / "masks" / "s1.nii")
        with pytest.raises(InputError, match=told):
            open_slice_source("studies", folder).load_slices("s1")


def test_segmentations_one_for_each_class(study):
    folder, phantom, volume = study
    for value, label in ((1, "Lung"), (2, "GGO"), (3, "consolidation")):
        frames = frames_of(volume, phantom.labels == value)
        write_seg(folder / "masks" / "s1" / f"{label}.dcm", frames, {1: label}, volume.series.uid)
    got = check(folder, phantom)
    assert not got.complete.any()
    assert set(got.image_classes) == {"COVID-19", ""}


def test_a_segment_of_an_unknown_class_is_refused_and_a_legend_makes_it_known(study):
    folder, phantom, volume = study
    write_seg(folder / "masks" / "s1.dcm", frames_of(volume, phantom.labels >= 2), {1: "Fibrosis"}, volume.series.uid)
    with pytest.raises(
        InputError, match=r"s1.dcm marks 'Fibrosis', and the lesion classes of the set are lung, ground glass"
    ):
        open_slice_source("studies", folder).load_slices("s1")
    (folder / "lesions.csv").write_text("value,class\n7,Fibrosis\n")
    got = open_slice_source("studies", folder).load_slices("s1")
    assert got.label_classes == ("background", "Fibrosis")
    np.testing.assert_array_equal(got.labels, (phantom.labels >= 2)[phantom.infected_slices][::-1])


def test_labels_by_the_value_of_the_legend(study):
    folder, phantom, volume = study
    (folder / "lesions.csv").write_text("value;class\n0;background\n255;infection\n10;lungs\n")
    index = int(np.flatnonzero(phantom.infected_slices)[0])
    labels = np.zeros((64, 64), np.uint8)
    labels[30:40, 30:40], labels[1:3, 1:3] = 255, 10
    uid = volume.series.slices[index].sop_instance_uid
    (folder / "masks" / "s1").mkdir(parents=True)
    (folder / "masks" / "s1" / f"{volume.slice_digest(index)}.png").write_bytes(png_bytes(labels))
    got = open_slice_source("studies", folder).load_slices("s1")
    assert got.names == (uid,)
    assert got.label_classes == ("background", "lung", "infection")
    np.testing.assert_array_equal(got.labels[0] == 2, labels == 255)
    np.testing.assert_array_equal(got.labels[0] == 1, labels == 10)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("klasse,wert\n1,a\n", "line 1: the heading is not value,class"),
        ("value,class\nx,lung\n", "line 2: it is no value and its class"),
        ("value,class\n1,lung\n1,ggo\n", "line 3: the value 1 has a class already"),
        ("value,class\n0,lung\n", "line 2: 0 is the background, and nothing else is"),
        ("value,class\n0,background\n", "names no lesion classes"),
    ],
)
def test_legends_that_cannot_be_used(study, text, told):
    folder, _, _ = study
    (folder / "lesions.csv").write_text(text)
    with pytest.raises(InputError, match=rf"lesions\.csv.*{told}"):
        open_slice_source("studies", folder)


def slices_csv(folder, *lines, name="masks/s1/slices.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in ("slice,complete,class,origin", *lines)))


def test_what_is_known_of_single_slices(study):
    folder, phantom, volume = study
    uids = [ref.sop_instance_uid for ref in volume.series.slices]
    infected = int(np.flatnonzero(phantom.infected_slices)[0])
    clean, told = (int(i) for i in np.flatnonzero(~phantom.infected_slices)[:2])
    weights = "ab" * 32
    slices_csv(folder, f"{uids[clean]},yes,,", f"{uids[told]},,common pneumonia,", f"{uids[infected]},no,,{weights}")
    (folder / "masks" / "s1" / f"{uids[infected]}.png").write_bytes(png_bytes(phantom.labels[infected]))
    got = open_slice_source("studies", folder).load_slices("s1")
    facts = {
        name: (bool(done), of, origin)
        for name, done, of, origin in zip(got.names, got.complete, got.image_classes, got.origins, strict=True)
    }
    assert facts == {
        uids[clean]: (True, "control", ""),
        uids[told]: (False, "common pneumonia", ""),
        uids[infected]: (False, "COVID-19", weights),
    }
    assert not got.neighbours or sorted((clean, told, infected)) == list(range(min(clean, told), infected + 1))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("1.2.3,yes,,",), "line 2: the study has no slice 1.2.3"),
        ((",yes,,",), "line 2: it names no slice"),
        (("1.2.3,perhaps,,",), "line 2: 'perhaps' under complete is neither yes nor no"),
        (("1.2.3,yes,,my model",), "line 2: the origin is no SHA-256"),
        (("1.2.3,yes,,", "1.2.3,no,,"), "line 3: the slice stands in line 2 already"),
        (("1.2.3,yes,severe,,both lungs",), "line 2: it has 5 cells, and the heading has 4"),
    ],
)
def test_tables_of_slices_that_cannot_be_used(study, lines, told):
    folder, _, _ = study
    slices_csv(folder, *lines)
    with pytest.raises(InputError, match=rf"slices\.csv, {told}"):
        open_slice_source("studies", folder).load_slices("s1")


def test_a_study_that_says_nothing_gives_no_slices(study):
    folder, _, _ = study
    for complete in (None, False):
        row_of(folder, complete=complete)
        got = open_slice_source("studies", folder).load_slices("s1")
        assert (got.names, got.pixels.shape, got.labels) == ((), (0, 64, 64), None)
    (folder / "masks" / "s1").mkdir(parents=True)
    assert open_slice_source("studies", folder).load_slices("s1").labels.shape == (0, 64, 64)


def test_a_control_study_needs_no_masks_and_one_of_a_finding_does(study):
    folder, _, _ = study
    row_of(folder, complete=True)
    with pytest.raises(InputError, match=r"The study s1 is of the class COVID-19 .* has no masks: there is no .*s1\."):
        open_slice_source("studies", folder).load_slices("s1")
    (folder / "masks" / "s1").mkdir(parents=True)
    got = open_slice_source("studies", folder).load_slices("s1")
    assert not got.labels.any() and got.complete.all() and set(got.image_classes) == {"control"}
    (folder / "masks" / "s1").rmdir()
    row_of(folder, classes=("Normal",), complete=None)
    got = open_slice_source("studies", folder, split="test").load_slices("s1")
    assert got.labels is None
    assert set(got.image_classes) == {"Normal"}
    assert len(got.names) == 10
    row_of(folder, classes=(), complete=True)
    got = open_slice_source("studies", folder).load_slices("s1")
    assert not got.labels.any()
    assert set(got.image_classes) == {""}


def test_lesions_in_a_study_of_the_negative_class_leave_the_slice_without_a_class(study):
    folder, phantom, volume = study
    row_of(folder, classes=("control",), complete=True)
    (folder / "masks").mkdir()
    write_nifti(folder / "masks" / "s1.nii", phantom.labels, affine_of(volume))
    got = check(folder, phantom)
    infected = (got.labels >= 2).any(axis=(1, 2))
    assert [name for name, lesion in zip(got.image_classes, infected, strict=True) if lesion] == [""] * infected.sum()


def test_masks_that_are_not_there_or_fit_no_slice(study):
    folder, _, _ = study
    row_of(folder, masks="elsewhere/s1.nii")
    with pytest.raises(InputError, match="The masks of the study s1 are not there: there is no"):
        open_slice_source("studies", folder).load_slices("s1")
    row_of(folder, masks="")
    (folder / "masks" / "s1").mkdir(parents=True)
    picture = folder / "masks" / "s1" / "slice 7.png"
    picture.write_bytes(png_bytes(np.ones((64, 64), np.uint8)))
    with pytest.raises(InputError, match=r"slice 7\.png is named by no slice of the study"):
        open_slice_source("studies", folder).load_slices("s1")
    picture.rename(picture.with_name("IM0003.png"))
    assert len(open_slice_source("studies", folder).load_slices("s1").names) == 1
    picture.with_name("IM0003.png").write_bytes(png_bytes(np.ones((8, 64), np.uint8)))
    with pytest.raises(InputError, match=r"IM0003\.png is 8 x 64 pixels, and its slice 64 x 64"):
        open_slice_source("studies", folder).load_slices("s1")
    (folder / "masks" / "s1.nii").write_bytes(b"")
    with pytest.raises(InputError, match=r"The masks may be s1 or s1\.nii in .*: name one"):
        open_slice_source("studies", folder).load_slices("s1")


def test_what_is_no_mask_is_refused(study):
    folder, _, volume = study
    (folder / "masks" / "s1").mkdir(parents=True)
    (folder / "masks" / "s1" / "copy.dcm").write_bytes(volume.series.slices[0].path.read_bytes())
    with pytest.raises(
        InputError, match=r"copy\.dcm is no mask: neither a DICOM Segmentation, NIfTI, MetaImage nor PNG"
    ):
        open_slice_source("studies", folder).load_slices("s1")


def test_only_axial_studies_in_hounsfield_units(tmp_path, phantoms):
    phantom = phantoms[2]
    coronal = replace(
        phantom.geometry,
        origins=np.outer(np.arange(10), (0.0, 2.0, 0.0)),
        row_cosines=(1.0, 0.0, 0.0),
        column_cosines=(0.0, 0.0, -1.0),
    )
    write_ct_series(tmp_path / "s1", phantom.hu, geometry=coronal)
    write_labels(tmp_path / "labels.csv", [LabelRow("s1", "p1", ("COVID-19",), complete=True)])
    with pytest.raises(InputError, match="The slices of the study s1 are coronal, and models take axial ones"):
        open_slice_source("studies", tmp_path).load_slices("s1")
    for index in range(3):
        path = tmp_path / "s2" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png_bytes(samples.windowed_grey(phantom.hu[index])))
    write_labels(tmp_path / "labels.csv", [LabelRow("s2", "p1", ("COVID-19",), complete=True)])
    with pytest.raises(InputError, match="s2 does not hold Hounsfield units: state what its values mean"):
        open_slice_source("studies", tmp_path).load_slices("s2")
    with pytest.raises(InputError, match="s2 does not say how its slices lie: state their order and distances"):
        open_slice_source("studies", tmp_path, values="window=-600/1500").load_slices("s2")
