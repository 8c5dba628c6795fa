"""Average precision of the phantoms' lesion detector on cases that can be reckoned by hand."""

import math

import numpy as np
import pytest

from ctviewer.training.starter.phantoms.detector_figures import SliceRecord, StudyRecord, ap, match


def record(*slices):
    """A study of such slices: scores, and IoU of each detection with each truth."""
    made = [SliceRecord(np.array(scores, float), np.array(overlaps, float)) for scores, overlaps in slices]
    return StudyRecord(False, {"ground glass": made}, {}, {})


def test_each_truth_is_matched_once_and_the_best_first():
    scores = np.array([0.5, 0.9, 0.8])
    overlaps = np.array([[0.9, 0.0], [0.6, 0.55], [0.7, 0.4]])
    assert match(scores, overlaps, 0.5).tolist() == [False, True, False]  # 0.9 took the first truth
    assert match(scores, overlaps, 0.65).tolist() == [False, False, True]
    assert match(scores, np.zeros((3, 0)), 0.5).tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ([([0.9], [[1.0]])], 1.0),
        ([([0.9], np.zeros((1, 0)))], math.nan),
        ([([], np.zeros((0, 2)))], 0.0),
        ([([0.9, 0.8], [[0.0], [0.9]])], 0.5),  # a false one above: precision 1/2 at every recall up to 1
        ([([0.9], [[0.9, 0.0]])], 51 / 101),  # half of the truths found: 51 of the 101 recalls
        ([([0.9], np.zeros((1, 0))), ([0.8], [[0.9]])], 0.5),  # a mark on a slice without any counts
    ],
)
def test_average_precision(slices, expected):
    assert ap([record(*slices)], "ground glass") == pytest.approx(expected, nan_ok=True)
