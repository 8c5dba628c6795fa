"""`ctviewer train`: check, train, pause and resume, for a person, for the window and under torchrun alike.

One path for every beginning: a new run is checked and given a folder; from then on a fresh run, a paused one and a
killed one are the same: a folder that one process (or one per GPU) goes on with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from contextlib import ExitStack
from pathlib import Path

from ctviewer.app.cli import BAD_INPUT, CANCELLED, OK, PAUSED
from ctviewer.app.runs import find_run, print_runs, require_resumable, resume_command, runs_folder, unfinished
from ctviewer.app.train_check import (
    Interrupted,
    base_bundle,
    codes_of,
    pinned,
    preflight_of,
    require_accepted,
    start_notes,
)
from ctviewer.app.train_data import folders_of, source_of
from ctviewer.app.train_kept import keep_check, kept_check
from ctviewer.app.train_run import (
    Begun,
    carry_on,
    clear_cancelled,
    follow,
    leave_unready,
    make_ready,
    start_folder,
)
from ctviewer.app.train_slices import slice_notes, with_negative
from ctviewer.app.train_speaker import Console, Speaker, json_lines
from ctviewer.app.training_set import write_marked
from ctviewer.app.wishes import Wishes, signals_heard, words_heard
from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Done, Event, Message
from ctviewer.core.files import refuse_inside
from ctviewer.training.config import RunConfig
from ctviewer.training.config_check import require_paths
from ctviewer.training.config_example import example_text
from ctviewer.training.config_file import read_config
from ctviewer.training.control import Wish
from ctviewer.training.event_lines import plain
from ctviewer.training.events import Checked, Paused, RunCancelled, RunFailed
from ctviewer.training.preflight.report import PreflightReport, to_json, to_lines
from ctviewer.training.run_folder import require_free
from ctviewer.training.run_lock import hold
from ctviewer.training.slices.two_sources import TwoSources

_PAUSING = b"\nctviewer: pausing: a checkpoint is written. Ctrl+C again ends at once, with the last checkpoint kept.\n"


def run_train(options: argparse.Namespace) -> int:
    """What the options ask for; returns the exit code.

    Raises:
        CtviewerError: bad input, a run that is refused, or a place that cannot be written.
    """
    _require_sense(options)
    if options.list:
        return print_runs(options.json)
    if options.example is not None:
        print(example_text(options.example), end="")
        return OK
    if os.environ.get("RANK", "0") != "0":
        if not options.check:  # which the first does alone
            follow()
        return OK
    wishes, lines = Wishes(), options.events == "jsonl"
    speaker = Speaker(json_lines if lines else Console(options.quiet), wishes.pause_unless_asked)
    with ExitStack() as stack:
        stack.enter_context(signals_heard(wishes, _tell_pausing if not lines else lambda: None))
        if lines:
            stack.enter_context(words_heard(wishes))
        try:
            return _train(options, speaker, wishes, stack)
        except CtviewerError as error:
            speaker.say_failed(RunFailed(str(error), resumable=False))
            raise


def _require_sense(options: argparse.Namespace) -> None:
    """Raises InputError where the options do not go together."""
    asked = [options.config is not None, options.resume is not None, options.list, options.example is not None]
    if sum(asked) != 1:
        raise InputError("Give a configuration, or one of --resume, --list and --example. See ctviewer train --help.")
    if options.check and options.config is None:
        raise InputError("--check needs a configuration.")
    if options.out is not None and (options.config is None or options.check):
        raise InputError("--out is for a new run.")
    if options.findings is not None and options.config is None:
        raise InputError("--findings goes with a configuration.")
    if options.report is not None and options.config is None:
        raise InputError("--report goes with a configuration.")
    if options.json and not (options.check or options.list):
        raise InputError("--json goes with --check or --list.")
    if options.json and options.events:
        raise InputError("--json and --events do not go together.")


def _train(options: argparse.Namespace, speaker: Speaker, wishes: Wishes, stack: ExitStack) -> int:
    """The first process, which is mostly the only one."""
    if options.resume is not None:
        folder = find_run(options.resume)
        require_resumable(folder)
    else:
        try:
            report, config = _checked(options, speaker, wishes)
        except Interrupted:
            speaker.say(Message("Ended before training began."))
            return _ended(RunCancelled(), None, options, speaker)
        if options.check:
            return BAD_INPUT if report.blocked else OK
        folder = _placed(options, report, config, speaker)
    stack.callback(clear_cancelled, folder)
    stack.enter_context(hold(folder))
    try:
        begun = make_ready(folder, codes_of(options.accept_doubts), options.device, speaker, wishes)
    except Interrupted:
        return _ended(leave_unready(folder, wishes, speaker), folder, options, speaker)
    return _ended(carry_on(begun, speaker, wishes, stack), folder, options, speaker)


def _checked(options: argparse.Namespace, speaker: Speaker, wishes: Wishes) -> tuple[PreflightReport, RunConfig]:
    """Pre-flight of a new run; what it says is printed."""
    if options.findings is not None:
        _write_findings(options.findings, speaker, wishes)
    config = _asked(options)
    base = base_bundle(config.model, config.task)
    source = source_of(config)
    if isinstance(source, TwoSources):
        config = with_negative(config, source, base)
    for note in start_notes(config, source, base):
        if options.check:  # else training says so
            speaker.say(Message(note))
    if not options.events and not options.check:
        _tell_unfinished(speaker)
    goes_by = options.report is not None and not options.check
    report = kept_check(options.report, config, source, base) if goes_by else None
    if report is None:
        report = preflight_of(config, source, base, options.out or runs_folder(), speaker.say, wishes)
    if options.report is not None and options.check:
        keep_check(options.report, report, config, source, base)
    for note in slice_notes(config, report, base):
        if options.check:
            speaker.say(Message(note))
    _tell_report(options, report, speaker)
    return report, pinned(config, base)


def _write_findings(folder: Path, speaker: Speaker, wishes: Wishes) -> None:
    """The findings corrected in the viewer, as they are now.

    Raises:
        StorageError: there are none, or the folder cannot be written.
        Interrupted: the user wants something else meanwhile.
    """
    for event in write_marked(folder.absolute(), ()):
        speaker.say(Message(event.value.text) if isinstance(event, Done) else event)
        if wishes() is not Wish.GO_ON:
            raise Interrupted


def _asked(options: argparse.Namespace) -> RunConfig:
    """The configuration, its paths looked for.

    Raises:
        InputError: it cannot be used.
        StorageError: something would be written into the data.
    """
    config: RunConfig = read_config(options.config)
    if options.device:
        config = dataclasses.replace(config, device=options.device)
    require_paths(config)
    if options.out is not None:
        require_free(options.out)
    for folder in folders_of(config):
        for place in filter(None, (options.out, options.report)):
            refuse_inside(place, folder)
    return config


def _placed(options: argparse.Namespace, report: PreflightReport, config: RunConfig, speaker: Speaker) -> Path:
    """The folder of a new run, once nothing stands against it."""
    accepted = require_accepted(report, codes_of(options.accept_doubts))
    return start_folder(options.out, config, report, accepted, speaker)


def _tell_report(options: argparse.Namespace, report: PreflightReport, speaker: Speaker) -> None:
    if options.json:
        print(json.dumps(plain(to_json(report)), indent=2, allow_nan=False))
    elif options.events:
        speaker.say(Checked(to_json(report)))
    else:
        print("\n".join(to_lines(report)), flush=True)
        if report.doubts and not report.blocked:
            codes = ",".join(dict.fromkeys(one.code for one in report.doubts))
            print(f"To train in spite of the doubts: --accept-doubts {codes}", flush=True)


def _tell_unfinished(speaker: Speaker) -> None:
    for one in unfinished(runs_folder()):
        speaker.say(Message(f"An earlier run was {one.state} and can go on: {resume_command(one.folder)}"))


def _tell_pausing() -> None:
    os.write(2, _PAUSING)  # print may be in the middle of another line: this is a signal handler


def _ended(last: Event, folder: Path | None, options: argparse.Namespace, speaker: Speaker) -> int:
    """The exit code, and what is left to say."""
    told = bool(options.events) or Begun.in_company()  # the window reads events; torchrun takes all else for a crash
    if isinstance(last, Paused):
        if folder is not None and not options.events:
            speaker.say(Message(f"Go on with: {resume_command(folder)}"))
        return OK if told else PAUSED
    if isinstance(last, RunCancelled):
        if folder is None:
            speaker.say(last)
        return OK if told else CANCELLED
    return OK
