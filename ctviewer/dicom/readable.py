"""Whether a stack can be shown, and if not, why, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ctviewer.dicom import syntaxes, tags
from ctviewer.dicom.record import Slice

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NOT_IMAGES = {
    "SR": "This is a structured report, which has no images.",
    "KO": "This is a list of key objects, which has no images.",
    "PR": "This is a presentation state, which has no images of its own.",
    "DOC": "This is an encapsulated document, not an image.",
    "SEG": "Segmentations cannot be shown yet.",
    "RTSTRUCT": "Contours of a radiotherapy plan cannot be shown yet.",
    "RTPLAN": "This is a radiotherapy plan, which has no images.",
    "RTDOSE": "Dose distributions cannot be shown yet.",
    "REG": "This is a registration, which has no images.",
}


def why_not(stack: Sequence[Slice]) -> str:
    """The reason why a stack cannot be shown; empty where it can."""
    first = stack[0]
    if first.modality in _NOT_IMAGES:
        return _NOT_IMAGES[first.modality]
    if first.pixels is None or not first.rows or not first.columns:
        return "This series has no pixels."
    if first.header.text(tags.SOP_CLASS_UID).startswith(_SECONDARY_CAPTURE):
        return "Secondary captures (pictures of a screen) cannot be shown yet."
    if first.is_colour:
        return "Colour images cannot be shown yet."
    if all(one.pixel_format is None for one in stack):
        bits = first.header.short(tags.BITS_ALLOCATED)
        if bits in (8, 16):
            return "The headers contradict themselves about which bits of a pixel are its value."
        return f"Images with {bits} bits per pixel cannot be shown."
    if not any(syntaxes.is_supported(one.header.syntax) for one in stack):
        return f"Pixels stored as {syntaxes.syntax_name(first.header.syntax)} cannot be decoded."
    return ""
