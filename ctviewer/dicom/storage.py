"""Opening the files that readers read, wherever they lie. All reading in `ctviewer.dicom` goes through `open_file`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol


class ReadableFile(Protocol):
    """An open file that can be read at any position; `io.FileIO` is one."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from here; the rest without it."""

    def readinto(self, buffer: Any, /) -> int | None:
        """Fill what is there; how many bytes that were, 0 at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position."""

    def tell(self) -> int:
        """The position."""


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[tuple[ReadableFile, int]]:
    """Open a file for reading; gives it and its size in bytes.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb", buffering=0) as file:
        yield file, os.fstat(file.fileno()).st_size
