"""What a step is given: views of long studies, balanced classes, and draws that can be repeated."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from ctviewer.training.augment import draw_study
from ctviewer.training.sampling import (
    Subsequence,
    draw_generator,
    inverse_frequency,
    paper_pose,
    training_sequences,
)


def test_long_studies_are_four_views_that_hold_every_slice_once():
    sequences = training_sequences({"short": 199, "long": 203})
    assert sequences[0] == Subsequence("short") and len(sequences) == 5
    order = np.arange(203)[::-1]
    parts = [one.of(order) for one in sequences[1:]]
    assert all(np.shares_memory(part, order) for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(203))
    assert parts[1].tolist()[:3] == [201, 197, 193]


def test_weights_give_every_class_the_same_share():
    weights = inverse_frequency([["a"]] * 6 + [["b"]] * 2)
    np.testing.assert_allclose(weights[:6].sum(), 0.5)
    np.testing.assert_allclose(weights.sum(), 1.0)
    assert inverse_frequency([["a", "b"], ["a"], ["a"]])[0] > 1 / 3


def test_draws_repeat_after_k_epochs_and_differ_by_seed_study_and_epoch():
    def first(*key: object) -> float:
        return float(draw_generator(*key).random())  # type: ignore[arg-type]  # a row of four

    assert first(1, "s", 3, 8) == first(1, "s", 11, 8)
    others = {first(1, "s", 3, 8), first(2, "s", 3, 8), first(1, "t", 3, 8), first(1, "s", 4, 8)}
    assert len(others) == 4


def test_draws_are_the_same_in_another_process():
    code = "from ctviewer.training.sampling import draw_generator as d; print(repr(float(d(1, 's', 3, 8).random())))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(told.stdout) == float(draw_generator(1, "s", 3, 8).random())


def test_all_slices_of_a_study_are_turned_alike():
    draw = draw_study(paper_pose(32, 28), draw_generator(0, "s", 0, 8), 5, 32, 28)
    assert draw.grid.shape == (1, 28, 28, 2)
    grey = torch.rand(1, 1, 32, 32).expand(5, -1, -1, -1)
    out = draw.apply(grey, np.arange(5), 0.0)
    assert all(torch.equal(one, out[0]) for one in out)


def test_a_crop_without_rotation_lies_inside_the_square():
    pose = paper_pose(256, 224, degrees=0.0)
    corners = []
    for epoch in range(200):
        grid = draw_study(pose, draw_generator(0, "s", epoch, 200), 1, 256, 224).grid
        pixel = (grid[0] + 1) * 128 - 0.5
        corners += [pixel[0, 0], pixel[-1, -1]]
        torch.testing.assert_close(pixel[0, 1] - pixel[0, 0], torch.tensor([1.0, 0.0]), atol=1e-3, rtol=0)
    found = torch.stack(corners)
    assert float(found.min()) > -0.01 and float(found.max()) < 255.01
    assert float(found[::2].max()) > 28, "crops reach the far side too"


def test_the_rotation_stays_within_ten_degrees():
    angles = []
    for epoch in range(200):
        grid = draw_study(paper_pose(64, 56), draw_generator(3, "s", epoch, 200), 1, 64, 56).grid[0]
        step = grid[0, 1] - grid[0, 0]
        angles.append(float(torch.rad2deg(torch.atan2(step[1], step[0]))))
    assert max(map(abs, angles)) <= 10.01 and max(angles) > 8 and min(angles) < -8
