"""What pre-flight does alike for studies and for scans of labelled slices."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event
from ctviewer.core.words import counted
from ctviewer.training.preflight.checks import FEW_PATIENTS
from ctviewer.training.preflight.report import CROSS_VALIDATION, Count, Finding, Severity
from ctviewer.training.splits import PARTS, Case, Split

Divide = Callable[[Sequence[Case]], Split]

_ORDER = tuple(Severity)


class Known(Protocol):
    """What is known of a study, or of a scan."""

    @property
    def case(self) -> Case:
        """Its patient, classes and given split."""
        ...

    @property
    def error(self) -> str:
        """Why it cannot be read; "" where it can."""
        ...

    @property
    def study(self) -> str:
        """Its id."""
        ...


def last(events: Iterator[Event]) -> Generator[Event, None, Any]:
    """Pass events on and give what the last one holds."""
    for event in events:
        if isinstance(event, Done):
            return event.value
        yield event
    raise AssertionError("a job that ends well ends with Done")


def divided(read: Sequence[Known], divide: Divide) -> tuple[Split | None, list[Finding]]:
    """The split, or why there can be none."""
    try:
        return divide([one.case for one in read]), []
    except InputError as error:
        return None, [Finding(Severity.ERROR, "cannot-split", f"The data cannot be split: {error}")]


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda one: _ORDER.index(one.severity)))


def about_judging(inside: Sequence[Known], crossed: bool) -> Iterator[Finding]:
    """By one split, or by cross-validation; and what the latter makes of parts that the labels name."""
    patients = len({one.case.patient for one in inside})
    few = 0 < patients < FEW_PATIENTS
    if not crossed:
        if few:
            text = f"{counted(patients, 'patient')}, under {FEW_PATIENTS}: repeated cross-validation would say more than one split."
            yield Finding(Severity.INFO, "few-patients", text)
        return
    why = f"{counted(patients, 'patient')}, under {FEW_PATIENTS}: it says more than one split" if few else "as chosen"
    text = f"This run judges by repeated cross-validation ({why})."
    if any(one.case.split in PARTS for one in inside):
        text += (
            " It does not keep to the parts that the labels name: in the end all studies but external sets are learned "
            "from, those of the test part too. To keep them apart, choose 'never' for the cross-validation."
        )
    yield Finding(Severity.INFO, CROSS_VALIDATION, text)


def counts(members: Mapping[str, Sequence[Known]]) -> Iterator[Count]:
    """How much of each class each part holds."""
    labels = sorted({name for those in members.values() for one in those for name in one.case.classes})
    for part, those in members.items():
        for label in labels:
            found = [one for one in those if label in one.case.classes]
            yield Count(part, label, len(found), len({one.case.patient for one in found}))
