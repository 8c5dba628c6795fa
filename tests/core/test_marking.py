"""What of a reading is learned: labels, completeness, and whose word it is, slice by slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core import editing
from ctviewer.core.findings import AnalysisResult, Instance, Lesion, ModelInfo, Provenance, Suitability, Verdict
from ctviewer.core.label import StudyLabel
from ctviewer.core.marking import MarkedCounts, mark_study
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import Reading

SHAPE = (16, 16)
DIGESTS = ("aa", "bb", "cc", "dd")
MODEL = ModelInfo("m", "1.0.0", "one_shot", "f" * 64, ("background", "lung", "GGO"), "phantoms", "no", "MIT")
CLASSIFIER = replace(MODEL, task="study_classifier", sha256="c" * 64)


def box(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def analysis(*lesions: Lesion, finished: str = "1") -> AnalysisResult:
    """The detector has looked at slices 0 to 2."""
    made = Provenance((CLASSIFIER, MODEL), "cpu", "float32", "p", finished, 1.0)
    area = np.array([0.0, 0.0, 0.0, np.nan])
    return AnalysisResult("k", "1.2", DIGESTS, Suitability(()), None, lesions, area, "mm2", made)


def lesion(number: int, label: str, score: float, masks: dict[int, np.ndarray]) -> Lesion:
    found = tuple(Instance(i, label, score, BoxMask.from_array(m)) for i, m in masks.items())
    return Lesion(number, label, score, found, None, None, None)


@pytest.fixture
def reading() -> Reading:
    """One finding on slices 1 and 2, a second on slice 1."""
    one = lesion(1, "GGO", 0.9, {1: box(2, 2, 4, 4), 2: box(2, 2, 4, 4)})
    two = lesion(2, "consolidation", 0.8, {1: box(4, 4, 4, 4)})
    made = Reading("k", "1.2", DIGESTS, place=Path("/x"), patient="p" * 16, image_size=SHAPE)
    return made.with_result(analysis(one, two))


def told(reading: Reading):
    study, counts = mark_study(reading, "k", None)
    return {one.digest: one for one in study.slices} if study is not None else {}, counts


def judged(reading: Reading, *verdicts: tuple[int, Verdict]) -> Reading:
    for lesion_id, verdict in verdicts:
        reading = editing.judge(reading, lesion_id, verdict).reading
    return reading


def test_pending_findings_are_no_labels(reading):
    assert told(reading) == ({}, MarkedCounts())


def test_accepted_findings_are_labels_of_incomplete_slices_with_the_models_hash(reading):
    slices, counts = told(judged(reading, (1, Verdict.ACCEPTED), (2, Verdict.REJECTED)))
    assert set(slices) == {"bb", "cc"} and not any(one.complete for one in slices.values())
    assert [(label, mask.area) for label, mask in slices["bb"].outlines] == [("GGO", 16)]
    assert {one.origin for one in slices.values()} == {"f" * 64}
    assert counts == MarkedCounts(studies=1, slices=2, findings=1, known=2)


def test_where_classes_overlap_what_the_reader_touched_holds(reading):
    accepted = judged(reading, (1, Verdict.ACCEPTED), (2, Verdict.ACCEPTED))
    corrected = editing.erase(accepted, 2, 1, box(7, 7, 1, 1)).reading
    slices, _ = told(corrected)
    areas = {label: mask.full(SHAPE) for label, mask in slices["bb"].outlines}
    assert areas["consolidation"].sum() == 15, "corrected, though the model was less sure of it"
    assert areas["GGO"].sum() == 16 - 4 and not (areas["GGO"] & areas["consolidation"]).any()
    drawn = editing.draw(accepted, "other", 1, box(3, 3, 4, 4), "", take=True).reading
    areas = {label: mask.full(SHAPE) for label, mask in told(drawn)[0]["bb"].outlines}
    assert areas["other"].sum() == 16 and not (areas["other"] & (areas["GGO"] | areas["consolidation"])).any()


def test_a_complete_slice_without_findings_is_a_negative(reading):
    done = editing.review(judged(reading, (1, Verdict.REJECTED), (2, Verdict.REJECTED)), [0, 1, 3], on=True).reading
    slices, counts = told(done)
    assert {d: (one.complete, one.outlines) for d, one in slices.items()} == dict.fromkeys(
        ("aa", "bb", "dd"), (True, ())
    )
    assert slices["dd"].origin == "", "no model had looked at it"
    assert (counts.complete, counts.known, counts.findings) == (3, 2, 0)


def test_a_marked_slice_with_a_finding_that_waits_is_not_complete(reading):
    done = editing.review(reading, [1, 2], on=True, accept=True).reading
    assert told(done)[1].complete == 2
    reopened = judged(done, (2, Verdict.PENDING))
    slices, counts = told(reopened)
    assert slices["cc"].complete and not slices["bb"].complete
    assert (counts.complete, counts.unjudged) == (1, 1)


def test_a_complete_slice_keeps_the_findings_it_was_reviewed_with(reading):
    """The newer analysis finds nothing: what the reader had accepted is no negative for that."""
    done = editing.review(judged(reading, (1, Verdict.ACCEPTED), (2, Verdict.REJECTED)), [1], on=True).reading
    newer = done.with_result(analysis(finished="2"))
    slices, counts = told(newer)
    assert set(slices) == {"bb"} and slices["bb"].complete and counts.findings == 1
    assert [label for label, _ in slices["bb"].outlines] == ["GGO"]


def test_a_finding_accepted_later_asks_for_another_review(reading):
    done = editing.review(judged(reading, (1, Verdict.REJECTED), (2, Verdict.REJECTED)), [1], on=True).reading
    found = lesion(1, "GGO", 0.7, {1: box(9, 9, 3, 3)})
    newer = judged(done.with_result(analysis(found, finished="2")), (1, Verdict.ACCEPTED))
    slices, counts = told(newer)
    assert not slices["bb"].complete and counts.unjudged == 1
    assert [mask.area for _, mask in slices["bb"].outlines] == [9]


def test_a_mark_beside_an_analysis_that_cannot_be_read_does_not_count(reading):
    done = editing.review(reading, [0], on=True).reading
    slices, counts = told(done.without_analyses())
    assert slices == {} and counts.unjudged == 1


def test_drawn_and_reviewed_before_any_model_it_is_the_readers_own():
    bare = Reading("k", "1.2", DIGESTS, place=Path("/x"), patient="p" * 16, image_size=SHAPE)
    drawn = editing.draw(bare, "GGO", 1, box(2, 2, 3, 3), "").reading
    done = editing.review(drawn, [0, 1], on=True).reading
    slices, counts = told(done)
    assert {one.origin for one in slices.values()} == {""} and counts.known == 0 and counts.complete == 2
    later = told(done.with_result(analysis(finished="2")))[0]
    assert {one.origin for one in later.values()} == {""}, "a model that came later changes nothing of that"


def test_the_study_is_told_with_its_class_and_place(reading):
    label = StudyLabel(("covid",), (), "now")
    study, _ = mark_study(replace(judged(reading, (1, Verdict.ACCEPTED)), label=label), "scanned", None)
    assert (study.content, study.series_key, study.place) == (reading.content, "scanned", Path("/x"))
    assert study.classes == ("covid",) and study.class_origin == label.origin


def test_a_reading_of_an_older_version_is_left_out_and_counted(reading):
    old = replace(judged(reading, (1, Verdict.ACCEPTED)), image_size=None)
    assert mark_study(old, "k", None) == (None, MarkedCounts(unmeasured=1))
    assert mark_study(replace(reading, image_size=None), "k", None) == (None, MarkedCounts())


def test_words():
    text = MarkedCounts(2, 30, 12, 20, 1, 30, 1, 1).text
    assert text.startswith("12 findings on 30 slices of 2 studies were written. 20 of them were reviewed completely")
    assert "All of them were judged beside a model's findings and carry its hash." in text
    assert "1 slice marked as reviewed is not counted so" in text
    assert "1 study left out: the files are not there any more." in text and "open them once" in text
    assert (MarkedCounts(1, 1, 1) + MarkedCounts(1, 2, 3)) == MarkedCounts(2, 3, 4)
    assert "None was reviewed completely" in MarkedCounts(1, 1, 1).text
