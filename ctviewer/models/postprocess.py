"""From what the nets put out to findings of `core`: one copy for training's figures and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.findings import Instance, Roi
from ctviewer.models.placement import Placement
from ctviewer.nets.one_shot import Detections, Rois


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


def regions(rois: Rois, slice_index: int, classes: Sequence[str], placement: Placement) -> tuple[Roi, ...]:
    """What the net looked at to tell the class of a slice, in the order in which it did.

    Args:
        rois: of one slice; without attention there is nothing to tell of them.
        slice_index: its volume index.
        classes: the bundle's, background first.
        placement: of the volume in the net's input.
    """
    if rois.attention_positive is None or rois.attention_negative is None:
        return ()
    boxes, labels = _numpy(rois.boxes), _numpy(rois.labels)
    numbers = [_numpy(t.float()) for t in (rois.scores, rois.attention_positive, rois.attention_negative)]
    found = []
    for k, label in enumerate(labels):
        x1, y1, x2, y2 = (round(edge, 2) for edge in placement.box(boxes[k]))
        score, positive, negative = (round(float(values[k]), 6) for values in numbers)  # thousands are kept: short ones
        found.append(Roi(slice_index, (x1, y1, x2, y2), classes[int(label)], score, positive, negative))
    return tuple(found)


def lung_classes(classes: Sequence[str], lesion_classes: Sequence[str]) -> tuple[str, ...]:
    """Classes of a one-shot model that are lung: named so, neither background nor lesion."""
    return tuple(name for name in classes[1:] if name not in lesion_classes and "lung" in name.casefold())


def _numpy(tensor: Tensor) -> NDArray[np.floating]:
    return np.asarray(tensor.detach().cpu().numpy())
