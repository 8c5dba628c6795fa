"""`ctviewer models`: list, activate, go back, compare."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ctviewer.app.cli import OK
from ctviewer.app.comparisons import doubts_about, find
from ctviewer.app.evaluate_options import OF_SLICES
from ctviewer.app.logs import redactor
from ctviewer.app.models import in_use, installed, listing, named
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import InputError
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import counted
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.models.registry import children
from ctviewer.training.comparison import OPEN, Comparison, to_json
from ctviewer.training.slice_comparison import SLICE


def run_models(options: argparse.Namespace) -> int:
    """Do what is asked; returns the exit code.

    Raises:
        CtviewerError: a model that is not installed or cannot be used, bad data, or a place that cannot be written.
    """
    acts = {"activate": _activate, "rollback": _roll_back, "compare": _compare}
    return acts.get(options.act, _list)(options)


def _list(options: argparse.Namespace) -> int:
    """The installed bundles, one a line or as JSON; those that cannot be used with the reason."""
    bundles, active, problems = listing(installed())
    rows = [_row(bundle, bundles, bundle.key in active) for bundle in bundles]
    if options.json:
        _print_json({"models": rows, "problems": list(problems)})
        return OK
    for row in rows:
        mark = "*" if row["active"] else " "
        parent = f"  from {row['parent']}" if row["parent"] else ""
        print(
            f"{mark} {row['name']} {row['version']}  {row['task']}  {row['trained_on']}{parent}  licence {row['licence']}"
        )
        print(f"    {row['title']}: {', '.join(row['classes'])}")
        print(f"    {row['limits']}")
        if row["restriction"]:
            print(f"    {row['licence']}: {row['restriction']}")
    for problem in problems:
        print(f"! {problem}")
    print(f"* is used for its task. {RESEARCH_USE}" if rows else "No model is installed.")
    return OK


def _row(bundle: Bundle, bundles: tuple[Bundle, ...], active: bool) -> dict[str, Any]:
    m = bundle.metadata
    return {
        "name": m.name,
        "version": m.version,
        "task": m.task,
        "title": m.title,
        "classes": list(m.classes),
        "trained_on": m.trained_on,
        "limits": m.limits,
        "licence": m.licence,
        "restriction": m.restriction,
        "default": m.default,
        "calibrated_on_patients": m.calibration is not None and m.calibration.real and m.calibration.enough,
        "sha256": m.weights_sha256,
        "active": active,
        "parent": m.parent,
        "children": [child.key for child in children(bundle, bundles)],
        "folder": str(bundle.folder),
    }


def _activate(options: argparse.Namespace) -> int:
    bundle = named(options.model)
    before, doubts = in_use(bundle.metadata.task), doubts_about(bundle)
    installed().activate(bundle)
    if options.json:
        was = before.key if before else None
        told = {"doubts": list(doubts), "restriction": bundle.metadata.restriction}
        _print_json({"active": bundle.key, "task": bundle.metadata.task, "before": was, **told})
        return OK
    for doubt in doubts:
        print(f"! {doubt}")
    if bundle.metadata.restriction:
        print(f"! {bundle.metadata.licence}: {bundle.metadata.restriction}")
    print(f"{bundle.key} is used now." + (_way_back(before) if before and before.key != bundle.key else ""))
    return OK


def _way_back(before: Bundle) -> str:
    task = "" if before.metadata.task == CLASSIFIER else f" {before.metadata.task}"
    return f" `ctviewer models rollback{task}` goes back to {before.key}."


def _roll_back(options: argparse.Namespace) -> int:
    bundle = installed().roll_back(options.task)
    if options.json:
        _print_json({"active": bundle.key, "task": options.task})
        return OK
    before = installed().before(options.task)
    print(f"{bundle.key} is used again." + (f" Before it, it was {before.key}." if before else ""))
    return OK


def _compare(options: argparse.Namespace) -> int:
    new = named(options.new)
    old = named(options.old, new.metadata.task) if options.old else _other(new)
    if new.metadata.weights_sha256 == old.metadata.weights_sha256:
        raise InputError(f"{new.key} and {old.key} are the same model.")
    line, one_shot = ProgressLine(options.quiet), new.metadata.task == ONE_SHOT
    if not one_shot and (given := next((one for one in OF_SLICES if getattr(options, one)), "")):
        raise InputError(f"--{given} is for one-shot models, and {new.key} is a study classifier.")
    if options.data or options.config:
        comparison: Comparison | None = (_on_slices if one_shot else _on_data)(options, new, old, line)
    else:
        comparison = find(new, old)
    fixed = comparison.regression if comparison else None
    if comparison is None and not one_shot:  # the fixed set is of studies
        from ctviewer.app.comparing import fixed_set

        fixed = drain(fixed_set(new, old, options.device), line)
    if options.json:
        told = to_json(comparison) if comparison else None
        _print_json(
            {"new": new.key, "old": old.key, "comparison": told, "fixed_set": to_json(fixed) if fixed else None}
        )
        return OK
    if comparison is None:
        print(f"{new.key} and {old.key} were not compared on patients yet; --data FOLDER does it.")
    else:
        _print_comparison(comparison, "On the same slices" if one_shot else "On the same studies", options.studies)
    if fixed is not None:
        _print_comparison(fixed, "On the fixed set of phantoms", options.studies)
    print(RESEARCH_USE)
    return OK


def _other(new: Bundle) -> Bundle:
    """What a model is compared with where nobody says it.

    Raises:
        InputError: there is nothing.
    """
    task = new.metadata.task
    if new.metadata.parent:
        parent = named(new.metadata.parent)
        if parent.metadata.task == task:  # one of another task lent its backbone
            return parent
    used = in_use(task)
    if used is None or used.key == new.key:
        raise InputError(f"{new.key} has no parent to compare it with, and no other is in use: name the model.")
    return used


def _on_data(options: argparse.Namespace, new: Bundle, old: Bundle, line: ProgressLine) -> Comparison:
    from ctviewer.app.comparing import compare_on
    from ctviewer.app.evaluation_parts import chosen_parts
    from ctviewer.core.events import Event
    from ctviewer.datasets.stating import read_statement
    from ctviewer.datasets.study_folder import StudyFolder
    from ctviewer.training.predicting import StudyTold

    redactor.hide(options.data)
    stated = read_statement(options.values or "", options.spacing or "", options.order or "")
    source = StudyFolder(options.data, stated, options.labels)

    def other(event: Event) -> None:
        if isinstance(event, StudyTold):
            line.say(f"{event.study}: {event.text}")

    if not options.quiet:
        print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    comparison: Comparison = drain(
        compare_on(source, chosen_parts(source, options.split), new, old, options.device), line, other
    )
    return comparison


def _on_slices(options: argparse.Namespace, new: Bundle, old: Bundle, line: ProgressLine) -> Comparison:
    from ctviewer.app.comparing_slices import compare_slices_on
    from ctviewer.app.slices_asked import asked_slices
    from ctviewer.core.events import Event
    from ctviewer.training.predicting import StudyTold

    asked = asked_slices(options, options.data)

    def other(event: Event) -> None:
        if isinstance(event, StudyTold):
            line.say(f"{event.study}: {event.text}")

    if not options.quiet:
        print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    comparison: Comparison = drain(compare_slices_on(asked, new, old, options.device), line, other)
    return comparison


def _print_comparison(one: Comparison, where: str, with_studies: bool) -> None:
    of = f"{counted(one.studies, one.unit)} of {counted(one.patients, 'patient')}"
    print(f"{where} ({of}): {one.old} before, {one.new} now.")
    width = max((len(d.name) for d in one.differences), default=0)
    for d in one.differences:
        interval = "-" if d.low is None or d.high is None else f"{d.low:+.3f} to {d.high:+.3f}"
        verdict = "" if d.verdict == OPEN else d.verdict
        print(f"  {d.name:<{width}}  {d.old:.3f}  {d.new:.3f}  {d.difference:+.3f}  ({interval})  {verdict}".rstrip())
    print("  (before, now, difference, its 95 % interval by paired bootstrap over patients)")
    s = one.sides
    if one.old_confusion is not None or one.unit != SLICE:
        print(
            f"  right: both {s.both_right}, only before {s.old_right}, only now {s.new_right}; neither {s.both_wrong}"
        )
    for changed in one.changed if with_studies else ():
        said = f"{', '.join(changed.old) or 'nothing'} before, {', '.join(changed.new) or 'nothing'} now"
        what = f"{changed.study}, {changed.slice}" if changed.slice else changed.study
        print(f"  {changed.outcome}: {what} ({', '.join(changed.truth)}): {said}")
    for note in one.notes:
        print(f"  {note}")


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps({**data, "notice": RESEARCH_USE}, indent=2))
