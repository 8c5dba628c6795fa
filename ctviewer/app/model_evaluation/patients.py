"""P001, a patient with COVID-19 whose infected slices a radiologist marked, and normal001, a chest without it. One patient each.

Nothing was trained or chosen on them, and they are scored here alone: every look is logged before it is taken.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.app.model_evaluation.dense_lung import dense_fractions, lungs_of
from ctviewer.app.model_evaluation.judged import Judge, marked, opened
from ctviewer.app.model_evaluation.parts import BESIDE, PATIENTS, Part, Setting, figure
from ctviewer.app.model_evaluation.ranking import outer_tenths, position_scores, ranked
from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.core.findings import AnalysisResult, SliceScore, StudyClassification
from ctviewer.core.volume import Volume
from ctviewer.models.metadata import Metric

FOLDER, LABELS = "covid_ct_md", "P001_slice_labels.csv"
INFECTED, NORMAL = "P001", "normal001"
_TITLE = "P001 and normal001 (COVID-CT-MD): one patient each"
_NOTES = (
    "n = 1 of each: what holds for one patient may not hold for the next. No interval is given, since slices of one patient "
    "are no sample of patients.",
    "Labels of P001: a radiologist's, by slice. Ranking by slice position knows nothing of the image; the dense fraction of "
    "the lung (-650 to 50 HU after an opening) learned nothing.",
    "The same score made elsewhere before ranked P001's slices with AUC-ROC 0.958; slice position alone 0.82 to 0.86; the "
    "lesion area of a plain light Mask R-CNN 0.90, and that model marked 47 % of the slices of normal001.",
)
AUC_BY = "AUC-ROC, by "
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Scan:
    """One series with what is known of it.

    Attributes:
        name: as its folder.
        volume: in HU.
        order: volume indices, head to feet.
        lungs: `[slices, rows, columns]` of `lungs_of`, by volume index.
    """

    name: str
    volume: Volume
    order: NDArray[np.intp]
    lungs: NDArray[np.bool_]

    @property
    def shows_lung(self) -> NDArray[np.bool_]:
        """`[slices]`, head to feet."""
        return np.asarray(np.asarray(self.lungs.any(axis=(1, 2)))[self.order])

    def figure(self, name: str, value: float) -> Metric:
        """A figure of it: n is the one patient."""
        return figure(name, value, 1, f"patient ({len(self.order)} slices)", self.name)


def score_patients(setting: Setting) -> Part:
    """Rankings on P001, false marks on normal001, for every bundle and for what needs no model.

    Raises:
        InputError: the labels do not fit the slices.
        CtviewerError: a series that cannot be read.
    """
    folder = setting.data / FOLDER
    missing = [name for name in (INFECTED, NORMAL, LABELS) if not (folder / name).exists()]
    if missing:
        return Part(PATIENTS, _TITLE, skipped=f"{folder} does not hold {', '.join(missing)}.")
    setting.log({"event": "look", "at": [INFECTED, NORMAL], "bundles": [bundle.key for bundle in setting.bundles]})
    ill, well = _scan(setting, INFECTED), _scan(setting, NORMAL)
    infected = _labels(folder / LABELS, ill)
    judge = Judge(setting.device, setting.line)
    figures: dict[str, list[Metric]] = {BESIDE: list(_baselines(ill, infected))}
    notes = list(_NOTES)
    for bundle in setting.bundles:
        figures[bundle.key] = []
        for scan, of_scan in ((ill, partial(_on_infected, infected=infected)), (well, _on_normal)):
            result = judge.result(bundle, scan.volume)
            if isinstance(result, str):
                notes.append(f"{bundle.key} abstains on {scan.name}: {result}")
            else:
                figures[bundle.key] += of_scan(scan, result)
    return Part(PATIENTS, _TITLE, figures, notes, card_notes=_card_notes(figures[BESIDE]))


def _card_notes(beside: Sequence[Metric]) -> dict[str, str]:
    """What stands beside the figures of one patient in a card; the baselines on the same slices with them."""
    one = (
        "One patient, so that no interval is given and the next may differ. Never trained or tuned on; scored by "
        "`make evaluate-models` alone, which logs each look."
    )
    areas = "; ".join(f"{m.name.removeprefix(AUC_BY)} {m.value:.3f}" for m in beside if m.name.startswith(AUC_BY))
    return {INFECTED: f"{one} AUC-ROC of what needs no model, on the same slices: {areas}.", NORMAL: one}


def _scan(setting: Setting, name: str) -> _Scan:
    volume = opened(setting.data / FOLDER / name, setting.line)
    return _Scan(name, volume, volume.geometry.display_order, lungs_of(volume))


def _labels(path: Path, scan: _Scan) -> NDArray[np.bool_]:
    """`[slices]`, head to feet: by SOPInstanceUID.

    Raises:
        InputError: the table cannot be read, or has no label for a slice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = {row["sop_instance_uid"]: row["infection"] == "1" for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is no table of slice labels"
        raise InputError(f"{path} could not be read: {why}.") from error
    uids = [ref.sop_instance_uid for ref in scan.volume.series.slices]
    unknown = sum(uid not in table for uid in uids)
    if unknown:
        raise InputError(f"{path} has no label for {unknown} of {len(uids)} slices.")
    return np.array([table[uids[i]] for i in scan.order], bool)


def _baselines(scan: _Scan, infected: NDArray[np.bool_]) -> Iterator[Metric]:
    """What needs no model: the position of a slice, and the classical score."""
    scores = dict(position_scores(len(infected), scan.shows_lung))
    scores["dense fraction of the lung"] = dense_fractions(scan.volume, scan.lungs)[scan.order]
    for name, values in scores.items():
        yield from _ranking(scan, name, values, infected)


def _ranking(scan: _Scan, name: str, values: Floats, infected: NDArray[np.bool_]) -> Iterator[Metric]:
    for kind, value in ranked(values, infected).items():
        yield scan.figure(f"{kind}, by {name}", value)


def _on_infected(scan: _Scan, result: AnalysisResult, infected: NDArray[np.bool_]) -> Iterator[Metric]:
    """Figures of P001."""
    told = result.classification
    if told is None:
        yield from _ranking(scan, "lesion area", result.lesion_area[scan.order], infected)
        yield from _amounts(scan, result)
        return
    yield from _probability(scan, told)
    if told.score is not SliceScore.NONE:
        yield from _ranking(scan, told.score.value, told.weights[scan.order], infected)
    if told.evidence is not None:
        for k, name in enumerate(told.model.classes):
            if name != told.negative_class:
                yield from _ranking(scan, f"evidence of {name}", told.evidence[scan.order, k], infected)
    yield from _attention(scan, told)


def _on_normal(scan: _Scan, result: AnalysisResult) -> Iterator[Metric]:
    """Figures of normal001."""
    told = result.classification
    if told is not None:
        yield from _probability(scan, told)
        yield from _attention(scan, told)
        return
    mark = marked(result, scan.volume)
    both = [(mark(int(i)), scan.lungs[i]) for i in scan.order]
    lung, false = sum(int(lung.sum()) for _, lung in both), sum(int((m & lung).sum()) for m, lung in both)
    outside = sum(int((m & ~lung).sum()) for m, lung in both)
    slices = [bool(m.any()) for m, lung in both if lung.any()]
    yield scan.figure("share of the healthy lung's volume marked", false / max(1, lung))
    yield scan.figure("marked outside the lung, as a share of its volume", outside / max(1, lung))
    if slices:
        yield scan.figure("share of the slices with lung that are marked", float(np.mean(slices)))
    yield from _amounts(scan, result)


def _amounts(scan: _Scan, result: AnalysisResult) -> Iterator[Metric]:
    """How much was marked: of these no one can say here whether it is right, on P001 at least."""
    yield scan.figure("findings", len(result.lesions))
    volumes = [lesion.volume_ml for lesion in result.lesions]
    if all(volume is not None for volume in volumes):
        yield scan.figure("volume of all findings, mL", sum(volume or 0.0 for volume in volumes))


def _probability(scan: _Scan, told: StudyClassification) -> Iterator[Metric]:
    yield scan.figure("finding probability", told.finding_probability)
    yield scan.figure("positive at the bundle's threshold (1 yes, 0 no)", told.finding_probability >= told.threshold)
    if len(told.model.classes) > 2:
        for name, probability in zip(told.model.classes, told.probabilities, strict=True):
            yield scan.figure(f"probability of {name}", probability)


def _attention(scan: _Scan, told: StudyClassification) -> Iterator[Metric]:
    """Where the attention lies, whatever was found: it sums to 1 in a healthy chest too."""
    if told.score is not SliceScore.ATTENTION:
        return
    weights = told.weights[scan.order]
    head, feet = outer_tenths(weights)
    yield scan.figure("attention on the first tenth of the slices", head)
    yield scan.figure("attention on the last tenth of the slices", feet)
    yield scan.figure("attention on the four slices with most", float(np.sort(np.nan_to_num(weights))[-4:].sum()))
