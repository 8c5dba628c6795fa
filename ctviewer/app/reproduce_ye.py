"""`ctviewer reproduce ye FOLDER`: the first paper's comparison on other data, its tables beside the published ones."""

from __future__ import annotations

import argparse
import dataclasses
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.cli import CANCELLED, OK, PAUSED
from ctviewer.app.folders import writable_folder
from ctviewer.app.train_check import Interrupted, base_bundle, preflight_of
from ctviewer.app.train_data import open_source
from ctviewer.app.train_speaker import Console
from ctviewer.app.wishes import Wishes, signals_heard
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Message
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.training.config import DataConfig
from ctviewer.training.event_lines import plain
from ctviewer.training.events import RunFinished
from ctviewer.training.preflight.report import PreflightReport

if TYPE_CHECKING:
    from ctviewer.training.reproduction.ye import YeInputs, YeSettings
    from ctviewer.training.reproduction.ye_results import ArmRun

_JSON, _PAGE = "reproduction.json", "reproduction.html"


def run_ye(options: argparse.Namespace) -> int:
    """Train what is missing and write the page; returns the exit code.

    Raises:
        CtviewerError: bad input, a run that failed, or a place that cannot be written.
    """
    if not options.folder.is_dir():
        raise InputError(f"{options.folder} is not a folder.")
    refuse_inside(options.out, options.folder)
    settings = _settings(options)
    data = DataConfig(
        str(options.folder.absolute()), values=options.values or "", spacing=options.spacing or "",
        order=options.order or "", cross_validation="never",
    )  # fmt: skip
    show, wishes = Console(options.quiet), Wishes()
    with ExitStack() as stack:
        stack.enter_context(signals_heard(wishes))
        show(Message(RESEARCH_USE))
        try:
            inputs = _checked(settings, data, options.out, show, wishes)
        except Interrupted:
            show(Message("Ended; nothing was begun."))
            return CANCELLED
        runs = _trained(inputs, show)
    if runs is None:
        show(Message(f"Paused. The same command goes on; what is done so far is in {options.out}."))
        return PAUSED
    _write(inputs, runs, options.out)
    show(Message(f"Written: {options.out / _PAGE} and {options.out / _JSON}."))
    return OK


def _settings(options: argparse.Namespace) -> YeSettings:
    from ctviewer.training.reproduction.ye import YeSettings

    if options.crop > options.size:
        raise InputError(f"The crop of {options.crop} pixels is larger than the slice of {options.size}.")
    usual = YeSettings()
    return YeSettings(
        encoders=tuple(dict.fromkeys(options.encoder or usual.encoders)),
        aggregators=tuple(dict.fromkeys(options.aggregator or usual.aggregators)),
        seeds=options.seeds,
        epochs=options.epochs,
        passes=options.passes,
        start=options.start,
        size=options.size,
        crop=options.crop,
        precision=options.precision,
        device=options.device,
    )


def _checked(settings: YeSettings, data: DataConfig, out: Path, show: Console, wishes: Wishes) -> YeInputs:
    """The data looked at; what is doubtful is told and stands on the page.

    Raises:
        InputError: something stands against it.
    """
    from ctviewer.training.reproduction.ye import YeInputs, arm_config

    writable_folder(out)
    config = arm_config(settings, data, settings.arms[0], 0)
    base, source = base_bundle(config.model), open_source(data)
    report = preflight_of(config, source, base, out, show, wishes)
    if report.blocked:
        raise InputError(f"The data cannot be used: {report.findings[0].text}")
    _require_parts(report)
    return YeInputs(settings, data, source, report, out, base, wishes)


def _require_parts(report: PreflightReport) -> None:
    split = report.split
    if split is None or not split.test:
        raise InputError("The comparison needs test studies: give a column split in labels.csv, or more patients.")


def _trained(inputs: YeInputs, show: Console) -> tuple[ArmRun, ...] | None:
    """All models; None where the user paused."""
    from ctviewer.training.reproduction.ye import ArmDone, reproduce

    runs: tuple[ArmRun, ...] | None = None
    for event in reproduce(inputs):
        if isinstance(event, Done):
            runs = event.value
        elif isinstance(event, ArmDone):
            told = ", ".join(f"{name} {value:.2f}" for name, value in event.run.metrics[max(event.run.metrics)].items())
            show(Message(f"{event.run.arm.title}, seed {event.run.seed}: {told} ({event.done} of {event.total})"))
        elif not isinstance(event, RunFinished):  # its figures stand in the tables
            show(event)
    return runs


def _write(inputs: YeInputs, runs: tuple[ArmRun, ...], out: Path) -> None:
    from ctviewer.app.reproduce_ye_page import page_of
    from ctviewer.training.reproduction.ye_results import convergence, to_json

    found = convergence(runs)
    told = {
        "settings": dataclasses.asdict(inputs.settings),
        "data_sha256": dict(inputs.report.data_sha256),
        "counts": [dataclasses.asdict(one) for one in inputs.report.counts],
        "convergence": dataclasses.asdict(found) | {"verdict": found.verdict},
        "models": [to_json(run) for run in runs],
        "notice": RESEARCH_USE,
    }
    write_bytes(out / _JSON, (json.dumps(plain(told), indent=2, allow_nan=False) + "\n").encode())
    write_bytes(out / _PAGE, page_of(inputs, runs).encode())
