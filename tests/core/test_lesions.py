import dataclasses

import numpy as np
import pytest

from ctviewer.core.anatomy import find_midline
from ctviewer.core.findings import Instance, Lungs
from ctviewer.core.geometry import Geometry
from ctviewer.core.lesions import find_lesions, join_instances, lesion_area, measured_lesion, merge_overlapping
from ctviewer.core.lungs import LungMeter
from ctviewer.core.masks import BoxMask
from ctviewer.core.measure import mask_diameter, measure
from ctviewer.core.series import Series, SliceRef, Study
from ctviewer.core.volume import Volume

SHAPE = (10, 96, 96)
SPACING = (2.0, 3.0)


def instance(index, rows, columns, label="ggo", score=0.5):
    mask = np.zeros(SHAPE[1:], bool)
    mask[slice(*rows), slice(*columns)] = True
    packed = BoxMask.from_array(mask)
    assert packed is not None
    return Instance(index, label, score, packed)


def geometry(
    z=None, spacing=SPACING, row_cosines=(1.0, 0.0, 0.0), column_cosines=(0.0, 1.0, 0.0), origin=(-144.0, -96.0)
):
    z = np.arange(SHAPE[0]) * 5.0 if z is None else np.asarray(z, float)
    origins = np.stack([np.full(len(z), origin[0]), np.full(len(z), origin[1]), z], 1)
    return Geometry((len(z), *SHAPE[1:]), origins, row_cosines, column_cosines, spacing)


def volume_of(g, stored=None, **changes):
    series = Series("k", "u", "CT", None, Study(), tuple(SliceRef(None) for _ in range(g.shape[0])), *g.shape[1:])
    stored = np.zeros(g.shape, np.int16) if stored is None else stored
    n = g.shape[0]
    return Volume(series, g, stored, np.ones(n), np.zeros(n), **changes)


def chest(lungs=((28, 44), (52, 68))):
    """Stored HU: a body in air from column 16 to 79, lungs at the given columns."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 20:76, 16:80] = 40
    for a, b in lungs:
        hu[:, 30:66, a:b] = -800
    return hu


# joining


def test_overlap_on_neighbouring_slices_makes_one_lesion():
    lesions = find_lesions(
        volume_of(geometry()), [instance(3, (10, 20), (10, 20), score=0.6), instance(4, (18, 25), (18, 25), score=0.8)]
    )
    assert [(x.lesion_id, x.slices, x.score) for x in lesions] == [(1, (3, 4), 0.8)]


@pytest.mark.parametrize(
    "other",
    [
        instance(5, (10, 20), (10, 20)),  # a slice between
        instance(4, (20, 30), (10, 20)),  # touches the edge, shares no pixel
        instance(4, (10, 20), (10, 20), label="consolidation"),
    ],
)
def test_what_does_not_overlap_on_the_next_slice_with_the_same_label_stays_apart(other):
    assert len(find_lesions(volume_of(geometry()), [instance(3, (10, 20), (10, 20)), other])) == 2


def test_boxes_that_overlap_without_a_shared_pixel_stay_apart():
    corner = np.zeros(SHAPE[1:], bool)
    corner[10:20, 10] = corner[10, 10:20] = True
    l_shape = Instance(3, "ggo", 0.5, BoxMask.from_array(corner))
    assert len(join_instances([l_shape, instance(4, (12, 20), (12, 20))], geometry())) == 2


def test_a_branching_lesion_is_one():
    fork = [instance(2, (10, 15), (10, 15)), instance(2, (30, 35), (10, 15)), instance(3, (10, 35), (12, 14))]
    assert len(find_lesions(volume_of(geometry()), fork)) == 1


def test_overlapping_instances_of_one_label_on_one_slice_are_merged():
    merged = merge_overlapping(
        [
            instance(3, (10, 20), (10, 20), score=0.4),
            instance(3, (15, 25), (15, 30), score=0.7),
            instance(3, (15, 25), (15, 30), label="consolidation"),
        ]
    )
    assert [(i.label, i.score, i.mask.area) for i in merged] == [("ggo", 0.7, 225), ("consolidation", 0.5, 150)]
    assert (merged[0].mask.top, merged[0].mask.left, merged[0].mask.height, merged[0].mask.width) == (10, 10, 15, 20)


def test_the_answer_does_not_depend_on_the_order_of_instances():
    rng = np.random.default_rng(0)
    many = []
    for _ in range(60):
        r, c = rng.integers(0, 80, 2)
        many.append(instance(int(rng.integers(0, 10)), (r, r + 12), (c, c + 12), score=round(float(rng.random()), 1)))
    first = find_lesions(volume_of(geometry()), many)
    for _ in range(3):
        assert find_lesions(volume_of(geometry()), [many[i] for i in rng.permutation(60)]) == first
    assert [x.lesion_id for x in first] == list(range(1, len(first) + 1))
    assert [x.score for x in first] == sorted((x.score for x in first), reverse=True)
    assert sum(i.mask.area for x in first for i in x.instances) == sum(i.mask.area for i in merge_overlapping(many))


@pytest.mark.parametrize(("missing", "joined"), [(1, 1), (2, 2)])
def test_one_missing_slice_is_bridged_two_are_not_and_no_volume_is_invented(missing, joined):
    z = np.arange(10) * 5.0
    z[5:] += 5.0 * missing
    pair = [instance(4, (10, 20), (10, 20)), instance(5, (10, 20), (10, 20))]
    lesions = find_lesions(volume_of(geometry(z)), pair)
    assert len(lesions) == joined
    assert sum(x.volume_ml for x in lesions) == pytest.approx(2 * 100 * 6.0 * 2.5 / 1000)


# measuring


def test_volume_and_diameter_use_the_spacing_of_all_directions():
    m = measure(volume_of(geometry()), [instance(3, (10, 20), (10, 14)), instance(4, (10, 11), (10, 30))])
    assert m.volume_ml == pytest.approx((40 + 20) * 6.0 * 5.0 / 1000)
    assert m.diameter_mm == pytest.approx(np.hypot(20 * 3.0, 0.0))


@pytest.mark.parametrize("seed", range(5))
def test_diameter_equals_the_longest_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((20, 25)) > 0.8
    edges = [
        (r + dr, c + dc)
        for r, c in zip(*np.nonzero(mask), strict=True)
        for dr, dc in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
    ]
    points = np.array(edges) * (0.7, 1.3)
    longest = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1)).max()
    assert mask_diameter(BoxMask.from_array(mask), (0.7, 1.3)) == pytest.approx(longest)


def test_a_single_pixel_is_as_long_as_its_longer_edge():
    assert mask_diameter(instance(0, (5, 6), (5, 6)).mask, SPACING) == pytest.approx(3.0)


def test_without_spacing_there_are_no_millimetres():
    for g in (geometry(spacing=None), Geometry(SHAPE, None, pixel_spacing=None)):
        (lesion,) = find_lesions(volume_of(g), [instance(3, (10, 20), (10, 20))])
        assert (lesion.volume_ml, lesion.diameter_mm, lesion.side) == (None, None, "")


def test_without_positions_there_is_a_diameter_but_no_volume():
    m = measure(volume_of(Geometry(SHAPE, None, pixel_spacing=SPACING)), [instance(3, (10, 20), (10, 20))])
    assert m.volume_ml is None and m.diameter_mm is not None


def test_mean_hu_leaves_padding_and_failed_slices_out():
    stored = np.full(SHAPE, -600, np.int16)
    stored[3, 10:15] = -2000
    stored[4] = -2000
    volume = volume_of(geometry(), stored, padding=(-2000, -2000), failed=np.arange(10) == 4)
    volume = dataclasses.replace(volume, slope=np.full(10, 2.0), intercept=np.full(10, 1.0))
    assert measure(volume, [instance(3, (10, 20), (10, 20)), instance(4, (10, 20), (10, 20))]).mean_hu == -1199.0
    assert measure(volume, [instance(4, (10, 20), (10, 20))]).mean_hu is None


def test_no_mean_hu_in_another_unit():
    assert measure(volume_of(geometry(), unit="US"), [instance(3, (10, 20), (10, 20))]).mean_hu is None


# side


@pytest.mark.parametrize(
    ("columns", "side"), [((30, 36), "right"), ((58, 64), "left"), ((40, 56), "both"), ((46, 50), "both")]
)
def test_side_from_patient_x(columns, side):
    (lesion,) = find_lesions(volume_of(geometry(), chest()), [instance(3, (40, 50), columns)])
    assert lesion.side == side


def test_side_is_the_patients_when_columns_run_to_the_right():
    mirrored = geometry(row_cosines=(-1.0, 0.0, 0.0), column_cosines=(0.0, -1.0, 0.0), origin=(144.0, 96.0))
    (lesion,) = find_lesions(volume_of(mirrored, chest()), [instance(3, (40, 50), (30, 36))])
    assert lesion.side == "left"


def test_no_side_is_claimed_where_the_midline_is_in_doubt():
    one_lung = chest(lungs=((52, 76),))  # the other one is filled: the lungs' middle is off the body's
    low, high = find_midline(volume_of(geometry(), one_lung))
    assert low == pytest.approx(0.0, abs=6.0) and high > 30.0
    lesions = find_lesions(
        volume_of(geometry(), one_lung), [instance(3, (40, 50), (50, 58)), instance(3, (40, 50), (30, 36))]
    )
    assert [x.side for x in lesions] == ["right", ""]


def test_an_empty_volume_has_no_midline():
    assert find_midline(volume_of(geometry(), np.full(SHAPE, -1000, np.int16))) is None


# area per slice


def test_area_counts_shared_pixels_once_and_knows_where_nobody_looked():
    looked = np.arange(10) < 8
    lesions = [instance(3, (10, 20), (10, 20)), instance(3, (15, 25), (10, 20), label="consolidation")]
    areas, unit = lesion_area(lesions, geometry(), looked)
    assert unit == "mm2" and areas[3] == 150 * 6.0 and areas[4] == 0.0 and np.isnan(areas[8:]).all()
    areas, unit = lesion_area(lesions, geometry(spacing=None), looked)
    assert unit == "px" and areas[3] == 150.0


def test_no_volume_of_a_lesion_on_slices_that_share_a_position():
    z = np.arange(SHAPE[0]) * 5.0
    z[4] = z[5]
    volume = volume_of(geometry(z))
    assert measure(volume, [instance(4, (10, 20), (10, 20)), instance(5, (10, 20), (10, 20))]).volume_ml is None
    assert measure(volume, [instance(8, (10, 20), (10, 20))]).volume_ml == pytest.approx(100 * 6.0 * 5.0 / 1000)


# density


def test_ground_glass_and_consolidation_are_shares_of_the_pixels_by_hu():
    stored = np.full(SHAPE, -900, np.int16)
    stored[3, 10, 10:20] = [-751, -750, -600, -300, -299, 0, 40, -900, -2000, -2000]
    volume = volume_of(geometry(), stored, padding=(-2000, -2000))
    m = measure(volume, [instance(3, (10, 11), (10, 20))])
    assert (m.ground_glass, m.consolidation) == (3 / 8, 3 / 8)  # of eight pixels: padding is none
    aerated = measure(volume, [instance(4, (10, 20), (10, 20))])
    assert (aerated.ground_glass, aerated.consolidation) == (0.0, 0.0)


@pytest.mark.parametrize("changes", [{"unit": "US"}, {"failed": np.ones(10, bool)}])
def test_no_density_without_hu_or_without_pixels(changes):
    m = measure(volume_of(geometry(), **changes), [instance(3, (10, 20), (10, 20))])
    assert (m.ground_glass, m.consolidation, m.mean_hu) == (None, None, None)


def test_ids_labels_and_slices_of_a_lesion_do_not_depend_on_what_is_measured():
    found = [instance(3, (10, 20), (10, 20), score=0.6), instance(4, (18, 25), (18, 25), score=0.8)]
    (lesion,) = find_lesions(volume_of(geometry()), found)
    again = measured_lesion(volume_of(geometry()), lesion.lesion_id, found[::-1])
    assert (again.instances, again.score, again.label) == (lesion.instances, 0.8, "ggo")


# lungs


def lung(index, columns):
    return instance(index, (30, 66), columns, label="lung").mask


def meter(g, midline=(-2.0, 2.0), slices=range(10), columns=((28, 44), (52, 68)), lesions=()):
    meter = LungMeter(volume_of(g, chest()), midline)
    for index in slices:
        found = [i.mask for i in lesions if i.slice_index == index]
        meter.add(index, [lung(index, c) for c in columns], found)
    return meter.lungs()


def test_lungs_are_pixels_times_the_extent_of_each_slice_and_right_is_where_x_is_negative():
    lungs = meter(geometry(), columns=((28, 44), (52, 60)))
    millilitres = 36 * 6.0 * 10 * 5.0 / 1000
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((16 * millilitres, 8 * millilitres))
    assert lungs.total_ml == pytest.approx(24 * millilitres)
    mirrored = geometry(row_cosines=(-1.0, 0.0, 0.0), column_cosines=(0.0, -1.0, 0.0), origin=(144.0, 96.0))
    other = meter(mirrored, columns=((28, 44), (52, 60)))
    assert (other.right_ml, other.left_ml) == pytest.approx((lungs.left_ml, lungs.right_ml))


def test_one_mask_over_both_lungs_is_parted_at_the_midline():
    lungs = meter(geometry(), midline=(0.0, 0.0), columns=((28, 68),))
    assert lungs.right_ml == pytest.approx(lungs.left_ml, rel=0.06)
    assert lungs.right_ml + lungs.left_ml == pytest.approx(lungs.total_ml)


def test_a_lesion_belongs_to_the_lungs_and_pixels_under_both_count_once():
    inside, outside = instance(3, (40, 50), (30, 40)), instance(4, (66, 70), (30, 40))
    plain, with_lesions = meter(geometry()), meter(geometry(), lesions=(inside, outside))
    assert with_lesions.total_ml - plain.total_ml == pytest.approx(40 * 6.0 * 5.0 / 1000)


def test_no_side_where_the_midline_is_unknown_or_runs_through_much_of_the_lungs():
    for midline in (None, (-60.0, 60.0)):
        lungs = meter(geometry(), midline=midline)
        assert (lungs.right_ml, lungs.left_ml) == (None, None) and lungs.total_ml > 0


def test_no_millilitres_of_lungs_without_spacing_or_on_slices_that_share_a_position():
    z = np.arange(SHAPE[0]) * 5.0
    z[4] = z[5]
    for g in (geometry(spacing=None), Geometry(SHAPE, None, pixel_spacing=SPACING), geometry(z)):
        assert meter(g) == Lungs(None, None, None)


def test_lesions_alone_are_no_lungs():
    only = LungMeter(volume_of(geometry()), (0.0, 0.0))
    only.add(3, (), [instance(3, (40, 50), (30, 40)).mask])
    assert only.lungs() is None


def test_share_of_the_lungs_only_where_both_volumes_are_known():
    found = [instance(3, (40, 50), (30, 40))]
    for lungs, share in ((Lungs(None, None, 60.0), 3.0 / 60.0), (Lungs(None, None, None), None), (None, None)):
        (lesion,) = find_lesions(volume_of(geometry(), chest()), found, lungs)
        assert lesion.volume_ml == pytest.approx(3.0) and lesion.lung_share == (share and pytest.approx(share))
    (lesion,) = find_lesions(volume_of(geometry(spacing=None)), found, Lungs(None, None, 60.0))
    assert lesion.lung_share is None
