"""What the classes of slices and lesions are called, whatever the data set calls them."""

from __future__ import annotations

from ctviewer.core.slices import BACKGROUND

CONTROL, PNEUMONIA, COVID = "control", "common pneumonia", "COVID-19"
IMAGE_CLASSES = (CONTROL, PNEUMONIA, COVID)
"""Classes of a slice; the place of each is its number in the lists of COVIDx-CT and of the paper."""

LUNG, GROUND_GLASS, CONSOLIDATION, INFECTION, NODULE = "lung", "ground glass", "consolidation", "infection", "nodule"
LESION_CLASSES = (BACKGROUND, LUNG, GROUND_GLASS, CONSOLIDATION)
"""Classes of a pixel; the place of each is its value in CNCB-NCOV's masks."""
NO_LESIONS = (BACKGROUND, LUNG)
"""Classes of pixels that are no lesion."""

_OF_PREFIX = {
    **{str(number): name for number, name in enumerate(IMAGE_CLASSES)},
    "normal": CONTROL,
    "control": CONTROL,
    "negative": CONTROL,
    "cp": PNEUMONIA,
    "pneumonia": PNEUMONIA,
    "ncp": COVID,
    "covid": COVID,
    "covid-19": COVID,
    "covid19": COVID,
}
_SAME_LESION = {
    "lungs": LUNG,
    "ggo": GROUND_GLASS,
    "ground-glass": GROUND_GLASS,
    "ground glass opacity": GROUND_GLASS,
    "ground-glass opacity": GROUND_GLASS,
    "ground glass opacities": GROUND_GLASS,
    "consolidations": CONSOLIDATION,
    "infections": INFECTION,
    "nodules": NODULE,
}
_NEGATIVE = ("control", "normal", "negative", "no finding", "healthy")


def class_of_prefix(prefix: str) -> str:
    """The class that a prefix or number stands for ("NCP", "2"); one that is not known is a class of its own."""
    return _OF_PREFIX.get(prefix.casefold(), prefix)


def lesion_class(name: str) -> str:
    """One name for the spellings of a lesion class ("GGO")."""
    plain = " ".join(name.split()).casefold()
    return _SAME_LESION.get(plain, plain if plain in (*LESION_CLASSES, INFECTION, NODULE) else " ".join(name.split()))


def negative_of(classes: tuple[str, ...]) -> str:
    """Which of these classes means that nothing was found, by its name; "" where none does."""
    plain = {name.casefold(): name for name in classes}
    return next((plain[name] for name in _NEGATIVE if name in plain), "")
