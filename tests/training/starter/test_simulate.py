"""Simulated studies: the class is in the lungs alone, no patient on two sides, one seed one study."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.training.preflight.shortcuts import shortcuts_of
from ctviewer.training.splits import Case
from ctviewer.training.starter.chests import INFECTION, PHANTOM, SCANNED
from ctviewer.training.starter.simulate import (
    Material,
    SimulatedStudy,
    material,
    simulate,
    studies,
)
from ctviewer.training.starter.simulation.patterns import CLASSES, CONTROL


@pytest.fixture(scope="module")
def source(chest_of) -> Material:
    clean = [
        replace(chest_of(seed, 20 + 4 * seed, infected=False, patient=patient, kind=kind), name=f"clean {patient}")
        for seed, (patient, kind) in enumerate([("a", "recovered"), ("b", "recovered"), ("s", SCANNED), ("g", PHANTOM)])
    ]
    donors = []
    for seed, patient in ((11, "a"), (12, "b")):
        chest = chest_of(seed, 12, patient=patient)
        rng, hu = np.random.default_rng(seed), chest.hu.copy()
        for i in range(len(hu)):
            ill = chest.labels[i] == INFECTION
            hu[i, ill] = (20 if i % 2 else -560) + rng.normal(0, 60, int(ill.sum()))
        donors.append(replace(chest, name=f"donor {patient}", hu=hu))
    return material(clean, donors, {chest.name: 3.0 for chest in (*clean, *donors)})


@pytest.fixture(scope="module")
def made(source: Material) -> list[SimulatedStudy]:
    return list(studies(source, 8, seed=5))


def test_one_seed_one_study(source: Material, made: list[SimulatedStudy]) -> None:
    again = simulate(source, CLASSES[2], 3, seed=5)
    same = made[3 * 3 + 2]
    np.testing.assert_array_equal(again.chest.hu, same.chest.hu)
    np.testing.assert_array_equal(again.chest.labels, same.chest.labels)
    assert (again.chest.name, again.patients) == (same.chest.name, same.patients)
    assert not np.array_equal(simulate(source, CLASSES[2], 3, seed=6).chest.hu[:4], same.chest.hu[:4])


def test_slices_are_labelled_by_construction(made: list[SimulatedStudy]) -> None:
    assert [study.label for study in made] == list(CLASSES) * 8
    for study in made:
        assert study.chest.infected.any() == (study.label != CONTROL)
        assert len(study.chest.hu) >= 6 and study.chest.hu.dtype == np.int16 and study.chest.labels.dtype == np.uint8
        assert study.chest.hu.min() >= -1024 and study.chest.hu.max() <= 3071
    ill = [study for study in made if study.label != CONTROL]
    assert np.mean([study.chest.infected.mean() for study in ill]) < 0.95, "there are clean slices beside them"


def test_classes_differ_in_the_lungs_alone(made: list[SimulatedStudy]) -> None:
    for number in range(0, len(made), 3):
        control, *others = made[number : number + 3]
        for other in others:
            for fact in ("host", "spacing", "thickness"):
                assert getattr(other, fact) == getattr(control, fact)
            assert other.chest.hu.shape == control.chest.hu.shape
            rows = slice(0, 8)  # air above the patient, and noise
            np.testing.assert_array_equal(other.chest.hu[:, rows], control.chest.hu[:, rows])
            assert not np.array_equal(other.chest.hu, control.chest.hu)


@dataclass(frozen=True)
class Known:
    """Meets preflight's protocol of what is known of a study."""

    study: str
    case: Case
    of: SimulatedStudy
    error: str = ""


def test_no_class_is_told_by_how_a_study_was_made(made: list[SimulatedStudy]) -> None:
    """Preflight's test for shortcuts; studies of one number count as one patient, as they share a chest."""
    known = [Known(s.chest.name, Case(s.chest.name, f"number {i // 3}", (s.label,)), s) for i, s in enumerate(made)]
    read = {
        "slice count": lambda one: float(len(one.of.chest.hu)),
        "thickness": lambda one: one.of.thickness,
        "spacing": lambda one: one.of.spacing,
        "host": lambda one: one.of.host,
        "kind": lambda one: one.of.chest.kind,
    }
    found = list(shortcuts_of(known, read))
    assert {one.fact for one in found} >= set(read)
    assert max(one.auc for one in found) < 0.6


def test_thickness_and_spacing_vary(source: Material, made: list[SimulatedStudy]) -> None:
    assert len({study.spacing for study in made}) > 1 and len({study.thickness for study in made}) > 1
    assert all(study.thickness <= study.spacing for study in made)
    assert len({study.host for study in made}) > 2


def test_a_study_names_all_its_patients(made: list[SimulatedStudy]) -> None:
    for study in made:
        assert study.host.removeprefix("clean ") in study.patients
        assert study.patients <= {"a", "b", "s", "g"}
        assert study.chest.patient == " + ".join(sorted(study.patients))
        if study.label != CONTROL:
            assert study.patients & {"a", "b"}, "whose lesions they are"
        else:
            assert len(study.patients) == 1


def test_material_without_use_is_refused(chest_of) -> None:
    with pytest.raises(InputError, match="No chest without infection"):
        material([], [chest_of()])
    with pytest.raises(InputError, match="recovered 0 shows infection"):
        material([chest_of()], [chest_of()])
    with pytest.raises(InputError, match="too little"):
        material([chest_of(infected=False)], [])
