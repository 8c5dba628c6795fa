"""The lungs of chests that nobody outlined, by Hounsfield units and connectivity.

Air inside the body, without what is gas elsewhere: airways and bowel. Then what a lung holds besides air is taken in: vessels,
nodules, and whatever touches the pleura, by closing. After Hu, Hoffman, Reinhardt, "Automatic lung segmentation for accurate
quantitation of volumetric X-ray CT images" (IEEE TMI 2001, 20(6):490-8), with fixed thresholds: the units are known.
Made for lungs that are mostly aerated. A lobe that is solid from wall to wall is not found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bools = NDArray[np.bool_]

BODY_ABOVE_HU = -300.0
LUNG_BELOW_HU = -500.0
_OPEN_MM = 2.0  # skin, clothes and the table's edge touch by less
_GAS_HU = -930.0  # means of gas alone lie below it, of lungs above it, emphysema included
_AIRWAY_MM2 = 900.0  # a wide trachea; main bronchi are smaller
_AIRWAY_HU, _AIRWAY_MM = -870.0, 45.0  # their darkest quarter, their walls left out; from the middle of the chest
_SMALLEST_MM2 = 60.0  # of a lung's cross-section, before closing
_SHARE = 0.04  # of the largest part's volume: below it nothing is a lung
_CLOSE_MM = 7.0  # vessels at the hilum, nodules at the pleura
_LEAST_ML = 50.0  # of all lungs together; less is bowel or noise


def lung_masks(hu: NDArray[np.float32], spacing: tuple[float, float, float]) -> Bools:
    """Where the lungs are.

    Args:
        hu: `[slices, rows, columns]`, axial, neighbours in a row, padding as air.
        spacing: mm between slices, rows and columns.

    Returns:
        `[slices, rows, columns]`: both lungs with their vessels and small lesions, without trachea and main bronchi; all
        False where there are none (an abdomen, a head).
    """
    pixel = spacing[1] * spacing[2]
    body = np.stack([_body(one, spacing) for one in hu])
    air = body & (hu < LUNG_BELOW_HU)
    for plane, values in zip(air, hu, strict=True):
        _drop_gas(plane, values, spacing)
    lungs = _lung_parts(air, hu)
    if lungs.sum() * pixel * spacing[0] / 1000.0 < _LEAST_ML:
        return np.zeros(hu.shape, bool)
    return np.stack([_closed(plane, inside, spacing) for plane, inside in zip(lungs, body, strict=True)])


def _body(hu: NDArray[np.float32], spacing: tuple[float, float, float]) -> Bools:
    """The largest thing of a slice with whatever it encloses; a lung that the field of view cuts open is not enclosed."""
    solid = ndimage.binary_opening(hu > BODY_ABOVE_HU, iterations=max(1, round(_OPEN_MM / spacing[1])))
    numbered, count = ndimage.label(solid)
    if not count:
        return np.zeros(hu.shape, bool)
    largest = numbered == np.bincount(numbered.ravel())[1:].argmax() + 1
    return np.asarray(ndimage.binary_fill_holes(largest))


def _drop_gas(air: Bools, hu: NDArray[np.float32], spacing: tuple[float, float, float]) -> None:
    """Take airways, bowel gas and specks out of one slice's air, in place."""
    numbered, count = ndimage.label(air)
    if not count:
        return
    columns = np.flatnonzero(air.any(axis=0))
    middle, pixel = (columns[0] + columns[-1]) / 2, spacing[1] * spacing[2]
    for part, place in enumerate(ndimage.find_objects(numbered), 1):
        mask = numbered[place] == part
        area = mask.sum() * pixel
        if area >= _AIRWAY_MM2:
            continue
        values = hu[place][mask]
        central = abs(np.nonzero(mask)[1].mean() + place[1].start - middle) * spacing[2] < _AIRWAY_MM
        airway = central and np.percentile(values, 25) < _AIRWAY_HU
        if area < _SMALLEST_MM2 or airway or values.mean() < _GAS_HU:
            air[place][mask] = False


def _lung_parts(air: Bools, hu: NDArray[np.float32]) -> Bools:
    """The connected parts that are large enough and hold more than gas."""
    numbered, count = ndimage.label(air)
    if not count:
        return air
    parts = np.arange(1, count + 1)
    sizes = np.bincount(numbered.ravel())[1:]
    tissue = ndimage.mean(hu, numbered, parts) > _GAS_HU
    largest = int(sizes[tissue].max(initial=0))
    return np.isin(numbered, parts[tissue & (sizes >= _SHARE * largest)])


def _closed(lungs: Bools, body: Bools, spacing: tuple[float, float, float]) -> Bools:
    """One slice with what the lungs hold besides air; each by itself, so that what lies between them stays out."""
    numbered, count = ndimage.label(lungs)
    out = lungs.copy()
    for part in range(1, count + 1):
        out |= _closed_part(numbered == part, spacing)
    return out & body


def _closed_part(part: Bools, spacing: tuple[float, float, float]) -> Bools:
    """One lung on one slice, closed by a disc and filled."""
    margin = int(np.ceil(_CLOSE_MM / min(spacing[1:]))) + 1
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = np.pad(part[place], margin)
    near = ndimage.distance_transform_edt(~inside, sampling=spacing[1:]) <= _CLOSE_MM
    closed = ndimage.distance_transform_edt(near, sampling=spacing[1:]) > _CLOSE_MM
    out = part.copy()
    out[place] |= ndimage.binary_fill_holes(closed | inside)[margin:-margin, margin:-margin]
    return out
