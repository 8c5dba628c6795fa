"""Files that hold the same slice twice (PS3.5 9: one SOP Instance UID, one object)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence

from ctviewer.core.errors import DecodeError
from ctviewer.core.events import Event, Progress
from ctviewer.dicom.pixels import PixelSource, empty, exactly
from ctviewer.dicom.record import Slice
from ctviewer.dicom.storage import open_file


def drop_copies(slices: Sequence[Slice]) -> Generator[Event, None, tuple[list[Slice], list[Slice]]]:
    """Find slices with the same UID, position and pixels as another one.

    Yields:
        `Progress` while pixels are compared.

    Returns:
        The slices to keep, in the given order, and the copies to drop.
    """
    twins: dict[object, list[Slice]] = defaultdict(list)
    for one in slices:
        twins[copy_key(one)].append(one)
    dropped: list[Slice] = []
    repeated = [group for group in twins.values() if len(group) > 1]
    for number, group in enumerate(repeated):
        dropped += yield from _copies(group, Progress("Comparing copies", number, len(repeated)))
    gone = {id(one) for one in dropped}
    return [one for one in slices if id(one) not in gone], dropped


def copies_in(kept: Iterable[Slice], dropped: Sequence[Slice]) -> list[Slice]:
    """The dropped copies of slices of one part."""
    keys = {copy_key(one) for one in kept} if dropped else set()
    return [one for one in dropped if copy_key(one) in keys]


def copy_key(one: Slice) -> object:
    """Equal for slices that may be copies: without a position the image number must agree as well."""
    if not one.sop_instance_uid:
        return id(one)
    place = one.instance_number if one.position is None else one.position
    return one.sop_instance_uid, one.frame, place, one.frames


def _copies(group: list[Slice], progress: Progress) -> Generator[Event, None, list[Slice]]:
    """All of a group whose pixels equal those of an earlier one; what cannot be decoded is kept and fails later, visibly.

    Bytes as they are stored are compared first: most copies are copies of whole files, and need no decoding.
    """
    if all(one.position is None and one.instance_number is None for one in group):
        return []  # one UID for all and nothing else to go by: equal pixels may be two slices of air
    by_bytes: dict[object, Slice] = {}
    copies: list[Slice] = []
    for one in group:
        yield progress  # a group may be a whole series whose slices share everything but their pixels
        stored = _stored(one)
        if stored is None:
            continue
        if by_bytes.setdefault((stored, one.header.syntax, *_meaning(one)), one) is not one:
            copies.append(one)
    left = list(by_bytes.values())
    if len({one.header.syntax for one in left}) == 1:
        return copies
    known: set[object] = set()
    for one in left:
        yield progress
        digest = _digest(one)
        if digest is None:
            continue
        content = (digest, *_meaning(one))
        if content in known:
            copies.append(one)
        known.add(content)
    return copies


def _meaning(one: Slice) -> tuple[object, ...]:
    """What equal pixels may still differ in: a header that was changed makes another slice of them, never an exact copy."""
    values = one.rescale, one.signed, one.pixel_format, one.photometric, one.padding
    spacing = None if one.spacing is None else tuple(f"{value:.4g}" for value in one.spacing)
    direction = None if one.orientation is None else tuple((one.orientation.round(3) + 0.0).tolist())
    return one.rows, one.columns, *values, spacing, direction


def _stored(one: Slice) -> bytes | None:
    """Digest of the pixels as they lie in the file; None where there is nothing to compare."""
    location = one.pixels
    if location is None or one.pixel_format is None or one.is_colour or one.frames > 1:
        return None
    if location.deflated:
        return _digest(one)
    whole = location.offset, one.pixel_format.frame_bytes
    try:
        with open_file(one.path) as (file, _):
            return hashlib.blake2b(b"".join(exactly(file, *part) for part in location.fragments or (whole,))).digest()
    except (OSError, DecodeError):
        return None


def _digest(one: Slice) -> bytes | None:
    if one.pixels is None or one.pixel_format is None:
        return None
    out = empty((one.rows, one.columns), signed=one.signed)
    try:
        PixelSource(one.path, one.header.syntax, one.pixels, one.pixel_format).read(out)
    except DecodeError:
        return None
    return hashlib.blake2b(out.data).digest()
