"""From a stack of slices to a `Series` of core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctviewer.core.series import Notice, Patient, Series, Severity, SliceRef, Study, VolumeUse
from ctviewer.dicom import place_checks, tags
from ctviewer.dicom.checks import Findings, copies_notice, examine
from ctviewer.dicom.copies import copy_key
from ctviewer.dicom.grouping import Part
from ctviewer.dicom.header import Header
from ctviewer.dicom.ordering import geometry_of, in_order
from ctviewer.dicom.readable import why_not
from ctviewer.dicom.record import Slice
from ctviewer.dicom.stack import Stack
from ctviewer.dicom.syntaxes import short_name
from ctviewer.dicom.wording import slices

_NO_IMAGES = "it has no images that can be shown"
_FEW = 4  # slices: a description alone makes only a short series a localizer


def assemble(part: Part, dropped: Sequence[Slice] = ()) -> Series:
    """Build the series of one part; `dropped` are copies to be told of."""
    stack = in_order(part.slices)
    first, middle = stack[0], stack[len(stack) // 2]
    header = middle.header
    reason = why_not(stack)
    private = None if reason else Stack.from_slices(stack)
    geometry = private.geometry if private else geometry_of(stack)
    found = Findings((), VolumeUse.SLICES_ONLY, _NO_IMAGES) if reason else examine(stack, geometry)
    uid = header.text(tags.SERIES_INSTANCE_UID)
    localizer = first.is_localizer or (len(stack) <= _FEW and first.is_named_localizer)
    return Series(
        key=_key(uid or str(first.path), part),
        uid=uid,
        modality=first.modality,
        patient=_patient(header),
        study=_study(header),
        slices=tuple(_reference(one) for one in stack),
        rows=first.rows,
        columns=first.columns,
        image_type=middle.image_type,
        is_original=not localizer and not middle.is_derived,
        is_localizer=localizer,
        lossy=any(one.lossy for one in stack),
        transfer_syntax=short_name(header.syntax),
        readable=not reason,
        reason=reason,
        notices=(*_about_the_part(part, stack, dropped), *_about_tables(stack, private), *found.notices),
        use=found.use,
        use_reason=found.use_reason,
        private=private,
        description=header.text(tags.SERIES_DESCRIPTION),
        number=header.integer(tags.SERIES_NUMBER),
        body_part=header.text(tags.BODY_PART_EXAMINED),
        protocol=header.text(tags.PROTOCOL_NAME),
        kernel=middle.kernel,
        manufacturer=header.text(tags.MANUFACTURER),
        model_name=header.text(tags.MANUFACTURER_MODEL_NAME),
        plane=geometry.plane,
        shown_from_last=geometry.is_shown_from_last,
        pixel_spacing=geometry.pixel_spacing,
        slice_spacing=geometry.slice_spacing,
        thickness=header.number(tags.SLICE_THICKNESS),
        kvp=header.number(tags.KVP),
        contrast_agent=header.text(tags.CONTRAST_BOLUS_AGENT),
    )


def _reference(one: Slice) -> SliceRef:
    ratios = one.header.numbers(tags.LOSSY_IMAGE_COMPRESSION_RATIO) if one.lossy else ()
    return SliceRef(
        path=one.path,
        frame=one.frame,
        sop_instance_uid=one.sop_instance_uid,
        instance_number=one.instance_number,
        frame_number=one.frame_number,
        position=one.position,
        lossy=one.lossy,
        compression_ratio=max(ratios) if ratios and max(ratios) > 1 else None,
    )


def _about_the_part(part: Part, stack: Sequence[Slice], dropped: Sequence[Slice]) -> Iterator[Notice]:
    if part.parts > 1:
        yield place_checks.apart(part.part, part.parts, part.reasons, len(stack), part.apart)
    if dropped:
        kept = {copy_key(one): index for index, one in enumerate(stack)}
        for one in dropped:
            one.location = stack[kept[copy_key(one)]].location
        yield copies_notice(dropped, sorted({kept[copy_key(one)] for one in dropped}))


def _about_tables(stack: Sequence[Slice], private: Stack | None) -> Iterator[Notice]:
    """Modality LUTs, and those that cannot be read."""
    stated = [i for i, one in enumerate(stack) if one.header.has(tags.MODALITY_LUT_SEQUENCE)]
    if private is None or not stated:
        return
    unread = tuple(i for i in stated if getattr(private.sources[i], "lut", None) is None)
    if unread:
        text = f"The table of values (modality LUT) of {slices(len(unread))} cannot be read: values are as stored, without a unit."
        yield Notice("modality-lut-damaged", Severity.DANGER, text, unread)
    else:
        yield Notice("modality-lut", Severity.INFO, "Values come from a table in the files (modality LUT).")


def _key(uid: str, part: Part) -> str:
    return uid if part.parts == 1 else f"{uid}#{part.digest}"


def _patient(header: Header) -> Patient:
    return Patient(
        name=header.text(tags.PATIENT_NAME),
        patient_id=header.text(tags.PATIENT_ID),
        birth_date=header.text(tags.PATIENT_BIRTH_DATE),
        sex=header.text(tags.PATIENT_SEX),
    )


def _study(header: Header) -> Study:
    return Study(
        uid=header.text(tags.STUDY_INSTANCE_UID),
        date=header.text(tags.STUDY_DATE),
        time=header.text(tags.STUDY_TIME),
        accession=header.text(tags.ACCESSION_NUMBER),
        description=header.text(tags.STUDY_DESCRIPTION),
        referring=header.text(tags.REFERRING_PHYSICIAN_NAME),
    )
