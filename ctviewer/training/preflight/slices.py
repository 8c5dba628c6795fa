"""Pre-flight of a one-shot run: everything that can be known to be wrong with its labelled slices before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Progress, last
from ctviewer.core.words import counted, enumerated
from ctviewer.models.metadata import Metadata, Metric
from ctviewer.training.config import ModelConfig
from ctviewer.training.preflight.checks import shortcut_findings
from ctviewer.training.preflight.estimates import RunPlan, room_findings
from ctviewer.training.preflight.facts import data_sha256
from ctviewer.training.preflight.known import (
    Divide,
    Judging,
    about_judging,
    counts,
    ordered,
    parted,
)
from ctviewer.training.preflight.report import (
    OF_OUTLINES,
    OF_SLICES,
    CrossTable,
    Estimate,
    Finding,
    PreflightReport,
    Severity,
    Shortcut,
)
from ctviewer.training.preflight.shortcuts import shortcuts_of, tables_of
from ctviewer.training.preflight.slice_checks import part_findings, scan_findings
from ctviewer.training.slices.facts import SliceFacts, read_slice_facts
from ctviewer.training.slices.task import slice_task
from ctviewer.training.slices.two_sources import IMAGES, TwoSources
from ctviewer.training.splits import TRAIN_ONLY, split_stratified

Baseline = Callable[[PreflightReport], Iterator[Event]]
"""Judge the base model on the hold-out of a report: ends with `Done` of a tuple of `Metric`."""
Costs = Callable[[PreflightReport], Iterator[Event]]
"""Time steps of the run that a report describes: ends with `Done` of an `Estimate`."""

_FACTS: Mapping[str, Callable[[SliceFacts], str | float | None]] = {
    "set": lambda one: one.set_name,
    "values": lambda one: one.unit,
    "matrix": lambda one: f"{one.rows} x {one.columns}",
    "pixel spacing": lambda one: None if one.spacing is None else one.spacing[0],
}
"""What a class could be told by; how many slices a scan has cannot be seen on one of them."""


@dataclass(frozen=True)
class SliceRequest:
    """What is to be checked beside the slices.

    Attributes:
        model: what is to be made.
        base: of the one-shot model that the run starts from with all its weights; else None.
        size: side of the net's input.
        divide: makes the split of the scans that can be read.
        cross_validation, folds: of `DataConfig`: by what the run will judge.
        plan, costs: what the run takes is reckoned where both are given.
        baseline: judges the base model by what the new one will be judged by; None for a start without one.
    """

    model: ModelConfig
    base: Metadata | None = None
    size: int = 512
    divide: Divide = split_stratified
    cross_validation: str = "auto"
    folds: int = 5
    plan: RunPlan | None = None
    costs: Costs | None = None
    baseline: Baseline | None = None


def preflight_slices(source: TwoSources, request: SliceRequest) -> Iterator[Event]:
    """Read every scan once and check the data of a one-shot run.

    Steps are timed and the base model is judged only where nothing blocks the run.

    Yields:
        `Progress`, last `Done` with a `PreflightReport`.
    """
    facts: list[SliceFacts] = []
    ids = source.ids()
    for done, scan in enumerate(ids):
        yield Progress("Reading slices", done, len(ids))
        facts.append(read_slice_facts(source, scan, request.size))
    shortcuts: list[Shortcut] = []
    for found in shortcuts_of(_classed(facts), _FACTS):
        yield Progress("Looking for shortcuts", len(shortcuts), 0)
        shortcuts.append(found)
    yield Progress("Comparing slices", 0, 0)
    report = check_slices(facts, shortcuts, request, (*_about_unclassed(source.unclassed), *_about_patients(source)))
    tried = report.split is not None and not report.blocked
    if tried and request.costs is not None and request.plan is not None:
        estimate: Estimate = yield from last(request.costs(report))
        findings = ordered([*report.findings, *room_findings(estimate, request.plan)])
        report = replace(report, estimate=estimate, findings=findings)
    if tried and request.baseline is not None:
        metrics: tuple[Metric, ...] = yield from last(request.baseline(report))
        report = replace(report, baseline=metrics)
    yield Done(report)


def check_slices(
    facts: Sequence[SliceFacts], shortcuts: Sequence[Shortcut], request: SliceRequest, told: Sequence[Finding] = ()
) -> PreflightReport:
    """All that facts alone say.

    Args:
        facts: of all scans, also of those that could not be read.
        shortcuts: of `shortcuts_of`.
        request: what is to be checked.
        told: what the sets say of themselves.
    """
    read = [_case_given(one) for one in facts if not one.error and one.slices]
    judging = Judging.of(read, request.cross_validation, request.folds)
    findings = [*scan_findings(facts, request.size), *about_judging(judging), *told]
    if all(one.code not in ("no-lesions", "one-class") for one in findings):
        findings += _about_classes(read, request)
    split, members, wrong = parted(read, request.divide, part_findings, judging, findings)
    findings += [*wrong, *shortcut_findings(shortcuts)]
    return PreflightReport(
        studies=len(facts),
        patients=len({one.case.patient for one in facts}),
        findings=ordered(findings),
        split=split,
        counts=tuple(counts(members)),
        tables=(*_amounts(members), *(table for table in tables_of(_classed(read), _FACTS) if len(table.rows) > 1)),
        shortcuts=tuple(shortcuts),
        data_sha256={part: data_sha256(those) for part, those in members.items()},
        study_sha256={one.study: one.content.sha256 for one in read},
        unit="scan",
        train_only=tuple(one.study for one in read if one.accepted),
        outlined=_names(one.outlines for one in read),
        slice_classes=_names(one.classed for one in read),
        slices=_slices(members),
        images={one.study: tuple(sorted(digest.hex()[:16] for digest in one.content.slices)) for one in read},
    )


def _slices(members: Mapping[str, Sequence[SliceFacts]]) -> dict[str, int]:
    """How many, by part and kind."""
    found: Counter[str] = Counter()
    for part, those in members.items():
        for one in those:
            found[f"{part}/{one.kind}"] += one.slices
    return dict(found)


def _case_given(one: SliceFacts) -> SliceFacts:
    """A scan with accepted output of a model is for training alone, unless it is given to something."""
    if not one.accepted or one.case.split:
        return one
    return replace(one, case=replace(one.case, split=TRAIN_ONLY))


def _classed(facts: Sequence[SliceFacts]) -> list[SliceFacts]:
    """Scans that have a class that could be told by something else than the image."""
    return [one for one in facts if one.kind == IMAGES and one.slices]


def _names(named: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(sorted({name for one in named for name in one}))


def _about_unclassed(count: int) -> Iterator[Finding]:
    if count:
        told = "has" if count == 1 else "have"
        text = f"{counted(count, 'scan')} of the images {told} no class that is learned, and count for nothing."
        yield Finding(Severity.INFO, "no-images", text)


def _about_patients(source: TwoSources) -> Iterator[Finding]:
    if names := source.patients_unknown():
        tells = "does" if len(names) == 1 else "do"
        text = (
            f"{enumerated(names)} {tells} not say which slices are of one patient: slices of a patient may be learned from and "
            "judged by, and figures are then too good."
        )
        yield Finding(Severity.DOUBT, "patients-unknown", text)


def _about_classes(read: Sequence[SliceFacts], request: SliceRequest) -> Iterator[Finding]:
    """Whether the classes of the data are those of the run, and which of them means "no finding"."""
    shown, classed = _names(one.outlines for one in read), _names(one.classed for one in read)
    try:
        task = slice_task(request.model, shown, classed, request.base)
    except InputError as error:
        yield Finding(Severity.ERROR, "classes", str(error))
        return
    if task.unseen:
        names = ", ".join(task.unseen)
        yield Finding(
            Severity.DOUBT, "class-unseen", f"No slice shows {names}: the model cannot learn it from these data."
        )
    if request.base is not None and request.base.image_classes and not task.image_classes:
        names = ", ".join(request.base.image_classes)
        text = f"No set has slices with a class: what the base model knows of them ({names}) is lost, and the new one tells none."
        yield Finding(Severity.DOUBT, "slice-classes-lost", text)
    if task.image_classes and not task.negative_class:
        text = 'No class of slices is said to be "no finding" (model.negative_class): where nothing is seen, none is preferred.'
        yield Finding(Severity.DOUBT, "no-negative-class", text)


def _amounts(members: Mapping[str, Sequence[SliceFacts]]) -> Iterator[CrossTable]:
    """Slices by class, and instances by class, of each part."""
    slices = {part: sum((Counter(one.classed) for one in those), Counter()) for part, those in members.items()}
    instances = {
        part: sum((Counter({name: o.instances for name, o in one.outlines.items()}) for one in those), Counter())
        for part, those in members.items()
    }
    for name, found in ((OF_SLICES, slices), (OF_OUTLINES, instances)):
        classes = tuple(sorted({key for counter in found.values() for key in counter}))
        if classes:
            rows = tuple(tuple(counter[key] for key in classes) for counter in found.values())
            yield CrossTable(name, tuple(found), classes, rows)
