"""A file for pydicom that ends the reading of what never ends: megabytes of zeros are a million empty elements to it."""

from __future__ import annotations

from ctviewer.dicom.header import DamagedError
from ctviewer.dicom.storage import ReadableFile

_MOST_READS = 150_000  # two for each element that is not skipped: some 3,000 frames; about a second


class LimitedFile:
    """An open file that can be read a limited number of times."""

    def __init__(self, file: ReadableFile) -> None:
        self._file, self._left = file, _MOST_READS

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from here.

        Raises:
            DamagedError: that was asked too often.
        """
        self._left -= 1
        if self._left < 0:
            raise DamagedError("its header does not end")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()
