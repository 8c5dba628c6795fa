"""The page of `ctviewer reproduce ter-sarkisov`: tables 1 to 4 of the paper, ours beside the published rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ctviewer.app.reproduce_ter_sarkisov_text import PERCENT, TITLE, cell, name_of
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.report import page
from ctviewer.report.charts import Line, confusion_chart, loss_chart
from ctviewer.training.reproduction.ter_sarkisov_plan import ARMS, MAIN, TRANSFERRED, Kind
from ctviewer.training.reproduction.ter_sarkisov_published import MISPRINTS
from ctviewer.training.reproduction.ter_sarkisov_results import Judged
from ctviewer.training.reproduction.ter_sarkisov_tables import Table
from ctviewer.training.scores.detection.slice_classes import confusions
from ctviewer.training.splits import TEST


def page_of(judged: Sequence[Judged], said: Sequence[str], shown: Sequence[str], laid: Sequence[Table]) -> str:
    """The whole page, as HTML. It names no scan and shows no slice.

    Args:
        judged: all models.
        said: what the run could and could not show.
        shown: what it shows of the paper's findings.
        laid: the tables.
    """
    parts = (
        page.section("What this run could and could not show", page.points(list(said))),
        page.section("What it shows of the paper's findings", page.points(list(shown) or ["Nothing: see above."])),
        page.text(PERCENT, "small"),
        *(_table(table) for table in laid),
        page.section("Classes of the test slices", *_confusion(judged)),
        page.section("Training loss of each epoch", page.figures(list(_losses(judged)))),
        page.section("What cannot be meant as it is printed in the paper", *_misprints()),
    )
    return page.page(TITLE, RESEARCH_USE, parts)


def _table(table: Table) -> str:
    rows = [[name_of(row), *(cell(table, row, column) for column in table.columns)] for row in table.rows]
    notes = [page.text(note, "small") for note in table.notes]
    if table.source:
        notes.append(page.text(f"Published: {table.source}.", "small"))
    columns = range(1, len(table.columns) + 1)
    return page.section(table.title, page.table(("Model", *table.columns), rows, columns), *notes)


def _confusion(judged: Sequence[Judged]) -> Iterator[str]:
    """Of the one-shot model, first seed."""
    main = next((one for one in judged if one.run.arm == MAIN.name), None)
    test = None if main is None else main.predictions.of(TEST)
    if test is None or not test.with_classes:
        yield page.text("The one-shot model told no class of a test slice here.")
        return
    counts = confusions(test).sum(axis=0).astype(int).tolist()
    chart = confusion_chart("Confusion matrix", test.image_classes, counts)
    yield page.figures([(MAIN.title, "slices, and their share of the true class", chart)])


def _losses(judged: Sequence[Judged]) -> Iterator[tuple[str, str, str]]:
    """By kind of model; their losses are not of one kind, and so not on one chart."""
    for kind in Kind:
        lines = []
        for arm in (one for one in (*ARMS, TRANSFERRED) if one.kind is kind):
            runs = [one.run.losses for one in judged if one.run.arm == arm.name]
            length = min(map(len, runs), default=0)
            if length:
                means = np.mean([losses[:length] for losses in runs], axis=0)
                lines.append(Line(arm.title, [(float(i), float(v)) for i, v in enumerate(means, 1)]))
        if lines:
            yield kind.value.capitalize(), "mean over seeds", loss_chart(lines)


def _misprints() -> Iterator[str]:
    rows = [(one.where, one.printed, one.meant) for one in MISPRINTS]
    yield page.table(("Where", "Printed", "Meant"), rows)
