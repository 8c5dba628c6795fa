"""What `ctviewer evaluate` has to tell, before it is laid out as text, JSON or a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import ctviewer
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import counted, enumerated
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric
from ctviewer.training.evaluation import Evaluation
from ctviewer.training.scores.notes import DEFINITIONS

SCHEMA, VERSION = "ctviewer.evaluation", 1
NAMES = "Studies are named as in the folder; look through the names before you send this to anyone."


@dataclass(frozen=True)
class LeftOut:
    """A study and a sentence about it."""

    study: str
    why: str


@dataclass(frozen=True)
class Record:
    """One model on the parts of one folder.

    Attributes:
        bundle: the model.
        left_out: studies that could not be read.
        in_part: studies some slices of which could not be read.
        outside: studies that were judged although the viewer would show no number for them.
        sets: one for each part.
        looks: by part, how often it was looked at before, by kind; parts that are no hold-outs are not there.
        made: local time, ISO 8601.
    """

    bundle: Bundle
    left_out: tuple[LeftOut, ...] = ()
    in_part: tuple[LeftOut, ...] = ()
    outside: tuple[LeftOut, ...] = ()
    sets: tuple[Evaluation, ...] = ()
    looks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    made: str = field(default_factory=lambda: datetime.now(UTC).astimezone().isoformat(timespec="minutes"))


def as_dict(record: Record) -> dict[str, Any]:
    """What `evaluation.json` holds; resources/schemas/evaluation.schema.json documents it."""
    m = record.bundle.metadata
    return {
        **heading(SCHEMA, VERSION, NAMES, record.made),
        "model": {
            "key": record.bundle.key,
            "title": m.title,
            "sha256": m.weights_sha256,
            "classes": list(m.classes),
            "negative_class": m.negative_class,
            "threshold": m.thresholds.finding_probability,
            "probabilities": m.probabilities,
        },
        "left_out": [dataclasses.asdict(one) for one in record.left_out],
        "in_part": [dataclasses.asdict(one) for one in record.in_part],
        "outside_limits": [dataclasses.asdict(one) for one in record.outside],
        "sets": [dataclasses.asdict(one) | {"looks": looks_at(record.looks, one.part)} for one in record.sets],
        "definitions": list(DEFINITIONS),
    }


def heading(schema: str, version: int, names: str, made: str) -> dict[str, object]:
    """How each `evaluation.json` begins.

    Args:
        schema: its name.
        version: of the schema.
        names: what is to be known of names in it.
        made: when.
    """
    program = f"ctviewer {ctviewer.__version__}"
    return {"schema": schema, "version": version, "notice": f"{RESEARCH_USE} {names}", "program": program, "made": made}


def as_text(record: Record) -> str:
    """For a terminal."""
    return "\n".join(_lines(record))


def _lines(record: Record) -> Iterator[str]:
    yield f"{record.bundle.metadata.title} ({record.bundle.key}). {RESEARCH_USE}"
    for one in record.sets:
        yield ""
        yield set_title(one)
        yield classes_line(one)
        width = max((len(metric.name) for metric in one.metrics), default=0)
        for metric in one.metrics:
            yield f"  {metric.name:{width}s}  {figure_words(metric)}"
        for note in (*one.notes, looks_line(record, one)):
            if note:
                yield f"- {note}"
    yield ""
    yield from (f"- {sentence}" for sentence in about_data(record))


def set_title(one: Evaluation) -> str:
    """For instance "test: 45 studies of 40 patients"."""
    return f"{one.part}: {counted(one.studies, 'study')} of {counted(one.patients, 'patient')}"


def classes_line(one: Evaluation) -> str:
    """How many of each class."""
    shown = (f"{c.name} {counted(c.studies, 'study')} ({counted(c.patients, 'patient')})" for c in one.classes)
    return f"Classes: {', '.join(shown)}."


def figure_words(metric: Metric) -> str:
    """A figure with its interval."""
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}  (no interval)"
    return f"{metric.value:.3f}  ({metric.low:.3f} to {metric.high:.3f})"


def looks_line(record: Record, one: Evaluation) -> str:
    """How often the set was looked at before; "" where it is no hold-out."""
    return looks_words(record.looks, one.part, "studies")


def looks_words(looks: Mapping[str, Mapping[str, int]], part: str, units: str) -> str:
    """How often a part was looked at before; "" where it is no hold-out.

    Args:
        looks: as in `Record`.
        part: the part.
        units: what it holds: "studies", "scans".
    """
    if part in ("train", "val"):
        return f"These {units} are not a hold-out: figures on {units} that a model learned from, or was chosen by, are too good."
    if part not in looks:
        return ""
    before = {kind: count for kind, count in looks[part].items() if count}
    if not before:
        return f"It is the first time that these {units} were looked at on this computer."
    total = sum(before.values())
    kinds = enumerated([f"{kind} {count}" for kind, count in before.items()])
    times = "once" if total == 1 else f"{total} times"
    return f"These {units} were looked at {times} before on this computer ({kinds}); each choice made by them makes their figures a little too good."


def about_data(record: Record) -> Iterator[str]:
    """What was judged, and what was not."""
    m = record.bundle.metadata
    if m.negative_class:
        yield (
            f"The model takes a study for positive from a finding probability of {m.thresholds.finding_probability:.3f} on, "
            "which was chosen when it was made, not on these studies."
        )
    if m.probabilities:
        yield f"What its probabilities refer to: {m.probabilities}"
    if record.left_out:
        yield f"In no figure: {counted(len(record.left_out), 'study')} that could not be read."
    if record.in_part:
        yield f"Of {counted(len(record.in_part), 'study')} some slices could not be read; the rest of them was judged."
    if record.outside:
        yield (
            f"Outside the limits of the model: {counted(len(record.outside), 'study')}. The viewer would show no number there; "
            "the figures count them all the same."
        )


def looks_at(looks: Mapping[str, Mapping[str, int]], part: str) -> dict[str, int] | None:
    """For JSON: how often a part was looked at before, by kind; None where it is no hold-out."""
    return dict(looks[part]) if part in looks else None
