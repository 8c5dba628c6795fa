"""`ctviewer evaluate` of a one-shot model: its outlines and classes of slices, as text, JSON and a page."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from ctviewer.app.cli import OK, PARTLY
from ctviewer.app.evaluation_parts import LEARNED_FROM
from ctviewer.app.evaluation_record import LeftOut
from ctviewer.app.folders import data_folder, writable_folder
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.app.slice_evaluation_page import render
from ctviewer.app.slice_evaluation_record import SliceRecord, as_dict, as_text
from ctviewer.app.slices_asked import Asked, asked_slices, require_known
from ctviewer.core.events import Event
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.models.bundle import Bundle
from ctviewer.training.ledger import EVALUATION, Ledger
from ctviewer.training.slice_evaluation import examine_slices
from ctviewer.training.slice_predictions import SlicePredictions, write_slice_predictions
from ctviewer.training.version_texts import seen_by_model

PAGE, DATA, PREDICTIONS = "evaluation.html", "evaluation.json", "predictions.json"


def run_evaluate_slices(options: argparse.Namespace, bundle: Bundle) -> int:
    """Outline, count, write, print; returns the exit code.

    Raises:
        CtviewerError: bad input, classes that the model does not know, or a place that cannot be written.
    """
    asked = asked_slices(options, options.folder)
    for folder in asked.folders if options.out is not None else ():
        refuse_inside(options.out, folder)
    require_known(asked, bundle)
    if options.out is not None:
        writable_folder(options.out)
    line = ProgressLine(options.quiet)
    if not options.quiet:
        print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    predictions, record = _predicted(bundle, asked, options.device, line)
    record = _examined(record, predictions)
    if options.out is not None:
        _write(options.out, record, predictions)
    print(json.dumps(as_dict(record), indent=1, allow_nan=False) if options.json else as_text(record))
    return PARTLY if record.left_out or record.in_part else OK


def _predicted(bundle: Bundle, asked: Asked, device: str, line: ProgressLine) -> tuple[SlicePredictions, SliceRecord]:
    """What the model says, and what there is to tell of scans."""
    from ctviewer.training.predicting import StudyTold

    told: list[StudyTold] = []

    def other(event: Event) -> None:
        if isinstance(event, StudyTold):
            told.append(event)
            line.say(f"{event.study}: {event.text}")

    found: SlicePredictions = drain(asked.answers(bundle, device), line, other)
    left_out = tuple(LeftOut(one.study, one.text) for one in told if one.left_out)
    in_part = tuple(LeftOut(one.study, one.text) for one in told if not one.left_out)
    return found, SliceRecord(bundle, left_out, in_part)


def _examined(record: SliceRecord, predictions: SlicePredictions) -> SliceRecord:
    """Each part by itself; a look at a hold-out is counted once it shows something."""
    ledger, bundle = Ledger.beside(data_folder() / "bundles"), record.bundle
    sets, looks = [], {}
    for part in dict.fromkeys(case.split for case in predictions.cases):
        those = predictions.of(part)
        told = examine_slices(those, part)
        contents = [one.content for one in those.subjects]
        if part not in LEARNED_FROM:
            known = [(one.content, *one.images) for one in those.subjects]
            if seen := ledger.seen_any(bundle.metadata.weights_sha256, known):
                told = replace(told, notes=(seen_by_model(seen, len(known), bundle.key, "scan"), *told.notes))
            looks[part] = ledger.looks(contents)
            ledger.look(contents, EVALUATION, model=bundle.key)
        sets.append(told)
    return replace(record, sets=tuple(sets), looks=looks)


def _write(out: Path, record: SliceRecord, predictions: SlicePredictions) -> None:
    write_slice_predictions(out / PREDICTIONS, predictions)
    write_bytes(out / DATA, (json.dumps(as_dict(record), indent=1, allow_nan=False) + "\n").encode())
    write_bytes(out / PAGE, render(record).encode())
