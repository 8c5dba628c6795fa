"""Figures into bundles: metadata and card are written anew, the weights stay as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from ctviewer.app.model_evaluation.generated import calibration
from ctviewer.app.model_evaluation.parts import CALIBRATION, Part
from ctviewer.core.errors import BundleError
from ctviewer.core.files import write_bytes
from ctviewer.models.bundle import CARD, METADATA, Bundle, load_bundle
from ctviewer.models.card import card
from ctviewer.models.metadata import Metadata, Metric, from_json, to_json


def write_figures(bundle: Bundle, parts: Sequence[Part]) -> Bundle:
    """Put what was measured into a bundle's metadata and card.

    Figures on data that was measured now take the place of all figures on it; others stay, those of earlier runs too.

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
    if not made:
        return bundle
    metadata = _with(bundle, made, parts)
    text = json.dumps(to_json(metadata), indent=2, ensure_ascii=False) + "\n"
    try:
        from_json(json.loads(text))
    except ValueError as error:
        raise BundleError(f"The model bundle {bundle.folder} cannot be written because {error}.") from error
    write_bytes(bundle.folder / CARD, card(metadata).encode())
    write_bytes(bundle.folder / METADATA, text.encode())
    return load_bundle(bundle.folder)


def _with(bundle: Bundle, made: Sequence[Metric], parts: Sequence[Part]) -> Metadata:
    m = bundle.metadata
    again = {(one.name, one.data) for one in made}
    places = {one.data for one in made}
    kept = [one for one in m.metrics if one.data not in places and (one.name, one.data) not in again]
    checked = m.calibration
    if checked is None:
        found = (calibration(bundle, part) for part in parts if part.name == CALIBRATION)
        checked = next((one for one in found if one is not None), None)
    return replace(m, metrics=(*kept, *made), calibration=checked)
