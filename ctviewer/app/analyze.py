"""`ctviewer analyze FOLDER --out DIR`: the same pipeline as in the window, with a progress bar instead of one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ctviewer.app.analysis import Analyst
from ctviewer.app.cli import ABSTAINED, OK, PARTLY
from ctviewer.app.folders import writable_folder
from ctviewer.app.logs import redactor
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.app.reports import ensure_qt, refuse_among, write_overlays, write_report, write_result
from ctviewer.app.stating import apply_statement, hint, statement
from ctviewer.core.analysis_events import Abstained
from ctviewer.core.doubt import doubt_of, interval_text
from ctviewer.core.errors import InputError
from ctviewer.core.events import Event
from ctviewer.core.files import refuse_inside
from ctviewer.core.findings import RESEARCH_USE, AnalysisResult, StudyClassification
from ctviewer.core.interpretation import statements
from ctviewer.core.printing import PageSize
from ctviewer.core.series import Catalog, Series
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS
from ctviewer.core.words import counted
from ctviewer.dicom import SlicesFailed, VolumeTold, analysis_candidate, load, scan
from ctviewer.models.metadata import CLASSIFIER


def run_analyze(options: argparse.Namespace) -> int:
    """Scan, load, analyse, write; returns the exit code.

    Raises:
        CtviewerError: bad input, or a place that cannot be written.
    """
    line = ProgressLine(options.quiet)
    redactor.hide(options.folder)
    refuse_inside(options.out, options.folder)
    if not options.quiet:
        print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    stated = statement(options)
    catalog: Catalog = apply_statement(drain(scan(options.folder), line), stated)
    for notice in catalog.notices:
        line.say(notice.text)
    series = choose(catalog, options.series)
    for text in statements(series):
        line.say(text)
    refuse_among(options.out, options.folder, series)
    writable_folder(options.out)
    volume, failed = load_series(series, line)
    reasons: list[str] = []

    def other(event: Event) -> None:
        if isinstance(event, Abstained):
            reasons.extend(event.suitability.reasons)

    result = drain(Analyst(options.device).analyse(volume), line, other)
    if not isinstance(result, AnalysisResult):
        for text in reasons:
            line.say(text)
        line.say("No number is given: this series is not what the models were made for.")
        if series.questions:
            line.say(hint(series))
        return ABSTAINED
    write_all(volume, result, options.out, options.folder, PageSize(options.page), line)
    if not options.quiet:
        line.say("; ".join((*_said(result), f"written to {options.out}")))
        for text in _doubts(result):
            line.say(text)
    return PARTLY if catalog.incomplete or failed else OK


def _said(result: AnalysisResult) -> tuple[str, ...]:
    """The result in a few words; the classes of slices stand apart from the study's."""
    told, slices = result.classification, result.slice_classes
    parts = []
    if told is not None:
        parts.append(", ".join(_probabilities(told)))
    if any(model.task != CLASSIFIER for model in result.provenance.models):
        parts.append(counted(len(result.lesions), "lesion"))
    if slices is not None:
        likely = np.nan_to_num(slices.probabilities, nan=0.0) >= 0.5
        counts = ", ".join(
            f"{slices.classes[k]} on {counted(int(likely[:, k].sum()), 'slice')}" for k in slices.findings
        )
        parts.append(f"slice classes: {counts}")
    return tuple(parts)


def _probabilities(told: StudyClassification) -> Iterator[str]:
    """Each class with its probability, and the interval where there is one."""
    for name, p, interval in zip(told.model.classes, told.probabilities, doubt_of(told).intervals, strict=True):
        yield f"{name} {p:.2f}" + (f" ({interval_text(interval)})" if interval else "")


def _doubts(result: AnalysisResult) -> Iterator[str]:
    """What is to be known of the numbers and of the models: each sentence once."""
    told = result.classification
    if told is not None:
        yield f"{told.model.name} {told.model.version}: {told.model.trained_on.rstrip('.')}. {doubt_of(told).reason}"
    for model in result.provenance.models:
        if model.restriction:
            yield f"{model.name} {model.version}, {model.licence}: {model.restriction}"


def choose(catalog: Catalog, uid: str | None) -> Series:
    """The series to analyse: the one asked for, else the thinnest lung-kernel CT of the study that opens by itself.

    Raises:
        InputError: it is not there, or nothing can be shown.
    """
    if uid is not None:
        return _asked_for(catalog, uid)
    first = next((series for series in catalog.series if series.readable), None)
    if first is None:
        raise InputError(f"{catalog.root} holds no series that can be shown.")
    return analysis_candidate(catalog, first) or first


def _asked_for(catalog: Catalog, uid: str) -> Series:
    """A series by its key or UID; never a guess among the parts of one that had to be split."""
    found = [series for series in catalog.series if uid in (series.uid, series.key)]
    if not found:
        raise InputError(f"{catalog.root} holds no series {uid}.")
    readable = [series for series in found if series.readable]
    if not readable:
        raise InputError(f"The series {uid} cannot be analysed: {found[0].reason}")
    if len(readable) > 1 and readable[0].key != uid:
        keys = ", ".join(f"{series.key} ({len(series.slices)} slices)" for series in readable)
        raise InputError(f"The series {uid} is {len(readable)} series; choose one by its key: {keys}.")
    return readable[0]


def load_series(series: Series, line: ProgressLine) -> tuple[Volume, bool]:
    """Load all slices; the second value says whether some could not be decoded."""
    failed = False

    def other(event: Event) -> None:
        nonlocal failed
        if isinstance(event, SlicesFailed):
            failed = True
            line.say(event.notice.text)
        elif isinstance(event, VolumeTold):
            for notice in event.notices:
                line.say(notice.text)

    volume: Volume = drain(load(series), line, other)
    return volume, failed


def write_all(
    volume: Volume, result: AnalysisResult, out: Path, opened: Path, page: PageSize, line: ProgressLine
) -> None:
    """Write `result.json`, `report.pdf` and `overlays/` into `out`.

    Raises:
        StorageError: a file cannot be written.
    """
    write_result(volume, result, out / "result.json")
    window = PRESETS[0] if volume.unit == "HU" else volume.initial_window
    overlays = out / "overlays"
    for old in overlays.glob("slice_*.png"):  # of an earlier run: a slice without a lesion now keeps no picture
        old.unlink(missing_ok=True)
    drain(write_overlays(volume, result, window, overlays), line)
    keep = ensure_qt()
    drain(write_report(volume, result, None, page, out / "report.pdf", opened), line)
    del keep
