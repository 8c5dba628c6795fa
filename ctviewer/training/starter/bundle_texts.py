"""What the bundles that learned from patients say of themselves in words: names, licence, use, limits.

Figures, counts and thresholds are added where the models are made (`Metadata(**INFECTION_LESIONS, net=..., ...)`).
"""

from __future__ import annotations

from typing import Any

from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.starter.chests import CLASSES
from ctviewer.training.starter.simulation.patterns import CLASSES as SIMULATED_CLASSES
from ctviewer.training.starter.simulation.patterns import CONTROL
from ctviewer.training.version_texts import INPUT_LIMITS

LICENCE = "CC-BY-NC-SA-4.0"
RESTRICTION = (
    "No commercial use: the model learned from COVID-19-CT-Seg, whose licence (CC BY-NC-SA) forbids it. Whoever passes it on, or a "
    "model made from it, names the source and keeps this licence."
)

SOURCES = (
    "COVID-19-CT-Seg (Ma et al., Medical Physics 2021, doi 10.1002/mp.14676; CC BY-NC-SA): infected slices of ten patients with "
    "lung and infection masks, as equalised pictures whose Hounsfield units were recovered by undoing the equalisation. "
    "Lung-PET-CT-Dx (Li et al., TCIA 2020, doi 10.7937/TCIA.2020.NNC2-0461; CC BY 4.0), one chest; LIDC-IDRI (Armato et al., "
    "TCIA 2015, doi 10.7937/K9/TCIA.2015.LO9QL9SX; CC BY 3.0), some slices of one chest: both without infection. Phantoms of the "
    "program's own generator."
)
"""Of all of them, for `TrainingData.summary`; CC BY asks that they are named."""

_OUT_OF_SCOPE = (
    "Any clinical decision: diagnosis, exclusion, triage or follow-up of disease. Other than chest CT; children; scans of which the "
    "suitability check says that they are outside what the model was made for."
)


def _few(patients: str) -> str:
    return (
        f"It learned infection from {patients} patients of one data set and from phantoms; the healthy lung it knows is mostly theirs, "
        "with the infection painted out."
    )


_ALIKE = (
    "It cannot tell infection from what looks alike: oedema, haemorrhage, fibrosis, tumour, aspiration, atelectasis, motion, "
    "lungs breathed out."
)
_ATTENTION = "Attention says where the model looked, not where disease is; it sums to 1 in a healthy chest too."

_SHARED: dict[str, Any] = {
    "licence": LICENCE,
    "restriction": RESTRICTION,
    "out_of_scope": _OUT_OF_SCOPE,
    "input_limits": INPUT_LIMITS,
}

INFECTION_LESIONS: dict[str, Any] = {
    **_SHARED,
    "name": "infection-lesions",
    "version": "1.0.0",
    "task": ONE_SHOT,
    "title": "Infection: lesions",
    "classes": CLASSES,
    "lesion_classes": CLASSES[2:],
    "default": True,
    "intended_use": "Research: opacities that look like infection are outlined, to be looked at and corrected by a reader.",
    "trained_on": "trained on slices of 10 patients with COVID-19, clean chests and phantoms",
    "limits": f"{_few('ten')} {_ALIKE} It misses faint and small opacities, and marks some healthy lung.",
}

INFECTION_STUDY: dict[str, Any] = {
    **_SHARED,
    "name": "infection-study",
    "version": "1.0.0",
    "task": CLASSIFIER,
    "title": "Infection: study",
    "classes": ("no infection-like opacity", "infection-like opacity"),
    "negative_class": "no infection-like opacity",
    "default": True,
    "intended_use": "Research: slices are ranked by how much they bear on whether a chest shows infection-like opacity.",
    "trained_on": "trained on studies put together from 8 patients with COVID-19, a clean chest and phantoms",
    "limits": (
        f"{_few('eight')} {_ALIKE} It learned from studies that were put together from these slices, not from whole scans of patients with "
        f"and without disease. {_ATTENTION}"
    ),
    "probabilities": (
        "The probabilities refer to both classes being equally frequent; they were never calibrated on patients."
    ),
}

SIMULATED_THREE_CLASSES: dict[str, Any] = {
    **_SHARED,
    "name": "simulated-three-classes",
    "version": "1.0.0",
    "task": CLASSIFIER,
    "title": "Simulated: three classes",
    "classes": SIMULATED_CLASSES,
    "negative_class": CONTROL,
    "intended_use": "Showing how a model of three classes works in the program, and research on simulated studies.",
    "out_of_scope": f"Differential diagnosis, on any patient. {_OUT_OF_SCOPE}",
    "trained_on": "trained on simulated studies, not for differential diagnosis",
    "limits": (
        "Its classes are simulations: real lesions' outlines and grain, of eight patients with COVID-19 alone, were put into clean chests "
        "and spread as the literature describes each class. What it tells apart is that description; nobody knows whether it tells "
        f"patients apart. {_ATTENTION}"
    ),
    "probabilities": (
        "The probabilities refer to simulated studies with all classes equally frequent; they mean nothing for a patient."
    ),
}
