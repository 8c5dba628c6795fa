"""Chest CT phantoms: deterministic, seeded, with exactly known lesions. See `PhantomSpec` and `generate`."""

from ctviewer.datasets.phantom.generator import STAGE, generate, generate_events
from ctviewer.datasets.phantom.spec import (
    BACKGROUND,
    CONSOLIDATION,
    GENERATOR_VERSION,
    GROUND_GLASS,
    HELD_OUT_FAMILIES,
    LABEL_NAMES,
    LUNG,
    TRAINING_FAMILIES,
    Family,
    Lesion,
    Phantom,
    PhantomSpec,
    Variant,
)

__all__ = [
    "BACKGROUND",
    "CONSOLIDATION",
    "GENERATOR_VERSION",
    "GROUND_GLASS",
    "HELD_OUT_FAMILIES",
    "LABEL_NAMES",
    "LUNG",
    "STAGE",
    "TRAINING_FAMILIES",
    "Family",
    "Lesion",
    "Phantom",
    "PhantomSpec",
    "Variant",
    "generate",
    "generate_events",
]
