"""What is sent to a chest model and is none, or hardly one: generated scans, and the real ones at hand."""

import dataclasses

import numpy as np
import pytest

from ctviewer.core.events import Done
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Series, SliceRef, Study
from ctviewer.core.thorax import look
from ctviewer.core.volume import Volume
from ctviewer.datasets.phantom import LUNG, Family, PhantomSpec, Variant, generate
from ctviewer.dicom import load_volume, scan
from ctviewer.inference.suitability import check, check_all
from ctviewer.models.metadata import InputLimits

LIMITS = InputLimits(
    ("CT",), ("axial",), True, (12, 1500), (0.4, 12.0), (200.0, 600.0), (-3100.0, -700.0), (-150.0, 200.0), thick_mm=8.5
)
SIDE, SLICES, STEP = 128, 40, 5.0


def volume_from(hu, spacing=3.0, step=STEP, **series):
    """Axial slices, feet to head, HU in int16; `spacing` of rows and columns, or of both."""
    n, rows, columns = hu.shape
    spacing = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    corner = [-spacing[1] * (columns - 1) / 2, -spacing[0] * (rows - 1) / 2]
    origins = np.stack([np.full(n, corner[0]), np.full(n, corner[1]), np.arange(n) * step], 1)
    geometry = Geometry(hu.shape, origins, pixel_spacing=spacing)
    described = Series("1#1", "1", "CT", None, Study(), tuple(SliceRef(None) for _ in hu), rows, columns, **series)
    return Volume(described, geometry, np.clip(hu, -2000, 3000).astype(np.int16), np.ones(n), np.zeros(n))


@pytest.fixture(scope="module")
def phantom():
    return generate(PhantomSpec(seed=3, variant=Variant.CONTROL, family=Family.A, matrix=SIDE, slices=SLICES))


@pytest.fixture
def chest(phantom):
    """HU of a generated chest, feet to head, to be changed; and the distances of its voxels."""
    return phantom.hu.astype(np.float32)


@pytest.fixture
def chest_volume(phantom):
    def make(hu, **series):
        return volume_from(hu, phantom.geometry.pixel_spacing, phantom.geometry.slice_spacing, **series)

    return make


def grid(spacing=3.0):
    """Rows and columns in mm from the middle."""
    return np.mgrid[:SIDE, :SIDE] * spacing - spacing * (SIDE - 1) / 2


def ellipse(y, x, depth, width, at=(0.0, 0.0)):
    return ((y - at[0]) / (depth / 2)) ** 2 + ((x - at[1]) / (width / 2)) ** 2 < 1


def noisy(hu, sd=12.0):
    return hu + np.random.default_rng(0).normal(0, sd, hu.shape)


def lying_on_a_table(hu, y, x):
    """A mattress of foam, as dense as lung, within the shell of a table."""
    hu[:, (y > 128) & (y < 160) & (np.abs(x) < 180)] = -100
    hu[:, (y > 131) & (y < 157) & (np.abs(x) < 177)] = -900
    return hu


def head():
    spacing = 1.8
    y, x = grid(spacing)
    hu = np.full((SLICES, SIDE, SIDE), -1000.0)
    hu[:, ellipse(y, x, 196, 156)] = 40
    hu[:, ellipse(y, x, 186, 146)] = 900
    hu[:, ellipse(y, x, 170, 130)] = 35
    hu[:12, ellipse(y, x, 50, 40, (-60, 0))] = -1000  # sinuses
    for side in (-55, 55):  # cells of the mastoids: bone and air
        cells = ellipse(y, x, 30, 25, (30, side))
        hu[8:14, cells] = np.random.default_rng(1).uniform(-900, 700, (6, int(cells.sum())))
    rest = (ellipse(y, x, 225, 190) & ~ellipse(y, x, 200, 162)) & (y > 10)
    hu[:, rest] = -880
    return volume_from(noisy(hu), spacing, body_part="HEAD")


def abdomen_hu(gas=-1000.0):
    rng = np.random.default_rng(2)
    y, x = grid()
    hu = lying_on_a_table(np.full((SLICES, SIDE, SIDE), -1000.0), y, x)
    hu[:, ellipse(y, x, 240, 340)] = -100
    hu[:, ellipse(y, x, 200, 300)] = 45
    hu[:, ellipse(y, x, 40, 45, (65, 0))] = 260
    for side in (-110, 110):  # colon with stool: gas and water by the millimetre
        colon = ellipse(y, x, 55, 55, (0, side))
        hu[:, colon] = rng.uniform(-1000, 60, (SLICES, int(colon.sum())))
    for at in ((-55, -40), (-60, 30), (-20, 0)):
        hu[5:35, ellipse(y, x, 60, 70, at)] = gas
    return noisy(hu)


def legs():
    y, x = grid()
    hu = np.full((SLICES, SIDE, SIDE), -1000.0)
    for side in (-85, 85):
        hu[:, ellipse(y, x, 150, 150, (0, side))] = 50
        hu[:, ellipse(y, x, 30, 30, (0, side))] = 900
    return volume_from(noisy(hu))


def cylinder(inside=None):
    """Water; or with two columns of a material in it, of the size of lungs."""
    y, x = grid()
    hu = lying_on_a_table(np.full((SLICES, SIDE, SIDE), -1000.0), y, x)
    hu[:, ellipse(y, x, 220, 300)] = 0
    if inside is not None:
        for side in (-70, 70):
            hu[:, ellipse(y, x, 150, 100, (0, side))] = inside
    return hu


def line_pairs():
    y, x = grid()
    hu = cylinder()
    plate = ellipse(y, x, 160, 160)
    hu[:, plate] = np.where(np.floor(x / 6) % 2 == 0, 1500, -900)[plate]
    return hu


def outcome(suitability, name):
    (found,) = [c for c in suitability.checks if c.name == name]
    return found.outcome


def abstained(volume, limits=LIMITS):
    return {c.name for c in check(volume, limits).checks if c.outcome == "abstain"}


def test_a_whole_chest_passes_without_a_word(chest, chest_volume):
    suitability = check(chest_volume(chest, body_part="CHEST"), LIMITS)
    assert [c.text for c in suitability.checks if c.outcome != "ok"] == []
    found = look(chest_volume(chest))
    assert found.right_ml == pytest.approx(2600, rel=0.1) and found.lung_hu == pytest.approx(-830, abs=20)


def test_the_volume_found_is_that_of_the_phantoms_lung(phantom, chest, chest_volume):
    millilitres = np.prod(phantom.geometry.pixel_spacing) * phantom.geometry.slice_spacing / 1000
    truth = (phantom.labels == LUNG).sum() * millilitres
    assert look(chest_volume(chest)).lung_ml == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (head, {"lungs", "body part"}),
        (lambda: volume_from(abdomen_hu()), {"lungs"}),
        (lambda: volume_from(abdomen_hu(gas=-985)), {"lungs"}),
        (legs, {"lungs"}),
        (lambda: volume_from(noisy(cylinder(), 5)), {"lungs", "bone"}),
        (lambda: volume_from(noisy(cylinder(-1000), 5)), {"lungs", "bone"}),
        (lambda: volume_from(noisy(cylinder(-856), 5)), {"bone"}),  # foam, made to look like lung
        (lambda: volume_from(noisy(line_pairs())), {"lungs"}),
        (lambda: volume_from(noisy(np.full((SLICES, SIDE, SIDE), -1000.0))), {"soft tissue"}),
    ],
)
def test_what_is_no_chest_gets_no_number(made, names):
    volume = made()
    assert abstained(volume) == names
    text = " ".join(check(volume, LIMITS).reasons)
    assert ("No lungs were found" in text) == ("lungs" in names)


def test_what_the_pixels_show_counts_more_than_the_files_word(chest, chest_volume):
    wrong = check(chest_volume(chest, body_part="HEAD"), LIMITS)
    assert not wrong.abstains and wrong.warnings == (
        'The file calls the part of the body "HEAD", but lungs were found; the pixels count.',
    )
    protocol = check(chest_volume(chest, protocol="Schädel nativ Doe"), LIMITS)
    assert "Schädel" in protocol.warnings[0] and "Doe" not in protocol.warnings[0], "free text may hold a name"
    both = check(chest_volume(chest, body_part="ABDOMEN", protocol="CAP chest abdomen"), LIMITS)
    assert both.warnings == ()
    no_chest = check(volume_from(abdomen_hu(), body_part="CHEST"), LIMITS)
    assert any(text.startswith("The file says that it shows the chest, but") for text in no_chest.reasons)


def test_the_edge_of_the_lungs_in_a_scan_of_something_else(chest):
    """Bases above an abdomen, apices below a neck: the lung that is there is real, and too little."""
    bases = np.concatenate([abdomen_hu(), chest[3:15]])
    assert abstained(volume_from(bases)) == {"coverage"}
    apices = np.concatenate([chest[-14:-5], abdomen_hu()])
    assert abstained(volume_from(apices)) == {"coverage"}
    assert not check(volume_from(np.concatenate([abdomen_hu(), chest])), LIMITS).abstains, "chest and abdomen"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (slice(12, 40), "cut off at the lower end"),
        (slice(0, 24), "cut off at the upper end"),
        (slice(12, 26), "the upper end and the lower end"),
    ],
)
def test_lungs_cut_off_are_told(chest, chest_volume, part, words):
    volume = chest_volume(chest[part], body_part="CHEST")
    (warning,) = check(volume, LIMITS).warnings
    assert words in warning and "mm that are there" in warning
    assert check(volume, dataclasses.replace(LIMITS, whole_lungs=False)).warnings == ()


def test_a_thin_slab_is_too_little(chest, phantom):
    thin = volume_from(chest[10:25], phantom.geometry.pixel_spacing, 1.0)
    assert "coverage" in abstained(thin)


def filled(phantom, chest, share, side=None):
    """Lungs filled from behind, so that `share` of each stays aerated; of one half of the body only where named."""
    hu, half = chest.copy(), SIDE // 2
    parts = {"right": slice(0, half), "left": slice(half, None), None: slice(None)}
    for index, labels in enumerate(phantom.labels):
        lung = labels == LUNG
        rows = np.nonzero(lung)[0]
        if rows.size:
            dense = lung & (np.arange(SIDE)[:, None] > np.quantile(rows, share))
            dense[:, : parts[side].start or 0] = False
            dense[:, parts[side].stop or SIDE :] = False
            hu[index][dense] = 35
    return hu


def test_filled_lungs_are_lungs(phantom, chest, chest_volume):
    half = check(chest_volume(filled(phantom, chest, 0.5)), LIMITS)
    assert outcome(half, "lungs") == "ok" and not half.abstains
    nearly = check(chest_volume(filled(phantom, chest, 0.04)), LIMITS)
    assert not nearly.abstains and outcome(nearly, "lungs") == "warn"
    assert any("the lungs may be nearly filled" in text for text in nearly.warnings)
    white = check(chest_volume(filled(phantom, chest, 0.0, "left")), LIMITS)
    assert not white.abstains and any("lung lies on the right" in text for text in white.warnings)


def test_slices_that_do_not_lie_as_the_file_says(phantom, chest, chest_volume):
    spacing, step = phantom.geometry.pixel_spacing, phantom.geometry.slice_spacing
    coronal = volume_from(chest.transpose(1, 0, 2)[:, ::-1], (step, spacing[1]), spacing[0])
    sagittal = volume_from(chest.transpose(2, 0, 1)[:, ::-1], (step, spacing[0]), spacing[1])
    turned = chest_volume(np.rot90(chest, axes=(1, 2)))
    for volume in (coronal, sagittal, turned):
        assert abstained(volume) in ({"position"}, {"position", "lungs"}, {"lungs"})
    assert "position" in abstained(turned) and "position" in abstained(coronal)
    assert abstained(chest_volume(chest[:, ::-1])) == {"position"}
    assert "spine" in check(chest_volume(chest[:, ::-1]), LIMITS).reasons[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: np.clip((hu + 1350) / 1500 * 255, 0, 255),  # grey values
        lambda hu: hu + 1024,
        lambda hu: hu - 1024,
        lambda hu: -hu,
        lambda hu: hu * 2,
        lambda hu: hu / 4,
    ],
)
def test_numbers_that_are_no_hounsfield_units(chest, chest_volume, change):
    assert check(chest_volume(change(chest)), LIMITS).abstains


def test_pictures_that_became_hounsfield_units_are_told(chest, chest_volume):
    grey = np.rint(np.clip((chest + 1350) / 1500, 0, 1) * 255)
    (warning,) = check(chest_volume(grey / 255 * 1500 - 1350, body_part="CHEST"), LIMITS).warnings
    assert "as those of pictures do" in warning


def test_contrast_noise_kernel_and_thickness_are_doubts(chest, chest_volume):
    y, x = grid(3.0)
    heart = ellipse(y, x, 70, 90, (-30, 5)) & (chest > -50) & (chest < 150)
    bright = np.where(heart, chest + 250, chest)
    (warning,) = check(chest_volume(bright, body_part="CHEST"), LIMITS).warnings
    assert "though the file does not say so" in warning and "limit 150 HU" in warning
    warnings = check(chest_volume(noisy(chest, 130), body_part="CHEST"), LIMITS).warnings
    assert any(text.startswith("The noise of soft tissue is 1") and "above 100 HU" in text for text in warnings)
    smooth = dataclasses.replace(LIMITS, sharp_kernels=False)
    (warning,) = check(chest_volume(chest, body_part="CHEST", kernel="B70f"), smooth).warnings
    assert warning == "The kernel B70f is a sharp one; the model learned from smoother images."
    assert check(chest_volume(chest, body_part="CHEST", kernel="B31f"), smooth).warnings == ()
    (warning,) = check(chest_volume(chest, body_part="CHEST", thickness=10.0), LIMITS).warnings
    assert warning == "The slices are 10.00 mm thick; above 8.5 mm small findings may be missed."


def stored_as(volume, transpose, flip_rows, flip_columns):
    """The same patient, with the images turned and the file saying so."""
    g, stored = volume.geometry, volume.stored
    row, column, spacing = np.array(g.row_cosines), np.array(g.column_cosines), g.pixel_spacing
    origins = g.origins.copy()
    if transpose:
        stored, row, column, spacing = stored.swapaxes(1, 2), column, row, spacing[::-1]
    if flip_rows:
        origins += column * spacing[0] * (stored.shape[1] - 1)
        stored, column = stored[:, ::-1], -column
    if flip_columns:
        origins += row * spacing[1] * (stored.shape[2] - 1)
        stored, row = stored[:, :, ::-1], -row
    order = np.argsort(origins @ np.cross(row, column))
    geometry = Geometry(stored.shape, origins[order], tuple(row), tuple(column), spacing)
    return dataclasses.replace(volume, geometry=geometry, stored=np.ascontiguousarray(stored[order]))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("flip_rows", [False, True])
@pytest.mark.parametrize("flip_columns", [False, True])
def test_how_images_are_stored_changes_nothing(phantom, chest, transpose, flip_rows, flip_columns):
    rows, columns = phantom.geometry.pixel_spacing
    odd = volume_from(chest[:, :, 3:], (rows, columns * 0.9), phantom.geometry.slice_spacing)  # nothing divides evenly
    turned = stored_as(odd, transpose, flip_rows, flip_columns)
    assert look(turned) == look(odd)
    outcomes = [[(c.name, c.outcome) for c in check(v, LIMITS).checks] for v in (odd, turned)]
    assert outcomes[0] == outcomes[1]


def test_padding_and_slices_that_failed_are_no_lung(chest, chest_volume):
    whole = look(chest_volume(chest))
    padded = chest.copy()
    padded[:, :6] = -2000
    assert look(chest_volume(padded)).lung_ml == pytest.approx(whole.lung_ml, rel=0.01)
    failed = np.arange(SLICES) % 7 == 3
    broken = chest.copy()
    broken[failed] = -800
    volume = dataclasses.replace(chest_volume(broken), failed=failed)
    assert look(volume).lung_ml == pytest.approx(whole.lung_ml, rel=0.05)
    assert look(dataclasses.replace(volume, failed=np.ones(SLICES, bool))) is None


def test_each_model_judges_by_its_own_limits(chest, chest_volume):
    thin = dataclasses.replace(LIMITS, thick_mm=2.0)
    both = check_all(chest_volume(chest), [LIMITS, thin])
    assert [c.outcome for c in both.checks if c.name == "slice spacing"] == ["ok", "warn"]
    assert len([c for c in both.checks if c.name == "lungs"]) == 1


def series_in(folder):
    catalog = next(e.value for e in scan(folder) if isinstance(e, Done))
    return [one for one in catalog.series if one.readable]


def test_real_chests_with_thick_slices_pass_with_a_warning(shared_data):
    kernels = set()
    for one in series_in(shared_data / "lung_pet_ct_dx_A0002"):
        suitability = check(load_volume(one), dataclasses.replace(LIMITS, thick_mm=4.0))
        assert not suitability.abstains and suitability.warnings == (
            "The distance between slices is 8.00 mm; above 4 mm small findings may be missed.",
        )
        kernels.add(one.kernel)
    assert len(kernels) == 2, "both the sharp and the smooth one"


def test_a_real_slab_with_contrast_is_judged_with_two_warnings(shared_data):
    (one,) = series_in(shared_data / "lidc_0003")
    assert abstained(load_volume(one)) == {"number of slices"}
    suitability = check(load_volume(one), dataclasses.replace(LIMITS, slices=(8, 1500)))
    contrast, ends = suitability.warnings
    assert not suitability.abstains and "a contrast agent was given" in contrast
    assert "cut off at the upper end and the lower end" in ends


@pytest.mark.parametrize(
    "folder",
    [
        "encodings",
        "enhanced_ct",
        "geometry_faults/sliceincrement/001",
        "geometry_faults/sliceincrement/002",
        "geometry_faults/sliceorientation/001",
        "geometry_faults/notavolume/001",
        "geometry_faults/gantrytilting/001",
    ],
)
def test_all_else_at_hand_gets_no_number(shared_data, folder):
    found = series_in(shared_data / folder)
    assert found
    for one in found:
        suitability = check(load_volume(one), LIMITS)
        assert suitability.abstains and all(text.endswith(".") for text in suitability.reasons)
        assert ("Brain" in " ".join(suitability.reasons)) == (one.body_part == "Brain")
