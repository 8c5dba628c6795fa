"""Studies put together from features: which slices are infected is known, and nothing else tells them from clean ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.chests import INFECTION, LUNG, SCANNED
from ctviewer.training.starter.scanner import Scanner
from ctviewer.training.starter.sequences import Encoded, clean_study, encode_chests, study

P = Preprocessing(-600.0, 1500.0, 96, 96, (0.5,), (0.3,))
D, N = 3, 40
QUIET = Scanner(noise=(1e-4, 2e-4))


def encoded(patient: str, n: int = N, sick: bool = True, ends=(0, 0), draws: int = 2) -> Encoded:
    """Features tell where they come from: draw, slice, and 1 with infection, 0 without, -1 at the ends of a clean chest."""
    features = np.zeros((draws, n, D), np.float32)
    features[..., 0], features[..., 1] = np.arange(draws)[:, None], np.arange(n)
    features[..., 2] = 1 if sick else -1
    clean = features * [1, 1, 0] if sick else None
    return Encoded(patient, features, clean, np.full(n, sick), ends)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def net() -> StudyClassifier:
    torch.manual_seed(0)
    return StudyClassifier(2, encoder_options={"width": 16}, aggregator="lstm_attention")


@pytest.fixture(scope="module")
def made(net, chest_of) -> list[Encoded]:
    found: list[Encoded] = []
    whole = chest_of(2, slices=6, infected=False, kind=SCANNED)
    labels = whole.labels.copy()
    labels[0], labels[-2:] = 0, 0  # above and below the lungs
    chests = [chest_of(0, slices=6), replace(whole, labels=labels)]
    events = list(encode_chests(net, chests, found, preprocessing=P, draws=2, seed=0, scanner=QUIET))
    assert len(events) == 2
    return found


def test_what_is_encoded(made, chest_of) -> None:
    sick, well = made
    assert sick.features.shape == sick.clean.shape == (3, 6, sick.features.shape[2])
    pixels = (chest_of(0, slices=6).labels == INFECTION).sum(axis=(1, 2))
    assert sick.infected.tolist() == (pixels >= 12).tolist() and sick.infected.sum() == 4
    assert well.clean is None and not well.infected.any() and (sick.ends, well.ends) == ((0, 0), (1, 2))


def test_with_and_without_infection_differ_by_the_infection_alone(made) -> None:
    """The same draw of scanner and noise: slices that never showed any have the same features; every other draw has seams."""
    sick = made[0]
    same = np.isclose(sick.features, sick.clean, atol=1e-6).all(axis=2)
    assert same[::2, ~sick.infected].all() and not same[:, sick.infected].any()
    assert not same[1::2, ~sick.infected].all()


def test_features_are_the_nets(made, net, chest_of) -> None:
    hu = torch.from_numpy(chest_of(0, slices=6).hu).float()[:, None]
    with torch.inference_mode():
        expected = net.encode((((hu + 1350) / 1500).clamp(0, 1) - 0.5) / 0.3).float().numpy()
    np.testing.assert_allclose(made[0].features[0], expected, atol=0.05 * float(np.abs(expected).max()))


def test_equal_seeds_encode_alike(net, chest_of) -> None:
    def features(seed: int) -> Encoded:
        found: list[Encoded] = []
        list(encode_chests(net, [chest_of(0)], found, preprocessing=P, draws=1, seed=seed))
        return found[0]

    one, same, other = features(0), features(0), features(1)
    np.testing.assert_array_equal(one.features, same.features)
    np.testing.assert_array_equal(one.clean, same.clean)
    np.testing.assert_array_equal(one.features[0], other.features[0])
    assert (one.features[1] != other.features[1]).any()


def test_slices_are_called_infected_where_the_infection_stays(rng) -> None:
    chest, shares = encoded("a"), []
    for _ in range(200):
        features, shown = study([chest], chest, rng)
        np.testing.assert_array_equal(features[:, 2], shown)
        np.testing.assert_array_equal(features[:, 1], np.arange(N))
        assert len(set(features[:, 0])) == 1, "one scanner for a study"
        shares.append(float(shown.mean()))
    assert min(shares) > 0 and min(shares) < 0.15 and shares.count(1.0) > 40


def test_specks_alone_make_no_infected_study(rng) -> None:
    chest = encoded("a")
    rare = np.zeros(N, bool)
    rare[17] = True
    for _ in range(100):
        _, shown = study([chest], replace(chest, infected=rare), rng)
        assert shown.sum() == 1, "what is called infected shows it"


def test_clean_studies_show_none(rng) -> None:
    sick, well = encoded("a"), encoded("b", sick=False, ends=(4, 6))
    for _ in range(50):
        features, shown = clean_study([sick, well], sick, rng)
        assert not shown.any() and not (features[:, 2] == 1).any()
        features, shown = clean_study([sick, well], well, rng)
        assert not shown.any() and len(features) == N


def test_ends_come_from_clean_whole_chests_and_are_clean(rng) -> None:
    sick, well = encoded("a"), encoded("b", sick=False, ends=(4, 6))
    grown = 0
    for make in (study, clean_study):
        for _ in range(60):
            features, shown = make([sick, well], sick, rng)
            above, below = features[features[:, 2] == -1][:, 1], features[:, 2] == -1
            grown += bool(below.any())
            assert set(above) <= {*range(4), *range(N - 6, N)} and not shown[below].any()
            np.testing.assert_array_equal(
                features[~below][:, 1], np.arange(N), err_msg="the chest lies between its ends"
            )
            assert len(features) <= 1.5 * N
    assert grown > 80
    features, _ = study([sick, encoded("c", ends=(4, 6))], sick, rng)
    assert len(features) == N, "no ends of infected chests"


def test_one_seed_one_study() -> None:
    chests = [encoded("a"), encoded("b", sick=False, ends=(4, 6))]
    one, same = (study(chests, chests[0], np.random.default_rng(3)) for _ in range(2))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)


def test_infection_in_part_of_a_lung_slice_counts_from_a_few_pixels(net, chest_of) -> None:
    chest = chest_of(5, slices=3, infected=False)
    labels = chest.labels.copy()
    rows, columns = np.nonzero(labels[1] == LUNG)
    labels[1, rows[:11], columns[:11]] = INFECTION
    labels[2, rows[:12], columns[:12]] = INFECTION
    found: list[Encoded] = []
    list(encode_chests(net, [replace(chest, labels=labels)], found, preprocessing=P, draws=0, seed=0))
    assert found[0].infected.tolist() == [False, False, True]
