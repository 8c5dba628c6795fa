"""Old against new of one-shot models: on the hold-out of a run, or on labelled slices that somebody names."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from ctviewer.app import comparisons
from ctviewer.app.comparison_notes import looked_at, seen_before
from ctviewer.app.slices_asked import Asked
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, last
from ctviewer.models.bundle import Bundle
from ctviewer.training.comparison import Comparison
from ctviewer.training.run_folder import BASE_PREDICTIONS, PREDICTIONS
from ctviewer.training.slice_comparison import compare_slices
from ctviewer.training.slice_predictions import SlicePredictions, read_slice_predictions, write_slice_predictions
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, kind_of
from ctviewer.training.source import SliceSource
from ctviewer.training.splits import EXTERNAL


def of_slice_run(
    folder: Path, source: SliceSource, new: Bundle, old: Bundle, device: str
) -> Generator[Event, Any, Comparison]:
    """Compare on the hold-out of a run; external sets are told apart in the card and not mixed in.

    Args:
        folder: of the run, with its answers; those of the old version are kept beside them.
        source: of its scans.
        new: what it made.
        old: what it is compared with.
        device: as in its configuration.

    Yields:
        `Progress`, `StudyTold`.

    Raises:
        CtviewerError: they cannot be compared; the text says why.
    """
    if not (folder / PREDICTIONS).exists():
        raise InputError("the run has no hold-out.")
    after = _hold_out(dataclasses.replace(read_slice_predictions(folder / PREDICTIONS), model=new.key))
    before = yield from _before(folder, source, old, after, device)
    return seen_before(compare_slices(before, after), before.subjects, new, old, "scan")


def compare_slices_on(asked: Asked, new: Bundle, old: Bundle, device: str) -> Iterator[Event]:
    """Compare two versions on slices that somebody names; counts as a look at them, and is kept by the two versions.

    Args:
        asked: the scans, and what of them is judged.
        new: a one-shot model.
        old: a one-shot model.
        device: "auto", "cpu" or "cuda".

    Yields:
        `Progress`, `StudyTold`; last `Done(Comparison)`.

    Raises:
        CtviewerError: they cannot be compared; the text says why.
    """
    said: list[SlicePredictions] = []
    for bundle in (old, new):
        said.append((yield from last(asked.answers(bundle, device))))
    comparison, subjects = compare_slices(*said), said[1].subjects
    comparison = looked_at(comparison, [one.content for one in subjects], new, old, "scans")
    comparison = seen_before(comparison, subjects, new, old, "scan")
    comparisons.keep(new, old, comparison)
    yield Done(comparison)


def _before(
    folder: Path, source: SliceSource, old: Bundle, after: SlicePredictions, device: str
) -> Generator[Event, Any, SlicePredictions]:
    """What the old version says of the same scans; kept in the folder."""
    path, wanted = folder / BASE_PREDICTIONS, [one.study for one in after.subjects]
    try:
        kept = read_slice_predictions(path)
    except InputError:
        kept = None
    if kept is not None and kept.model == old.key and {one.study for one in kept.subjects} <= set(wanted):
        return kept
    from ctviewer.training.engine.one_shot.scans import Wanted
    from ctviewer.training.slice_predicting import predict_slices

    parts = {one.study: one.split for one in after.subjects}
    found: SlicePredictions = yield from last(
        predict_slices(
            old,
            source,
            wanted,
            parts=parts,
            device=device,
            wanted=lambda scan: Wanted(kind_of(scan) == LESIONS, kind_of(scan) == IMAGES),
        )
    )
    write_slice_predictions(path, found)
    return found


def _hold_out(predictions: SlicePredictions) -> SlicePredictions:
    """Without external sets, where there is anything else."""
    inside = tuple(case for case in predictions.cases if not case.split.startswith(EXTERNAL))
    return dataclasses.replace(predictions, cases=inside) if inside else predictions
