"""What is handed to the PDF writer: a laid-out-to-be document and what stands on each of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PageSize(Enum):
    """Paper, with its size in mm."""

    A4 = "A4"
    LETTER = "Letter"

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height, portrait."""
        return (210.0, 297.0) if self is PageSize.A4 else (215.9, 279.4)


MARGIN_MM = 16.0  # left and right of the text


def text_width_px(page: PageSize) -> int:
    """Width of the text in CSS pixels (1/96 inch): what a full-width picture may take."""
    return int((page.size_mm[0] - 2 * MARGIN_MM) / 25.4 * 96)


@dataclass(frozen=True)
class PrintJob:
    """A document for the PDF writer.

    Attributes:
        html: body, in the subset that Qt's QTextDocument lays out; pictures as data URLs.
        page: paper.
        header: fields of the page header, label and value ("Patient", "Müller, Jürgen").
        footer: texts at the foot of each page, left and right of the middle.
        page_label: "Page {page} of {pages}".
        title: of the file's metadata; no patient data.
        creator: of the file's metadata ("ctviewer 0.1.0").
    """

    html: str
    page: PageSize
    header: tuple[tuple[str, str], ...]
    footer: tuple[str, str]
    page_label: str
    title: str
    creator: str
