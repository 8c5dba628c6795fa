"""Figures into bundles: metadata and card are written anew, the weights stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ctviewer.app.model_evaluation.generated import calibration
from ctviewer.app.model_evaluation.parts import ATTENTION, CALIBRATION, Part
from ctviewer.models.bundle import Bundle, restate
from ctviewer.models.metadata import Metadata, Metric


def write_figures(bundle: Bundle, parts: Sequence[Part]) -> Bundle:
    """Put what was measured into a bundle's metadata and card.

    Figures on a data set that was measured now take the place of all figures on it, or on a set of which it is said with
    its counts now; those on others stay. Where but one of the two parts was done that share generated studies, figures
    take the place of those of their names alone.

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


def _measured_again(old: Metric, made: Sequence[Metric], half: bool) -> bool:
    if half:
        return (old.name, old.data) in {(one.name, one.data) for one in made}
    return any(f"{one.data}, ".startswith(f"{old.data}, ") for one in made)


def _with(bundle: Bundle, made: Sequence[Metric], parts: Sequence[Part]) -> Metadata:
    m = bundle.metadata
    sets = {one.data for one in made}
    half = len({CALIBRATION, ATTENTION} & {part.name for part in parts}) == 1
    kept = [one for one in m.metrics if not _measured_again(one, made, half)]
    left = {one.data for one in kept}
    notes = {data: note for data, note in m.figure_notes.items() if data in left}
    for part in parts:
        notes |= {data: note for data, note in part.card_notes.items() if data in sets}
    checked = m.calibration
    if checked is None or not checked.real:
        found = (calibration(bundle, part) for part in parts if part.name == CALIBRATION)
        checked = next((one for one in found if one is not None), checked)
    return replace(m, metrics=(*kept, *made), figure_notes=notes, calibration=checked)
