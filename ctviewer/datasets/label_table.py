"""`labels.csv`: which studies there are, whose they are, what they show, and where they belong. Tolerant of spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.interpretation import Interpretation
from ctviewer.datasets.stating import Statement, read_statement

LABELS_NAME = "labels.csv"
MASKS_NAME = "masks"
"""Folder beside the table for the marked lesions of studies whose row names no place."""
TRAIN_ONLY = "train-only"
EXTERNAL = "external:"

_NAMES = {
    "study": ("study", "studyid", "scan"),
    "patient": ("patient", "patientid"),
    "class": ("class", "classes", "label", "labels"),
    "split": ("split", "subset"),
    "series": ("series", "seriesuid", "seriesinstanceuid"),
    "values": ("values",),
    "spacing": ("spacing",),
    "order": ("order",),
    "date": ("date", "studydate"),
    "path": ("path",),
    "origin": ("origin",),
    "content": ("content",),
    "masks": ("masks", "mask"),
    "complete": ("complete", "reviewedcompletely"),
}
_NEEDED = ("study", "patient", "class")
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    TRAIN_ONLY: TRAIN_ONLY,
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)  # Excel's own first line
_DRIVE = re.compile(r"[A-Za-z]:")
_MOST_BYTES = 64 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")  # as Excel turns ISO dates on saving


@dataclass(frozen=True)
class LabelRow:
    """One study as `labels.csv` describes it.

    Attributes:
        study: name of a sub-folder, archive or file of the data folder, with "/" between folders; without a data folder
            and a path it is the path itself.
        patient: whose it is, as given. Never logged.
        classes: at least one; several where the task is multi-label. None for a study of a set of marked lesions whose
            class nobody stated.
        split: "train", "train-only" (never judged by, not even in cross-validation), "val", "test", "external:NAME", or
            "" where the file leaves it open.
        line: where it stands in the file, from 1.
        series: UID or key of the series to take; "" leaves the choice to the program.
        stated: what the row states of the study's images; empty where it states nothing.
        date: of the study, ISO 8601, for files that do not say it; "" where the table does not either.
        path: where the study lies, absolute; "" for `study` in the data folder.
        origin: where the label comes from, in words; "" where the table does not say.
        content: `core.reading.content_digest` of the slices that the label is of; "" where the table does not say.
        masks: file or folder with its marked lesions (`datasets.masks`); "" where the table does not say.
        complete: whether all its lesions are marked; None where the table does not say.
        extra: the columns that this program does not know, as they are.
    """

    study: str
    patient: str
    classes: tuple[str, ...]
    split: str = ""
    line: int = 0
    series: str = ""
    stated: Statement = field(default_factory=lambda: Statement(Interpretation()))
    date: str = ""
    path: str = ""
    origin: str = ""
    content: str = ""
    masks: str = ""
    complete: bool | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def read_labels(path: Path, in_folder: bool = True, *, classless: bool = False) -> tuple[LabelRow, ...]:
    """Read a table of labels: a heading, then one line a study.

    The columns study, patient and class are needed; split, series, values, spacing, order (see `stating`), date, path,
    origin, content, masks and complete are known, others are kept. Comma, semicolon or tab between the cells; UTF-8, UTF-16 with its
    mark, else Windows-1252.

    Args:
        path: the table.
        in_folder: whether studies without a path are names in a data folder; else each row gives an absolute path.
        classless: whether the class of a study may be left open, as in a set of marked lesions.

    Raises:
        InputError: the file cannot be read or used; the text names it, the line and the reason.
    """
    lines = _lines(path)
    at, first = next(lines, (1, []))
    columns = _columns(path, at, first)
    rows: list[LabelRow] = []
    faults: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for line, cells in lines:
        try:
            row = _row(columns, line, cells, in_folder, classless)
            if row.study in seen:
                raise ValueError(f"the study {row.study} stands in line {seen[row.study]} already")
            seen[row.study] = line
            rows.append(row)
        except (ValueError, InputError) as error:
            faults.append((line, str(error).rstrip(".")))
    if faults:
        line, why = faults[0]
        more = "" if len(faults) == 1 else f" ({len(faults) - 1} more lines have faults too)"
        raise InputError(f"{path}, line {line}: {why}{more}.")
    if not rows:
        raise InputError(f"{path} lists no studies.")
    return tuple(rows)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is not blank."""
    text = _text(path)
    head, _, rest = text.partition("\n")
    told = _SEPARATOR.fullmatch(head.strip())
    delimiter, before = (told[1], 1) if told else (max(",;\t", key=head.count), 0)
    reader = csv.reader(io.StringIO(rest if told else text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num + before, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num + before}: it is no table ({error}).") from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"There is no {path.name} in {path.parent.absolute()}: it names each study, its patient and its class."
        ) from error
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    if len(raw) > _MOST_BYTES:
        raise InputError(f"{path} is larger than a table of labels can be.")
    codecs = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for codec in codecs:
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise InputError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252.")


def _columns(path: Path, line: int, heading: list[str]) -> list[str]:
    """The program's name of each column, or the file's own with "=" before it."""
    found = [_known(name) or f"={name}" for name in heading]
    for name in _NEEDED:
        if name not in found:
            raise InputError(f"{path}, line {line}: the heading has no column {name!r}.")
    for name in found:
        if found.count(name) > 1 and name != "=":
            raise InputError(f"{path}, line {line}: the heading names the column {name.lstrip('=')!r} more than once.")
    return found


def _known(name: str) -> str:
    plain = re.sub(r"[\s_-]", "", name).casefold()
    return next((known for known, spellings in _NAMES.items() if plain in spellings), "")


def write_labels(path: Path, rows: Iterable[LabelRow]) -> None:
    """Write a table that `read_labels` reads again, with all columns that it knows; comma, UTF-8.

    Raises:
        StorageError: the place cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_NAMES)
    for row in rows:
        values, spacing, order = row.stated.cells
        cells = {
            "study": row.study,
            "patient": row.patient,
            "class": "|".join(row.classes),
            "split": row.split,
            "series": row.series,
            "values": values,
            "spacing": spacing,
            "order": order,
            "date": row.date,
            "path": row.path,
            "origin": row.origin,
            "content": row.content,
            "masks": row.masks,
            "complete": "" if row.complete is None else "yes" if row.complete else "no",
        }
        table.writerow([cells[name] for name in _NAMES])
    write_bytes(path, text.getvalue().encode("utf-8"))


def _row(columns: list[str], line: int, cells: list[str], in_folder: bool, classless: bool) -> LabelRow:
    """Raises ValueError or InputError with a clause."""
    if any(cells[len(columns) :]):
        raise ValueError(f"it has {len(cells)} cells and the heading has {len(columns)}")
    cells = cells[: len(columns)] + [""] * (len(columns) - len(cells))
    values = dict(zip(columns, cells, strict=True))
    for name in _NEEDED:
        if not values[name] and not (classless and name == "class"):
            raise ValueError(f"the {name} is empty")
    study = values["study"]
    place = values.get("path", "") or ("" if in_folder else study)
    if place and not (PurePosixPath(place).is_absolute() or PureWindowsPath(place).is_absolute()):
        raise ValueError(f"the path {place!r} is not absolute{'' if in_folder else ', and no folder was given'}")
    return LabelRow(
        study=study if place == study else _study(study),
        patient=values["patient"],
        classes=_classes(values["class"]) if values["class"] else (),
        split=_split(values.get("split", "")),
        line=line,
        series=values.get("series", ""),
        stated=read_statement(values.get("values", ""), values.get("spacing", ""), values.get("order", "")),
        date=_date(values.get("date", "")),
        path=place,
        origin=values.get("origin", ""),
        content=values.get("content", "").lower(),
        masks=values.get("masks", ""),
        complete=_yes_no(values.get("complete", "")),
        extra={name[1:]: value for name, value in values.items() if name.startswith("=") and name != "="},
    )


def _study(text: str) -> str:
    parts = text.replace("\\", "/").rstrip("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or _DRIVE.match(parts[0]):
        raise ValueError(f"the study {text!r} is no name of something inside the folder")
    return "/".join(parts)


def _classes(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split("|"))
    if not all(found):
        raise ValueError(f"the class {text!r} has an empty part")
    if _CONTROL.search(text):
        raise ValueError(f"the class {text!r} is no plain text on one line")
    if len(set(found)) < len(found):
        raise ValueError(f"the class {text!r} names one class twice")
    return tuple(sorted(found))


def _yes_no(text: str) -> bool | None:
    """As a cell states it; None for an empty one."""
    if text and text.casefold() not in _YES_NO:
        raise ValueError(f"{text!r} under complete is neither yes nor no")
    return _YES_NO[text.casefold()] if text else None


def _date(text: str) -> str:
    dotted = _GERMAN_DATE.fullmatch(text)
    try:
        if dotted:
            return date(int(dotted[3]), int(dotted[2]), int(dotted[1])).isoformat()
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"the date {text!r} is not of the form 2024-01-31") from None


def _split(text: str) -> str:
    plain = text.strip()
    if not plain:
        return ""
    if plain.casefold() in _SPLIT_WORDS:
        return _SPLIT_WORDS[plain.casefold()]
    name = plain[len(EXTERNAL) :].strip()
    if plain.casefold().startswith(EXTERNAL) and name:
        return EXTERNAL + name
    raise ValueError(f"the split {text!r} is none of train, train-only, val, test and external:NAME")
