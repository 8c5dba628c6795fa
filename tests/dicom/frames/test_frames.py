from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from ctviewer.core.geometry import Plane
from ctviewer.core.series import VolumeUse
from ctviewer.dicom import load_volume
from ctviewer.dicom.frames import join
from ctviewer.dicom.reading import read_slices
from ctviewer.dicom.wording import name

LEGACY, CLASSIC = "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.2"
ROOT = float(np.sqrt(0.5))
ORIENTATIONS = {
    "axial": ((1, 0, 0), (0, 1, 0), Plane.AXIAL),
    "coronal": ((1, 0, 0), (0, 0, -1), Plane.CORONAL),
    "sagittal": ((0, 1, 0), (0, 0, -1), Plane.SAGITTAL),
    "oblique": ((1, 0, 0), (0, ROOT, ROOT), Plane.OBLIQUE),
}
SHUFFLED = [3, 0, 5, 1, 4, 2]


def _codes(series) -> set[str]:
    """What is told of a series, but for the direction in which frames are numbered: it is of no account here."""
    return {notice.code for notice in series.notices} - {"opposite-direction", "numbers-disagree"}


@pytest.mark.parametrize("order", [None, [5, 4, 3, 2, 1, 0], SHUFFLED], ids=["forward", "reversed", "shuffled"])
@pytest.mark.parametrize("plane", ORIENTATIONS)
@pytest.mark.parametrize("sop_class", [None, LEGACY], ids=["enhanced", "legacy"])
def test_frames_follow_the_normal(multi, along, only, plane, order, sop_class):
    row, column, expected = ORIENTATIONS[plane]
    frames = along(6, row, column, order=order)
    for frame in frames:
        frame.number = 100 + frame.place
        frame.slope = 1 + frame.place / 1000
    made = multi(frames, **({} if sop_class is None else {"sop_class": sop_class}))
    series = only(made.path)
    assert series.readable and len(series.slices) == 6 and _codes(series) == set()
    assert series.plane is expected and series.use is VolumeUse.VOLUME
    assert series.slice_spacing == pytest.approx(2.5, abs=1e-5) and series.pixel_spacing == (0.75, 0.75)
    assert (series.kernel, series.thickness) == ("B70f", 2.5)
    volume = load_volume(series)
    normal = np.cross(row, column)
    expected_order = np.argsort([np.dot(frame.position, normal) for frame in frames])
    assert [one.frame for one in series.slices] == list(expected_order)
    assert np.array_equal(volume.stored, made.stored[expected_order])
    assert volume.slope == pytest.approx([frames[k].slope for k in expected_order], abs=0)
    assert volume.unit == "HU" and volume.windows[0].width == 400
    for ref, k in zip(series.slices, expected_order, strict=True):
        assert ref.position == pytest.approx(tuple(frames[k].position), abs=1e-6)
        assert ref.instance_number == (frames[k].number if sop_class else k + 1)


def test_facts_of_the_frames(multi, along, only):
    series = only(multi(along()).path)
    assert (series.kvp, series.body_part, series.contrast_agent) == (120, "Chest", "Iohexol")
    assert series.image_type == ("ORIGINAL", "PRIMARY", "AXIAL", "NONE") and series.is_original
    assert series.citation(2) == "Se 3 / Im 3"


def test_no_contrast_where_it_was_not_given(multi, along, only):
    def plain(group: Dataset) -> None:
        usage = Dataset()
        usage.ContrastBolusAgentAdministered = "NO"
        group.ContrastBolusUsageSequence = [usage]

    assert only(multi(along(extra=plain)).path).contrast_agent == ""


def test_two_stacks_are_two_series(multi, along, catalog, notice_of):
    frames = along(4, stack="1") + along(5, (1, 0, 0), (0, 1, 0), stack="2")
    for number, frame in enumerate(frames):
        frame.position = np.array(frame.position) + np.array([0, 0, 100 if number >= 4 else 0])
    found = catalog(multi(frames).path)
    assert sorted(len(series.slices) for series in found.series) == [4, 5]
    assert all("stack" in notice_of(series, "series-split").text for series in found.series)


def test_frames_of_another_orientation_are_told_apart(multi, along, catalog, notice_of):
    made = multi(along(8) + along(2, (0, 1, 0), (0, 0, -1)))
    notice = notice_of(max(catalog(made.path).series, key=lambda series: len(series.slices)), "series-split")
    assert "orientation" in notice.text and "Im 9, Se 3 / Im 10" in notice.text
    assert notice.paths == (made.path,), "the file once, not once for each frame"


def test_passes_over_the_same_positions(multi, along, catalog, notice_of):
    passes = [frame for pair in zip(along(6, time=1), along(6, time=2), strict=True) for frame in pair]
    made = multi(passes)
    found = catalog(made.path)
    assert [len(series.slices) for series in found.series] == [6, 6]
    for series in found.series:
        assert "acquisition pass" in notice_of(series, "series-split").text and series.use is VolumeUse.VOLUME
        frames = [one.frame for one in series.slices]
        assert len({k % 2 for k in frames}) == 1 and frames == sorted(frames)


def test_passes_that_only_dimensions_tell_apart(multi, along, catalog):
    frames = along(6) + along(6)
    for number, frame in enumerate(frames):
        frame.extra = lambda group, n=number: _only_dimensions(group, n)
    found = catalog(
        multi(frames, change=lambda d: setattr(d.DimensionIndexSequence[0], "DimensionIndexPointer", 0x00189087)).path
    )
    assert [len(series.slices) for series in found.series] == [6, 6]
    assert [{one.frame // 6 for one in series.slices} for series in found.series] in ([{0}, {1}], [{1}, {0}])


def _only_dimensions(group: Dataset, number: int) -> None:
    content = group.FrameContentSequence[0]
    for keyword in ("TemporalPositionIndex", "FrameAcquisitionDateTime", "FrameAcquisitionNumber"):
        delattr(content, keyword)
    content.DimensionIndexValues = [number // 6 + 1, number % 6 + 1]


def test_geometry_notices_hold_for_frames(multi, along, only, notice_of):
    frames = along(8)
    del frames[3]
    assert (
        "1 between Se 3 / Im 3 (z 35.0 mm) and Se 3 / Im 4 (z 40.0 mm)"
        in notice_of(only(multi(frames).path), "missing-slices").text
    )
    tilted = multi(
        along(6, shear=(0, 0.5, 0)), name="tilted.dcm", change=lambda d: setattr(d, "SeriesInstanceUID", "1.2.9")
    )
    assert "11.3 degrees" in notice_of(only(tilted.path), "gantry-tilt").text


def test_frames_of_one_file_are_no_copies_of_each_other(multi, frame, only):
    made = multi(
        [frame((0, 0, 0), acquisition=k) for k in range(4)],
        change=lambda d: setattr(d, "PixelData", bytes(len(d.PixelData))),
    )
    series = only(made.path)
    assert len(series.slices) == 4 and {"copies-dropped", "repeated-uids"}.isdisjoint(_codes(series))


def test_the_same_file_twice_is_one_series_and_told(multi, along, only, notice_of):
    made = multi(along())
    shutil.copy(made.path, made.path.with_name("again.dcm"))
    series = only(made.path.parent)
    assert len(series.slices) == 6 and series.citation(5) == "Se 3 / Im 6"
    assert len(notice_of(series, "copies-dropped").paths) == 6


def test_two_files_of_one_series_are_one_stack(multi, along, only):
    frames = along(10)
    multi(frames[:5], name="a.dcm")
    made = multi(frames[5:], name="b.dcm", start=1000, change=lambda d: setattr(d, "InstanceNumber", 2))
    series = only(made.path.parent)
    assert len(series.slices) == 10 and _codes(series) == set()
    assert [series.citation(i) for i in (4, 5)] == ["Se 3 / Im 1 frame 5", "Se 3 / Im 2 frame 1"]


def test_single_frame_files_of_one_series_are_one_stack(multi, along, only):
    for number, one in enumerate(along(7, order=[4, 2, 6, 0, 1, 3, 5])):
        change = lambda d, n=one.place: setattr(d, "InstanceNumber", n)  # noqa: E731
        made = multi([one], name=f"IM{number}.dcm", start=100 * one.place, change=change)
    series = only(made.path.parent)
    assert [one.instance_number for one in series.slices] == [1, 2, 3, 4, 5, 6, 7] and _codes(series) == set()
    assert [int(image[0, 0]) for image in load_volume(series).stored] == [100, 200, 300, 400, 500, 600, 700]


def test_classic_frames_stay_in_their_order(multi, frame, only, notice_of):
    made = multi([frame(None)] * 5, sop_class=CLASSIC, change=lambda d: setattr(d, "ImagePositionPatient", [0, 0, 0]))
    series = only(made.path)
    assert [one.frame for one in series.slices] == [0, 1, 2, 3, 4]
    assert {one.position for one in series.slices} == {None}, "the position of the file is that of no known frame"
    notice_of(series, "no-positions")
    assert np.array_equal(load_volume(series).stored, made.stored)


def test_files_of_classic_frames_are_not_mixed(multi, frame, only):
    for number in (3, 1, 2):
        made = multi(
            [frame(None)] * 4,
            name=f"{number}.dcm",
            sop_class=CLASSIC,
            start=1000 * number,
            change=lambda d, n=number: setattr(d, "InstanceNumber", n),
        )
    series = only(made.path.parent)
    assert [(one.path.stem, one.frame) for one in series.slices] == [(str(n), k) for n in (1, 2, 3) for k in range(4)]
    assert series.citation(1).endswith("Im 1 frame 2") and series.image_name(11) == "Im 3 frame 4"


def test_notices_call_frames_as_lists_do(multi, frame):
    slices = []
    for number in (1, 2):
        made = multi(
            [frame(None)] * 2,
            name=f"{number}.dcm",
            sop_class=CLASSIC,
            change=lambda d, n=number: setattr(d, "InstanceNumber", n),
        )
        slices += read_slices(made.path)
    join(slices)
    assert [name(one).rpartition(" / ")[2] for one in slices] == [f"Im {n} frame {k}" for n in (1, 2) for k in (1, 2)]


@pytest.mark.parametrize("parts", [(1, 2, 3), (3, 1, 2), (1, 3)])
def test_concatenations_are_put_together(multi, along, only, notice_of, parts):
    frames = along(9)
    for part in parts:

        def change(dataset, part=part):
            dataset.ConcatenationUID, dataset.SOPInstanceUIDOfConcatenationSource = "1.2.77", "1.2.78"
            dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber = part, 3
            dataset.ConcatenationFrameOffsetNumber = 3 * (part - 1)

        made = multi(frames[3 * part - 3 : 3 * part], name=f"{9 - part}.dcm", start=1000 * part, change=change)
    series = only(made.path.parent)
    there = [3 * (part - 1) + k for part in sorted(parts) for k in (1, 2, 3)]
    assert [one.instance_number for one in series.slices] == there and series.citation(3) == f"Se 3 / Im {there[3]}"
    if len(parts) == 3:
        assert _codes(series) == set()
    else:
        assert "Part 2 of 3" in notice_of(series, "missing-parts").text


def test_frames_without_description_are_told(multi, along, catalog, notice_of):
    def change(dataset):
        dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:4]

    found = catalog(multi(along(), change=change).path)
    assert sorted(len(series.slices) for series in found.series) == [2, 4]
    (bare,) = [series for series in found.series if len(series.slices) == 2]
    assert "2 of its 6 frames" in notice_of(bare, "undescribed-frames").text and bare.pixel_spacing == (0.75, 0.75)


def test_an_enhanced_file_without_groups_is_shown_and_told(multi, along, only, notice_of):
    def change(dataset):
        del dataset.PerFrameFunctionalGroupsSequence, dataset.SharedFunctionalGroupsSequence

    series = only(multi(along(), change=change).path)
    assert len(series.slices) == 6 and series.use is VolumeUse.SLICES_ONLY
    notice_of(series, "no-positions"), notice_of(series, "undescribed-frames"), notice_of(series, "no-rescale")


@pytest.mark.parametrize("kind", ["DISTORTED", "SAMPLED"])
def test_what_is_no_plain_volume_is_told(multi, along, only, notice_of, kind):
    def change(dataset):
        dataset.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0].VolumetricProperties = kind

    series = only(multi(along(), change=change).path)
    assert kind.lower() in notice_of(series, "volumetric-properties").text
    assert series.use is not VolumeUse.VOLUME


@pytest.mark.parametrize("plane", ORIENTATIONS)
def test_positions_and_values_are_those_of_itk(multi, along, only, plane):
    """SimpleITK reads Enhanced CT frame by frame and takes geometry from the first and last of them."""
    row, column, _ = ORIENTATIONS[plane]
    made = multi(along(6, row, column))
    image = sitk.ReadImage(str(made.path))
    volume = load_volume(only(made.path))
    assert np.allclose(image.GetOrigin(), volume.geometry.origins[0], atol=1e-5)
    assert np.allclose(image.GetSpacing(), (0.75, 0.75, 2.5), atol=1e-5)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    assert np.allclose(direction[:, 2], volume.geometry.normal, atol=1e-6)
    values = sitk.GetArrayFromImage(image)
    assert all(np.array_equal(values[i], volume.hu(i)) for i in range(6))


def test_frames_over_time_at_one_place_are_one_stack(multi, frame, only, notice_of):
    frames = [frame((0, 0, 5.0), time=k + 1, acquisition=k) for k in range(5)]
    series = only(multi(frames).path)
    assert len(series.slices) == 5 and series.use is VolumeUse.SLICES_ONLY
    notice_of(series, "one-position")
