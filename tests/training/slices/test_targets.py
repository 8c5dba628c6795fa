"""Instances against a plain flood fill."""

import numpy as np
import pytest

from ctviewer.training.slices.targets import instances, least_pixels, region, target_of

CLASSES = ("background", "lung", "ground glass", "consolidation")


def flooded(mask):
    """Components of a mask, pixels that touch by a corner together, by a plain search."""
    left, found = {tuple(map(int, at)) for at in np.argwhere(mask)}, []
    while left:
        queue, part = [left.pop()], []
        while queue:
            r, c = queue.pop()
            part.append((r, c))
            for near in [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    queue.append(near)
        found.append(frozenset(part))
    return found


def expected(labels, classes, least):
    found = set()
    for value, name in enumerate(classes[1:], 1):
        mask = labels == value
        if name == "lung" and mask.any():
            mask = labels > 0
        found |= {(value, part) for part in flooded(mask) if len(part) >= least}
    return found


def told(target):
    pixels = [frozenset(map(tuple, np.argwhere(mask).tolist())) for mask in target.masks.numpy()]
    return set(zip(target.labels.tolist(), pixels, strict=True))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [CLASSES, ("background", "infection"), ("background", "nodule", "lung")])
def test_instances_are_components_by_value_lungs_with_their_lesions(seed, classes):
    rng = np.random.default_rng(seed)
    size = 64
    labels = np.where(rng.random((size, size)) < 0.35, rng.integers(1, len(classes), (size, size)), 0).astype(np.uint8)
    target = target_of(instances(labels, classes), True)
    assert told(target) == expected(labels, classes, least_pixels(size))
    assert target.masks.shape[1:] == (size, size) and target.complete
    for box, mask in zip(target.boxes.tolist(), target.masks.numpy(), strict=True):
        rows, columns = np.nonzero(mask)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_least_size_is_a_hundred_pixels_at_512():
    assert least_pixels(512) == 100 and least_pixels(256) == 25
    labels = np.zeros((256, 256), np.uint8)
    labels[10:15, 10:15] = 2
    labels[40:44, 40:46] = 2
    target = target_of(instances(labels, CLASSES), False)
    assert target.boxes.tolist() == [[10, 10, 15, 15]] and not target.complete


def test_lungs_are_whole_whether_lesions_were_cut_out_of_them_or_not():
    labels = np.zeros((64, 64), np.uint8)
    labels[10:50, 10:50] = 1
    labels[20:30, 20:30] = 3
    np.testing.assert_array_equal(region(labels, 1, CLASSES), labels > 0)
    masks = target_of(instances(labels, CLASSES), True).masks
    assert masks.sum((1, 2)).tolist() == [1600, 100]
    labels[labels == 1] = 0
    assert target_of(instances(labels, CLASSES), True).labels.tolist() == [3]  # nobody drew the lung


def test_nothing_marked_is_an_empty_target():
    target = target_of(instances(np.zeros((32, 32), np.uint8), CLASSES), True)
    assert target.boxes.shape == (0, 4) and target.labels.shape == (0,) and target.masks.shape == (0, 32, 32)
