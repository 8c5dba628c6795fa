"""Where a pixel lies in a chest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctviewer.core.errors import InputError
from ctviewer.training.starter.chests import LUNG, PHANTOM, RECOVERED
from ctviewer.training.starter.simulation.host import LEFT, RIGHT, host_of, resampled, spacing_of


def test_sides_follow_the_patient(clean_of) -> None:
    host = host_of(clean_of(0), 8.0)
    columns = np.nonzero(host.side == RIGHT)[2], np.nonzero(host.side == LEFT)[2]
    assert columns[0].max() < columns[1].min(), "columns go to the patient's left"
    assert ((host.side != 0) == host.room).all()
    assert (host.room | (host.chest.labels != LUNG)).all()


def test_the_scale_is_that_of_lungs(clean_of) -> None:
    host = host_of(clean_of(0), 8.0)
    columns = np.flatnonzero((host.chest.labels == LUNG).any(axis=(0, 1)))
    assert host.pixel * (columns[-1] - columns[0] + 1) == pytest.approx(265.0)


def test_depth_is_from_the_chest_wall_not_from_the_mediastinum(clean_of) -> None:
    host = host_of(clean_of(0), 8.0)
    row = host.depth.shape[1] // 2
    lung = np.flatnonzero(host.side[0, row] == RIGHT)
    along = host.depth[0, row, lung]
    assert (np.diff(along) >= 0).all(), "it grows to the middle of the chest"
    assert along[0] == pytest.approx(host.pixel, rel=0.01)
    plain = ndimage.distance_transform_edt(host.room[0])[row, lung] * host.pixel
    assert along[-1] > 3 * plain[-1], "the mediastinal side of a lung is deep"


def test_heights_go_by_the_ends_that_are_seen(clean_of) -> None:
    chest = clean_of(0, 20)
    whole, middle = host_of(chest, 30.0), host_of(chest, 4.0)
    np.testing.assert_allclose(whole.height, np.linspace(0, 1, 20), atol=1e-6)
    assert middle.height[[0, -1]].mean() == pytest.approx(0.5) and np.ptp(middle.height) == pytest.approx(19 * 4 / 230)
    labels = chest.labels.copy()
    labels[-1, :40] = 0
    labels[-1, 50:] = 0
    base = host_of(replace(chest, labels=labels), 4.0)
    assert base.height[-1] == pytest.approx(1.0) and base.height[0] == pytest.approx(1 - 19 * 4 / 230)
    apex = host_of(replace(chest, labels=labels[::-1], hu=chest.hu[::-1]), 4.0)
    assert apex.height[0] == pytest.approx(0.0)


def test_lower_lobes_lie_low_and_behind(clean_of) -> None:
    host = host_of(clean_of(0), 30.0)
    box = (slice(0, 20), slice(0, 96), slice(0, 96))
    lower = (host.behind_fissure(box) > 0) & host.room
    share = lower.sum(axis=(1, 2)) / host.room.sum(axis=(1, 2))
    assert share[0] == 0 and share[-1] > 0.8 and (np.diff(share) >= -0.02).all()
    assert np.nonzero(lower[12])[0].mean() > np.nonzero(host.room[12] & ~lower[12])[0].mean()
    assert 0.35 < lower.sum() / host.room.sum() < 0.65


def test_infected_or_empty_chests_are_refused(chest_of, clean_of) -> None:
    with pytest.raises(InputError, match="shows infection"):
        host_of(chest_of(), 5.0)
    chest = clean_of(0)
    with pytest.raises(InputError, match="no lungs"):
        host_of(replace(chest, labels=np.zeros_like(chest.labels)), 5.0)


def test_thicker_slices_are_means(clean_of) -> None:
    chest = clean_of(0, 12)
    thin = resampled(chest, 3, 3, 1)
    assert len(thin.hu) == 4
    np.testing.assert_array_equal(thin.hu[1], chest.hu[3:6].mean(axis=0).round())
    np.testing.assert_array_equal(thin.labels, chest.labels[1::3])
    np.testing.assert_array_equal(resampled(chest, 2, 1).hu, chest.hu[::2])


def test_spacings_that_nobody_knows(chest_of) -> None:
    assert spacing_of(chest_of(kind=RECOVERED)) == 1.25
    part = chest_of(slices=23, kind=PHANTOM)
    assert spacing_of(part) == 2.5, "neither apices nor bases are in sight"
    labels = part.labels.copy()
    labels[0] = 0
    assert spacing_of(replace(part, labels=labels)) == 10.0
