"""What `ctviewer evaluate` has to tell of a one-shot model, before it is laid out as text, JSON or a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ctviewer.app.evaluation_record import LeftOut, figure_words, heading, looks_at, looks_words
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import counted, enumerated
from ctviewer.models.bundle import Bundle
from ctviewer.training.slice_evaluation import DEFINITIONS, SliceEvaluation

SCHEMA, VERSION = "ctviewer.slice-evaluation", 1
NAMES = "Scans and slices are named as in the set; look through the names before you send this to anyone."


@dataclass(frozen=True)
class SliceRecord:
    """One one-shot model on the parts of some sets.

    Attributes:
        bundle: the model.
        left_out: scans that could not be read, or of which nothing is known.
        in_part: scans of which something judges none: outlines that are accepted output of a model.
        sets: one for each part.
        looks: by part, how often it was looked at before, by kind; parts that are no hold-outs are not there.
        made: local time, ISO 8601.
    """

    bundle: Bundle
    left_out: tuple[LeftOut, ...] = ()
    in_part: tuple[LeftOut, ...] = ()
    sets: tuple[SliceEvaluation, ...] = ()
    looks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    made: str = field(default_factory=lambda: datetime.now(UTC).astimezone().isoformat(timespec="minutes"))


def as_dict(record: SliceRecord) -> dict[str, Any]:
    """What `evaluation.json` holds; resources/schemas/slice-evaluation.schema.json documents it."""
    m = record.bundle.metadata
    return {
        **heading(SCHEMA, VERSION, NAMES, record.made),
        "model": {
            "key": record.bundle.key,
            "title": m.title,
            "sha256": m.weights_sha256,
            "classes": list(m.classes),
            "lesion_classes": list(m.lesion_classes),
            "image_classes": list(m.image_classes),
            "negative_class": m.negative_class,
            "threshold": m.thresholds.detection_score,
            "probabilities": m.probabilities,
        },
        "left_out": [{"scan": one.study, "why": one.why} for one in record.left_out],
        "in_part": [{"scan": one.study, "why": one.why} for one in record.in_part],
        "sets": [dataclasses.asdict(one) | {"looks": looks_at(record.looks, one.part)} for one in record.sets],
        "definitions": list(DEFINITIONS),
    }


def as_text(record: SliceRecord) -> str:
    """For a terminal."""
    return "\n".join(_lines(record))


def _lines(record: SliceRecord) -> Iterator[str]:
    yield f"{record.bundle.metadata.title} ({record.bundle.key}). {RESEARCH_USE}"
    for one in record.sets:
        yield ""
        yield set_title(one)
        yield from set_lines(one)
        width = max((len(metric.name) for metric in one.metrics), default=0)
        for metric in one.metrics:
            over = counted(metric.n, metric.unit.removesuffix("s"))
            yield f"  {metric.name:{width}s}  {figure_words(metric)}  {over}"
        if one.confusion is not None:
            yield from _confusion_lines(one.confusion.classes, one.confusion.studies)
        for note in (*one.notes, looks_words(record.looks, one.part, "scans")):
            if note:
                yield f"- {note}"
    yield ""
    yield from (f"- {sentence}" for sentence in about_data(record))


def set_title(one: SliceEvaluation) -> str:
    """For instance "test: 300 slices of 12 scans of 10 patients"."""
    scans, patients = counted(one.scans, "scan"), counted(one.patients, "patient")
    return f"{one.part}: {counted(one.slices, 'slice')} of {scans} of {patients}"


def set_lines(one: SliceEvaluation) -> Iterator[str]:
    """What the set holds."""
    if one.marked:
        shown = [f"{c.name} {counted(c.instances, 'outline')} ({counted(c.patients, 'patient')})" for c in one.lesions]
        whole = (
            f"all lesions are marked on {one.complete}" if one.complete < one.marked else "on all of them completely"
        )
        yield f"Lesions are marked on {counted(one.marked, 'slice')}, {whole}: {', '.join(shown)}."
    if any(c.slices for c in one.classes):
        shown = [f"{c.name} {counted(c.slices, 'slice')} ({counted(c.patients, 'patient')})" for c in one.classes]
        yield f"Classes of slices: {', '.join(shown)}."


def about_data(record: SliceRecord) -> Iterator[str]:
    """What was judged, and what was not."""
    m = record.bundle.metadata
    yield (
        f"Outlines are shown from score {m.thresholds.detection_score:.2f} on, which was chosen when the model was made, not "
        "on these slices: Dice and marks on lesion-free slices are at that score."
    )
    if m.probabilities:
        yield f"What its probabilities refer to: {m.probabilities}"
    if not m.image_classes:
        yield "The model tells no classes of slices."
    if record.left_out:
        yield f"In no figure: {counted(len(record.left_out), 'scan')} that could not be judged."
    if record.in_part:
        yield (
            f"Of {counted(len(record.in_part), 'scan')} some outlines are accepted output of a model, which judges none; the "
            "rest was judged."
        )


def _confusion_lines(classes: tuple[str, ...], rows: tuple[tuple[int, ...], ...]) -> Iterator[str]:
    width = max(len(name) for name in classes)
    yield f"  Slices by true class, as they were answered ({enumerated(classes)}):"
    for name, row in zip(classes, rows, strict=True):
        yield f"    {name:{width}s}  " + "  ".join(f"{count:6d}" for count in row)
