"""What the models do with every series of the test data that is not scored elsewhere: abstain, warn, or answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ctviewer.app.analyze import load_series
from ctviewer.app.model_evaluation.judged import Judge
from ctviewer.app.model_evaluation.parts import SCOPE, Part, Setting, Table, figure
from ctviewer.app.model_evaluation.patients import FOLDER as PATIENTS_FOLDER
from ctviewer.app.progress import drain
from ctviewer.core.errors import InputError
from ctviewer.core.findings import AnalysisResult, probability_text
from ctviewer.core.series import Catalog, Series
from ctviewer.core.volume import Volume
from ctviewer.core.words import counted
from ctviewer.dicom import scan
from ctviewer.inference.suitability import check
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import Metric

CHESTS = ("lung_pet_ct_dx_A0002", "lidc_0003")
"""Chests, parts of which models learned from: what is said of them is no measure, and abstaining on them is no merit."""
OUTSIDE = "series of the test data that are no whole chest in Hounsfield units"
ABSTAINS, WARNS, ANSWERS, NOT_SHOWN = "abstains", "warns", "answers", "not shown"
_TITLE = "Out of scope: every other series of the test data"
_ALL = "all"
_HEAD = ("Series", "Model", "What becomes of it", "In words")

Outcome = tuple[str, str]
"""One of the four above, and in which words."""


def look_at_scope(setting: Setting) -> Part:
    """What becomes of each series, and the share of what is out of scope on which each model abstains."""
    folders = sorted(path for path in setting.data.iterdir() if path.is_dir()) if setting.data.is_dir() else []
    folders = [path for path in folders if path.name != PATIENTS_FOLDER]
    if not folders:
        return Part(SCOPE, _TITLE, skipped=f"There is no test data at {setting.data}.")
    rows: list[tuple[str, ...]] = []
    kept: dict[str, list[bool]] = {bundle.key: [] for bundle in setting.bundles}
    judge = Judge(setting.device, setting.line)
    for folder in folders:
        for name, series in _series(folder, setting):
            volume = series if isinstance(series, str) else _volume(series, setting)
            if isinstance(volume, str):
                rows.append((name, _ALL, NOT_SHOWN, volume))
                continue
            outcomes = {bundle.key: _outcome(volume, bundle, judge) for bundle in setting.bundles}
            rows += _rows(name, outcomes)
            if folder.name not in CHESTS:
                for key, (outcome, _) in outcomes.items():
                    kept[key].append(outcome == ABSTAINS)
    figures = {key: _share(those) for key, those in kept.items()}
    return Part(SCOPE, _TITLE, figures, (_note(),), [Table(_HEAD, tuple(rows))])


def _rows(name: str, outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, ...]]:
    """Models of which the same is to be told share a row."""
    by_outcome: dict[Outcome, list[str]] = {}
    for key, outcome in outcomes.items():
        by_outcome.setdefault(outcome, []).append(key)
    for outcome, keys in by_outcome.items():
        yield name, _ALL if len(keys) == len(outcomes) else ", ".join(keys), *outcome


def _note() -> str:
    chests = " and ".join(CHESTS)
    return f"{chests} are chests, and models learned from slices of them: what is said of them measures nothing."


def _share(kept: Sequence[bool]) -> list[Metric]:
    if not kept:
        return []
    return [figure("abstains, share of series out of scope", sum(kept) / len(kept), len(kept), "series", OUTSIDE)]


def _series(folder: Path, setting: Setting) -> Iterator[tuple[str, Series | str]]:
    """Each series of a folder under a name that holds no patient's: the folder's and a number; why it cannot be shown."""
    try:
        catalog: Catalog = drain(scan(folder), setting.line)
    except InputError:
        yield folder.name, "There are no images in it that can be shown."
        return
    for number, series in enumerate(catalog.series, 1):
        name = f"{folder.name} {number} ({counted(len(series.slices), 'slice')})"
        yield name, series if series.readable else series.reason


def _volume(series: Series, setting: Setting) -> Volume | str:
    try:
        return load_series(series, setting.line)[0]
    except InputError:
        return "None of its slices can be read."


def _outcome(volume: Volume, bundle: Bundle, judge: Judge) -> Outcome:
    """What the viewer would do with a series and this model, and in which words."""
    suitability = check(volume, bundle.metadata.input_limits)
    if suitability.abstains:
        return ABSTAINS, " ".join(suitability.reasons)
    result = judge.result(bundle, volume)
    if not isinstance(result, AnalysisResult):
        return ABSTAINS, result
    told = result.classification
    if told is None:
        said = f"{counted(len(result.lesions), 'finding')}."
    else:
        said = f"Finding probability {probability_text(told.finding_probability)}."
    return WARNS if suitability.warnings else ANSWERS, " ".join([said, *suitability.warnings])
