"""Charts of a model's figures, from plain numbers to inline SVG: ROC, FROC, precision, reliability, confusion, intervals, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctviewer.report.markup import INK, MUTED, RULE
from ctviewer.report.svg import PAPER, Frame, Point, Sheet, style_of, ticks

_SIDE, _LEFT, _TOP, _LINE = 320.0, 62.0, 14.0, 22.0
_WIDTH = _LEFT + _SIDE + 18
_UNIT = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_BAND = "#eef2f6"
_TONE = (102, 170, 209)  # of full cells of a table: dark letters can be read on it
_ROW = 42.0  # of a figure with its interval


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the legend.
        points: x and y.
        marks: points of it that are marked, such as where the model works.
    """

    name: str
    points: Sequence[Point]
    marks: Sequence[Point] = ()


@dataclass(frozen=True)
class Share:
    """Studies of about one probability.

    Attributes:
        low, high: range of the probability.
        studies: how many.
        probability: their mean.
        share: of them that are positive, with its interval.
        share_low, share_high: of the interval.
    """

    low: float
    high: float
    studies: int
    probability: float
    share: float
    share_low: float
    share_high: float


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; None where there is none."""

    name: str
    value: float
    low: float | None
    high: float | None


def roc_chart(lines: Sequence[Line]) -> str:
    """Sensitivity over 1 - specificity; the diagonal is chance."""
    told = f"Receiver operating characteristic of {_named(lines)}. The dashed diagonal is chance."
    sheet, frame = _square("ROC curve", told, len(lines), "1 − specificity", "sensitivity")
    sheet.line(frame.at(0, 0), frame.at(1, 1), MUTED, 1.2, "4 4")
    _draw(sheet, frame, lines)
    return sheet.svg()


def precision_chart(lines: Sequence[Line]) -> str:
    """Precision over recall."""
    told = f"Precision over recall (sensitivity) of {_named(lines)}."
    sheet, frame = _square("Precision and recall", told, len(lines), "recall (sensitivity)", "precision")
    _draw(sheet, frame, lines)
    return sheet.svg()


def froc_chart(lines: Sequence[Line]) -> str:
    """Lesions found over false findings per scan, up to eight of them."""
    most = 8.0
    told = f"Share of lesions found over false findings per scan, of {_named(lines)}."
    sheet = Sheet(_WIDTH, _TOP + _SIDE + 48 + _LINE * len(lines) + 8, "FROC curve", told)
    frame = Frame(sheet, (_LEFT, _TOP, _SIDE, _SIDE), (0, most), (0, 1))
    frame.axes("false findings per scan", "share of lesions found", (0, 1, 2, 4, 6, most), _UNIT)
    _draw(sheet, frame, [Line(line.name, _steps(line.points, most)) for line in lines])
    return sheet.svg()


def reliability_chart(name: str, curves: Sequence[tuple[str, Sequence[Share]]]) -> str:
    """Share of positives over the probability given, and below it how many studies each range holds.

    Args:
        name: of what is predicted.
        curves: by model (one or two), the ranges that hold studies.
    """
    told = f"Reliability of the probability of {name}. " + " ".join(_reliability_words(m, s) for m, s in curves)
    rows = len(curves)
    sheet = Sheet(_WIDTH, _TOP + _SIDE + 52 + rows * (_LINE + 18) + 22, f"Reliability, {name}", told)
    frame = Frame(sheet, (_LEFT, _TOP, _SIDE, _SIDE), (0, 1), (0, 1))
    frame.axes("probability given by the model", "share that was true", _UNIT, _UNIT)
    sheet.line(frame.at(0, 0), frame.at(1, 1), MUTED, 1.2, "4 4")
    for i, (_, shares) in enumerate(curves):
        colour, dash = style_of(i)
        for one in shares:
            sheet.line(frame.at(one.probability, one.share_low), frame.at(one.probability, one.share_high), colour, 1.4)
        points = [frame.at(one.probability, one.share) for one in shares]
        sheet.path(points, colour, dash, 1.6)
        for point in points:
            sheet.dot(point, colour, hollow=i > 0)
    y = _TOP + _SIDE + 62
    sheet.text((_LEFT, y), "studies in each range of probability", size=12, colour=MUTED)
    for i, (model, shares) in enumerate(curves):
        y += 18
        for one in shares:
            x, _ = frame.at((one.low + one.high) / 2, 0)
            sheet.text((x, y), str(one.studies), size=12, colour=style_of(i)[0], anchor="middle")
        y += _LINE - 4
        _legend(sheet, y, i, model, hollow=i > 0)
    return sheet.svg()


def confusion_chart(title: str, classes: Sequence[str], studies: Sequence[Sequence[int]]) -> str:
    """Rows are true, columns are answered; each cell has its count and its share of the row."""
    n, side = len(classes), max(46.0, min(86.0, 250.0 / max(1, len(classes))))
    left, top = 118.0, 58.0
    rows = [
        f"Of {sum(row)} with {name}: " + ", ".join(f"{count} {said}" for said, count in zip(classes, row, strict=True))
        for name, row in zip(classes, studies, strict=True)
    ]
    sheet = Sheet(left + n * side + 12, top + n * side + 14, title, ". ".join(rows) + ".")
    sheet.text((left + n * side / 2, 18), "answer of the model", anchor="middle", colour=MUTED)
    sheet.text((16, top + n * side / 2), "true class", anchor="middle", colour=MUTED, turned=True)
    letters = max(5, int(side / 7))
    for i, (name, row) in enumerate(zip(classes, studies, strict=True)):
        sheet.text((left + (i + 0.5) * side, top - 12), name, size=12, anchor="middle", most=letters)
        sheet.text((left - 8, top + (i + 0.5) * side + 4), name, size=12, anchor="end", most=13)
        for j, count in enumerate(row):
            share = count / sum(row) if sum(row) else 0.0
            x, y = left + j * side, top + i * side
            sheet.rect(x, y, side, side, _shade(share), INK if i == j else RULE)
            sheet.text((x + side / 2, y + side / 2 + 1), str(count), size=16, anchor="middle", bold=i == j)
            if sum(row):
                sheet.text((x + side / 2, y + side / 2 + 17), f"{share:.0%}", size=11, anchor="middle")
    return sheet.svg()


def interval_chart(title: str, rows: Sequence[Interval], reference: float | None = None) -> str:
    """Figures one below the other, each a dot with its 95 % interval.

    Args:
        title: what they are.
        rows: in order.
        reference: a value to be told apart from, such as no difference; a line is drawn there.
    """
    known = [x for one in rows for x in (one.value, one.low, one.high, reference) if x is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    bounds = (0.0, 1.0) if reference is None and low >= 0 and high <= 1 else (low - margin, high + margin)
    told = " ".join(f"{one.name}: {interval_words(one)}." for one in rows)
    sheet = Sheet(_WIDTH, 34 + _ROW * len(rows), title, told)
    left, width, bottom = 14.0, _WIDTH - 28, 8 + _ROW * len(rows)
    frame = Frame(sheet, (left, 8, width, bottom - 8), bounds, (0, 1))
    for tick in ticks(*bounds):
        x, _ = frame.at(tick, 0)
        sheet.line((x, 8), (x, bottom))
        sheet.text((x, bottom + 17), _signed(f"{tick:g}"), size=12, colour=MUTED, anchor="middle")
    if reference is not None:
        x, _ = frame.at(reference, 0)
        sheet.line((x, 8), (x, bottom), INK, 1.4)
    colour = style_of(0)[0]
    for i, one in enumerate(rows):
        y = 8 + _ROW * i
        sheet.rect(left, y + 1, width, 19, PAPER)
        sheet.text((left, y + 15), one.name, size=12.5, most=34)
        sheet.text((left + width, y + 15), interval_words(one), size=12.5, anchor="end")
        if one.low is not None and one.high is not None:
            sheet.line((frame.at(one.low, 0)[0], y + 29), (frame.at(one.high, 0)[0], y + 29), colour, 2.6)
        sheet.dot((frame.at(one.value, 0)[0], y + 29), colour, hollow=one.low is None)
    return sheet.svg()


def loss_chart(lines: Sequence[Line]) -> str:
    """Loss over epochs; a mark is the epoch that was kept."""
    points = [point for line in lines for point in line.points]
    last = max((x for x, _ in points), default=1.0)
    highest = max((y for _, y in points), default=1.0) * 1.05 or 1.0
    ends = [f"{line.name} ends at {line.points[-1][1]:.3f}" for line in lines if line.points]
    told = f"Loss by epoch. {'; '.join(ends)}." if ends else "No epoch is finished yet."
    sheet = Sheet(_WIDTH, _TOP + 240 + 48 + _LINE * len(lines) + 8, "Loss", told)
    frame = Frame(sheet, (_LEFT, _TOP, _SIDE, 240), (min(1.0, last - 1), max(2.0, last)), (0, highest))
    frame.axes("epoch", "loss", [t for t in ticks(1, max(2.0, last)) if t == int(t)], ticks(0, highest))
    _draw(sheet, frame, lines, _TOP + 240 + 62)
    return sheet.svg()


def interval_words(one: Interval) -> str:
    """For instance "0.871 (0.812 to 0.920)"."""
    if one.low is None or one.high is None:
        return _signed(f"{one.value:.3f}") + " (no interval)"
    return _signed(f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})")


def _signed(number: str) -> str:
    return number.replace("-", "−")


def _square(title: str, told: str, lines: int, across: str, up: str) -> tuple[Sheet, Frame]:
    sheet = Sheet(_WIDTH, _TOP + _SIDE + 48 + _LINE * lines + 8, title, told)
    frame = Frame(sheet, (_LEFT, _TOP, _SIDE, _SIDE), (0, 1), (0, 1))
    frame.axes(across, up, _UNIT, _UNIT)
    return sheet, frame


def _draw(sheet: Sheet, frame: Frame, lines: Sequence[Line], legend: float = _TOP + _SIDE + 62) -> None:
    for i, line in enumerate(lines):
        colour, dash = style_of(i)
        sheet.path([frame.at(x, y) for x, y in line.points], colour, dash)
        for x, y in line.marks:
            sheet.dot(frame.at(x, y), colour, 5)
        _legend(sheet, legend + i * _LINE, i, line.name)


def _steps(points: Sequence[Point], most: float) -> list[Point]:
    """A curve that stays as it is until it rises, up to the end of the axis."""
    out, height = [], 0.0
    for x, y in points:
        if x > most:
            break
        out += [(x, height), (x, y)]
        height = y
    return [*out, (most, height)] if out and points[-1][0] >= most else out


def _legend(sheet: Sheet, y: float, index: int, name: str, hollow: bool | None = None) -> None:
    colour, dash = style_of(index)
    sheet.path([(_LEFT, y - 4), (_LEFT + 34, y - 4)], colour, dash)
    if hollow is not None:
        sheet.dot((_LEFT + 17, y - 4), colour, hollow=hollow)
    sheet.text((_LEFT + 42, y), name, size=13, most=44)


def _named(lines: Sequence[Line]) -> str:
    return ", ".join(line.name for line in lines) or "nothing"


def _reliability_words(model: str, shares: Sequence[Share]) -> str:
    parts = (f"{one.studies} studies of probability {one.probability:.2f}: {one.share:.0%} true" for one in shares)
    return f"{model}: {'; '.join(parts)}."


def _shade(share: float) -> str:
    if share <= 0:
        return _BAND
    mixed = (round(255 + (tone - 255) * (0.08 + 0.92 * share)) for tone in _TONE)
    return "#" + "".join(f"{value:02x}" for value in mixed)
