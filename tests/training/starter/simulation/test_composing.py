"""Lesions laid into a chest: where, how dense, and what is marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.training.starter.chests import INFECTION
from ctviewer.training.starter.simulation.composing import BLOOD_HU, compose
from ctviewer.training.starter.simulation.host import LEFT, RIGHT, Host, host_of
from ctviewer.training.starter.simulation.patterns import BAND, DRAWN, LOBAR, NODULES, ROUNDED, Finding, Lesion
from ctviewer.training.starter.simulation.shapes import place
from ctviewer.training.starter.simulation.surroundings import add_fluid, add_surroundings

HAZE = -550.0


def lesion_of(outline: str, **changes: object) -> Lesion:
    return replace(Lesion(outline, RIGHT, None, 0.6, 0.8, 15.0, 30.0, HAZE, 0.0, False), **changes)


@pytest.fixture
def host(clean_of) -> Host:
    return host_of(clean_of(5), 10.0)


def laid(lesion: Lesion, host: Host, source, seed: int = 0):
    """HU and labels with one lesion, and where it was laid."""
    rng = np.random.default_rng(seed)
    placed = place(lesion, host, source.library, rng)
    assert placed is not None
    hu = host.chest.hu.astype(np.float32)
    labels, donors = compose(hu, host, [placed], source.library, rng)
    return hu, labels, donors, placed


@pytest.mark.parametrize("outline", [ROUNDED, DRAWN, BAND, LOBAR, NODULES])
def test_it_lies_in_its_lung_and_nowhere_else(outline: str, host: Host, source) -> None:
    hu, labels, _, _ = laid(lesion_of(outline), host, source)
    marked = labels == INFECTION
    assert marked.sum() > 15
    assert (host.side[marked] == RIGHT).all()
    np.testing.assert_array_equal(labels > 0, host.chest.labels > 0)
    changed = hu != host.chest.hu
    assert (host.side[changed] == RIGHT).all(), "outside the lung nothing changes"
    assert hu[marked].mean() > host.chest.hu[marked].mean() + 120


def test_ground_glass_has_its_level_and_leaves_vessels_as_they_are(host: Host, source) -> None:
    hu, _, _, placed = laid(lesion_of(ROUNDED), host, source)
    whole = np.zeros(hu.shape, bool)
    whole[placed.box] = placed.share > 0.95
    before = host.chest.hu
    parenchyma, vessels = whole & (before < -780), whole & (before > -60)
    assert vessels.any()
    assert float(np.median(hu[parenchyma])) == pytest.approx(HAZE, abs=60)
    assert float(np.abs(hu - before)[vessels].max()) < 110, "no brighter than blood"
    assert hu[whole].max() <= max(BLOOD_HU + 120, before[whole].max())


def test_consolidation_is_soft_tissue_with_open_airways_where_drawn(host: Host, source) -> None:
    solid = lesion_of(LOBAR, core=0.95)
    hu, _, _, placed = laid(solid, host, source)
    core = (placed.core * placed.share) > 0.95
    assert core.sum() > 30
    assert -80 < float(np.median(hu[placed.box][core])) < 80
    assert float((hu[placed.box][core] < -500).mean()) < 0.02
    airy, _, _, again = laid(replace(solid, bronchograms=True), host, source)
    np.testing.assert_array_equal(again.share, placed.share)
    opened = (hu - airy)[placed.box][core] > 150  # airways are finer than these pixels
    assert 0.005 < float(opened.mean()) < 0.4


def test_it_keeps_to_its_lobe(host: Host, source) -> None:
    for lower in (True, False):
        _, labels, _, placed = laid(lesion_of(LOBAR, lower=lower, height=0.5, back=0.5), host, source)
        behind = host.behind_fissure(placed.box)[labels[placed.box] == INFECTION]
        assert float(((behind > -12) if lower else (behind < 12)).mean()) > 0.95


def test_it_is_near_the_place_that_was_drawn(host: Host, source) -> None:
    for height, back in ((0.2, 0.3), (0.8, 0.9)):
        at = lesion_of(ROUNDED, height=height, back=back, depth=12.0, radius=16.0, side=LEFT)
        slices, rows = [], []
        for seed in range(6):
            _, labels, _, _ = laid(at, host, source, seed)
            found = np.nonzero(labels == INFECTION)
            slices.append(host.height[found[0]].mean())
            rows.append(host.back[found[1]].mean())
        assert np.mean(slices) == pytest.approx(height, abs=0.08)
        assert np.mean(rows) == pytest.approx(back, abs=0.15)


def test_drawn_outlines_name_their_patient(host: Host, source) -> None:
    _, _, donors, placed = laid(lesion_of(DRAWN), host, source)
    assert placed.donors and placed.donors <= donors <= {"a", "b"}


def test_neighbouring_slices_hang_together(host: Host, source) -> None:
    _, labels, _, _ = laid(lesion_of(ROUNDED, radius=40.0), host, source)
    areas = (labels == INFECTION).sum(axis=(1, 2))
    shown = np.flatnonzero(areas)
    assert len(shown) >= 4 and (np.diff(shown) == 1).all()
    k = int(areas.argmax())
    both = (labels[k] == INFECTION) & (labels[k + 1] == INFECTION)
    assert both.sum() > 0.5 * areas[k + 1]


def test_a_lung_that_is_not_seen_takes_no_lesion(host: Host, source) -> None:
    alone = replace(host, side=np.where(host.side == LEFT, host.side, 0).astype(np.int8))
    assert place(lesion_of(ROUNDED), alone, source.library, np.random.default_rng(0)) is None


def test_fluid_lies_behind_and_below_and_is_no_lung(host: Host) -> None:
    finding = Finding((), (0.2, 0.0), 0.0, 0, 0)
    hu, labels = host.chest.hu.astype(np.float32), host.chest.labels.copy()
    add_fluid(hu, labels, finding, host, np.random.default_rng(0))
    wet = labels != host.chest.labels
    assert wet.any() and (labels[wet] == 0).all()
    assert (host.side[wet | (hu != host.chest.hu)] == RIGHT).all()
    assert host.back[np.nonzero(wet)[1]].min() > 0.45 and host.height[np.nonzero(wet)[0]].min() > 0.3
    assert float(hu[wet].mean()) == pytest.approx(8, abs=3)


def test_surroundings_are_dense_at_the_back_and_no_finding(host: Host) -> None:
    hu = host.chest.hu.astype(np.float32)
    add_surroundings(hu, Finding((), (0.0, 0.0), 120.0, 0, 0), host, np.random.default_rng(0))
    added = hu - host.chest.hu
    assert (added[~host.room] == 0).all() and added.min() >= 0 and added.max() <= 121
    front, back = (host.room & b[None, :, None] for b in (host.back < 0.5, host.back > 0.9))
    assert added[front].max() == 0 and added[back].mean() > 5
    hu = host.chest.hu.astype(np.float32)
    add_surroundings(hu, Finding((), (0.0, 0.0), 0.0, 3, 3), host, np.random.default_rng(0))
    changed = np.abs(hu - host.chest.hu) > 30
    assert changed.any() and (host.room[changed]).all() and hu.max() <= max(60.0, host.chest.hu.max())
