"""The paper's tables with the rows of this run beside the published ones, as plain data for page, text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctviewer.training.reproduction import ter_sarkisov_figures as figures
from ctviewer.training.reproduction.ter_sarkisov_figures import COCO_NAMES, F1, F1_PAPER, Figures, Value
from ctviewer.training.reproduction.ter_sarkisov_plan import ARMS, MAIN, TRANSFERRED, Arm, Kind
from ctviewer.training.reproduction.ter_sarkisov_published import (
    AP_NAMES,
    CLASSES,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    PublishedTable,
)
from ctviewer.training.reproduction.ter_sarkisov_results import Judged
from ctviewer.training.scores.detection.slice_classes import paper_name
from ctviewer.training.splits import EXTERNAL, TEST

HERE, PAPER = "here", "paper"
_OVERALL = (F1, figures.SENSITIVITY, figures.PRECISION, F1_PAPER)
_PUBLISHED_NAMES = {paper_name(name): name for name in CLASSES}


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        model: its name for people.
        where: `HERE` or `PAPER`.
        values: by column; columns that are not there have no value.
        difference: whether they are differences from another model.
    """

    model: str
    where: str
    values: Mapping[str, Value]
    difference: bool = False


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: "Table 1: …".
        columns: names, in order.
        rows: in order.
        notes: sentences under it.
        source: where the published rows stand; "" where there are none.
        plain: whether its values are plain numbers; else average precision (columns with "AP@") and shares, 0..1.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    source: str = ""
    plain: bool = False


def tables(judged: Sequence[Judged]) -> tuple[Table, ...]:
    """All of them, in the paper's order; tables that this run adds come last.

    Args:
        judged: all models of the run; those of one arm differ by their seed.
    """
    by_arm = _by_arm(judged)
    return (
        _table_1(by_arm),
        *_by_class(by_arm),
        _of_classes(TABLE_2, by_arm, (Kind.ONE_SHOT, Kind.BASELINE), TEST),
        *_external(by_arm),
        _of_classes(TABLE_4, by_arm, (Kind.TRANSFER,), TEST),
        *_ablations(by_arm),
        _cost(by_arm),
    )


def verdicts(judged: Sequence[Judged]) -> tuple[str, ...]:
    """What this run shows of the paper's two findings, or does not: differences on the same patients."""
    return tuple(_verdicts(_by_arm(judged)))


def _verdicts(by_arm: Mapping[Arm, Sequence[Judged]]) -> Iterator[str]:
    main = by_arm.get(MAIN, ())
    for arm, runs in by_arm.items():
        if main and arm.name == "mask-rcnn":
            yield _compared(_lesions(main, TEST), _lesions(runs, TEST), AP_NAMES[2], arm)
    baselines = {arm: runs for arm, runs in by_arm.items() if arm.kind is Kind.BASELINE}
    known = {arm: one for arm, runs in baselines.items() if (one := figures.values(_slices(runs, TEST)).get(F1))}
    if main and known:
        best = max(known, key=lambda arm: known[arm].value)
        yield _compared(_slices(main, TEST), _slices(baselines[best], TEST), F1, best)


def _compared(ours: Figures, theirs: Figures, name: str, arm: Arm) -> str:
    found = figures.values(figures.difference(ours, theirs)).get(name)
    if found is None:
        return f"The one-shot model and {arm.title} cannot be compared in {name} here."
    best = "the best slice classifier, " if arm.kind is Kind.BASELINE else ""
    told = f"{name} of the one-shot model minus that of {best}{arm.title}: {found.value:+.3f}"
    if found.low is None or found.high is None:
        return (
            f"{told}, without an interval: too few patients, or nothing found. It shows nothing of the paper's finding."
        )
    told += f" (95 % interval over patients {found.low:+.3f} to {found.high:+.3f})."
    if found.low > 0:
        return f"{told} The one-shot model is better here, as in the paper."
    if found.high < 0:
        return f"{told} The one-shot model is worse here: the paper's finding is contradicted."
    return f"{told} This run does not show the paper's finding that the one-shot model is better."


def _table_1(by_arm: Mapping[Arm, Sequence[Judged]]) -> Table:
    ours = {
        arm: _row(arm, figures.values(_lesions(runs, TEST)))
        for arm, runs in by_arm.items()
        if arm.kind in (Kind.ONE_SHOT, Kind.SEGMENTATION)
    }
    note = (
        "AP without a name is the paper's per_image_ap: classes of an image pooled, score from .75 on, mean over images. COCO "
        "AP is over all slices, class by class."
    )
    rows = _beside(TABLE_1, ours)
    return Table(_title(TABLE_1), (*AP_NAMES, *COCO_NAMES), rows, (*TABLE_1.notes, note), TABLE_1.source)


def _by_class(by_arm: Mapping[Arm, Sequence[Judged]]) -> Iterator[Table]:
    """COCO's AP of each lesion class, which the paper does not give."""
    rows, columns = [], dict[str, None]()
    for arm, runs in by_arm.items():
        if arm.kind not in (Kind.ONE_SHOT, Kind.SEGMENTATION):
            continue
        names = [f"{label}, {name}" for label in runs[0].predictions.classes[1:] for name in COCO_NAMES]
        found = figures.values(_lesions(runs, TEST))
        columns |= dict.fromkeys(name for name in names if name in found)
        rows.append(_row(arm, found))
    if columns:
        yield Table("Table 1 by class (not in the paper)", tuple(columns), tuple(rows))


def _of_classes(
    published: PublishedTable, by_arm: Mapping[Arm, Sequence[Judged]], kinds: Sequence[Kind], part: str
) -> Table:
    """Table 2, 3 or 4: sensitivity of each class, and figures of all."""
    ours: dict[Arm, Row] = {}
    for arm, runs in by_arm.items():
        found = figures.values(_slices(runs, part)) if arm.kind in kinds else {}
        if found:
            ours[arm] = _row(arm, {_published_class(name): value for name, value in found.items()})
    here = dict.fromkeys(name for row in ours.values() for name in row.values)
    classes = [name for name in here if name not in (*published.columns, *_OVERALL)]
    more = [name for name in _OVERALL if name in here and name not in published.columns]
    columns = (*published.columns, *classes, *more)
    where = {TEST: "", EXTERNAL: "; here there is no external set"}.get(
        part, f"; here: external set {part[len(EXTERNAL) :]}"
    )
    title = f"{_title(published)}{where}"
    return Table(title, columns, _beside(published, ours), published.notes, published.source)


def _external(by_arm: Mapping[Arm, Sequence[Judged]]) -> Iterator[Table]:
    """Table 3 for every external set; as published where there is none."""
    parts = dict.fromkeys(
        case.split
        for arm, runs in by_arm.items()
        for case in runs[0].predictions.with_classes
        if case.split.startswith(EXTERNAL) and arm.kind is not Kind.TRANSFER
    )
    for part in parts or (EXTERNAL,):
        yield _of_classes(TABLE_3, by_arm, (Kind.ONE_SHOT, Kind.BASELINE), part)


def _ablations(by_arm: Mapping[Arm, Sequence[Judged]]) -> Iterator[Table]:
    """What one change does to the model: figures, and their difference on the same patients."""
    main = by_arm.get(MAIN, ())
    rows = []
    for arm, runs in by_arm.items():
        if main and arm.kind is Kind.ABLATION:
            of_lesions = figures.difference(_lesions(runs, TEST), _lesions(main, TEST))
            of_slices = figures.difference(_slices(runs, TEST), _slices(main, TEST))
            found = figures.values(of_lesions) | figures.values(of_slices)
            rows.append(Row(arm.title, HERE, found, difference=True))
    if rows:
        first = figures.values(_lesions(main, TEST)) | figures.values(_slices(main, TEST))
        yield Table(
            "Ablations: difference from the one-shot model (not in the paper)",
            (AP_NAMES[0], AP_NAMES[2], COCO_NAMES[2], F1, figures.SENSITIVITY),
            (Row(f"{MAIN.title}, the figures themselves", HERE, first), *rows),
            tuple(f"{arm.title}: {arm.about}" for arm in by_arm if arm.kind is Kind.ABLATION),
        )


def _cost(by_arm: Mapping[Arm, Sequence[Judged]]) -> Table:
    """Size and time of each model."""
    rows = []
    for arm, runs in by_arm.items():
        one = runs[0].run
        minutes = sum(judged.run.seconds for judged in runs) / len(runs) / 60
        told = {"Parameters (millions)": one.parameters / 1e6, "Epochs": float(one.epochs), "Minutes": minutes}
        rows.append(_row(arm, {name: Value(value) for name, value in told.items()}))
    columns = ("Parameters (millions)", "Epochs", "Minutes")
    return Table("Size and training time (this run)", columns, tuple(rows), plain=True)


def _beside(published: PublishedTable, ours: Mapping[Arm, Row]) -> tuple[Row, ...]:
    """Each published row, and right after it what stands beside it here; then what the paper does not have."""
    rows: list[Row] = []
    for one in published.rows:
        values = {name: Value(value) for name, value in one.values.items() if value is not None}
        rows.append(Row(one.model, PAPER, values))
        rows += [row for arm, row in ours.items() if arm.published == one.model]
    names = {one.model for one in published.rows}
    return (*rows, *(row for arm, row in ours.items() if arm.published not in names))


def _lesions(runs: Sequence[Judged], part: str) -> Figures:
    return figures.over_seeds([figures.segmentation(one.predictions.of(part)) for one in runs])


def _slices(runs: Sequence[Judged], part: str) -> Figures:
    return figures.over_seeds([figures.classes(one.predictions.of(part)) for one in runs])


def _row(arm: Arm, values: Mapping[str, Value]) -> Row:
    return Row(arm.title, HERE, values)


def _published_class(name: str) -> str:
    """The paper's name of a class, where it has that class."""
    return _PUBLISHED_NAMES.get(paper_name(name), name)


def _title(published: PublishedTable) -> str:
    return f"Table {published.number}: {published.title}"


def _by_arm(judged: Sequence[Judged]) -> dict[Arm, list[Judged]]:
    """In the order of the plan."""
    found: dict[Arm, list[Judged]] = {}
    for arm in (*ARMS, TRANSFERRED):
        if runs := [one for one in judged if one.run.arm == arm.name]:
            found[arm] = runs
    return found
