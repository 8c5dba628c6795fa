"""Errors whose text is a clause become sentences that name the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ctviewer.codecs import CodecError
from ctviewer.core.errors import DecodeError
from ctviewer.core.files import reason
from ctviewer.dicom.text import visible


class FormatError(Exception):
    """A file that cannot be opened as what its name says; the text is a clause that gives the reason."""


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Let an error that is a clause, or the system's, become a sentence that names the file.

    Raises:
        DecodeError: that sentence.
    """
    try:
        yield
    except OSError as error:
        raise DecodeError(f"{visible(str(path))} could not be read: {reason(error)}.") from error
    except (CodecError, DecodeError, FormatError) as error:
        raise DecodeError(f"{visible(str(path))} could not be decoded: {error}.") from error
