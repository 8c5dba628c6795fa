"""What is known of how an installed version compares with what it was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ctviewer.app.comparisons import doubts_about, find
from ctviewer.app.models import is_used, named
from ctviewer.app.runs import runs_folder
from ctviewer.app.training import AppTraining, looks_at
from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle
from ctviewer.training.comparison import Comparison
from ctviewer.training.run_folder import list_runs
from ctviewer.ui.finetune.services import FinishedRun


def result_of_model(training: AppTraining, key: str) -> FinishedRun:
    """The run that made a version, or what is kept of it without its run: its folder is empty then.

    Raises:
        InputError: the version is not installed.
    """
    bundle = named(key)
    folder = _made_by(bundle)
    if folder is not None:
        result = training.result_of(folder, bundle.key)
        return result if result.comparison is not None else replace(result, comparison=_kept(bundle))
    return FinishedRun(
        Path(),
        bundle.key,
        bundle.metadata.parent or "",
        is_used(bundle),
        _kept(bundle),
        doubts=doubts_about(bundle),
        looks=looks_at(bundle),
    )


def _made_by(bundle: Bundle) -> Path | None:
    runs = list_runs(runs_folder())
    return next((one.folder for one in runs if one.told.bundle and Path(one.told.bundle) == bundle.folder), None)


def _kept(bundle: Bundle) -> Comparison | None:
    """With its parent; None where there is none, or the parent is gone."""
    try:
        return find(bundle, named(bundle.metadata.parent)) if bundle.metadata.parent else None
    except InputError:
        return None
