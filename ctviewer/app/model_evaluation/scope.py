"""What the models do with every series of the test data that is not scored elsewhere: abstain, warn, or answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ctviewer.app.analyze import load_series
from ctviewer.app.model_evaluation.judged import Judge
from ctviewer.app.model_evaluation.parts import SCOPE, Part, Setting, Table, figure
from ctviewer.app.model_evaluation.patients import FOLDER as PATIENTS_FOLDER
from ctviewer.app.progress import drain
from ctviewer.core.errors import CtviewerError
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
_TITLE = "Out of scope: every other series of the test data"
_HEAD = ("Series", "What becomes of it", "In words")


def look_at_scope(setting: Setting) -> Part:
    """One row for each series and bundle, and the share of what is out of scope on which each abstains."""
    folders = sorted(path for path in setting.data.iterdir() if path.is_dir()) if setting.data.is_dir() else []
    folders = [path for path in folders if path.name != PATIENTS_FOLDER]
    if not folders:
        return Part(SCOPE, _TITLE, skipped=f"There is no test data at {setting.data}.")
    rows: dict[str, list[tuple[str, ...]]] = {bundle.key: [] for bundle in setting.bundles}
    kept: dict[str, list[bool]] = {bundle.key: [] for bundle in setting.bundles}
    judge = Judge(setting.device, setting.line)
    for folder in folders:
        for name, series in _series(folder, setting):
            volume = series if isinstance(series, str) else _volume(series, setting)
            for bundle in setting.bundles:
                outcome, words = _outcome(volume, bundle, judge)
                rows[bundle.key].append((name, outcome, words))
                if folder.name not in CHESTS:
                    kept[bundle.key].append(outcome in ("abstains", "not shown"))
    figures = {key: _share(those) for key, those in kept.items()}
    tables = [Table((f"{_HEAD[0]}, {key}", *_HEAD[1:]), tuple(those)) for key, those in rows.items()]
    return Part(SCOPE, _TITLE, figures, (_note(),), tables)


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
    except CtviewerError as error:
        yield folder.name, str(error)
        return
    if not catalog.series:
        yield folder.name, "No images in it."
    for number, series in enumerate(catalog.series, 1):
        name = f"{folder.name} {number} ({counted(len(series.slices), 'slice')})"
        yield name, series if series.readable else series.reason


def _volume(series: Series, setting: Setting) -> Volume | str:
    try:
        return load_series(series, setting.line)[0]
    except CtviewerError as error:
        return str(error)


def _outcome(volume: Volume | str, bundle: Bundle, judge: Judge) -> tuple[str, str]:
    """What the viewer would do with a series and this model, and in which words."""
    if isinstance(volume, str):
        return "not shown", volume
    suitability = check(volume, bundle.metadata.input_limits)
    if suitability.abstains:
        return "abstains", " ".join(suitability.reasons)
    result = judge.result(bundle, volume)
    if not isinstance(result, AnalysisResult):
        return "abstains", result
    told = result.classification
    if told is None:
        said = f"{counted(len(result.lesions), 'finding')}."
    else:
        said = f"Finding probability {probability_text(told.finding_probability)}."
    return "warns" if suitability.warnings else "answers", " ".join([said, *suitability.warnings])
