import numpy as np
import pytest

from ctviewer.core.findings import SliceScore
from ctviewer.ui.strip import scale


def test_attention_is_compressed_fixed_and_ends_at_eight_times_uniform():
    x = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 50.0])
    share = scale.attention_fraction(x)
    assert share[0] == 0
    assert share[1] == pytest.approx(np.log(2) / np.log(9))
    assert share[4] == share[5] == 1
    assert np.all(np.diff(share[:5]) > 0)


def test_the_scale_does_not_depend_on_the_study():
    low = scale.score_fraction(np.array([1.0, 2.0]), SliceScore.ATTENTION)
    high = scale.score_fraction(np.array([1.0, 7.9]), SliceScore.ATTENTION)
    assert low[0] == high[0]


def test_probability_is_itself_and_area_its_square_root():
    assert scale.score_fraction(np.array([0.25]), SliceScore.PROBABILITY)[0] == 0.25
    assert scale.area_fraction(np.array([2500.0]))[0] == pytest.approx(0.5)
    assert scale.area_fraction(np.array([1e9]))[0] == 1


def test_not_looked_at_stays_unknown():
    for score in SliceScore:
        assert np.isnan(scale.score_fraction(np.array([np.nan]), score)[0])
    assert np.isnan(scale.area_fraction(np.array([np.nan]))[0])


@pytest.mark.parametrize(
    ("value", "score", "text"),
    [
        (2.14, SliceScore.ATTENTION, "attention 2.1 × uniform"),
        (0.311, SliceScore.PROBABILITY, "slice probability 31 %"),
        (55.0, SliceScore.LESION_AREA, "lesion area 55 mm²"),
        (np.nan, SliceScore.ATTENTION, "attention: not looked at"),
        (1.0, SliceScore.NONE, ""),
    ],
)
def test_values_in_words(value, score, text):
    assert scale.value_text(value, score, "mm2") == text


def test_areas_in_words():
    assert scale.area_text(1234.0, "mm2") == "lesion area 12.3 cm²"
    assert scale.area_text(1234.0, "px") == "lesion area 1234 px"
    assert scale.area_text(np.nan, "mm2") == "lesion area: not looked at"
