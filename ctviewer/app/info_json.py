"""`ctviewer info --json`; resources/schemas/info.schema.json documents it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ctviewer import __version__
from ctviewer.app.info_report import IDENTIFYING, PRIVATE, Entry, Report
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.summary import Concern, SeriesSummary, SliceMention, ValueRange
from ctviewer.core.windowing import Voi, VoiTable

SCHEMA, VERSION = "ctviewer.info", 1


def as_dict(report: Report) -> dict[str, Any]:
    """The whole report; every key is always there, null where nothing is known."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "program": f"ctviewer {__version__}",
        "contains_patient_data": report.identifying,
        "notice": f"{IDENTIFYING if report.identifying else PRIVATE} {RESEARCH_USE}",
        "path": str(report.root),
        "series_found": report.listed,
        "patients": [
            {
                "patient": asdict(patient.patient) if report.identifying else None,
                "studies": [
                    {
                        "uid": study.study.uid,
                        "description": study.study.description,
                        "study": asdict(study.study) if report.identifying else None,
                        "series": [_series(entry) for entry in study.entries],
                    }
                    for study in patient.studies
                ],
            }
            for patient in report.patients
        ],
        "warnings": [_concern(one) for one in report.concerns],
    }


def _series(entry: Entry) -> dict[str, Any]:
    s = entry.summary
    return {
        "place": entry.place,
        **{name: getattr(s, name) for name in _PLAIN},
        "image_type": list(s.image_type),
        "pixel_spacing_mm": None if s.pixel_spacing is None else list(s.pixel_spacing),
        "slice_spacing_mm": s.slice_spacing,
        "thickness_mm": s.thickness,
        "orientation": _orientation(s),
        "order": _order(s),
        "transfer_syntaxes": [{"uid": uid, "name": name, "slices": count} for uid, name, count in s.syntaxes],
        "lossy": {"slices": s.lossy_slices, "ratio": s.compression_ratio},
        "bits": [{"stored": stored, "allocated": allocated, "slices": n} for stored, allocated, n in s.bits],
        "unit": s.unit,
        "values": None if entry.values is None else _values(entry.values),
        "rescale": _rescale(s),
        "padding": None if s.padding is None else list(s.padding),
        "windows": [_window(one) for one in s.windows],
        "use": s.use.value if s.readable else None,
        "questions": list(s.questions),
        "warnings": [_concern(one) for one in s.warnings],
    }


_PLAIN = (
    *("key", "uid", "number", "description", "modality", "readable", "reason", "slice_count", "rows", "columns"),
    *("body_part", "kernel", "manufacturer", "model_name", "kvp", "contrast_agent", "is_localizer", "signed"),
    *("inverted", "use_reason"),
)


def _orientation(s: SeriesSummary) -> dict[str, Any] | None:
    if s.row_cosines is None or s.column_cosines is None:
        return None
    normal = np.round(np.cross(s.row_cosines, s.column_cosines), 6) + 0.0
    return {
        "plane": s.plane,
        "row_cosines": list(s.row_cosines),
        "column_cosines": list(s.column_cosines),
        "normal": normal.tolist(),
        "letters": dict(zip(("left", "right", "top", "bottom"), s.letters, strict=True)),
    }


def _order(s: SeriesSummary) -> dict[str, Any] | None:
    if s.order is None:
        return None
    return {"by": s.order.name.lower(), "slices": [_mention(one) for one in s.slices]}


def _rescale(s: SeriesSummary) -> dict[str, Any] | None:
    if s.slopes is None or s.intercepts is None:
        return None
    return {"slope": list(s.slopes), "intercept": list(s.intercepts)}


def _values(values: ValueRange) -> dict[str, Any]:
    return {"low": values.low, "high": values.high, "failed_slices": list(values.failed), "reason": values.reason}


def _window(window: Voi) -> dict[str, Any]:
    if isinstance(window, VoiTable):
        return {"kind": "TABLE", "centre": None, "width": None, "name": window.name}
    return {"kind": window.function.value, "centre": window.centre, "width": window.width, "name": window.name}


def _concern(one: Concern) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "text": one.text,
        "slices": [_mention(each) for each in one.slices],
        "files": list(one.files),
    }


def _mention(one: SliceMention) -> dict[str, Any]:
    return {
        "index": one.index,
        "citation": one.citation,
        "location_mm": one.location,
        "place": one.place,
        "file": one.file,
        "frame": one.frame,
    }
