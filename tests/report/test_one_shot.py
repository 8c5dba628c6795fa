"""What a one-shot model adds to a report: slice classes apart from the study's, measured shares, lungs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.findings import AnalysisResult, Lungs, ModelInfo, SliceClasses
from ctviewer.core.printing import PageSize
from ctviewer.core.volume import Volume
from ctviewer.report import build_report, render_html

MakeResult = Callable[..., AnalysisResult]
CLASSES = ("control", "CP", "COVID-19")


@pytest.fixture
def result(volume: Volume, make_result: MakeResult, detector: ModelInfo) -> AnalysisResult:
    logits = np.tile([3.0, -4.0, -3.0], (volume.slice_count, 1))
    logits[11:13] = (-2.0, -1.0, 2.0)
    logits[12, 2] = 3.0
    logits[:2] = np.nan
    found = make_result(volume, lesions=2)
    first, second = found.lesions
    measured = replace(first, ground_glass=0.62, consolidation=0.3, lung_share=0.0123)
    return replace(
        found,
        lesions=(measured, second),
        slice_classes=SliceClasses(detector, CLASSES, "control", logits),
        lungs=Lungs(2500.2, 2111.9, 4612.1),
    )


def test_slice_classes_are_counted_and_cited(volume: Volume, result: AnalysisResult) -> None:
    table = build_report(volume, result, None).slice_classes
    assert table is not None and table.looked == volume.slice_count - 2
    control, cp, covid = table.rows
    assert (control.name, control.slices) == ("control", volume.slice_count - 4)
    assert (cp.slices, covid.slices) == (0, 2)
    assert covid.highest == pytest.approx(1 / (1 + np.exp(-3.0))) and covid.where == volume.citation(12)


def test_they_stand_apart_from_the_study_classifiers_answer(volume: Volume, result: AnalysisResult) -> None:
    html = render_html(build_report(volume, result, None), PageSize.A4)
    bare = replace(result, slice_classes=None)
    without = render_html(build_report(volume, bare, None), PageSize.A4)
    assert "Slice classes by the one-shot model" in html and "no answer about the study" in html
    assert "Slice classes" not in without
    assert build_report(volume, bare, None).classification is build_report(volume, result, None).classification
    assert "COVID-19" in html.split("Slice classes by the one-shot model")[1]


def test_shares_are_printed_as_measurements_and_lungs_with_their_sides(volume: Volume, result: AnalysisResult) -> None:
    html = render_html(build_report(volume, result, None), PageSize.A4)
    assert "62 / 30" in html and "1.2 %" in html and "measured and not predicted" in html
    assert "lesions included: 4612 mL (right 2500, left 2112)." in html
    doubtful = replace(result, lungs=Lungs(None, None, 4612.1))
    assert "lesions included: 4612 mL." in render_html(build_report(volume, doubtful, None), PageSize.A4)


def test_results_without_shares_keep_the_table_of_before(volume: Volume, make_result: MakeResult) -> None:
    html = render_html(build_report(volume, make_result(volume, lesions=2), None), PageSize.A4)
    assert "GG / C" not in html and "Lungs" not in html


def test_a_model_that_looked_at_nothing_says_nothing(volume: Volume, result: AnalysisResult) -> None:
    told = result.slice_classes
    assert told is not None
    nothing = replace(told, logits=np.full_like(told.logits, np.nan))
    assert build_report(volume, replace(result, slice_classes=nothing), None).slice_classes is None
