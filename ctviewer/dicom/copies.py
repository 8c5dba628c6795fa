"""Files that hold the same slice twice (PS3.5 9: one SOP Instance UID, one object)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Generator, Sequence

from ctviewer.core.errors import DecodeError
from ctviewer.core.events import Event, Progress
from ctviewer.dicom.pixels import PixelSource, empty
from ctviewer.dicom.record import Slice


def drop_copies(slices: Sequence[Slice]) -> Generator[Event, None, tuple[list[Slice], list[Slice]]]:
    """Find slices with the same UID, position and pixels as another one.

    Yields:
        `Progress` while pixels are compared.

    Returns:
        The slices to keep, in the given order, and the copies to drop.
    """
    twins: dict[object, list[Slice]] = defaultdict(list)
    for one in slices:
        twins[_identity(one)].append(one)
    dropped: list[Slice] = []
    repeated = [group for group in twins.values() if len(group) > 1]
    for number, group in enumerate(repeated):
        yield Progress("Comparing copies", number, len(repeated))
        dropped += _copies(group)
    gone = {id(one) for one in dropped}
    return [one for one in slices if id(one) not in gone], dropped


def _identity(one: Slice) -> object:
    """Equal for slices that may be copies: without a position the image number must agree as well."""
    if not one.sop_instance_uid:
        return id(one)
    place = one.instance_number if one.position is None else one.position
    return one.sop_instance_uid, place, one.frames


def _copies(group: list[Slice]) -> list[Slice]:
    """All of a group whose pixels equal those of an earlier one; what cannot be decoded is kept and fails later, visibly."""
    known: set[object] = set()
    copies: list[Slice] = []
    for one in group:
        digest = _digest(one)
        if digest is None:
            continue
        content = (digest, one.rows, one.columns, one.rescale, one.signed, one.photometric)
        if content in known:
            copies.append(one)
        known.add(content)
    return copies


def _digest(one: Slice) -> bytes | None:
    if one.pixels is None or one.pixel_format is None or one.is_colour or one.frames > 1:
        return None
    out = empty((one.rows, one.columns), signed=one.signed)
    try:
        PixelSource(one.path, one.header.syntax, one.pixels, one.pixel_format).read(out)
    except DecodeError:
        return None
    return hashlib.blake2b(out.data).digest()
