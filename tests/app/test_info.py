"""`ctviewer info`: facts against what was written, warnings with their slices, no patient data unless asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pydicom
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.paths import resources
from ctviewer.core.windowing import Window
from ctviewer.dicom import SeriesAttributes, write_ct_series

COUNT, ROWS, COLUMNS = 6, 12, 16
LOW, HIGH = -900, 700


@pytest.fixture
def write(tmp_path):
    """Write a small axial series whose values, positions and windows are known; returns its folder."""

    def make(name="study", **attributes):
        stored = np.full((COUNT, ROWS, COLUMNS), 200, np.int16)
        stored[2, 3, 4], stored[4, 5, 6], stored[:, 0, 0] = LOW + 1024, HIGH + 1024, -2000
        origins = np.stack([np.full(COUNT, -5.0), np.full(COUNT, -6.0), 10.0 + 2.5 * np.arange(COUNT)], 1)
        geometry = Geometry(stored.shape, origins, pixel_spacing=(0.8, 0.7))
        facts = {
            "patient_name": "Secret^Person",
            "patient_id": "ID-4711",
            "birth_date": "19500102",
            "date": "20240229",
            "accession": "ACC-9",
            "study_description": "CT chest",
            "description": "Lung 2.5",
            "series_number": 3,
            "kernel": "B60f",
            "thickness": 3.0,
            "intercept": -1024.0,
            "padding": -2000,
            "windows": (Window(-600, 1500, name="LUNG"), Window(40, 400, name="SOFT")),
        }
        folder = tmp_path / "opened" / name
        write_ct_series(folder, stored, geometry=geometry, attributes=SeriesAttributes(**(facts | attributes)))
        return folder

    return make


@pytest.fixture
def told(run, check_against):
    """`info --json` of a path, checked against its schema: exit code and data."""
    schema = json.loads((resources() / "schemas" / "info.schema.json").read_text())

    def act(path, *options):
        code, out, err = run("info", path, "--json", "--quiet", *options)
        data = json.loads(out) if out else err
        if out:
            check_against(schema, data, "info")
        return code, data

    return act


def series_of(data):
    return [one for p in data["patients"] for s in p["studies"] for one in s["series"]]


def edit(folder, change):
    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        if change(dataset, index) is not False:
            dataset.save_as(path)


def test_json_tells_what_was_written(told, write):
    code, data = told(write())
    assert code == 0 and data["series_found"] == 1
    (one,) = series_of(data)
    facts = ("slice_count", "rows", "columns", "number", "description", "modality", "kernel", "unit", "use", "readable")
    assert [one[f] for f in facts] == [COUNT, ROWS, COLUMNS, 3, "Lung 2.5", "CT", "B60f", "HU", "volume", True]
    assert one["pixel_spacing_mm"] == [0.8, 0.7] and one["slice_spacing_mm"] == 2.5 and one["thickness_mm"] == 3.0
    assert one["values"] == {"low": LOW, "high": HIGH, "failed_slices": [], "reason": ""}
    assert one["rescale"] == {"slope": [1, 1], "intercept": [-1024, -1024]} and one["padding"] == [-2000, -2000]
    assert [(w["name"], w["width"], w["centre"]) for w in one["windows"]] == [("LUNG", 1500, -600), ("SOFT", 400, 40)]
    assert one["orientation"]["normal"] == [0, 0, 1] and one["orientation"]["plane"] == "axial"
    assert one["orientation"]["letters"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert one["order"]["by"] == "position"
    shown = one["order"]["slices"]
    assert [each["index"] for each in shown] == list(range(COUNT))[::-1]  # head first
    first, last = shown[0], shown[-1]
    assert (first["citation"], first["location_mm"], first["file"]) == ("Se 3 / Im 1", 22.5, "IM0001.dcm")
    assert (last["citation"], last["location_mm"], last["index"]) == (f"Se 3 / Im {COUNT}", 10.0, 0)
    assert one["transfer_syntaxes"] == [
        {"uid": "1.2.840.10008.1.2.1", "name": "Explicit VR Little Endian", "slices": COUNT}
    ]
    assert one["bits"] == [{"stored": 16, "allocated": 16, "slices": COUNT}] and one["signed"] is True


def test_patient_data_only_where_asked_for(run, told, write):
    folder = write()
    secrets = ("Secret", "4711", "1950", "20240229", "2024-02-29", "ACC-9")
    for options in ((), ("--json",)):
        _, out, _ = run("info", folder, "--quiet", *options)
        assert not [s for s in secrets if s in out.replace(str(folder), "")]
        assert "--patient" in out, "it says that something was left out"
    assert told(folder)[1]["contains_patient_data"] is False
    _, out, _ = run("info", folder, "--patient")
    assert "Secret, Person" in out and "ID ID-4711" in out and "2024-02-29" in out and "ACC-9" in out
    _, data = told(folder, "--patient")
    assert data["contains_patient_data"] is True
    assert data["patients"][0]["patient"]["patient_id"] == "ID-4711"
    assert data["patients"][0]["studies"][0]["study"]["accession"] == "ACC-9"


def test_text_fits_100_columns_and_names_the_slices_of_each_warning(run, write):
    folder = write(description="A description that is as long as 64")
    (folder / "IM0003.dcm").unlink()
    code, out, err = run("info", folder)
    assert code == 0 and "Measuring values" in err and "Measuring" not in out
    assert max(map(len, out.splitlines())) <= 100
    assert re.search(r"values +-900 to 700 HU", out)
    assert "2-D only" in out
    warning = " ".join(out[out.index("! warning: 1 slice is missing") :].split())
    assert "Se 3 / Im 4 (z 15.0 mm, IM0004.dcm), Se 3 / Im 2 (z 20.0 mm, IM0002.dcm)" in warning


def test_twenty_series_in_one_table(run, write):
    for number in range(20):
        write(f"s{number}", series_number=number, description=f"Series named {number}")
    code, out, _ = run("info", write("s20", modality="MR").parent, "--no-pixels")
    assert code == 0 and "1 patient, 1 study, 21 series" in out
    table = out[: out.index("\n\n1  ")].splitlines()
    assert len([line for line in table if "Series named" in line]) == 20
    assert len({line.index("axial") for line in table if "axial" in line}) == 1, "columns are aligned"
    assert "values  " not in out, "without pixels no range"


def test_one_series_by_key_or_uid(told, write):
    folder = write("a").parent
    write("b", series_number=4)
    _, data = told(folder)
    for one in series_of(data):
        for name in (one["key"], one["uid"]):
            code, alone = told(folder, "--series", name)
            assert code == 0 and [s["key"] for s in series_of(alone)] == [one["key"]]
            assert alone["series_found"] == 2 and series_of(alone)[0]["place"] == one["place"]
    code, err = told(folder, "--series", "9.9")
    assert code == 2 and "no series 9.9" in err


def test_slices_that_fail_are_counted_and_the_exit_code_says_so(run, told, write):
    folder = write()

    def damage(dataset, index):
        if index != 1:
            return False
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
        dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 this is no codestream"])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        return True

    edit(folder, damage)
    code, data = told(folder)
    (one,) = series_of(data)
    assert code == 4
    assert one["values"]["failed_slices"] == [COUNT - 2] and "IM0002.dcm" in one["values"]["reason"]
    assert (one["values"]["low"], one["values"]["high"]) == (LOW, 200 - 1024), "the highest value was in that slice"
    assert {t["slices"] for t in one["transfer_syntaxes"]} == {1, COUNT - 1}
    assert told(folder, "--no-pixels")[0] == 0
    assert "1 slice could not be decoded" in run("info", folder)[1]


def test_unreadable_files_and_bad_paths(run, told, write, tmp_path):
    folder = write()
    broken = folder / "IM0002.dcm"
    broken.write_bytes(broken.read_bytes()[:700])
    code, data = told(folder)
    assert code == 4
    assert data["warnings"][0]["code"] == "unreadable-files" and data["warnings"][0]["files"] == ["IM0002.dcm"]
    code, out, err = run("info", tmp_path / "absent")
    assert (code, out) == (2, "") and "absent does not exist" in err


def test_lossy_slices_and_order_without_positions(told, write):
    folder = write()

    def change(dataset, index):
        del dataset.ImagePositionPatient
        if index < 2:
            dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", 12 + index

    edit(folder, change)
    (one,) = series_of(told(folder)[1])
    assert one["lossy"] == {"slices": 2, "ratio": 13}
    assert one["order"]["by"] == "image_number" and one["order"]["slices"][0]["location_mm"] is None
    assert one["orientation"] is None and one["use"] == "slices-only"
    edit(folder, lambda dataset, _: setattr(dataset, "InstanceNumber", 1))
    (one,) = series_of(told(folder)[1])
    assert one["order"]["by"] == "file_name" and one["order"]["slices"][0]["file"] == "IM0001.dcm"


def test_what_cannot_be_shown_is_listed_with_its_reason(run, told, write):
    folder = write("a").parent
    report = pydicom.dcmread(write("b", series_number=8) / "IM0001.dcm")
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.Modality, report.SeriesInstanceUID = "SR", "1.2.3"
    del report.PixelData
    for path in (folder / "b").iterdir():
        path.unlink()
    report.save_as(folder / "b" / "report.dcm")
    code, data = told(folder)
    listed = series_of(data)[-1]
    assert code == 0 and (listed["readable"], listed["modality"]) == (False, "SR")
    assert listed["values"] is None and listed["order"] is None and listed["use"] is None
    out = run("info", folder)[1]
    assert "structured report" in out and "not shown" in out


def test_hostile_names_reach_no_terminal(run, write):
    folder = write("evil\x1b[31mname")
    try:
        (folder / "IM0001.dcm").rename(folder / "IM\x1b]0;x\x07\u202e1.dcm")
    except OSError:
        pytest.skip("this file system takes no control characters")
    edit(folder, lambda dataset, _: setattr(dataset, "SeriesDescription", "a\x1b[2Jb\u202ec"))
    out = run("info", folder)[1]
    assert not [c for c in out if not c.isprintable() and c != "\n"]


def test_a_reader_that_has_seen_enough_is_no_error(write):
    folder = write()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "import sys; from ctviewer.app.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "info", str(folder), "--quiet", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) in (0, 4) and error == b""
