"""Which detections of a slice are true, as COCO decides it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.slice_predictions import SliceLesions

TRUE, FALSE, IGNORED = 1, 0, -1
Overlaps = list[list[tuple[int, float]]]


def overlaps(slice_: SliceLesions, labels: Iterable[int], *, same_class: bool = True) -> Overlaps:
    """What each detection meets among the truths of some classes: their numbers and IoU.

    Args:
        slice_: of one slice.
        labels: index of the classes that are asked for.
        same_class: whether a detection meets truths of its own class alone.

    Returns:
        By detection; empty for detections of other classes.
    """
    wanted = set(labels)
    found: Overlaps = [[] for _ in slice_.labels]
    for detection, truth, iou in slice_.matches:
        a, b = slice_.labels[detection], slice_.truth_labels[truth]
        if a in wanted and b in wanted and (a == b or not same_class):
            found[detection].append((truth, iou))
    return found


def states(slice_: SliceLesions, label: int, threshold: float) -> NDArray[np.int8]:
    """`TRUE`, `FALSE` or `IGNORED` for the detections of a class, by falling score.

    Each takes the free truth that it overlaps most, from the threshold on; one that meets a truth too small to count is
    ignored, and so is one that meets nothing where not all is marked, or the class is not marked at all.

    Args:
        slice_: of one slice.
        label: index of the class.
        threshold: least IoU.

    Returns:
        `[detections of the class]`.
    """
    met, taken, out = overlaps(slice_, [label]), set[int](), []
    telling = slice_.complete and label not in slice_.unmarked
    for detection, its_label in enumerate(slice_.labels):
        if its_label != label:
            continue
        free = [(iou, truth) for truth, iou in met[detection] if iou >= threshold and truth not in taken]
        counting = [pair for pair in free if not slice_.truth_small[pair[1]]]
        if counting or free:
            _, truth = max(counting or free)
            taken.add(truth)
            out.append(TRUE if counting else IGNORED)
        else:
            out.append(FALSE if telling else IGNORED)
    return np.array(out, np.int8)
