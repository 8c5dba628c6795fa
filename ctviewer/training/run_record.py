"""What the folder of a run keeps of what was said: its events, and the doubts that the user accepted. Needs no torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Event
from ctviewer.core.files import reason, write_bytes
from ctviewer.training.event_lines import from_line, to_line
from ctviewer.training.events import EpochDone, StepDone
from ctviewer.training.preflight.report import Finding, PreflightReport
from ctviewer.training.run_folder import ACCEPTED, EVENTS, now_text


def append_events(folder: Path, events: Iterable[Event]) -> None:
    """Add events to `events.jsonl`. A line that a killed process left unfinished stays one by itself.

    Raises:
        StorageError: it cannot be written.
    """
    path = folder / EVENTS
    lines = "".join(to_line(event) + "\n" for event in events).encode()
    try:
        with path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    lines = b"\n" + lines
            file.write(lines)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {reason(error)}.") from error


def read_events(folder: Path) -> tuple[Event, ...]:
    """What the run said, in order. Steps that were done again after a resumption count once, as last done.

    Lines that a killed process left unfinished are passed over.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / EVENTS
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    kept: dict[tuple[object, ...], Event] = {}
    for number, event in enumerate(_understood(text)):
        if isinstance(event, StepDone):
            key: tuple[object, ...] = (StepDone, event.fold, event.step)
        elif isinstance(event, EpochDone):
            key = (EpochDone, event.fold, event.epoch)
        else:
            key = (number,)
        kept.pop(key, None)
        kept[key] = event
    return tuple(kept.values())


def _understood(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        try:
            yield from_line(line)
        except InputError:
            continue


def accept_doubts(folder: Path, codes: Iterable[str]) -> None:
    """Keep which doubts of pre-flight the user accepted: the card of the model names them.

    Raises:
        StorageError: it cannot be written.
    """
    told = {"codes": sorted(set(codes)), "time": now_text()}
    write_bytes(folder / ACCEPTED, (json.dumps(told, indent=2) + "\n").encode())


def accepted_doubts(folder: Path) -> tuple[str, ...]:
    """Codes of the doubts that the user accepted, sorted; none where none was.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / ACCEPTED
    try:
        codes = json.loads(path.read_bytes())["codes"]
        return tuple(sorted(str(code) for code in codes))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is damaged; remove it, and accept the doubts again.") from error


def doubt_notes(folder: Path, report: PreflightReport) -> tuple[str, ...]:
    """For the card: in spite of what the model was trained. Of doubts whose text may name a study the code alone.

    Raises:
        InputError: the file is damaged.
    """
    codes = accepted_doubts(folder)
    told = [text_without_names(one) for one in report.doubts if one.code in codes]
    return tuple(f"Accepted by the user before training: {text}" for text in dict.fromkeys(told))


def text_without_names(finding: Finding) -> str:
    """What pre-flight found, for pages that are passed on: the code alone where the text may name a study or patient."""
    return finding.text if finding.code in _NAMES_NOBODY else finding.code


_NAMES_NOBODY = (
    "shortcut", "too-few", "part-empty", "class-missing", "classes-alike", "hu-out-of-range", "orientation-unknown",
    "failed-slices", "little-memory", "little-disk", "window-unknown", "units-mixed", "class-too-small", "none-complete",
    "small-matrix", "nobody-judges", "slice-classes-lost",
)  # fmt: skip
