"""The fixed set: which studies, that no training draws from them, and that it is the same every time."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

from ctviewer.datasets.phantom import HELD_OUT_FAMILIES, PhantomSpec, Variant
from ctviewer.datasets.regression_set import FINDING, NO_FINDING, REGRESSION_SET, REGRESSION_SPECS, RegressionSource
from ctviewer.datasets.sample import SAMPLE_SPEC


def test_ten_patients_each_healthy_and_ill_of_families_that_training_never_draws_from() -> None:
    source = RegressionSource()
    assert {spec.family for spec in REGRESSION_SPECS} == set(HELD_OUT_FAMILIES)
    assert SAMPLE_SPEC.seed not in {spec.seed for spec in REGRESSION_SPECS}
    shown = Counter((source.patient(study), source.label(study)) for study in source.ids())
    patients = {patient for patient, _ in shown}
    assert len(patients) == 10 and len(source.ids()) == 20
    assert all(shown[patient, label] == 1 for patient in patients for label in (NO_FINDING, FINDING))
    assert {spec.variant for spec in REGRESSION_SPECS} == set(Variant)


def test_its_studies_cannot_change_without_its_name() -> None:
    """Whoever changes a study gives the set another name here, and answers that were kept are not mistaken."""
    told = "\n".join(map(repr, REGRESSION_SPECS))
    assert (REGRESSION_SET, hashlib.sha256(told.encode()).hexdigest()[:16]) == ("phantoms-1.2", "68c3d57625010921")


def test_a_study_is_made_once_and_has_its_class() -> None:
    specs = [PhantomSpec(1, variant, REGRESSION_SPECS[0].family, matrix=48, slices=4) for variant in Variant]
    source, again = RegressionSource(specs), RegressionSource(specs)
    assert [source.classes(study) for study in source.ids()] == [(NO_FINDING,), (FINDING,), (FINDING,)]
    volume, labels = source.load(source.ids()[1])
    assert labels is None and source.load(source.ids()[1])[0] is volume
    assert np.array_equal(volume.stored, again.load(source.ids()[1])[0].stored)
    assert source.split(source.ids()[0]).startswith("external:")
