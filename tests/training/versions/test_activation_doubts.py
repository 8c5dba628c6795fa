"""What is said before a version takes the place of the one in use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctviewer.models.bundle import Bundle
from ctviewer.training.activation_doubts import activation_doubts
from ctviewer.training.comparison import Comparison, Difference, Sides

AUC, LOSS, SHARE = "AUC-ROC, any finding", "log loss", "sensitivity, any finding"


def compared(*differences: Difference, old: str = "starter 0.1.0", new: str = "starter 0.2.0", **more) -> Comparison:
    made = Comparison(
        old, new, ("none", "some"), "none", 40, 38, 0.5, 0.5, differences, Sides(30, 2, 5, 3), (), (), (), None, None
    )  # fmt: skip
    return replace(made, **more)


def difference(name: str, old: float, new: float, low: float | None, high: float | None) -> Difference:
    return Difference(name, old, new, low, high, name == LOSS, 38)


BETTER = difference(AUC, 0.8, 0.9, 0.02, 0.18)
FIXED = compared(difference(AUC, 1.0, 1.0, None, None), sides=Sides(20, 0, 0, 0), studies=20)


@pytest.fixture
def new(base: Bundle) -> Bundle:
    m = replace(base.metadata, version="0.2.0", weights_sha256="1" * 64, parent=base.key)
    return Bundle(base.folder, m)


def test_nothing_speaks_against_what_is_shown_to_be_better(new: Bundle, base: Bundle) -> None:
    assert activation_doubts(new, base, compared(BETTER, regression=FIXED)) == ()
    assert activation_doubts(new, None, None) == ()
    assert activation_doubts(base, base, None) == ()


def test_an_interval_with_zero_is_told(new: Bundle, base: Bundle) -> None:
    (told,) = activation_doubts(new, base, compared(difference(AUC, 0.8, 0.83, -0.02, 0.08), regression=FIXED))
    assert "+0.030 (95 % interval -0.020 to +0.080)" in told and "includes zero" in told and "38 patients" in told
    (told,) = activation_doubts(new, base, compared(difference(AUC, 0.8, 0.8, None, None), regression=FIXED))
    assert "without an interval" in told and "not shown to be better" in told and "includes zero" not in told


def test_no_comparison_is_told(new: Bundle, base: Bundle) -> None:
    (told,) = activation_doubts(new, base, None)
    assert "starter 0.2.0 was not compared with starter 0.1.0" in told


def test_what_is_worse_is_told(new: Bundle, base: Bundle) -> None:
    worse = compared(
        difference(AUC, 0.9, 0.8, -0.18, -0.02), difference(LOSS, 0.3, 0.5, 0.1, 0.3), regression=FIXED
    )  # fmt: skip
    main, others = activation_doubts(new, base, worse)
    assert main.startswith("It is worse") and "-0.100" in main
    assert "log loss +0.200" in others


def test_a_collapse_is_worse_though_all_draws_agree_on_it(new: Bundle, base: Bundle) -> None:
    collapsed = compared(
        difference(AUC, 1.0, 0.0, None, None), difference(SHARE, 1.0, 0.0, None, None), regression=FIXED
    )
    main, others = activation_doubts(new, base, collapsed)
    assert main.startswith("It is worse") and SHARE in others
    assert activation_doubts(base, new, collapsed) == ()  # the way back is to what is shown to be better


def test_the_log_loss_is_what_counts_where_there_is_no_area(new: Bundle, base: Bundle) -> None:
    better = compared(difference(LOSS, 0.5, 0.3, -0.3, -0.1), difference(SHARE, 0.9, 0.5, -0.5, -0.3), regression=FIXED)
    (told,) = activation_doubts(new, base, better)
    assert "Some figures are worse" in told and SHARE in told


def test_forgetting_is_told(new: Bundle, base: Bundle) -> None:
    lost = replace(FIXED, sides=Sides(17, 3, 0, 0))
    (told,) = activation_doubts(new, base, compared(BETTER, regression=lost))
    assert "3 of 20 studies are answered wrong now that were right before" in told and "forgotten" in told
    (told,) = activation_doubts(new, base, compared(BETTER, regression=replace(FIXED, sides=Sides(19, 1, 0, 0))))
    assert "1 of 20 studies is answered wrong now that was right before" in told
    worse = replace(FIXED, differences=(difference(LOSS, 0.1, 0.3, 0.1, 0.3),))
    (told,) = activation_doubts(new, base, compared(BETTER, regression=worse))
    assert "no right answer was lost, but some figures are worse: log loss +0.200" in told and "forgotten" not in told
    (told,) = activation_doubts(new, base, compared(BETTER))
    assert "not compared with its parent on the fixed set" in told
    other = replace(new.metadata, parent="")
    assert activation_doubts(Bundle(new.folder, other), base, compared(BETTER)) == ()


def test_going_back_by_hand_turns_the_comparison_round(new: Bundle, base: Bundle) -> None:
    """The old version is to be activated again, the new one is in use."""
    found = compared(BETTER, regression=replace(FIXED, sides=Sides(17, 3, 0, 0)))
    (told,) = activation_doubts(base, new, found)
    assert told.startswith("It is worse") and "-0.100 (95 % interval -0.180 to -0.020)" in told


def test_other_classes_are_told(new: Bundle, base: Bundle) -> None:
    other = Bundle(new.folder, replace(new.metadata, classes=("none", "nodule")))
    told = activation_doubts(other, base, compared(BETTER, regression=FIXED))
    assert len(told) == 1 and "none, nodule" in told[0]


def test_one_shot_models_are_not_asked_for_the_fixed_set_of_studies(base: Bundle) -> None:
    told = {"task": "one_shot", "classes": ("background", "infection"), "lesion_classes": ("infection",)}
    used = Bundle(base.folder, replace(base.metadata, **told, image_classes=("clear", "covid"), negative_class="clear"))
    m = replace(used.metadata, version="0.2.0", weights_sha256="1" * 64, parent=used.key)
    better = compared(difference("AP .5:.95, infection", 0.3, 0.5, 0.1, 0.3), unit="slice")
    assert activation_doubts(Bundle(base.folder, m), used, better) == ()
    (text,) = activation_doubts(Bundle(base.folder, m), used, None)
    assert "on the same slices" in text
    others = Bundle(base.folder, replace(m, image_classes=("clear", "pneumonia")))
    (text,) = activation_doubts(others, used, better)
    assert "infection; slices: clear, pneumonia" in text and "infection; slices: clear, covid" in text
