"""The models that learned from phantoms on generated studies, where the truth is known, of families they never drew from."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.events import Done
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.paths import resources
from ctviewer.datasets.phantom import CONSOLIDATION, GROUND_GLASS, HELD_OUT_FAMILIES, PhantomSpec, Variant
from ctviewer.datasets.sources import PhantomStudySource
from ctviewer.inference import AnalysisSettings, NetCache, analyse
from ctviewer.models.bundle import load_bundle

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]
SPECS = [
    PhantomSpec(seed=501, variant=variant, family=family, matrix=256, slices=60)
    for family in HELD_OUT_FAMILIES
    for variant in (Variant.CONTROL, Variant.COVID)
]


@pytest.fixture(scope="module")
def analysed():
    """Each study's spec, labels `[slices, rows, columns]` and result."""
    source, nets, found = PhantomStudySource(SPECS), NetCache(), []
    classifier, detector = (
        load_bundle(next((resources() / "bundles").glob(f"{name}-*")))
        for name in ("starter-study-classifier", "starter-lesion-detector")
    )
    for spec, name in zip(SPECS, source.ids(), strict=True):
        volume, labels = source.load(name)
        *_, done = analyse(volume, classifier, detector, AnalysisSettings(device="cpu"), nets)
        assert isinstance(done, Done) and isinstance(done.value, AnalysisResult)
        found.append((spec, labels, done.value))
    return found


def infected(labels):
    return np.isin(labels, (GROUND_GLASS, CONSOLIDATION))


def test_infected_slices_rank_above_clean_ones(analysed):
    for spec, labels, result in analysed:
        if spec.variant is Variant.CONTROL:
            continue
        ill = infected(labels).reshape(len(labels), -1).any(1)
        weights = result.classification.weights
        above = (weights[ill][:, None] > weights[~ill][None]).mean()
        assert above > 0.75, f"{spec.name}: an infected slice is above a clean one in {above:.2f} of the pairs"
        top = result.classification.ranking()[:4]
        assert ill[top].sum() >= 3, f"{spec.name}: {ill[top].sum()} of the top four are infected"


def test_lesions_overlap_their_masks(analysed):
    for spec, labels, result in analysed:
        if spec.variant is Variant.CONTROL:
            continue
        truth, found = infected(labels), np.zeros(labels.shape, bool)
        for lesion in result.lesions:
            for instance in lesion.instances:
                found[instance.slice_index] |= instance.mask.full(labels.shape[1:])
        dice = 2 * (truth & found).sum() / (truth.sum() + found.sum())
        assert dice > 0.5, f"{spec.name}: Dice {dice:.2f}"


def test_controls_stay_clean(analysed):
    for spec, _labels, result in analysed:
        if spec.variant is not Variant.CONTROL:
            continue
        marked = float((result.lesion_area > 0).mean())
        assert marked < 0.15, f"{spec.name}: {marked:.2f} of the slices are marked"


def test_sick_and_healthy_are_told_apart(analysed):
    sick = [r.classification.finding_probability for s, _, r in analysed if s.variant is Variant.COVID]
    well = [r.classification.finding_probability for s, _, r in analysed if s.variant is Variant.CONTROL]
    assert min(sick) > max(well)


def test_every_result_says_what_its_models_were_trained_on(analysed):
    for _, _, result in analysed:
        assert all("phantom" in model.trained_on for model in result.provenance.models)
