"""Headers of NIfTI-1 and NIfTI-2, by the layouts of nifti1.h and nifti2.h.

They are read here, without nibabel: importing that takes longer than opening a volume, and the tests have it to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.dicom.formats.inflate import Inflated
from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.storage import open_file

_GZIP = b"\x1f\x8b"
_MAGICS = {348: (b"n+1\0", b"ni1\0"), 540: (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")}
_HEAD = 544  # the longer header, and the byte that tells of extensions
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


@dataclass(frozen=True)
class Header:
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


def read_header(path: Path) -> Header:
    """Read the header of a file, or of a pair of files.

    Raises:
        FormatError: it is none, or damaged; the text is a clause.
        OSError: the file cannot be read.
    """
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


def _parsed(head: bytes, size: int, layout: dict[str, tuple[str, int]], order: str, gzipped: bool) -> Header:
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
    return Header(order, size + 4, magic[1:2] == b"+", gzipped, **values)
