"""The fixed set against forgetting: phantoms that no training draws from, as seeds and sizes, never as files.

Five patients of each family that is held out from training, each once without disease and once with it: ten patients
with and without a finding, enough for an area under the curve. Whatever a department trains on, old and new version
answer the same studies; a new version that tells healthy from ill worse than before has forgotten something.
It is a phantom: it shows change, not how good a model is on patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import GENERATOR_VERSION, Family, PhantomSpec, Variant
from ctviewer.datasets.sources import PhantomStudySource

REGRESSION_SET = f"phantoms-1.{GENERATOR_VERSION}"
"""Its name changes with every study in it, so that answers to an older set are not taken for answers to this one."""

NO_FINDING, FINDING = "no finding", "finding"
_FAMILIES = (Family.D, Family.E)  # `phantom.HELD_OUT_FAMILIES`; written out: this set must not follow when that changes
_SEEDS = range(90_001, 90_006)  # no other study of the program has these
_ILL = (Variant.COVID, Variant.PNEUMONIA)
_MATRIX, _SLICES = 256, 27

REGRESSION_SPECS: tuple[PhantomSpec, ...] = tuple(
    PhantomSpec(seed, variant, family, matrix=_MATRIX, slices=_SLICES)
    for family in _FAMILIES
    for seed in _SEEDS
    for variant in (Variant.CONTROL, _ILL[seed % 2])
)


class RegressionSource:
    """The set as a source for training's `LabelledSource`; keeps the volumes (70 MB), for two models look at each.

    Args:
        specs: others for tests.
    """

    def __init__(self, specs: Sequence[PhantomSpec] = REGRESSION_SPECS) -> None:
        self._source = PhantomStudySource(specs, workers=None)
        self._volumes: dict[str, Volume] = {}

    def ids(self) -> tuple[str, ...]:
        """Names of all studies."""
        return self._source.ids()

    def patient(self, study: str) -> str:
        """Whose study it is; healthy and ill are one patient."""
        return self._source.patient(study)

    def label(self, study: str) -> str:
        """`NO_FINDING` or `FINDING`: models name diseases differently, and all know of none."""
        return NO_FINDING if self._source.label(study) == Variant.CONTROL.value else FINDING

    def classes(self, study: str) -> tuple[str, ...]:
        """The label."""
        return (self.label(study),)

    def split(self, study: str) -> str:
        """A set of its own."""
        return "external:regression"

    def load(self, study: str) -> tuple[Volume, NDArray[np.uint8] | None]:
        """The volume, made when it is asked for first."""
        if study not in self._volumes:
            self._volumes[study], _ = self._source.load(study)
        return self._volumes[study], None
