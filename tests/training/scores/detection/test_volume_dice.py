"""Dice over scans from what each mark adds, against masks; marks where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.scores.detection.volume_dice import areas, marked_share, mean_dice


def plain(slices, labels, threshold):
    values = []
    for scan in dict.fromkeys(one.scan for one in slices):
        shared = marked = true = 0
        for one in (s for s in slices if s.scan == scan):
            said, is_ = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
            for label, score, mask in one.marks:
                said |= mask & (label in labels and score >= threshold)
            for label, mask in one.truths:
                is_ |= mask & (label in labels)
            shared, marked, true = shared + (said & is_).sum(), marked + said.sum(), true + is_.sum()
        if true:
            values.append(2 * shared / (marked + true))
    return np.mean(values)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_dice_at_any_threshold_is_that_of_the_masks(draw, kept, threshold):
    slices = draw(8)
    predictions = kept(slices)
    for label, labels in ((None, (2, 3)), (2, (2,)), (3, (3,))):
        value = mean_dice(np.ones((1, 6)), areas(predictions, label, threshold))[0]
        assert value == pytest.approx(plain(slices, labels, threshold))


def test_components_too_small_for_an_instance_count_in_dice(drawn_slice, kept, box):
    predictions = kept([drawn_slice([(2, box(4, 4, 1, 1))], [(2, 0.9, box(4, 4, 1, 3))])])
    assert mean_dice(np.ones((1, 1)), areas(predictions, 2, 0.5))[0] == pytest.approx(0.5)


def test_the_lung_is_counted_with_the_lesions_in_it(drawn_slice, kept, box):
    lung, lesion = box(4, 4, 20, 20), box(8, 8, 6, 6)
    predictions = kept([drawn_slice([(1, lung), (2, lesion)], [(1, 0.9, lung)])])
    found = predictions.cases[0].lesions
    assert (found.truth_pixels[1], found.truth_pixels[2], found.truth_any) == (400, 36, 36)
    assert mean_dice(np.ones((1, 1)), areas(predictions, 1, 0.5))[0] == 1.0
    assert found.truth_labels == (1, 2)


def test_slices_without_a_lesion_that_get_a_mark(drawn_slice, kept, box):
    mark = [(2, 0.6, box(4, 4, 9, 9))]
    slices = [drawn_slice([], mark), drawn_slice([], []), drawn_slice([(2, box(4, 4, 9, 9))], mark)]
    predictions = kept([*slices, drawn_slice([], mark, complete=False)])
    one = np.ones((1, 1))
    assert marked_share(one, areas(predictions, None, 0.5))[0] == 0.5
    assert marked_share(one, areas(predictions, None, 0.7))[0] == 0.0
    assert np.isnan(marked_share(np.zeros((1, 1)), areas(predictions, None, 0.5))[0])
