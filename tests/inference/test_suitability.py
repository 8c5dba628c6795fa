import dataclasses

import numpy as np
import pytest

from ctviewer.core.findings import Check
from ctviewer.core.geometry import Geometry
from ctviewer.inference.suitability import check, check_all
from ctviewer.models.metadata import InputLimits

NAMES = [
    "modality", "unit", "image type", "orientation", "number of slices", "slice spacing", "slice thickness", "gaps",
    "gantry tilt", "field of view", "kernel", "compression", "contrast", "air", "soft tissue", "values", "lungs",
    "body part", "coverage", "position", "noise",
]  # fmt: skip


@pytest.fixture
def limits():
    """Of the slab of a chest without ribs that `volume` is; no bundle is made for them, which takes torch."""
    return InputLimits(
        ("CT",), ("axial",), True, (6, 40), (0.5, 8.0), (200.0, 600.0), (-1100.0, -900.0), (-50.0, 150.0),
        lung_height_mm=0.0, bone_share=0.0, whole_lungs=False,
    )  # fmt: skip


def one(suitability, name) -> Check:
    (found,) = [c for c in suitability.checks if c.name == name]
    return found


def test_a_chest_is_suitable_and_every_check_says_what_it_found(volume, limits):
    suitability = check(volume, limits)
    assert [c.name for c in suitability.checks] == NAMES
    assert not suitability.abstains and suitability.warnings == ()
    assert all(c.text.endswith(".") for c in suitability.checks)
    assert one(suitability, "number of slices").text == "There are 12 slices; the model takes 6 to 40."
    assert (
        one(suitability, "slice spacing").text == "The distance between slices is 2.00 mm; the model takes 0.5 to 8 mm."
    )


def oblique():
    turned = np.deg2rad(45)
    return {"row_cosines": (1.0, 0.0, 0.0), "column_cosines": (0.0, float(np.cos(turned)), float(np.sin(turned)))}


@pytest.mark.parametrize(
    ("name", "series", "options"),
    [
        ("image type", {"is_original": False}, {}),
        ("image type", {"is_localizer": True}, {}),
        ("orientation", {}, oblique()),
        ("orientation", {}, {"column_cosines": (0.0, 0.0, -1.0)}),
        ("slice spacing", {}, {"z": np.arange(12) * 10.0}),
        ("slice spacing", {}, {"z": np.arange(12) * 0.2}),
        ("field of view", {}, {"spacing": 1.0}),
        ("field of view", {}, {"spacing": 9.0}),
        ("unit", {}, {"changes": {"unit": "US"}}),
        ("unit", {}, {"changes": {"unit": ""}}),
    ],
)
def test_outside_a_limit_it_abstains(volume_of, limits, name, series, options):
    suitability = check(volume_of(**options, **series), limits)
    assert suitability.abstains and one(suitability, name).outcome == "abstain"
    assert one(suitability, name).text in suitability.reasons
    assert " in ;" not in one(suitability, name).text, "a unit that is not stated is called so"


def test_another_modality_is_named(volume, limits):
    mr = dataclasses.replace(volume, series=dataclasses.replace(volume.series, modality="MR"))
    assert one(check(mr, limits), "modality") == Check("modality", "abstain", "The modality is MR; the model takes CT.")


def test_a_derived_series_passes_where_the_model_takes_them(volume_of, limits):
    relaxed = dataclasses.replace(limits, original_only=False)
    assert not check(volume_of(is_original=False), relaxed).abstains


@pytest.mark.parametrize("count", [4, 41])
def test_too_few_and_too_many_slices(volume_of, limits, count):
    stored = np.resize(volume_of().stored, (count, 96, 96))
    assert one(check(volume_of(stored), limits), "number of slices").outcome == "abstain"


def test_slices_that_failed_do_not_count(volume_of, limits):
    failing = [volume_of(changes={"failed": np.arange(12) < n}) for n in (2, 7, 12)]
    outcomes = [one(check(v, limits), "number of slices").outcome for v in failing]
    assert outcomes == ["warn", "abstain", "abstain"]
    assert one(check(failing[2], limits), "values").outcome == "abstain"


def test_without_positions_or_spacing_it_abstains(volume, limits):
    unknown = dataclasses.replace(volume, geometry=Geometry(volume.geometry.shape, None))
    suitability = check(unknown, limits)
    assert {c.name for c in suitability.checks if c.outcome == "abstain"} == {
        "orientation",
        "slice spacing",
        "field of view",
    }


@pytest.mark.parametrize(
    ("name", "series", "options"),
    [
        ("slice spacing", {}, {"z": np.arange(12) * 6.0}),
        ("gaps", {}, {"z": np.r_[np.arange(6), np.arange(8, 14)] * 2.0}),
        ("contrast", {"contrast_agent": "IODINE"}, {}),
        ("compression", {"lossy": True}, {}),
    ],
)
def test_doubt_is_a_warning(volume_of, limits, name, series, options):
    suitability = check(volume_of(**options, **series), limits)
    assert not suitability.abstains
    assert suitability.warnings == (one(suitability, name).text,)


def test_slices_at_one_position_and_a_tilted_gantry(volume, limits):
    geometry = volume.geometry
    twice = dataclasses.replace(geometry, origins=np.repeat(geometry.origins[:6], 2, axis=0))
    assert one(check(dataclasses.replace(volume, geometry=twice), limits), "gaps").outcome == "abstain"
    leaning = geometry.origins + np.outer(np.arange(12) * 0.5, [0, 1, 0])
    tilted = check(dataclasses.replace(volume, geometry=dataclasses.replace(geometry, origins=leaning)), limits)
    assert one(tilted, "gantry tilt").outcome == "warn" and "14.0 degrees" in one(tilted, "gantry tilt").text
    aside = geometry.origins + np.outer(np.arange(12) == 4, [20, 0, 0])
    moved = check(dataclasses.replace(volume, geometry=dataclasses.replace(geometry, origins=aside)), limits)
    assert moved.warnings == ("1 of 12 slices are shifted sideways against the others.",)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda hu: hu + 1000, {"air"}),  # no rescale intercept
        (lambda hu: np.where(hu < -500, 40, hu), {"air"}),  # no air at all
        (lambda hu: np.full_like(hu, -1000), {"soft tissue"}),
        (lambda hu: np.where((hu > -950) & (hu < -500), 40, hu), {"lungs"}),  # an abdomen
        (lambda hu: np.where((hu > -950) & (hu < -500), -1000, hu), {"lungs"}),  # and one with much gas
    ],
)
def test_values_that_are_no_chest_in_hounsfield_units(volume, limits, change, names):
    changed = dataclasses.replace(volume, stored=change(volume.stored).astype(np.int16))
    suitability = check(changed, limits)
    assert {c.name for c in suitability.checks if c.outcome == "abstain"} == names


def test_padding_is_left_out_of_the_values_whether_declared_or_not(volume_of, limits):
    stored = volume_of().stored.copy()
    stored[:, :8] = -2000
    assert not check(volume_of(stored), limits).abstains
    stored[:, :8] = -900
    stored[:, 60:90] = -900
    assert one(check(volume_of(stored), limits), "air").text.startswith("The lowest values are near -10")
    assert not check(volume_of(stored, changes={"padding": (-900, -900)}), limits).abstains


def test_values_all_below_air_are_no_hounsfield_units(volume, limits):
    shifted = dataclasses.replace(volume, stored=(volume.stored - 3000).astype(np.int16))
    assert one(check(shifted, limits), "values").outcome == "abstain"


def test_two_models_say_the_same_once(volume, limits):
    narrow = dataclasses.replace(limits, slices=(100, 200))
    assert check_all(volume, [limits, limits]).checks == check(volume, limits).checks
    both = check_all(volume, [limits, narrow])
    assert len(both.checks) == len(NAMES) + 1 and len(both.reasons) == 1
