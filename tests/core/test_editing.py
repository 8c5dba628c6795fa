"""Editing findings: strokes, classes, removal, review, each against plain pixel arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core import editing
from ctviewer.core.corrections import Correction
from ctviewer.core.findings import AnalysisResult, Instance, Lesion, Provenance, Suitability, Verdict
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import Reading

SHAPE = (16, 16)
DIGESTS = ("aa", "bb", "cc", "dd")


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def lesion(number: int, label: str, masks: dict[int, np.ndarray]) -> Lesion:
    found = tuple(Instance(i, label, 0.8, BoxMask.from_array(m)) for i, m in masks.items())
    return Lesion(number, label, 0.8, found, None, None, None)


@pytest.fixture
def reading() -> Reading:
    """Finding 1 on slices 1 and 2, finding 2 (another class) on slice 1 beside it."""
    lesions = (
        lesion(1, "GGO", {1: box(2, 2, 4, 4), 2: box(2, 2, 4, 4)}),
        lesion(2, "consolidation", {1: box(2, 8, 4, 4)}),
    )
    made = Provenance((), "cpu", "float32", "ctviewer 0.1.0", "2026-01-01T00:00:00+00:00", 1.0)
    result = AnalysisResult("k", "1.2", DIGESTS, Suitability(()), None, lesions, np.zeros(4), "mm2", made)
    return Reading("k", "1.2", DIGESTS).with_result(result)


def pixels(reading: Reading, lesion_id: int, index: int) -> np.ndarray:
    mask = editing.mask_on(reading, lesion_id, index)
    return np.zeros(SHAPE, bool) if mask is None else mask.full(SHAPE)


def test_the_brush_goes_around_another_finding_and_says_so(reading):
    stroke = box(3, 5, 2, 5)  # from finding 1 over the gap into finding 2
    edit = editing.paint(reading, 1, 1, stroke)
    assert np.array_equal(pixels(edit.reading, 1, 1), (box(2, 2, 4, 4) | stroke) & ~box(2, 8, 4, 4))
    assert np.array_equal(pixels(edit.reading, 2, 1), box(2, 8, 4, 4))
    assert edit.words == "4 pixels of finding 2 were left alone; hold Shift to take them."
    assert np.array_equal(pixels(edit.reading, 1, 2), box(2, 2, 4, 4)), "other slices stay"
    assert edit.reading.latest.verdict(1) is Verdict.ACCEPTED, "who corrects a finding accepts it"
    assert edit.reading.latest.result is reading.latest.result, "the model's result is never changed"


def test_with_shift_the_pixels_change_hands_and_it_is_told(reading):
    stroke = box(3, 5, 2, 5)
    edit = editing.paint(reading, 1, 1, stroke, take=True)
    assert np.array_equal(pixels(edit.reading, 1, 1), box(2, 2, 4, 4) | stroke)
    assert np.array_equal(pixels(edit.reading, 2, 1), box(2, 8, 4, 4) & ~stroke)
    assert edit.words == "4 pixels were taken from finding 2."
    assert edit.reading.latest.verdict(2) is Verdict.PENDING, "losing pixels says nothing of what it is"


def test_taking_all_of_a_finding_rejects_it(reading):
    edit = editing.paint(reading, 1, 1, box(0, 0, 16, 16), take=True)
    assert edit.reading.latest.verdict(2) is Verdict.REJECTED
    assert np.array_equal(pixels(edit.reading, 2, 1), box(2, 8, 4, 4)), "what the model outlined stays to be seen"
    assert edit.words == "16 pixels were taken from finding 2. Finding 2 has no pixel left: it is rejected."
    drawn = editing.draw(reading, "nodule", 1, box(12, 12, 2, 2), "").reading
    edit = editing.paint(drawn, 1, 1, box(12, 12, 2, 2), take=True)
    assert edit.words.endswith("Finding D1 had no pixel left and was removed.") and not edit.reading.marks.drawn


def test_a_rejected_finding_keeps_no_pixels_from_the_brush(reading):
    reading = editing.judge(reading, 2, Verdict.REJECTED).reading
    edit = editing.paint(reading, 1, 1, box(3, 5, 2, 5))
    assert edit.words == "" and np.array_equal(pixels(edit.reading, 1, 1), box(2, 2, 4, 4) | box(3, 5, 2, 5))


def test_a_stroke_wholly_in_another_finding_changes_nothing_but_is_explained(reading):
    edit = editing.paint(reading, 1, 1, box(3, 9, 1, 2))
    assert edit.label == "" and "left alone" in edit.words
    assert editing.paint(reading, 1, 1, box(3, 3, 1, 1)) is None, "painted already"


def test_erasing_concerns_the_one_finding(reading):
    edit = editing.erase(reading, 1, 1, box(0, 0, 4, 16))
    assert np.array_equal(pixels(edit.reading, 1, 1), box(4, 2, 2, 4))
    assert np.array_equal(pixels(edit.reading, 2, 1), box(2, 8, 4, 4))
    assert editing.erase(reading, 1, 1, box(12, 12, 2, 2)) is None


def test_erased_on_one_slice_it_stays_on_the_other_and_on_none_it_is_rejected(reading):
    once = editing.erase_slice(reading, 1, 1)
    assert editing.mask_on(once.reading, 1, 1) is None and once.words == ""
    assert once.reading.latest.verdict(1) is Verdict.ACCEPTED
    twice = editing.erase_slice(once.reading, 1, 2)
    assert twice.reading.latest.verdict(1) is Verdict.REJECTED
    assert twice.words == "Finding 1 has no pixel left: it is rejected."
    assert editing.erase_slice(once.reading, 1, 1) is None


def test_painting_back_what_the_model_had_leaves_no_correction(reading):
    erased = editing.erase(reading, 1, 1, box(0, 0, 4, 16)).reading
    again = editing.paint(erased, 1, 1, box(2, 2, 4, 4)).reading
    assert again.latest.corrections == {}


def test_a_class_and_back(reading):
    edit = editing.relabel(reading, 1, "consolidation")
    assert edit.reading.latest.correction(1) == Correction("consolidation")
    assert edit.label == "finding 1 is consolidation"
    assert editing.relabel(edit.reading, 1, "consolidation") is None
    assert editing.relabel(edit.reading, 1, "GGO").reading.latest.corrections == {}


def test_drawn_findings_have_numbers_of_their_own_that_are_never_given_twice(reading):
    first = editing.draw(reading, "GGO", 3, box(1, 1, 3, 3), "now")
    assert first.lesion_id == -1 and first.label == "draw finding D1"
    assert np.array_equal(pixels(first.reading, -1, 3), box(1, 1, 3, 3))
    second = editing.draw(first.reading, "GGO", 3, box(8, 8, 3, 3), "now")
    gone = editing.remove(second.reading, -2)
    third = editing.draw(gone.reading, "GGO", 3, box(8, 8, 3, 3), "now")
    assert third.lesion_id == -3
    assert editing.findings_on(third.reading, 3) == (-1, -3)


def test_a_drawn_finding_is_edited_and_goes_with_its_last_pixel(reading):
    drawn = editing.draw(reading, "GGO", 3, box(1, 1, 3, 3), "now").reading
    larger = editing.paint(drawn, -1, 2, box(8, 8, 2, 2)).reading
    assert editing.relabel(larger, -1, "other").reading.marks.find(-1).label == "other"
    assert editing.relabel(larger, -1, "GGO") is None
    less = editing.erase(larger, -1, 3, box(0, 0, 16, 16)).reading
    assert set(less.marks.find(-1).outlines) == {"cc"}
    last = editing.erase(less, -1, 2, box(0, 0, 16, 16))
    assert last.reading.marks.drawn == () and last.words == "Finding D1 had no pixel left and was removed."
    assert editing.judge(drawn, -1, Verdict.ACCEPTED) is None
    assert editing.judge(drawn, -1, Verdict.REJECTED).reading.marks.drawn == ()


def test_drawing_goes_around_other_findings_too(reading):
    edit = editing.draw(reading, "other", 1, box(2, 5, 4, 4), "now")
    assert np.array_equal(pixels(edit.reading, -1, 1), box(2, 6, 4, 2))
    assert "8 pixels of findings 1 and 2 were left alone" in edit.words
    inside = editing.draw(reading, "other", 1, box(3, 3, 1, 1), "now")
    assert inside.label == "" and inside.reading.marks.is_empty


def test_removing_a_models_finding_rejects_it(reading):
    assert editing.remove(reading, 1).reading.latest.verdict(1) is Verdict.REJECTED
    assert editing.remove(reading, 99) is None


def test_review_belongs_to_the_slices_and_names_the_analysis_on_show(reading):
    assert editing.pending(reading, [1]) == (1, 2) and editing.pending(reading, [2]) == (1,)
    edit = editing.review(reading, [0], on=True)
    assert edit.reading.marks.reviewed == {"aa": reading.latest.identity}
    assert editing.review(edit.reading, [0], on=True) is None
    assert editing.review(edit.reading, [0], on=False).reading.marks.reviewed == {}
    accepted = editing.review(reading, [1], on=True, accept=True).reading
    assert accepted.latest.verdict(2) is Verdict.ACCEPTED and editing.pending(accepted) == ()
    whole = editing.review(reading, range(4), on=True, accept=True)
    assert whole.label == "mark the series as reviewed completely" and set(whole.reading.marks.reviewed) == set(DIGESTS)


def test_what_was_erased_on_a_slice_waits_for_no_verdict_there(reading):
    erased = editing.erase_slice(reading, 1, 2).reading
    reopened = editing.judge(erased, 1, Verdict.PENDING).reading
    assert editing.pending(reopened, [2]) == () and editing.pending(reopened) == (1, 2)


def test_one_state_is_put_back_whole_even_after_a_newer_analysis(reading):
    before, edit = reading.said(), editing.paint(reading, 1, 1, box(3, 5, 2, 5), take=True)
    drawn = editing.draw(edit.reading, "GGO", 3, box(1, 1, 3, 3), "now").reading
    newer = drawn.with_result(
        AnalysisResult(
            "k", "1.2", DIGESTS, Suitability(()), None, (), np.zeros(4), "mm2",
            Provenance((), "cpu", "float32", "p", "2026-01-02T00:00:00+00:00", 1.0),
        )
    )  # fmt: skip
    assert newer.marks.drawn, "what was drawn survives a new analysis"
    back = newer.with_said(before)
    assert back.analyses[1].corrections == {} and back.analyses[1].verdicts == {} and back.marks.drawn == ()
    assert back.analyses[0] is newer.analyses[0]


def test_on_other_pixels_outlines_stay_on_unchanged_slices_and_the_models_findings_go(reading):
    drawn = editing.draw(reading, "GGO", 3, box(1, 1, 3, 3), "now").reading
    drawn = editing.paint(drawn, -1, 2, box(1, 1, 3, 3), take=True).reading
    marked = editing.review(drawn, [0, 3], on=True).reading
    moved = marked.on_other_pixels(("aa", "bb", "xx", "dd", "ee"))
    assert moved.analyses == () and set(moved.marks.find(-1).outlines) == {"dd"}
    assert moved.marks.reviewed == {}, "they were reviewed beside an analysis that is not of these pixels"
    without = editing.review(Reading("k", "1.2", DIGESTS), [0, 2], on=True).reading
    assert set(without.on_other_pixels(("aa", "bb", "xx")).marks.reviewed) == {"aa"}
