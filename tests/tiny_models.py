"""Fixtures of more than one part: a chest volume in memory, and tiny models of random weights as bundles."""

import dataclasses

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Series, SliceRef, Study
from ctviewer.core.volume import Volume
from ctviewer.models.bundle import save_bundle
from ctviewer.models.metadata import InputLimits, Metadata, Preprocessing, Thresholds, TrainingData

SLICES, SIZE = 12, 96
LIMITS = InputLimits(
    ("CT",), ("axial",), True, (6, 40), (0.5, 8.0), (200.0, 600.0), (-1100.0, -900.0), (-50.0, 150.0),
    lung_height_mm=0.0, bone_share=0.0, whole_lungs=False,  # the chest below is a slab of both lungs, without a rib
)  # fmt: skip


def chest(slices, size, seed=0):
    """HU of a body in air with two lungs, whose texture differs from slice to slice."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    hu = np.full((slices, size, size), -1000.0)
    hu[:, (x / 0.42) ** 2 + (y / 0.32) ** 2 < 1] = 40
    for side in (-1, 1):
        hu[:, ((x - side * 0.19) / 0.15) ** 2 + (y / 0.24) ** 2 < 1] = -800
    for k in range(slices):
        r, c = rng.integers(size // 3, size // 2, 2)
        hu[k, r : r + 8 + k, c : c + 10] = -300 + 20 * k
    return (hu + rng.normal(0, 15, hu.shape)).astype(np.int16)


def make_volume(
    stored=None,
    z=None,
    row_cosines=(1.0, 0.0, 0.0),
    column_cosines=(0.0, 1.0, 0.0),
    spacing=4.0,
    changes=None,
    **series,
):
    """A chest volume in HU; `series` changes its series, `changes` the volume itself."""
    stored = chest(SLICES, SIZE) if stored is None else stored
    n, rows, columns = stored.shape
    z = np.arange(n) * 2.0 if z is None else np.asarray(z, float)
    half = spacing * (columns - 1) / 2
    corner = -half * (np.asarray(row_cosines) + np.asarray(column_cosines))
    origins = corner[None] + np.stack([np.zeros(n), np.zeros(n), z], 1)
    geometry = Geometry((n, rows, columns), origins, row_cosines, column_cosines, (spacing, spacing))
    refs = tuple(SliceRef(None, instance_number=i + 1) for i in range(n))
    described = Series("1.2#1", "1.2", "CT", None, Study(), refs, rows, columns, number=3, **series)
    return Volume(described, geometry, stored, np.ones(n), np.zeros(n), **(changes or {}))


@pytest.fixture(scope="session")
def volume_of():
    return make_volume


@pytest.fixture(scope="session")
def chest_hu():
    return chest


@pytest.fixture
def volume():
    return make_volume()


def metadata(task, classes, net, size, **changes):
    values = {
        "name": f"tiny-{task.replace('_', '-')}",
        "version": "0.1.0",
        "task": task,
        "title": f"Tiny {task}",
        "classes": classes,
        "net": net,
        "preprocessing": Preprocessing(-600.0, 1500.0, size, size, (0.4,), (0.3,)),
        "thresholds": Thresholds(),
        "input_limits": LIMITS,
        "training_data": TrainingData("nothing", {}, {}),
        "licence": "Apache-2.0",
        "intended_use": "Tests.",
        "out_of_scope": "Patients.",
        "trained_on": "random weights",
        "limits": "Says nothing.",
    }
    return Metadata(**(values | changes))


@pytest.fixture(scope="session")
def make_classifier(tmp_path_factory):
    """Save a tiny study classifier with random weights."""

    import torch

    from ctviewer.nets.build import build_net

    def make(aggregator="lstm_attention", limits=LIMITS, negative="clear"):
        torch.manual_seed(1)
        options = {"encoder_options": {"width": 16}, "aggregator": aggregator}
        described = metadata("study_classifier", ("clear", "infection", "other"), options, 64, input_limits=limits)
        described = dataclasses.replace(described, negative_class=negative)
        net = build_net("study_classifier", 3, options)
        return save_bundle(tmp_path_factory.mktemp("bundle") / "classifier", described, net.state_dict())

    return make


@pytest.fixture(scope="session")
def make_detector(tmp_path_factory):
    """Save a tiny detector with random weights; a threshold of 0 makes it find something everywhere."""

    import torch

    from ctviewer.nets.build import build_net
    from ctviewer.nets.one_shot import light_options

    def make(limits=LIMITS, threshold=0.0):
        torch.manual_seed(2)
        options = {**light_options(64, 16, 16), "box_hidden": 16}
        described = metadata(
            "one_shot", ("background", "lung", "ggo"), options, 64,
            input_limits=limits, lesion_classes=("ggo",), thresholds=Thresholds(detection_score=threshold),
        )  # fmt: skip
        net = build_net("one_shot", 3, options)
        return save_bundle(tmp_path_factory.mktemp("bundle") / "detector", described, net.state_dict())

    return make


ONE_SHOT_OPTIONS = {
    "image_classes": 3, "size": 64, "backbone": "resnet18", "width": 16, "channels": 16, "mask_hidden": 16,
    "box_hidden": 16, "hidden": 16, "class_hidden": 16, "beta": 6, "anchors": [8, 16, 32, 64, 64], "negative": 0,
}  # fmt: skip


@pytest.fixture(scope="session")
def one_shot_net():
    """Build a tiny one-shot net of random weights, eval mode: 64 px, 3 lesion classes with background, 3 image classes."""
    import torch

    from ctviewer.nets.one_shot import OneShot

    def build(seed=3, classes=3, **changes):
        torch.manual_seed(seed)
        return OneShot(classes, **(ONE_SHOT_OPTIONS | changes)).eval()

    return build


@pytest.fixture(scope="session")
def make_one_shot(tmp_path_factory, one_shot_net):
    """Save a tiny one-shot model with random weights; a threshold of 0 makes it find something everywhere."""

    def make(
        limits=LIMITS, threshold=0.0, classes=("background", "lung", "ggo"),
        image_classes=("clear", "pneumonia", "covid"), **options,
    ):  # fmt: skip
        described = metadata(
            "one_shot", classes, ONE_SHOT_OPTIONS | options, 64,
            input_limits=limits, lesion_classes=classes[2:], thresholds=Thresholds(detection_score=threshold),
            image_classes=image_classes, negative_class=image_classes[0],
            preprocessing=Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,), per_image=True),
        )  # fmt: skip
        state = one_shot_net(classes=len(classes), **options).state_dict()
        return save_bundle(tmp_path_factory.mktemp("bundle") / "one-shot", described, state)

    return make


@pytest.fixture(scope="session")
def tiny_one_shot(make_one_shot):
    return make_one_shot()


@pytest.fixture(scope="session")
def classifier(make_classifier):
    return make_classifier()


@pytest.fixture(scope="session")
def detector(make_detector):
    return make_detector()
