"""One reader's work on one series."""

from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.findings import AnalysisResult, Provenance, Suitability, Verdict
from ctviewer.core.reading import Reading, content_digest

DIGESTS = ("aa", "bb", "cc", "dd")


def result(finished: str = "2026-01-01T00:00:00+00:00") -> AnalysisResult:
    """An analysis that found nothing."""
    made = Provenance((), "cpu", "float32", "ctviewer 0.1.0", finished, 1.0)
    return AnalysisResult("k", "1.2", DIGESTS, Suitability(()), None, (), np.zeros(4), "mm2", made)


@pytest.fixture
def reading() -> Reading:
    """With one analysis."""
    return Reading("k", "1.2", DIGESTS, comment="c", question="q").with_result(result())


def test_content_depends_on_slices_and_their_order():
    assert content_digest(DIGESTS) == content_digest(DIGESTS)
    assert content_digest(DIGESTS) != content_digest(DIGESTS[::-1])
    assert content_digest(("a", "b")) != content_digest(("ab",))


def test_verdicts_belong_to_the_newest_analysis(reading):
    assert reading.latest.verdict(1) is Verdict.PENDING
    judged = reading.with_verdict(1, Verdict.REJECTED).with_verdict(2, Verdict.ACCEPTED)
    assert judged.latest.verdict(1) is Verdict.REJECTED
    assert reading.latest.verdict(1) is Verdict.PENDING, "a reading never changes"
    again = judged.with_result(result("2026-01-02T00:00:00+00:00"))
    assert again.latest.verdict(1) is Verdict.PENDING
    assert again.analyses[1].verdict(2) is Verdict.ACCEPTED


def test_no_verdict_without_an_analysis():
    bare = Reading("k", "1.2", DIGESTS)
    assert bare.with_verdict(1, Verdict.ACCEPTED) is bare
    assert bare.latest is None


def test_two_runs_have_two_identities(reading):
    again = reading.with_result(result("2026-01-02T00:00:00+00:00"))
    assert again.analyses[0].identity != again.analyses[1].identity
    assert reading.latest.identity == reading.with_verdict(1, Verdict.ACCEPTED).latest.identity


def test_key_images_keep_the_order_of_marking(reading):
    marked = reading.with_key_image("cc", True).with_key_image("aa", True)
    assert marked.key_slices == (2, 0)
    assert marked.with_key_image("cc", True).key_images == ("aa", "cc")
    assert marked.with_key_image("cc", False).key_slices == (0,)
    assert marked.with_key_image("zz", True).key_slices == (2, 0), "a slice that is not there has no index"


def test_on_other_pixels_words_stay_and_findings_go(reading):
    marked = reading.with_key_image("aa", True).with_key_image("bb", True)
    moved = marked.on_other_pixels(("aa", "xx", "cc", "dd"))
    assert moved.analyses == ()
    assert (moved.comment, moved.question) == ("c", "q")
    assert moved.key_images == ("aa",)
