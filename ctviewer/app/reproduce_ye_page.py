"""The page of `ctviewer reproduce ye`: tables 1 to 4 and figures 1 and 5 of the paper, ours beside the published ones."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.models.placement import Upright
from ctviewer.models.preprocess import study_order
from ctviewer.report import page
from ctviewer.report.charts import Line, loss_chart
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.reproduction.ye import YeInputs
from ctviewer.training.reproduction.ye_published import (
    ENCODER_TITLES,
    EPOCHS,
    FIGURE_1,
    FIGURE_5,
    METRICS,
    PUBLISHED_ARMS,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    Arm,
)
from ctviewer.training.reproduction.ye_results import ArmRun, Sample, at_chance, convergence, mean_and_range
from ctviewer.training.run_record import text_without_names
from ctviewer.training.source import StudySource

_SIDE = 152 * 2  # pixels of a picture, for sharp screens
_WINDOW = (-1350.0, 150.0)  # HU: the lung window
_STARTS = {
    "imagenet": "from ImageNet weights, as in the paper",
    "domain": "from an encoder that was pre-trained on CT slices, and not from ImageNet weights as in the paper",
    "scratch": "from random weights with nothing frozen, and not from ImageNet weights as in the paper",
}


def page_of(inputs: YeInputs, runs: Sequence[ArmRun]) -> str:
    """The whole page, as HTML. It shows slices, and names studies as their folder does: it stays with the data."""
    parts = (
        page.section("What this run could and could not show", page.points(list(_limits(inputs, runs)))),
        page.section("Table 1: data", *_table_1(inputs.report)),
        page.section("Figure 1: mean loss of each epoch", *_figure_1(runs)),
        page.section("Table 2: test set", *_table_2(inputs, runs)),
        *_tables_3_and_4(inputs, runs),
        page.section("Figure 5: slices with most attention", *_figure_5(inputs, runs)),
    )
    title = (
        "Ye, COVID-19 classification of chest CT scans using bidirectional LSTM and attention: the comparison repeated"
    )
    return page.page(title, RESEARCH_USE, parts)


def _limits(inputs: YeInputs, runs: Sequence[ArmRun]) -> Iterator[str]:
    """What stands under the tables; here it stands above them too, so that nobody reads on without it."""
    settings, report = inputs.settings, inputs.report
    train = sum(one.studies for one in report.counts if one.part == "train")
    test = sum(one.studies for one in report.counts if one.part == "test")
    brackets = "; the values in brackets are the range over seeds and say nothing about other patients"
    yield f"The encoders start {_STARTS[settings.start]}."
    yield (
        f"{train} training studies (the paper: 1050) and {test} test studies (the paper: 77). With so few test studies "
        f"every figure is coarse{brackets if settings.seeds > 1 else ''}."
        if test < 77
        else f"{train} training studies (the paper: 1050) and {test} test studies (the paper: 77)."
    )
    missing = [ENCODER_TITLES[name] for name in ("resnet50", "googlenet") if name not in settings.encoders]
    if missing:
        yield f"Not trained here: {' and '.join(missing)}; their rows are those of the paper alone."
    if (settings.size, settings.crop) != (256, 224):
        yield f"Slices are {settings.crop} pixels wide (the paper: 224), which hides small lesions."
    if settings.passes > 1:
        yield f"An epoch is {settings.passes} passes over the training studies: there are few of them."
    if settings.precision != "float32":
        yield f"The encoders compute in the precision {settings.precision}."
    classes = sorted({one.label for one in report.counts})
    if lost := at_chance(runs, len(classes)):
        yield (
            f"{lost} of {len(runs)} models learned next to nothing: their training loss ends within 5 % of what guessing gives "
            f"(ln {len(classes)} = {math.log(len(classes)):.2f}), so that comparing them says little."
        )
    if len(classes) > 2:
        yield f"There are {len(classes)} classes ({', '.join(classes)}) and not two; metrics are the mean over them."
    yield f"{settings.seeds} run{'s' if settings.seeds > 1 else ''} of each model, {len(runs)} in all."
    yield "The paper's scores near 1.00 are confounded: its positive and negative studies come from different providers."
    for told in dict.fromkeys(map(text_without_names, report.doubts)):
        yield f"Pre-flight: {told}"


def _under(inputs: YeInputs) -> str:
    settings = inputs.settings
    return page.text(
        f"Ours: start {settings.start}, {sum(one.studies for one in inputs.report.counts)} studies, "
        f"{settings.crop} pixels, {settings.seeds} seed{'s' if settings.seeds > 1 else ''}. See the top of the page.",
        "small",
    )


def _table_1(report: PreflightReport) -> Iterator[str]:
    named = {"train": "Training", "val": "Validation", "test": "Test"}
    columns = list(dict.fromkeys(one.part for one in report.counts))
    head = ["Class", *(named.get(part, f"Special: {part.partition(':')[2]}") for part in columns)]
    studies: Mapping[tuple[str, str], int] = {(one.label, one.part): one.studies for one in report.counts}
    rows = [
        [label, *(str(studies.get((label, part), 0)) for part in columns)]
        for label in dict.fromkeys(one.label for one in report.counts)
    ]
    yield page.text("Studies here:")
    yield page.table(head, rows, range(1, len(head)))
    yield page.text("Published (sequences):")
    yield page.table(TABLE_1[0], TABLE_1[1:], range(1, 5))


def _figure_1(runs: Sequence[ArmRun]) -> Iterator[str]:
    by_encoder: dict[str, list[Line]] = {}
    for arm, those in _by_arm(runs).items():
        losses = np.mean([run.losses for run in those], axis=0)
        points = [(float(epoch), float(loss)) for epoch, loss in enumerate(losses, 1)]
        by_encoder.setdefault(arm.encoder, []).append(Line(arm.title, points))
    charts = [
        (ENCODER_TITLES.get(encoder, encoder), "Training loss, mean over seeds.", loss_chart(lines))
        for encoder, lines in by_encoder.items()
    ]
    yield page.figures(charts)
    found = convergence(runs)
    yield page.text(found.verdict)
    if found.low is not None:
        yield page.text("The interval is over pairs of one encoder and seed, all on the same studies.", "small")
    yield page.text(f"The paper, whose figure has no numbers: {FIGURE_1}")


def _table_2(inputs: YeInputs, runs: Sequence[ArmRun]) -> Iterator[str]:
    epochs = inputs.settings.epochs
    head = ["Model", *(f"{metric} @ {epoch}" for metric in METRICS for epoch in epochs)]
    rows = []
    for arm, those in _by_arm(runs).items():
        values = [[run.metrics[e].get(metric, np.nan) for run in those] for metric in METRICS for e in epochs]
        rows.append([f"{arm.title} (ours)", *map(mean_and_range, values)])
    yield page.table(head, rows, range(1, len(head)))
    yield _under(inputs)
    yield page.text("Published:")
    published = ["Model", *(f"{metric} @ {epoch}" for metric in METRICS for epoch in EPOCHS)]
    theirs = [
        [arm.title, *(f"{value:.2f}" for metric in METRICS for value in TABLE_2[arm][metric])] for arm in PUBLISHED_ARMS
    ]
    yield page.table(published, theirs, range(1, len(published)))


def _tables_3_and_4(inputs: YeInputs, runs: Sequence[ArmRun]) -> Iterator[str]:
    """Probabilities on external sets: ours, one table a set, then the paper's two."""
    sets = list(dict.fromkeys(name for run in runs for those in run.samples.values() for name in those))
    if not sets:
        yield page.section(
            "Tables 3 and 4: external sets", page.text("There is none here: give studies the split external:NAME.")
        )
    for name in sets:
        yield page.section(f"Tables 3 and 4: probabilities, external set {name}", *_of_set(inputs, runs, name))
    for number, where, table in ((3, "coronacases", TABLE_3), (4, "radiopedia", TABLE_4)):
        head = ["Model", *(str(i) for i in range(1, 11))]
        rows = [[f"{arm.title} @ {epoch}", *(f"{v:.2f}" for v in values)] for (arm, epoch), values in table.items()]
        yield page.section(f"Table {number} as published: {where}", page.table(head, rows, range(1, 11)))


def _of_set(inputs: YeInputs, runs: Sequence[ArmRun], name: str) -> Iterator[str]:
    studies = runs[0].samples[inputs.settings.epochs[0]].get(name, ())
    yield page.text(
        "Probability of the class that each study has, mean over seeds: "
        + "; ".join(f"{i} {sample.truth}" for i, sample in enumerate(studies, 1))
    )
    head = ["Model", *(str(i) for i in range(1, len(studies) + 1))]
    rows = []
    for arm, those in _by_arm(runs).items():
        for epoch in inputs.settings.epochs:
            values = np.mean([[s.probability for s in run.samples[epoch][name]] for run in those], axis=0)
            rows.append([f"{arm.title} @ {epoch}", *(f"{v:.2f}" for v in values)])
    yield page.table(head, rows, range(1, len(head)))
    yield _under(inputs)


def _figure_5(inputs: YeInputs, runs: Sequence[ArmRun]) -> Iterator[str]:
    """Of each encoder's LSTM with attention, seed 0, last epoch: the most and the least certain study of each set."""
    last = max(inputs.settings.epochs)
    shown = 0
    for run in runs:
        if run.arm.aggregator != "lstm_attention" or run.seed != 0:
            continue
        for name, samples in run.samples.get(last, {}).items():
            for sample, why in _extremes(samples):
                shown += 1
                yield page.text(
                    f"{run.arm.title} @ {last}, {name}, {sample.study} ({sample.truth}), the {why} one of the set: "
                    f"probability {sample.probability:.2f}"
                )
                yield page.pictures(_top_pictures(inputs.source, sample))
    if not shown:
        yield page.text("No LSTM with attention saw an external set here.")
    yield page.text("Published weights of the four slices with most attention:")
    yield page.table(
        ["Sample", "1", "2", "3", "4"],
        [[sample, *(f"{w:.4f}" for w in weights)] for sample, weights in FIGURE_5],
        range(1, 5),
    )


def _extremes(samples: Sequence[Sample]) -> Iterator[tuple[Sample, str]]:
    ordered = sorted(samples, key=lambda one: one.probability)
    if ordered:
        yield ordered[-1], "most certain"
    if len(ordered) > 1:
        yield ordered[0], "least certain"


def _top_pictures(source: StudySource, sample: Sample) -> Iterator[tuple[str, str, str]]:
    volume, _ = source.load(sample.study)
    order, upright = study_order(volume), Upright.of(volume.geometry)
    for index, weight in sample.top:
        hu = np.where(volume.valid(int(order[index])), volume.hu(int(order[index])), np.float32(_WINDOW[0]))
        words = f"Slice {index + 1} of {len(order)} from the head, attention {weight:.4f}"
        yield f"{weight:.4f} · slice {index + 1} of {len(order)}", words, _png(upright.apply(hu))


def _png(hu: NDArray[np.float32]) -> str:
    """A slice in the lung window, as a `data:` address."""
    low, high = _WINDOW
    grey = np.clip((hu - low) / (high - low) * 255.0, 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(grey))
    image.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _by_arm(runs: Sequence[ArmRun]) -> dict[Arm, list[ArmRun]]:
    found: dict[Arm, list[ArmRun]] = {}
    for run in runs:
        found.setdefault(run.arm, []).append(run)
    return found
