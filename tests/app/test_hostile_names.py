"""Names and identifiers that would be paths, commands or noise: shown and saved safely, and never logged."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pypdf
import pytest
from fuzz.elements import Element, build, parse

from ctviewer.app import logs
from ctviewer.app.cli import main
from ctviewer.app.crash import crash_report
from ctviewer.app.reports import report_name
from ctviewer.core.events import Done
from ctviewer.core.reading import Reading
from ctviewer.dicom import load_volume, scan
from ctviewer.library import WorkStore

pytestmark = [
    pytest.mark.usefixtures("qapp"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]  # pydicom's, of values

NAMES = {
    "path": "../../etc/passwd",
    "drive": "C:\\x",
    "device": "con",
    "nul": "a\0b",
    "control": "Evil\x1b[31m\x07\r\nName",
    "bidirectional": "abc\u202efdp.exe\u2066x\u2069",
    "long": "1.2." * 16000,
    "markup": "<img src=x onerror=alert(1)>%s{0}",
    "quotes": "'; DROP TABLE reading; --\"",
}
SHOWN = {
    "path": "../../etc/passwd",
    "drive": "C:\\x",
    "device": "con",
    "nul": "ab",
    "control": "Evil[31m  Name",
    "bidirectional": "abcfdp.exex",
    "long": ("1.2." * 50)[:199] + "…",
    "markup": "<img src=x onerror=alert(1)>%s{0}",
    "quotes": "'; DROP TABLE reading; --\"",
}
_TAGS = (0x0010_0010, 0x0010_0020, 0x0020_000D, 0x0020_000E, 0x0008_0018, 0x0008_103E, 0x0020_0011, 0x0008_0050)


@pytest.fixture(params=list(NAMES))
def hostile(request, write_chest):
    """A chest all of whose identifiers are one hostile text: the folder, and how the text is to be shown."""
    folder = write_chest(6)
    raw = NAMES[request.param].encode()
    named = [Element(tag, b"UN", raw + b" " * (len(raw) % 2)) for tag in _TAGS]
    for path in folder.iterdir():
        path.write_bytes(build(parse(path.read_bytes()).put(Element(0x0008_0005, b"CS", b"ISO_IR 192"), *named)))
    return folder, SHOWN[request.param]


def _only(folder):
    *_, last = scan(folder)
    assert isinstance(last, Done)
    (series,) = last.value.series
    return series


def test_what_is_saved_lies_where_it_should(hostile, tiny_models, tmp_path, capsys, monkeypatch):
    folder, shown = hostile
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "out"
    assert main(["analyze", str(folder), "--out", str(out), "--quiet"]) == 0, capsys.readouterr().err
    new = {str(path.relative_to(out)) for path in tmp_path.rglob("*") if path not in before and path != out}
    pictures = {name for name in new if name.startswith("overlays")}
    assert new - pictures == {"result.json", "report.pdf"}
    assert all(len(name) <= len("overlays/slice_0000.png") for name in pictures)
    saved = json.loads((out / "result.json").read_text())
    assert saved["patient"]["name"] == saved["patient"]["patient_id"] == saved["study"]["uid"] == shown
    assert saved["series"]["uid"] == shown and {one["sop_instance_uid"] for one in saved["slices"]} == {shown}
    text = pypdf.PdfReader(out / "report.pdf").pages[0].extract_text()
    assert shown.split()[0][:12] in text and "not verified" in text
    log = logs.log_path().read_text()
    assert shown not in log and NAMES["markup"] not in log


def test_the_work_store_takes_any_identifier(hostile, tmp_path):
    folder, shown = hostile
    volume = load_volume(_only(folder))
    assert volume.series.uid == shown and volume.series.patient.name == shown
    assert volume.slice_count == 6, "identifiers that are all the same hide no slice"
    digests = tuple(volume.slice_digest(index) for index in range(volume.slice_count))
    with WorkStore(tmp_path / "store") as store:
        store.save_reading(replace(Reading.of(volume.series, digests), comment=shown))
        store.remember_folder(folder / shown.replace("/", "_"), shown)
        kept, other = store.load_reading(volume.series.key, digests), store.load_reading("1.2.3", digests)
        recent = store.recent_folders()
    assert kept is not None and kept.comment == shown and other is None
    assert [one.title for one in recent] == [shown]
    assert {path.name for path in tmp_path.iterdir()} == {"opened", "store"}
    assert report_name(volume.series).startswith("CT report ") and len(report_name(volume.series)) < 60


def test_nothing_of_it_reaches_the_log_or_a_crash_report(hostile, expected_logs):
    folder, shown = hostile
    logs.set_up_logs()
    series = _only(folder)
    try:
        raise ValueError(f"bad {series.patient.name} in {series.uid}")
    except ValueError as error:
        logging.getLogger("ctviewer.test").exception("a value could not be used")
        report = crash_report(type(error), error, error.__traceback__)
    log = logs.log_path().read_text()
    logs.shut_down_logs()
    assert "could not be used" in log and "ValueError" in report
    assert shown not in log and shown not in report


def test_damage_is_told_without_what_the_file_says(write_chest, capsys, tmp_path):
    folder = write_chest(6, patient_name="Zzyzxova^Secretina", patient_id="QQSECRETID77")
    rng = np.random.default_rng(1)
    for path in folder.iterdir():
        data = bytearray(path.read_bytes())
        data[400 : len(data) // 2 : 7] = rng.integers(0, 256, len(range(400, len(data) // 2, 7)), np.uint8).tobytes()
        path.write_bytes(data)
    assert main(["analyze", str(folder), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    told = capsys.readouterr().err + logs.log_path().read_text()
    assert folder.name in told and "Secretina" not in told and "QQSECRET" not in told
