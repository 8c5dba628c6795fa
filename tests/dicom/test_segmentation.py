from __future__ import annotations

from dataclasses import replace
from itertools import product

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless, generate_uid
from seg_files import SegFrame, frames_of, seg_dataset, write_seg

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series
from ctviewer.dicom.segmentation import is_segmentation, read_segments

SHAPE = (5, 7, 9)  # odd sizes: single bits of a frame do not end on a byte


@pytest.fixture
def volume_of(tmp_path, geometry):
    """A written and loaded series; `shear` shifts each slice against the next as a tilted gantry does."""

    def make(plane="axial", shear=0.0, gaps=None):
        place = geometry(plane, SHAPE, 2.5)
        origins = place.origins + np.outer(np.arange(SHAPE[0]), np.asarray(place.column_cosines) * shear)
        if gaps is not None:
            origins = origins[0] + np.outer(gaps, place.normal)
        place = replace(place, origins=origins)
        folder = tmp_path / "opened"
        stored = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
        write_ct_series(folder, stored, geometry=place, attributes=SeriesAttributes())
        *_, done = scan(folder)
        return load_volume(done.value.series[0])

    return make


@pytest.fixture
def marks():
    return np.random.default_rng(3).random(SHAPE) < 0.3


def segments(path, frames, volume, labels=None, **options):
    write_seg(path, frames, labels or {1: "lesion"}, volume.series.uid, **options)
    return read_segments(path, volume)


def point_of(geometry: Geometry, index):
    """LPS of a voxel, by the definition of DICOM: the independent reference."""
    s, r, c = index
    row, column = np.asarray(geometry.row_cosines), np.asarray(geometry.column_cosines)
    dr, dc = geometry.pixel_spacing
    return geometry.origins[s] + row * c * dc + column * r * dr


def marked_points(frames):
    """LPS of all pixels that frames mark, by a plain loop."""
    found = []
    for frame in frames:
        for r, c in zip(*np.nonzero(frame.pixels), strict=True):
            along = np.asarray(frame.row) * c * frame.spacing[1]
            found.append(np.asarray(frame.origin) + along + np.asarray(frame.column) * r * frame.spacing[0])
    return found


def same_places(frames, volume, got):
    points = np.array(sorted(tuple(np.round(point, 3) + 0.0) for point in marked_points(frames)))
    voxels = [point_of(volume.geometry, index) for index in zip(*np.nonzero(got), strict=True)]
    np.testing.assert_allclose(np.array(sorted(tuple(np.round(point, 3) + 0.0) for point in voxels)), points, atol=2e-3)


PLANES = ["axial", "axial prone", "axial feet up", "coronal", "sagittal", "oblique"]


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("backwards", [False, True])
def test_binary_segments_of_series_in_any_plane(tmp_path, volume_of, marks, plane, backwards):
    volume = volume_of(plane)
    frames = frames_of(volume, marks)
    got = segments(tmp_path / "a.dcm", frames[::-1] if backwards else frames, volume)
    assert list(got) == ["lesion"]
    np.testing.assert_array_equal(got["lesion"], marks)
    same_places(frames, volume, got["lesion"])


@pytest.mark.parametrize("shear", [0.8, 0.33])
def test_under_a_tilted_gantry_each_slice_has_its_own_corner(tmp_path, volume_of, marks, shear):
    volume = volume_of(shear=shear)
    np.testing.assert_array_equal(segments(tmp_path / "a.dcm", frames_of(volume, marks), volume)["lesion"], marks)


@pytest.mark.parametrize(("turned", "flip_rows", "flip_columns"), list(product([False, True], repeat=3)))
def test_frames_stored_the_other_way_round_land_on_the_same_voxels(
    tmp_path, volume_of, marks, turned, flip_rows, flip_columns
):
    """A frame whose rows or columns run the other way, or that is transposed, says so by its position and cosines."""
    volume = volume_of()
    frames = []
    for frame in frames_of(volume, marks):
        pixels, origin = frame.pixels, np.asarray(frame.origin, float)
        row, column = np.asarray(frame.row, float), np.asarray(frame.column, float)
        if flip_rows:
            origin, column, pixels = origin + column * (SHAPE[1] - 1) * frame.spacing[0], -column, pixels[::-1]
        if flip_columns:
            origin, row, pixels = origin + row * (SHAPE[2] - 1) * frame.spacing[1], -row, pixels[:, ::-1]
        if turned:
            row, column, pixels = column, row, pixels.T
        frames.append(replace(frame, pixels=pixels, origin=origin, row=row, column=column))
    got = segments(tmp_path / "a.dcm", frames, volume)["lesion"]
    np.testing.assert_array_equal(got, marks)
    same_places(frames, volume, got)


@pytest.mark.parametrize("axis", [1, 2])
def test_frames_across_the_slices_land_on_their_voxels(tmp_path, volume_of, marks, axis):
    """A segmentation of an axial series stored in coronal (1) or sagittal (2) frames."""
    volume = volume_of()
    geometry = volume.geometry
    along = geometry.row_cosines if axis == 1 else geometry.column_cosines
    frames = []
    for at in range(SHAPE[axis]):
        corner = (SHAPE[0] - 1, at, 0) if axis == 1 else (SHAPE[0] - 1, 0, at)
        pixels = np.take(marks, at, axis)[::-1]  # the head on top
        frames.append(SegFrame(pixels, point_of(geometry, corner), along, -geometry.normal, (2.5, 0.8)))
    got = segments(tmp_path / "a.dcm", frames, volume)["lesion"]
    np.testing.assert_array_equal(got, marks)
    same_places(frames, volume, got)


def test_frames_across_slices_that_are_not_even_are_refused(tmp_path, volume_of, marks):
    volume = volume_of(gaps=[0.0, 2.5, 5.0, 10.0, 12.5])
    frame = SegFrame(marks[:, 0], volume.geometry.origins[0], (1, 0, 0), (0, 0, 1), (2.5, 0.8))
    with pytest.raises(
        InputError, match="stacked in another direction than the series, whose slices are not evenly apart"
    ):
        segments(tmp_path / "a.dcm", [frame], volume)


def test_a_frame_smaller_than_the_image_lies_where_it_says(tmp_path, volume_of, marks):
    volume = volume_of()
    frames = [
        replace(frame, pixels=frame.pixels[2:6, 3:8], origin=point_of(volume.geometry, (index, 2, 3)))
        for index, frame in enumerate(frames_of(volume, marks, slices=range(SHAPE[0])))
    ]
    wanted = np.zeros_like(marks)
    wanted[:, 2:6, 3:8] = marks[:, 2:6, 3:8]
    np.testing.assert_array_equal(segments(tmp_path / "a.dcm", frames, volume)["lesion"], wanted)


def test_fractional_segments_mark_where_at_least_half_is_there(tmp_path, volume_of):
    volume = volume_of()
    shares = np.random.default_rng(1).integers(0, 201, SHAPE)
    frames = frames_of(volume, shares, slices=range(SHAPE[0]))
    for name, options in {
        "plain": {},
        "jpeg-ls": {"encode": (JPEGLSLossless, imagecodecs.jpegls_encode)},
        "deflated": {"deflated": True},
    }.items():
        got = segments(tmp_path / f"{name}.dcm", frames, volume, highest=200, **options)
        np.testing.assert_array_equal(got["lesion"], shares >= 100)


def test_pixels_compressed_with_loss_are_refused(tmp_path, volume_of):
    volume = volume_of()
    frames = frames_of(volume, np.full(SHAPE, 255), slices=[0])
    with pytest.raises(InputError, match="its pixels are compressed with loss"):
        segments(
            tmp_path / "a.dcm", frames, volume, highest=255, encode=(JPEGLSNearLossless, imagecodecs.jpegls_encode)
        )


def test_segments_by_label_and_number(tmp_path, volume_of, marks):
    volume = volume_of()
    other = ~marks
    frames = [*frames_of(volume, other, 7), *frames_of(volume, marks, 2)]
    got = segments(tmp_path / "a.dcm", frames, volume, {7: "Lung", 2: "GGO", 9: "Consolidation"})
    assert list(got) == ["GGO", "Lung", "Consolidation"]
    np.testing.assert_array_equal(got["GGO"], marks)
    np.testing.assert_array_equal(got["Lung"], other)
    assert not got["Consolidation"].any()


def test_reference_and_position_must_agree(tmp_path, volume_of, marks):
    volume = volume_of()
    frames = frames_of(volume, marks)
    swapped = [replace(frame, sources=frames[-1 - place].sources) for place, frame in enumerate(frames)]
    with pytest.raises(
        InputError, match=r"a.dcm cannot be used as a segmentation: of frame 1, it lies not on the slice"
    ):
        segments(tmp_path / "a.dcm", swapped, volume)


def moved(frames, **changes):
    return [replace(frame, **{name: change(frame) for name, change in changes.items()}) for frame in frames]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"origin": lambda f: f.origin + np.array((0.4, 0, 0))}, "of frame 1, its pixels lie between those of the series"),
        ({"origin": lambda f: f.origin + np.array((0, 0, 1.2)), "sources": lambda f: ()}, "it lies at no slice of the series"),
        ({"spacing": lambda f: (0.4, 0.4)}, "its pixels are not those of the series: they are of another size or turned"),
        ({"spacing": lambda f: (0.8, 0.85)}, "its pixels lie between those of the series"),
        ({"origin": lambda f: f.origin + np.array((4.0, 0, 0))}, "it marks pixels outside the series"),
        ({"row": lambda f: (0.96, 0.28, 0), "column": lambda f: (-0.28, 0.96, 0)}, "another size or turned|between"),
        ({"sources": lambda f: ("1.2.3",)}, "frame 1 refers to an image that the series does not have"),
    ],
)  # fmt: skip
def test_what_does_not_lie_on_the_voxels_is_refused(tmp_path, volume_of, marks, changes, told):
    volume = volume_of()
    with pytest.raises(InputError, match=told):
        segments(tmp_path / "a.dcm", moved(frames_of(volume, marks), **changes), volume)


def test_small_rounding_is_none(tmp_path, volume_of, marks):
    volume = volume_of()
    frames = moved(frames_of(volume, marks), origin=lambda f: np.round(np.asarray(f.origin) + 0.02, 2))
    np.testing.assert_array_equal(segments(tmp_path / "a.dcm", frames, volume)["lesion"], marks)


def test_a_segmentation_of_another_series_is_refused(tmp_path, volume_of, marks):
    volume = volume_of()
    frames = frames_of(volume, marks, sources=False)
    write_seg(tmp_path / "a.dcm", frames, {1: "lesion"}, generate_uid())
    with pytest.raises(InputError, match="it was drawn on another series"):
        read_segments(tmp_path / "a.dcm", volume)
    write_seg(tmp_path / "b.dcm", frames, {1: "lesion"})
    with pytest.raises(InputError, match="does not say which series it was drawn on"):
        read_segments(tmp_path / "b.dcm", volume)


def _without(name):
    def change(dataset):
        del dataset[name]

    return change


def _cut(dataset):
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2 // 2 * 2]


def _set(name, value):
    return lambda dataset: setattr(dataset, name, value)


def _no_position(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def _other_segment(dataset):
    dataset.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_cut, "its pixels are cut off"),
        (_set("NumberOfFrames", 2), "it states 2 frames and describes 5"),
        (_set("SegmentationType", "LABELMAP"), "its type is neither binary nor fractional"),
        (_set("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), "it is DICOM of another kind"),
        (_set("BitsAllocated", 8), "its pixels are not of the form that its type asks for"),
        (_without("SegmentSequence"), "it describes no segments"),
        (_without("Rows"), "it is damaged"),
        (_no_position, "frame 3 does not say where it lies"),
        (_other_segment, "frame 1 is of segment 5, which it does not describe"),
    ],
)
def test_damaged_files_are_refused_in_words(tmp_path, volume_of, marks, change, told):
    volume = volume_of()
    dataset = seg_dataset(frames_of(volume, marks), {1: "lesion"}, volume.series.uid)
    change(dataset)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=rf"a\.dcm cannot be used as a segmentation: {told}"):
        read_segments(tmp_path / "a.dcm", volume)


def test_what_is_no_segmentation(tmp_path, volume_of, marks):
    volume = volume_of()
    path = write_seg(tmp_path / "a.dcm", frames_of(volume, marks), {1: "lesion"}, volume.series.uid)
    assert is_segmentation(path)
    assert not is_segmentation(volume.series.slices[0].path)
    (tmp_path / "text").write_text("no DICOM")
    assert not is_segmentation(tmp_path / "text")
    assert not is_segmentation(tmp_path / "absent")
    with pytest.raises(InputError, match="it is not DICOM"):
        read_segments(tmp_path / "text", volume)
    with pytest.raises(InputError, match="could not be read"):
        read_segments(tmp_path / "absent", volume)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"a\.dcm cannot be used as a segmentation: it"):
        read_segments(path, volume)


def test_pydicom_unpacks_the_same_bits(tmp_path, volume_of, marks):
    """The independent reader of single bits."""
    volume = volume_of()
    path = write_seg(tmp_path / "a.dcm", frames_of(volume, marks, slices=range(SHAPE[0])), {1: "x"}, volume.series.uid)
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array.astype(bool), read_segments(path, volume)["x"])
