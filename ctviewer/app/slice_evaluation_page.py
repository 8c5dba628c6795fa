"""`evaluation.html` of a one-shot model: its figures on labelled slices, to look at, to print and to keep."""

from __future__ import annotations

from collections.abc import Iterator

from ctviewer.app.evaluation_page import interval_text
from ctviewer.app.evaluation_record import looks_words
from ctviewer.app.slice_evaluation_record import NAMES, SliceRecord, about_data, set_lines, set_title
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.report import charts, page
from ctviewer.training.scores.detection.figures import AP, AP50, AP75, DICE, F1, PRECISION, SENSITIVITY
from ctviewer.training.slice_evaluation import DEFINITIONS, SliceEvaluation

_MOST_MISTAKES = 200


def render(record: SliceRecord) -> str:
    """The page."""
    m = record.bundle.metadata
    parts = [
        page.text(f"{m.title}, {m.trained_on}. Weights SHA-256 {m.weights_sha256[:16]}…", "small"),
        page.text(f"Made {record.made}. {NAMES}", "small"),
        page.section("What was judged", page.points(list(about_data(record))), page.text(m.limits)),
        *(_set(record, one) for one in record.sets),
        *_scans(record),
        page.section("How the figures are defined", page.points(DEFINITIONS)),
    ]
    return page.page(
        f"Evaluation of {record.bundle.key}", f"{RESEARCH_USE} Not for any decision about a patient.", parts
    )


def _scans(record: SliceRecord) -> Iterator[str]:
    for title, told in (("Scans left out", record.left_out), ("Scans judged in part", record.in_part)):
        if told:
            yield page.section(title, page.table(("Scan", "Why"), [(one.study, one.why) for one in told]))


def _set(record: SliceRecord, one: SliceEvaluation) -> str:
    rows = [
        (metric.name, f"{metric.value:.3f}", interval_text(metric), f"{metric.n} {metric.unit}")
        for metric in one.metrics
    ]
    looks = looks_words(record.looks, one.part, "scans")
    return page.section(
        set_title(one),
        *(page.text(line) for line in set_lines(one)),
        page.text(looks, "doubt") if looks else "",
        page.points(one.notes),
        page.figures(_charts(one)),
        page.table(("Figure", "Value", "95 % interval", "Over"), rows, right=(1, 2)),
        _mistakes(one),
    )


def _charts(one: SliceEvaluation) -> Iterator[tuple[str, str, str]]:
    for title, kinds in (
        ("Outlines", (AP50, AP75, AP, DICE)),
        ("Classes of slices", (SENSITIVITY, PRECISION, F1)),
    ):
        shown = [metric for metric in one.metrics if metric.name.split(", ")[0] in kinds]
        if shown:
            rows = [charts.Interval(metric.name, metric.value, metric.low, metric.high) for metric in shown]
            yield title, "with 95 % intervals over patients", charts.interval_chart(title, rows)
    if one.curves:
        lines = [charts.Line(curve.name, curve.points) for curve in one.curves]
        yield "FROC curve", "lesions found against false findings", charts.froc_chart(lines)
    if one.confusion is not None:
        said = charts.confusion_chart("Confusion matrix", one.confusion.classes, one.confusion.studies)
        yield "Confusion matrix", "slices, and their share of the true class", said


def _mistakes(one: SliceEvaluation) -> str:
    if one.confusion is None:
        return ""
    if not one.mistakes:
        return page.text("The model answered every slice of this set as labelled.")
    shown = one.mistakes[:_MOST_MISTAKES]
    more = f" The first {len(shown)} of {len(one.mistakes)}." if len(shown) < len(one.mistakes) else ""
    rows = [(m.scan, m.slice, m.truth, m.answer) for m in shown]
    return page.text(f"Slices whose class the model does not answer as labelled.{more}") + page.table(
        ("Scan", "Slice", "Label", "Answer"), rows
    )
