from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.scales import area_fraction, attention_fraction


def test_uniform_attention_has_the_same_length_in_every_study() -> None:
    assert attention_fraction(np.array([0.0, 1.0, 8.0, 50.0])) == pytest.approx([0, 1 / np.log2(9), 1, 1])


def test_lesion_area_by_its_square_root() -> None:
    assert area_fraction(np.array([-1.0, 100.0, 10_000.0, 1e6])) == pytest.approx([0, 0.1, 1, 1])
    assert np.isnan(area_fraction(np.array([np.nan]))[0])
