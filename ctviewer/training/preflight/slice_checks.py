"""What may be wrong with the labelled slices of a one-shot run, one rule a function. Errors block, doubts want a tick."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ctviewer.core.slices import GREY, HU
from ctviewer.core.words import counted, enumerated
from ctviewer.training.preflight.report import Finding, Severity
from ctviewer.training.slices.classes import LUNG
from ctviewer.training.slices.facts import SliceFacts
from ctviewer.training.slices.targets import least_pixels
from ctviewer.training.slices.two_sources import IMAGES, LESIONS
from ctviewer.training.splits import EXTERNAL, PARTS, TRAIN, TRAIN_ONLY, Split, conflicts

_AIR_BELOW = -700.0  # HU of the lowest percent of a chest's values: lung, and air about it
_MOST_SHOWN = 5
_LEAST_PATIENTS, _LEAST_TO_SPLIT = 10, 3
_MOST_COMPARED = 50


def scan_findings(facts: Sequence[SliceFacts], size: int) -> Iterator[Finding]:
    """What is wrong with scans taken by themselves.

    Args:
        facts: of all scans.
        size: side of the net's input.
    """
    for one in facts:
        if one.error:
            yield Finding(Severity.ERROR, "unreadable", f"A scan cannot be read: {one.error}", (one.study,))
    read = [one for one in facts if not one.error]
    for rule in (_nothing, _air, _windows, _lesions, _complete, _accepted, _patients, _alike, _duplicates):
        yield from rule(read)
    yield from _sizes(read, size)
    yield from _small(read, size)
    for patient, scans in conflicts([one.case for one in facts]).items():
        text = f"The sets put scans of the patient {patient} on both sides of a split."
        yield Finding(Severity.ERROR, "patient-on-both-sides", text, scans)


def _nothing(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Scans of which no slice teaches anything; they are left out."""
    for kind, what in (
        (LESIONS, "no outline, and no slice that is known to be without a finding"),
        (IMAGES, "no class"),
    ):
        scans = tuple(one.study for one in facts if one.kind == kind and not one.slices)
        if scans:
            told = "has" if len(scans) == 1 else "have"
            text = f"{_scans(scans)} of the {kind} {told} {what}, and {_is(scans)} left out."
            yield Finding(Severity.INFO, f"no-{kind}", text, scans)


def _air(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """A chest has lung or air in it."""
    scans = tuple(one.study for one in facts if one.unit == HU and one.air is not None and one.air > _AIR_BELOW)
    if scans:
        text = f"The values of {_scans(scans)} do not look like Hounsfield units of a chest: nothing lies below {_AIR_BELOW:g} HU."
        yield Finding(Severity.DOUBT, "hu-out-of-range", text, scans)


def _windows(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Pictures have a window of their own, which the model's does not undo."""
    scans = tuple(one.study for one in facts if one.unit == GREY)
    if not scans:
        return
    text = (
        f"{_scans(scans)} {_is(scans)} pictures of a window that nobody states, and taken as they are; studies in the viewer "
        "are shown to the model in its own window. Where theirs is known, state it in the set's values."
    )
    yield Finding(Severity.DOUBT, "window-unknown", text, scans)
    if len(scans) < sum(bool(one.unit) for one in facts):
        mixed = (
            "Some sets have Hounsfield units and some pictures of an unknown window: a model may tell classes by that."
        )
        yield Finding(Severity.DOUBT, "units-mixed", mixed)


def _lesions(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """There must be lesions that are large enough to be learned."""
    inside = [one for one in facts if not one.case.split.startswith(EXTERNAL)]
    found = {name for one in inside for name, outlines in one.outlines.items() if outlines.instances}
    if not found - {LUNG}:
        text = "No slice shows an outlined lesion that is large enough to be learned."
        yield Finding(Severity.ERROR, "no-lesions", text)
    shown = {name for one in facts for name in one.outlines}
    for name in sorted(shown - found - {LUNG}):
        text = f"No outline of {name} is large enough to be learned as an instance."
        yield Finding(Severity.DOUBT, "class-too-small", text)


def _small(facts: Sequence[SliceFacts], size: int) -> Iterator[Finding]:
    """Components under the least size, by class."""
    for name in sorted({name for one in facts for name in one.outlines}):
        told = [one.outlines[name] for one in facts if name in one.outlines]
        small, kept = sum(one.small for one in told), sum(one.instances for one in told)
        if small:
            text = (
                f"{small} of {small + kept} outlines of {name} have fewer than {least_pixels(size):.0f} pixels at the "
                f"model's size of {size}: they count in the Dice, and are not learned as instances."
            )
            yield Finding(Severity.INFO, "small-outlines", text)


def _complete(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Where not all is marked, nothing is learned of what is not there."""
    lesions = [one for one in facts if one.kind == LESIONS and one.slices]
    total, complete = sum(one.slices for one in lesions), sum(one.complete for one in lesions)
    if lesions and not complete:
        text = (
            "No slice is said to show all its lesions: the model learns what lesions look like and nothing of what is none, "
            'and will find too much. State complete = "yes" for a set that is, or mark slices as reviewed completely.'
        )
        yield Finding(Severity.DOUBT, "none-complete", text)
    elif complete < total:
        text = f"{total - complete} of {counted(total, 'slice')} are not complete: what is unmarked on them is not taken for healthy."
        yield Finding(Severity.INFO, "incomplete-slices", text)
    wanted = {name for one in lesions for name in one.marked}
    for name in sorted({one.set_name for one in lesions}):
        lacking = sorted(wanted.difference(*(one.marked for one in lesions if one.set_name == name)))
        if lacking:
            text = (
                f"{name} does not outline {enumerated(lacking)}: what is unmarked on its complete slices may be that, and is "
                "learned to be none of the other classes."
            )
            yield Finding(Severity.INFO, "classes-lacking", text)


def _accepted(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Accepted output of a model never judges."""
    accepted = [one for one in facts if one.accepted]
    judging = tuple(one.study for one in accepted if one.case.split not in ("", TRAIN, TRAIN_ONLY))
    if judging:
        text = (
            f"Labels of {_scans(judging)} that are given to judge by are accepted output of a model: it would be judged by its "
            "own answers. Give them to train-only, or leave them out."
        )
        yield Finding(Severity.ERROR, "accepted-output-judges", text, judging)
    kept = tuple(one.study for one in accepted if one.study not in judging)
    if kept:
        text = f"Labels of {_scans(kept)} are accepted output of a model: they are learned from and never judge."
        yield Finding(Severity.INFO, "accepted-output", text, kept)


def _patients(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Patients enough to learn, to choose and to judge by; two classes at least, where slices have any."""
    inside = [one for one in facts if one.slices and not one.case.split.startswith(EXTERNAL)]
    patients: dict[str, set[str]] = defaultdict(set)
    for one in inside:
        for name in (LESIONS,) if one.kind == LESIONS else one.classed:
            patients[name].add(one.case.patient)
    if any(one.kind == IMAGES for one in facts) and len(set(patients) - {LESIONS}) < 2:
        yield Finding(Severity.ERROR, "one-class", "The slices do not have two classes to tell apart.")
    for name in sorted({name for one in inside for name in one.outlines} - {LUNG}):
        outlined = {one.case.patient for one in inside if name in one.outlines}
        if len(outlined) < _LEAST_TO_SPLIT <= len(patients[LESIONS]):
            text = f"Outlines of {name} are of {counted(len(outlined), 'patient')}: they cannot be learned, chosen and judged by."
            yield Finding(Severity.DOUBT, "too-few-outlines", text)
    for name, found in sorted(patients.items()):
        if len(found) >= _LEAST_PATIENTS:
            continue
        severity = Severity.ERROR if len(found) < _LEAST_TO_SPLIT else Severity.DOUBT
        why = (
            "3 are needed to learn, to choose and to judge by"
            if severity is Severity.ERROR
            else "figures will be uncertain"
        )
        what = "Outlined lesions are" if name == LESIONS else f"Slices of the class {name} are"
        scans = tuple(one.study for one in inside if (one.kind == LESIONS if name == LESIONS else name in one.classed))
        yield Finding(severity, "too-few", f"{what} of {counted(len(found), 'patient')}; {why}.", scans)


def _alike(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Classes that differ in spelling only."""
    for names in ({n for one in facts for n in one.classed}, {n for one in facts for n in one.outlines}):
        alike: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            alike["".join(name.casefold().replace("-", " ").replace("_", " ").split())].append(name)
        for same in alike.values():
            if len(same) > 1:
                text = (
                    f"The classes {enumerated(same)} differ in spelling only: if they are one, say so in model.merge."
                )
                yield Finding(Severity.DOUBT, "classes-alike", text)


def _sizes(facts: Sequence[SliceFacts], size: int) -> Iterator[Finding]:
    """Matrices; small ones are blown up."""
    sizes = Counter((one.rows, one.columns) for one in facts if one.slices)
    small = tuple(one.study for one in facts if one.slices and 2 * max(one.rows, one.columns) <= size)
    if small:
        text = f"The slices of {_scans(small)} have at most half as many pixels a side as the model's {size}."
        yield Finding(Severity.DOUBT, "small-matrix", text, small)
    if len(sizes) > 1:
        shown = [f"{r} x {c} ({counted(n, 'scan')})" for (r, c), n in sizes.most_common(_MOST_SHOWN)]
        more = [f"{len(sizes) - _MOST_SHOWN} more"] if len(sizes) > _MOST_SHOWN else []
        text = f"Slices have several sizes: {enumerated([*shown, *more])}; all are padded to squares of {size}."
        yield Finding(Severity.INFO, "sizes", text)


def _duplicates(facts: Sequence[SliceFacts]) -> Iterator[Finding]:
    """Equal images of two patients, or of two classes; lesions and images of one set share theirs, and may."""
    for a, b in shared_images(facts):
        pair = (a.study, b.study)
        if a.case.patient != b.case.patient:
            text = f"The scans {a.study} and {b.study} hold an equal image and are given to two patients."
            yield Finding(Severity.DOUBT, "duplicate-other-patient", text, pair)
        elif a.kind == b.kind:
            text = f"The scans {a.study} and {b.study} hold an equal image; it would count twice."
            yield Finding(Severity.DOUBT, "duplicate", text, pair)
        if a.kind == b.kind == IMAGES and set(a.classed).isdisjoint(b.classed):
            text = f"The scans {a.study} and {b.study} hold an equal image and have different classes."
            yield Finding(Severity.ERROR, "duplicate-other-class", text, pair)


def shared_images(facts: Sequence[SliceFacts]) -> Iterator[tuple[SliceFacts, SliceFacts]]:
    """Pairs of scans that hold an equal image, each pair once."""
    holders: dict[bytes, list[int]] = defaultdict(list)
    for index, one in enumerate(facts):
        for digest in one.content.slices:
            holders[digest].append(index)
    pairs: set[tuple[int, int]] = set()
    for those in holders.values():  # what is in very many scans is compared with the first of them alone
        firsts = those if len(those) <= _MOST_COMPARED else those[:1]
        pairs |= {(i, j) for n, i in enumerate(firsts) for j in those[n + 1 :]}
    for i, j in sorted(pairs):
        yield facts[i], facts[j]


def part_findings(facts: Sequence[SliceFacts], split: Split) -> Iterator[Finding]:
    """What is wrong with a split: equal images on both sides, and what a part lacks."""
    part_of = {scan: part for part, scans in split.parts.items() for scan in scans}
    inside = [one for one in facts if one.study in part_of]
    for a, b in shared_images(inside):
        if part_of[a.study] != part_of[b.study]:
            text = f"The scans {a.study} ({part_of[a.study]}) and {b.study} ({part_of[b.study]}) hold an equal image."
            yield Finding(Severity.ERROR, "duplicate-across-split", text, (a.study, b.study))
    every = _contents(inside)
    for part in (*PARTS, *(name for name in split.parts if name.startswith(EXTERNAL))):
        there = [one for one in inside if part_of[one.study] == part]
        if not there and part != TRAIN:
            yield Finding(Severity.DOUBT, "part-empty", f"No scan is in the part {part}.")
            continue
        for what in sorted(every - _contents(there)):
            severity = Severity.ERROR if part == TRAIN else Severity.DOUBT
            severity = Severity.INFO if part.startswith(EXTERNAL) else severity
            yield Finding(severity, "class-missing", f"{what} are missing from the part {part}.")


def _contents(facts: Sequence[SliceFacts]) -> set[str]:
    """What scans have to learn from, or to judge by, in words."""
    outlines = {f"Outlines of {name}" for one in facts for name, told in one.outlines.items() if told.instances}
    return outlines | {f"Slices of the class {name}" for one in facts for name in one.classed}


def _scans(those: Sequence[object]) -> str:
    return counted(len(those), "scan")


def _is(those: Sequence[object]) -> str:
    return "is" if len(those) == 1 else "are"
