"""Doubt and licence on paper: an interval or why there is none, what the model learned from, what its licence forbids."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.findings import AnalysisResult, ModelInfo
from ctviewer.core.printing import PageSize
from ctviewer.core.volume import Volume
from ctviewer.report import build_report, render_html

MakeResult = Callable[..., AnalysisResult]
SIMULATED = "trained on simulated studies, not for differential diagnosis"


@pytest.fixture
def page(volume: Volume, make_result: MakeResult) -> Callable[..., tuple[str, str]]:
    """`page(**changes of the classifier)`: the report as HTML, and its words."""

    def make(**changes: object) -> tuple[str, str]:
        result = make_result(volume)
        assert result.classification is not None
        model = replace(result.classification.model, **changes)
        models = (model, *result.provenance.models[1:])
        told = replace(result, classification=replace(result.classification, model=model),
                       provenance=replace(result.provenance, models=models))  # fmt: skip
        text = render_html(build_report(volume, told, None), PageSize.A4)
        return text, " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())

    return make


def record(classes: tuple[str, ...], patients: int = 30, real: bool = True) -> Calibration:
    band = (BandPoint(0.0, 0.0, 0.2), BandPoint(1.0, 0.8, 1.0))
    counts = dict.fromkeys(classes, patients)
    return Calibration("validation patients", real, counts, 0.02, "", dict.fromkeys(classes, band))


def test_without_calibration_the_report_has_no_interval_and_says_why(page: Callable[..., tuple[str, str]]) -> None:
    _, words = page()
    assert "95 % interval" not in words
    assert "No interval: no calibration on patients is on record for this model." in words


def test_simulated_calibration_gives_none_either(page: Callable[..., tuple[str, str]], classifier: ModelInfo) -> None:
    _, words = page(calibration=record(classifier.classes, 200, real=False))
    assert "95 % interval" not in words and "not calibrated on patients' own studies" in words


def test_an_interval_stands_beside_each_probability(
    page: Callable[..., tuple[str, str]], classifier: ModelInfo
) -> None:
    _, words = page(calibration=record(classifier.classes))
    assert "Class Probability 95 % interval COVID-like 0.81 0.65 to 0.85 pneumonia-like 0.15 0.12 to 0.32" in words
    assert "Probability of any finding: 0.96 (0.77 to 0.97), above the model's threshold" in words
    assert "95 % intervals of the calibration on validation patients (30 patients of no finding" in words


def test_a_model_of_simulated_studies_says_so_below_its_answer(page: Callable[..., tuple[str, str]]) -> None:
    text, words = page(trained_on=SIMULATED)
    assert words.index("Probability of any finding") < words.index(f"phantom-study 1.0.0, {SIMULATED}.")
    assert re.search(rf"#8a4b00[^>]*>[^<]*{SIMULATED}", text), "in the colour of doubt"


def test_what_a_licence_forbids_stands_where_the_result_was_made(page: Callable[..., tuple[str, str]]) -> None:
    _, words = page(licence="CC BY-NC-SA 4.0", restriction="Not for commercial use.")
    told = "Licence of phantom-study 1.0.0, CC BY-NC-SA 4.0: Not for commercial use."
    assert words.count(told) == 1 and words.index("How this result was made") < words.index(told)
    assert "Licence of" not in page()[1]
