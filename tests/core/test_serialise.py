import copy
import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.errors import InputError
from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    Lesion,
    Lungs,
    ModelInfo,
    Provenance,
    Roi,
    SliceClasses,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.masks import BoxMask
from ctviewer.core.serialise import from_dict, to_dict

SLICES = 5
MODEL = ModelInfo(
    "net ü", "1.2.3", "study_classifier", "ab" * 32, ("none", "infection"), "phantoms", "Not for use.", "MIT"
)
CALIBRATED = dataclasses.replace(
    MODEL,
    restriction="Not for commercial use.",
    calibration=Calibration(
        "validation patients",
        True,
        {"none": 41, "infection": 33},
        0.04,
        "Fitted.",
        {"infection": (BandPoint(0.5, 0.4, 0.6),)},
    ),
)
ONE_SHOT = dataclasses.replace(MODEL, name="one", task="one_shot", classes=("background", "lung", "ggo"))
PROVENANCE = Provenance(
    (MODEL,), "cpu", "float32", "ctviewer 0", "2026-11-22T02:00:00+00:00", 1.5, (("batch", "8"), ("auto", "no"))
)


def make_mask(seed: int) -> BoxMask:
    mask = np.random.default_rng(seed).random((13, 17)) > 0.6
    packed = BoxMask.from_array(mask)
    assert packed is not None
    return packed


def make_result(**changes) -> AnalysisResult:
    weights = np.array([0.25, math.nan, 0.5, 0.125, 0.125])
    evidence = np.linspace(-1, 1, SLICES * 2).reshape(SLICES, 2)
    evidence[1] = math.nan
    lesion = Lesion(
        1,
        "ggo",
        0.9,
        (Instance(2, "ggo", 0.9, make_mask(1)), Instance(3, "ggo", 0.4, make_mask(2))),
        1.25,
        12.5,
        None,
        "left",
        0.625,
        0.25,
        0.0125,
    )
    logits = np.array([[0.5, -2.0, 1e-3], [math.nan] * 3, [-300.0, 300.0, 0.0], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    rois = (
        Roi(2, (10.5, 0.0, 96.0, 31.25), "ggo", 0.03, 0.75, 0.5),
        Roi(2, (0.0, 1.0, 2.0, 3.0), "lung", 0.9, 0.25, 0.5),
        Roi(4, (1.0, 1.0, 2.0, 2.0), "ggo", 0.5, 1.0, 1.0),
    )
    result = AnalysisResult(
        "1.2.3#1",
        "1.2.3",
        tuple(f"{i:064x}" for i in range(SLICES)),
        Suitability((Check("modality", "ok", "CT."), Check("spacing", "warn", "8 mm."))),
        StudyClassification(MODEL, (0.25, 0.75), "none", 0.5, SliceScore.ATTENTION, weights, evidence),
        (lesion,),
        np.array([math.nan, 0.0, 12.5, 3.0, 0.0]),
        "mm2",
        PROVENANCE,
        SliceClasses(ONE_SHOT, ("control", "CP", "COVID-19"), "control", logits),
        rois,
        Lungs(2500.5, 2100.25, 4600.75),
    )
    return dataclasses.replace(result, **changes)


def assert_same(a: object, b: object) -> None:
    """Compare field by field; arrays exactly, with NaN equal to NaN."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif dataclasses.is_dataclass(a):
        for item in dataclasses.fields(a):
            assert_same(getattr(a, item.name), getattr(b, item.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def through_json(result: AnalysisResult) -> AnalysisResult:
    return from_dict(json.loads(json.dumps(to_dict(result), allow_nan=False)))


def test_round_trip_through_json_is_exact():
    result = make_result()
    assert_same(through_json(result), result)


@pytest.mark.parametrize(
    "changes",
    [
        {"classification": None, "lesions": ()},
        {"slice_classes": None, "rois": (), "lungs": None},
        {"lungs": Lungs(None, None, 12.0)},
        {"lungs": Lungs(None, None, None)},
        {"provenance": dataclasses.replace(PROVENANCE, models=(CALIBRATED,))},
        {"area_unit": "px", "lesion_area": np.full(SLICES, math.nan)},
        {"suitability": Suitability(()), "provenance": dataclasses.replace(PROVENANCE, models=(), settings=())},
    ],
)
def test_round_trip_of_partial_results(changes):
    result = make_result(**changes)
    assert_same(through_json(result), result)


def test_round_trip_without_evidence():
    whole = make_result()
    result = dataclasses.replace(whole, classification=dataclasses.replace(whole.classification, evidence=None))
    assert_same(through_json(result), result)


@settings(max_examples=50, deadline=None)
@given(
    weights=st.lists(st.one_of(st.just(math.nan), st.floats(0, 1)), min_size=SLICES, max_size=SLICES),
    seed=st.integers(0, 1000),
    top=st.integers(0, 4000),
    score=st.floats(0, 1),
    volume=st.one_of(st.none(), st.floats(0, 5000)),
    side=st.sampled_from(["", "right", "left", "both"]),
)
def test_round_trip_of_any_numbers(weights, seed, top, score, volume, side):
    mask = dataclasses.replace(make_mask(seed), top=top)
    lesion = Lesion(7, "x", score, (Instance(0, "x", score, mask),), volume, None, -512.25, side)
    whole = make_result(lesions=(lesion,))
    result = dataclasses.replace(
        whole, classification=dataclasses.replace(whole.classification, weights=np.array(weights))
    )
    assert_same(through_json(result), result)


def test_numpy_scalars_become_plain_numbers():
    lesion = dataclasses.replace(make_result().lesions[0], score=np.float32(0.5))
    assert json.loads(json.dumps(to_dict(make_result(lesions=(lesion,)))))["lesions"][0]["score"] == 0.5


def test_unknown_keys_are_left_alone():
    data = to_dict(make_result())
    data["patient"] = {"name": "x"}
    assert_same(from_dict(data), make_result())


ADDED = ("slice_classes", "rois", "lungs")
ADDED_TO_LESIONS = ("ground_glass", "consolidation", "lung_share")


def test_a_result_of_before_still_loads():
    """What version 0.1.0 stored: without the keys that came with the one-shot model."""
    data = json.loads(json.dumps(to_dict(make_result())))
    for key in ADDED:
        del data[key]
    for lesion in data["lesions"]:
        for key in ADDED_TO_LESIONS:
            del lesion[key]
    (lesion,) = make_result().lesions
    bare = dataclasses.replace(lesion, ground_glass=None, consolidation=None, lung_share=None)
    assert_same(from_dict(data), make_result(slice_classes=None, rois=(), lungs=None, lesions=(bare,)))


def test_a_series_of_regions_stays_small():
    """16 regions on each of 500 slices: thousands of keys would be megabytes."""
    rois = tuple(
        Roi(k % 5, (10.5, 20.25, 100.5, 200.75), "ground glass", 0.25, 0.0625, 0.0625) for k in range(16 * 500)
    )
    rois = tuple(sorted(rois, key=lambda roi: roi.slice_index))
    text = json.dumps(to_dict(make_result(rois=rois)), separators=(",", ":"))
    assert len(text) < 80 * len(rois)
    assert_same(through_json(make_result(rois=rois)), make_result(rois=rois))


def edit(path: str, value: object):
    """A copy of a good dict in which the place `a/0/b` holds `value` (`del` removes it)."""
    data = copy.deepcopy(to_dict(make_result()))
    *parents, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    node = data
    for part in parents:
        node = node[part]
    if value == "del":
        del node[last]
    else:
        node[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "other"),
        ("version", 2),
        ("version", True),
        ("series", "del"),
        ("series/slice_digests", [1]),
        ("suitability/0/outcome", "maybe"),
        ("suitability/0", 3),
        ("classification/weights", [0.1]),
        ("classification/weights/0", "0.1"),
        ("classification/weights/0", True),
        ("classification/weights/0", float("inf")),
        ("classification/probabilities/0", None),
        ("classification/evidence", [[1.0]]),
        ("classification/evidence/0", [1.0]),
        ("classification/score", "importance"),
        ("classification/threshold", None),
        ("classification/model/classes", "none"),
        ("lesions/0/id", 0),
        ("lesions/0/side", "up"),
        ("lesions/0/volume_ml", 10**400),
        ("lesions/0/instances", []),
        ("lesions/0/instances/0/slice", SLICES),
        ("lesions/0/instances/0/slice", -1),
        ("lesions/0/instances/0/mask/bits", "%%%"),
        ("lesions/0/instances/0/mask/bits", "é"),
        ("lesions/0/instances/0/mask/bits", "AAAA"),
        ("lesions/0/instances/0/mask/height", 0),
        ("lesions/0/lung_share", "1 %"),
        ("slice_classes/logits", None),
        ("slice_classes/logits/0", [1.0, 2.0]),
        ("slice_classes/classes", []),
        ("slice_classes/model", "del"),
        ("rois/0/slice", SLICES),
        ("rois/0/boxes/0", [1.0, 2.0, 3.0]),
        ("rois/0/boxes/0/0", None),
        ("rois/0/positive", [0.5]),
        ("rois/0/scores/0", None),
        ("rois", {}),
        ("lungs/total_ml", "del"),
        ("lungs", 4),
        ("lesion_area/unit", "m2"),
        ("lesion_area/values", None),
        ("provenance/settings", [["a"]]),
        ("provenance/seconds", "del"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(path, value):
    with pytest.raises(InputError) as caught:
        from_dict(edit(path, value))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("data", [None, [], "x", {}, 3])
def test_other_json_is_refused(data):
    with pytest.raises(InputError):
        from_dict(data)


def test_results_of_before_knew_neither_restriction_nor_calibration():
    data = to_dict(make_result())
    for model in (data["classification"]["model"], data["slice_classes"]["model"], *data["provenance"]["models"]):
        del model["restriction"], model["calibration"]
    for derived in ("intervals", "finding_interval", "interval_reason"):
        del data["classification"][derived]
    assert_same(from_dict(data), make_result())


def test_interval_or_its_reason_stands_beside_the_probabilities():
    told = make_result().classification
    data = to_dict(make_result())["classification"]
    assert data["intervals"] == [None, None] and data["finding_interval"] is None
    assert "no calibration on patients" in data["interval_reason"]
    band = {"infection": (BandPoint(0.25, 0.2, 0.5), BandPoint(0.75, 0.6, 0.8))}
    calibrated = dataclasses.replace(CALIBRATED, calibration=dataclasses.replace(CALIBRATED.calibration, bands=band))
    result = make_result(classification=dataclasses.replace(told, model=calibrated))
    assert to_dict(result)["classification"]["intervals"] == [None, [0.6, 0.8]]
    assert_same(through_json(result), result)


@pytest.mark.parametrize("damage", [{"ece": "small"}, {"real": 1}, {"bands": {"infection": [{"probability": 0.5}]}}])
def test_damaged_calibration_is_one_sentence(damage):
    data = to_dict(make_result(provenance=dataclasses.replace(PROVENANCE, models=(CALIBRATED,))))
    data["provenance"]["models"][0]["calibration"].update(damage)
    with pytest.raises(InputError, match="of a model's calibration"):
        from_dict(data)
