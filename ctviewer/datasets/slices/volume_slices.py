"""From a volume to labelled slices: axial, in Hounsfield units, upright, head to feet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.core.layout import layout_of
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.core.upright import Upright
from ctviewer.core.volume import Volume
from ctviewer.datasets.masks import SliceKeys

_AIR = -1024.0  # what padding is taken for


def require_axial_hu(volume: Volume, scan: str) -> None:
    """Refuse what cannot be learned from: the axes of the patient and Hounsfield units are never guessed.

    Raises:
        InputError: the volume is no such one; the text names the scan.
    """
    if volume.unit != "HU":
        raise InputError(f"The study {scan} does not hold Hounsfield units: state what its values mean.")
    if volume.geometry.plane is Plane.UNKNOWN:
        raise InputError(f"The study {scan} does not say how its slices lie: state their order and distances.")
    if volume.geometry.plane is not Plane.AXIAL:
        raise InputError(
            f"The slices of the study {scan} are {volume.geometry.plane.value}, and models take axial ones."
        )


def usable_slices(volume: Volume, wanted: NDArray[np.bool_]) -> list[int]:
    """Volume indices of the wanted slices that could be decoded, head to feet."""
    return [int(index) for index in volume.geometry.display_order if wanted[index] and not volume.failed[index]]


def labelled_slices(
    volume: Volume,
    kept: Sequence[int],
    keys: SliceKeys,
    *,
    labels: NDArray[np.uint8] | None,
    label_classes: tuple[str, ...],
    complete: NDArray[np.bool_],
    image_classes: Sequence[str] = (),
    origins: Sequence[str] = (),
) -> LabelledSlices:
    """Some slices of a volume with what is known of them.

    Args:
        volume: axial, in HU.
        kept: volume indices, in order.
        keys: names of the slices.
        labels: `[slices, rows, columns]` as stored; None where no lesions are marked.
        label_classes: what their values mean.
        complete: `[slices]`.
        image_classes: of each slice of the volume; empty for none.
        origins: of each slice of the volume; empty for none.
    """
    upright, spacing = Upright.of(volume.geometry), volume.geometry.pixel_spacing
    indices = list(kept)
    return LabelledSlices(
        names=tuple(keys.name(index) for index in indices),
        pixels=_pixels(volume, indices, upright),
        unit=HU,
        spacing=(spacing[1], spacing[0]) if spacing is not None and upright.transpose else spacing,
        labels=None if labels is None else np.ascontiguousarray(upright.apply(labels[indices])),
        label_classes=label_classes,
        complete=complete[indices],
        image_classes=tuple(image_classes[index] for index in indices) if image_classes else (),
        origins=tuple(origins[index] for index in indices) if origins else (),
        neighbours=_are_neighbours(volume, indices),
    )


def _are_neighbours(volume: Volume, indices: list[int]) -> bool:
    """Whether no slice lies, or is missing, between two that follow each other."""
    if not indices:
        return False
    steps, layout = np.abs(np.diff(indices)), layout_of(volume.geometry)
    first, last = min(indices), max(indices)
    holes = (layout.missing > 0) | layout.large | layout.repeated
    return bool((steps == 1).all()) and not bool(holes[first:last].any())


def _pixels(volume: Volume, indices: Sequence[int], upright: Upright) -> NDArray[np.float32]:
    """`[len(indices), rows, columns]` upright."""
    rows, columns = volume.geometry.shape[1:]
    out = np.empty((len(indices), *upright.apply(np.empty((rows, columns), bool)).shape), np.float32)
    for place, index in enumerate(indices):
        out[place] = upright.apply(_hounsfield(volume, index))
    return out


def _hounsfield(volume: Volume, index: int) -> NDArray[np.float32]:
    """HU of one slice `[rows, columns]` as stored, padding as air."""
    return np.where(volume.valid(index), volume.hu(index), np.float32(_AIR))
