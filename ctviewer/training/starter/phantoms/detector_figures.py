"""Figures of a lesion detector on studies whose lesions are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ctviewer.core.findings import Instance
from ctviewer.models.metadata import Metric, Preprocessing
from ctviewer.models.placement import Placement, Upright
from ctviewer.models.postprocess import instances
from ctviewer.models.preprocess import finish
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.scores.detection import coco
from ctviewer.training.starter.phantoms.figures import Figure, card_figures
from ctviewer.training.starter.phantoms.prepared import (
    CONSOLIDATION,
    GROUND_GLASS,
    LABEL_CLASSES,
    LESION_CLASSES,
    PreparedStudy,
    components,
)

EVALUATION_SCORE = 0.05  # AP reads low scores too; what is shown has a threshold of its own
_MOST = 40  # instances per slice; a phantom's slice has far fewer


@dataclass(frozen=True, eq=False)
class SliceRecord:
    """One slice and one lesion class.

    Attributes:
        scores: `[detections]`, falling.
        overlaps: `[detections, truths]` mask IoU.
    """

    scores: NDArray[np.float64]
    overlaps: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """What one study contributes to the figures: the unit of the bootstrap.

    Attributes:
        control: whether the study has no lesion.
        slices: by lesion class, one record per slice.
        marks: by threshold, number of slices with any lesion mark, and slices in all.
        areas: by threshold, pixels of intersection, of marks, of truth; all lesion classes together.
    """

    control: bool
    slices: dict[str, list[SliceRecord]]
    marks: dict[float, tuple[int, int]]
    areas: dict[float, tuple[int, int, int]]


def study_record(
    net: OneShot,
    study: PreparedStudy,
    p: Preprocessing,
    thresholds: Sequence[float],
) -> StudyRecord:
    """Run the detector over a study (eval mode) and compare with its label maps."""
    placement = Placement(p.size, p.size, Upright(False, False, False), p.size)
    records: dict[str, list[SliceRecord]] = {name: [] for name in LESION_CLASSES}
    marks = dict.fromkeys(thresholds, 0)
    areas = {t: np.zeros(3, np.int64) for t in thresholds}
    images = finish(torch.from_numpy(study.grey).float()[:, None], p)
    values = (GROUND_GLASS, CONSOLIDATION)
    for i in range(len(images)):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            detections = net.analyse(images[i : i + 1], EVALUATION_SCORE, _MOST)[0].detections
        found = [
            x for x in instances(detections, i, LABEL_CLASSES, placement, EVALUATION_SCORE) if x.label in LESION_CLASSES
        ]
        truths = components(study.labels[i])
        for name, value in zip(LESION_CLASSES, values, strict=True):
            records[name].append(_record([x for x in found if x.label == name], [m for v, m in truths if v == value]))
        truth = np.isin(study.labels[i], values)
        for t in thresholds:
            shown = _union([x for x in found if x.score >= t], truth.shape)
            marks[t] += bool(shown.any())
            areas[t] += (shown & truth).sum(), shown.sum(), truth.sum()
    control = not bool(np.isin(study.labels, values).any())
    return StudyRecord(
        control,
        records,
        {t: (n, len(images)) for t, n in marks.items()},
        {t: (int(a[0]), int(a[1]), int(a[2])) for t, a in areas.items()},
    )


def _union(found: Sequence[Instance], shape: tuple[int, int]) -> NDArray[np.bool_]:
    out = np.zeros(shape, bool)
    for x in found:
        out |= x.mask.full(shape)
    return out


def _record(found: Sequence[Instance], truths: Sequence[NDArray[np.bool_]]) -> SliceRecord:
    overlaps = np.zeros((len(found), len(truths)))
    for i, x in enumerate(found):
        if not truths:
            break
        mask = x.mask.full(truths[0].shape)
        for j, truth in enumerate(truths):
            shared = int((mask & truth).sum())
            overlaps[i, j] = shared / (x.mask.area + int(truth.sum()) - shared)
    return SliceRecord(np.array([x.score for x in found]), overlaps)


def ap(records: Sequence[StudyRecord], name: str, threshold: float = 0.5) -> float:
    """COCO-style AP of one lesion class by mask IoU over all slices; NaN where none holds one."""
    slices = [one for record in records for one in record.slices[name]]
    truths = np.array([sum(one.overlaps.shape[1] for one in slices)], np.float64)
    true = np.concatenate([match(one.scores, one.overlaps, threshold) for one in slices])
    order = np.argsort(-np.concatenate([one.scores for one in slices]), kind="stable")
    ranked = coco.Ranked(true[order], np.zeros(true.size, np.intp), truths)
    return float(coco.average_precision(np.ones((1, 1)), ranked)[0])


def match(scores: NDArray[np.floating], overlaps: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which detections of one image and class are true: by falling score, each takes the best truth still free.

    Args:
        scores: `[detections]`.
        overlaps: `[detections, truths]` IoU.
        threshold: least IoU of a match.

    Returns:
        `[detections]` bool.
    """
    true = np.zeros(scores.size, bool)
    free = np.ones(overlaps.shape[1], bool)
    for i in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, overlaps[i], -1.0)
        if candidates.size and candidates.max() >= threshold:
            true[i] = True
            free[int(candidates.argmax())] = False
    return true


def lesion_dice(records: Sequence[StudyRecord], threshold: float) -> float:
    """Mean Dice of all lesion pixels per infected study at a display threshold."""
    values = [2 * a[0] / (a[1] + a[2]) for r in records if not r.control for a in [r.areas[threshold]]]
    return float(np.mean(values)) if values else float("nan")


def sensitivity(records: Sequence[StudyRecord], threshold: float, overlap: float = 0.25) -> float:
    """Share of lesion cross-sections found: a mark of any lesion class at the display threshold, IoU 0.25 or more."""
    hit = total = 0
    for record in records:
        for per_class in record.slices.values():
            for s in per_class:
                shown = s.scores >= threshold
                hit += int(match(s.scores[shown], s.overlaps[shown], overlap).sum())
                total += s.overlaps.shape[1]
    return hit / total if total else float("nan")


def marked_share(records: Sequence[StudyRecord], threshold: float) -> float:
    """Share of the slices of controls that get a lesion mark at a display threshold."""
    counts = [r.marks[threshold] for r in records if r.control]
    return sum(n for n, _ in counts) / sum(m for _, m in counts) if counts else float("nan")


def detector_metrics(
    net: OneShot,
    studies: Sequence[PreparedStudy],
    p: Preprocessing,
    threshold: float = 0.5,
) -> dict[str, float]:
    """Figures for choosing an epoch; the goal rewards Dice and AP and charges marks on controls."""
    records = [study_record(net, s, p, (threshold,)) for s in studies]
    out = {f"AP50 {name}": ap(records, name) for name in LESION_CLASSES}
    out["Dice"] = lesion_dice(records, threshold)
    out["controls marked"] = marked_share(records, threshold)
    mean_ap = float(np.nan_to_num([out[f"AP50 {name}"] for name in LESION_CLASSES]).mean())
    out["goal"] = mean_ap + float(np.nan_to_num(out["Dice"])) - float(np.nan_to_num(out["controls marked"]))
    return out


def best_threshold(records: Sequence[StudyRecord], thresholds: Sequence[float]) -> float:
    """Display threshold with the best lesion Dice less the share of marked control slices."""

    def gain(t: float) -> float:
        return float(np.nan_to_num(lesion_dice(records, t)) - np.nan_to_num(marked_share(records, t)))

    return max(thresholds, key=gain)


def card_metrics(
    records: Sequence[StudyRecord], patients: Sequence[str], threshold: float, data: str
) -> tuple[Metric, ...]:
    """All figures of the card, with intervals by bootstrap over patients."""
    figures: dict[str, Figure[StudyRecord]] = {
        "Dice of all lesion pixels, mean over studies with findings": lambda r: lesion_dice(r, threshold),
        "sensitivity for lesion cross-sections (mask IoU 0.25)": lambda r: sensitivity(r, threshold),
        "share of control slices with a lesion mark": lambda r: marked_share(r, threshold),
        **{f"AP50 by mask, {name}": partial(ap, name=name) for name in LESION_CLASSES},
    }
    return card_figures(figures, records, patients, data, draws=200)
