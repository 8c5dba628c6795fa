"""NIfTI-1 and NIfTI-2 volumes: .nii, .nii.gz, and pairs of .hdr and .img.

By the standard's own text (nifti1.h and nifti2.h; "3D image (volume) orientation and location in space").
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.series import Notice, Series, Severity
from ctviewer.dicom.formats.build import Grid, each_volume, file_key, place_or_tell
from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.formats.masks import is_mask
from ctviewer.dicom.formats.nifti_header import Header, read_header
from ctviewer.dicom.formats.placement import Placement, unplaced
from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.unpacking import MOST_RATIO

_MOST_SIDE = 65535
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DISAGREE_MM = 0.1
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, millimetre, micrometre
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED = {
    1: "holds single bits", 32: "holds complex numbers", 128: "holds colours (RGB)", 1536: "holds 128-bit numbers",
    1792: "holds complex numbers", 2048: "holds complex numbers", 2304: "holds colours (RGBA)",
}  # fmt: skip


def read_nifti(path: Path) -> list[Series]:
    """The series of one file: one, or one for each volume of a file with several (up to 20).

    Raises:
        FormatError: the file is damaged, or of a kind that is not supported.
        OSError: it cannot be read.
    """
    header = read_header(path)
    (columns, rows, slices), volumes = _shape(header)
    code = header.datatype
    if code not in _TYPES:
        raise FormatError(
            f"it {_REFUSED.get(code, f'holds values of an unknown type ({code})')}, which cannot be shown"
        )
    dtype = np.dtype(f"{header.order}{_TYPES[code]}")
    pixels, offset = _pixels(path, header)
    volume_bytes = columns * rows * slices * dtype.itemsize
    length = offset + volume_bytes * volumes
    _require_size(pixels, length, header.gzipped)
    placement, spacing, notices = _placement(header, (slices, rows, columns))
    scale, more = _scale(header)
    grid = Grid(
        path=path,
        kind="NIfTI, gzip" if header.gzipped else "NIfTI",
        dtype=dtype,
        placement=placement,
        planes=(),
        inflated=Inflated(pixels, 0, length) if header.gzipped else None,
        scale=scale,
        slice_spacing=spacing,
        notices=(*notices, *more),
        is_mask=scale == (1.0, 0.0)
        and is_mask(pixels, offset, volume_bytes, dtype, path.name, 0 if header.gzipped else None),
    )
    plane = columns * rows * dtype.itemsize
    planes = tuple((pixels, offset + k * plane) for k in range(slices * volumes))
    return each_volume(grid, planes, volumes, file_key(path, "nifti"))


def _shape(header: Header) -> tuple[tuple[int, int, int], int]:
    """Columns, rows, slices as stored, and the number of volumes."""
    dims = header.sizes
    if len(dims) < 2 or min(dims) < 1:
        raise FormatError("its header states no usable size")
    if max(dims[:3]) > _MOST_SIDE:
        raise FormatError(f"its header states an impossible size ({' x '.join(map(str, dims))})")
    if math.prod(dims[4:]) > 1:
        raise FormatError("it holds several values for each voxel (vectors or tensors), which cannot be shown")
    slices, volumes = (*dims[2:4], 1, 1)[:2] if len(dims) > 2 else (1, 1)
    return (dims[0], dims[1], slices), volumes


def _pixels(path: Path, header: Header) -> tuple[Path, int]:
    """The file with the values, and where they begin."""
    start = header.vox_offset
    if not 0 <= start < 1 << 40:  # false for NaN too
        raise FormatError("its header does not say where the pixels begin")
    offset = int(start)
    if header.single:
        if offset and offset < header.least - 4:
            raise FormatError("its header does not say where the pixels begin")
        return path, offset or header.least
    if header.gzipped:
        raise FormatError("it is a compressed header whose pixels are in another file, which cannot be read")
    for ending in (".img", ".IMG"):
        pixels = path.with_suffix(ending)
        try:
            with open_file(pixels):
                return pixels, offset
        except OSError:
            continue
    raise FormatError(f"its pixels should be in {path.with_suffix('.img').name}, which is not there")


def _require_size(path: Path, length: int, gzipped: bool) -> None:
    """Refuse a file that is shorter than what its header states, before any memory is asked for."""
    with open_file(path) as (_, size):
        if length > (size * MOST_RATIO if gzipped else size):
            raise FormatError("it ends in the middle of the pixels")


def _scale(header: Header) -> tuple[tuple[float, float], tuple[Notice, ...]]:
    """Slope and intercept; a slope of 0 means none (nifti1.h)."""
    slope, intercept = header.scl_slope, header.scl_inter
    if slope == 0 or math.isnan(slope):
        return (1.0, 0.0), ()
    if not math.isfinite(intercept) or not 1e-12 < abs(slope) < 1e12 or abs(intercept) > 1e12:
        text = "The header states an impossible scaling of values; they are shown as stored."
        return (1.0, 0.0), (Notice("bad-scaling", Severity.WARNING, text),)
    return (slope, intercept), ()


def _placement(header: Header, shape: tuple[int, int, int]) -> tuple[Placement, float | None, tuple[Notice, ...]]:
    """Where the slices lie, the distance between them where only that is known, and what there is to tell."""
    told: list[Notice] = []
    unit = header.xyzt_units & 7
    if unit == 0:
        text = "The file does not name the unit of its lengths; they are taken as millimetres, NIfTI's usual unit."
        told.append(Notice("length-unit", Severity.INFO, text))
    elif unit not in _UNIT_MM:
        text = "The file names an unknown unit of length: lengths and places are not known."
        return unplaced(shape, None), None, (Notice("length-unit", Severity.WARNING, text),)
    sizes = [abs(value) * _UNIT_MM[unit] for value in header.pixdim[1:4]]
    affine = _affine(header, _UNIT_MM[unit], shape, told)
    if affine is not None:
        return place_or_tell(shape, affine, told), None, tuple(told)
    known = all(1e-5 < size < 1e4 for size in sizes)  # false for NaN
    return unplaced(shape, (sizes[1], sizes[0]) if known else None), sizes[2] if known else None, tuple(told)


def _affine(header: Header, unit: float, shape: tuple[int, int, int], told: list[Notice]) -> NDArray[np.float64] | None:
    """From index (i, j, k) to LPS mm, if the file states it: the sform where it has a code, else the qform."""
    sform = np.vstack([header.srow, [0, 0, 0, 1]]) if header.sform_code > 0 else None
    qform = _qform(header) if header.qform_code > 0 else None
    if sform is not None and qform is not None and _apart(sform, qform, shape) * unit > _DISAGREE_MM:
        text = (
            "The file states two different places for its voxels (sform and qform), "
            f"{_apart(sform, qform, shape) * unit:.3g} mm apart; the sform is used."
        )
        told.append(Notice("two-orientations", Severity.WARNING, text))
    found = sform if sform is not None else qform
    if found is None:
        return None
    with np.errstate(all="ignore"):  # numbers of any kind; `place` looks at what comes out
        return np.asarray(_RAS_TO_LPS @ np.diag([unit, unit, unit, 1.0]) @ found)


def _qform(header: Header) -> NDArray[np.float64]:
    """Method 2 of nifti1.h: a rotation as a quaternion whose first part follows from the others; NaN where impossible."""
    b, c, d = (min(max(value, -2.0), 2.0) for value in header.quatern)  # beyond 1 it is none anyway; NaN stays
    rest = 1.0 - (b * b + c * c + d * d)
    if not rest > -1e-5:  # more than rounding of 32-bit numbers; NaN too
        return np.full((4, 4), np.nan)
    a = math.sqrt(max(0.0, rest))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    left_handed = -1.0 if header.pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * (np.abs(header.pixdim[1:4]) * (1.0, 1.0, left_handed))
    affine[:3, 3] = header.qoffset
    return affine


def _apart(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, int, int]) -> float:
    """How far apart two affines place a corner of the volume, at the most; infinite for one that is none."""
    slices, rows, columns = shape
    corners = [(i, j, k, 1) for i in (0, columns - 1) for j in (0, rows - 1) for k in (0, slices - 1)]
    with np.errstate(all="ignore"):
        distances = np.linalg.norm(((one - other) @ np.array(corners, float).T)[:3], axis=0)
    return float(distances.max()) if np.isfinite(distances).all() else math.inf
