"""What a report says, as frozen data without words of any language around it."""

from __future__ import annotations

from dataclasses import dataclass

from ctviewer.core.findings import Lungs, ModelInfo, Provenance, StudyClassification, Suitability, Verdict
from ctviewer.core.palette import Rgb
from ctviewer.core.read_findings import Origin
from ctviewer.core.series import Series
from ctviewer.core.windowing import Voi


@dataclass(frozen=True)
class Picture:
    """A picture, losslessly.

    Attributes:
        png: the file's bytes.
        width, height: in pixels.
    """

    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class SlicePanel:
    """One slice of the report.

    Attributes:
        index: volume index.
        citation: `Volume.citation`.
        axis: "x", "y" or "z", the patient axis (LPS) that the stack runs along; "" where unknown or oblique.
        position: mm along it (along the slice normal where oblique); None without positions.
        rank: place in the order of the weights, from 1; None for a key image.
        weight: attention, slice probability or lesion area; None where there is none.
        times_uniform: attention in times uniform; None for other weights.
        window: display window of the picture.
        plain: the slice without marks of the model.
        overlay: the slice with lesion contours; None where it was not asked for.
        drawn: ids of the lesions drawn.
    """

    index: int
    citation: str
    axis: str
    position: float | None
    rank: int | None
    weight: float | None
    times_uniform: float | None
    window: Voi
    plain: Picture
    overlay: Picture | None = None
    drawn: tuple[int, ...] = ()


@dataclass(frozen=True)
class LesionRow:
    """One lesion of the table.

    Attributes:
        lesion_id, label, side, score, volume_ml, diameter_mm, mean_hu, ground_glass, consolidation, lung_share: as in
            `Lesion`.
        colour: of its class.
        first, last, largest: `Volume.citation` of its first and last slice as shown, and of its largest cross-section.
        slice_count: number of slices it is on.
        verdict: what the reader said.
        origin: whether the model's, corrected, or drawn by the reader (whose have an id below 0 and no score).
        model_label: the model's class where the reader changed it; "" otherwise.
    """

    lesion_id: int
    label: str
    colour: Rgb
    side: str
    first: str
    last: str
    largest: str
    slice_count: int
    score: float
    volume_ml: float | None
    diameter_mm: float | None
    mean_hu: float | None
    verdict: Verdict
    ground_glass: float | None = None
    consolidation: float | None = None
    lung_share: float | None = None
    origin: Origin = Origin.MODEL
    model_label: str = ""


@dataclass(frozen=True)
class SliceClassRow:
    """One class of what a one-shot model says of slices.

    Attributes:
        name: of the class.
        slices: how many slices it is more probable than not on.
        highest: its highest probability on a slice.
        where: `Volume.citation` of that slice.
    """

    name: str
    slices: int
    highest: float
    where: str


@dataclass(frozen=True)
class SliceClassTable:
    """What a one-shot model says of slices; it says nothing of the study.

    Attributes:
        model: what made it.
        looked: how many slices it looked at.
        rows: by its classes, in their order.
    """

    model: ModelInfo
    looked: int
    rows: tuple[SliceClassRow, ...]


@dataclass(frozen=True, eq=False)
class ReportDocument:
    """A whole report.

    Attributes:
        series: with patient and study.
        unit: of the volume's values ("HU").
        question, comment: the reader's words.
        reader_class: what the study shows, as the reader states it; "" where nothing is stated.
        reader_origin: where that comes from: the reader's own, or accepted from which model; "" where nothing is stated.
        suitability: None without an analysis.
        classification: None without an analysis, when it abstained, or without a study classifier.
        heat: the bars over the slices; None where there is nothing to draw.
        top_ranked_by: "attention", "slice probability" or "lesion area": what ranks `top_slices`.
        lesions: by falling score.
        detector_looked: slices the detector looked at, of how many; None without a detector.
        reviewed: slices that the reader marked as completely reviewed, of how many; None where none is.
        top_slices, key_images: pictures.
        lungs: by the model's masks; None without them.
        slice_classes: None without a one-shot model that tells classes of slices.
        provenance: None without an analysis.
        created: ISO 8601 with UTC offset.
        program: "ctviewer 0.1.0".
        unshown: per field ("name", "comment"...), characters that no font here can show and that stand as codes.
    """

    series: Series
    unit: str
    question: str
    comment: str
    suitability: Suitability | None
    classification: StudyClassification | None
    heat: Picture | None
    top_ranked_by: str
    lesions: tuple[LesionRow, ...]
    detector_looked: tuple[int, int] | None
    top_slices: tuple[SlicePanel, ...]
    key_images: tuple[SlicePanel, ...]
    provenance: Provenance | None
    created: str
    program: str
    unshown: tuple[tuple[str, str], ...] = ()
    reader_class: str = ""
    reader_origin: str = ""
    reviewed: tuple[int, int] | None = None
    lungs: Lungs | None = None
    slice_classes: SliceClassTable | None = None

    @property
    def abstained(self) -> bool:
        """Whether the analysis gave no number because the series is not what the models were made for."""
        return self.suitability is not None and self.suitability.abstains

    @property
    def has_output(self) -> bool:
        """Whether anything a model said stands in the report."""
        return self.provenance is not None and not self.abstained
