"""How often what is drawn, against what the sources say."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.starter.simulation.patterns import (
    CLASSES,
    CONTROL,
    COVID,
    LOBAR,
    NODULES,
    PNEUMONIA,
    Finding,
    draw_finding,
)


def drawn(label: str, count: int = 1500) -> list[Finding]:
    rng = np.random.default_rng(3)
    return [draw_finding(label, rng) for _ in range(count)]


def share(of: list[bool]) -> float:
    return float(np.mean(of))


def test_controls_have_no_disease() -> None:
    assert not any(found.lesions for found in drawn(CONTROL))
    assert all(found.lesions for label in (PNEUMONIA, COVID) for found in drawn(label, 300))


def test_covid_is_of_both_lungs_peripheral_posterior_and_mostly_hazy() -> None:
    found = drawn(COVID)
    assert share([len({one.side for one in f.lesions}) == 2 for f in found]) == pytest.approx(0.88, abs=0.03)
    lesions = [one for f in found for one in f.lesions]
    assert share([one.depth < 14 for one in lesions]) == pytest.approx(0.85, abs=0.03)
    assert share([one.back > 0.6 for one in lesions]) == pytest.approx(0.8, abs=0.03)
    assert share([one.height > 0.5 for one in lesions]) > 0.65
    assert 0.2 < share([one.core > 0 for one in lesions]) < 0.5
    assert not any(one.outline in (LOBAR, NODULES) for one in lesions)
    assert 0.03 < share([max(f.effusion) > 0 for f in found]) < 0.1


def test_pneumonia_is_mostly_one_dense_focus() -> None:
    found = drawn(PNEUMONIA)
    assert share([len({one.side for one in f.lesions}) == 1 for f in found]) == pytest.approx(0.6, abs=0.04)
    assert share([any(one.outline == LOBAR and one.core >= 0.5 for one in f.lesions) for f in found]) > 0.75
    assert 0.17 < share([any(one.outline == NODULES for one in f.lesions) for f in found]) < 0.54
    assert 0.1 < share([max(f.effusion) > 0 for f in found]) < 0.39
    assert share([one.lower is True for f in found for one in f.lesions]) == pytest.approx(0.65, abs=0.05)


def test_what_is_no_disease_is_as_frequent_in_every_class() -> None:
    by_class = [drawn(label) for label in CLASSES]
    for measure in (lambda f: f.gravity > 0, lambda f: f.gravity, lambda f: f.scars, lambda f: f.specks):
        means = [float(np.mean([measure(f) for f in found])) for found in by_class]
        assert np.ptp(means) < 0.1 * np.mean(means)
