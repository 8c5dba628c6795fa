"""The data of a run: opened as the configuration says, and recognised again when the run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctviewer.app.logs import redactor
from ctviewer.core.errors import InputError
from ctviewer.core.events import Event, Progress
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.words import counted
from ctviewer.datasets.stating import read_statement
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import DataConfig, RunConfig, SliceSet
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.slices.two_sources import Part, TwoSources
from ctviewer.training.source import LabelledSource

if TYPE_CHECKING:
    from ctviewer.training.preflight.facts import Hashed

RunSource = LabelledSource | TwoSources
"""What a run learns from: studies, or scans of labelled slices."""

DATA = "data.json"
_SCHEMA = 1
_DAMAGED = "{} is damaged; remove it, and all studies are looked at again."
_LOOKING = "Looking whether the data are the same"
_OPENABLE = ("studies", "lidc")  # formats whose scans are studies
_ANY_SIZE = 64  # of the net: only the content is asked for


def source_of(config: RunConfig, train_only: Iterable[str] = ()) -> RunSource:
    """The data that a configuration names; nothing is read but tables and names of files.

    Args:
        config: of the run.
        train_only: scans of labelled slices that must never judge (`PreflightReport.train_only`).

    Raises:
        InputError: a folder or a table cannot be used; of a set of slices the text begins with its key.
    """
    if config.task != ONE_SHOT:
        return open_source(config.data)
    lesions, images = (
        [_set(f"{kind}[{number}]", one) for number, one in enumerate(getattr(config, kind), 1)]
        for kind in ("lesions", "images")
    )
    return TwoSources(lesions, images, config.model.merge, train_only)


def _set(key: str, one: SliceSet) -> Part:
    """One set of labelled slices."""
    from ctviewer.datasets.slices import open_slice_source  # it reads masks with scipy, which --list need not wait for

    redactor.hide(Path(one.folder))
    table = Path(one.table) if one.table else None
    try:
        source = open_slice_source(one.format, Path(one.folder), table, one.split, one.complete, one.values)
    except InputError as error:
        raise InputError(f"{key}: {error}") from error
    return Part(source, one.own_patients)


def place_of_scan(config: RunConfig, scan: str) -> Path:
    """Where a scan of labelled slices lies that can be opened as a study.

    Args:
        config: of a one-shot run.
        scan: its id in the joined source, such as "lesions/0/S001".

    Raises:
        InputError: there is no such scan, or it is of pictures, which are no study.
    """
    kind, number, inside = (*scan.split("/", 2), "", "")[:3]
    sets: tuple[SliceSet, ...] = {"lesions": config.lesions, "images": config.images}.get(kind, ())
    one = dict(enumerate(sets)).get(int(number) if number.isdigit() else -1)
    if one is None:
        raise InputError(f"The run has no scan {scan}.")
    if one.format not in _OPENABLE:
        raise InputError(f"The scan {inside} is of single pictures in {one.folder}, which cannot be opened as a study.")
    source = _set(f"{kind}[{int(number) + 1}]", one).source
    paths = getattr(source, "paths", None)
    if inside not in source.ids() or paths is None:
        raise InputError(f"The scan {inside} is not in {one.folder} any more.")
    place: Path = paths(inside)[0]
    return place


def folders_of(config: RunConfig) -> tuple[Path, ...]:
    """Folders with data, in which nothing may be written."""
    told = (config.data.folder, *(one.folder for one in (*config.lesions, *config.images)))
    return tuple(Path(folder) for folder in told if folder)


def names_of(source: RunSource) -> tuple[str, ...]:
    """What studies and scans are called: such names may be patients'. Plain numbers within a set are nobody's name."""
    ids = tuple(source.ids())
    if not isinstance(source, TwoSources):
        return ids
    inside = (scan.split("/", 2)[2] for scan in ids)
    return (*ids, *dict.fromkeys(name for name in inside if not name.isdigit()))


def open_source(data: DataConfig) -> LabelledSource:
    """The studies that a configuration names; nothing is read but the table.

    Raises:
        InputError: the folder or the table cannot be used.
    """
    stated = read_statement(data.values, data.spacing, data.order)
    labels, folder = (Path(text) if text else None for text in (data.labels, data.folder))
    if folder is not None:
        redactor.hide(folder)
    return StudyFolder(folder, stated, labels)


def remember(source: RunSource, folder: Path) -> None:
    """Keep in the folder of the run what its data looked like: what the table said, and size and time of the files.

    Raises:
        StorageError: it cannot be written.
    """
    told = {study: {"row": row_digest(source, study), "files": _files(source, study)} for study in source.ids()}
    write_bytes(folder / DATA, json.dumps({"schema": _SCHEMA, "studies": told}).encode())


def require_same(source: RunSource, report: PreflightReport, folder: Path) -> Iterator[Event]:
    """Refuse to go on with other data than the run began with.

    Studies whose files look untouched are not read again; of the others the pixels are compared, so that a copy on
    another disk will do.

    Args:
        source: as it is now.
        report: of pre-flight, when the run began.
        folder: of the run.

    Yields:
        `Progress`.

    Raises:
        InputError: what differs, in words that name nobody.
    """
    known = _remembered(folder)
    if known is None:
        yield from _require_checked(source, report)
        remember(source, folder)
        return
    ids = source.ids()
    missing, added = set(known) - set(ids), set(ids) - set(known)
    if missing or added:
        changes = [f"{len(those)} {what}" for those, what in ((missing, "missing"), (added, "new")) if those]
        raise _changed(f"of {_listed(source)} {' and '.join(changes)}")
    if other := [study for study in ids if known[study]["row"] != row_digest(source, study)]:
        who = "their sets say" if isinstance(source, TwoSources) else "the table of labels says"
        raise _changed(f"{who} something else of {len(other)} of {counted(len(ids), _unit(source))}")
    touched = [study for study in ids if not known[study]["files"] or known[study]["files"] != _files(source, study)]
    changed = 0
    for done, study in enumerate(touched):
        yield Progress(_LOOKING, done, len(touched))
        changed += _content(source, study) != report.study_sha256.get(study, "")
    if changed:
        what = "other pixels or outlines" if isinstance(source, TwoSources) else "other pixels"
        has = "has" if changed == 1 else "have"
        raise _changed(f"{counted(changed, _unit(source))} {has} {what}, or cannot be read")
    if touched:
        remember(source, folder)


def _require_checked(source: RunSource, report: PreflightReport) -> Iterator[Event]:
    """The same where nothing is left of what the data looked like: classes and pixels of all parts decide."""
    from ctviewer.training.preflight.facts import data_sha256

    parts = report.split.parts if report.split is not None else {}
    found, total = 0, sum(map(len, parts.values()))
    if missing := {study for studies in parts.values() for study in studies} - set(source.ids()):
        raise _changed(f"of {_listed(source)} {len(missing)} missing")
    for part, studies in parts.items():
        facts = []
        for study in studies:
            yield Progress(_LOOKING, found, total)
            found += 1
            facts.append(_facts(source, study))
        if data_sha256(facts) != report.data_sha256.get(part):
            kind = "scans" if isinstance(source, TwoSources) else "studies"
            raise _changed(f"the {kind} of {part} are not those that were checked")


def _changed(how: str) -> InputError:
    return InputError(
        f"The data have changed since the run began: {how}. Undo that to go on with it, or begin a new run."
    )


def _unit(source: RunSource) -> str:
    return "scan" if isinstance(source, TwoSources) else "study"


def _listed(source: RunSource) -> str:
    return "the scans of the sets" if isinstance(source, TwoSources) else "the studies in the table of labels"


def _content(source: RunSource, study: str) -> str:
    return _facts(source, study).content.sha256


def _facts(source: RunSource, study: str) -> Hashed:
    from ctviewer.training.preflight.facts import read_facts
    from ctviewer.training.slices.facts import read_slice_facts

    if isinstance(source, TwoSources):
        return read_slice_facts(source, study, _ANY_SIZE)
    return read_facts(source, study)


def _remembered(folder: Path) -> dict[str, Any] | None:
    path = folder / DATA
    try:
        studies: dict[str, Any] = json.loads(path.read_bytes())["studies"]
        if all({"row", "files"} <= set(one) for one in studies.values()):
            return studies
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(_DAMAGED.format(path)) from error
    raise InputError(_DAMAGED.format(path))


def row_digest(source: RunSource, study: str) -> str:
    """A digest of what the table says of a study."""
    told = (study, source.patient(study), tuple(source.classes(study)), source.split(study))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()


def _files(source: RunSource, study: str) -> str:
    """A digest of names, sizes and times of a study's files; "" where there are none to look at."""
    digest = hashlib.sha256()
    try:
        paths = _paths(source, study)
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
                found = os.stat(file)  # noqa: PTH116 (the same, and quicker over many thousand files)
                if not file.is_dir():
                    name = file.relative_to(path.parent).as_posix()
                    digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "surrogatepass"))
    except (OSError, InputError):
        return ""
    return digest.hexdigest() if paths else ""


def _paths(source: RunSource, study: str) -> tuple[Path, ...]:
    """Files and folders that hold a study, as far as its source says."""
    if isinstance(source, TwoSources):
        return source.paths(study)
    find = getattr(source, "path", None)
    return () if find is None else (find(study),)
