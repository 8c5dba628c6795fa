"""From one multi-frame file to one slice for each frame.

Each frame gets a header of its own: the values of the file, overlaid by those of its shared and its own functional
groups under the tags of the classic attributes they stand for. So whatever judges classic slices judges frames too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctviewer.dicom import tags
from ctviewer.dicom.frame_file import FrameFile
from ctviewer.dicom.frame_locations import frame_locations
from ctviewer.dicom.header import Header, PixelLocation
from ctviewer.dicom.readable import why_not
from ctviewer.dicom.record import Slice
from ctviewer.dicom.storage import open_file

_WITH_GROUPS = frozenset(  # Enhanced and Legacy Converted CT, MR, PET: what a frame shows is told by functional groups
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130")
)
_PLACES = (b"00209056", b"00209057", b"00200032")  # dimensions that are told by stack and position already
_NOT_OF_A_FRAME = tags.NESTED | {tags.EXTENDED_OFFSET_TABLE, tags.EXTENDED_OFFSET_LENGTHS}
_MOST_PARTS = 1000

Values = dict[int, bytes]


def slices_of(path: Path, header: Header) -> list[Slice]:
    """The slices of a file: one for each frame that can be shown, else one that stands for the whole file.

    Raises:
        DamagedError: the pixels end before they should, or frames cannot be told apart; the text is a clause.
        OSError: it cannot be read.
    """
    groups = _groups(header, tags.FRAME_GROUPS)
    frames = _stated_frames(header, len(groups))
    if header.pixels is None or (frames == 1 and not groups and not _groups(header, tags.SHARED_GROUPS)):
        return [_whole_file(path, header)]
    single = replace(header.pixels, cut=False) if frames > 1 else header.pixels
    first = Slice.from_header(path, _Describer(header, frames).header(0, single))
    if why_not([first]) or first.pixel_format is None:
        return [_whole_file(path, header)]
    if frames < len(groups) == _held_frames(header.pixels, first.pixel_format.frame_bytes):
        frames = len(groups)  # pixels and descriptions are two witnesses against one number
    describe = _Describer(header, frames)
    with open_file(path) as (file, _):
        locations = frame_locations(file, header, frames, first.pixel_format.frame_bytes)
    shared = FrameFile.from_header(path, header, frames)
    shared.lost = max(0, frames - len(locations))
    held = len(locations) if header.pixels.fragments else header.pixels.length // first.pixel_format.frame_bytes
    shared.beyond = max(0, held - frames)
    locations = locations[:frames]
    shared.numbered = any(tags.INSTANCE_NUMBER in group for group in groups)
    if groups or header.text(tags.SOP_CLASS_UID) in _WITH_GROUPS:
        shared.undescribed = tuple(k for k in range(len(locations)) if k >= len(groups) or not groups[k])
    return [_frame(path, describe.header(k, place, shared), k, shared) for k, place in enumerate(locations)]


def _whole_file(path: Path, header: Header) -> Slice:
    header.nested = None  # not needed any more, and may be large
    return Slice.from_header(path, header)


def _stated_frames(header: Header, described: int) -> int:
    stated = header.integer(tags.NUMBER_OF_FRAMES) or 0
    return stated if stated > 0 else max(1, described)


def _held_frames(pixels: PixelLocation, frame_bytes: int) -> int:
    """Frames that uncompressed pixels hold, or compressed ones if each frame is one fragment."""
    return len(pixels.fragments) or pixels.length // frame_bytes


def _groups(header: Header, sequence: int) -> list[Values]:
    return (header.nested or {}).get(sequence, [])


def _frame(path: Path, header: Header, index: int, shared: FrameFile) -> Slice:
    one = Slice.from_header(path, header)
    one.frame, one.file = index, shared
    return one


class _Describer:
    """Writes headers of frames."""

    def __init__(self, header: Header, frames: int) -> None:
        self._header, self._frames = header, frames
        shared = _groups(header, tags.SHARED_GROUPS)
        self._base = {tag: raw for tag, raw in header.values.items() if tag not in _NOT_OF_A_FRAME}
        self._base[tags.NUMBER_OF_FRAMES] = b"1"
        if frames > 1:
            self._base.pop(tags.IMAGE_POSITION_PATIENT, None)  # of one frame only, and nobody knows which
        body_part = self._base.get(tags.BODY_PART_EXAMINED, b"").strip(b" \0")
        self._fixed = {tags.BODY_PART_EXAMINED: body_part} if body_part else {}
        agents = [item.get(tags.CONTRAST_BOLUS_AGENT, b"") for item in _groups(header, tags.CONTRAST_AGENT_SEQUENCE)]
        if any(agents):
            self._base.setdefault(tags.CONTRAST_BOLUS_AGENT, b"\\".join(filter(None, agents)))
        self._base |= shared[0] if shared else {}
        self._groups = _groups(header, tags.FRAME_GROUPS)
        pointers = [item.get(tags.DIMENSION_POINTER, b"") for item in _groups(header, tags.DIMENSION_INDEX_SEQUENCE)]
        self._dimensions = len(pointers), [i for i, pointer in enumerate(pointers) if pointer not in _PLACES]

    def header(self, index: int, pixels: PixelLocation, file: FrameFile | None = None) -> Header:
        """The header of one frame."""
        own = self._groups[index] if index < len(self._groups) else {}
        values = self._base | own | self._fixed
        if tags.INSTANCE_NUMBER not in own and file is not None and (self._frames > 1 or file.whole):
            values[tags.INSTANCE_NUMBER] = b"%d" % (file.offset + index + 1)
        if values.get(tags.CONTRAST_ADMINISTERED, b"").strip(b" \0") == b"NO":
            values.pop(tags.CONTRAST_BOLUS_AGENT, None)
        self._leave_out_places(values)
        return Header(self._header.syntax, self._header.little, values, pixels)

    def _leave_out_places(self, values: Values) -> None:
        """Of the dimension indices keep those that may tell passes over the same positions apart."""
        count, kept = self._dimensions
        indices = values.pop(tags.DIMENSION_INDEX_VALUES, b"").split(b"\\")
        if kept and len(indices) == count:
            values[tags.DIMENSION_INDEX_VALUES] = b"\\".join(indices[i] for i in kept)


def join(series: Sequence[Slice]) -> None:
    """Look at all frames of one series: find missing parts of concatenations, and number frames so that each is found.

    A frame is called by its own number (that of the slice it was converted from, or else which frame it is) where no
    other slice of the series has the same; else by its file's number and its own.
    """
    files = list({id(one.file): one.file for one in series if one.file is not None}.values())
    for parts in _concatenations(files):
        found = {one.part for one in parts}
        count = min(max(*(one.parts for one in parts), *found), _MOST_PARTS)
        missing = tuple(sorted(set(range(1, count + 1)) - found))
        for one in parts:
            one.missing = missing
            one.parts = count
    if not files:
        return
    counts = Counter(one.instance_number for one in series)
    if len(counts) == len(series):
        return
    for slice_ in series:
        if slice_.file is not None and slice_.file.frames > 1:
            _number_in_full(slice_, slice_.file)


def _concatenations(files: Iterable[FrameFile]) -> Iterator[list[FrameFile]]:
    found: dict[str, list[FrameFile]] = defaultdict(list)
    for one in files:
        if one.whole:
            found[one.whole].append(one)
    yield from found.values()


def _number_in_full(one: Slice, file: FrameFile) -> None:
    number = file.offset + one.frame + 1
    if not file.numbered:
        one.instance_number = file.number
    one.frame_number = number
