"""What the card of a bundle says of the training run that made it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ctviewer.core.words import counted, enumerated
from ctviewer.models.markdown import plain, table
from ctviewer.models.training_run import CurvePoint, HoldOut, TrainingRun

_MOST_ROWS = 12
_BARS = "▁▂▃▄▅▆▇█"
_PARTS = {"train": "training", "val": "validation", "test": "test", "cross-validation": "cross-validation"}


def training_text(run: TrainingRun) -> str:
    """How the run went: start, split, calibration, environment and curves."""
    environment = run.environment
    rows = [
        ("Start", run.start),
        ("Split", run.split),
        *((f"Patients, {_part(part)}", count) for part, count in run.patients.items()),
        ("Epochs seen by the kept weights", run.epochs),
        ("Ended", f"{run.finished}, after {_duration(run.seconds)}" + (", stopped by the user" if run.stopped else "")),
        ("Assumed prevalence", _shares(run) or "none"),
        ("Program", f"{environment.program}, Python {environment.python}, torch {environment.torch}"),
        ("Device", f"{environment.device}, {environment.precision}, {environment.system}"),
        ("Configuration", f"SHA-256 {run.config_sha256}"),
        *([("Weights of the parent", f"SHA-256 {run.parent_sha256}")] if run.parent_sha256 else []),
    ]
    parts = [table(("Run", "Value"), rows)]
    if run.notes:
        parts.append("\n".join(f"- {plain(note)}" for note in run.notes))
    if run.curves:
        parts.append(f"### Curves\n\n{curves_text(run.curves)}")
    return "\n\n".join(parts)


def evaluation_text(run: TrainingRun, unit: str = "study") -> str:
    """What the figures refer to, and how often that was looked at; a unit is what one of the studies is."""
    return "\n\n".join(_holdout(one, unit) for one in run.holdouts)


def looks_text(holdout: HoldOut) -> str:
    """How often a hold-out was looked at before, in words."""
    if not holdout.sha256:
        return "It is not known how often they were looked at before, because the content of some is not known."
    earlier = sum(holdout.looks.values())
    if not earlier:
        return "They had not been looked at before."
    kinds = enumerated([counted(count, kind) for kind, count in holdout.looks.items()])
    times = "once" if earlier == 1 else f"{earlier} times"
    return (
        f"They, or a set that shares half of them, had been looked at {times} before ({kinds}): the more often models "
        "are chosen by the same studies, the better the figures look by chance."
    )


def curves_text(curves: Sequence[CurvePoint]) -> str:
    """A bar for each epoch of the last fold with some of its losses, and one line for each fold before it."""
    folds = [[point for point in curves if point.fold == fold] for fold in sorted({point.fold for point in curves})]
    *earlier, last = folds
    rows = [(f"fold {points[0].fold + 1}", len(points), _best(points), _loss(_best_loss(points))) for points in earlier]
    parts = [table(("Fold", "Epochs", "Best epoch", "Validation loss"), rows)] if rows else []
    parts.append(_chart(last))
    shown = _thinned(last)
    head = ("Epoch", "Training loss", "Validation loss", "Best so far")
    parts.append(
        table(head, [(p.epoch, _loss(p.loss), _loss(p.validation_loss), "yes" if p.best else "") for p in shown])
    )
    return "\n\n".join(parts)


def _chart(points: Sequence[CurvePoint]) -> str:
    lines = []
    for name, values in (
        ("training  ", [point.loss for point in points]),
        ("validation", [point.validation_loss for point in points]),
    ):
        if known := [value for value in values if value is not None and math.isfinite(value)]:
            lines.append(f"{name} {_bars(values)} {_loss(known[0])} to {_loss(known[-1])}, lowest {_loss(min(known))}")
    return "```text\n" + "\n".join(lines) + "\n```"


def _bars(values: Sequence[float | None]) -> str:
    """One sign an epoch, scaled to the range of the curve; a blank where there is no value."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known), max(known)
    span = (high - low) or 1.0

    def sign(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return " "
        return _BARS[min(len(_BARS) - 1, int((value - low) / span * len(_BARS)))]

    return "".join(sign(value) for value in values)


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Some epochs: the first, the last, those that were kept last, and evenly between."""
    if len(points) <= _MOST_ROWS:
        return list(points)
    step = (len(points) - 1) / (_MOST_ROWS - 2)
    places = {round(i * step) for i in range(_MOST_ROWS - 1)}
    places |= {i for i, point in enumerate(points) if point.epoch == _best(points)}
    return [points[i] for i in sorted(places)]


def _best(points: Sequence[CurvePoint]) -> int:
    """The epoch whose weights were kept: the last one marked, else the last."""
    return next((point.epoch for point in reversed(points) if point.best), points[-1].epoch)


def _best_loss(points: Sequence[CurvePoint]) -> float | None:
    return next(point.validation_loss for point in points if point.epoch == _best(points))


def _loss(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _holdout(one: HoldOut, unit: str) -> str:
    what = counted(one.patients, "patient")
    studies = counted(one.studies, unit)
    return f"**{_begun(_part(one.part))}: {studies} of {what}.** {looks_text(one)}"


def _part(part: str) -> str:
    return plain(_PARTS.get(part, part.replace("external:", "external set ")))


def _shares(run: TrainingRun) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in run.prevalence.items())


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} seconds"
    return counted(minutes, "minute") if minutes < 120 else f"{minutes // 60} hours {minutes % 60} minutes"


def _begun(text: str) -> str:
    """With a capital at its beginning; names within stay as they are."""
    return text[:1].upper() + text[1:]
