"""`evaluation.html`: the figures of a model on labelled studies, to look at, to print and to keep."""

from __future__ import annotations

from collections.abc import Iterator

from ctviewer.app.evaluation_record import (
    NAMES,
    LeftOut,
    Record,
    about_data,
    classes_line,
    looks_line,
    set_title,
)
from ctviewer.core.findings import RESEARCH_USE, probability_text
from ctviewer.models.metadata import Metric
from ctviewer.report import charts, page
from ctviewer.training.evaluation import Evaluation
from ctviewer.training.scores.curves import Reliability
from ctviewer.training.scores.notes import DEFINITIONS

_MOST_MISTAKES = 200


def render(record: Record) -> str:
    """The page."""
    m = record.bundle.metadata
    parts = [
        page.text(f"{m.title}, {m.trained_on}. Weights SHA-256 {m.weights_sha256[:16]}…", "small"),
        page.text(f"Made {record.made}. {NAMES}", "small"),
        page.section("What was judged", page.points(list(about_data(record))), page.text(m.limits)),
        *(_set(record, one) for one in record.sets),
        *_studies(record),
        page.section("How the figures are defined", page.points(DEFINITIONS)),
    ]
    return page.page(
        f"Evaluation of {record.bundle.key}", f"{RESEARCH_USE} Not for any decision about a patient.", parts
    )


def _set(record: Record, one: Evaluation) -> str:
    rows = [
        (metric.name, f"{metric.value:.3f}", interval_text(metric), f"{metric.n} {metric.unit}")
        for metric in one.metrics
    ]
    return page.section(
        set_title(one),
        page.text(classes_line(one)),
        page.text(looks_line(record, one), "doubt") if looks_line(record, one) else "",
        page.points(one.notes),
        page.figures(_charts(record, one)),
        page.table(("Figure", "Value", "95 % interval", "Over"), rows, right=(1, 2)),
        _mistakes(one),
    )


def _charts(record: Record, one: Evaluation) -> Iterator[tuple[str, str, str]]:
    of_targets = [metric for metric in one.metrics if ", " in metric.name and not metric.name.startswith("ECE")]
    if of_targets:
        rows = [charts.Interval(metric.name, metric.value, metric.low, metric.high) for metric in of_targets]
        yield "Figures", "with 95 % intervals over patients", charts.interval_chart("Figures", rows)
    if one.confusion is not None:
        said = charts.confusion_chart("Confusion matrix", one.confusion.classes, one.confusion.studies)
        yield "Confusion matrix", "studies, and their share of the true class", said
    if one.curves:
        roc = [charts.Line(curve.name, curve.roc, (curve.answered,)) for curve in one.curves]
        yield "ROC curve", "the dot is where the model answers", charts.roc_chart(roc)
        precision = [charts.Line(curve.name, curve.precision_recall) for curve in one.curves]
        yield "Precision and recall", "depends on how frequent the class is", charts.precision_chart(precision)
    for curve in one.reliability:
        drawn = charts.reliability_chart(curve.name, [(record.bundle.key, _shares(curve))])
        yield f"Reliability, {curve.name}", "on the diagonal probabilities mean what they say", drawn


def _shares(curve: Reliability) -> list[charts.Share]:
    return [
        charts.Share(b.low, b.high, b.studies, b.probability, b.share, b.share_low, b.share_high) for b in curve.bins
    ]


def interval_text(metric: Metric) -> str:
    """For a table."""
    return "none" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"


def _mistakes(one: Evaluation) -> str:
    if not one.mistakes:
        return page.text("The model answered every study of this set as labelled.")
    shown = one.mistakes[:_MOST_MISTAKES]
    rows = [
        (m.study, ", ".join(m.truth), ", ".join(m.answer), "" if m.finding is None else probability_text(m.finding))
        for m in shown
    ]
    more = f" The first {len(shown)} of {len(one.mistakes)}." if len(shown) < len(one.mistakes) else ""
    return page.text(f"Studies that the model does not answer as labelled.{more}") + page.table(
        ("Study", "Label", "Answer", "Finding probability"), rows, right=(3,)
    )


def _studies(record: Record) -> Iterator[str]:
    kinds: tuple[tuple[str, tuple[LeftOut, ...]], ...] = (
        ("Studies left out", record.left_out),
        ("Studies read in part", record.in_part),
        ("Studies outside the limits of the model", record.outside),
    )
    for title, studies in kinds:
        if studies:
            yield page.section(title, page.table(("Study", "Why"), [(one.study, one.why) for one in studies]))
