"""Contours of LIDC-IDRI's readers as their XML files hold them (LidcReadMessage).

Source: the schema's notes at TCIA (LIDC-IDRI, "Radiologist Annotations"): a contour with inclusion TRUE runs along the first
pixels outside a nodule, one with FALSE around what is not part of it; nodules under 3 mm have a point instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.datasets.xml_files import read_xml

_ROOT = "LidcReadMessage"
_MOST_BYTES = 1 << 26
_MOST_SIDE = 1 << 14


@dataclass(frozen=True)
class Contour:
    """What one reader outlined on one image.

    Attributes:
        reader: from 0.
        nodule: number of the reader's nodule, from 0.
        image: SOP Instance UID.
        z: mm, where the reader's program saw the image; None where it is not said.
        included: whether what it encloses is part of the nodule, or cut out of it.
        points: column and row of each of its pixels, in order.
    """

    reader: int
    nodule: int
    image: str
    z: float | None
    included: bool
    points: tuple[tuple[int, int], ...]

    def inside(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels that it encloses, without its own.

        Raises:
            ValueError: it leaves the image.
        """
        ends = np.array([*self.points, self.points[0]])
        if ends.min() < 0 or ends[:, 0].max() >= shape[1] or ends[:, 1].max() >= shape[0]:
            raise ValueError("a contour leaves the image")
        inside, columns = np.zeros(shape, bool), np.arange(shape[1])
        for (x1, y1), (x2, y2) in pairwise(ends.tolist()):  # even-odd: each edge turns over what lies left of it
            for row in range(min(y1, y2), max(y1, y2)):
                inside[row] ^= columns < x1 + (row - y1) * (x2 - x1) / (y2 - y1)
        for start, end in pairwise(ends):
            steps = int(np.abs(end - start).max()) + 1
            line = np.rint(np.linspace(start, end, steps)).astype(int)
            inside[line[:, 1], line[:, 0]] = False
        return inside


@dataclass(frozen=True)
class ReadMessage:
    """One file.

    Attributes:
        series, study: UIDs of what was read.
        readers: how many there were.
        contours: of nodules; a single point is a nodule under 3 mm.
    """

    series: str
    study: str
    readers: int
    contours: tuple[Contour, ...]


def read_message(path: Path) -> ReadMessage | None:
    """The contours of a file; None for XML of another kind (readings of chest radiographs, for instance).

    Raises:
        InputError: it cannot be read or is damaged.
    """
    root = read_xml(path, "file of contours", _MOST_BYTES)
    if _name(root) != _ROOT:
        return None
    try:
        return _message(root)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged: {error}.") from error


def _message(root: ElementTree.Element) -> ReadMessage:
    """Raises ValueError with a clause."""
    header = next(_children(root, "ResponseHeader"), None)
    series, study = (
        _text(header, name) if header is not None else "" for name in ("SeriesInstanceUid", "StudyInstanceUID")
    )
    sessions = list(_children(root, "readingSession"))
    if not series or not sessions:
        raise ValueError("it names no series or no reader")
    contours = tuple(
        contour
        for reader, session in enumerate(sessions)
        for number, nodule in enumerate(_children(session, "unblindedReadNodule"))
        for contour in _contours(nodule, reader, number)
    )
    return ReadMessage(series, study, len(sessions), contours)


def _contours(nodule: ElementTree.Element, reader: int, number: int) -> Iterator[Contour]:
    for roi in _children(nodule, "roi"):
        points = tuple((_whole(edge, "xCoord"), _whole(edge, "yCoord")) for edge in _children(roi, "edgeMap"))
        image, included = _text(roi, "imageSOP_UID"), _text(roi, "inclusion").upper()
        if not points or not image or included not in ("TRUE", "FALSE"):
            raise ValueError("a contour has no points, no image, or does not say whether it includes")
        yield Contour(reader, number, image, _number(_text(roi, "imageZposition")), included == "TRUE", points)


def _whole(edge: ElementTree.Element, name: str) -> int:
    value = _number(_text(edge, name))
    if value is None or value != int(value) or not 0 <= value < _MOST_SIDE:
        raise ValueError(f"{name} of a contour is no pixel")
    return int(value)


def _number(text: str) -> float | None:
    """A number; None where nothing, or no number, is written."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(element: ElementTree.Element, name: str) -> str:
    found = next(_children(element, name), None)
    return (found.text or "").strip() if found is not None else ""


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (child for child in element if _name(child) == name)


def _name(element: ElementTree.Element) -> str:
    """Without the namespace."""
    return str(element.tag).rpartition("}")[2]
