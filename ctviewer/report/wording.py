"""All words of the report in one place; another language is another instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ctviewer.core.doubt import NO_SLICE_INTERVAL
from ctviewer.core.findings import RESEARCH_USE, UNVERIFIED, Verdict


def _verdicts() -> Mapping[Verdict, str]:
    return MappingProxyType(
        {
            Verdict.ACCEPTED: "Accepted by the reader",
            Verdict.PENDING: "Not yet reviewed",
            Verdict.REJECTED: "Rejected by the reader",
        }
    )


def _fields() -> Mapping[str, str]:
    return MappingProxyType(
        {
            "name": "the patient's name",
            "patient_id": "the patient's ID",
            "accession": "the accession number",
            "description": "the description",
            "referring": "the referring physician's name",
            "question": "the question",
            "comment": "the comment",
            "reader_class": "the reader's class",
            "lesion_class": "the classes of lesions",
        }
    )


@dataclass(frozen=True)
class Wording:
    """Words and phrases, English."""

    title: str = "CT report"
    research_use: str = RESEARCH_USE
    unverified: str = UNVERIFIED
    no_output: str = "No AI output in this report"
    page: str = "Page {page} of {pages}"
    patient: str = "Patient"
    patient_id: str = "Patient ID"
    birth: str = "Born"
    sex: str = "Sex"
    accession: str = "Accession"
    study: str = "Study"
    study_date: str = "Study date"
    referring: str = "Referred by"
    series: str = "Series"
    slices: str = "Slices"
    scanner: str = "Scanner"
    apart: str = "{mm} apart"
    distance_unknown: str = "distance unknown"
    thick: str = "{mm} thick"
    thickness_unknown: str = "thickness not stated"
    unknown: str = "unknown"
    none: str = "\N{EN DASH}"
    lossy: str = "lossy compressed"
    question: str = "Clinical question"
    comment: str = "Comment"
    reader_class: str = "Class stated by the reader"
    reader: str = "Reader"
    stated: str = "{name} ({origin})"
    result: str = "AI result"
    abstained: str = "The models gave no result: this series is not what they were made for."
    warnings: str = "Doubt"
    class_name: str = "Class"
    interval: str = "95 % interval"
    probability: str = "Probability"
    positive: str = "Probability of any finding: {p}, above the model's threshold of {t}."
    negative: str = "Probability of any finding: {p}, below the model's threshold of {t}."
    with_interval: str = "{p} ({interval})"
    weights: str = "Attention over the slices"
    weights_of: str = "{score} over the slices"
    heat_attention: str = (
        "Bars: the model's attention in times uniform on a fixed scale, 1 \N{MULTIPLICATION SIGN} where every slice weighs "
        "the same, up to 8 \N{MULTIPLICATION SIGN}; colour strength: probability of a finding."
    )
    heat_other: str = "Bars: {score} on a fixed scale; colour strength: probability of a finding."
    heat_area: str = "Blue lane: lesion area on a fixed scale. Pale: not looked at."
    heat_classes: str = "Slate lanes: the one-shot model's probability of each slice class, each for itself."
    nothing_stands_out: str = "No slice stands out."
    no_top_slices: str = "No slice stands out, so none is printed."
    lesions: str = "Lesions found by the model"
    lesion_note: str = (
        "mL: volume. mm: longest diameter in the slice plane. Mean: in {unit}. Rejected lesions are not drawn."
    )
    share_note: str = (
        "GG / C: shares of its pixels from −750 to −300 HU and above −300 HU, "
        "measured and not predicted. Lungs: its volume as a share of both lungs."
    )
    lungs: str = "Lungs by the model's masks, lesions included: {total} mL{sides}."
    lung_sides: str = " (right {right}, left {left})"
    share_columns: tuple[str, ...] = ("GG / C %", "Lungs")
    no_lesions: str = "The model marked no lesion."
    all_lesions: str = "Lesions"
    drawn: str = "Drawn by the reader"
    corrected: str = "corrected"
    model_said: str = "model: {label}"
    reviewed: str = "The reader marked {done} of {total} slices as completely reviewed."
    looked: str = "The lesion model looked at {looked} of {total} slices."
    lesion_columns: tuple[str, ...] = (
        "No.",
        "Class",
        "Side",
        "Slices",
        "Largest on",
        "mL",
        "mm",
        "Mean",
        "Score",
    )
    slice_classes: str = "Slice classes by the one-shot model"
    slice_class_columns: tuple[str, ...] = ("Class", "Slices at 0.5 or more", "Highest", "On")
    slice_class_note: str = (
        "{model}, on {looked} slices; each class for itself. This is no answer about the study and is not part of the "
        "study classifier's."
    )
    no_slice_interval: str = NO_SLICE_INTERVAL
    verdicts: Mapping[Verdict, str] = field(default_factory=_verdicts)
    top_slices: str = "Top slices by {score}"
    key_images: str = "Key images of the reader"
    on_the_right: str = "right"
    overlay: str = "with lesion outlines"
    no_outline: str = "no outlines on this slice"
    weight: str = "weight"
    times_uniform: str = "{x} \N{MULTIPLICATION SIGN} uniform"
    provenance: str = "How this result was made"
    model: str = "Model"
    version: str = "Version"
    licence: str = "Licence"
    restriction: str = "Licence of {model}, {licence}: {restriction}"
    hash: str = "SHA-256"
    trained_on: str = "Training"
    device: str = "Device"
    precision: str = "Precision"
    finished: str = "Analysed"
    duration: str = "Duration"
    program: str = "Program"
    settings: str = "Settings"
    limits: str = "Limits"
    limits_always: str = (
        "Pictures were windowed for this report and are not for primary diagnosis. Positions are DICOM patient coordinates "
        "(LPS) in mm. Se and Im are the series and instance numbers of the files."
    )
    signature: str = "Signature"
    name_and_date: str = "Name, date"
    created: str = "Report made {when} with {program}."
    unshown: str = "{count} of {field} cannot be shown with the fonts here and stand as codes: {codes} ({scripts})."
    one_character: str = "1 character"
    characters: str = "{n} characters"
    fields: Mapping[str, str] = field(default_factory=_fields)


ENGLISH = Wording()
