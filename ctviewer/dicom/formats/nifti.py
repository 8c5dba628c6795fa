"""NIfTI-1 and NIfTI-2 volumes: .nii, .nii.gz, and pairs of .hdr and .img.

By the standard's own text (nifti1.h and nifti2.h; "3D image (volume) orientation and location in space"). The header is
read here, without nibabel: importing that takes longer than opening the volume, and the tests have it to compare with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.series import Notice, Series, Severity
from ctviewer.dicom.formats.build import Grid, file_key, grid_series
from ctviewer.dicom.formats.grid import FormatError
from ctviewer.dicom.formats.inflate import MOST_RATIO, Inflated
from ctviewer.dicom.formats.masks import is_mask
from ctviewer.dicom.formats.placement import NoGeometryError, Placement, place, unplaced
from ctviewer.dicom.storage import open_file

_HEAD = 544  # the longer header, and the byte that tells of extensions
_MAGICS = {348: (b"n+1\0", b"ni1\0"), 540: (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")}
_MOST_SIDE = 65535
_MOST_VOLUMES = 20
_GZIP = b"\x1f\x8b"
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DISAGREE_MM = 0.1
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, millimetre, micrometre
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_LAYOUTS: dict[int, dict[str, tuple[str, int]]] = {  # numpy format and byte offset of each field (nifti1.h, nifti2.h)
    348: {
        "dim": ("8=i2", 40), "datatype": ("=i2", 70), "pixdim": ("8=f4", 76), "vox_offset": ("=f4", 108),
        "scl_slope": ("=f4", 112), "scl_inter": ("=f4", 116), "xyzt_units": ("u1", 123), "qform_code": ("=i2", 252),
        "sform_code": ("=i2", 254), "quatern": ("3=f4", 256), "qoffset": ("3=f4", 268), "srow": ("12=f4", 280),
    },
    540: {
        "dim": ("8=i8", 16), "datatype": ("=i2", 12), "pixdim": ("8=f8", 104), "vox_offset": ("=i8", 168),
        "scl_slope": ("=f8", 176), "scl_inter": ("=f8", 184), "xyzt_units": ("=i4", 500), "qform_code": ("=i4", 344),
        "sform_code": ("=i4", 348), "quatern": ("3=f8", 352), "qoffset": ("3=f8", 376), "srow": ("12=f8", 400),
    },
}  # fmt: skip
_REFUSED = {
    1: "holds single bits", 32: "holds complex numbers", 128: "holds colours (RGB)", 1536: "holds 128-bit numbers",
    1792: "holds complex numbers", 2048: "holds complex numbers", 2304: "holds colours (RGBA)",
}  # fmt: skip


@dataclass(frozen=True)
class _Header:
    """What counts of a header. Names are the standard's.

    Attributes:
        order: byte order, "<" or ">".
        least: bytes that header and extension mark take at least.
        single: header and pixels are in one file.
        gzipped: the file is compressed as a whole.
    """

    order: str
    least: int
    single: bool
    gzipped: bool
    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    xyzt_units: int
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    qoffset: tuple[float, ...]
    srow: NDArray[np.float64]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Length of each axis; empty where the header is damaged."""
        return self.dim[1 : self.dim[0] + 1] if 1 <= self.dim[0] <= 7 else ()


def read_nifti(path: Path) -> list[Series]:
    """The series of one file: one, or one for each volume of a file with several (up to 20).

    Raises:
        FormatError: the file is damaged, or of a kind that is not supported.
        OSError: it cannot be read.
    """
    header = _read_header(path)
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
        notices=(*notices, *more, *_many(volumes)),
        is_mask=scale == (1.0, 0.0)
        and is_mask(pixels, offset, volume_bytes, dtype, path.name, 0 if header.gzipped else None),
    )
    key, plane_bytes = file_key(path, "nifti"), columns * rows * dtype.itemsize
    made = []
    for volume in range(min(volumes, _MOST_VOLUMES)):
        start = offset + volume * volume_bytes
        planes = tuple((pixels, start + k * plane_bytes) for k in range(slices))
        part = f"volume {volume + 1} of {volumes}" if volumes > 1 else ""
        own = key if volumes == 1 else f"{key}#{volume + 1}"
        made.append(grid_series(replace(grid, planes=planes, part=part), own))
    return made


def _read_header(path: Path) -> _Header:
    with open_file(path) as (file, _):
        head = file.read(_HEAD)
    gzipped = head.startswith(_GZIP)
    if gzipped:
        head = Inflated(path).head(_HEAD)
    for size, layout in _LAYOUTS.items():
        for order in "<>":
            if len(head) >= size and int.from_bytes(head[:4], "little" if order == "<" else "big") == size:
                return _parsed(head, size, layout, order, gzipped)
    raise FormatError("it is not NIfTI, in spite of its name" if head else "it is empty")


def _parsed(head: bytes, size: int, layout: dict[str, tuple[str, int]], order: str, gzipped: bool) -> _Header:
    magic = head[344:348] if size == 348 else head[4:12]
    if magic not in _MAGICS[size]:
        if size == 348:
            raise FormatError("it is an Analyze 7.5 file, which does not say where its voxels lie; NIfTI is needed")
        raise FormatError("its header is damaged")
    kind = np.dtype(
        {
            "names": list(layout),
            "formats": [form.replace("=", order) for form, _ in layout.values()],
            "offsets": [offset for _, offset in layout.values()],
            "itemsize": size,
        }
    )
    fields = np.frombuffer(head, kind, 1)[0]
    values = {name: value.tolist() for name, value in zip(layout, fields, strict=True)}
    for name in ("dim", "pixdim", "quatern", "qoffset"):
        values[name] = tuple(values[name])
    values["srow"] = np.array(values["srow"], np.float64).reshape(3, 4)
    return _Header(order, size + 4, magic[1:2] == b"+", gzipped, **values)


def _shape(header: _Header) -> tuple[tuple[int, int, int], int]:
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


def _pixels(path: Path, header: _Header) -> tuple[Path, int]:
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


def _scale(header: _Header) -> tuple[tuple[float, float], tuple[Notice, ...]]:
    """Slope and intercept; a slope of 0 means none (nifti1.h)."""
    slope, intercept = header.scl_slope, header.scl_inter
    if slope == 0 or math.isnan(slope):
        return (1.0, 0.0), ()
    if not math.isfinite(intercept) or not 1e-12 < abs(slope) < 1e12 or abs(intercept) > 1e12:
        text = "The header states an impossible scaling of values; they are shown as stored."
        return (1.0, 0.0), (Notice("bad-scaling", Severity.WARNING, text),)
    return (slope, intercept), ()


def _many(volumes: int) -> Iterator[Notice]:
    if volumes > 1:
        text = f"The file holds {volumes} volumes, over time for instance; each is a series of its own."
        if volumes > _MOST_VOLUMES:
            text = f"The file holds {volumes} volumes; the first {_MOST_VOLUMES} are listed, the others are left out."
        yield Notice("several-volumes", Severity.INFO if volumes <= _MOST_VOLUMES else Severity.WARNING, text)


def _placement(header: _Header, shape: tuple[int, int, int]) -> tuple[Placement, float | None, tuple[Notice, ...]]:
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
        try:
            return place(shape, affine), None, tuple(told)
        except NoGeometryError as error:
            text = f"The file states where its slices lie, but {error}: orientation and distances are not used."
            told.append(Notice("bad-affine", Severity.WARNING, text))
            return unplaced(shape, None), None, tuple(told)
    known = all(1e-5 < size < 1e4 for size in sizes)  # false for NaN
    return unplaced(shape, (sizes[1], sizes[0]) if known else None), sizes[2] if known else None, tuple(told)


def _affine(
    header: _Header, unit: float, shape: tuple[int, int, int], told: list[Notice]
) -> NDArray[np.float64] | None:
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


def _qform(header: _Header) -> NDArray[np.float64]:
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
