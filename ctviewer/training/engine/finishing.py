"""What finishing a run has in common, whatever its task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

from ctviewer.models.bundle import Bundle
from ctviewer.models.storage import as_kept
from ctviewer.models.training_run import CurvePoint
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.plans import median_epochs
from ctviewer.training.engine.workshop import Learned
from ctviewer.training.ledger import holdout_sha256
from ctviewer.training.preflight.report import Count, PreflightReport
from ctviewer.training.run_result import CROSS_VALIDATION
from ctviewer.training.splits import EXTERNAL, TEST, VALIDATION, Split

EXACT = "float32"  # the figures are the bundle's, as it is used later, whatever it learned in


def round_to_bundle(net: nn.Module) -> None:
    """Give weights the values that a bundle keeps, so that its figures are those of what is used later."""
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(as_kept(tensor))


def unless_stop(control: Control) -> Control:
    """What the user wants while a run is being finished: a stop is what is going on already."""

    def wish() -> Wish:
        told = control()
        return Wish.GO_ON if told is Wish.STOP else told

    return wish


def parts_to_judge(learned: Learned) -> dict[str, tuple[str, ...]]:
    """Part to ids that the net of the bundle is judged by: the hold-out, then external sets.

    Of a cross-validation the hold-out is what its own nets were judged by; without test data validation stands in.
    """
    split = learned.split
    external = {EXTERNAL + name: ids for name, ids in split.external.items()}
    if learned.records:
        return external
    return ({TEST: split.test} if split.test else {VALIDATION: split.validation}) | external


def made_by_first(world: World, make: Callable[[], Bundle]) -> tuple[str, str]:
    """Folder and key of the bundle, which the first process makes, in all processes."""
    told = ""
    if world.leads:
        bundle = make()
        told = f"{bundle.folder}\n{bundle.key}"
    folder, _, key = world.tell(told).partition("\n")
    return folder, key


def report_of(inputs: RunInputs, learned: Learned, count: Callable[[Split], tuple[Count, ...]]) -> PreflightReport:
    """Pre-flight's, whose split is that of the net: another one where a cross-validation was stopped.

    Args:
        inputs: of the run.
        learned: what came of it.
        count: studies of another split by part and class.
    """
    report, split = inputs.report, learned.split
    if learned.records or split == report.split:
        return report
    contents = {part: [report.study_sha256.get(one, "") for one in those] for part, those in split.parts.items()}
    hashes = {part: holdout_sha256(those) for part, those in contents.items()}
    return dataclasses.replace(report, split=split, counts=count(split), data_sha256=hashes)


def split_text(inputs: RunInputs, learned: Learned) -> str:
    """How studies were shared out, where the configuration does not say it: a cross-validation that was stopped."""
    if learned.records or learned.split == inputs.report.split:
        return ""
    return (
        f"By patient, stratified by class, drawn with seed {inputs.config.seed}: fold {learned.fold + 1} of a "
        "cross-validation that the user stopped there."
    )


def curve_points(learned: Learned) -> Iterator[CurvePoint]:
    """All epochs of all trainings."""
    trainings = [(number, one.history, one.epochs) for number, one in enumerate(learned.records)]
    trainings.append((learned.fold, learned.history, learned.epochs))
    for number, history, kept in trainings:
        for told in history:
            value = float(told["validation_loss"])
            yield CurvePoint(
                number, int(told["epoch"]), float(told["loss"]), value if math.isfinite(value) else None,
                told["epoch"] == kept,
            )  # fmt: skip


def patients_by_part(inputs: RunInputs, learned: Learned) -> dict[str, int]:
    """How many; of a cross-validation all inside together."""
    split, source = learned.split, inputs.source
    parts = {part: len({source.patient(study) for study in those}) for part, those in split.parts.items()}
    if learned.records:
        parts[CROSS_VALIDATION] = parts.pop("train")
    return parts


def seconds_of(learned: Learned) -> float:
    """Of all trainings."""
    return learned.seconds + sum(record.seconds for record in learned.records)


def stopped_note(learned: Learned) -> Iterator[str]:
    """Where the net of the bundle learned for less long than those that its figures are of."""
    if learned.records and learned.epochs < (whole := median_epochs(learned.records)):
        yield (
            f"The user stopped the final training in epoch {learned.epochs} of {whole}: the figures are of nets that learned "
            "for longer than this one."
        )
