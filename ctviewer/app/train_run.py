"""A run in its folder: made ready, driven to its end, and its state kept whatever happens."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.folders import data_folder
from ctviewer.app.runs import resume_command, runs_folder
from ctviewer.app.train_check import (
    Interrupted,
    base_bundle,
    keep_report,
    kept_report,
    pinned,
    preflight_of,
    require_accepted,
)
from ctviewer.app.train_data import names_of, remember, require_same, source_of
from ctviewer.app.train_speaker import Speaker, nothing, without_names
from ctviewer.app.wishes import Wishes, signals_end, signals_heard
from ctviewer.core.errors import CtviewerError, DeviceError, InputError
from ctviewer.core.events import Event, Message, Progress
from ctviewer.training import run_folder
from ctviewer.training.config import RunConfig
from ctviewer.training.config_check import require_paths
from ctviewer.training.config_file import read_config, write_config
from ctviewer.training.control import Control, Wish, never
from ctviewer.training.events import Paused, RunCancelled, RunFailed, RunFinished, RunPlaced, Saved
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.run_folder import CHECKPOINTS, CONFIG, NEW, PREFLIGHT, RUNNING
from ctviewer.training.run_record import accept_doubts, accepted_doubts, read_events

if TYPE_CHECKING:
    from ctviewer.training.engine.parallel import World
    from ctviewer.training.engine.run import RunInputs


@dataclass(frozen=True)
class Begun:
    """What the first process tells the others.

    Attributes:
        folder: of the run, which all of them see.
        resume: whether it goes on.
        device: instead of the configuration's; "" for that.
    """

    folder: str
    resume: bool
    device: str

    @staticmethod
    def in_company() -> bool:
        """Whether there are others."""
        return os.environ.get("WORLD_SIZE", "1") != "1"


def start_folder(
    out: Path | None, config: RunConfig, report: PreflightReport, accepted: tuple[str, ...], speaker: Speaker
) -> Path:
    """Make the folder of a new run.

    Args:
        out: where; None for a new one among the runs of this computer.
        config: of the run.
        report: what pre-flight said.
        accepted: codes of doubts.
        speaker: says where it is.

    Raises:
        InputError: `out` holds something.
        StorageError: it cannot be written.
    """
    folder = run_folder.begin(out.absolute(), config) if out else run_folder.create(runs_folder(), config)
    keep_report(folder, report)
    accept_doubts(folder, accepted)
    speaker.say(RunPlaced(str(folder)))
    return folder


def leave_unready(folder: Path, control: Control, speaker: Speaker) -> Event:
    """What becomes of a run whose user wants something else before training went on.

    Returns:
        `RunCancelled`, or `Paused` where it stood before.
    """
    if control() is Wish.CANCEL:
        run_folder.set_state(folder, run_folder.CANCELLED)
        last: Event = RunCancelled()
    else:
        last = _standing(folder, Paused(0, 0))
    speaker.say(last)
    return last


def _standing(folder: Path, paused: Paused) -> Paused:
    """Where a run stands: one that went on and was paused before it had learned again stands at its last checkpoint."""
    stood = [(one.fold, one.step) for one in read_events(folder) if isinstance(one, Saved | Paused)]
    return Paused(*max([*stood, (paused.fold, paused.step)]))


def make_ready(folder: Path, accepted: tuple[str, ...], device: str, speaker: Speaker, control: Control) -> Begun:
    """Look whether the run in a folder can go on, or begin; the caller holds its lock.

    Args:
        folder: of the run.
        accepted: codes of doubts, beside those that the folder knows.
        device: instead of the configuration's; "" for that.
        speaker: says how far it is, and keeps from now on what is said.
        control: what the user wants.

    Raises:
        InputError: the data have changed, a doubt was not accepted, or a file of the folder is damaged.
        Interrupted: the user wants something else meanwhile.
    """
    config = read_config(folder / CONFIG)
    require_paths(config)
    source = source_of(config)
    fresh = run_folder.read_state(folder).state == NEW
    if not (folder / PREFLIGHT).exists():
        base = base_bundle(config.model, config.task)
        write_config(folder / CONFIG, pinned(config, base))
        keep_report(folder, preflight_of(config, source, base, folder, speaker.say, control))
    report = kept_report(folder)
    accept_doubts(folder, require_accepted(report, (*accepted, *accepted_doubts(folder))))
    if fresh:
        remember(source, folder)
    else:
        for event in require_same(source, report, folder):
            speaker.say(event)
            if control() is not Wish.GO_ON:
                raise Interrupted
    if left := run_folder.remove_unfinished(folder):
        speaker.say(Message(f"{left} half-written files of a killed process were removed."))
    speaker.folder, speaker.names = folder, names_of(source)
    run_folder.set_state(folder, RUNNING)
    return Begun(str(folder), not fresh, device)


def follow() -> None:
    """Be one of the other processes that torchrun started: wait for the first, do a part of its work, and say nothing.

    Raises:
        CtviewerError: the run failed, or the first ended.
    """
    from ctviewer.training.engine.parallel import joined_world

    with signals_end(), joined_world() as world, signals_heard(Wishes()):  # the first one's wishes count
        _drive(_inputs(Begun(**json.loads(world.tell(""))), world, never), Speaker(nothing))


def carry_on(begun: Begun, speaker: Speaker, control: Control, stack: ExitStack) -> Event:
    """Train until the run ends, is paused, or fails; the state in the folder follows.

    Args:
        begun: of `make_ready`.
        speaker: says and keeps events.
        control: what the user wants.
        stack: the processes' company ends with it.

    Returns:
        The last event: `Paused`, `RunCancelled` or `RunFinished`.

    Raises:
        CtviewerError: it failed; the last good state is kept.
    """
    from ctviewer.training.engine.parallel import joined_world

    world = stack.enter_context(joined_world())
    world.tell(json.dumps(dataclasses.asdict(begun)))
    folder = Path(begun.folder)
    try:
        last = _drive(_inputs(begun, world, control), speaker)
    except KeyboardInterrupt:  # the second Ctrl+C
        speaker.say(Message(f"Ended at once. From the last checkpoint it goes on with: {resume_command(folder)}"))
        raise
    except Exception as error:
        _keep_failure(folder, error, speaker)
        raise
    _keep_end(folder, last)
    return last


def _inputs(begun: Begun, world: World, control: Control) -> RunInputs:
    """What the engine wants, read from the folder: the same in all processes."""
    from ctviewer.training.engine.run import RunInputs

    folder = Path(begun.folder)
    config = read_config(folder / CONFIG)
    if begun.device:
        config = dataclasses.replace(config, device=begun.device)
    report = kept_report(folder)
    return RunInputs(
        config=config,
        source=source_of(config, report.train_only),
        folder=folder,
        report=report,
        base=base_bundle(config.model, config.task),
        bundles=data_folder() / "bundles",
        control=control,
        world=world,
        resume=begun.resume,
    )


def _drive(inputs: RunInputs, speaker: Speaker) -> Event:
    """Run the engine to its last event.

    Raises:
        CtviewerError: it failed; that memory ran out is one of the ways.
    """
    from ctviewer.training.engine.run import run

    last = Event()
    try:
        with contextlib.closing(run(inputs)) as events:  # type: ignore[type-var] # it is a generator
            for event in events:
                if isinstance(event, RunFinished) and inputs.world.leads:
                    _compare(inputs, event, speaker)
                last = _standing(inputs.folder, event) if isinstance(event, Paused) else event
                speaker.say(last)
    except (MemoryError, RuntimeError) as error:
        if _is_shortage(error):
            raise DeviceError(_SHORTAGE) from error
        raise
    return last


def _compare(inputs: RunInputs, made: RunFinished, speaker: Speaker) -> None:
    """Old against new, before the run is said to be finished; whatever hinders it, the new version is made."""
    from ctviewer.app.comparing import compare_after_run
    from ctviewer.models.bundle import load_bundle

    config = inputs.config
    events = compare_after_run(
        inputs.folder, inputs.source, load_bundle(Path(made.bundle)), inputs.base, config.device, config.chunk
    )
    try:
        with contextlib.closing(events):  # type: ignore[type-var] # it is a generator
            for event in events:
                if isinstance(event, Progress | Message):
                    speaker.say(event)
                if inputs.control() in (Wish.PAUSE, Wish.CANCEL):  # a stop is what made the version
                    speaker.say(
                        Message(f"The comparison was left out; `ctviewer models compare {made.key!r}` makes it.")
                    )
                    return
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        speaker.say(Message("Memory ran out, so that the new version was not compared with the old one."))


_SHORTAGE = (
    "Memory ran out. Close other programs, give a smaller chunk in the configuration, or choose another device; "
    "the run can go on from its last checkpoint."
)


def _is_shortage(error: Exception) -> bool:
    """Whether memory ran out: torch says so in several ways."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def _keep_failure(folder: Path, error: Exception, speaker: Speaker) -> None:
    """Say in the folder, and to whoever listens, that the run failed; what cannot be written any more is let go."""
    text = str(error) if isinstance(error, CtviewerError) else "An internal error stopped the run."
    resumable = any(folder.rglob(f"{CHECKPOINTS}/*.safetensors")) or any(folder.glob("fold-*/*.safetensors"))
    with contextlib.suppress(CtviewerError):
        run_folder.set_state(folder, run_folder.FAILED, text=without_names(text, speaker.names))
    speaker.say_failed(RunFailed(text, resumable))


def _keep_end(folder: Path, last: Event) -> None:
    """The state of a run that ended well."""
    if isinstance(last, Paused):
        run_folder.set_state(folder, run_folder.PAUSED)
    elif isinstance(last, RunCancelled):
        run_folder.set_state(folder, run_folder.CANCELLED)
    elif isinstance(last, RunFinished):
        run_folder.remove_spent(folder)  # killed here it goes on, and removes the rest; a finished run would keep it
        state = run_folder.STOPPED if last.stopped else run_folder.FINISHED
        run_folder.set_state(folder, state, bundle=last.bundle)


def clear_cancelled(folder: Path) -> None:
    """Remove the folder of a run that was cancelled; call it when the lock is given back."""
    with contextlib.suppress(InputError):
        if run_folder.read_state(folder).state == run_folder.CANCELLED:
            shutil.rmtree(folder, ignore_errors=True)
