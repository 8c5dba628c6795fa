"""Sets that mark other classes beside each other: where a class is not marked, its marks are neither true nor false."""

from __future__ import annotations

import numpy as np

from ctviewer.training.scores.detection import coco, froc, per_image, volume_dice
from ctviewer.training.slice_evaluation import examine_slices

ONES = np.ones((1, 1))
COUNTS = "what is marked of it there counts among lesions of any class, and in no figure of its own."


def test_where_a_class_is_not_marked_its_marks_change_no_figure_of_it(drawn_slice, kept, box):
    lesion, other, wrong = box(4, 4, 12, 12), box(30, 30, 10, 10), box(50, 4, 10, 10)
    marking = [drawn_slice([(2, lesion), (3, other)], [(3, 0.8, other), (2, 0.8, lesion), (2, 0.9, wrong)])]
    without = [drawn_slice([(2, lesion)], [(3, 0.95, other), (2, 0.9, lesion)], scan="t", unmarked=(3,))]
    alone, both = kept(marking), kept(marking + without)
    complete = kept([*marking, drawn_slice([(2, lesion)], [(3, 0.95, other), (2, 0.9, lesion)], scan="t")])

    def ap(predictions, label):
        return coco.average_precision(ONES, coco.ranked(predictions, label, 0.5))[0]

    def found(predictions, label):
        one = froc.findings(predictions, label)
        return one.scans[0], one.false.sum(), one.found.sum()

    assert ap(both, 3) == ap(alone, 3) == 1 > ap(complete, 3)
    assert found(both, 3) == found(alone, 3) == (1, 0, 1)
    assert found(complete, 3) == (2, 1, 1)
    assert ap(both, 2) == ap(complete, 2)
    assert found(both, 2) == found(complete, 2)
    assert found(both, None) == found(complete, None) == (2, 2, 3), "it is a lesion where there is none"
    assert [per_image.image_ap(case.lesions, 0.5) for case in both.cases][1] == 1
    assert volume_dice.mean_dice(ONES, volume_dice.areas(both, 3, 0.5)) == 1
    said = [
        [note for note in examine_slices(one, "test", draws=9).notes if "do not mark" in note]
        for one in (both, complete)
    ]
    assert said == [[f"Some slices are of sets that do not mark consolidation: {COUNTS}"], []]
