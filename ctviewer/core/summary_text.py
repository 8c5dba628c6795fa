"""The words for a `SeriesSummary`: pairs of label and text that the command line and the window lay out in their own way."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ctviewer.core.series import Series, Severity, VolumeUse
from ctviewer.core.summary import Concern, Order, SeriesSummary, SliceMention, ValueRange
from ctviewer.core.units import unit_text
from ctviewer.core.windowing import Voi, VoiFunction, VoiTable
from ctviewer.core.words import counted

Fact = tuple[str, str]
WIDTH = 100  # columns of text
_LABEL = 20
_MOST_NAMED = 8
UNKNOWN = "not stated"
_ORDERED = {
    Order.POSITION: "by position along the slice normal",
    Order.IMAGE_NUMBER: "by image number, for want of positions",
    Order.FILE_NAME: "by file name, for want of positions and of distinct image numbers in the files",
}


def number(value: float) -> str:
    """At most six significant digits, without an exponent for what scanners write."""
    return f"{value:.6g}"


def title(one: SeriesSummary | Series) -> str:
    """For instance "Se 3  Lung 2.0"."""
    name = "Series without a number" if one.number is None else f"Se {one.number}"
    return f"{name}  {one.description}".strip()


def mention(one: SliceMention) -> str:
    """For instance "Se 3 / Im 45 (z -212.1 mm, IM0045.dcm)"."""
    return f"{one.citation} ({', '.join(part for part in (one.place, one.file) if part)})"


def window_text(window: Voi) -> str:
    """For instance "W 1500 L -600 (LUNG)"."""
    if isinstance(window, VoiTable):
        return f"table {window.name}".strip()
    name = f" ({window.name})" if window.name else ""
    function = "" if window.function is VoiFunction.LINEAR else f" {window.function.value}"
    return f"W {number(window.width)} L {number(window.centre)}{function}{name}"


def facts(summary: SeriesSummary, values: ValueRange | None = None) -> list[Fact]:
    """All there is to say of a series but its warnings; empty texts are left out."""
    if not summary.readable:
        found = [("cannot be shown", summary.reason), ("type", _kind(summary)), ("image type", _image_type(summary))]
    else:
        found = [*_shape(summary), *_order(summary), *_storage(summary), *_values(summary, values), *_origin(summary)]
    return [(label, text) for label, text in found if text]


def values_text(values: ValueRange) -> str:
    """For instance "-1024 to 3071 HU"; what failed is counted."""
    if values.low is None or values.high is None:
        text = "no pixel has a value"
    else:
        text = f"{number(values.low)} to {number(values.high)} {unit_text(values.unit)}".rstrip()
    failed = f"; {counted(len(values.failed), 'slice')} could not be decoded" if values.failed else ""
    return f"{text}{failed}"


def details(
    summary: SeriesSummary, values: ValueRange | None = None, more: Sequence[Concern] = (), *, most: int = _MOST_NAMED
) -> list[str]:
    """Facts and warnings as lines of text, at most `WIDTH` columns wide, without a title.

    Args:
        summary: the series.
        values: the range of its values, where known.
        more: what came up since it was scanned.
        most: slices named for each warning.
    """
    lines = []
    for label, text in (("series", summary.key), *facts(summary, values)):
        lines += _wrapped(text, f"  {label:{_LABEL}}", " " * (_LABEL + 2))
    for one in (*summary.warnings, *more):
        lines += concern_lines(one, "  ", most)
    return lines


def concern_lines(one: Concern, indent: str = "", most: int = _MOST_NAMED) -> list[str]:
    """A warning as lines of text, then the slices or files that it concerns."""
    mark = "-" if one.severity is Severity.INFO else "!"
    lines = _wrapped(f"{one.severity.value}: {one.text}", f"{indent}{mark} ", f"{indent}  ")
    named = [mention(each) for each in one.slices] or list(one.files)
    if named:
        rest = f", and {len(named) - most} more" if len(named) > most else ""
        listed = f"{'slices' if one.slices else 'files'}: {', '.join(named[:most])}{rest}"
        lines += _wrapped(listed, f"{indent}    ", f"{indent}    ")
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _kind(summary: SeriesSummary) -> str:
    return f"{summary.modality}, {counted(summary.slice_count, 'file')}"


def _image_type(summary: SeriesSummary) -> str:
    return " / ".join(summary.image_type)


def _shape(summary: SeriesSummary) -> list[Fact]:
    spacing, between = summary.pixel_spacing, summary.slice_spacing
    scout = ", localizer" if summary.is_localizer else ""
    pixels = "not stated: lengths are in pixels only"
    if spacing is not None:
        pixels = f"{number(spacing[0])} mm between rows, {number(spacing[1])} mm between columns"
    return [
        ("modality", f"{summary.modality}{scout}"),
        ("slices", f"{summary.slice_count} of {summary.rows} rows x {summary.columns} columns"),
        ("pixel spacing", pixels),
        ("slice spacing", "unknown" if between is None else f"{number(between)} mm between positions"),
        ("thickness", UNKNOWN if summary.thickness is None else f"{number(summary.thickness)} mm"),
        ("orientation", _orientation(summary)),
    ]


def _orientation(summary: SeriesSummary) -> str:
    row, column = summary.row_cosines, summary.column_cosines
    if row is None or column is None:
        return "unknown"
    left, right, top, bottom = summary.letters
    cosines = [" ".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in axis) for axis in (row, column)]
    return f"{summary.plane}; rows run {left} to {right} ({cosines[0]}), columns run {top} to {bottom} ({cosines[1]})"


def _order(summary: SeriesSummary) -> list[Fact]:
    if summary.order is None:
        return []
    return [
        ("order", _ORDERED[summary.order]),
        ("shown first", mention(summary.slices[0])),
        ("shown last", mention(summary.slices[-1])),
    ]


def _storage(summary: SeriesSummary) -> list[Fact]:
    names = summary.syntaxes
    syntax = names[0][1] if len(names) == 1 else ", ".join(f"{name} ({count})" for _, name, count in names)
    ratio = "" if summary.compression_ratio is None else f", up to {number(summary.compression_ratio)} to 1"
    some = "all" if summary.lossy_slices == summary.slice_count else str(summary.lossy_slices)
    lossy = (
        f"{some} of {counted(summary.slice_count, 'slice')} lost detail{ratio}"
        if summary.lossy_slices
        else "none known"
    )
    bits = ", ".join(f"{stored} of {allocated}" for stored, allocated, _ in summary.bits)
    return [
        ("transfer syntax", syntax),
        ("lossy compression", lossy),
        ("bits per pixel", f"{bits}, {'signed' if summary.signed else 'unsigned'}" if bits else ""),
    ]


def _values(summary: SeriesSummary, values: ValueRange | None) -> list[Fact]:
    padding = summary.padding
    span = "none stated"
    if padding is not None:
        span = f"stored {padding[0]}" if padding[0] == padding[1] else f"stored {padding[0]} to {padding[1]}"
    return [
        ("unit", unit_text(summary.unit) or "unknown"),
        ("values", "" if values is None else values_text(values)),
        ("rescale", _rescale(summary)),
        ("padding", span),
        ("windows", "; ".join(window_text(one) for one in summary.windows) or "none in the file"),
        ("grey scale", "low values are white (MONOCHROME1)" if summary.inverted else ""),
    ]


def _rescale(summary: SeriesSummary) -> str:
    if summary.slopes is None or summary.intercepts is None:
        return ""
    slope, intercept = (
        number(low) if low == high else f"{number(low)} to {number(high)}"
        for low, high in (summary.slopes, summary.intercepts)
    )
    return f"slope {slope}, intercept {intercept}"


def _origin(summary: SeriesSummary) -> list[Fact]:
    scanner = " ".join(part for part in (summary.manufacturer, summary.model_name) if part)
    tube = "" if summary.kvp is None else f"{number(summary.kvp)} kV"
    return [
        ("kernel", summary.kernel or UNKNOWN),
        ("scanner", ", ".join(part for part in (scanner, tube) if part)),
        ("contrast agent", summary.contrast_agent),
        ("body part", summary.body_part),
        ("image type", _image_type(summary)),
        ("may be used for", _use(summary)),
        ("left open by files", ", ".join(summary.questions)),
    ]


def _use(summary: SeriesSummary) -> str:
    words = {
        VolumeUse.VOLUME: "reading, reformatting, measuring as a volume",
        VolumeUse.SHEARED: "a volume once each slice is shifted back",
        VolumeUse.SLICES_ONLY: "2-D only: reading slice by slice",
    }
    return f"{words[summary.use]}{f' ({summary.use_reason})' if summary.use_reason else ''}"
