"""The classes of labelled slices, and those of a run: told by name, never by rank. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.slices import LabelledSlices

LUNG = "lung"  # the class that is outlined and no lesion


def label_table(slices: LabelledSlices, classes: Sequence[str], scan: str) -> NDArray[np.uint8]:
    """What each value of a label map is in the run, `[label classes]`.

    Args:
        slices: with labels.
        classes: of the run, the background first.
        scan: for the message.

    Raises:
        InputError: a class is marked that the run does not have.
    """
    unknown = unknown_labels(slices, classes)
    if unknown:
        raise InputError(
            f"The scan {scan} has outlines of {unknown[0]}, which is none of the run's classes ({', '.join(classes)}); "
            "say in model.merge what it is learned as."
        )
    return np.array([classes.index(name) if name in classes else 0 for name in slices.label_classes], np.uint8)


def unknown_labels(slices: LabelledSlices, classes: Sequence[str]) -> tuple[str, ...]:
    """Classes that label maps show and the run does not have."""
    return tuple(name for name in shown_labels(slices) if name not in classes)


def shown_labels(slices: LabelledSlices) -> tuple[str, ...]:
    """Classes whose pixels occur in label maps, the background left out."""
    if slices.labels is None:
        return ()
    counts = np.bincount(slices.labels.ravel(), minlength=len(slices.label_classes))
    return tuple(name for name, count in zip(slices.label_classes[1:], counts[1:], strict=False) if count)


def marked_labels(slices: LabelledSlices) -> tuple[str, ...]:
    """Classes that somebody marked wherever they are, on slices that are complete; the background left out.

    Who reviews a scan for lesions outlines no lungs: where its label maps show none at all, nobody drew them.
    """
    if slices.labels is None:
        return ()
    shown = shown_labels(slices)
    return tuple(name for name in slices.label_classes[1:] if name != LUNG or name in shown)


def image_numbers(names: Sequence[str], classes: Sequence[str], scan: str) -> list[int | None]:
    """Index of the class of each slice; None where nobody said one, or the run tells no classes of slices.

    Raises:
        InputError: a slice has a class that the run does not have.
    """
    unknown = [name for name in names if name and name not in classes]
    if classes and unknown:
        raise InputError(
            f"The scan {scan} has slices of the class {unknown[0]}, which is none of the run's ({', '.join(classes)}); "
            "say in model.merge what it is learned as."
        )
    return [classes.index(name) if name in classes else None for name in names]
