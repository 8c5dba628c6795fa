"""metadata.json: what is written is read back equal, and every fault is refused with its reason."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ctviewer.models.metadata import Metadata, from_json, to_json
from ctviewer.models.training_run import TrainingRun


@pytest.fixture
def data(metadata: Metadata) -> dict[str, Any]:
    return json.loads(json.dumps(to_json(dataclasses.replace(metadata, weights_sha256="a" * 64))))


def test_round_trip(metadata: Metadata, data: dict[str, Any]) -> None:
    assert from_json(data) == dataclasses.replace(metadata, weights_sha256="a" * 64)


def test_classes_exclude_each_other_unless_the_head_says_no(metadata: Metadata) -> None:
    for head, exclusive in ((None, True), ("binary", True), ("multi_class", True), ("multi_label", False)):
        net = {"head": head} if head else {}
        assert dataclasses.replace(metadata, net=net).exclusive is exclusive


def test_whole_numbers_count_as_floats(data: dict[str, Any]) -> None:
    data["preprocessing"]["window_centre"] = -600
    assert from_json(data).preprocessing.window_centre == -600.0


def set_in(data: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for name in parents:
        data = data[name]
    data[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schema", 5, "schema 5 and this program reads schemas 1 and 2 and 3 and 4"),
        ("schema", True, "schema True"),
        ("schema", 1.0, "schema 1.0"),
        ("schema", None, "schema None"),
        ("name", "Bad Name", "lower case"),
        ("version", "1.2", "not of the form"),
        ("task", "oracle", "'oracle' is not one this program knows"),
        ("classes", [], "classes are empty or repeat"),
        ("classes", ["a", "a"], "classes are empty or repeat"),
        ("classes", "none", "classes is not a list"),
        ("negative_class", "nothing", "none of its classes"),
        ("lesion_classes", ["some"], "lesion classes"),
        ("weights_sha256", "xyz", "not a SHA-256"),
        ("preprocessing.window_width", 0.0, "window or size"),
        ("preprocessing.crop", 65, "window or size"),
        ("preprocessing.std", [0.0], "mean or std"),
        ("preprocessing.mean", [0.1, 0.2], "mean or std"),
        ("preprocessing.direction", "feet_to_head", "direction"),
        ("preprocessing.size", "64", "preprocessing.size is '64' and should be a int"),
        ("preprocessing.colour", 1, "preprocessing has the unknown field 'colour'"),
        ("input_limits.slices", [9, 8], "low end above"),
        ("input_limits.slices", [9], "has 1 values and should have 2"),
        ("input_limits", [], "input_limits is not an object"),
        ("thresholds.finding_probability", 1.5, "threshold"),
        ("thresholds.finding_probability", float("nan"), "should be a float"),
        ("metrics", [{"name": "x"}], "lacks the field"),
        ("net", 5, "net is not an object"),
        ("default", "yes", "default is 'yes'"),
        ("figure_notes", {"phantom": 3}, "figure_notes.phantom is 3"),
        ("surprise", 1, "unknown field 'surprise'"),
    ],
)
def test_faults_are_refused(data: dict[str, Any], path: str, value: object, words: str) -> None:
    set_in(data, path, value)
    with pytest.raises(ValueError, match=words):
        from_json(data)


def test_a_missing_field_is_named(data: dict[str, Any]) -> None:
    del data["licence"]
    with pytest.raises(ValueError, match="lacks the field 'licence'"):
        from_json(data)


def test_a_detector_needs_lesion_classes_and_no_crop(data: dict[str, Any]) -> None:
    data.update(task="one_shot", negative_class="")
    with pytest.raises(ValueError, match="needs lesion classes"):
        from_json(data)
    data["lesion_classes"] = ["some"]
    with pytest.raises(ValueError, match="crop must equal"):
        from_json(data)
    data["preprocessing"]["crop"] = 64
    assert from_json(data).lesion_classes == ("some",)
    data["lesion_classes"] = ["none"]  # the first class is the background
    with pytest.raises(ValueError, match="lesion classes"):
        from_json(data)


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        from_json(value)


def test_what_training_made_cannot_be_the_default(data: dict[str, Any], run: TrainingRun) -> None:
    data["default"] = True
    assert from_json(data).default
    data["run"] = json.loads(json.dumps(dataclasses.asdict(run)))
    with pytest.raises(ValueError, match="cannot be the default"):
        from_json(data)


def test_bundles_of_older_schemas_are_no_defaults_and_restrict_nothing(data: dict[str, Any]) -> None:
    for name in NEW:
        del data[name]
    data["schema"] = 3
    found = from_json(data)
    assert (found.default, found.restriction, found.calibration, found.figure_notes) == (False, "", None, {})


NEW = ("default", "restriction", "calibration", "figure_notes")


@pytest.mark.parametrize("name", NEW)
def test_an_older_schema_does_not_have_what_came_later(data: dict[str, Any], name: str) -> None:
    older = {key: value for key, value in data.items() if key == name or key not in NEW} | {"schema": 3}
    with pytest.raises(ValueError, match=f"unknown field '{name}'"):
        from_json(older)
