"""The PDF report and the files of a headless analysis, from core objects to disk."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ctviewer.core.corrections_json import findings_out
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE, UNVERIFIED, AnalysisResult, Instance
from ctviewer.core.interpretation import statements
from ctviewer.core.palette import Rgb, class_colour
from ctviewer.core.printing import PageSize
from ctviewer.core.read_findings import FindingReader
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.serialise import to_dict
from ctviewer.core.series import Series
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi

FILE_SCHEMA = "ctviewer.analysis-file"


def ensure_qt() -> object:
    """A QGuiApplication for text layout, off-screen where there is no display; keep the answer while it is needed."""
    from PySide6.QtGui import QGuiApplication

    running = QGuiApplication.instance()
    if running is not None:
        return running
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    return QGuiApplication(["ctviewer"])


def report_name(series: Series) -> str:
    """A file name without patient data: today's date and the series number."""
    number = f" series {series.number}" if series.number is not None else ""
    return f"CT report {date.today().isoformat()}{number}.pdf"


def refuse_among(target: Path, opened: Path, series: Series) -> None:
    """Refuse a target in the opened folder, or in a folder elsewhere where links in it lead to slices.

    Raises:
        StorageError: it lies there.
    """
    for folder in dict.fromkeys((opened, *(ref.path.parent for ref in series.slices))):
        refuse_inside(target, folder)


def write_report(
    volume: Volume, result: AnalysisResult | None, reading: Reading | None, page: PageSize, target: Path, opened: Path
) -> Iterator[Event]:
    """Write the report; any thread, while a QGuiApplication exists. Done carries the target.

    Raises:
        StorageError: the target lies in the opened folder or cannot be written.
    """
    from ctviewer.pdf import load_fonts, missing_characters, write_pdf
    from ctviewer.report import build_report, print_job

    yield Progress("Writing the report", 0, 2)
    refuse_among(target, opened, volume.series)
    load_fonts()
    document = build_report(volume, result, reading)
    yield Progress("Writing the report", 1, 2)
    write_pdf(print_job(document, page, missing_characters), target, opened)
    yield Done(target)


def result_file(volume: Volume, result: AnalysisResult | None, reading: Reading | None = None) -> dict[str, Any]:
    """What `result.json` holds; resources/schemas/result.schema.json documents it.

    Args:
        volume: what was analysed.
        result: the analysis; None where only the reader has looked.
        reading: what the reader said of it, and drew; None on the command line.
    """
    series, locations = volume.series, volume.geometry.locations
    told = result.classification if result is not None else None
    classes = None if result is None or result.slice_classes is None else result.slice_classes.probabilities
    slices = [
        {
            "index": i,
            "position_shown": int(np.flatnonzero(volume.geometry.display_order == i)[0]) + 1,
            "citation": volume.citation(i),
            "sop_instance_uid": ref.sop_instance_uid,
            "frame": ref.frame,
            "instance_number": ref.instance_number,
            "location_mm": None if locations is None else round(float(locations[i]), 4),
            "weight": None if told is None else _number(told.weights[i]),
            "times_uniform": None if told is None else _number(told.bar_lengths[i]),
            "lesion_area": None if result is None else _number(result.lesion_area[i]),
            "class_probabilities": None if classes is None else [_number(p) for p in classes[i]],
        }
        for i, ref in enumerate(series.slices)
    ]
    return {
        "schema": FILE_SCHEMA,
        "version": 1,
        "contains_patient_data": True,
        "notice": f"{UNVERIFIED}. {RESEARCH_USE}",
        "patient": asdict(series.patient),
        "study": asdict(series.study),
        "series": {
            "uid": series.uid,
            "number": series.number,
            "description": series.description,
            "statements": list(statements(series)),
        },
        "slices": slices,
        "result": None if result is None else to_dict(result),
        **({} if reading is None else {"reader": _reader(volume, result, reading)}),
    }


def _reader(volume: Volume, result: AnalysisResult | None, reading: Reading) -> dict[str, Any]:
    """What the reader said: the class of the study, each finding as it was left, and what was reviewed completely."""
    analysis = None if result is None else ReadAnalysis(result)
    analysis = analysis and (reading.analysis(analysis.identity) or analysis)
    label, reviewed = reading.label, reading.marks.reviewed
    return {
        "classes": None if label is None else list(label.classes),
        "class_origin": None if label is None else label.origin,
        "comment": reading.comment,
        "findings": findings_out(FindingReader(volume).read(reading, analysis)),
        "reviewed_slices": [i for i, digest in enumerate(reading.slice_digests) if digest in reviewed],
    }


def write_findings(
    volume: Volume, result: AnalysisResult | None, reading: Reading, target: Path, opened: Path
) -> Iterator[Event]:
    """Write the analysis and what the reader said of it as JSON, readable by its owner alone; Done carries the target.

    Raises:
        StorageError: the target lies in the opened folder or cannot be written.
    """
    yield Progress("Writing the findings", 0, 1)
    refuse_among(target, opened, volume.series)
    write_bytes(target, json.dumps(result_file(volume, result, reading), indent=1, allow_nan=False).encode())
    yield Done(target)


def write_result(volume: Volume, result: AnalysisResult, target: Path) -> None:
    """Write `result.json`, readable by its owner alone: it holds patient data.

    Raises:
        StorageError: the target cannot be written.
    """
    write_bytes(target, json.dumps(result_file(volume, result), indent=1, allow_nan=False).encode())


def write_overlays(volume: Volume, result: AnalysisResult, window: Voi, folder: Path) -> Iterator[Event]:
    """Write each slice that has a lesion, with its contours, as `slice_0063.png` (the number is the place shown).

    Raises:
        StorageError: the folder cannot be written.
    """
    from ctviewer.report.slices import picture, with_contours

    marked: dict[int, list[tuple[int, Instance, Rgb]]] = {}
    for lesion in result.lesions:
        colour = class_colour(lesion.label, result.detector_classes)
        for instance in lesion.instances:
            marked.setdefault(instance.slice_index, []).append((lesion.lesion_id, instance, colour))
    places = {int(index): place for place, index in enumerate(volume.geometry.display_order, 1)}
    for done, index in enumerate(sorted(marked, key=lambda i: places[i]), 1):
        drawn = with_contours(picture(volume, index, window), volume, marked[index])
        write_bytes(folder / f"slice_{places[index]:04d}.png", drawn.png)
        yield Progress("Writing overlays", done, len(marked))


def _number(value: float) -> float | None:
    return None if not np.isfinite(value) else float(value)
