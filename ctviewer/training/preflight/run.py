"""Pre-flight: everything that can be known to be wrong with the data of a run before it starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ctviewer.core.events import Done, Event, Progress, last
from ctviewer.models.metadata import Metric
from ctviewer.training.preflight.checks import (
    Criteria,
    shortcut_findings,
    split_findings,
    study_findings,
)
from ctviewer.training.preflight.estimates import RunPlan, Step, estimate_run, room_findings
from ctviewer.training.preflight.facts import StudyFacts, data_sha256, read_facts
from ctviewer.training.preflight.known import (
    Divide,
    Judging,
    about_judging,
    counts,
    ordered,
    parted,
)
from ctviewer.training.preflight.precision import auc_interval
from ctviewer.training.preflight.report import (
    Estimate,
    Finding,
    PreflightReport,
    Severity,
    Shortcut,
    Width,
)
from ctviewer.training.preflight.shortcuts import cross_tables, find_shortcuts
from ctviewer.training.sampling import training_sequences
from ctviewer.training.source import LabelledSource
from ctviewer.training.splits import EXTERNAL, TEST, TRAIN, TRAIN_ONLY, VALIDATION, split_stratified

Baseline = Callable[[Sequence[str]], Iterator[Event]]
"""Judge the base model on studies of the hold-out: ends with `Done` of a tuple of `Metric`."""

_ASSUMED = (0.8, 0.9)


@dataclass(frozen=True)
class Request:
    """What is to be checked beside the studies.

    Attributes:
        criteria: what studies must be.
        divide: makes the split of the studies that can be read.
        cross_validation, folds: of `DataConfig`: by what the run will judge.
        unlisted: names in the folder that the labels do not mention.
        plan, step: what the run takes is reckoned where both are given.
        baseline: judges the base model on the hold-out; None for a start without one.
    """

    criteria: Criteria = field(default_factory=Criteria)
    divide: Divide = split_stratified
    cross_validation: str = "auto"
    folds: int = 5
    unlisted: tuple[str, ...] = ()
    plan: RunPlan | None = None
    step: Step | None = None
    baseline: Baseline | None = None


def preflight(source: LabelledSource, request: Request = Request()) -> Iterator[Event]:
    """Read every study once and check the data of a run.

    Steps are timed and the base model is judged only where nothing blocks the run.

    Yields:
        `Progress`, last `Done` with a `PreflightReport`.
    """
    facts: list[StudyFacts] = []
    ids = source.ids()
    for done, study in enumerate(ids):
        yield Progress("Reading studies", done, len(ids))
        facts.append(read_facts(source, study))
    shortcuts: list[Shortcut] = []
    for found in find_shortcuts(facts):
        yield Progress("Looking for shortcuts", len(shortcuts), 0)
        shortcuts.append(found)
    yield Progress("Comparing studies", 0, 0)
    report = check(facts, shortcuts, request)
    if report.split is not None and not report.blocked:
        report = yield from _tried(report, facts, request)
    yield Done(report)


def check(
    facts: Sequence[StudyFacts], shortcuts: Sequence[Shortcut] = (), request: Request = Request()
) -> PreflightReport:
    """All that facts alone say: findings, tables, and what this many patients can show.

    Args:
        facts: of all studies, also of those that could not be read.
        shortcuts: of `find_shortcuts`.
        request: what is to be checked.
    """
    read = [one for one in facts if not one.error]
    inside = [one for one in read if not one.case.split.startswith(EXTERNAL)]
    judging = Judging.of(read, request.cross_validation, request.folds)
    findings = [
        *study_findings(facts, request.criteria),
        *about_judging(judging),
        *_about_unlisted(request.unlisted),
    ]
    split, members, wrong = parted(read, request.divide, split_findings, judging, findings)
    findings += [*wrong, *shortcut_findings(shortcuts)]
    return PreflightReport(
        studies=len(facts),
        patients=len({one.case.patient for one in facts}),
        findings=ordered(findings),
        split=split,
        counts=tuple(counts(members)),
        tables=cross_tables(read),
        shortcuts=tuple(shortcuts),
        widths=tuple(_widths(inside if judging.crossed else (), members)),
        data_sha256={part: data_sha256(those) for part, those in members.items()},
        study_sha256={one.study: one.content.sha256 for one in read},
    )


def _tried(
    report: PreflightReport, facts: Sequence[StudyFacts], request: Request
) -> Generator[Event, None, PreflightReport]:
    """The report with what trying the run, and the base model, adds to it."""
    split, plan = report.split, request.plan
    assert split is not None  # the caller looked
    if plan is not None and request.step is not None:
        lengths = {one.study: one.slices for one in facts}
        sequences = training_sequences({study: lengths[study] for study in split.train})
        train = [-(-(lengths[one.study] - one.start) // one.step) for one in sequences]
        judged = [lengths[study] for study in split.validation]
        parts = {part: studies for part, studies in split.parts.items() if part not in (TRAIN, VALIDATION)}
        held_out = [lengths[study] for studies in parts.values() for study in studies]
        estimate: Estimate = yield from last(estimate_run(request.step, train, judged, plan, held_out))
        findings = ordered([*report.findings, *room_findings(estimate, plan)])
        report = replace(report, estimate=estimate, findings=findings)
    judged_by = split.test or split.validation
    if request.baseline is not None and judged_by:
        metrics: tuple[Metric, ...] = yield from last(request.baseline(judged_by))
        report = replace(report, baseline=metrics)
    return report


def _about_unlisted(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        what = "1 item" if len(names) == 1 else f"{len(names)} items"
        yield Finding(Severity.INFO, "unlisted", f"The labels do not mention {what} of the folder.", tuple(names))


def _widths(folded: Sequence[StudyFacts], members: dict[str, list[StudyFacts]]) -> Iterator[Width]:
    """For what the run is judged by: all that a cross-validation tests in turn, else the hold-out."""
    if folded:
        learned = {one.case.patient for one in folded if one.case.split == TRAIN_ONLY}
        judged = {"cross-validation": [one for one in folded if one.case.patient not in learned]}
    else:
        judged = next(({part: members[part]} for part in (TEST, VALIDATION) if part in members), {})
    for part, those in judged.items():
        everyone: dict[str, set[str]] = defaultdict(set)
        for one in those:
            everyone[one.case.patient].update(one.case.classes)
        for label in sorted(set().union(*everyone.values())) if everyone else ():
            positives = sum(label in classes for classes in everyone.values())
            negatives = len(everyone) - positives
            if negatives:
                for auc in _ASSUMED:
                    yield Width(part, label, positives, negatives, auc, *auc_interval(auc, positives, negatives))
