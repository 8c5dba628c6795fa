"""Old against new: on the hold-out of a run or on studies that somebody names, and on the fixed set against forgetting."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ctviewer.app import comparisons
from ctviewer.app.comparing_slices import of_slice_run
from ctviewer.app.comparison_notes import looked_at, noted, seen_before
from ctviewer.app.folders import cache_folder
from ctviewer.app.models import in_use
from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Done, Event, Message, last
from ctviewer.datasets.regression_set import NO_FINDING, REGRESSION_SET, RegressionSource
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.comparison import Comparison, compare, write_comparison
from ctviewer.training.predictions import Predictions
from ctviewer.training.predictions_file import read_predictions, write_predictions
from ctviewer.training.regression import answers, compare_answers
from ctviewer.training.run_folder import BASE_PREDICTIONS, COMPARISON, PREDICTIONS
from ctviewer.training.source import LabelledSource, SliceSource
from ctviewer.training.splits import EXTERNAL
from ctviewer.training.version_texts import other_shares

_NAMES = {CLASSIFIER: "study classifier", ONE_SHOT: "one-shot model"}


def compare_after_run(
    folder: Path, source: LabelledSource | SliceSource, new: Bundle, base: Bundle | None, device: str, chunk: int
) -> Iterator[Event]:
    """Compare what a run made with what it began with, and keep that in the run's folder and by the two versions.

    Without a base of its task it is compared with the model in use, and not on the fixed set: what it never learned it
    cannot have forgotten. One-shot models never are: that set is of studies. Why there is no comparison is told, never
    raised: the new version is made already. Done again it takes what is there, so that it can be resumed.

    Args:
        folder: of the run, with its predictions.
        source: of its studies, or of its scans of labelled slices.
        new: what it made.
        base: what it began with.
        device: as in its configuration.
        chunk: as in its configuration.

    Yields:
        `Progress`, `Message`; last `Done` with a `Comparison`, or None where there is none.
    """
    task = new.metadata.task
    old = base if base is not None and base.metadata.task == task else in_use(task)
    if old is None or old.key == new.key:
        yield Message(f"There is no other {_NAMES[task]} to compare the new version with.")
        yield Done(None)
        return
    try:
        if task == ONE_SHOT:
            slices = cast(SliceSource, source)  # the task says so
            comparison: Comparison = yield from of_slice_run(folder, slices, new, old, device)
        else:
            comparison = yield from _of_run(folder, cast(LabelledSource, source), new, old, device, chunk)
        comparisons.keep(new, old, comparison)
        write_comparison(folder / COMPARISON, comparison)
    except CtviewerError as error:
        yield Message(f"{new.key} could not be compared with {old.key}: {error}")
        yield Done(None)
        return
    yield Done(comparison)


def compare_on(
    source: LabelledSource, parts: Mapping[str, str], new: Bundle, old: Bundle, device: str
) -> Iterator[Event]:
    """Compare two versions on studies that somebody names; counts as a look at them, and is kept by the two versions.

    Args:
        source: of the studies.
        parts: by study, those to be compared on.
        new: a study classifier.
        old: a study classifier.
        device: "auto", "cpu" or "cuda".

    Yields:
        `Progress`, `Message`; last `Done(Comparison)`.

    Raises:
        CtviewerError: they cannot be compared; the text says why.
    """
    from ctviewer.training.predicting import predict

    said: list[Predictions] = []
    contents: dict[str, str] = {}
    for bundle in (old, new):
        events = predict(bundle, source, list(parts), parts=parts, device=device, contents=contents)
        found: Predictions = yield from last(events)
        contents = {case.study: case.content for case in found.cases}
        said.append(found)
    comparison = compare(*said)
    comparison = looked_at(comparison, list(contents.values()), new, old, "studies")
    comparison = _with_doubts(comparison, said[1], new, old)
    comparison = yield from _with_fixed_set(comparison, new, old, device)
    comparisons.keep(new, old, comparison)
    yield Done(comparison)


def fixed_set(new: Bundle, old: Bundle, device: str) -> Iterator[Event]:
    """Compare two versions on the fixed set alone.

    Yields:
        `Progress`; last `Done(Comparison)`.

    Raises:
        CtviewerError: they cannot be compared on it.
    """
    source, said = RegressionSource(), []
    for bundle in (old, new):
        found: Predictions = yield from last(answers(bundle, source, REGRESSION_SET, cache_folder(), device))
        said.append(found)
    yield Done(compare_answers(said[0], said[1], NO_FINDING))


def _of_run(
    folder: Path, source: LabelledSource, new: Bundle, old: Bundle, device: str, chunk: int
) -> Generator[Event, Any, Comparison]:
    """On the hold-out; external sets are told apart in the card and not mixed in."""
    if not (folder / PREDICTIONS).exists():
        raise InputError("the run has no hold-out.")
    after = read_predictions(folder / PREDICTIONS)
    after = _hold_out(dataclasses.replace(after, model=new.key))
    before = yield from _before(folder, source, old, after, device, chunk)
    comparison = _with_doubts(compare(before, after), after, new, old)
    if new.metadata.parent != old.key:
        return comparison
    return (yield from _with_fixed_set(comparison, new, old, device))


def _before(
    folder: Path, source: LabelledSource, old: Bundle, after: Predictions, device: str, chunk: int
) -> Generator[Event, Any, Predictions]:
    """What the old version says of the same studies; kept in the folder."""
    path, wanted = folder / BASE_PREDICTIONS, [case.study for case in after.cases]
    try:
        kept = read_predictions(path)
    except InputError:
        kept = None
    if kept is not None and kept.model == old.key and [case.study for case in kept.cases] == wanted:
        return kept
    from ctviewer.training.predicting import predict

    parts = {case.study: case.split for case in after.cases}
    contents = {case.study: case.content for case in after.cases if case.content}
    found: Predictions = yield from last(
        predict(old, source, wanted, parts=parts, device=device, chunk=chunk, contents=contents)
    )
    write_predictions(path, found)
    return found


def _with_doubts(comparison: Comparison, after: Predictions, new: Bundle, old: Bundle) -> Comparison:
    """Which of the studies the two learned from, and shares of classes that are not theirs."""
    comparison = seen_before(comparison, after.subjects, new, old, "study")
    for bundle in (old, new):
        prevalence = bundle.metadata.run.prevalence if bundle.metadata.run is not None else {}
        if text := other_shares(prevalence, after, bundle.key):
            comparison = noted(comparison, text)
    return comparison


def _with_fixed_set(comparison: Comparison, new: Bundle, old: Bundle, device: str) -> Generator[Event, Any, Comparison]:
    try:
        fixed: Comparison = yield from last(fixed_set(new, old, device))
    except CtviewerError as error:
        return noted(comparison, str(error))
    return dataclasses.replace(comparison, regression=fixed)


def _hold_out(predictions: Predictions) -> Predictions:
    """Without external sets, where there is anything else."""
    inside = tuple(case for case in predictions.cases if not case.split.startswith(EXTERNAL))
    return dataclasses.replace(predictions, cases=inside) if inside else predictions
