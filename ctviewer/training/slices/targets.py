"""From label maps to what a one-shot model is to find: instances with a box, a class and a mask.

Lungs are counted with the lesions in them, whether the set draws them so or not; then each class falls into its connected
components. A component counts from 100 pixels at a side of 512 (25 at 256), smaller ones stay in the label map that Dice is
measured by (models.md, "masks").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ctviewer.nets.one_shot.answers import Target
from ctviewer.training.slices.classes import LUNG

_SMALLEST_AT_512 = 100
_JOINED = np.ones((3, 3), bool)  # pixels that touch by a corner are one component


def least_pixels(size: int) -> float:
    """Pixels from which a component is an instance, at a side of `size`."""
    return _SMALLEST_AT_512 * (size / 512) ** 2


def region(labels: NDArray[np.uint8], value: int, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Where a class is: the lung with all lesions in it, any other class by its value.

    Where a map shows no lung at all, nobody drew it: lesions alone make none.

    Args:
        labels: `[..., S, S]`, indices of `classes`.
        value: of the class, from 1.
        classes: the background first.
    """
    own = np.asarray(labels == value)
    return np.asarray(labels != 0) if classes[value] == LUNG and own.any() else own


@dataclass(frozen=True, eq=False)
class Instances:
    """Instances of a slice as two numbered maps: lesions lie in lungs, so that one map could not hold both.

    Attributes:
        layers: `[2, S, S]` int32, numbers of lungs, then of all others; 0 where there is none.
        values: index of the class of each number, from 1 on; the first is of no instance.
    """

    layers: NDArray[np.int32]
    values: tuple[int, ...]


def instances(labels: NDArray[np.uint8], classes: Sequence[str]) -> Instances:
    """Connected components of each class, however small: what a turn of the slice leaves of them decides.

    Args:
        labels: `[S, S]`, indices of `classes`.
        classes: the background first.
    """
    layers, values = np.zeros((2, *labels.shape), np.int32), [0]
    for value in range(1, len(classes)):
        numbered, count = ndimage.label(region(labels, value, classes), structure=_JOINED)
        layer = layers[0 if classes[value] == LUNG else 1]
        inside = numbered > 0
        layer[inside] = numbered[inside] + (len(values) - 1)
        values += [value] * count
    return Instances(layers, tuple(values))


def target_of(found: Instances, complete: bool, unmarked: tuple[int, ...] = ()) -> Target:
    """The target that numbered maps make: components that are large enough, by class and number.

    Args:
        found: of `instances`, as they are or turned.
        complete: as in `Target`.
        unmarked: as in `Target`.
    """
    size = found.layers.shape[-1]
    areas = np.bincount(found.layers.ravel(), minlength=len(found.values))
    kept = [number for number in range(1, len(found.values)) if areas[number] >= max(1.0, least_pixels(size))]
    masks = np.zeros((len(kept), size, size), np.uint8)
    boxes = np.zeros((len(kept), 4), np.float32)
    for row, number in enumerate(kept):
        masks[row] = (found.layers == number).any(axis=0)
        rows, columns = np.flatnonzero(masks[row].any(axis=1)), np.flatnonzero(masks[row].any(axis=0))
        boxes[row] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    labels = torch.tensor([found.values[number] for number in kept], dtype=torch.int64)
    return Target(torch.from_numpy(boxes), labels, torch.from_numpy(masks), complete, unmarked)
