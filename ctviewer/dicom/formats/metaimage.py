"""MetaImage volumes: .mha, and .mhd with its data in .raw, .zraw or one file per slice.

The header is text, `Key = Value` by lines (itk.org/Wiki/ITK/MetaIO/Documentation). Places are LPS mm, as ITK writes them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.series import Notice, Series, Severity
from ctviewer.dicom.formats.build import Grid, each_volume, file_key, place_or_tell
from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.formats.masks import is_mask
from ctviewer.dicom.formats.placement import Placement, unplaced
from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.text import clean
from ctviewer.dicom.unpacking import MOST_RATIO

_MOST_HEADER = 1 << 20
_MOST_SIDE = 65535
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}
_PATTERN = re.compile(r"%0?\d*d")
_OPAQUE = "ElementDataFile"

Fields = dict[str, str]


def read_metaimage(path: Path) -> list[Series]:
    """The series of one header: one, or one for each volume of a four-dimensional image (up to 20).

    Raises:
        FormatError: the file is damaged, or of a kind that is not supported.
        OSError: it cannot be read.
    """
    fields, names, header_bytes = _read_header(path)
    (columns, rows, slices), volumes = _shape(fields)
    dtype = _dtype(fields)
    plane_bytes = columns * rows * dtype.itemsize
    total = plane_bytes * slices * volumes
    planes, inflated, stream = _planes(path, fields, names, header_bytes, plane_bytes, slices * volumes)
    placement, spacing, notices = _placement(fields, (slices, rows, columns))
    scale, more = _scale(fields)
    first, offset = planes[0]
    labels = len({one for one, _ in planes}) == 1 and is_mask(first, offset, total, dtype, path.name, stream)
    grid = Grid(
        path=path,
        kind="MetaImage, compressed" if inflated else "MetaImage",
        dtype=dtype,
        placement=placement,
        planes=(),
        inflated=inflated,
        scale=scale,
        slice_spacing=spacing,
        notices=(*notices, *more),
        modality=_MODALITIES.get(fields.get("Modality", ""), "OT"),
        is_mask=labels and scale == (1.0, 0.0),
    )
    key = f"{file_key(path, 'metaimage')}{_data_key(path, planes)}"
    return each_volume(grid, planes, volumes, key)


def _data_key(path: Path, planes: tuple[tuple[Path, int], ...]) -> str:
    """Two headers may be equal where their data are not."""
    middle = planes[len(planes) // 2][0]
    return "" if middle == path else file_key(middle, "")


def _read_header(path: Path) -> tuple[Fields, list[str], int]:
    """Fields, the file names that follow `ElementDataFile = LIST`, and where the data begin if they are in this file."""
    with open_file(path) as (file, _):
        head = file.read(_MOST_HEADER)
    if not head:
        raise FormatError("it is empty")
    fields: Fields = {}
    place = 0
    while place < len(head):
        end = head.find(b"\n", place)
        end = len(head) if end < 0 else end
        key, separator, value = head[place:end].decode("latin-1").partition("=")
        place = end + 1
        if not key.strip() and not separator:
            continue
        if not separator or not key.strip().replace("_", "").isalnum():
            break
        fields[key.strip()] = value.strip()
        if key.strip() == _OPAQUE:
            names = head[place:].decode("utf-8", "replace").splitlines() if value.split()[:1] == ["LIST"] else []
            return fields, [name.strip() for name in names if name.strip()], place
    if "ObjectType" in fields or "NDims" in fields:
        raise FormatError("its header does not say where the pixels are (ElementDataFile)")
    raise FormatError("it is not MetaImage, in spite of its name")


def _numbers(fields: Fields, *names: str) -> list[float]:
    """The numbers of the first of these fields that is there; empty where none is.

    Raises:
        FormatError: it holds something else.
    """
    for name in names:
        if name in fields:
            try:
                return [float(part) for part in fields[name].split()]
            except ValueError:
                raise FormatError(f"its header is damaged ({name})") from None
    return []


def _shape(fields: Fields) -> tuple[tuple[int, int, int], int]:
    """Columns, rows, slices as stored, and the number of volumes."""
    if fields.get("ObjectType", "Image") != "Image":
        raise FormatError(f"it holds no image but {clean(fields['ObjectType'])}")
    stated = _numbers(fields, "DimSize")
    if len(stated) not in (2, 3, 4) or [len(stated)] != _numbers(fields, "NDims"):
        raise FormatError("its header states no usable size")
    if not all(1 <= size <= _MOST_SIDE and size == int(size) for size in stated):
        raise FormatError(f"its header states an impossible size ({' x '.join(f'{size:g}' for size in stated)})")
    if (_numbers(fields, "ElementNumberOfChannels") or [1.0]) != [1.0]:
        raise FormatError("it holds several values for each voxel (colours or vectors), which cannot be shown")
    sizes = [int(size) for size in stated]
    slices, volumes = (*sizes[2:], 1, 1)[:2]
    return (sizes[0], sizes[1], slices), volumes


def _dtype(fields: Fields) -> np.dtype[np.generic]:
    if not _is_true(fields.get("BinaryData", "True")):
        raise FormatError("its values are written as text, which cannot be read")
    name = fields.get("ElementType", "")
    if name not in _TYPES:
        raise FormatError(f"it holds values of an unknown type ({clean(name) or 'none stated'})")
    big = _is_true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")))
    return np.dtype(f"{'>' if big else '<'}{_TYPES[name]}")


def _is_true(word: str) -> bool:
    return word[:1].upper() in ("T", "1", "Y")


def _planes(
    path: Path, fields: Fields, names: list[str], header_bytes: int, plane_bytes: int, count: int
) -> tuple[tuple[tuple[Path, int], ...], Inflated | None, int | None]:
    """File and offset of each plane; for compressed data also what inflates them, and where their stream begins."""
    where = fields[_OPAQUE]
    compressed = _is_true(fields.get("CompressedData", "False"))
    if where.split()[:1] == ["LIST"]:
        return _listed(path, fields, names, plane_bytes, count), None, None
    if _PATTERN.search(where):
        raise FormatError("its pixels are in files named by a pattern, which cannot be read")
    local = where.upper() == "LOCAL"
    pixels = path if local else _beside(path, where)
    total = plane_bytes * count
    size = _size_of(pixels)
    start = header_bytes if local else _header_size(fields, size, total)
    if total > (max(0, size - start) * MOST_RATIO if compressed else size - start):
        raise FormatError("it ends in the middle of the pixels" if local else f"{clean(pixels.name)} ends too early")
    if compressed:
        planes = tuple((pixels, k * plane_bytes) for k in range(count))
        return planes, Inflated(pixels, start, total), start
    return tuple((pixels, start + k * plane_bytes) for k in range(count)), None, None


def _listed(path: Path, fields: Fields, names: list[str], plane_bytes: int, count: int) -> tuple[tuple[Path, int], ...]:
    """One file per slice, in the order of the list."""
    if _is_true(fields.get("CompressedData", "False")):
        raise FormatError("its pixels are in several compressed files, which cannot be read")
    if fields[_OPAQUE].split()[1:] not in ([], ["2"]) or len(names) < count:
        raise FormatError(f"it lists {len(names)} files for {count} slices")
    planes = []
    for name in names[:count]:
        pixels = _beside(path, name)
        size = _size_of(pixels)
        start = _header_size(fields, size, plane_bytes)
        if size - start < plane_bytes:
            raise FormatError(f"{clean(pixels.name)} ends too early")
        planes.append((pixels, start))
    return tuple(planes)


def _header_size(fields: Fields, size: int, wanted: int) -> int:
    """Bytes before the values; -1 means that the values are the end of the file."""
    stated = _numbers(fields, "HeaderSize") or [0.0]
    if stated == [-1.0]:
        return max(0, size - wanted)
    if not 0 <= stated[0] <= size or stated[0] != int(stated[0]):
        raise FormatError("its header does not say where the pixels begin")
    return int(stated[0])


def _beside(path: Path, name: str) -> Path:
    """A file named in the header, which must lie in the header's folder or below it."""
    parts = PureWindowsPath(name)  # knows both kinds of separators, and drives
    if parts.is_absolute() or parts.drive or parts.root or ".." in parts.parts or not parts.parts or "\0" in name:
        raise FormatError("its header names a file outside its folder, which is not opened")
    return path.parent.joinpath(*parts.parts)


def _size_of(path: Path) -> int:
    """Size in bytes of a file named in the header."""
    try:
        with open_file(path) as (_, size):
            return size
    except OSError as error:
        raise FormatError(f"its pixels should be in {clean(path.name)}, which cannot be read") from error


def _scale(fields: Fields) -> tuple[tuple[float, float], tuple[Notice, ...]]:
    """The format's own function from stored element to intensity."""
    slope = (_numbers(fields, "ElementToIntensityFunctionSlope") or [1.0])[0]
    intercept = (_numbers(fields, "ElementToIntensityFunctionOffset") or [0.0])[0]
    if (slope, intercept) == (1.0, 0.0) or slope == 0:
        return (1.0, 0.0), ()
    if not 1e-12 < abs(slope) < 1e12 or not abs(intercept) < 1e12:
        text = "The header states an impossible scaling of values; they are shown as stored."
        return (1.0, 0.0), (Notice("bad-scaling", Severity.WARNING, text),)
    text = f"Values are scaled as the header says: {slope:g} times the stored value {intercept:+g}."
    return (slope, intercept), (Notice("scaled-values", Severity.INFO, text),)


def _placement(fields: Fields, shape: tuple[int, int, int]) -> tuple[Placement, float | None, tuple[Notice, ...]]:
    """Where the slices lie, the distance between them where only that is known, and what there is to tell."""
    dims = len(_numbers(fields, "DimSize"))
    spacing = [abs(size) for size in _numbers(fields, "ElementSpacing", "ElementSize")]
    turn = _numbers(fields, "TransformMatrix", "Rotation", "Orientation")
    origin = _numbers(fields, "Offset", "Position", "Origin")
    stated = len(spacing) == dims and len(turn) == dims * dims and len(origin) == dims and dims >= 3
    if stated and all(math.isfinite(value) for value in (*spacing, *turn, *origin)):
        told: list[Notice] = []
        return place_or_tell(shape, _affine(spacing, turn, origin, dims), told), None, tuple(told)
    known = len(spacing) == dims and all(1e-5 < size < 1e4 for size in spacing)
    pixel_spacing = (spacing[1], spacing[0]) if known else None
    return unplaced(shape, pixel_spacing), spacing[2] if known and dims >= 3 else None, ()


def _affine(spacing: list[float], turn: list[float], origin: list[float], dims: int) -> NDArray[np.float64]:
    """From index (i, j, k) to LPS mm. Each row of `TransformMatrix` is the direction of one axis of the image."""
    directions = np.array(turn, np.float64).reshape(dims, dims)[:3, :3]
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    affine = np.eye(4)
    with np.errstate(all="ignore"):  # an axis without direction gives NaN, which `place` refuses
        affine[:3, :3] = (directions / lengths * np.array(spacing[:3])[:, None]).T
    affine[:3, 3] = origin[:3]
    return affine
