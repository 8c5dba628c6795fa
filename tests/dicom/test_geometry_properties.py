"""Any orientation, any order of files, holes, jitter and rounding: the order is right, or the doubt is told.

Headers are made in memory: what is tried is the way from slices to a series, not the reading of files.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctviewer.core.geometry import Plane
from ctviewer.core.series import Severity, VolumeUse
from ctviewer.dicom import tags
from ctviewer.dicom.assemble import assemble
from ctviewer.dicom.grouping import split
from ctviewer.dicom.header import Header, PixelLocation
from ctviewer.dicom.record import Slice

SHARP = settings(max_examples=60, deadline=None)
STEP = 2.0


def _text(values, decimals: int) -> bytes:
    return "\\".join(f"{value:.{decimals}f}" for value in values).encode()


def _slice(number: int, position, orientation, decimals: int = 6, name: str = "", **extra: bytes) -> Slice:
    values = {
        tags.SOP_CLASS_UID: b"1.2.840.10008.5.1.4.1.1.2",
        tags.SOP_INSTANCE_UID: f"1.2.{number}".encode(),
        tags.SERIES_INSTANCE_UID: b"1.2.3",
        tags.MODALITY: b"CT",
        tags.IMAGE_TYPE: b"ORIGINAL\\PRIMARY\\AXIAL",
        tags.INSTANCE_NUMBER: str(number).encode(),
        tags.IMAGE_POSITION_PATIENT: _text(position, decimals),
        tags.IMAGE_ORIENTATION_PATIENT: _text(orientation, 6),
        tags.PIXEL_SPACING: b"0.7\\0.7",
        tags.ROWS: b"\4\0",
        tags.COLUMNS: b"\4\0",
        tags.BITS_ALLOCATED: b"\x10\0",
        tags.BITS_STORED: b"\x10\0",
        tags.PIXEL_REPRESENTATION: b"\1\0",
        tags.PHOTOMETRIC_INTERPRETATION: b"MONOCHROME2",
        tags.RESCALE_SLOPE: b"1",
        tags.RESCALE_INTERCEPT: b"-1024",
    }
    values |= {getattr(tags, key): value for key, value in extra.items()}
    header = Header("1.2.840.10008.1.2.1", True, values, PixelLocation(0, 32))
    return Slice.from_header(Path(name or f"/x/{number}.dcm"), header)


@st.composite
def frames(draw) -> tuple[np.ndarray, np.ndarray]:
    """An orientation `[6]` of any direction, and its normal."""
    angles = [draw(st.floats(-np.pi, np.pi)) for _ in range(3)]
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    turn = (
        np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
        @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
        @ np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    )
    return np.concatenate([turn[0], turn[1]]), np.cross(turn[0], turn[1])


def _assembled(slices):
    """The one series of these slices, and the numbers of its slices in volume order."""
    (part,) = split(slices)
    series = assemble(part)
    return series, [ref.instance_number for ref in series.slices]


def _codes(series):
    return {notice.code: notice for notice in series.notices}


@SHARP
@given(frames(), st.permutations(range(12)), st.integers(1, 6), st.floats(-400, 400))
def test_shuffled_files_of_any_orientation(frame, order, decimals, start):
    orientation, normal = frame
    places = start + STEP * np.arange(12)
    slices = [_slice(i, normal * places[i], orientation, decimals, f"/x/{order[i]}.dcm") for i in order]
    series, numbers = _assembled(slices)
    assert numbers == list(range(12))
    geometry = series.private.geometry
    np.testing.assert_allclose(geometry.normal, normal, atol=1e-5)
    assert (np.diff(geometry.locations) > 0).all()
    assert series.slice_spacing == pytest.approx(STEP, abs=0.02)
    assert series.use is VolumeUse.VOLUME, "rounding to 1 decimal is no fault"
    assert not set(_codes(series)) - {"opposite-direction"}
    shown = geometry.origins[geometry.display_order]
    axis = int(np.argmax(np.abs(normal)))
    steps = np.diff(shown[:, axis])
    assert (steps < 0).all() if axis == 2 else (steps > 0).all(), "head, front or right first"


@SHARP
@given(frames(), st.sets(st.integers(1, 18), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_missing_slices_are_found_where_they_are(frame, gone, random):
    orientation, normal = frame
    kept = [i for i in range(20) if i not in gone]
    slices = [_slice(i, normal * STEP * i, orientation) for i in kept]
    random.shuffle(slices)
    series, numbers = _assembled(slices)
    assert numbers == kept
    notice = _codes(series)["missing-slices"]
    edges = {index + side for index, pair in enumerate(pairwise(kept)) if pair[1] - pair[0] > 1 for side in (0, 1)}
    assert set(notice.slices) == edges and notice.text.startswith(f"{len(gone)} slice")
    assert series.use is VolumeUse.SLICES_ONLY and series.slice_spacing == pytest.approx(STEP, abs=1e-4)
    extents = series.private.geometry.slice_extents()
    assert extents.sum() <= STEP * len(kept) + 1e-3, "nothing is counted in a hole"


@SHARP
@given(frames(), st.integers(2, 9), st.floats(0.0, 0.9), st.booleans())
def test_jitter_is_told_above_its_limits_and_not_below(frame, index, share, back):
    orientation, normal = frame
    places = STEP * np.arange(12.0)
    places[index] += share * STEP * (-1 if back else 1)
    series, numbers = _assembled([_slice(i, normal * places[i], orientation) for i in range(12)])
    assert numbers == list(range(12))
    codes = set(_codes(series)) - {"opposite-direction"}
    if share < 0.0099:
        assert codes == set() and series.use is VolumeUse.VOLUME
    elif 0.0101 < share < 0.199:
        assert codes == {"irregular-gaps"} and series.use is VolumeUse.VOLUME
        assert _codes(series)["irregular-gaps"].severity is Severity.INFO
        assert set(_codes(series)["irregular-gaps"].slices) == {index - 1, index, index + 1}
    elif share > 0.201:
        assert "irregular-gaps" in codes and series.use is VolumeUse.SLICES_ONLY


@SHARP
@given(frames(), st.lists(st.integers(0, 15), min_size=16, max_size=16), st.integers(0, 3))
def test_whatever_positions_say_order_follows_them_or_doubt_is_told(frame, where, decimals):
    """Positions at random multiples, with repetitions: ascending always; anything but a regular stack is told."""
    orientation, normal = frame
    slices = [_slice(i, normal * STEP * place, orientation, decimals) for i, place in enumerate(where)]
    for part in split(slices):
        series = assemble(part)
        locations = series.private.geometry.locations
        assert (np.diff(locations) >= -1e-3).all()
        gaps = np.diff(locations)
        regular = len(gaps) > 0 and gaps.min() > 0.005 and np.ptp(gaps) <= 0.2 * gaps.mean() + 2 * 1.8 * 10.0**-decimals
        told = {
            "duplicate-positions",
            "one-position",
            "missing-slices",
            "irregular-gaps",
            "single-slice",
            "series-split",
        }
        assert regular or told & set(_codes(series))
        assert regular or series.use is VolumeUse.SLICES_ONLY or "series-split" in _codes(series)


@SHARP
@given(
    frames(),
    st.integers(2, 4),
    st.randoms(use_true_random=False),
    st.sampled_from(["ACQUISITION_NUMBER", "TRIGGER_TIME", "KVP"]),
)
def test_passes_come_apart_whole_whatever_the_order_of_files(frame, passes, random, fact):
    orientation, normal = frame
    slices = [
        _slice(100 * p + i, normal * STEP * i, orientation, **{fact: str(10 * p + 70).encode()})
        for p in range(passes)
        for i in range(6)
    ]
    random.shuffle(slices)
    parts = split(slices)
    assert len(parts) == passes and len({part.digest for part in parts}) == passes
    for part in parts:
        numbers = [ref.instance_number for ref in assemble(part).slices]
        assert numbers == [numbers[0] + i for i in range(6)] and numbers[0] % 100 == 0


@SHARP
@given(frames(), st.integers(2, 4), st.booleans(), st.randoms(use_true_random=False))
def test_passes_are_told_by_image_numbers_alone(frame, passes, by_position, random):
    orientation, normal = frame
    slices = [
        _slice(1 + (i * passes + p if by_position else p * 6 + i), normal * STEP * i, orientation)
        for p in range(passes)
        for i in range(6)
    ]
    random.shuffle(slices)
    parts = split(slices)
    assert len(parts) == passes and "image numbers" in parts[0].reasons[0]
    assert all(assemble(part).use is VolumeUse.VOLUME for part in parts)


@SHARP
@given(frames(), st.randoms(use_true_random=False), st.integers(1, 11))
def test_a_key_stays_when_files_come_or_go(frame, random, present):
    """Of each part, whatever its share of slices and whichever other parts there are."""
    orientation, normal = frame
    kernels = {b"B70f": 0, b"B40f": 1000, b"B30f": 2000}
    slices = {
        kernel: [_slice(first + i, normal * STEP * i, orientation, CONVOLUTION_KERNEL=kernel) for i in range(12)]
        for kernel, first in kernels.items()
    }
    everything = [one for some in slices.values() for one in some]
    random.shuffle(everything)
    known = {part.slices[0].kernel: part.digest for part in split(everything)}
    assert len(set(known.values())) == 3
    fewer = slices[b"B70f"][:present] + slices[b"B40f"]
    random.shuffle(fewer)
    for part in split(fewer):
        assert known[part.slices[0].kernel] == part.digest


def test_display_order_of_the_planes_of_the_body():
    """Head first, front first, right first, from either direction of the normal."""
    for orientation, axis, falling, plane in [
        ((1, 0, 0, 0, 1, 0), 2, True, Plane.AXIAL),
        ((-1, 0, 0, 0, 1, 0), 2, True, Plane.AXIAL),
        ((1, 0, 0, 0, 0, -1), 1, False, Plane.CORONAL),
        ((-1, 0, 0, 0, 0, -1), 1, False, Plane.CORONAL),
        ((0, 1, 0, 0, 0, -1), 0, False, Plane.SAGITTAL),
        ((0, -1, 0, 0, 0, -1), 0, False, Plane.SAGITTAL),
    ]:
        place = np.eye(3)[axis]
        series, _ = _assembled([_slice(i, place * STEP * i, orientation) for i in range(5)])
        geometry = series.private.geometry
        shown = geometry.origins[geometry.display_order][:, axis]
        assert series.plane is plane and (np.diff(shown) < 0).all() == falling


@pytest.mark.parametrize("number", ["99999999999999999999", "1e300", "-1e308", "0.5", ""])
@pytest.mark.parametrize("key", ["INSTANCE_NUMBER", "SLICE_LOCATION", "ACQUISITION_NUMBER", "SLICE_THICKNESS"])
def test_absurd_numbers_do_no_harm(key, number):
    slices = [
        _slice(i, [0, 0, STEP * i], (1, 0, 0, 0, 1, 0), **({key: number.encode()} if i % 2 else {})) for i in range(8)
    ]
    slices += [_slice(50 + i, [0, 0, STEP * i], (1, 0, 0, 0, 1, 0)) for i in range(8)]
    for part in split(slices):
        assert assemble(part).slices


def test_a_position_written_with_an_absurd_exponent():
    slices = [
        _slice(i, [0, 0, STEP * i], (1, 0, 0, 0, 1, 0), IMAGE_POSITION_PATIENT=b"0\\0\\%d.0e-%s" % (i, b"9" * 400))
        for i in range(4)
    ]
    assert len(assemble(split(slices)[0]).slices) == 4
