"""From what the nets put out to findings of `core`: one copy for training's figures and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.findings import Instance
from ctviewer.models.placement import Placement
from ctviewer.nets.one_shot import Detections


def instances(
    detections: Detections, slice_index: int, classes: Sequence[str], placement: Placement, threshold: float
) -> tuple[Instance, ...]:
    """Outlines of one slice in the volume's own matrix, by falling score.

    The detector has already suppressed overlapping boxes per class. Only what reaches the threshold is pasted, each
    mask in its own box, packed.

    Args:
        detections: of one slice.
        slice_index: its volume index.
        classes: the bundle's, background first.
        placement: of the volume in the detector's input.
        threshold: lowest score kept (the bundle's `detection_score`).
    """
    scores = _numpy(detections.scores)
    labels, boxes, masks = (_numpy(t) for t in (detections.labels, detections.boxes, detections.masks))
    found = []
    for i in np.flatnonzero(scores >= threshold):
        mask = placement.paste(boxes[i], masks[i])
        if mask is not None:
            found.append(Instance(slice_index, classes[int(labels[i])], float(scores[i]), mask))
    return tuple(found)


def _numpy(tensor: Tensor) -> NDArray[np.floating]:
    return np.asarray(tensor.detach().cpu().numpy())
