"""What a run takes, before it starts."""

from __future__ import annotations

import pytest
import torch

from ctviewer.core.events import Done
from ctviewer.training.engine import costs
from ctviewer.training.engine.run import run
from ctviewer.training.engine.starts import start_net
from ctviewer.training.preflight.estimates import estimate_run

LABELS = [("well",), ("sick",)]


def test_a_step_is_timed_and_leaves_the_net_alone(small_config, tmp_path, monkeypatch) -> None:
    made = []
    monkeypatch.setattr(costs, "start_net", lambda *told: made.append(start_net(*told)) or made[-1])
    plan, step = costs.reckon(small_config(), LABELS, 80, None, tmp_path / "not" / "there")
    before = {name: tensor.clone() for name, tensor in made[0].net.state_dict().items()}
    cost = step(5)
    assert cost.seconds > 0
    assert cost.memory > 1e6
    assert all(torch.equal(tensor, before[name]) for name, tensor in made[0].net.state_dict().items())
    assert (plan.epochs, plan.feature_bytes) == (2, 0)
    assert plan.free_disk is not None
    assert isinstance(list(estimate_run(step, [3, 5], [4], plan))[-1], Done)


@pytest.mark.usefixtures("no_figures")
def test_checkpoints_take_room(small_config, inputs, tmp_path) -> None:
    plan, _ = costs.reckon(small_config(), LABELS, 80, None, tmp_path)
    wanted = inputs(small_config(minutes=0.0, epochs=1))
    list(run(wanted))
    kept = [path.stat().st_size for path in (wanted.folder / "checkpoints").iterdir()]
    assert len(kept) == 2
    assert max(kept) * 3 == pytest.approx(plan.state_bytes, rel=0.05)


def test_folds_count_and_frozen_features_take_room(small_config, toy_bundle, tmp_path) -> None:
    config = small_config(
        data={"cross_validation": "auto", "folds": 5, "repeats": 2}, model={"start": "base"}, trainable="none", draws=4
    )
    plan, step = costs.reckon(config, LABELS, 49, toy_bundle, tmp_path)
    assert (plan.epochs, plan.draws, plan.feature_bytes) == (2 * 11, 4, 128 * 4)
    assert step(3).seconds > 0
    assert costs.reckon(config, LABELS, 50, toy_bundle, tmp_path)[0].epochs == 2
