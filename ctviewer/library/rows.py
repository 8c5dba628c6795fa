"""How readings lie in the tables: the only place that knows both sides."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import zlib
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctviewer.core import serialise
from ctviewer.core.corrections import ReaderMarks
from ctviewer.core.corrections_json import corrections_in, corrections_out, marks_in, marks_out
from ctviewer.core.errors import InputError
from ctviewer.core.findings import AnalysisResult, Verdict
from ctviewer.core.interpretation import Interpretation
from ctviewer.core.label import LabelledStudy, SeenAnswer, StudyLabel
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.windowing import Voi, VoiFunction, VoiTable, Window

_READING_COLUMNS = (
    "id, series_key, series_uid, study_uid, slice_digests, question, comment, window, last_slice, place, patient, "
    "image_size"
)


def now() -> str:
    """This moment, ISO 8601 in UTC; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def clean(text: str) -> str:
    """Text that SQLite takes: half a surrogate pair (from a broken paste) becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def write_reading(db: sqlite3.Connection, reading: Reading) -> None:
    """Write all of a reading inside the caller's transaction. An analysis already there is not written again."""
    row = db.execute(
        """INSERT INTO reading (series_key, content, series_uid, study_uid, slice_digests, question, comment, window,
                                last_slice, place, patient, image_size, saved_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (series_key, content) DO UPDATE SET
               question = excluded.question, comment = excluded.comment, window = excluded.window,
               last_slice = excluded.last_slice, place = excluded.place, patient = excluded.patient,
               image_size = excluded.image_size,
               saved_at = excluded.saved_at
           RETURNING id""",
        (
            reading.series_key,
            reading.content,
            reading.series_uid,
            reading.study_uid,
            json.dumps(reading.slice_digests),
            clean(reading.question),
            clean(reading.comment),
            window_out(reading.window),
            reading.last_slice,
            None if reading.place is None else os.fsencode(reading.place),
            reading.patient,
            None if reading.image_size is None else json.dumps(reading.image_size),
            now(),
        ),
    ).fetchall()[0]
    for analysis in reversed(reading.analyses):  # oldest first: the newest gets the highest id
        _write_analysis(db, row[0], analysis)
    db.execute("DELETE FROM key_image WHERE reading_id = ?", row)
    db.executemany(
        "INSERT INTO key_image (reading_id, place, slice_digest) VALUES (?, ?, ?)",
        [(row[0], place, digest) for place, digest in enumerate(reading.key_images)],
    )
    _write_label(db, row[0], reading.label)
    _keep(db, "mark", row[0], None if reading.marks.is_empty else marks_out(reading.marks))


def _write_label(db: sqlite3.Connection, reading_id: int, label: StudyLabel | None) -> None:
    db.execute("DELETE FROM label WHERE reading_id = ?", (reading_id,))
    if label is not None:
        classes = json.dumps([clean(name) for name in label.classes])
        seen = json.dumps([asdict(answer) for answer in label.seen])
        values = (reading_id, classes, seen, label.stated_at)
        db.execute("INSERT INTO label (reading_id, classes, seen, stated_at) VALUES (?, ?, ?, ?)", values)


def _write_analysis(db: sqlite3.Connection, reading_id: int, analysis: ReadAnalysis) -> None:
    key = (reading_id, analysis.identity)
    found = db.execute("SELECT id FROM analysis WHERE reading_id = ? AND identity = ?", key).fetchone()
    if found is None:
        cursor = db.execute(
            "INSERT INTO analysis (reading_id, identity, finished, result) VALUES (?, ?, ?, ?)",
            (*key, analysis.result.provenance.finished, _pack(analysis.result)),
        )
        found = (cursor.lastrowid,)
    db.execute("DELETE FROM verdict WHERE analysis_id = ?", found)
    db.executemany(
        "INSERT INTO verdict (analysis_id, lesion_id, verdict) VALUES (?, ?, ?)",
        [(found[0], lesion_id, verdict.value) for lesion_id, verdict in analysis.verdicts.items()],
    )
    _keep(db, "correction", found[0], corrections_out(analysis.corrections) or None)


_KEPT = {"correction": ("analysis_id", "changed"), "mark": ("reading_id", "drawn")}


def _keep(db: sqlite3.Connection, table: str, row_id: int, data: dict[str, Any] | None) -> None:
    """What the reader changed or drew, in the place of what was kept; None removes it. The same is not written again."""
    key, column = _KEPT[table]
    if data is None:
        db.execute(f"DELETE FROM {table} WHERE {key} = ?", (row_id,))  # noqa: S608 - constants
        return
    db.execute(
        f"""INSERT INTO {table} ({key}, {column}) VALUES (?, ?) ON CONFLICT ({key})
            DO UPDATE SET {column} = excluded.{column} WHERE {column} != excluded.{column}""",  # noqa: S608 - constants
        (row_id, _packed(data)),
    )


def _kept(db: sqlite3.Connection, table: str, row_id: int) -> Any:
    """The inverse of `_keep`; None where nothing is kept. Raises ValueError or zlib.error where it is damaged."""
    key, column = _KEPT[table]
    row = db.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row_id,)).fetchone()  # noqa: S608 - constants
    return None if row is None else json.loads(zlib.decompress(row[0]))


def read_readings(db: sqlite3.Connection, series_key: str) -> list[tuple[int, Reading]]:
    """Row id and reading without its analyses, of every content that was read under this key, last saved first."""
    rows = db.execute(
        f"SELECT {_READING_COLUMNS} FROM reading WHERE series_key = ? ORDER BY saved_at DESC, id DESC",  # noqa: S608 - a constant
        (series_key,),
    ).fetchall()
    return [(row[0], _reading_in(db, row)) for row in rows]


def read_moved(db: sqlite3.Connection, series_key: str) -> list[tuple[int, Reading]]:
    """As `read_readings`, of the same series under its other keys: it was split since, or is whole again."""
    uid = series_key.partition("#")[0].partition("@")[0]
    rows = db.execute(
        f"SELECT {_READING_COLUMNS} FROM reading WHERE series_uid = ? AND series_key != ? ORDER BY saved_at DESC, id DESC",  # noqa: S608 - a constant
        (uid, series_key),
    ).fetchall()
    return [(row[0], replace(_reading_in(db, row), series_key=series_key)) for row in rows] if uid else []


def read_analyses(db: sqlite3.Connection, reading_id: int) -> tuple[tuple[ReadAnalysis, ...], int]:
    """Analyses newest first, and the number of those that this program cannot read."""
    analyses, unreadable = [], 0
    rows = db.execute("SELECT id, result FROM analysis WHERE reading_id = ? ORDER BY id DESC", (reading_id,)).fetchall()
    for analysis_id, packed in rows:
        verdicts = db.execute("SELECT lesion_id, verdict FROM verdict WHERE analysis_id = ?", (analysis_id,)).fetchall()
        try:
            judged = {lesion: Verdict(word) for lesion, word in verdicts}
            changed = corrections_in(_kept(db, "correction", analysis_id) or {})
            analyses.append(ReadAnalysis(_unpack(packed), judged, changed))
        except (InputError, ValueError, zlib.error):
            unreadable += 1
    return tuple(analyses), unreadable


def _reading_in(db: sqlite3.Connection, row: tuple[Any, ...]) -> Reading:
    keys = db.execute("SELECT slice_digest FROM key_image WHERE reading_id = ? ORDER BY place", (row[0],)).fetchall()
    label = db.execute("SELECT classes, seen, stated_at FROM label WHERE reading_id = ?", (row[0],)).fetchone()
    return Reading(
        series_key=row[1],
        series_uid=row[2],
        study_uid=row[3],
        slice_digests=tuple(json.loads(row[4])),
        question=row[5],
        comment=row[6],
        key_images=tuple(key[0] for key in keys),
        window=window_in(row[7]),
        last_slice=row[8],
        label=None if label is None else _label_in(*label),
        place=_place_in(row[9]),
        patient=row[10],
        marks=_marks_in(db, row[0]),
        image_size=None if row[11] is None else (json.loads(row[11])[0], json.loads(row[11])[1]),
    )


def _marks_in(db: sqlite3.Connection, reading_id: int) -> ReaderMarks:
    """What was drawn and reviewed; nothing where this program cannot read it."""
    try:
        kept = _kept(db, "mark", reading_id)
        return ReaderMarks() if kept is None else marks_in(kept)
    except (InputError, ValueError, zlib.error):
        return ReaderMarks()


def _label_in(classes: str, seen: str, stated_at: str) -> StudyLabel | None:
    """A stated class; None where this program cannot read it."""
    try:
        answers = tuple(SeenAnswer(**(told | {"classes": tuple(told["classes"])})) for told in json.loads(seen))
        return StudyLabel(tuple(json.loads(classes)), answers, stated_at)
    except (ValueError, TypeError, KeyError):
        return None


def _place_in(place: bytes | None) -> Path | None:
    return None if place is None else Path(os.fsdecode(place))


def read_labelled(db: sqlite3.Connection) -> list[LabelledStudy]:
    """All readings with a class and a known place, in the order of stating; of each series that stated last."""
    rows = db.execute(
        """SELECT content, series_key, place, patient, classes, seen, stated_at
           FROM reading JOIN label ON label.reading_id = reading.id
           WHERE place IS NOT NULL AND patient != '' ORDER BY stated_at, reading.id"""
    ).fetchall()
    found: dict[tuple[str, str], LabelledStudy] = {}
    for content, key, place, patient, *told in rows:
        scanned, label = (
            key.partition("~")[0],
            _label_in(*told),
        )  # under a scale that was stated a series has another key
        if label is not None:
            found.pop((patient, scanned), None)
            stated = read_statement(db, scanned)
            found[patient, scanned] = LabelledStudy(content, scanned, Path(os.fsdecode(place)), patient, label, stated)
    return list(found.values())


def read_marked(db: sqlite3.Connection) -> list[int]:
    """Row ids of the readings in which anything was said of findings, of each series that which was saved last."""
    rows = db.execute(
        """SELECT reading.id, patient, series_key FROM reading
           WHERE EXISTS (SELECT 1 FROM mark WHERE mark.reading_id = reading.id) OR EXISTS (
               SELECT 1 FROM analysis JOIN verdict ON verdict.analysis_id = analysis.id
               WHERE analysis.reading_id = reading.id)
           ORDER BY saved_at, reading.id"""
    ).fetchall()
    found = {(patient, key.partition("~")[0]): row_id for row_id, patient, key in rows}
    return list(found.values())


def read_by_id(db: sqlite3.Connection, row_id: int) -> tuple[Reading, Interpretation | None] | None:
    """A reading with its analyses, and what was stated of its series; None where it is gone."""
    row = db.execute(f"SELECT {_READING_COLUMNS} FROM reading WHERE id = ?", (row_id,)).fetchone()  # noqa: S608 - a constant
    if row is None:
        return None
    reading = replace(_reading_in(db, row), analyses=read_analyses(db, row_id)[0])
    return reading, read_statement(db, reading.series_key.partition("~")[0])


def read_classes(db: sqlite3.Connection) -> list[str]:
    """All classes that were ever stated and stand, the most frequent first."""
    query = """SELECT value FROM label, json_each(label.classes) GROUP BY value ORDER BY count(*) DESC, value"""
    return [name for (name,) in db.execute(query).fetchall()]


def write_statement(db: sqlite3.Connection, series_key: str, stated: Interpretation) -> None:
    """Keep a statement in the place of an earlier one."""
    db.execute(
        """INSERT INTO statement (series_key, stated, saved_at) VALUES (?, ?, ?)
           ON CONFLICT (series_key) DO UPDATE SET stated = excluded.stated, saved_at = excluded.saved_at""",
        (series_key, json.dumps(asdict(stated), allow_nan=False), now()),
    )


def read_statement(db: sqlite3.Connection, series_key: str) -> Interpretation | None:
    """What was stated of a series; None where nothing was, or where this program cannot read it."""
    row = db.execute("SELECT stated FROM statement WHERE series_key = ?", (series_key,)).fetchone()
    if row is None:
        return None
    try:
        fields = json.loads(row[0])
        spacing = fields.pop("pixel_spacing")
        return Interpretation(**fields, pixel_spacing=None if spacing is None else (spacing[0], spacing[1]))
    except (ValueError, TypeError, KeyError, LookupError, AttributeError):
        return None


def window_out(window: Voi | None) -> str | None:
    """A window as JSON text; a table with its entries, since another series may have another table of the same name."""
    if window is None:
        return None
    if isinstance(window, VoiTable):
        packed = base64.b64encode(zlib.compress(window.entries)).decode("ascii")
        return json.dumps({"first": window.first, "bits": window.bits, "entries": packed, "name": window.name})
    return json.dumps([window.centre, window.width, window.function.value, window.name])


def window_in(text: str | None) -> Voi | None:
    """The inverse of `window_out`."""
    if text is None:
        return None
    kept = json.loads(text)
    if isinstance(kept, dict):
        entries = zlib.decompress(base64.b64decode(kept["entries"]))
        return VoiTable(kept["first"], kept["bits"], entries, kept["name"])
    centre, width, function, name = kept
    return Window(centre, width, VoiFunction(function), name)


def _pack(result: AnalysisResult) -> bytes:
    return _packed(serialise.to_dict(result))


def _packed(data: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(data, allow_nan=False, separators=(",", ":")).encode(), level=6)


def _unpack(packed: bytes) -> AnalysisResult:
    return serialise.from_dict(json.loads(zlib.decompress(packed)))
