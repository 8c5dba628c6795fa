"""Pre-flight over a real folder: files in, report out; `datasets` and `training` meet by structure alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctviewer.core.geometry import Geometry
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.training.preflight.report import PreflightReport, to_lines
from ctviewer.training.preflight.run import Request, preflight

SIDE = 32


def body(seed: int) -> np.ndarray:
    """Six slices: lung in a body in air, with noise of its own."""
    hu = np.full((6, SIDE, SIDE), -1000.0)
    hu[:, 4:28, 4:28] = 40.0
    hu[:, 8:24, 8:24] = -850.0
    return (hu + np.random.default_rng(seed).normal(0, 15, hu.shape)).clip(-1020, 1000).astype(np.int16)


def write(
    place: Path, hu: np.ndarray, row: tuple[float, ...] = (1, 0, 0), column: tuple[float, ...] = (0, 1, 0), **told
):
    normal = np.cross(row, column)
    geometry = Geometry(hu.shape, np.arange(len(hu))[:, None] * 5.0 * normal[None], row, column, (10.0, 10.0))
    write_ct_series(place, hu, geometry=geometry, attributes=SeriesAttributes(**told))


@pytest.fixture
def folder(tmp_path) -> Path:
    lines = ["study;patient;class;split"]
    for n in range(16):
        sick = n % 2 == 1
        write(tmp_path / f"s{n:02d}", body(n), patient_id=f"ID{n}", manufacturer="ACME" if sick else "Bolt")
        lines.append(f"s{n:02d};patient-{n};{'sick' if sick else 'well'};")
    shutil.copytree(tmp_path / "s00", tmp_path / "copy")
    write(tmp_path / "coronal", body(70), (1, 0, 0), (0, 0, -1), patient_id="C")
    (tmp_path / "png").mkdir()
    for index, values in enumerate(body(71) + 1024):
        Image.fromarray(values.astype(np.uint16)).save(tmp_path / "png" / f"{index}.png")
    lines += ["copy;patient-90;well;", "coronal;patient-91;sick;", "png;patient-92;sick;", "absent;patient-93;well;"]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_folder_with_every_kind_of_fault(folder):
    before = sorted(path for path in folder.rglob("*"))
    source = StudyFolder(folder)
    *_, done = preflight(source, Request(unlisted=source.unlisted()))
    report: PreflightReport = done.value
    found = {(one.severity.value, one.code): one.studies for one in report.findings}
    assert found["error", "unreadable"] == ("absent",)
    assert found["error", "not-axial"] == ("coronal",)
    assert found["error", "unit-unknown"] == ("png",) and found["error", "not-ct"] == ("png",)
    assert found["error", "duplicate-other-patient"] == ("s00", "copy")
    assert ("doubt", "shortcut") in found and found["doubt", "orientation-unknown"] == ("png",)
    assert report.blocked and report.studies == 20 and report.study_sha256["copy"] == report.study_sha256["s00"]
    assert any("by manufacturer" in line for line in to_lines(report))
    assert sorted(path for path in folder.rglob("*")) == before, "nothing is written into an opened folder"
