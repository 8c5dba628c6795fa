"""What the cards of the starter models say in words."""

from __future__ import annotations

from typing import Any

from ctviewer.models.metadata import InputLimits

DATA = (
    "Chest CT phantoms made by the program's own generator: body, ribs, spine, lungs, airways, vessels, heart, table "
    "and a scanner's noise, with ground glass and consolidation whose masks are known. Training and validation draw "
    "from three families of anatomy, lesion texture and scanner; the figures come from two other families. The three "
    "variants of one patient share the anatomy. No picture of a real patient was used."
)

_SHARED: dict[str, Any] = {
    "licence": "Apache-2.0",
    "intended_use": "Showing how the program works, and tests. A stand-in until models trained on patients are installed.",
    "out_of_scope": "Any clinical decision, on any patient; screening, triage or measuring disease.",
    "trained_on": "trained on phantoms only",
    "input_limits": InputLimits(
        modalities=("CT",),
        planes=("axial",),
        original_only=True,
        slices=(12, 1500),
        slice_spacing_mm=(0.4, 12.0),
        field_of_view_mm=(200.0, 600.0),
        air_hu=(-3100.0, -700.0),
        tissue_hu=(-150.0, 200.0),
    ),
}

ENCODER_START = "the feature pyramid of the lesion detector of the same version"

STUDY_CLASSIFIER: dict[str, Any] = {
    **_SHARED,
    "name": "starter-study-classifier",
    "title": "Starter study classifier",
    "limits": (
        "It has never seen a patient: on real scans its probabilities mean nothing. Its classes are variants of a "
        "phantom, not diagnoses. Attention says where the model looked, not where disease is; it sums to 1 in a "
        "healthy chest too."
    ),
    "probabilities": (
        "The probabilities refer to the three classes being equally frequent; they are not calibrated on patients."
    ),
}

DETECTOR: dict[str, Any] = {
    **_SHARED,
    "name": "starter-lesion-detector",
    "title": "Starter lesion detector",
    "limits": (
        "It has never seen a patient: on real scans it marks healthy lung and misses lesions. It knows ground glass "
        "and consolidation only, no nodules, effusions or masses."
    ),
}
