"""Lesions and false findings in scans, by hand and against a loop over thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.training.scores.detection.froc import RATES, curve_at, findings, points, sensitivity_at


def plain(slices, rate):
    """Every slice by itself: the best share of lesions among thresholds up to which false findings stay few."""
    scans = {one.scan for one in slices}
    best = 0.0
    for threshold in sorted({score for one in slices for _, score, _ in one.marks}, reverse=True):
        false, found, total = 0, 0, 0
        for one in slices:
            shown = [mask for _, score, mask in one.marks if score >= threshold]
            hits = [[(m & t).sum() / (m | t).sum() >= 0.25 for _, t in one.truths] for m in shown]
            wrong = [mask for mask, row in zip(shown, hits, strict=True) if not any(row)]
            false += groups(wrong)
            found += sum(any(row[i] for row in hits) for i in range(len(one.truths)))
            total += len(one.truths)
        if false / len(scans) > rate:
            break
        best = found / total
    return best


def groups(masks):
    """Masks that overlap are one finding."""
    left, count = list(masks), 0
    while left:
        grown, count = left.pop(), count + 1
        while touching := [m for m in left if (m & grown).any()]:
            for mask in touching:
                left = [m for m in left if m is not mask]
                grown = grown | mask
    return count


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_lesion_is_that_of_a_plain_loop(draw, kept, seed):
    slices = draw(seed)
    one = findings(kept(slices), None)
    values = curve_at(np.ones((1, 6)), one)[0]
    assert values == pytest.approx([plain(slices, rate) for rate in RATES])
    assert 0 < values[-1] <= 1


def test_a_lesion_over_neighbouring_slices_is_found_once_and_false_marks_are_joined(drawn_slice, kept, box):
    lesion, nothing = box(4, 4, 12, 12), box(40, 40, 10, 10)
    slices = [
        drawn_slice([(2, lesion)], [(2, 0.6, nothing)]),
        drawn_slice([(2, lesion)], [(2, 0.9, lesion), (2, 0.5, nothing)]),
        drawn_slice([(2, lesion)], [(2, 0.7, nothing)]),
    ]
    joined, alone = findings(kept(slices, neighbours=True), 2), findings(kept(slices), 2)
    assert (joined.lesions[0], alone.lesions[0]) == (1, 3)
    assert (joined.found.sum(), joined.false.sum()) == (1, 1)  # the mark between joins the outer two
    assert alone.false.sum() == 3
    one = np.ones((1, 1))
    assert sensitivity_at(one, joined, 0.5)[0] == 1.0  # found at .9, before the first false one
    two_before_they_are_one = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.0, 1.0))
    assert points(joined) == two_before_they_are_one


def test_a_mark_of_another_class_finds_a_lesion_of_any_class_only(drawn_slice, kept, box):
    lesion = box(4, 4, 12, 12)
    predictions = kept([drawn_slice([(2, lesion)], [(3, 0.9, lesion)])])
    one = np.ones((1, 1))
    assert sensitivity_at(one, findings(predictions, None), 1)[0] == 1.0
    assert findings(predictions, None).false.sum() == 0
    assert sensitivity_at(one, findings(predictions, 2), 1)[0] == 0.0
    assert findings(predictions, 3).false.sum() == 1


def test_slices_that_are_not_marked_completely_take_no_part(drawn_slice, kept, box):
    lesion = box(4, 4, 12, 12)
    predictions = kept([drawn_slice([(2, lesion)], [(2, 0.9, box(40, 40, 9, 9))], complete=False)])
    one = findings(predictions, 2)
    assert one.scans.sum() == one.lesions.sum() == one.false.sum() == 0
    assert np.isnan(sensitivity_at(np.ones((1, 1)), one, 1)[0])
    assert points(one) == ()


def test_patients_drawn_again_count_again(draw, kept):
    slices = draw(4)
    weights = np.array([[2, 0, 1, 1, 0, 2]], float)
    again = []
    for one in slices:
        for copy in range(int(weights[0][int(one.patient[-1])])):
            again.append(type(one)(f"{one.scan}-{copy}", one.patient, one.truths, one.marks, True))
    drawn = curve_at(weights, findings(kept(slices), None))[0]
    assert drawn == pytest.approx([plain(again, rate) for rate in RATES])
