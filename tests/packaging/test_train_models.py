"""The command that trains the shipped models: faults in words, and a net that is there already is not trained again."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ctviewer.app.progress import ProgressLine
from ctviewer.nets.one_shot import OneShot, light_options
from ctviewer.training.starter.chests import LUNG, SCANNED, Chest

SCRIPT = Path(__file__).resolve().parents[2] / "packaging" / "train_models.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("train_models", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_faults_are_told_in_one_sentence(script, monkeypatch, capsys, tmp_path) -> None:
    missing, threads = tmp_path / "nowhere", torch.get_num_threads()
    words = ["train_models.py", "lesions", "--covid19-ct-seg", str(missing), "--work", str(tmp_path), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [*words, "--threads", str(threads)])
    assert script.main() == 2
    told = capsys.readouterr().err.strip()
    assert str(missing) in told and "\n" not in told


@pytest.mark.parametrize(("text", "numbers"), [("1", (1,)), ("2,5", (2, 5))])
def test_folds_are_numbered(script, text, numbers) -> None:
    assert script._folds(text) == numbers


@pytest.mark.parametrize("text", ["0", "6", "1,9"])
def test_other_folds_are_refused(script, text) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="1 to 5"):
        script._folds(text)


def test_a_net_that_is_kept_is_taken_and_one_of_another_recipe_is_not(script, monkeypatch, tmp_path) -> None:
    trained = []

    def train(net, _chests, plan, batch):
        trained.append((plan.seed, batch))
        torch.nn.init.constant_(net.rpn.head.cls_logits.bias, float(len(trained)))
        return iter(())

    monkeypatch.setattr(script, "new_lesion_net", lambda: OneShot(3, **light_options(64, 16, 16)))
    monkeypatch.setattr(script, "train_lesions", train)
    chests = (Chest("a", "a", SCANNED, np.zeros((2, 8, 8), np.int16), np.full((2, 8, 8), LUNG, np.uint8)),)

    def made(seed: int) -> float:
        arguments = argparse.Namespace(work=tmp_path, seed=seed, device="cpu")
        net, seconds = script._final(chests, arguments, ProgressLine(quiet=True))
        assert seconds >= 0.0
        return float(net.rpn.head.cls_logits.bias[0])

    assert [made(0), made(0), made(1), made(0)] == [1.0, 1.0, 2.0, 1.0]
    assert trained == [(0, script.BATCH), (1, script.BATCH)]
