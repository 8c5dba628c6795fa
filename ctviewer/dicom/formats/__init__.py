"""Images that are not DICOM: NIfTI, MetaImage, stacks of pictures."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from ctviewer.core.events import Event
from ctviewer.core.series import Notice, Series


def is_other_format(name: str) -> bool:
    """Whether a file of this name may be an image of another format than DICOM, by its ending."""
    return False


def read_series(paths: Sequence[Path]) -> Generator[Event, None, tuple[list[Series], list[Notice]]]:
    """The series in these files, for all of which `is_other_format` holds, in the order of a walk through a folder.

    Yields:
        `Progress`.

    Returns:
        The series, and what there is to say of files that could not be read.
    """
    yield from ()
    return [], []
