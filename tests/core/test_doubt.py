"""An interval only where enough real patients bear it out, and a reason everywhere else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.doubt import doubt_of, interval_text
from ctviewer.core.findings import ModelInfo, SliceScore, StudyClassification

CLASSES = ("control", "infection")
MODEL = ModelInfo("Study", "1.0.0", "study_classifier", "a" * 64, CLASSES, "trained", "none", "MIT")
BANDS = {
    "control": (BandPoint(0.1, 0.05, 0.2), BandPoint(0.9, 0.7, 0.95)),
    "infection": (BandPoint(0.1, 0.05, 0.3), BandPoint(0.9, 0.8, 0.95)),
}
REAL = Calibration("validation patients", True, {"control": 30, "infection": 30}, 0.03, "", BANDS)


def told(p: float, calibration: Calibration | None = REAL, negative: str = "control") -> StudyClassification:
    model = replace(MODEL, calibration=calibration)
    return StudyClassification(model, (1 - p, p), negative, 0.5, SliceScore.NONE, np.zeros(0))


def test_interval_lies_between_the_points_of_the_band():
    doubt = doubt_of(told(0.5))
    assert doubt.on_patients
    assert doubt.intervals == (pytest.approx((0.375, 0.575)), pytest.approx((0.425, 0.625)))
    assert doubt.finding == pytest.approx((1 - 0.575, 1 - 0.375))  # of anything but the negative class
    assert "30 patients of control and 30 patients of infection" in doubt.reason
    assert interval_text(doubt.intervals[1]) == "0.42 to 0.62"


def test_without_a_negative_class_the_finding_is_the_most_probable_class():
    assert doubt_of(told(0.8, negative="")).finding == doubt_of(told(0.8)).intervals[1]


@pytest.mark.parametrize(
    ("calibration", "why"),
    [
        (None, "no calibration on patients is on record"),
        (replace(REAL, data="simulated studies", real=False), "checked on simulated studies, not calibrated on"),
        (replace(REAL, patients={"control": 400, "infection": 29}), "29 of infection, and at least 30 patients"),
        (replace(REAL, patients={"control": 400}), "0 of infection"),
        (replace(REAL, patients={}), "0 of control and 0 of infection"),
        (replace(REAL, bands={}), "gives none for this probability"),
    ],
)
def test_no_interval_without_patients_and_the_reason_says_why(calibration, why):
    doubt = doubt_of(told(0.9, calibration))
    assert doubt.intervals == (None, None) and doubt.finding is None
    assert doubt.reason.startswith("No interval: ") and why in doubt.reason


def test_a_class_without_a_band_is_named():
    doubt = doubt_of(told(0.9, replace(REAL, bands={"infection": BANDS["infection"]})))
    assert doubt.intervals[0] is None and doubt.intervals[1] is not None
    assert doubt.finding is None  # it follows from the negative class
    assert doubt.reason.endswith("No interval for control.")


def test_a_probability_that_patients_did_not_bear_out_has_no_interval():
    off = {name: (BandPoint(0.1, 0.3, 0.4), BandPoint(0.9, 0.5, 0.6)) for name in CLASSES}
    assert doubt_of(told(0.9, replace(REAL, bands=off))).intervals == (None, None)


@given(st.floats(0, 1))
def test_an_interval_always_holds_its_probability(p):
    doubt = doubt_of(told(p))
    for interval, probability in zip(doubt.intervals, (1 - p, p), strict=True):
        assert interval is None or 0 <= interval[0] <= probability <= interval[1] <= 1


@pytest.mark.parametrize("p", [0.0, 0.001, 0.999, 1.0])
def test_beyond_the_ends_of_a_band_its_end_holds(p):
    low, high = doubt_of(told(p)).intervals[1]
    assert (low, high) == ((p, 0.3) if p < 0.5 else (0.8, p))
