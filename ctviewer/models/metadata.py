"""`metadata.json` of a model bundle: typed, checked, and readable without torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.records import read_record
from ctviewer.models.training_run import TrainingRun

SCHEMA = 4
"""Schema 2 adds `run`, 3 adds `image_classes` and `per_image`, 4 adds `default`, `restriction`, `calibration` and `figure_notes`.
What an older schema lacks has a default, so that its bundles are read as they are."""
READABLE = (1, 2, 3, 4)
TASKS = CLASSIFIER, ONE_SHOT = "study_classifier", "one_shot"
_ADDED = {
    "run": 2,
    "image_classes": 3,
    "default": 4,
    "restriction": 4,
    "calibration": 4,
    "figure_notes": 4,
}  # fields of the record by the schema that brought them

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

HARDWARE, SECONDS, SEED = "hardware", "seconds", "seed"
"""Entries of `Metadata.recipe` that every card states: what computed, for how long, and what randomness was drawn from."""


@dataclass(frozen=True)
class Preprocessing:
    """From Hounsfield units to the net's input.

    Attributes:
        window_centre, window_width: HU, mapped linearly to 0..1 and clipped.
        size: slices are padded to a square and resized to size x size.
        crop: centre crop after it, in pixels; equal to `size` for none.
        mean, std: statistics of the windowed image: one value, or three for three channels.
        per_image: each image by its own mean and unbiased standard deviation instead (under 1e-6: zeros); mean and std
            then only say how many channels there are.
        floor_hu: padding becomes this, and nothing is lower.
        direction: order of slices in a study; only "head_to_feet" is defined.
    """

    window_centre: float
    window_width: float
    size: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    floor_hu: float = -1024.0
    direction: str = "head_to_feet"
    per_image: bool = False


@dataclass(frozen=True)
class Thresholds:
    """Numbers chosen on validation data.

    Attributes:
        finding_probability: of a study, from which it counts as positive; 0.5 for a one-shot model, which has none.
        detection_score: of an instance, from which it is shown; 0.5 for a classifier, which has none.
    """

    finding_probability: float = 0.5
    detection_score: float = 0.5


@dataclass(frozen=True)
class InputLimits:
    """What a series must be for this model. Ranges are inclusive, low then high.

    Attributes:
        modalities: DICOM Modality values.
        planes: of `core.geometry.Plane`, by value.
        original_only: ImageType must say ORIGINAL.
        slices: number of slices.
        slice_spacing_mm: distance of neighbouring slices.
        field_of_view_mm: longer side of the image.
        air_hu: where the lowest percent of a series' values must lie (padding left out).
        tissue_hu: where the median of its values above -300 HU must lie: body, if the unit is HU.
        lung_ml: aerated lung that must be found (see `core.thorax`). Less abstains, unless a fifth of it lies in both halves
            of the body through many slices: lungs nearly filled are lungs.
        lung_height_mm: how far the lungs must reach along the body.
        bone_share: share of the body that must be bone; phantoms of test laboratories have none. 0: not looked at.
        whole_lungs: whether lungs that are cut off at an end of the series are told.
        thick_mm: slice distance or thickness above which findings may be missed; a warning.
        noise_hu: noise of soft tissue above which the model has seen nothing like it; a warning.
        vessel_hu: brightness of vessels between the lungs above which contrast medium was given; a warning.
        sharp_kernels: whether the model learned from sharp kernels (lung, bone) too; a warning where it did not.
    """

    modalities: tuple[str, ...]
    planes: tuple[str, ...]
    original_only: bool
    slices: tuple[int, int]
    slice_spacing_mm: tuple[float, float]
    field_of_view_mm: tuple[float, float]
    air_hu: tuple[float, float]
    tissue_hu: tuple[float, float]
    lung_ml: tuple[float, float] = (300.0, 12000.0)
    lung_height_mm: float = 20.0
    bone_share: float = 0.005
    whole_lungs: bool = True
    thick_mm: float = 4.0
    noise_hu: float = 100.0
    vessel_hu: float = 150.0
    sharp_kernels: bool = True


@dataclass(frozen=True)
class Metric:
    """One figure of the card.

    Attributes:
        name: e.g. "AUC-ROC, no finding against the rest".
        value: the figure.
        low, high: 95 % interval, None where none could be computed.
        n: how many of `unit`.
        unit: what was resampled for the interval ("studies").
        data: what it was measured on ("phantom, held-out families").
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    unit: str
    data: str


@dataclass(frozen=True)
class TrainingData:
    """What the weights were learned from.

    Attributes:
        summary: one or more sentences.
        counts: studies (or slices) by class and split, e.g. {"train / control": 24}.
        sha256: hash over the ids, labels and pixels used, by split.
    """

    summary: str
    counts: Mapping[str, int]
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Metadata:
    """All that a bundle says of itself.

    Attributes:
        schema: version of this format.
        name: lower case, digits and hyphens.
        version: semantic version "1.2.3".
        parent: "name version" of the bundle it was tuned from, "" for none.
        task: one of `TASKS`.
        title: name for the window.
        classes: in the order of the net's outputs; a one-shot model's first is the background.
        negative_class: the class (of a one-shot model: of `image_classes`) that means "no finding", "" for none.
        lesion_classes: a one-shot model's classes that are lesions (the lung is not).
        image_classes: what a one-shot model tells of a whole slice, in the order of its logits; empty where it does not.
        net: the net's constructor arguments besides the number of classes.
        preprocessing, thresholds, input_limits: how it is used.
        training_data, metrics, recipe: how it came to be; recipe names the settings of the run, and under `HARDWARE`,
            `SECONDS` and `SEED` what it took.
        figure_notes: sentences on the figures of one data set, by `Metric.data`: whose they are, what they cannot be
            compared with.
        licence: SPDX identifier or name.
        intended_use, out_of_scope: sentences.
        trained_on: one line for the window.
        limits: one or more sentences for the window.
        probabilities: what the probabilities refer to (prevalence, calibration).
        weights_sha256: of model.safetensors, hex; filled in by `save_bundle`.
        run: the training run that made it; None where another program did, or an older version of this one.
        default: whether it is meant to be used where the reader has chosen nothing.
        restriction: what its licence forbids or asks, one or two sentences, shown at first use; "" where there is nothing to say.
        calibration: what its probabilities were checked on; None where they were not.
    """

    name: str
    version: str
    task: str
    title: str
    classes: tuple[str, ...]
    net: Mapping[str, Any]
    preprocessing: Preprocessing
    thresholds: Thresholds
    input_limits: InputLimits
    training_data: TrainingData
    licence: str
    intended_use: str
    out_of_scope: str
    trained_on: str
    limits: str
    probabilities: str = ""
    negative_class: str = ""
    lesion_classes: tuple[str, ...] = ()
    image_classes: tuple[str, ...] = ()
    parent: str = ""
    metrics: tuple[Metric, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    run: TrainingRun | None = None
    default: bool = False
    restriction: str = ""
    calibration: Calibration | None = None
    figure_notes: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def exclusive(self) -> bool:
        """Whether one class of a study excludes the others, so that their probabilities sum to 1."""
        return self.net.get("head") != "multi_label"


def is_name(text: str) -> bool:
    """Whether a bundle can have this name."""
    return bool(_NAME.fullmatch(text))


def is_version(text: str) -> bool:
    """Whether it is of the form 1.2.3."""
    return bool(_VERSION.fullmatch(text))


def version_numbers(version: str) -> tuple[int, int, int]:
    """`(1, 2, 3)` for "1.2.3"."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def to_json(metadata: Metadata) -> dict[str, Any]:
    """Plain dicts and lists for `json.dumps`."""
    return dataclasses.asdict(metadata)


def from_json(data: object) -> Metadata:
    """Read what `to_json` wrote, strictly.

    Raises:
        ValueError: another schema, a missing, unknown or ill-typed field, or values that contradict each other; the
            text is a clause that follows "because".
    """
    if not isinstance(data, dict):
        raise ValueError("its metadata is not a JSON object")
    schema = data.get("schema")
    if type(schema) is not int or schema not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise ValueError(f"its metadata has schema {schema!r} and this program reads schemas {known}")
    if early := [name for name, since in _ADDED.items() if name in data and schema < since]:
        raise ValueError(f"its metadata has the unknown field {early[0]!r}")
    metadata = read_record(Metadata, {**data, "schema": SCHEMA}, "its metadata")
    _check(metadata)
    return metadata


def _check(m: Metadata) -> None:
    p, one_shot = m.preprocessing, m.task == ONE_SHOT
    told = m.image_classes if one_shot else m.classes
    ranges = (m.input_limits.slices, m.input_limits.slice_spacing_mm, m.input_limits.field_of_view_mm)
    rules = (
        (bool(_NAME.fullmatch(m.name)), f"its name {m.name!r} is not lower case letters, digits and hyphens"),
        (bool(_VERSION.fullmatch(m.version)), f"its version {m.version!r} is not of the form 1.2.3"),
        (m.task in TASKS, f"its task {m.task!r} is not one this program knows ({', '.join(TASKS)})"),
        (bool(_SHA256.fullmatch(m.weights_sha256)), "weights_sha256 is not a SHA-256"),
        (len(set(m.classes)) == len(m.classes) >= 1, "its classes are empty or repeat"),
        (m.negative_class in (*told, ""), f"its negative class {m.negative_class!r} is none of its classes"),
        (one_shot or not m.image_classes, "only a one-shot model tells classes of slices"),
        (len(set(m.image_classes)) == len(m.image_classes), "its image classes repeat"),
        (set(m.lesion_classes) <= set(m.classes[1:] if one_shot else ()), "its lesion classes are not its classes"),
        (not one_shot or bool(m.lesion_classes), "a one-shot model needs lesion classes"),
        (p.window_width > 0 and 0 < p.crop <= p.size <= 4096, "its window or size is not usable"),
        (len(p.mean) == len(p.std) and len(p.mean) in (1, 3) and min(p.std) > 0, "its mean or std is not usable"),
        (p.direction == "head_to_feet", f"its slice direction {p.direction!r} is not known"),
        (not one_shot or p.crop == p.size, "a one-shot model's crop must equal its size"),
        (all(low <= high for low, high in ranges), "an input limit has its low end above its high end"),
        (
            0 < m.thresholds.finding_probability < 1 and 0 <= m.thresholds.detection_score < 1,
            "a threshold is not in 0..1",
        ),
        (m.calibration is None or _usable(m.calibration), "its calibration has counts or an error that cannot be"),
        (not (m.default and m.run), "a model that a training run made cannot be the default"),
    )
    for holds, reason in rules:
        if not holds:
            raise ValueError(reason)


def _usable(calibration: Calibration) -> bool:
    sound = 0 <= calibration.ece <= 1 and all(count >= 0 for count in calibration.patients.values())
    return sound and all(_rises(band) for band in calibration.bands.values())


def _rises(band: tuple[BandPoint, ...]) -> bool:
    """Whether a band has points of probabilities in rising order, each with its low end not above its high end."""
    at = [point.probability for point in band]
    return bool(band) and at == sorted(set(at)) and all(0 <= p.low <= p.high <= 1 for p in band)
