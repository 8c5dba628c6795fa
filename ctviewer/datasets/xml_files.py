"""XML that data sets come with, read so that nothing in it is expanded."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason


def read_xml(path: Path, what: str, most_bytes: int) -> ElementTree.Element:
    """The root of a file.

    Args:
        path: of the file.
        what: it is to be, for the texts: "file of contours".
        most_bytes: that such a file may have.

    Raises:
        InputError: it cannot be read, is too large, defines entities or is damaged.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    if len(data) > most_bytes or any(one in data for one in (b"<!DOCTYPE", b"<!ENTITY", b"\0")):
        raise InputError(f"{path} is no {what}: it is too large, defines entities or is no UTF-8.")
    try:
        return ElementTree.fromstring(data)  # noqa: S314 - without a DOCTYPE there is no entity to expand
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is damaged: it is no XML ({error}).") from error
