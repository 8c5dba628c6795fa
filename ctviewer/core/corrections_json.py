"""What the reader changed and drew as plain dicts for JSON: what the work store keeps and what exports hold.

::

    corrections   {lesion id: {label, outlines: {slice index: null or mask}}}
    marks         {drawn: [{number, label, drawn_at, outlines: {slice digest: mask}}],
                   reviewed: {slice digest: identity of the analysis on show, "" without one}, given}
    mask          {top, left, height, width, bits}: as in `serialise`
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from ctviewer.core.corrections import Correction, DrawnLesion, ReaderMarks
from ctviewer.core.errors import InputError
from ctviewer.core.masks import BoxMask
from ctviewer.core.read_findings import Origin, ReadFinding, finding_name

_MEASURED = (
    *("side", "volume_ml", "diameter_mm", "mean_hu"),
    *("ground_glass", "consolidation", "lung_share"),
)
_DAMAGED = "What the reader changed in this series is damaged and cannot be read."


def corrections_out(corrections: Mapping[int, Correction]) -> dict[str, Any]:
    """Corrections by lesion id."""
    return {
        str(lesion_id): {
            "label": one.label,
            "outlines": {str(i): None if mask is None else mask_out(mask) for i, mask in one.outlines.items()},
        }
        for lesion_id, one in corrections.items()
    }


def corrections_in(data: object) -> dict[int, Correction]:
    """The inverse of `corrections_out`.

    Raises:
        InputError: they cannot be read.
    """
    try:
        return {
            int(lesion_id): Correction(
                str(one["label"]),
                {int(i): None if mask is None else mask_in(mask) for i, mask in one["outlines"].items()},
            )
            for lesion_id, one in dict(data).items()  # type: ignore[call-overload]  # whatever is no dict is refused
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(_DAMAGED) from error


def marks_out(marks: ReaderMarks) -> dict[str, Any]:
    """What the reader drew and reviewed."""
    drawn = [
        {
            "number": one.number,
            "label": one.label,
            "drawn_at": one.drawn_at,
            "outlines": {digest: mask_out(mask) for digest, mask in one.outlines.items()},
        }
        for one in marks.drawn
    ]
    return {"drawn": drawn, "reviewed": dict(marks.reviewed), "given": marks.given}


def marks_in(data: object) -> ReaderMarks:
    """The inverse of `marks_out`.

    Raises:
        InputError: they cannot be read.
    """
    try:
        root = dict(data)  # type: ignore[call-overload]  # whatever is no dict is refused
        drawn = tuple(
            DrawnLesion(
                int(one["number"]),
                str(one["label"]),
                {str(digest): mask_in(mask) for digest, mask in one["outlines"].items()},
                str(one["drawn_at"]),
            )
            for one in root["drawn"]
        )
        reviewed = {str(digest): str(seen) for digest, seen in root["reviewed"].items()}
        return ReaderMarks(drawn, reviewed, int(root["given"]))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(_DAMAGED) from error


def findings_out(findings: Sequence[ReadFinding]) -> list[dict[str, Any]]:
    """Findings as the reader left them, for exports: nobody reads them back into the program."""
    out = []
    for one in findings:
        measured = {name: getattr(one.lesion, name) for name in _MEASURED}
        instances = [{"slice": i.slice_index, "mask": mask_out(i.mask)} for i in one.lesion.instances]
        out.append(
            {
                "id": finding_name(one.lesion.lesion_id),
                "origin": one.origin.value,
                "verdict": one.verdict.value,
                "label": one.lesion.label,
                "model_label": one.model_label or None,
                "score": None if one.origin is Origin.DRAWN else float(one.lesion.score),
                **measured,
                "instances": instances,
            }
        )
    return out


def mask_out(mask: BoxMask) -> dict[str, Any]:
    """A mask as `serialise` writes it."""
    bits = base64.b64encode(mask.bits).decode("ascii")
    return {"top": mask.top, "left": mask.left, "height": mask.height, "width": mask.width, "bits": bits}


def mask_in(data: Mapping[str, Any]) -> BoxMask:
    """The inverse of `mask_out`.

    Raises:
        KeyError, TypeError, ValueError: it cannot be read.
    """
    top, left, height, width = (int(data[name]) for name in ("top", "left", "height", "width"))
    try:
        bits = base64.b64decode(data["bits"], validate=True)
    except binascii.Error as error:
        raise ValueError("a mask is not base64") from error
    if min(top, left) < 0 or min(height, width) < 1 or len(bits) != -(-height * width // 8):
        raise ValueError("a mask does not fill its box")
    return BoxMask(top, left, height, width, bits)
