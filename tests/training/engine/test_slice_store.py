"""Prepared slices: made once, made anew where they are not whole, turned together with their labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ctviewer.core.errors import InputError
from ctviewer.core.slices import LabelledSlices
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.placement import Placement, Upright
from ctviewer.models.preprocess import slice_input
from ctviewer.training.augment import Pose
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.sampling import draw_generator
from ctviewer.training.slices.facts import content_of
from ctviewer.training.slices.targets import instances, target_of

CLASSES = ("background", "lung", "ground glass", "consolidation")
IMAGES = ("control", "COVID-19")
INPUT = Preprocessing(-600.0, 1500.0, 64, 64, (0.0,) * 3, (1.0,) * 3, per_image=True)


def made(number=0, count=3, unit="HU", labelled=True, complete=True, classes=CLASSES, images=(), shape=(48, 48)):
    rng = np.random.default_rng(number)
    pixels = rng.normal(-700, 200, (count, *shape)).astype(np.float32)
    labels = np.zeros((count, *shape), np.uint8)
    labels[:, 8:36, 6:38] = 1
    labels[1, 12:20, 10:18] = 2
    labels[1, 25:30, 25:35] = 3
    if unit == "grey":
        pixels = ((pixels + 1350) / 1500).clip(0, 1).astype(np.float32)
    return LabelledSlices(
        tuple(f"n{i}" for i in range(count)), pixels, unit, (1.5, 1.5), np.minimum(labels, len(classes) - 1).astype(np.uint8) if labelled else None,
        classes if labelled else ("background",), np.full(count, complete), tuple(images) or ("",) * count,
    )  # fmt: skip


class Source:
    def __init__(self, **scans) -> None:
        self.scans, self.loads = scans, []

    def ids(self):
        return tuple(self.scans)

    def load_slices(self, scan):
        self.loads.append(scan)
        return self.scans[scan]


def store_of(source, folder, **changes):
    return SliceStore(**({"source": source, "preprocessing": INPUT, "classes": CLASSES, "image_classes": IMAGES, "folder": folder} | changes))  # fmt: skip


def test_a_slice_is_what_the_model_meets_in_use_with_its_target(tmp_path):
    source = Source(a=made())
    store = store_of(source, tmp_path)
    assert [event.done for event in store.prepare(["a"])] == [0, 1]
    expected = slice_input(source.scans["a"].pixels, "HU", INPUT)
    placement = Placement(48, 48, Upright(False, False, False), 64)
    for i in range(3):
        image, target = store.lesion_item("a", f"n{i}")
        assert image.shape == (3, 64, 64) and torch.allclose(image, expected[i], atol=1e-3)
        truth = placement.labels(source.scans["a"].labels[i])
        np.testing.assert_array_equal(store.truth("a", f"n{i}"), truth)
        wanted = target_of(instances(truth, CLASSES), True)
        assert torch.equal(target.masks, wanted.masks) and torch.equal(target.boxes, wanted.boxes)
        assert target.labels.tolist() == ([1] if i != 1 else [1, 2, 3]) and target.complete
    assert [info.shown for info in store.slices_of("a")] == [(1,), (1, 2, 3), (1,)]
    assert store.spacing("a") == pytest.approx((1.125, 1.125)) and store.length("a") == 3
    assert source.loads == ["a"] and store.content("a") == content_of(source.scans["a"]).sha256


def test_pictures_have_had_their_window_and_other_shapes_are_padded(tmp_path):
    one = made(unit="grey", shape=(48, 40), images=("control", "COVID-19", ""), labelled=False)
    p = dataclasses.replace(INPUT, mean=(0.0,), std=(1.0,), per_image=False)
    store = store_of(Source(a=one), tmp_path, preprocessing=p)
    image, number = store.image_item("a", "n1")
    assert number == 1 and image.shape == (1, 64, 64)
    assert float(image[:, :, :4].abs().max()) == 0.0  # black beside the picture
    assert torch.allclose(image, slice_input(one.pixels, "grey", p)[1], atol=1e-4)
    assert [info.image_class for info in store.slices_of("a")] == [0, 1, None]
    assert not any(info.teaches_lesions for info in store.slices_of("a"))
    with pytest.raises(InputError, match="no class"):
        store.image_item("a", "n2")
    assert store.lesion_item("a", "n0")[1].masks.shape == (0, 64, 64) and not store.truth("a", "n0").any()


@pytest.mark.parametrize("unit", ["HU", "grey"])
def test_a_draw_turns_image_and_labels_alike_and_is_always_the_same(tmp_path, unit):
    one = made(unit=unit)
    one = dataclasses.replace(one, pixels=np.where(one.labels == 3, np.float32(1 if unit == "grey" else 150), np.float32(0 if unit == "grey" else -1350)))  # fmt: skip
    p = dataclasses.replace(INPUT, per_image=False, floor_hu=-1350.0)
    store = store_of(Source(a=one), tmp_path, preprocessing=p)
    pose = Pose(degrees=25, zoom=(0.9, 1.1), grey_gain=(1, 1), grey_shift=0, noise=0, blur=0)
    seen = []
    for epoch in range(4):
        image, target = store.lesion_item("a", "n1", pose, draw_generator(5, "a", epoch, 9))
        again, same = store.lesion_item("a", "n1", pose, draw_generator(5, "a", epoch, 9))
        assert torch.equal(image, again) and torch.equal(target.masks, same.masks)
        mask = target.masks[target.labels == 3][0].bool()
        bright = image[0] > 0.5
        assert (mask & bright).sum() / (mask | bright).sum() > 0.85
        seen.append(target.boxes[-1].tolist())
        from_image, _ = store_of(Source(a=dataclasses.replace(one, image_classes=("control",) * 3)), tmp_path / "i", preprocessing=p).image_item("a", "n1", pose, draw_generator(5, "a", epoch, 9))  # fmt: skip
        assert torch.equal(from_image, image)
    assert len({tuple(box) for box in seen}) == 4


def test_what_surrounds_a_turned_picture_looks_like_its_edge(tmp_path):
    one = made(unit="grey")
    pixels = np.full_like(one.pixels, 0.2)
    pixels[:, 10:30, 10:30] = 0.9
    p = dataclasses.replace(INPUT, mean=(0.0,), std=(1.0,), per_image=False)
    store = store_of(Source(a=dataclasses.replace(one, pixels=pixels)), tmp_path, preprocessing=p)
    pose = Pose(degrees=0, zoom=(1.5, 1.5), shift=0, grey_gain=(1, 1), grey_shift=0, noise=0, blur=0)
    image, _ = store.lesion_item("a", "n1", pose, np.random.default_rng(0))
    assert float(image.min()) == pytest.approx(0.2, abs=1e-3)


def test_a_lesion_turned_out_of_the_picture_is_no_instance(tmp_path):
    one = made()
    labels = np.where(one.labels == 2, 0, one.labels)
    labels[1, 0:6, 0:6] = 2
    store = store_of(Source(a=dataclasses.replace(one, labels=labels.astype(np.uint8))), tmp_path)
    pose = Pose(degrees=0, zoom=(0.7, 0.7), shift=0)
    _, target = store.lesion_item("a", "n1", pose, np.random.default_rng(0))
    assert 2 not in target.labels and {1, 3} <= set(target.labels.tolist())


def test_classes_go_by_name_and_unknown_ones_are_refused_in_words(tmp_path):
    infection = made(classes=("background", "lung", "infection"))
    with pytest.raises(InputError, match=r"outlines of infection, which is none.*model\.merge"):
        list(store_of(Source(a=infection), tmp_path).prepare(["a"]))
    store = store_of(Source(a=infection), tmp_path, classes=("background", "infection", "lung"))
    assert [info.shown for info in store.slices_of("a")] == [(2,), (1, 2), (2,)]
    other = made(images=("CP", "", ""))
    with pytest.raises(InputError, match=r"slices of the class CP, which is none.*model\.merge"):
        list(store_of(Source(a=other), tmp_path).prepare(["a"]))
    assert store_of(Source(a=other), tmp_path, image_classes=()).slices_of("a")[0].image_class is None


def test_of_a_set_that_does_not_mark_all_classes_those_are_unknown(tmp_path):
    lesions = dataclasses.replace(made(), label_classes=("background", "a", "b", "c"))
    store = store_of(Source(a=lesions, b=made(complete=False)), tmp_path, classes=("background", "a", "b", "lung", "c"))
    target = store.lesion_item("a", "n1")[1]
    assert (target.complete, target.unmarked, store.slices_of("a")[0].known) == (True, (3,), (1, 2, 4))
    store = store_of(Source(b=made(complete=False)), tmp_path)
    assert not store.lesion_item("b", "n1")[1].complete


def test_healthy_slices_teach_that_there_is_no_lesion_and_nothing_of_lungs_that_nobody_drew(tmp_path):
    healthy = dataclasses.replace(made(), labels=np.zeros((3, 48, 48), np.uint8))
    drawn = dataclasses.replace(made(1), labels=np.where(made(1).labels == 1, np.uint8(1), np.uint8(0)))
    drawn.labels[2] = 0  # below the lungs
    store = store_of(Source(healthy=healthy, drawn=drawn), tmp_path)
    assert all(info.teaches_lesions for info in (*store.slices_of("healthy"), *store.slices_of("drawn")))
    undrawn, below = store.lesion_item("healthy", "n1")[1], store.lesion_item("drawn", "n2")[1]
    assert [(len(one.boxes), one.complete, one.unmarked) for one in (undrawn, below)] == [
        (0, True, (1,)),
        (0, True, ()),
    ]
    only_lungs = store_of(Source(a=healthy), tmp_path / "l", classes=("background", "lung"))
    assert not any(info.teaches_lesions for info in only_lungs.slices_of("a"))


def test_what_is_on_disk_is_used_again_and_made_anew_where_it_is_damaged(tmp_path):
    source = Source(a=made())
    first = store_of(source, tmp_path).lesion_item("a", "n1")
    assert torch.equal(store_of(source, tmp_path).lesion_item("a", "n1")[0], first[0]) and source.loads == ["a"]
    for path in sorted(tmp_path.iterdir()):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 4] ^= 255
        path.write_bytes(raw)
        again = store_of(source, tmp_path)
        assert torch.equal(again.lesion_item("a", "n1")[1].masks, first[1].masks)
        assert torch.equal(again.lesion_item("a", "n1")[0], first[0])
    assert len(source.loads) == 3
    (tmp_path / next(tmp_path.glob("*.labels")).name).unlink()
    assert torch.equal(store_of(source, tmp_path).lesion_item("a", "n1")[1].masks, first[1].masks)
    store_of(source, tmp_path, classes=(*CLASSES, "nodule")).slices_of("a")
    assert len(source.loads) == 5  # other classes: other label maps


def test_a_scan_that_changed_since_it_was_checked_is_refused(tmp_path):
    one = made()
    source, contents = Source(a=one), {"a": content_of(one).sha256}
    list(store_of(source, tmp_path, contents=contents).prepare(["a"]))
    labels = one.labels.copy()
    labels[0, 0, 0] = 1
    for changed in ({"labels": labels}, {"pixels": one.pixels + 1}, {"complete": np.array([True, False, True])}):
        source.scans["a"] = dataclasses.replace(one, **changed)
        with pytest.raises(InputError, match="pixels or labels have changed"):
            list(store_of(source, tmp_path / "other", contents=contents).prepare(["a"]))
    source.scans["a"] = made(count=2)
    empty = LabelledSlices((), np.zeros((0, 4, 4), np.float32), "HU", None)
    with pytest.raises(InputError, match="no slice that can be read"):
        store_of(Source(a=empty), tmp_path).slices_of("a")
    with pytest.raises(InputError, match="has no slice n7"):
        store_of(source, tmp_path).lesion_item("a", "n7")
