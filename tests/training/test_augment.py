"""Augmentation: image and labels move together, and one draw can serve a whole study."""

from __future__ import annotations

import numpy as np
import torch

from ctviewer.training.augment import Pose, draw_grid, sample_grey, sample_labels, vary_grey

STILL = Pose(degrees=0, zoom=(1, 1), shift=0, grey_shift=0, grey_gain=(1, 1), noise=0, blur=0)


def test_no_pose_is_the_centre_crop() -> None:
    rng = np.random.default_rng(0)
    grey = torch.rand(2, 1, 32, 32)
    grid = draw_grid(STILL, rng, 2, 32, 28)
    torch.testing.assert_close(sample_grey(grey, grid, 0.2), grey[..., 2:30, 2:30], atol=1e-4, rtol=0)
    torch.testing.assert_close(vary_grey(grey, STILL, rng, together=True), grey)


def test_labels_move_with_the_image() -> None:
    rng = np.random.default_rng(1)
    labels = torch.zeros(4, 64, 64, dtype=torch.uint8)
    labels[:, 20:44, 24:40] = 3
    grid = draw_grid(Pose(), rng, 4, 64, 64)
    moved = sample_labels(labels, grid)
    image = sample_grey((labels == 3).float()[:, None], grid, 0.0)[:, 0]
    assert not torch.equal(moved, labels)
    assert bool(((moved == 3) == (image > 0.5)).float().mean() > 0.98)
    assert set(moved.unique().tolist()) == {0, 3}


def test_what_comes_in_from_outside_is_air() -> None:
    grid = draw_grid(Pose(degrees=0, zoom=(2, 2), shift=0), np.random.default_rng(0), 1, 32, 32)
    out = sample_grey(torch.ones(1, 1, 32, 32), grid, 0.25)
    assert float(out[0, 0, 0, 0]) == 0.25 and float(out[0, 0, 16, 16]) == 1.0


def test_together_is_one_draw_for_all_slices() -> None:
    pose = Pose(noise=0.0)
    grey = torch.rand(1, 1, 16, 16).expand(5, -1, -1, -1)
    same = vary_grey(grey, pose, np.random.default_rng(2), together=True)
    assert all(torch.equal(s, same[0]) for s in same)
    apart = vary_grey(grey, pose, np.random.default_rng(2), together=False)
    assert not torch.equal(apart[0], apart[1])


def test_grey_stays_between_0_and_1() -> None:
    out = vary_grey(torch.rand(8, 1, 16, 16), Pose(noise=0.5), np.random.default_rng(0), together=False)
    assert float(out.min()) >= 0.0 and float(out.max()) <= 1.0
