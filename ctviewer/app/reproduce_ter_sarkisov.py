"""`ctviewer reproduce ter-sarkisov`: the second paper's models on other slices, its tables beside the published ones."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.cli import CANCELLED, OK, PAUSED
from ctviewer.app.folders import writable_folder
from ctviewer.app.reproduce_ter_sarkisov_options import net_option, slice_sets
from ctviewer.app.train_check import Interrupted, preflight_of
from ctviewer.app.train_data import folders_of, source_of
from ctviewer.app.train_slices import with_negative
from ctviewer.app.train_speaker import Console
from ctviewer.app.wishes import Wishes, signals_heard
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Message
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.training.config import ModelConfig, SliceSet
from ctviewer.training.event_lines import plain
from ctviewer.training.events import RunFinished
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.reproduction.ter_sarkisov_plan import MAIN, TRANSFERRED, Arm, TerSarkisovSettings
from ctviewer.training.slices.two_sources import IMAGES, TwoSources, kind_of

if TYPE_CHECKING:
    from ctviewer.training.reproduction.ter_sarkisov import Data, TerSarkisovInputs
    from ctviewer.training.reproduction.ter_sarkisov_results import Judged

_JSON, _PAGE, _TEXT = "reproduction.json", "reproduction.html", "reproduction.txt"


def run_ter_sarkisov(options: argparse.Namespace) -> int:
    """Train what is missing, write page, figures and text, and print the text; returns the exit code.

    Raises:
        CtviewerError: bad input, a run that failed, or a place that cannot be written.
    """
    settings = _settings(options)
    sets = {name: slice_sets(f"--{name}", getattr(options, name)) for name in ("lesions", "images", "transfer")}
    for one in (one for those in sets.values() for one in those):
        if not Path(one.folder).is_dir():
            raise InputError(f"{one.folder} is not a folder.")
        refuse_inside(options.out, Path(one.folder))
    show, wishes = Console(options.quiet), Wishes()
    with ExitStack() as stack:
        stack.enter_context(signals_heard(wishes))
        show(Message(RESEARCH_USE))
        try:
            inputs = _checked(settings, sets["lesions"], sets["images"], sets["transfer"], options.out, show, wishes)
        except Interrupted:
            show(Message("Ended; nothing was begun."))
            return CANCELLED
        judged = _trained(inputs, show)
    if judged is None:
        show(Message(f"Paused. The same command goes on; what is done so far is in {options.out}."))
        return PAUSED
    _write(inputs, judged, options.out)
    show(Message(f"Written: {', '.join(str(options.out / name) for name in (_PAGE, _TEXT, _JSON))}."))
    return OK


def _settings(options: argparse.Namespace) -> TerSarkisovSettings:
    net: dict[str, int | float | bool | str] = {"backbone": options.backbone}
    if options.levels:
        net["levels"] = options.levels
    if options.reference:
        net["reference"] = True
    net |= _net_options(options.net)
    return TerSarkisovSettings(
        models=tuple(dict.fromkeys(options.model or ())),
        seeds=options.seeds,
        recipe=options.recipe,
        epochs=options.epochs,
        batch=options.batch,
        rate=options.rate,
        start=options.start,
        net=net,
        size=options.size,
        precision=options.precision,
        device=options.device,
        about=options.about,
    )


def _net_options(given: Sequence[str]) -> dict[str, int | float | bool | str]:
    """Of `--net`, refused before any slice is read where the net cannot be told so.

    Raises:
        InputError: one of them is no option, or of another kind.
    """
    found = dict(net_option(text) for text in given)
    if found:
        from ctviewer.training.slices.net_options import require_options

        try:
            require_options(ModelConfig(net=found))
        except InputError as error:
            raise InputError(str(error).replace("model.net.", "--net ")) from error
    return found


def _checked(
    settings: TerSarkisovSettings,
    lesions: tuple[SliceSet, ...],
    images: tuple[SliceSet, ...],
    transfer: tuple[SliceSet, ...],
    out: Path,
    show: Console,
    wishes: Wishes,
) -> TerSarkisovInputs:
    """The data looked at; what is doubtful is told and stands on the page.

    Raises:
        InputError: something stands against it.
    """
    from ctviewer.training.reproduction.ter_sarkisov import TerSarkisovInputs, require_starts

    writable_folder(out)
    data = _data(settings, MAIN, lesions, images, out, show, wishes)
    moved = _data(settings, TRANSFERRED, lesions, transfer, out, show, wishes) if transfer else None
    if moved is not None:
        _require_new(data.report, moved.report)
    inputs = TerSarkisovInputs(settings, data, out, moved, wishes)
    require_starts(inputs)
    return inputs


def _require_new(report: PreflightReport, moved: PreflightReport) -> None:
    """Refuse to judge the transferred model by slices with a class that it learned from before.

    Raises:
        InputError: a scan is in both.
    """
    assert report.split is not None and moved.split is not None  # `_data` looked
    learned = (*report.split.train, *report.split.validation)
    known = {image for scan in learned if kind_of(scan) == IMAGES for image in report.images.get(scan, ())}
    tested = [scan for scan in moved.split.test if kind_of(scan) == IMAGES]
    if shared := [scan for scan in tested if known.intersection(moved.images.get(scan, ()))]:
        raise InputError(
            f"The scan {shared[0]} of --transfer is also one that the first model learns from: table 4 needs other scans."
        )


def _data(
    settings: TerSarkisovSettings,
    arm: Arm,
    lesions: tuple[SliceSet, ...],
    images: tuple[SliceSet, ...],
    out: Path,
    show: Console,
    wishes: Wishes,
) -> Data:
    """Sets with their pre-flight. Before the model is trained, the transferred one is checked as if from its start."""
    from ctviewer.training.reproduction.ter_sarkisov import Data, arm_config

    like = dataclasses.replace(arm, kind=MAIN.kind)
    config = arm_config(settings, Data(lesions, images, TwoSources([]), PreflightReport(0, 0, ())), like, 0)
    for folder in folders_of(config):
        refuse_inside(out, folder)
    source = source_of(config)
    assert isinstance(source, TwoSources)  # the configuration's task says so
    config = with_negative(config, source, None)
    report = preflight_of(config, source, None, out, show, wishes)
    if report.blocked:
        raise InputError(f"The data cannot be used: {report.findings[0].text}")
    if report.split is None or not report.split.test:
        raise InputError("The comparison needs test slices: give a set the split test, or more patients.")
    if report.train_only:  # accepted output of a model judges nothing
        source = source_of(config, report.train_only)
        assert isinstance(source, TwoSources)
    return Data(lesions, images, source, report, config.model.negative_class)


def _trained(inputs: TerSarkisovInputs, show: Console) -> tuple[Judged, ...] | None:
    """All models; None where the user paused."""
    from ctviewer.training.reproduction.ter_sarkisov import ArmDone, reproduce

    judged: tuple[Judged, ...] | None = None
    for event in reproduce(inputs):
        if isinstance(event, Done):
            judged = event.value
        elif isinstance(event, ArmDone):
            show(Message(f"{event.arm.title}, seed {event.judged.run.seed}: done ({event.done} of {event.total})"))
        elif not isinstance(event, RunFinished):  # its figures stand in the tables
            show(event)
    return judged


def _write(inputs: TerSarkisovInputs, judged: tuple[Judged, ...], out: Path) -> None:
    from ctviewer.app.reproduce_ter_sarkisov_page import page_of
    from ctviewer.app.reproduce_ter_sarkisov_text import limits, text_of
    from ctviewer.training.reproduction.ter_sarkisov_published import MISPRINTS
    from ctviewer.training.reproduction.ter_sarkisov_tables import tables, verdicts

    laid, shown, said = tables(judged), verdicts(judged), tuple(limits(inputs, judged))
    told = {
        "settings": dataclasses.asdict(inputs.settings),
        "data_sha256": dict(inputs.data.report.data_sha256),
        "slices": dict(inputs.data.report.slices),
        "limits": said,
        "verdicts": shown,
        "tables": [dataclasses.asdict(one) for one in laid],
        "models": [dataclasses.asdict(one.run) for one in judged],
        "misprints": [dataclasses.asdict(one) for one in MISPRINTS],
        "notice": RESEARCH_USE,
    }
    text = text_of(said, shown, laid)
    write_bytes(out / _JSON, (json.dumps(plain(told), indent=2, allow_nan=False) + "\n").encode())
    write_bytes(out / _PAGE, page_of(judged, said, shown, laid).encode())
    write_bytes(out / _TEXT, text.encode())
    print(text)
