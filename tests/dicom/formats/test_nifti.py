from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Plane
from ctviewer.core.series import Severity, VolumeUse
from ctviewer.dicom import VolumeTold, load, load_volume

SIZES = (0.7, 0.8, 2.5)
UPRIGHT = np.eye(3)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine(directions=UPRIGHT, origin=(10.0, -20.0, 33.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = directions * SIZES
    matrix[:3, 3] = origin
    return matrix


@pytest.fixture
def save(folder):
    """Write a volume by nibabel; `prepare` changes its header."""

    def write(data, matrix=None, name="chest.nii", kind=nibabel.Nifti1Image, prepare=None, **options):
        image = kind(data, affine() if matrix is None else matrix, **options)
        image.header.set_xyzt_units("mm")
        if prepare:
            prepare(image)
        nibabel.save(image, folder / name)
        return folder / name

    return write


@pytest.mark.parametrize(("kind", "ending"), [(nibabel.Nifti1Image, ".nii"), (nibabel.Nifti2Image, ".nii.gz")])
def test_every_voxel_lies_where_nibabel_has_it_however_the_volume_is_stored(
    save, only, values, all_directions, assert_same_places, kind, ending
):
    for number, directions in enumerate(all_directions):
        path = save(values.astype(np.int16), affine(directions), f"{number}{ending}", kind)
        known = nibabel.load(path)
        inverse, data = np.linalg.inv(LPS @ known.affine), np.asarray(known.dataobj)

        def value_at(place, inverse=inverse, data=data):
            index = inverse @ [*place, 1.0]
            assert np.abs(index - np.rint(index)).max() < 1e-3
            return data[tuple(np.rint(index[:3]).astype(int))]

        assert_same_places(load_volume(only(path)), value_at)


@pytest.mark.parametrize(
    ("axes", "plane", "letters"),
    [
        ((0, 1, 2), Plane.AXIAL, ("R", "L", "A", "P")),
        ((0, 2, 1), Plane.CORONAL, ("R", "L", "H", "F")),
        ((1, 2, 0), Plane.SAGITTAL, ("A", "P", "H", "F")),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_slices_stay_the_planes_they_were_stored_in_and_are_turned_as_they_are_read(
    save, only, values, axes, plane, letters, sign
):
    directions = np.zeros((3, 3))
    for axis, place in enumerate(axes):
        directions[place, axis] = sign
    volume = load_volume(only(save(values.astype(np.int16), affine(directions))))
    assert volume.geometry.plane is plane
    assert volume.geometry.edge_letters() == letters
    assert volume.slice_count == values.shape[2]
    assert volume.series.use is VolumeUse.VOLUME


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_of_every_type_and_byte_order_are_exact(save, only, dtype, order):
    kind = np.dtype(dtype)
    limits = np.iinfo(kind) if kind.kind in "iu" and kind.itemsize < 4 else np.iinfo(np.int16)
    low = 0 if kind.kind == "u" else max(limits.min, -32767)
    data = np.random.default_rng(0).integers(low, limits.max, (6, 7, 5)).astype(kind)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(kind.newbyteorder(order))
    path = save(data, header=header)
    assert path.read_bytes()[:2] == (b"\x5c\x01" if order == "<" else b"\0\0")
    volume = load_volume(only(path))
    shown = np.array([volume.hu(i) for i in range(5)])
    assert np.array_equal(shown, data.transpose(2, 1, 0)[:, ::-1, ::-1])  # RAS: both axes run against LPS
    if kind.itemsize <= 2:
        assert volume.stored.dtype == (np.uint16 if kind.kind == "u" else np.int16)


def test_fractions_are_rounded_to_the_finest_power_of_two_and_told(save, only, notice_of):
    data = np.random.default_rng(0).normal(0, 300, (6, 7, 5)).astype(np.float32)
    events = list(load(only(save(data))))
    volume = events[-1].value
    (told,) = [event.notices for event in events if isinstance(event, VolumeTold)]
    steps = volume.slope
    assert np.array_equal(np.exp2(np.rint(np.log2(steps))), steps)
    shown = np.array([volume.hu(i) for i in range(5)])
    error = np.abs(shown - data.transpose(2, 1, 0)[:, ::-1, ::-1])
    spans = np.ptp(shown, axis=(1, 2))
    assert (error.max(axis=(1, 2)) <= steps / 2 * 1.001).all()
    assert (steps <= 2 * spans / 65000).all()
    assert [notice.code for notice in told] == ["values-rounded"]
    assert f"{steps.max():.3g}" in told[0].text


def test_halves_fit_into_16_bits_exactly_and_nothing_is_told(save, only):
    data = np.random.default_rng(0).integers(-2000, 6000, (6, 7, 5)).astype(np.float32) / 2
    events = list(load(only(save(data))))
    shown = np.array([events[-1].value.hu(i) for i in range(5)])
    assert np.array_equal(shown, data.transpose(2, 1, 0)[:, ::-1, ::-1])
    assert not any(isinstance(event, VolumeTold) for event in events)


def test_wide_integers_beyond_16_bits_keep_whole_steps(save, only):
    data = np.array([0, 40_000, 60_000, 1] * 6, np.int32).reshape(2, 3, 4) - 5
    volume = load_volume(only(save(data)))
    assert np.array_equal([volume.hu(i) for i in range(4)], data.transpose(2, 1, 0)[:, ::-1, ::-1])


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf, np.finfo(np.float32).max])
def test_what_is_no_number_is_padding_and_told(save, only, nothing):
    data = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    data[1, 2, 3] = nothing
    events = list(load(only(save(data))))
    volume = events[-1].value
    empty = [tuple(map(int, place)) for i in range(5) for place in [(i, *p) for p in np.argwhere(~volume.valid(i))]]
    assert empty == [(3, 1, 1)]
    assert volume.value_at(3, 1, 1) is None
    (told,) = [event.notices for event in events if isinstance(event, VolumeTold)]
    assert told[0].code == "not-a-number" and told[0].slices == (3,) and told[0].text.startswith("1 voxel in 1 slice")


def test_a_slice_without_any_number_is_padding_throughout(save, only):
    data = np.full((3, 4, 2), np.nan, np.float32)
    data[..., 1] = 7
    volume = load_volume(only(save(data)))
    assert not volume.valid(0).any() and volume.valid(1).all()


@pytest.mark.parametrize(("slope", "intercept", "wanted"), [(2.0, -1024.0, (2.0, -1024.0)), (0.0, 5.0, (1.0, 0.0))])
def test_scaling_of_the_header_is_honoured_and_zero_means_none(save, only, values, slope, intercept, wanted):
    path = save(values.astype(np.int16))
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(raw)
    volume = load_volume(only(path))
    assert (volume.slope[0], volume.intercept[0]) == wanted
    expected = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]
    assert np.array_equal([volume.hu(i) for i in range(5)], expected)


def test_scaling_of_floating_point_values(save, only, values):
    path = save(values.astype(np.float32))
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([0.5, 3.0], "<f4").tobytes()
    path.write_bytes(raw)
    volume = load_volume(only(path))
    assert np.array_equal(volume.hu(2), values[:, :, 2].T[::-1, ::-1] * 0.5 + 3.0)


def test_qform_alone_places_the_voxels_as_nibabel_has_it(save, only, values, all_directions, assert_same_places):
    for number, directions in enumerate(all_directions[::5]):
        matrix = affine(directions)

        def keep_qform(image, matrix=matrix):
            image.set_sform(None, 0)
            image.set_qform(matrix, 1)

        path = save(values.astype(np.int16), matrix, f"{number}.nii", prepare=keep_qform)
        known = nibabel.load(path)
        assert int(known.header["sform_code"]) == 0 and int(known.header["qform_code"]) > 0
        inverse, data = np.linalg.inv(LPS @ known.affine), np.asarray(known.dataobj)
        assert_same_places(
            load_volume(only(path)),
            lambda place, inverse=inverse, data=data: data[tuple(np.rint(inverse @ [*place, 1.0])[:3].astype(int))],
        )


def test_two_places_in_one_file_are_told_and_the_sform_is_used(save, only, values, notice_of):
    def disagree(image):
        image.set_qform(affine(origin=(15.0, -20.0, 33.0)), 1)

    series = only(save(values.astype(np.int16), prepare=disagree))
    assert "5 mm apart; the sform is used" in notice_of(series, "two-orientations").text
    assert series.slices[0].position == pytest.approx((-10 - 5 * 0.7, 20 - 6 * 0.8, 33), abs=1e-4)


def test_without_an_orientation_nothing_is_guessed(save, only, values, notice_of):
    def forget(image):
        image.set_sform(None, 0)
        image.set_qform(None, 0)

    series = only(save(values.astype(np.int16), prepare=forget))
    assert series.plane is Plane.UNKNOWN and series.use is VolumeUse.SLICES_ONLY
    assert series.questions == ("values", "orientation")
    assert series.pixel_spacing == pytest.approx((0.8, 0.7)) and series.slice_spacing == pytest.approx(2.5)
    assert "no orientation" in notice_of(series, "no-positions").text
    volume = load_volume(series)
    assert volume.geometry.origins is None
    assert np.array_equal(volume.stored, values.transpose(2, 1, 0))


def test_a_shear_between_slices_is_told_as_tilt(save, only, values, notice_of):
    matrix = affine(np.diag([-1.0, -1.0, 1.0]))
    matrix[1, 2] = 0.6
    series = only(save(values.astype(np.int16), matrix, prepare=lambda image: image.set_qform(None, 0)))
    assert series.use is VolumeUse.SHEARED
    assert "13.5 degrees" in notice_of(series, "gantry-tilt").text
    assert series.slice_spacing == pytest.approx(2.5)


@pytest.mark.parametrize("fault", ["shear in the plane", "no size", "flat", "not finite"])
def test_an_affine_that_places_nothing_is_told_and_not_used(save, only, values, notice_of, fault):
    matrix = affine()
    if fault == "shear in the plane":
        matrix[0, 1] = 0.2
    elif fault == "no size":
        matrix[:3, 1] = 0
    elif fault == "flat":
        matrix[:3, 2] = matrix[:3, 0] * 0.9 + matrix[:3, 1] * 0.3
    path = save(values.astype(np.int16))
    raw = bytearray(path.read_bytes())
    raw[280:328] = matrix[:3].astype("<f4").tobytes()
    if fault == "not finite":
        raw[280:284] = np.array(np.inf, "<f4").tobytes()
    path.write_bytes(raw)
    series = only(path)
    assert series.plane is Plane.UNKNOWN and series.pixel_spacing is None
    assert "orientation and distances are not used" in notice_of(series, "bad-affine").text
    assert load_volume(series).slice_count == 5


@pytest.mark.parametrize(("code", "factor"), [(1, 1000.0), (3, 0.001), (2, 1.0)])
def test_units_of_length(save, only, values, code, factor):
    path = save(values.astype(np.int16), affine() / factor)
    raw = bytearray(path.read_bytes())
    raw[123] = code
    path.write_bytes(raw)
    assert only(path).slice_spacing == pytest.approx(2.5)


def test_each_volume_of_four_dimensions_is_a_series(save, catalog, notice_of):
    data = np.random.default_rng(0).integers(-500, 500, (4, 5, 3, 2)).astype(np.int16)
    found = catalog(save(data)).series
    assert [one.description for one in found] == ["chest, volume 1 of 2", "chest, volume 2 of 2"]
    for number, one in enumerate(found):
        assert "2 volumes" in notice_of(one, "several-volumes").text
        assert np.array_equal(load_volume(one).stored, data[..., number].transpose(2, 1, 0)[:, ::-1, ::-1])


def test_many_volumes_are_listed_up_to_a_bound(save, catalog, notice_of):
    found = catalog(save(np.arange(2 * 2 * 2 * 25, dtype=np.int16).reshape(2, 2, 2, 25))).series
    assert len(found) == 20
    assert "the first 20 are listed" in notice_of(found[0], "several-volumes").text


def test_a_pair_of_header_and_image(folder, catalog, values):
    nibabel.save(nibabel.Nifti1Pair(values.astype(np.int16), affine()), folder / "pair.img")
    (series,) = catalog(folder).series
    assert series.slices[0].path.name == "pair.img"
    assert np.array_equal(load_volume(series).stored, values.transpose(2, 1, 0)[:, ::-1, ::-1])


def test_a_gzip_file_of_several_streams(folder, save, only, values):
    raw = save(values.astype(np.int16)).read_bytes()
    path = folder / "parts.nii.gz"
    path.write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]) + bytes(64))
    assert np.array_equal(load_volume(only(path)).stored, values.transpose(2, 1, 0)[:, ::-1, ::-1])


def test_what_the_file_is_and_what_it_leaves_open(save, only, values, notice_of):
    series = only(save(values.astype(np.int16), name="Thorax α.nii.gz"))
    assert (series.description, series.transfer_syntax, series.modality) == ("Thorax α", "NIfTI, gzip", "OT")
    assert series.uid == "" and series.slices[0].sop_instance_uid == "" and series.patient.name == ""
    assert series.questions == ("values",)
    assert "does not say what its values mean" in notice_of(series, "values-unknown").text
    assert load_volume(series).unit == ""


def test_the_key_follows_the_content_and_not_the_place(save, only, values, folder):
    path = save(values.astype(np.int16))
    key = only(path).key
    moved = path.rename(folder.parent / "other name.nii")
    assert only(moved).key == key
    raw = bytearray(moved.read_bytes())
    raw[-1] ^= 1
    moved.write_bytes(raw)
    assert only(moved).key != key


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_few_whole_numbers_look_like_a_mask(save, only, notice_of, name):
    data = np.zeros((40, 40, 30), np.uint8)
    data[10:20, 10:20, 20:] = 1
    series = only(save(data, name=name))
    assert series.description == "a, looks like a mask" and not series.is_original and series.questions == ()
    assert notice_of(series, "looks-like-mask")


def test_a_name_alone_makes_no_mask(save, only, values):
    assert only(save(values.astype(np.int16), name="mask.nii")).questions == ("values",)


def test_beside_dicom_it_comes_after_the_ct_and_masks_come_last(written, catalog, values):
    place = written(shape=(3, 8, 9)).folder
    nibabel.save(nibabel.Nifti1Image(np.eye(9, dtype=np.uint8)[..., None].repeat(9, 2), affine()), place / "seg.nii")
    nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), affine()), place / "chest.nii")
    found = catalog(place).series
    assert [(one.modality, one.description.partition(",")[0]) for one in found][1:] == [("OT", "chest"), ("OT", "seg")]
    assert found[0].modality == "CT"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({70: (128, "<i2")}, "holds colours (RGB)"),
        ({70: (32, "<i2")}, "holds complex numbers"),
        ({70: (1, "<i2")}, "holds single bits"),
        ({70: (999, "<i2")}, "unknown type (999)"),
        ({40: (9, "<i2")}, "no usable size"),
        ({42: (-3, "<i2")}, "no usable size"),
        ({42: (32767, "<i2"), 44: (32767, "<i2")}, "ends in the middle of the pixels"),
        ({108: (np.nan, "<f4")}, "where the pixels begin"),
        ({108: (100.0, "<f4")}, "where the pixels begin"),
        ({344: (0, "<i4")}, "Analyze 7.5"),
        ({0: (77, "<i4")}, "not NIfTI, in spite of its name"),
        ({40: (5, "<i2"), 50: (3, "<i2")}, "several values for each voxel"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_cannot_be_opened_is_refused_in_a_sentence(save, catalog, values, folder, change, reason, name):
    raw = bytearray(save(values.astype(np.int16)).read_bytes())
    (folder / "chest.nii").unlink()
    for offset, (value, kind) in change.items():
        data = np.array(value, kind).tobytes()
        raw[offset : offset + len(data)] = data
    (folder / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    with pytest.raises(InputError) as caught:
        catalog(folder / name)
    assert reason in str(caught.value) and name in str(caught.value)


def test_a_huge_size_in_a_small_compressed_file_takes_no_memory(save, catalog, values, folder):
    raw = bytearray(save(values.astype(np.int16)).read_bytes())
    raw[42:48] = np.array([32767, 32767, 32767], "<i2").tobytes()
    (folder / "bomb.nii.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(InputError, match=r"bomb\.nii\.gz cannot be opened: it ends in the middle of the pixels"):
        catalog(folder / "bomb.nii.gz")


def test_damage_in_the_compressed_data_is_told_for_the_slices_it_hits(save, only, folder):
    data = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 40)).astype(np.int16)
    path = save(data, name="a.nii.gz")
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[: len(raw) // 2])
    volume = load_volume(only(path))
    assert 5 < volume.failed.sum() < 35
    good = np.flatnonzero(~volume.failed)
    assert np.array_equal(volume.stored[good], data.transpose(2, 1, 0)[:, ::-1, ::-1][good])


def test_a_wrong_checksum_is_noticed(save, only):
    path = save(np.random.default_rng(0).integers(0, 99, (8, 8, 4)).astype(np.int16), name="a.nii.gz")
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 0xFF
    path.write_bytes(raw)
    *_, failed, _ = load(only(path))
    assert len(failed.notice.slices) == 1 and failed.notice.severity is Severity.DANGER
    assert "its checksum is wrong, so that any of its pixels may be" in failed.notice.text


def test_among_others_a_damaged_file_is_told(save, catalog, values, folder, notice_of):
    save(values.astype(np.int16))
    (folder / "broken.nii").write_bytes(b"\0" * 100)
    (folder / "empty.nii.gz").write_bytes(b"")
    found = catalog(folder)
    assert len(found.series) == 1
    texts = sorted(notice.text for notice in found.notices)
    assert texts == [
        "broken.nii cannot be opened: it is not NIfTI, in spite of its name.",
        "empty.nii.gz cannot be opened: it is empty.",
    ]
