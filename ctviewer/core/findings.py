"""What an analysis says: study classification, attention per slice, lesions, and where all of it comes from.

Arrays here are never written after construction. Slice indices are volume indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.calibration import Calibration
from ctviewer.core.masks import BoxMask

RESEARCH_USE = "For research use, not a medical device."
UNVERIFIED = "AI output, not verified"
_EXCLUSIVE = 1e-3  # by how much the probabilities of exclusive classes may miss 1: they were rounded


def probability_text(probability: float) -> str:
    """A probability for people, two decimals; never a certainty that a model does not have."""
    if probability > 0.99:
        return ">0.99"
    return "<0.01" if probability < 0.01 else f"{probability:.2f}"


class Verdict(Enum):
    """What the reader said of a lesion."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class SliceScore(Enum):
    """What a bar per slice is. Nothing but attention is ever called attention."""

    ATTENTION = "attention"
    PROBABILITY = "slice probability"
    LESION_AREA = "lesion area"
    NONE = "none"


@dataclass(frozen=True)
class ModelInfo:
    """The model behind a result, as its bundle states it.

    Attributes:
        name, version: from the bundle's metadata.
        task: "study_classifier" or "one_shot".
        sha256: of model.safetensors, hex.
        classes: in order.
        trained_on: one line for the window, e.g. "trained on phantoms only".
        limits: one sentence or more: what it is not for.
        licence: SPDX identifier or name.
        restriction: what its licence forbids or asks, in sentences; "" for nothing.
        calibration: what its probabilities were checked on; None where that is not on record.
    """

    name: str
    version: str
    task: str
    sha256: str
    classes: tuple[str, ...]
    trained_on: str
    limits: str
    licence: str
    restriction: str = ""
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Check:
    """One suitability check.

    Attributes:
        name: what was looked at ("slice spacing").
        outcome: "ok", "warn" or "abstain".
        text: one sentence with the value found and the limit.
    """

    name: str
    outcome: str
    text: str


@dataclass(frozen=True)
class Suitability:
    """Whether a series is what the models were made for."""

    checks: tuple[Check, ...]

    @property
    def abstains(self) -> bool:
        """Whether no number may be shown."""
        return any(c.outcome == "abstain" for c in self.checks)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences of the checks that warn."""
        return tuple(c.text for c in self.checks if c.outcome == "warn")

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences of the checks that abstain."""
        return tuple(c.text for c in self.checks if c.outcome == "abstain")


@dataclass(frozen=True, eq=False)
class StudyClassification:
    """The study classifier's answer.

    Attributes:
        model: what made it.
        probabilities: one per class of `model.classes`; sums to 1 for exclusive classes.
        negative_class: the name of the class that means "no finding", "" where there is none.
        threshold: finding probability from which the study counts as positive (the bundle's).
        score: what `weights` are.
        weights: `[slices]` float64, attention (sums to 1) or slice probability; NaN where a slice was not looked at.
        evidence: `[slices, classes]` float64, the exact share of each slice in each class logit; None where not defined.
    """

    model: ModelInfo
    probabilities: tuple[float, ...]
    negative_class: str
    threshold: float
    score: SliceScore
    weights: NDArray[np.float64]
    evidence: NDArray[np.float64] | None = None

    @property
    def finding_probability(self) -> float:
        """Probability that anything but the negative class is there."""
        if self.negative_class and self.negative_class in self.model.classes:
            return 1.0 - self.probabilities[self.model.classes.index(self.negative_class)]
        return max(self.probabilities)

    @property
    def top_class(self) -> str:
        """The most probable class."""
        return self.model.classes[int(np.argmax(self.probabilities))]

    @property
    def answer(self) -> tuple[str, ...]:
        """The classes that the model names: what a reader accepts, by the model's own threshold where it has one.

        One class where classes exclude each other (probabilities sum to 1), else each one above a half. Where the
        study counts as positive the negative class is never among them, and where it does not it is the only one.
        """
        classes, positive = self.model.classes, self.finding_probability >= self.threshold
        if self.negative_class in classes and not positive:
            return (self.negative_class,)
        rest = [(p, name) for name, p in zip(classes, self.probabilities, strict=True) if name != self.negative_class]
        if not rest:
            return (self.top_class,)
        exclusive = abs(sum(self.probabilities) - 1.0) < _EXCLUSIVE
        likely = () if exclusive else tuple(sorted(name for p, name in rest if p >= 0.5))
        return likely or (max(rest, key=lambda pair: pair[0])[1],)

    @property
    def bar_lengths(self) -> NDArray[np.float64]:
        """`[slices]`: attention x number of slices looked at (1 = uniform), never stretched; probabilities as they are."""
        if self.score is not SliceScore.ATTENTION:
            return self.weights
        return np.asarray(self.weights * np.count_nonzero(np.isfinite(self.weights)))

    @property
    def stands_out(self) -> bool:
        """Whether any slice stands out: a positive study whose attention is not nearly uniform.

        Nearly uniform: normalised entropy above 0.98 and no bar above twice uniform.
        """
        if self.finding_probability < self.threshold:
            return False
        if self.score is not SliceScore.ATTENTION:
            return True
        w = self.weights[np.isfinite(self.weights) & (self.weights > 0)]
        if w.size < 2:
            return True
        entropy = float(-(w * np.log(w)).sum() / np.log(w.size))
        return entropy <= 0.98 or float(np.nanmax(self.bar_lengths)) > 2.0

    def ranking(self) -> NDArray[np.intp]:
        """Volume indices by falling weight; ties by index; slices not looked at are left out."""
        order = np.argsort(-np.nan_to_num(self.weights, nan=-np.inf), kind="stable")
        return np.asarray(order[np.isfinite(self.weights[order])])


def rank_slices(
    told: StudyClassification | None, lesion_area: NDArray[np.float64] | None
) -> tuple[SliceScore, tuple[int, ...]]:
    """The top slices, the same on screen and paper: by the classifier's weights where they stand out, else by lesion area.

    Args:
        told: the study classifier's answer, if any.
        lesion_area: `[slices]`, NaN where not looked at; None before the detector has begun.

    Returns:
        What ranks them, and volume indices, best first; (NONE, ()) where nothing does.
    """
    if told is not None and told.score is not SliceScore.NONE and told.stands_out:
        return told.score, tuple(int(i) for i in told.ranking())
    area = np.nan_to_num(lesion_area, nan=0.0) if lesion_area is not None else np.zeros(0)
    order = np.argsort(-area, kind="stable")
    ranked = tuple(int(i) for i in order[area[order] > 0])
    return (SliceScore.LESION_AREA, ranked) if ranked else (SliceScore.NONE, ())


@dataclass(frozen=True)
class Instance:
    """One lesion (or lung) outline on one slice, as the detector gave it.

    Attributes:
        slice_index: volume index.
        label: class name.
        score: 0..1.
        mask: pixels of the slice, in the volume's own matrix.
    """

    slice_index: int
    label: str
    score: float
    mask: BoxMask


@dataclass(frozen=True)
class Roi:
    """A region of interest that a one-shot model looked at to tell the class of a slice.

    Attributes:
        slice_index: volume index.
        box: x1, y1, x2, y2: edges in columns and rows of the volume's own matrix (0 is the outer edge of the first pixel).
        label: most probable lesion class.
        score: of the detection, 0..1, however low.
        positive, negative: attention in the class-positive and class-negative module; each sums to 1 over a slice.
    """

    slice_index: int
    box: tuple[float, float, float, float]
    label: str
    score: float
    positive: float
    negative: float


@dataclass(frozen=True, eq=False)
class SliceClasses:
    """What a one-shot model says of whole slices. Never merged with the study classifier's answer.

    Attributes:
        model: what made it.
        classes: `image_classes` of its bundle, in the order of the logits.
        negative_class: the class that means "no finding", "" for none.
        logits: `[slices, classes]` float64, positive minus negative module; NaN where a slice was not looked at.
    """

    model: ModelInfo
    classes: tuple[str, ...]
    negative_class: str
    logits: NDArray[np.float64]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """`[slices, classes]`, each class for itself (sigmoid): they need not sum to 1."""
        return self.probabilities_of(self.logits)

    @staticmethod
    def probabilities_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of logits of any shape, each class for itself; NaN stays NaN."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))

    @property
    def findings(self) -> tuple[int, ...]:
        """Places in `classes` of those that mean a finding."""
        return tuple(k for k, name in enumerate(self.classes) if name != self.negative_class)


@dataclass(frozen=True)
class Lungs:
    """What the model's lung masks (united with the lesions in them) measure: denominators.

    Attributes:
        right_ml, left_ml: by patient x (LPS); None without spacing or where the midline is in doubt.
        total_ml: both; None without spacing.
    """

    right_ml: float | None
    left_ml: float | None
    total_ml: float | None


@dataclass(frozen=True)
class Lesion:
    """Instances over neighbouring slices joined into one finding.

    Attributes:
        lesion_id: stable within a result, from 1.
        label: class name.
        score: highest score of its instances.
        instances: by slice index.
        volume_ml: pixel area x perpendicular extent; None without spacing.
        diameter_mm: longest axial (in-plane) diameter; None without spacing.
        mean_hu: mean over its pixels, padding left out; None where the unit is not HU.
        side: "right", "left", "both" or "" where unknown, from patient x (LPS).
        ground_glass, consolidation: shares (0..1) of its pixels from -750 to -300 HU, and above: measured, not predicted;
            None where the unit is not HU.
        lung_share: its volume as a share of both lungs (lesions included); None without lung masks or spacing.
    """

    lesion_id: int
    label: str
    score: float
    instances: tuple[Instance, ...]
    volume_ml: float | None
    diameter_mm: float | None
    mean_hu: float | None
    side: str = ""
    ground_glass: float | None = None
    consolidation: float | None = None
    lung_share: float | None = None

    @property
    def slices(self) -> tuple[int, ...]:
        """Volume indices, ascending, each once."""
        return tuple(sorted({i.slice_index for i in self.instances}))

    @property
    def largest_slice(self) -> int:
        """Volume index of its largest cross-section."""
        areas: dict[int, int] = {}
        for i in self.instances:
            areas[i.slice_index] = areas.get(i.slice_index, 0) + i.mask.area
        return max(sorted(areas), key=lambda s: areas[s])


@dataclass(frozen=True)
class Provenance:
    """What made a result, kept in every export.

    Attributes:
        models: all that took part.
        device: "cuda:0 (NVIDIA ...)", "cpu".
        precision: "float32", "bfloat16".
        program: "ctviewer 0.1.0".
        finished: ISO 8601 with UTC offset.
        seconds: wall time.
        settings: name and value of what the reader could have set differently.
    """

    models: tuple[ModelInfo, ...]
    device: str
    precision: str
    program: str
    finished: str
    seconds: float
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class AnalysisResult:
    """A whole analysis of one series.

    Attributes:
        series_key, series_uid: of the series analysed.
        slice_digests: `Volume.slice_digest` of each slice: what the result belongs to.
        suitability: the check that came first.
        classification: None without a study classifier, or when it abstained.
        lesions: by falling score; lungs are not lesions.
        lesion_area: `[slices]` mm2 (pixels without spacing), NaN where the detector has not looked.
        area_unit: "mm2" or "px".
        provenance: what made it.
        slice_classes: None without a one-shot model that tells classes of slices.
        rois: what that model looked at, by slice.
        lungs: None without lung masks.
    """

    series_key: str
    series_uid: str
    slice_digests: tuple[str, ...]
    suitability: Suitability
    classification: StudyClassification | None
    lesions: tuple[Lesion, ...]
    lesion_area: NDArray[np.float64]
    area_unit: str
    provenance: Provenance
    slice_classes: SliceClasses | None = None
    rois: tuple[Roi, ...] = ()
    lungs: Lungs | None = None

    @property
    def detector_classes(self) -> tuple[str, ...]:
        """Classes of the model that marked the lesions, in order (they give the colours); empty without one."""
        return next((m.classes for m in self.provenance.models if m.task != "study_classifier"), ())
