"""`ctviewer evaluate FOLDER`: a model on labelled studies (or slices: `evaluate_slices`), as text, JSON and a page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ctviewer.app.cli import OK, PARTLY
from ctviewer.app.evaluate_options import OF_SLICES
from ctviewer.app.evaluation_page import render
from ctviewer.app.evaluation_parts import LEARNED_FROM, chosen_parts
from ctviewer.app.evaluation_record import LeftOut, Record, as_dict, as_text
from ctviewer.app.folders import data_folder, writable_folder
from ctviewer.app.logs import redactor
from ctviewer.app.models import named, required
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import InputError
from ctviewer.core.events import Event
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.volume import Volume
from ctviewer.datasets.stating import read_statement
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.inference.suitability import check_all
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.evaluation import Evaluation, examine
from ctviewer.training.ledger import EVALUATION, Ledger
from ctviewer.training.predicting import StudyTold, predict
from ctviewer.training.predictions import Predictions
from ctviewer.training.predictions_file import write_predictions
from ctviewer.training.scores.targets import require_labels
from ctviewer.training.version_texts import other_shares, seen_by_model

PAGE, DATA, PREDICTIONS = "evaluation.html", "evaluation.json", "predictions.json"


def run_evaluate(options: argparse.Namespace) -> int:
    """Judge, count, write, print; returns the exit code.

    Raises:
        CtviewerError: bad input, labels that the model does not know, or a place that cannot be written.
    """
    of_slices = next((one for one in OF_SLICES if getattr(options, one)), "")
    bundle = named(options.model) if options.model else required(ONE_SHOT if of_slices else CLASSIFIER)
    if bundle.metadata.task == ONE_SHOT:
        from ctviewer.app.evaluate_slices import run_evaluate_slices

        return run_evaluate_slices(options, bundle)
    if of_slices:
        raise InputError(f"--{of_slices} is for one-shot models, and {bundle.key} is a study classifier.")
    if options.folder is None:
        raise InputError("Name the folder of the studies.")
    return _run_studies(options, bundle)


def _run_studies(options: argparse.Namespace, bundle: Bundle) -> int:
    redactor.hide(options.folder)
    if options.out is not None:
        refuse_inside(options.out, options.folder)
    stated = read_statement(options.values or "", options.spacing or "", options.order or "")
    source = StudyFolder(options.folder, stated, options.labels)
    parts = chosen_parts(source, options.split)
    require_labels([source.classes(study) for study in parts], bundle.metadata.classes, bundle.metadata.exclusive)
    if options.out is not None:
        writable_folder(options.out)
    line = ProgressLine(options.quiet)
    if not options.quiet:
        print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    predictions, record = _predicted(bundle, source, parts, options.device, line)
    record = _examined(record, predictions)
    if options.out is not None:
        _write(options.out, record, predictions)
    print(json.dumps(as_dict(record), indent=1, allow_nan=False) if options.json else as_text(record))
    return PARTLY if record.left_out or record.in_part else OK


def _predicted(
    bundle: Bundle, source: StudyFolder, parts: Mapping[str, str], device: str, line: ProgressLine
) -> tuple[Predictions, Record]:
    """What the model says, and what there is to tell of studies."""
    told: list[StudyTold] = []
    outside: list[LeftOut] = []

    def look(study: str, volume: Volume) -> None:
        suitability = check_all(volume, [bundle.metadata.input_limits])
        if suitability.abstains:
            outside.append(LeftOut(study, " ".join(suitability.reasons)))

    def other(event: Event) -> None:
        if isinstance(event, StudyTold):
            told.append(event)
            line.say(f"{event.study}: {event.text}")

    events = predict(bundle, source, list(parts), parts=parts, device=device, look=look)
    predictions: Predictions = drain(events, line, other)
    record = Record(
        bundle=bundle,
        left_out=tuple(LeftOut(one.study, one.text) for one in told if one.left_out),
        in_part=tuple(LeftOut(one.study, one.text) for one in told if not one.left_out),
        outside=tuple(outside),
    )
    return predictions, record


def _examined(record: Record, predictions: Predictions) -> Record:
    """Each part by itself; a look at a hold-out is counted once it shows something."""
    ledger = Ledger.beside(data_folder() / "bundles")
    sets, looks = [], {}
    for part in dict.fromkeys(case.split for case in predictions.cases):
        those = predictions.of(part)
        sets.append(_noted(examine(those, part), those, record.bundle, ledger))
        if part not in LEARNED_FROM:
            contents = [case.content for case in those.cases]
            looks[part] = ledger.looks(contents)
            ledger.look(contents, EVALUATION, model=record.bundle.key)
    return replace(record, sets=tuple(sets), looks=looks)


def _noted(told: Evaluation, those: Predictions, bundle: Bundle, ledger: Ledger) -> Evaluation:
    """With what figures of these studies hide: that the model learned from them, or refers to other shares of classes."""
    m, contents, notes = bundle.metadata, {case.content for case in those.cases}, []
    if told.part not in LEARNED_FROM and (seen := ledger.seen(m.weights_sha256, contents)):
        notes.append(seen_by_model(seen, len(contents), bundle.key))
    if m.run is not None and (text := other_shares(m.run.prevalence, those, bundle.key)):
        notes.append(text)
    return replace(told, notes=(*notes, *told.notes))


def _write(out: Path, record: Record, predictions: Predictions) -> None:
    write_predictions(out / PREDICTIONS, predictions)
    write_bytes(out / DATA, (json.dumps(as_dict(record), indent=1, allow_nan=False) + "\n").encode())
    write_bytes(out / PAGE, render(record).encode())
