"""What a one-shot run takes, before it starts."""

from __future__ import annotations

import pytest
import torch
from training.engine.one_shot.conftest import IMAGES, SIDE, fold_of, said_by

from ctviewer.core.events import Done
from ctviewer.training.engine.one_shot import costs
from ctviewer.training.engine.one_shot.starts import start_one_shot
from ctviewer.training.preflight.estimates import StepCost
from ctviewer.training.preflight.report import CROSS_VALIDATION, Finding, PreflightReport, Severity

SLICES = {"train/lesions": 4, "train/images": 10, "val/lesions": 3, "val/images": 5, "test/images": 7}


def report(findings=(), slices=SLICES, images=IMAGES) -> PreflightReport:
    outlined = ("consolidation", "ground glass", "lung")
    return PreflightReport(9, 9, findings, None, outlined=outlined, slice_classes=images, slices=slices)


def reckoned(work, told):
    events = list(work(told))
    assert isinstance(events[-1], Done)
    return events[-1].value


def test_steps_of_both_kinds_are_timed_and_leave_the_net_alone(config, tmp_path, monkeypatch) -> None:
    made = []

    def started(*told):
        made.append(start_one_shot(*told))
        made.append({name: tensor.clone() for name, tensor in made[0].net.state_dict().items()})
        return made[0]

    monkeypatch.setattr(costs, "start_one_shot", started)
    plan, work = costs.reckon_slices(config(), None, tmp_path / "not" / "there")
    found = reckoned(work, report())
    assert found.seconds > 0
    assert found.memory > 1e6
    assert found.steps == 4
    assert plan.free_disk is not None
    assert all(torch.equal(tensor, made[1][name]) for name, tensor in made[0].net.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "told", "lesions", "images"),
    [
        ({}, report(), 10 + 3, 10 + 5),
        ({"per_class": 2}, report(), 6 + 3, 6 + 5),
        ({}, report(images=(), slices={"train/lesions": 4, "val/lesions": 3}), 4 + 3, 0),
        ({}, report(slices={"train/images": 4}), 0, 4),
    ],
)
def test_an_epoch_is_so_many_slices(config, tmp_path, monkeypatch, changes, told, lesions: int, images: int) -> None:
    seconds = {"lesions": 1.0, "images": 100.0}
    monkeypatch.setattr(costs._Timed, "__call__", lambda self, kind: StepCost(seconds[kind], 5))
    _, work = costs.reckon_slices(config(epochs=3, **changes), None, tmp_path)
    assert reckoned(work, told).seconds == 3 * (lesions + 100 * images)
    crossed = (Finding(Severity.INFO, CROSS_VALIDATION, ""),)
    _, work = costs.reckon_slices(config(epochs=3, data={"folds": 2, "repeats": 2}, **changes), None, tmp_path)
    both = PreflightReport(**{**vars(told), "findings": crossed})
    assert reckoned(work, both).seconds == 5 * 3 * (lesions + 100 * images)


def test_checkpoints_and_prepared_slices_take_room(config, inputs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(costs._Timed, "__call__", lambda self, kind: StepCost(1.0, 5))
    wanted = inputs(config(minutes=0.0, epochs=1))
    fold = fold_of(wanted)
    said_by(fold.train())
    kept = [path.stat().st_size for path in (wanted.folder / "checkpoints").iterdir()]
    prepared = sum(path.stat().st_size for path in wanted.studies.iterdir())
    _, work = costs.reckon_slices(wanted.config, None, tmp_path)
    found = reckoned(work, report(slices={"train/lesions": 9, "train/images": 9}))
    assert found.disk == pytest.approx(max(kept) * 3 + prepared, rel=0.2)
    assert prepared < 18 * 3 * SIDE**2 * 1.2
