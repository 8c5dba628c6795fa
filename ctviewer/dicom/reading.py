"""From one DICOM file to its slices."""

from __future__ import annotations

from pathlib import Path

from ctviewer.core.files import reason
from ctviewer.dicom import tags
from ctviewer.dicom.fast_header import read_fast
from ctviewer.dicom.frames import slices_of
from ctviewer.dicom.header import DamagedError, Header, NotDicomError
from ctviewer.dicom.record import Slice
from ctviewer.dicom.slow_header import read_slow
from ctviewer.dicom.storage import open_file

_DICOM_ENDINGS = (".dcm", ".dicom", ".ima")


def read_header(path: Path) -> Header:
    """Read one file's header.

    Raises:
        NotDicomError: the file is something else.
        DamagedError: it is DICOM and damaged, or it cannot be read; the text is a clause.
    """
    try:
        with open_file(path) as (file, size):
            header = read_fast(file, size) or read_slow(file, size)
    except OSError as error:
        raise DamagedError(f"it could not be read: {reason(error)}") from error
    except NotDicomError:
        if path.suffix.lower() in _DICOM_ENDINGS:
            raise DamagedError("it is not DICOM, in spite of its name" if size else "it is empty") from None
        raise
    if not header.has(tags.SOP_CLASS_UID) and not header.has(tags.SERIES_INSTANCE_UID):
        raise DamagedError("its header is incomplete")
    return header


def read_slices(path: Path) -> list[Slice]:
    """The slices of one file: one for each frame of a multi-frame file that can be shown, else one for the file.

    Raises:
        NotDicomError: the file is something else.
        DamagedError: it is DICOM and damaged, or it cannot be read; the text is a clause.
    """
    header = read_header(path)
    try:
        return slices_of(path, header)
    except OSError as error:
        raise DamagedError(f"it could not be read: {reason(error)}") from error
