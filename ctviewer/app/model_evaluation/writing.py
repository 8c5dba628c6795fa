"""Figures into bundles: metadata and card are written anew, the weights stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ctviewer.app.model_evaluation.generated import calibration
from ctviewer.app.model_evaluation.parts import CALIBRATION, Part
from ctviewer.models.bundle import Bundle, restate
from ctviewer.models.metadata import Metadata, Metric


def write_figures(bundle: Bundle, parts: Sequence[Part]) -> Bundle:
    """Put what was measured into a bundle's metadata and card.

    Figures on a data set that was measured now take the place of all figures on it; those on others stay.

    Args:
        bundle: on disk.
        parts: what was done.

    Returns:
        The bundle as it is on disk now; the same where nothing was measured on it.

    Raises:
        BundleError: a figure that metadata cannot hold.
        StorageError: the bundle cannot be written.
    """
    made = [one for part in parts for one in part.figures.get(bundle.key, ())]
    return restate(bundle, _with(bundle, made, parts)) if made else bundle


def _with(bundle: Bundle, made: Sequence[Metric], parts: Sequence[Part]) -> Metadata:
    m = bundle.metadata
    sets = {one.data for one in made}
    kept = [one for one in m.metrics if one.data not in sets]
    notes = {data: note for data, note in m.figure_notes.items() if data not in sets}
    for part in parts:
        notes |= {data: note for data, note in part.card_notes.items() if data in sets}
    checked = m.calibration
    if checked is None or not checked.real:
        found = (calibration(bundle, part) for part in parts if part.name == CALIBRATION)
        checked = next((one for one in found if one is not None), checked)
    return replace(m, metrics=(*kept, *made), figure_notes=notes, calibration=checked)
