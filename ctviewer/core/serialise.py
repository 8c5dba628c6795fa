"""`AnalysisResult` to and from a plain dict for JSON: what the work store keeps and what `result.json` holds.

Schema `ctviewer.result`, version 1. Slice indices are volume indices, from 0 along the right-handed slice normal::

    schema, version     "ctviewer.result", 1
    series              {key, uid, slice_digests: [one SHA-256 per slice]}
    suitability         [{name, outcome: "ok" | "warn" | "abstain", text}]
    classification      null, or {model, probabilities: [per class], negative_class, threshold,
                        score: "attention" | "slice probability" | "lesion area" | "none",
                        weights: [per slice], evidence: null or [per slice: [per class]],
                        intervals: [per class: null or [low, high]], finding_interval: null or [low, high],
                        interval_reason: why there is none, or what it is of}
    lesions             [{id, label, score, side, volume_ml, diameter_mm, mean_hu, ground_glass, consolidation,
                        lung_share, instances: [{slice, label, score, mask: {top, left, height, width, bits}}]}]
    lesion_area         {unit: "mm2" | "px", values: [per slice]}
    slice_classes       null, or {model, classes: [name], negative_class, logits: [per slice: [per class]]}
    rois                [{slice, boxes: [[x1, y1, x2, y2]], labels, scores, positive, negative: [per box]}]
    lungs               null, or {right_ml, left_ml, total_ml}
    provenance          {models: [model], device, precision, program, finished, seconds, settings: [[name, value]]}
    model               {name, version, task, sha256, classes: [name], trained_on, limits, licence, restriction,
                        calibration: null or {data, real, patients: {class: count}, ece, method,
                        bands: {class: [{probability, low, high}]}}}

A number that is missing (NaN: a slice that was not looked at) is null. `bits` is base64 of `numpy.packbits` of the box,
row by row, most significant bit first. Keys that a reader does not know are left alone; `ground_glass`, `consolidation`,
`lung_share`, `slice_classes`, `rois`, `lungs`, `restriction` and `calibration` may be missing: results of before had none.
`intervals`, `finding_interval` and `interval_reason` follow from the calibration: they are written for other readers.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np

from ctviewer.core.calibration import Calibration
from ctviewer.core.doubt import doubt_of
from ctviewer.core.errors import InputError
from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    Lesion,
    Lungs,
    ModelInfo,
    Provenance,
    Roi,
    SliceClasses,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.masks import BoxMask
from ctviewer.core.node import Node
from ctviewer.core.records import read_record

SCHEMA = "ctviewer.result"
SCHEMA_VERSION = 1
_OUTCOMES = ("ok", "warn", "abstain")
_SIDES = ("", "right", "left", "both")
_AREA_UNITS = ("mm2", "px")


def to_dict(result: AnalysisResult) -> dict[str, Any]:
    """A result as dicts, lists, strings and finite numbers (`json.dumps(..., allow_nan=False)` takes it)."""
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "series": {
            "key": result.series_key,
            "uid": result.series_uid,
            "slice_digests": list(result.slice_digests),
        },
        "suitability": [asdict(check) for check in result.suitability.checks],
        "classification": None if result.classification is None else _classification_out(result.classification),
        "lesions": [_lesion_out(lesion) for lesion in result.lesions],
        "lesion_area": {"unit": result.area_unit, "values": _numbers_out(result.lesion_area)},
        "slice_classes": None if result.slice_classes is None else _slice_classes_out(result.slice_classes),
        "rois": [_rois_out(index, list(rois)) for index, rois in groupby(result.rois, lambda r: r.slice_index)],
        "lungs": None if result.lungs is None else asdict(result.lungs),
        "provenance": _provenance_out(result.provenance),
    }


def from_dict(data: object) -> AnalysisResult:
    """The inverse of `to_dict`.

    Raises:
        InputError: not a result, of a newer schema, incomplete, or its parts do not fit each other.
    """
    root = Node(data, "result")
    if root.text("schema") != SCHEMA:
        raise InputError("This is not an analysis result of this program.")
    version = root.integer("version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The analysis result has schema version {version}; this program reads version {SCHEMA_VERSION}."
        )
    series, area = root.child("series"), root.child("lesion_area")
    digests = series.texts("slice_digests")
    count = len(digests)
    classification, told = root.optional_child("classification"), root.later_child("slice_classes")
    lungs = root.later_child("lungs")
    return AnalysisResult(
        series_key=series.text("key"),
        series_uid=series.text("uid"),
        slice_digests=digests,
        suitability=Suitability(
            tuple(
                Check(c.text("name"), c.choice("outcome", _OUTCOMES), c.text("text"))
                for c in root.children("suitability")
            )
        ),
        classification=None if classification is None else _classification_in(classification, count),
        lesions=tuple(_lesion_in(lesion, count) for lesion in root.children("lesions")),
        lesion_area=area.numbers("values", count),
        area_unit=area.choice("unit", _AREA_UNITS),
        provenance=_provenance_in(root.child("provenance")),
        slice_classes=None if told is None else _slice_classes_in(told, count),
        rois=tuple(roi for node in root.later_children("rois") for roi in _rois_in(node, count)),
        lungs=None if lungs is None else _lungs_in(lungs),
    )


def _numbers_out(values: Iterable[float]) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]


def _model_out(model: ModelInfo) -> dict[str, Any]:
    return asdict(model) | {"classes": list(model.classes), "calibration": _calibration_out(model.calibration)}


def _calibration_out(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    bands = {name: [asdict(point) for point in band] for name, band in calibration.bands.items()}
    return asdict(calibration) | {"bands": bands}


def _classification_out(c: StudyClassification) -> dict[str, Any]:
    doubt = doubt_of(c)
    return {
        "model": _model_out(c.model),
        "probabilities": [float(p) for p in c.probabilities],
        "negative_class": c.negative_class,
        "threshold": float(c.threshold),
        "score": c.score.value,
        "weights": _numbers_out(c.weights),
        "evidence": None if c.evidence is None else [_numbers_out(row) for row in c.evidence],
        "intervals": [None if interval is None else list(interval) for interval in doubt.intervals],
        "finding_interval": None if doubt.finding is None else list(doubt.finding),
        "interval_reason": doubt.reason,
    }


def _lesion_out(lesion: Lesion) -> dict[str, Any]:
    return {
        "id": lesion.lesion_id,
        "label": lesion.label,
        "score": float(lesion.score),
        "side": lesion.side,
        "volume_ml": lesion.volume_ml,
        "diameter_mm": lesion.diameter_mm,
        "mean_hu": lesion.mean_hu,
        "ground_glass": lesion.ground_glass,
        "consolidation": lesion.consolidation,
        "lung_share": lesion.lung_share,
        "instances": [_instance_out(instance) for instance in lesion.instances],
    }


def _instance_out(instance: Instance) -> dict[str, Any]:
    mask = instance.mask
    return {
        "slice": int(instance.slice_index),
        "label": instance.label,
        "score": float(instance.score),
        "mask": {
            "top": int(mask.top),
            "left": int(mask.left),
            "height": int(mask.height),
            "width": int(mask.width),
            "bits": base64.b64encode(mask.bits).decode("ascii"),
        },
    }


def _slice_classes_out(told: SliceClasses) -> dict[str, Any]:
    return {
        "model": _model_out(told.model),
        "classes": list(told.classes),
        "negative_class": told.negative_class,
        "logits": [_numbers_out(row) for row in told.logits],
    }


def _rois_out(index: int, rois: Sequence[Roi]) -> dict[str, Any]:
    """All of one slice; keys once for all of them, since there are thousands in a series."""
    return {
        "slice": int(index),
        "boxes": [[float(edge) for edge in roi.box] for roi in rois],
        "labels": [roi.label for roi in rois],
        "scores": [float(roi.score) for roi in rois],
        "positive": [float(roi.positive) for roi in rois],
        "negative": [float(roi.negative) for roi in rois],
    }


def _provenance_out(p: Provenance) -> dict[str, Any]:
    return asdict(p) | {
        "models": [_model_out(model) for model in p.models],
        "settings": [[name, value] for name, value in p.settings],
    }


def _model_in(node: Node) -> ModelInfo:
    return ModelInfo(
        name=node.text("name"),
        version=node.text("version"),
        task=node.text("task"),
        sha256=node.text("sha256"),
        classes=node.texts("classes"),
        trained_on=node.text("trained_on"),
        limits=node.text("limits"),
        licence=node.text("licence"),
        restriction=node.later_text("restriction"),
        calibration=_calibration_in(node),
    )


def _calibration_in(node: Node) -> Calibration | None:
    told = node.later_value("calibration")
    if told is None:
        return None
    try:
        return read_record(Calibration, told)
    except ValueError as error:
        raise InputError(f"The analysis result is damaged: of a model's calibration, {error}.") from error


def _classification_in(node: Node, count: int) -> StudyClassification:
    model = _model_in(node.child("model"))
    probabilities = node.numbers("probabilities", len(model.classes))
    if not np.isfinite(probabilities).all():
        raise InputError("The analysis result is damaged: a class has no probability.")
    return StudyClassification(
        model=model,
        probabilities=tuple(float(p) for p in probabilities),
        negative_class=node.text("negative_class"),
        threshold=node.number("threshold"),
        score=SliceScore(node.choice("score", tuple(s.value for s in SliceScore))),
        weights=node.numbers("weights", count),
        evidence=node.table("evidence", count, len(model.classes)),
    )


def _lesion_in(node: Node, count: int) -> Lesion:
    instances = tuple(_instance_in(instance, count) for instance in node.children("instances"))
    if not instances:
        raise InputError("The analysis result is damaged: a lesion is on no slice.")
    return Lesion(
        lesion_id=node.integer("id", 1),
        label=node.text("label"),
        score=node.number("score"),
        instances=instances,
        volume_ml=node.optional_number("volume_ml"),
        diameter_mm=node.optional_number("diameter_mm"),
        mean_hu=node.optional_number("mean_hu"),
        ground_glass=node.later_number("ground_glass"),
        consolidation=node.later_number("consolidation"),
        lung_share=node.later_number("lung_share"),
        side=node.choice("side", _SIDES),
    )


def _slice_in(node: Node, count: int) -> int:
    index = node.integer("slice")
    if index >= count:
        raise InputError("The analysis result is damaged: a finding is on a slice that the series does not have.")
    return index


def _slice_classes_in(node: Node, count: int) -> SliceClasses:
    classes = node.texts("classes")
    logits = node.table("logits", count, len(classes))
    if logits is None or not classes:
        raise InputError("The analysis result is damaged: the classes of its slices are missing.")
    return SliceClasses(_model_in(node.child("model")), classes, node.text("negative_class"), logits)


def _rois_in(node: Node, count: int) -> Iterable[Roi]:
    index, labels = _slice_in(node, count), node.texts("labels")
    boxes = node.table("boxes", len(labels), 4)
    numbers = [node.numbers(key, len(labels)) for key in ("scores", "positive", "negative")]
    if boxes is None or not all(np.isfinite(values).all() for values in (boxes, *numbers)):
        raise InputError("The analysis result is damaged: a region of interest lacks a number.")
    for box, label, score, positive, negative in zip(
        boxes.tolist(), labels, *(v.tolist() for v in numbers), strict=True
    ):
        yield Roi(index, (box[0], box[1], box[2], box[3]), label, score, positive, negative)


def _lungs_in(node: Node) -> Lungs:
    right, left, total = (node.optional_number(key) for key in ("right_ml", "left_ml", "total_ml"))
    return Lungs(right, left, total)


def _instance_in(node: Node, count: int) -> Instance:
    index = _slice_in(node, count)
    return Instance(index, node.text("label"), node.number("score"), _mask_in(node.child("mask")))


def _mask_in(node: Node) -> BoxMask:
    height, width = node.integer("height", 1), node.integer("width", 1)
    try:
        bits = base64.b64decode(node.text("bits"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The analysis result is damaged: a lesion's mask is not base64.") from error
    if len(bits) != -(-height * width // 8):
        raise InputError("The analysis result is damaged: a lesion's mask does not fill its box.")
    return BoxMask(node.integer("top"), node.integer("left"), height, width, bits)


def _provenance_in(node: Node) -> Provenance:
    return Provenance(
        models=tuple(_model_in(model) for model in node.children("models")),
        device=node.text("device"),
        precision=node.text("precision"),
        program=node.text("program"),
        finished=node.text("finished"),
        seconds=node.number("seconds"),
        settings=node.pairs("settings"),
    )
