"""What pre-flight does alike for studies and for scans of labelled slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted
from ctviewer.training.preflight.checks import FEW_PATIENTS, cross_validates
from ctviewer.training.preflight.report import CROSS_VALIDATION, Count, Finding, Severity
from ctviewer.training.splits import EXTERNAL, PARTS, TRAIN_ONLY, Case, Split

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


K = TypeVar("K", bound=Known)
About = Callable[[Sequence[K], Split], Iterable[Finding]]


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda one: _ORDER.index(one.severity)))


@dataclass(frozen=True)
class Judging:
    """By whom a run can judge.

    Attributes:
        setting, folds: `DataConfig.cross_validation` and `DataConfig.folds`.
        patients: outside external sets.
        judging: those of them that are not for training alone.
        parted: whether a study is given to a part by name.
        external: whether there are external sets.
    """

    setting: str
    folds: int
    patients: int
    judging: int
    parted: bool
    external: bool

    @classmethod
    def of(cls, read: Sequence[Known], setting: str, folds: int) -> Judging:
        """Of all studies that can be read."""
        inside = [one.case for one in read if not one.case.split.startswith(EXTERNAL)]
        patients = {case.patient for case in inside}
        fixed = {case.patient for case in inside if case.split == TRAIN_ONLY}
        parted, external = any(case.split in PARTS for case in inside), len(inside) < len(read)
        return cls(setting, folds, len(patients), len(patients - fixed), parted, external)

    @property
    def crossed(self) -> bool:
        """Whether it is by cross-validation."""
        return cross_validates(self.setting, self.patients, self.judging, self.folds)

    @property
    def nobody(self) -> bool:
        """Whether all patients are for training alone."""
        return self.patients > 0 and self.judging == 0


def about_judging(one: Judging) -> Iterator[Finding]:
    """By one split, or by cross-validation; what the latter makes of parts that the labels name; and who never judges."""
    few = 0 < one.patients < FEW_PATIENTS
    if one.nobody:
        yield Finding(Severity.DOUBT, "nobody-judges", _nobody_text(one))
    if one.crossed and one.judging < one.folds:
        who = counted(one.judging, "patient")
        text = f"{who} that may judge cannot be shared out over {one.folds} folds: choose 'never' for the cross-validation."
        yield Finding(Severity.ERROR, "too-few-to-fold", text)
    elif one.crossed:
        yield Finding(Severity.INFO, CROSS_VALIDATION, _crossed_text(one, few))
    elif few and one.judging < one.folds and one.setting == "auto" and not one.nobody:
        may = "may judge" if one.judging < one.patients else "are there"
        text = (
            f"Too few for a cross-validation over {one.folds} folds: {one.judging} of {counted(one.patients, 'patient')} "
            f"{may}. This run judges by one split."
        )
        yield Finding(Severity.INFO, "few-patients", text)
    elif few and not one.nobody:
        text = f"{counted(one.patients, 'patient')}, under {FEW_PATIENTS}: repeated cross-validation would say more than one split."
        yield Finding(Severity.INFO, "few-patients", text)


def parted(
    read: Sequence[K], divide: Divide, about: About[K], judging: Judging, told: Sequence[Finding]
) -> tuple[Split | None, dict[str, list[K]], list[Finding]]:
    """The split, what is in each part, and what is wrong with it; None and why where there can be none.

    Args:
        read: all that can be read.
        divide: makes the split.
        about: what is wrong with a split.
        judging: by whom the run can judge.
        told: what is wrong with the data already.
    """
    try:
        split = divide([one.case for one in read])
    except InputError as error:
        torn = Finding(Severity.ERROR, "cannot-split", f"The data cannot be split: {error}")
        return None, {}, [] if any(one.code == "patient-on-both-sides" for one in told) else [torn]
    found = about(read, split)
    by_name = {one.study: one for one in read}
    members = {part: [by_name[one] for one in those] for part, those in split.parts.items()}
    return split, members, list(without_empty_parts(found) if judging.nobody else found)


def without_empty_parts(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings of a split, where it is told already that nobody judges."""
    return (one for one in findings if one.code != "part-empty")


def _nobody_text(one: Judging) -> str:
    whether = "only the external sets show" if one.external else "nothing shows"
    return (
        f"No patient may judge: all {one.patients} are for training alone, since their labels were made beside a model's answers "
        f"or are given so. No epoch is chosen, the last one is kept, and {whether} whether the new model is better. To judge "
        "it, add patients whose labels were made before a model was asked."
    )


def _crossed_text(one: Judging, few: bool) -> str:
    why = (
        f"{counted(one.patients, 'patient')}, under {FEW_PATIENTS}: it says more than one split" if few else "as chosen"
    )
    text = f"This run judges by repeated cross-validation ({why})."
    if one.judging < one.patients:
        text += f" {one.patients - one.judging} of them are learned from in each fold, and never judge."
    if one.parted:
        text += (
            " It does not keep to the parts that the labels name: in the end all studies but external sets are learned "
            "from, those of the test part too. To keep them apart, choose 'never' for the cross-validation."
        )
    return text


def counts(members: Mapping[str, Sequence[Known]]) -> Iterator[Count]:
    """How much of each class each part holds."""
    labels = sorted({name for those in members.values() for one in those for name in one.case.classes})
    for part, those in members.items():
        for label in labels:
            found = [one for one in those if label in one.case.classes]
            yield Count(part, label, len(found), len({one.case.patient for one in found}))
