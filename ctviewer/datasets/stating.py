"""What a data set states of images that do not say it themselves: by columns of `labels.csv`, or once for all studies."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from ctviewer.core.errors import InputError
from ctviewer.core.interpretation import FEET_FIRST, HEAD_FIRST, Interpretation, parse_spacing, parse_values
from ctviewer.core.volume import Volume

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_WINDOW = re.compile(rf"window=({_NUMBER})/({_NUMBER})(?:/({_NUMBER}))?", re.IGNORECASE)
_WHITE = 255.0
RECOVERED = "recovered"
_RECOVERABLE = ("covid19_ct_seg",)  # formats whose pictures are known well enough


@dataclass(frozen=True)
class Statement:
    """A statement about the images of one study, or of all.

    Attributes:
        meaning: as the viewer's own statements are.
        white: values in the file must not be above it: the end of the stated window; None where none was stated.
        cells: as written: values, spacing, order.
    """

    meaning: Interpretation
    white: float | None = None
    cells: tuple[str, str, str] = ("", "", "")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stated."""
        return self.meaning == Interpretation()


def read_statement(values: str = "", spacing: str = "", order: str = "") -> Statement:
    """Understand a statement; empty texts state nothing.

    Args:
        values: "hu", "hu+1024" (the file holds HU + 1024), "hu=0.5*x-1000", "grey", or "window=-600/1500": pictures
            whose black and white are the ends of the window of that centre and width in HU. White is 255, that of
            8 bits; with another it is stated as a third number, "window=-600/1500/65535".
        spacing: "ROWxCOLUMN", "ROWxCOLUMNxSLICE" or "xxSLICE" in mm.
        order: "head-first" or "feet-first".

    Raises:
        InputError: one of them is not understood.
    """
    cells = (values, spacing, order)
    meaning, white = _values(values) if values else (Interpretation(), None)
    if spacing:
        found = _distances(spacing)
        meaning = replace(meaning, pixel_spacing=found.pixel_spacing, slice_spacing=found.slice_spacing)
    if order:
        plain = re.sub(r"[\s_]+", "-", order.strip().casefold())
        if plain not in (HEAD_FIRST, FEET_FIRST):
            raise InputError(f"The order {order!r} is neither {HEAD_FIRST} nor {FEET_FIRST}.")
        meaning = replace(meaning, order=plain)
    return Statement(meaning, white, cells)


def asks_recovery(format: str, values: str) -> bool:
    """Whether a set's statement of values asks for Hounsfield units recovered from its pictures (`datasets.recovered`).

    Args:
        format: of the set; only COVID-19-CT-Seg's pictures are known well enough.
        values: as written; "recovered" asks for it.
    """
    return format in _RECOVERABLE and values.strip().casefold() == RECOVERED


def joined(row: Statement, common: Statement) -> Statement:
    """What a row states, and of the rest what is stated for all."""
    cells = row.cells
    first = row if row.cells[0] else common
    distances = row.meaning if cells[1] else common.meaning
    meaning = replace(
        first.meaning,
        pixel_spacing=distances.pixel_spacing,
        slice_spacing=distances.slice_spacing,
        order=row.meaning.order or common.meaning.order,
    )
    values, spacing, order = (own or other for own, other in zip(cells, common.cells, strict=True))
    return Statement(meaning, first.white, (values, spacing, order))


def require_window_fits(volume: Volume, stated: Statement, name: str) -> None:
    """Refuse a stated window that the values in the files contradict.

    Args:
        volume: loaded, its values turned to HU by the statement.
        stated: about it.
        name: of the study, for the text.

    Raises:
        InputError: values lie above the stated white.
    """
    if stated.white is None or stated.meaning.unit != "HU":
        return
    usable = np.flatnonzero(~volume.failed)
    top = max((float(volume.hu(int(i)).max()) for i in usable), default=0.0)
    highest = (top - stated.meaning.intercept) / stated.meaning.slope
    if highest > stated.white + 0.5:
        raise InputError(
            f"The study {name} holds the value {highest:.0f}, and its window is stated for values up to "
            f"{stated.white:g}: state what white is, window=CENTRE/WIDTH/65535 for instance."
        )


def _values(text: str) -> tuple[Interpretation, float | None]:
    found = _WINDOW.fullmatch(text.replace(" ", ""))
    if found is None:
        try:
            return parse_values(text), None
        except InputError as error:
            raise InputError(_plain(error).replace(" or grey", ", window=-600/1500 or grey")) from error
    centre, width, white = float(found[1]), float(found[2]), float(found[3] or _WHITE)
    if width <= 0 or white <= 0:
        raise InputError(f"The statement {text} is of a window without width.")
    try:
        return Interpretation("HU", width / white, centre - width / 2), white
    except ValueError as error:
        raise InputError(f"The statement {text}: {error}.") from error


def _distances(text: str) -> Interpretation:
    """As on the command line; "xxSLICE" leaves the pixels to the files."""
    slices_alone = text.lower().startswith("xx")
    try:
        found = parse_spacing(f"1x1x{text[2:]}" if slices_alone else text)
    except InputError as error:
        raise InputError(_plain(error).replace("1x1x", "xx", 1) if slices_alone else _plain(error)) from error
    return replace(found, pixel_spacing=None) if slices_alone else found


def _plain(error: InputError) -> str:
    """What the command line says of its options, of a statement."""
    return re.sub(r"^--(values|spacing)", "The statement", str(error))
