"""Statistics of each image, and pictures beside Hounsfield units, against plain arithmetic."""

import dataclasses

import numpy as np
import pytest
import torch

from ctviewer.core.slices import GREY, HU
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import normalised, outside_grey, slice_input

FIXED = Preprocessing(-600.0, 1500.0, 32, 32, (0.4,), (0.2,))
EACH = dataclasses.replace(FIXED, mean=(0.0,) * 3, std=(1.0,) * 3, per_image=True)


def test_each_image_has_mean_0_and_the_unbiased_deviation_1():
    grey = torch.from_numpy(np.random.default_rng(0).random((4, 1, 32, 32), np.float32))
    grey[2] = 0.217  # nothing to see
    grey[3] = 0.5 + 1e-8 * grey[3]
    given = normalised(grey, EACH).numpy()
    assert given.shape == (4, 3, 32, 32)
    for image, out in zip(grey[:2, 0].numpy().astype(np.float64), given[:2], strict=True):
        wanted = (image - image.mean()) / image.std(ddof=1)
        assert all(np.allclose(channel, wanted, atol=1e-5) for channel in out)
    assert not given[2:].any()


def test_fixed_statistics_are_as_before():
    grey = torch.rand(2, 1, 32, 32)
    assert torch.allclose(normalised(grey, FIXED), (grey - 0.4) / 0.2)


def test_hounsfield_units_have_the_window_and_pictures_their_own():
    hu = np.random.default_rng(1).uniform(-1400, 400, (2, 32, 32)).astype(np.float32)
    window = (np.maximum(hu, -1024) + 1350) / 1500
    np.testing.assert_allclose(slice_input(hu, HU, FIXED)[:, 0], (window.clip(0, 1) - 0.4) / 0.2, atol=1e-5)
    grey = np.random.default_rng(1).random((2, 32, 32), np.float32)
    np.testing.assert_allclose(slice_input(grey, GREY, FIXED)[:, 0], (grey - 0.4) / 0.2, atol=1e-5)


@pytest.mark.parametrize(("unit", "outside"), [(HU, (1350 - 1024) / 1500), (GREY, 0.0)])
def test_what_is_padded_is_air_or_black(unit, outside):
    assert outside_grey(unit, FIXED) == pytest.approx(outside, abs=1e-6)
    plain = dataclasses.replace(FIXED, mean=(0.0,), std=(1.0,))
    given = slice_input(np.full((1, 32, 16), 0.9 if unit == GREY else 0.0, np.float32), unit, plain)[0, 0]
    assert torch.allclose(given[:, :8], torch.tensor(outside, dtype=torch.float32), atol=1e-6)
    assert float(given[:, 8:24].min()) == pytest.approx(0.9, abs=1e-6)
    assert slice_input(np.zeros((0, 8, 8), np.float32), unit, EACH).shape == (0, 3, 32, 32)
