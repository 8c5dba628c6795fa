"""The phantom is deterministic, looks like a chest in Hounsfield units, and its truth is true."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Progress
from ctviewer.core.geometry import Plane
from ctviewer.datasets.phantom import (
    CONSOLIDATION,
    GROUND_GLASS,
    HELD_OUT_FAMILIES,
    LUNG,
    TRAINING_FAMILIES,
    Family,
    PhantomSpec,
    Variant,
    generate,
    generate_events,
)

SMALL = PhantomSpec(3, Variant.COVID, Family.B, matrix=64, slices=12)


@pytest.fixture(params=list(Family), ids=lambda family: family.value)
def family(request):
    return request.param


def test_equal_specs_give_equal_bytes_whatever_the_threads():
    one, many = generate(SMALL, workers=1), generate(SMALL, workers=4)

    assert one.hu.tobytes() == many.hu.tobytes()
    assert one.labels.tobytes() == many.labels.tobytes()
    assert one.lesions == many.lesions
    assert np.array_equal(one.geometry.origins, many.geometry.origins)


def test_another_seed_is_another_patient():
    first, second = generate(SMALL), generate(replace(SMALL, seed=4))

    assert np.mean(first.labels != second.labels) > 0.01


def test_variants_of_one_seed_are_one_patient(make_phantom):
    healthy, ill = make_phantom(Variant.CONTROL), make_phantom(Variant.COVID)

    assert np.array_equal(healthy.labels > 0, ill.labels > 0)
    outside = ndimage.binary_dilation(ill.labels >= GROUND_GLASS, iterations=7)
    assert np.abs(healthy.hu.astype(int) - ill.hu)[~outside].max() <= 12


def test_progress_counts_every_slice_and_ends_with_the_phantom():
    events = list(generate_events(SMALL))

    assert [e.done for e in events if isinstance(e, Progress)] == list(range(SMALL.slices + 1))
    assert isinstance(events[-1], Done)
    assert events[-1].value.hu.shape == (12, 64, 64)


def test_a_closed_generator_leaves_no_thread_behind():
    events = generate_events(SMALL)
    next(events)
    next(events)
    events.close()  # the leak fixture looks for the pool's threads


def test_geometry_is_axial_and_runs_from_feet_to_head(make_phantom):
    phantom = make_phantom()
    geometry = phantom.geometry

    assert geometry.plane is Plane.AXIAL
    assert geometry.is_regular(1e-3)
    assert np.all(np.diff(geometry.locations) > 0)
    assert geometry.edge_letters() == ("R", "L", "A", "P")
    assert geometry.shape == phantom.hu.shape == phantom.labels.shape
    area = (phantom.labels > 0).sum(axis=(1, 2))
    assert area[-1] == 0 and area[0] == 0, "the lungs are covered whole"
    assert area[len(area) // 2] > 5 * max(1, area[1]), "the bases are thin crescents"


def test_field_of_view_and_spacing_can_be_given():
    spec = replace(SMALL, field_of_view_mm=320.0, slice_spacing_mm=5.0)
    geometry = generate(spec).geometry

    assert geometry.pixel_spacing == (5.0, 5.0)
    assert geometry.slice_spacing == pytest.approx(5.0)


def test_tissues_have_their_hounsfield_units(make_phantom, family):
    phantom = make_phantom(Variant.CONTROL, family)
    middle = len(phantom.hu) // 2
    hu, labels = phantom.hu, phantom.labels

    assert -915 < np.median(hu[labels == LUNG]) < -790
    assert np.median(hu[middle, :4]) < -950, "air above the patient"
    below = hu[: len(hu) // 3]
    soft = below[(below > 0) & (below < 110)]
    assert 35 < np.median(soft) < 75, "muscle, liver, blood"
    fat = hu[(hu > -150) & (hu < -60)]
    assert fat.size > 0.01 * hu.size
    assert np.percentile(hu, 99.9) > 350, "bone"


def test_dependent_lung_is_denser(make_phantom):
    phantom = make_phantom(Variant.CONTROL)
    rows = np.arange(phantom.hu.shape[1])[None, :, None] * np.ones(phantom.hu.shape)
    lung = phantom.labels == LUNG
    front, back = np.percentile(rows[lung], [25, 75])

    assert np.median(phantom.hu[lung & (rows > back)]) > np.median(phantom.hu[lung & (rows < front)]) + 15


def test_two_lungs_right_at_low_columns(make_phantom, family):
    phantom = make_phantom(Variant.CONTROL, family)
    right, left = phantom.right_lung, phantom.left_lung
    parts, count = ndimage.label(phantom.labels > 0)
    sizes = np.sort(np.bincount(parts.ravel())[1:])

    assert count >= 2
    assert sizes[-2:].sum() > 0.985 * sizes.sum(), "two components hold the lungs"
    assert not (right & left).any()
    columns = np.arange(phantom.hu.shape[2])
    assert np.average(columns, weights=right.sum(axis=(0, 1))) < np.average(columns, weights=left.sum(axis=(0, 1)))
    assert 0.6 < left.sum() / right.sum() < 1.4
    largest = [parts == label for label in np.argsort(np.bincount(parts.ravel())[1:])[-2:] + 1]
    for part in largest:
        assert min((part & right).sum(), (part & left).sum()) < 0.01 * part.sum(), "no component spans both sides"


def test_vessels_show_in_the_lung(make_phantom):
    phantom = make_phantom(Variant.CONTROL)
    deep = ndimage.binary_erosion(phantom.labels == LUNG, iterations=3)

    assert 0.02 < np.mean(phantom.hu[deep] > -700) < 0.35


def test_control_has_no_lesion(make_phantom, family):
    phantom = make_phantom(Variant.CONTROL, family)

    assert phantom.lesions == ()
    assert not phantom.infected_slices.any()
    assert set(np.unique(phantom.labels)) == {0, LUNG}


@pytest.mark.parametrize("variant", [Variant.COVID, Variant.PNEUMONIA])
def test_lesions_have_the_density_of_their_class(make_phantom, family, variant):
    phantom = make_phantom(variant, family)
    healthy = np.median(phantom.hu[phantom.labels == LUNG])
    haze = phantom.hu[phantom.labels == GROUND_GLASS]

    assert -700 < np.median(haze) < -350
    assert np.median(haze) > healthy + 120
    dense = phantom.hu[phantom.labels == CONSOLIDATION]
    if dense.size > 30:
        assert -250 < np.median(dense) < 70


def test_covid_is_bilateral_peripheral_and_mostly_ground_glass(make_phantom, family):
    phantom = make_phantom(Variant.COVID, family)
    volume = {
        label: sum(x.volume_ml for x in phantom.lesions if x.label == label) for label in (GROUND_GLASS, CONSOLIDATION)
    }
    pixel = phantom.geometry.pixel_spacing[0]
    sampling = (phantom.geometry.slice_spacing, pixel, pixel)
    depth = ndimage.distance_transform_edt(phantom.labels > 0, sampling)
    lesion = phantom.labels >= GROUND_GLASS

    assert {x.side for x in phantom.lesions} == {"right", "left"}
    assert volume[GROUND_GLASS] > 2 * volume[CONSOLIDATION]
    assert np.median(depth[lesion]) < np.median(depth[phantom.labels == LUNG]) + 4
    rows = np.nonzero(lesion)[1]
    assert rows.mean() > np.nonzero(phantom.labels == LUNG)[1].mean(), "at the back"


def test_pneumonia_is_unilateral_and_has_consolidation(make_phantom, family):
    phantom = make_phantom(Variant.PNEUMONIA, family)

    assert len({x.side for x in phantom.lesions}) == 1
    assert sum(x.volume_ml for x in phantom.lesions if x.label == CONSOLIDATION) > 10


def test_lesion_records_agree_with_the_labels(make_phantom):
    phantom = make_phantom(Variant.COVID, Family.D)
    voxel_ml = np.prod(phantom.geometry.pixel_spacing) * phantom.geometry.slice_spacing / 1000

    for label in (GROUND_GLASS, CONSOLIDATION):
        total = sum(x.volume_ml for x in phantom.lesions if x.label == label)
        assert total == pytest.approx((phantom.labels == label).sum() * voxel_ml, rel=1e-4)
    slices = sorted({index for x in phantom.lesions for index in x.slices})
    assert slices == list(np.flatnonzero(phantom.infected_slices))
    lesion = phantom.labels >= GROUND_GLASS
    assert (lesion & phantom.right_lung).any() and (lesion & phantom.left_lung).any()


def test_contrast_medium_brightens_the_heart():
    plain, enhanced = generate(SMALL), generate(replace(SMALL, contrast=True))

    assert np.array_equal(plain.labels, enhanced.labels)
    assert ((enhanced.hu > 140) & (enhanced.hu < 300)).sum() > 1.5 * ((plain.hu > 140) & (plain.hu < 300)).sum()


def test_held_out_families_share_no_range_texture_grain_kernel_or_table():
    from dataclasses import fields

    from ctviewer.datasets.phantom.families import FAMILIES

    assert set(TRAINING_FAMILIES) | set(HELD_OUT_FAMILIES) == set(Family)
    assert not set(TRAINING_FAMILIES) & set(HELD_OUT_FAMILIES)
    for held in HELD_OUT_FAMILIES:
        for trained in TRAINING_FAMILIES:
            a, b = FAMILIES[held], FAMILIES[trained]
            assert a.scanner.table is not b.scanner.table and a.scanner.kernel != b.scanner.kernel
            assert not set(a.textures) & set(b.textures)
            pairs = [(a.grain, b.grain), (a.ragged, b.ragged), (a.parenchyma, b.parenchyma)]
            pairs += [
                (getattr(a.scanner, n), getattr(b.scanner, n)) for n in ("noise", "grain", "field_of_view", "thickness")
            ]
            shape = ("half_width", "half_depth", "separation", "square", "taper", "heart", "warp")
            tree = ("branching", "advance", "vessels", "calibre", "rib_slope")
            pairs += [(getattr(a.anatomy, n), getattr(b.anatomy, n)) for n in shape + tree]
            assert all(p[1] < q[0] or q[1] < p[0] for p, q in pairs), (held, trained, pairs)
    names = {f.name for f in fields(FAMILIES[Family.A].anatomy)}
    assert names >= {"height", "dome"}


def test_all_families_differ_in_shape():
    from ctviewer.datasets.phantom.families import FAMILIES

    for one, other in combinations(FAMILIES.values(), 2):
        low, high = sorted([one.anatomy.half_width, other.anatomy.half_width])
        assert low[1] < high[0]


@pytest.mark.parametrize(
    "change",
    [{"seed": -1}, {"matrix": 8}, {"slices": 1}, {"field_of_view_mm": 0.0}, {"slice_spacing_mm": float("nan")}],
)
def test_impossible_specs_are_refused(change):
    with pytest.raises(InputError):
        replace(SMALL, **change)
