"""What stands on top of the tables of `reproduce ter-sarkisov`, and the tables as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import counted, enumerated
from ctviewer.training.recipes import RECIPES
from ctviewer.training.reproduction.ter_sarkisov_plan import ARMS, MAIN, TRANSFERRED, Kind, recipe_of
from ctviewer.training.reproduction.ter_sarkisov_published import DATA, MISPRINTS
from ctviewer.training.reproduction.ter_sarkisov_tables import PAPER, Row, Table
from ctviewer.training.run_record import text_without_names
from ctviewer.training.scores.detection.slice_classes import answered
from ctviewer.training.slices.two_sources import IMAGES, LESIONS
from ctviewer.training.splits import TEST

if TYPE_CHECKING:
    from ctviewer.training.reproduction.ter_sarkisov import Data, TerSarkisovInputs
    from ctviewer.training.reproduction.ter_sarkisov_figures import Value
    from ctviewer.training.reproduction.ter_sarkisov_results import Judged

TITLE = "Ter-Sarkisov, one shot model with LSTM and attention: the comparison repeated"
PERCENT = "Shares in percent; brackets hold 95 % intervals over patients."
_STARTS = {
    "imagenet": "All models start from ImageNet weights, as in the paper.",
    "scratch": "All models start from random weights, and not from pre-trained ones as in the paper.",
}


def limits(inputs: TerSarkisovInputs, judged: Sequence[Judged]) -> Iterator[str]:
    """What data this run used, what the paper used, and what follows: so that nobody reads on without it."""
    settings, data = inputs.settings, inputs.data
    if settings.about:
        yield f"The data of this run: {settings.about}"
    yield f"Here: {_amounts(data)}"
    if inputs.transfer is not None:
        yield f"Here, for transfer: {_amounts(inputs.transfer)}"
    for line in DATA:
        yield f"The paper. {line}"
    yield _STARTS[settings.start]
    recipe = recipe_of(settings, MAIN)
    yield (
        f'Trained by the recipe "{RECIPES[settings.recipe].title}" for {counted(recipe.epochs, "epoch")}, {counted(recipe.batch, "slice")} '
        f"a step, rate {recipe.rate:g}, at {settings.size} pixels, backbone {settings.net.get('backbone', '')} (the paper: 50 "
        "epochs, rate 1e-05, 512 pixels, ResNeXt101)."
    )
    yield "Mask R-CNN learns for as many steps on lesions as the one-shot model, slice classifiers for as many on classes."
    done = {one.run.arm for one in judged}
    if missing := [arm.title for arm in ARMS if arm.name not in done and arm.kind is not Kind.ABLATION]:
        yield f"Not trained here: {'; '.join(missing)}. Their rows are those of the paper alone."
    if any(arm.kind is Kind.BASELINE and arm.name in done for arm in ARMS) and settings.start == "scratch":
        yield "Slice classifiers from random weights have GroupNorm in place of BatchNorm."
    yield from _one_answer(judged)
    runs = f"{counted(settings.seeds, 'run')} of each model, {len(judged)} in all"
    yield f"{runs}. Intervals are over patients; they say nothing about other hospitals or scanners."
    for told in dict.fromkeys(map(text_without_names, data.report.doubts)):
        yield f"Pre-flight: {told}"


def _amounts(data: Data) -> str:
    """Slices and patients by part."""
    report, split = data.report, data.report.split
    assert split is not None  # pre-flight blocks otherwise
    told = []
    for part, scans in split.parts.items():
        patients = counted(len({data.source.patient(scan) for scan in scans}), "patient")
        kinds = ((LESIONS, "with outlined lesions"), (IMAGES, "with a class"))
        slices = [
            f"{counted(number, 'slice')} {words}"
            for kind, words in kinds
            if (number := report.slices.get(f"{part}/{kind}", 0))
        ]
        told.append(f"{part} {enumerated(slices)} of {patients}")
    shown = f"classes of lesions: {enumerated(report.outlined)}"
    if report.slice_classes:
        shown += f"; of slices: {enumerated(report.slice_classes)}"
    return f"{'; '.join(told)}. {shown[0].upper()}{shown[1:]}."


def _one_answer(judged: Sequence[Judged]) -> Iterator[str]:
    """Models that tell nothing apart."""
    told = [one for one in judged if one.predictions.of(TEST).with_classes]
    lost = [title_of(one) for one in told if len(set(answered(one.predictions.of(TEST)).tolist())) == 1]
    if lost:
        does = "gives" if len(lost) == 1 else "give"
        yield f"{enumerated(lost)} {does} every test slice the same class, so that comparing with it says little."


def title_of(one: Judged) -> str:
    """The model's name for people."""
    return next(arm.title for arm in (*ARMS, TRANSFERRED) if arm.name == one.run.arm)


def cell(table: Table, row: Row, column: str) -> str:
    """A figure with its interval; "-" where there is none."""
    value = row.values.get(column)
    return "-" if value is None else _text(table, row, column, value)


def _text(table: Table, row: Row, column: str, value: Value) -> str:
    if table.plain:
        return f"{value.value:.1f}"
    sign = "+" if row.difference else ""
    factor, form = (1.0, f"{sign}.3f") if "AP@" in column else (100.0, f"{sign}.2f")
    low, high = value.low, value.high
    told = f"{factor * value.value:{form}}"
    if low is None or high is None:
        return told
    return f"{told} ({factor * low:{form}} to {factor * high:{form}})"


def name_of(row: Row) -> str:
    """Its model, and whose figures they are."""
    return f"{row.model} (published)" if row.where == PAPER else f"{row.model} (here)"


def text_of(said: Sequence[str], shown: Sequence[str], laid: Sequence[Table]) -> str:
    """Everything as plain text."""
    lines = [TITLE, RESEARCH_USE, "", "What this run could and could not show", *(f"- {one}" for one in said)]
    if shown:
        lines += ["", "What it shows", *(f"- {one}" for one in shown)]
    for table in laid:
        lines += ["", table.title, *_lines(table)]
        lines += [f"  {note}" for note in table.notes]
        lines += [f"  Published: {table.source}."] if table.source else []
    lines += ["", PERCENT, "", "What cannot be meant as it is printed in the paper"]
    lines += [f"- {one.where}: printed {one.printed}; meant {one.meant}" for one in MISPRINTS]
    return "\n".join(lines) + "\n"


def _lines(table: Table) -> Iterator[str]:
    rows = [["Model", *table.columns]]
    rows += [[name_of(row), *(cell(table, row, column) for column in table.columns)] for row in table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        shown = [
            row[0].ljust(widths[0]),
            *(value.rjust(width) for value, width in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(shown).rstrip()
