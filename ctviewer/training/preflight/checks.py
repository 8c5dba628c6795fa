"""What may be wrong with the studies of a run, one rule a function. Errors block, doubts want a tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ctviewer.core.geometry import Plane
from ctviewer.core.series import LEFT_OUT
from ctviewer.core.series import Severity as NoticeSeverity
from ctviewer.core.words import counted
from ctviewer.models.metadata import InputLimits
from ctviewer.training.preflight.facts import StudyFacts
from ctviewer.training.preflight.report import SUSPICIOUS_AUC, Finding, Severity, Shortcut
from ctviewer.training.splits import EXTERNAL, TRAIN, Split, conflicts

_MOST_COMPARED, _MOST_NAMED = 50, 5
FEW_PATIENTS = 50  # fewer: repeated cross-validation


def cross_validates(setting: str, patients: int, judging: int, folds: int) -> bool:
    """Whether a run judges by cross-validation.

    Args:
        setting: `DataConfig.cross_validation`.
        patients: outside external sets.
        judging: those of them that are not for training alone: each fold needs one.
        folds: `DataConfig.folds`.
    """
    return setting == "always" or (setting == "auto" and patients < FEW_PATIENTS and judging >= folds)


@dataclass(frozen=True)
class Criteria:
    """What studies must be.

    Attributes:
        modalities, planes: as in `InputLimits`.
        air_hu: where the lowest percent of the values should lie.
        tissue_hu: where the median of the values above -300 HU should lie.
        off_hu: further outside than this the values are taken for something else than Hounsfield units.
        least_patients: of a class, for a figure to be given.
        limits: of the base model; its child keeps them, and the viewer gives no answer beyond them. None without a base.
    """

    modalities: tuple[str, ...] = ("CT",)
    planes: tuple[str, ...] = (Plane.AXIAL.value,)
    air_hu: tuple[float, float] = (-3100.0, -700.0)
    tissue_hu: tuple[float, float] = (-150.0, 200.0)
    off_hu: float = 400.0
    least_patients: int = 10
    limits: InputLimits | None = None

    @classmethod
    def of(cls, limits: InputLimits) -> Criteria:
        """What the base model takes."""
        return cls(limits.modalities, limits.planes, limits.air_hu, limits.tissue_hu, limits=limits)


def study_findings(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    """What is wrong with studies taken by themselves."""
    yield from _unreadable(facts)
    read = [one for one in facts if not one.error]
    for rule in (_modality, _plane, _unit, _values, _beyond, _failed, _told, _classes):
        yield from rule(read, criteria)
    yield from _owners(read)
    yield from _duplicates(read)
    yield from _torn_patients(facts)


def _unreadable(facts: Sequence[StudyFacts]) -> Iterator[Finding]:
    for one in facts:
        if one.error:
            yield Finding(Severity.ERROR, "unreadable", f"A study cannot be read: {one.error}", (one.study,))


def _modality(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    wanted = " or ".join(criteria.modalities)
    for found, studies in _by(facts, lambda one: one.modality).items():
        if found not in criteria.modalities:
            stated = found or "not stated"
            text = f"The modality of {_studies(studies)} is {stated}; it must be {wanted}."
            yield Finding(Severity.ERROR, "not-ct", text, studies)


def _plane(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    wanted = " or ".join(criteria.planes)
    for found, studies in _by(facts, lambda one: one.plane).items():
        if found == Plane.UNKNOWN.value:
            text = f"Nothing states the orientation of {_studies(studies)}: their slices are taken as {wanted}, in the order of the files."
            yield Finding(Severity.DOUBT, "orientation-unknown", text, studies)
        elif found not in criteria.planes:
            text = f"The slices of {_studies(studies)} are {found}; they must be {wanted}."
            yield Finding(Severity.ERROR, "not-axial", text, studies)


def _unit(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    studies = tuple(one.study for one in facts if one.unit != "HU")
    if studies:
        text = f"The values of {_studies(studies)} are not known to be Hounsfield units: state an offset or a window."
        yield Finding(Severity.ERROR, "unit-unknown", text, studies)


def _values(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    """Air and soft tissue must lie where they do in a CT of a body."""
    wrong, odd = [], []
    for one in facts:
        if one.unit != "HU":
            continue
        off = max(_outside(one.air, criteria.air_hu), _outside(one.tissue, criteria.tissue_hu))
        if off > criteria.off_hu:
            wrong.append(one.study)
        elif off > 0:
            odd.append(one.study)
    air, tissue = (f"{low:g} to {high:g}" for low, high in (criteria.air_hu, criteria.tissue_hu))
    where = f"air should be at {air} HU, soft tissue at {tissue} HU"
    if wrong:
        text = f"The values of {_studies(wrong)} do not look like Hounsfield units of a body: {where}."
        yield Finding(Severity.ERROR, "hu-impossible", text, tuple(wrong))
    if odd:
        text = f"The values of {_studies(odd)} lie outside the usual range: {where}."
        yield Finding(Severity.DOUBT, "hu-out-of-range", text, tuple(odd))


def _beyond(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    """What the model would be trained on and not be asked about afterwards."""
    limits = criteria.limits
    if limits is None:
        return
    (few, many), (near, far), (small, large) = limits.slices, limits.slice_spacing_mm, limits.field_of_view_mm
    rules: tuple[tuple[str, Callable[[StudyFacts], bool]], ...] = (
        (f"{few} to {many} slices", lambda one: few <= one.slices <= many),
        (f"slices {near:g} to {far:g} mm apart", lambda one: _within(one.slice_spacing, (near, far))),
        (f"a field of view of {small:g} to {large:g} mm", lambda one: _within(one.field_of_view, (small, large))),
        ("original images", lambda one: one.original or not limits.original_only),
    )
    for wanted, holds in rules:
        studies = tuple(one.study for one in facts if not holds(one))
        if studies:
            other = "is not so" if len(studies) == 1 else "are not so"
            text = f"A model made of this base takes {wanted}; {_studies(studies)} {other}, and the viewer gives no answer for such."
            yield Finding(Severity.DOUBT, "beyond-limits", text, studies)


def _within(value: float | None, limits: tuple[float, float]) -> bool:
    return value is not None and limits[0] <= value <= limits[1]


def _outside(value: float | None, limits: tuple[float, float]) -> float:
    """By how much; without a value by infinitely much."""
    return float("inf") if value is None else max(limits[0] - value, value - limits[1], 0.0)


def _failed(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    studies = tuple(one.study for one in facts if one.failed)
    if studies:
        text = f"Slices of {_studies(studies)} could not be decoded and would be left out."
        yield Finding(Severity.DOUBT, "failed-slices", text, studies)


def _told(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    """What reading found, by code: the text is the first study's."""
    found: dict[str, list[StudyFacts]] = defaultdict(list)
    for one in facts:
        for code in {n.code for n in one.notices if n.severity is not NoticeSeverity.INFO} - {"failed-slices"}:
            found[code].append(one)
    for code, those in sorted(found.items()):
        notice = next(n for n in those[0].notices if n.code == code)
        grave = any(n.severity is NoticeSeverity.DANGER for one in those for n in one.notices if n.code == code)
        grave = grave or code in LEFT_OUT
        text = notice.text if len(those) == 1 else f"Of {_studies(those)} it is said, for instance: {notice.text}"
        severity = Severity.DOUBT if grave else Severity.INFO
        yield Finding(severity, code, text, tuple(one.study for one in those))


def _classes(facts: Sequence[StudyFacts], criteria: Criteria) -> Iterator[Finding]:
    """Whether there are classes, apart in more than spelling, with patients enough."""
    facts = [one for one in facts if not one.case.split.startswith(EXTERNAL)]
    patients: dict[str, set[str]] = defaultdict(set)
    for one in facts:
        for name in one.case.classes:
            patients[name].add(one.case.patient)
    if len(patients) < 2:
        yield Finding(Severity.ERROR, "one-class", "There are not two classes to tell apart.")
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(patients):
        alike["".join(name.casefold().split())].append(name)
    for names in alike.values():
        if len(names) > 1:
            text = f"The classes {' and '.join(names)} differ in spelling only: are they one?"
            yield Finding(Severity.DOUBT, "classes-alike", text)
    for name, found in sorted(patients.items()):
        if len(found) >= criteria.least_patients:
            continue
        studies = tuple(one.study for one in facts if name in one.case.classes)
        severity = Severity.ERROR if len(found) < 3 else Severity.DOUBT
        who = counted(len(found), "patient")
        needed = f"under {criteria.least_patients} no AUC is given"
        why = "3 are needed to learn, to choose and to judge by" if severity is Severity.ERROR else needed
        yield Finding(severity, "too-few", f"The class {name} has {who}; {why}.", studies)


def _owners(facts: Sequence[StudyFacts]) -> Iterator[Finding]:
    """Studies that the files give to one patient and the labels to several; not where most files have one name."""
    patients = {one.study: one.case.patient for one in facts}
    for owner, studies in _by(facts, lambda one: one.owner).items():
        names = sorted({patients[study] for study in studies})
        if owner and len(names) > 1 and 2 * len(studies) <= len(facts):
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            text = f"By their files, studies of the patients {', '.join(names[:_MOST_NAMED])}{more} are of one."
            yield Finding(Severity.DOUBT, "patient-under-two-names", text, studies)


def _duplicates(facts: Sequence[StudyFacts]) -> Iterator[Finding]:
    """Studies of which one holds at least half of the other's slices."""
    by_name = {one.study: one for one in facts}
    for first, second in sorted(_overlapping(facts)):
        a, b = by_name[first], by_name[second]
        same = "have the same pixels" if a.content.sha256 == b.content.sha256 else "share slices"
        pair = (first, second)
        if a.case.classes != b.case.classes:
            text = f"The studies {first} and {second} {same} and have different classes."
            yield Finding(Severity.ERROR, "duplicate-other-class", text, pair)
        elif a.case.patient != b.case.patient:
            text = f"The studies {first} and {second} {same} and are given to two patients."
            yield Finding(Severity.ERROR, "duplicate-other-patient", text, pair)
        else:
            text = f"The studies {first} and {second} {same}; one would count twice."
            yield Finding(Severity.DOUBT, "duplicate", text, pair)


def _overlapping(facts: Sequence[StudyFacts]) -> set[tuple[str, str]]:
    holders: dict[bytes, list[int]] = defaultdict(list)
    for index, one in enumerate(facts):
        for digest in one.content.slices:
            holders[digest].append(index)
    pairs = set()
    for those in holders.values():  # what is in very many studies is compared with the first of them alone
        firsts = those if len(those) <= _MOST_COMPARED else those[:1]
        pairs |= {(i, j) for n, i in enumerate(firsts) for j in those[n + 1 :]}
    found = set()
    for i, j in pairs:
        a, b = facts[i].content.slices, facts[j].content.slices
        if 2 * len(a & b) >= min(len(a), len(b)):
            found.add((facts[i].study, facts[j].study))
    return found


def _torn_patients(facts: Sequence[StudyFacts]) -> Iterator[Finding]:
    for patient, studies in conflicts([one.case for one in facts]).items():
        text = f"The labels put studies of the patient {patient} on both sides of a split."
        yield Finding(Severity.ERROR, "patient-on-both-sides", text, studies)


def split_findings(facts: Sequence[StudyFacts], split: Split) -> Iterator[Finding]:
    """What is wrong with a split, whoever made it."""
    by_name = {one.study: one for one in facts}
    part_of = {study: part for part, studies in split.parts.items() for study in studies}
    sides: dict[str, set[str]] = defaultdict(set)
    for study, part in part_of.items():
        sides[by_name[study].case.patient].add(part)
    for patient, parts in sorted(sides.items()):
        if len(parts) > 1:
            studies = tuple(study for study in part_of if by_name[study].case.patient == patient)
            text = f"Studies of the patient {patient} are on both sides of the split."
            yield Finding(Severity.ERROR, "patient-on-both-sides", text, studies)
    for first, second in sorted(_overlapping([by_name[study] for study in part_of])):
        if part_of[first] != part_of[second]:
            text = f"The studies {first} ({part_of[first]}) and {second} ({part_of[second]}) hold the same slices."
            yield Finding(Severity.ERROR, "duplicate-across-split", text, (first, second))
    yield from _missing_classes(by_name, split)


def _missing_classes(by_name: dict[str, StudyFacts], split: Split) -> Iterator[Finding]:
    classes = {name for one in by_name.values() for name in one.case.classes}
    for part in (TRAIN, "val", "test", *(name for name in split.parts if name.startswith(EXTERNAL))):
        studies = split.parts.get(part, ())
        if not studies and part != TRAIN:
            text = f"No study is in the part {part}."
            yield Finding(Severity.DOUBT, "part-empty", text)
            continue
        for name in sorted(classes - {c for study in studies for c in by_name[study].case.classes}):
            severity = Severity.ERROR if part == TRAIN else Severity.DOUBT
            if part.startswith(EXTERNAL):
                severity = Severity.INFO
            yield Finding(severity, "class-missing", f"The class {name} is missing from the part {part}.")


def shortcut_findings(shortcuts: Sequence[Shortcut]) -> Iterator[Finding]:
    """A warning where facts that have nothing to do with a disease predict it."""
    for one in shortcuts:
        if one.auc > SUSPICIOUS_AUC:
            between = "" if one.low is None or one.high is None else f", {one.low:.2f} to {one.high:.2f}"
            text = f"The class {one.label} can be told by {one.fact} alone (AUC {one.auc:.2f}{between}): a model may learn that instead."
            yield Finding(Severity.DOUBT, "shortcut", text)


def _by(facts: Sequence[StudyFacts], key: Callable[[StudyFacts], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in facts:
        found[key(one)].append(one.study)
    return {value: tuple(studies) for value, studies in sorted(found.items())}


def _studies(those: Sequence[object]) -> str:
    return counted(len(those), "study")
