"""Pre-flight of a run as the configuration asks for it, and what the user accepts of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.app.models import domain_bundle, named, required
from ctviewer.app.train_data import RunSource, source_of
from ctviewer.app.train_slices import require_start, slice_request
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.core.files import reason, write_bytes
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.config import ModelConfig, RunConfig
from ctviewer.training.control import Control, Wish
from ctviewer.training.preflight.report import PreflightReport, from_json, to_json
from ctviewer.training.run_folder import PREFLIGHT
from ctviewer.training.slices.two_sources import LESIONS, TwoSources, kind_of
from ctviewer.training.source import LabelledSource

if TYPE_CHECKING:
    from ctviewer.training.preflight.estimates import RunPlan, Step
    from ctviewer.training.preflight.known import Divide
    from ctviewer.training.preflight.run import Request

ALL = "all"


def base_bundle(model: ModelConfig, task: str = CLASSIFIER) -> Bundle | None:
    """The installed bundle that a run starts from; None for a start without one.

    Args:
        model: what is wanted.
        task: what is trained. A one-shot model may have the backbone of a model of another task.

    Raises:
        InputError: it is not installed, or none is.
    """
    if model.start not in ("base", "domain"):
        return None
    if not model.base:
        return domain_bundle(task) if model.start == "domain" else required(task)
    return named(model.base, "" if task == ONE_SHOT and model.start == "domain" else task)


def pinned(config: RunConfig, base: Bundle | None) -> RunConfig:
    """The configuration with the base model by name: a run goes on from the same one, whichever is active then."""
    if base is None:
        return config
    return dataclasses.replace(config, model=dataclasses.replace(config.model, base=base.key))


def start_notes(config: RunConfig, source: RunSource, base: Bundle | None) -> tuple[str, ...]:
    """What is kept of the base and what is new; to be asked before all studies are read. Of a one-shot run it is not known
    by then: what it outlines is seen when its sets are read (`train_slices.slice_notes`).

    Raises:
        InputError: start, classes, labels and stated prevalence do not fit together, or a file of weights is missing.
    """
    from ctviewer.training.calibration import require_prevalence
    from ctviewer.training.engine.starts import start_net

    if isinstance(source, TwoSources):
        require_start(config, base)
        return ()
    if not _tells_classes(source):
        return ()  # pre-flight says so, and more
    start = start_net(config.model, config.recipe, _labels(source), base, config.seed)
    require_prevalence(config.data.prevalence, start.classes, start.head != "multi_label")
    return start.notes


def preflight_of(
    config: RunConfig,
    source: RunSource,
    base: Bundle | None,
    room: Path,
    say: Callable[[Event], None],
    control: Control,
) -> PreflightReport:
    """Pre-flight with all that the configuration and the base model say.

    Args:
        config: of the run.
        source: its studies.
        base: what it starts from.
        room: a folder on the disk that the run will use; it need not exist.
        say: told how far it is.
        control: what the user wants meanwhile.

    Raises:
        Interrupted: anything else than to go on.
    """
    for event in _events(config, source, base, room):
        if isinstance(event, Done):
            report: PreflightReport = event.value
            return report
        if isinstance(event, Progress | Message):
            say(event)
        if control() is not Wish.GO_ON:
            raise Interrupted
    raise AssertionError("pre-flight ends with its report")


def _events(config: RunConfig, source: RunSource, base: Bundle | None, room: Path) -> Iterator[Event]:
    """Pre-flight of the task."""
    from ctviewer.training.preflight.run import preflight
    from ctviewer.training.preflight.slices import preflight_slices

    if isinstance(source, TwoSources):
        judged = None if base is None or config.model.start != "base" else partial(_slice_baseline, config, base)
        return preflight_slices(source, slice_request(config, base, room, _divide(config), judged))
    return preflight(source, _request(config, source, base, room))


class Interrupted(Exception):  # noqa: N818 (no error: the user's wish, before there is a run that could obey it)
    """The user wants to pause, stop or cancel before training began."""


def _request(config: RunConfig, source: LabelledSource, base: Bundle | None, room: Path) -> Request:
    from ctviewer.training.preflight.checks import Criteria
    from ctviewer.training.preflight.run import Request

    unlisted = getattr(source, "unlisted", tuple)
    plan, step = _costs(config, source, base, room) if _tells_classes(source) else (None, None)
    return Request(
        criteria=Criteria() if base is None else Criteria.of(base.metadata.input_limits),
        divide=_divide(config),
        cross_validation=config.data.cross_validation,
        folds=config.data.folds,
        unlisted=unlisted(),
        plan=plan,
        step=step,
        baseline=None if base is None or config.model.start != "base" else partial(_baseline, config, source, base),
    )


def _costs(config: RunConfig, source: LabelledSource, base: Bundle | None, room: Path) -> tuple[RunPlan, Step]:
    """What the run takes, to be timed. Raises InputError where it cannot start."""
    from ctviewer.training.engine.costs import reckon
    from ctviewer.training.splits import EXTERNAL

    patients = {source.patient(study) for study in source.ids() if not source.split(study).startswith(EXTERNAL)}
    return reckon(config, _labels(source), len(patients), base, room)


def _labels(source: LabelledSource) -> list[tuple[str, ...]]:
    return [tuple(source.classes(study)) for study in source.ids()]


def _tells_classes(source: LabelledSource) -> bool:
    """Whether there is anything to tell apart."""
    return len({name for classes in _labels(source) for name in classes}) > 1


def _baseline(config: RunConfig, source: LabelledSource, base: Bundle, judged: Sequence[str]) -> Iterator[Event]:
    """Figures of the base model on the studies that the new one will be judged by; none where it lacks their classes."""
    from ctviewer.training.evaluation import evaluate
    from ctviewer.training.predicting import predict

    part, studies = _judged_by(config, source, judged)
    known = set(base.metadata.classes)
    if any(not set(source.classes(study)) <= known for study in studies):
        yield Message(f"The labels have classes that {base.key} does not know, so that it cannot be judged by them.")
        yield Done(())
        return
    for event in predict(base, source, studies, device=config.device, chunk=config.chunk):
        if isinstance(event, Done):
            yield Done(evaluate(event.value, data=part) if event.value.cases else ())
            return
        yield event


def _slice_baseline(config: RunConfig, base: Bundle, report: PreflightReport) -> Iterator[Event]:
    """The same of a one-shot model; slices of classes that it does not tell are left out."""
    from ctviewer.training.slice_evaluation import evaluate_slices
    from ctviewer.training.slice_predicting import predict_slices

    source, split = source_of(config, report.train_only), report.split
    assert split is not None and isinstance(source, TwoSources)  # of this task, and nothing blocks the run
    part, judged = _judged_by(config, source, split.test or split.validation)
    known = set(base.metadata.image_classes)
    scans = [scan for scan in judged if kind_of(scan) == LESIONS or set(source.classes(scan)) <= known]
    if len(scans) < len(judged):
        tells = "does not tell all of these classes of slices" if known else "tells no classes of slices"
        yield Message(f"{base.key} {tells}, and is judged without them.")
    if not scans:
        yield Done(())
        return
    for event in predict_slices(base, source, scans, parts=dict.fromkeys(scans, part), device=config.device):
        if isinstance(event, Done):
            yield Done(evaluate_slices(event.value, data=part))
            return
        yield event


def _judged_by(config: RunConfig, source: RunSource, held_out: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """What the run will be judged by, in words and by name: all that a cross-validation tests, else its hold-out."""
    from ctviewer.training.engine.plans import cases_of, folds_of
    from ctviewer.training.splits import EXTERNAL, Split

    inside = tuple(study for study in source.ids() if not source.split(study).startswith(EXTERNAL))
    folds = folds_of(cases_of(source, Split(inside)), config.data, config.seed)
    tested = {study for fold in folds for study in fold.test}
    pooled = tuple(study for study in inside if study in tested)  # without what must never judge
    return ("cross-validation", pooled) if folds else ("local hold-out", tuple(held_out))


def _divide(config: RunConfig) -> Divide:
    from ctviewer.training.splits import split_by_time, split_stratified

    if config.data.splitting == "time":
        return partial(split_by_time, shares=config.data.shares)
    return partial(split_stratified, shares=config.data.shares, seed=config.seed)


def codes_of(told: Iterable[str]) -> tuple[str, ...]:
    """Codes of doubts from the command line: separated by commas, or several options."""
    return tuple(code for text in told for code in text.replace(" ", ",").split(",") if code)


def require_accepted(report: PreflightReport, accepted: Iterable[str]) -> tuple[str, ...]:
    """Refuse a run that an error stands against, or a doubt that nobody accepted.

    Args:
        report: of pre-flight.
        accepted: codes, or "all".

    Returns:
        Codes of the doubts that there are, all of them accepted.

    Raises:
        InputError: the run is refused.
    """
    if report.blocked:
        raise InputError("The run is blocked by what pre-flight found.")
    codes = tuple(dict.fromkeys(one.code for one in report.doubts))
    known = set(accepted)
    if ALL not in known and (rest := [code for code in codes if code not in known]):
        raise InputError(
            f"Pre-flight has doubts. Read them; to train all the same, add --accept-doubts {','.join(rest)} (or {ALL})."
        )
    return codes


def keep_report(folder: Path, report: PreflightReport) -> None:
    """Write what pre-flight said into the folder of a run.

    Raises:
        StorageError: it cannot be written.
    """
    write_bytes(folder / PREFLIGHT, json.dumps(to_json(report)).encode())


def kept_report(folder: Path) -> PreflightReport:
    """What pre-flight said when the run began.

    Raises:
        InputError: it cannot be read.
    """
    path = folder / PREFLIGHT
    try:
        return from_json(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is damaged; remove it, and pre-flight looks at the studies again.") from error
