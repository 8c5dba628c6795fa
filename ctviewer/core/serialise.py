"""`AnalysisResult` to and from a plain dict for JSON: what the work store keeps and what `result.json` holds.

Schema `ctviewer.result`, version 1. Slice indices are volume indices, from 0 along the right-handed slice normal::

    schema, version     "ctviewer.result", 1
    series              {key, uid, slice_digests: [one SHA-256 per slice]}
    suitability         [{name, outcome: "ok" | "warn" | "abstain", text}]
    classification      null, or {model, probabilities: [per class], negative_class, threshold,
                        score: "attention" | "slice probability" | "lesion area" | "none",
                        weights: [per slice], evidence: null or [per slice: [per class]]}
    lesions             [{id, label, score, side, volume_ml, diameter_mm, mean_hu,
                        instances: [{slice, label, score, mask: {top, left, height, width, bits}}]}]
    lesion_area         {unit: "mm2" | "px", values: [per slice]}
    provenance          {models: [model], device, precision, program, finished, seconds, settings: [[name, value]]}
    model               {name, version, task, sha256, classes: [name], trained_on, limits, licence}

A number that is missing (NaN: a slice that was not looked at) is null. `bits` is base64 of `numpy.packbits` of the box,
row by row, most significant bit first. Keys that a reader does not know are left alone.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    Lesion,
    ModelInfo,
    Provenance,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.masks import BoxMask

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
        "provenance": _provenance_out(result.provenance),
    }


def from_dict(data: object) -> AnalysisResult:
    """The inverse of `to_dict`.

    Raises:
        InputError: not a result, of a newer schema, incomplete, or its parts do not fit each other.
    """
    root = _Node(data, "result")
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
    classification = root.optional_child("classification")
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
    )


def _numbers_out(values: Iterable[float]) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]


def _model_out(model: ModelInfo) -> dict[str, Any]:
    return asdict(model) | {"classes": list(model.classes)}


def _classification_out(c: StudyClassification) -> dict[str, Any]:
    return {
        "model": _model_out(c.model),
        "probabilities": [float(p) for p in c.probabilities],
        "negative_class": c.negative_class,
        "threshold": float(c.threshold),
        "score": c.score.value,
        "weights": _numbers_out(c.weights),
        "evidence": None if c.evidence is None else [_numbers_out(row) for row in c.evidence],
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


def _provenance_out(p: Provenance) -> dict[str, Any]:
    return asdict(p) | {
        "models": [_model_out(model) for model in p.models],
        "settings": [[name, value] for name, value in p.settings],
    }


class _Node:
    """One object of the file, read strictly: whatever does not fit is an InputError that names the place."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise InputError(f"The analysis result is damaged: {place} is not an object.")
        self._value = value
        self._place = place

    def _bad(self, key: str, wanted: str) -> InputError:
        return InputError(f"The analysis result is damaged: {self._place}.{key} is not {wanted}.")

    def _get(self, key: str) -> object:
        if key not in self._value:
            raise InputError(f"The analysis result is damaged: {self._place}.{key} is missing.")
        return self._value[key]

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise self._bad(key, "text")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise self._bad(key, "one of the known values")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(v, str) for v in values):
            raise self._bad(key, "a list of texts")
        return tuple(str(v) for v in values)

    def integer(self, key: str, least: int = 0) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._bad(key, f"a whole number from {least}")
        return value

    def number(self, key: str) -> float:
        value = _as_number(self._get(key))
        if value is None:
            raise self._bad(key, "a number")
        return value

    def optional_number(self, key: str) -> float | None:
        return None if self._get(key) is None else self.number(key)

    def numbers(self, key: str, count: int) -> NDArray[np.float64]:
        """A list of `count` numbers, null read as NaN."""
        return self._row(key, self._list(key), count)

    def table(self, key: str, rows: int, columns: int) -> NDArray[np.float64] | None:
        """`[rows, columns]` numbers, or None for null."""
        if self._get(key) is None:
            return None
        lists = self._list(key)
        if len(lists) != rows or not all(isinstance(row, list) for row in lists):
            raise self._bad(key, f"a list of {rows} lists")
        return np.array([self._row(key, row, columns) for row in lists if isinstance(row, list)]).reshape(rows, columns)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        out = []
        for pair in self._list(key):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                raise self._bad(key, "a list of name and value")
            out.append((str(pair[0]), str(pair[1])))
        return tuple(out)

    def child(self, key: str) -> _Node:
        return _Node(self._get(key), f"{self._place}.{key}")

    def optional_child(self, key: str) -> _Node | None:
        return None if self._get(key) is None else self.child(key)

    def children(self, key: str) -> list[_Node]:
        return [_Node(value, f"{self._place}.{key}[{i}]") for i, value in enumerate(self._list(key))]

    def _list(self, key: str) -> list[object]:
        value = self._get(key)
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        return value

    def _row(self, key: str, values: list[object], count: int) -> NDArray[np.float64]:
        numbers = [math.nan if v is None else _as_number(v) for v in values]
        if len(numbers) != count or any(n is None for n in numbers):
            raise self._bad(key, f"a list of {count} numbers")
        return np.array(numbers, np.float64)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _model_in(node: _Node) -> ModelInfo:
    return ModelInfo(
        name=node.text("name"),
        version=node.text("version"),
        task=node.text("task"),
        sha256=node.text("sha256"),
        classes=node.texts("classes"),
        trained_on=node.text("trained_on"),
        limits=node.text("limits"),
        licence=node.text("licence"),
    )


def _classification_in(node: _Node, count: int) -> StudyClassification:
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


def _lesion_in(node: _Node, count: int) -> Lesion:
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
        side=node.choice("side", _SIDES),
    )


def _instance_in(node: _Node, count: int) -> Instance:
    index = node.integer("slice")
    if index >= count:
        raise InputError("The analysis result is damaged: a lesion is on a slice that the series does not have.")
    return Instance(index, node.text("label"), node.number("score"), _mask_in(node.child("mask")))


def _mask_in(node: _Node) -> BoxMask:
    height, width = node.integer("height", 1), node.integer("width", 1)
    try:
        bits = base64.b64decode(node.text("bits"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The analysis result is damaged: a lesion's mask is not base64.") from error
    if len(bits) != -(-height * width // 8):
        raise InputError("The analysis result is damaged: a lesion's mask does not fill its box.")
    return BoxMask(node.integer("top"), node.integer("left"), height, width, bits)


def _provenance_in(node: _Node) -> Provenance:
    return Provenance(
        models=tuple(_model_in(model) for model in node.children("models")),
        device=node.text("device"),
        precision=node.text("precision"),
        program=node.text("program"),
        finished=node.text("finished"),
        seconds=node.number("seconds"),
        settings=node.pairs("settings"),
    )
