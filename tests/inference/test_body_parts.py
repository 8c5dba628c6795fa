import pytest

from ctviewer.core.series import Series, Study
from ctviewer.inference.body_parts import names_chest, other_part


def series(body_part="", protocol="", description=""):
    return Series(
        "1", "1", "CT", None, Study(), (), 8, 8, body_part=body_part, protocol=protocol, description=description
    )


@pytest.mark.parametrize(
    "words",
    [
        {"body_part": "CHEST"},
        {"body_part": "CHESTABDPELVIS"},
        {"body_part": "T-D3000"},
        {"body_part": "ABDOMEN", "protocol": "ThoraxRoutine (Adult)"},
        {"body_part": "HEAD", "description": "Lunge 1.0"},
        {"protocol": "TÓRAX".replace("Ó", "O")},
        {"description": "PET CT whole body"},
        {"body_part": "HEART"},
    ],
)
def test_chests_by_many_names(words):
    assert names_chest(series(**words)) and other_part(series(**words)) == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"body_part": "HEAD"}, "HEAD"),
        ({"body_part": "Brain"}, "Brain"),
        ({"protocol": "Schädel nativ Meier"}, "Schädel"),
        ({"body_part": "ABDOMENPELVIS"}, "ABDOMENPELVIS"),
        ({"description": "Smith L-SPINE 2.0"}, "L-SPINE"),
        ({"body_part": "KNEE", "protocol": "HIP"}, "KNEE"),
        ({"protocol": "Becken"}, "Becken"),
    ],
)
def test_other_parts_are_named_by_the_word_alone(words, named):
    assert not names_chest(series(**words)) and other_part(series(**words)) == named


def test_nothing_stated_is_nothing_known():
    assert not names_chest(series()) and other_part(series()) == ""
    assert other_part(series(description="Series 3 axial 5.0 B40f")) == ""
