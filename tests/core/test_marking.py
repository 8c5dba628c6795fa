from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core import editing
from ctviewer.core.findings import AnalysisResult, Instance, Lesion, ModelInfo, Provenance, Suitability, Verdict
from ctviewer.core.label import StudyLabel
from ctviewer.core.marking import mark_study
from ctviewer.core.masks import BoxMask
from ctviewer.core.reading import Reading

SHAPE = (16, 16)
DIGESTS = ("aa", "bb", "cc", "dd")
WEIGHTS = "ee" * 32


def box(top: int, left: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top : top + 4, left : left + 4] = True
    return mask


def lesion(number: int, label: str, *slices: int) -> Lesion:
    found = tuple(Instance(i, label, 0.8, BoxMask.from_array(box(2, 5 * number))) for i in slices)
    return Lesion(number, label, 0.8, found, None, None, None)


def result(*lesions: Lesion, finished: str = "2026-01-01T00:00:00+00:00") -> AnalysisResult:
    models = (
        ModelInfo("study", "1", "study_classifier", "aa" * 32, (), "", "", ""),
        ModelInfo("lesions", "1", "one_shot", WEIGHTS, (), "", "", ""),
    )
    made = Provenance(models, "cpu", "float32", "ctviewer", finished, 1.0)
    return AnalysisResult("k", "1.2", DIGESTS, Suitability(()), None, lesions, np.zeros(4), "mm2", made)


@pytest.fixture
def reading() -> Reading:
    """Finding 1 on slices 1 and 2, finding 2 on slice 1, finding 0 on slice 3; nothing judged."""
    told = result(lesion(1, "ground glass", 1, 2), lesion(2, "consolidation", 1), lesion(0, "ground glass", 3))
    place = Path("/somewhere/series")
    return Reading("k", "1.2", DIGESTS, place=place, patient="p", image_size=SHAPE).with_result(told)


def facts(reading: Reading):
    study = mark_study(reading)
    return {} if study is None else {
        one.digest: ([label for label, _ in one.outlines], one.complete, one.origin) for one in study.slices
    }  # fmt: skip


def test_nothing_is_learned_from_what_nobody_judged(reading):
    assert mark_study(reading) is None


def test_accepted_findings_are_the_models_own_and_rejected_ones_are_nothing(reading):
    reading = reading.with_verdict(1, Verdict.ACCEPTED).with_verdict(2, Verdict.REJECTED)
    assert facts(reading) == {"bb": (["ground glass"], False, WEIGHTS), "cc": (["ground glass"], False, WEIGHTS)}


def test_corrected_outlines_and_classes_are_those_of_the_reader(reading):
    stroke = box(10, 2)
    reading = editing.paint(reading, 1, 1, stroke).reading
    reading = editing.relabel(reading, 1, "consolidation").reading
    study = mark_study(reading)
    (label, mask), *_ = study.slices[0].outlines
    assert label == "consolidation"
    np.testing.assert_array_equal(mask.full(SHAPE), box(2, 5) | stroke)


def test_what_was_drawn_is_the_readers_own(reading):
    reading = editing.draw(reading, "nodule", 0, box(5, 5), "now").reading
    assert facts(reading) == {"aa": (["nodule"], False, "")}


def test_a_complete_review_needs_every_finding_judged(reading):
    reading = editing.review(reading, range(4), True).reading
    assert facts(reading) == {"aa": ([], True, WEIGHTS)}, "the others wait for a word on their findings"
    for number in (0, 1, 2):
        reading = reading.with_verdict(number, Verdict.REJECTED)
    assert facts(reading) == {digest: ([], True, WEIGHTS) for digest in DIGESTS}


def test_a_review_holds_beside_the_findings_that_were_seen(reading):
    reading = editing.review(reading, [1, 2], True, accept=True).reading
    before = facts(reading)
    assert before == {
        "bb": (["ground glass", "consolidation"], True, WEIGHTS),
        "cc": (["ground glass"], True, WEIGHTS),
    }
    newer = reading.with_result(result(lesion(1, "infection", 2, 3), finished="2026-02-01T00:00:00+00:00"))
    assert facts(newer) == before
    assert facts(newer.with_verdict(1, Verdict.ACCEPTED)) == before | {"dd": (["infection"], False, WEIGHTS)}
    forgotten = replace(newer, analyses=newer.analyses[:1])
    assert facts(forgotten) == {}, "what stood there when it was reviewed is not known any more"


def test_a_review_before_any_analysis_stays(reading):
    first = editing.review(replace(reading, analyses=()), [3], True).reading
    later = replace(first, analyses=reading.analyses)
    assert facts(later) == {"dd": ([], True, "")}


def test_the_class_of_the_study_and_where_it_lies(reading):
    label = StudyLabel(("COVID-19",), (), "now")
    study = mark_study(replace(reading.with_verdict(1, Verdict.ACCEPTED), label=label))
    assert (study.classes, study.class_origin) == (("COVID-19",), label.origin)
    assert (study.content, study.patient, study.place) == (reading.content, "p", Path("/somewhere/series"))
    assert study.slices[0].shape == SHAPE
    for unknown in ({"place": None}, {"image_size": None}, {"patient": ""}):
        assert mark_study(replace(reading.with_verdict(1, Verdict.ACCEPTED), **unknown)) is None
