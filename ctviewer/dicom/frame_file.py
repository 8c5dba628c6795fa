"""What the frames of one multi-frame file share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctviewer.dicom import tags
from ctviewer.dicom.header import Header


@dataclass(slots=True, eq=False)
class FrameFile:
    """One multi-frame file, or one part of a concatenation (PS3.3 C.7.6.16.2.2.4).

    Attributes:
        number: its InstanceNumber.
        frames: how many it should hold.
        stated: how many its NumberOfFrames states; 0 where it states none, or nonsense.
        lost: how many of these it does not hold as a whole; always the last ones.
        beyond: how many it holds beyond these; they are not shown, for nobody knows what they are.
        undescribed: frames (from 0) without a functional group of their own, where others have one or should.
        whole: the image that it is a part of: a UID; "" where it is no part.
        part, parts: which part of how many; 0 where not known.
        offset: frames in the parts before this one.
        numbered: whether frames have numbers of their own, those of the slices that they were converted from.
        missing: parts that were not found; see `frames.join`.
    """

    path: Path
    number: int | None
    frames: int
    stated: int = 0
    lost: int = 0
    beyond: int = 0
    undescribed: tuple[int, ...] = ()
    whole: str = ""
    part: int = 0
    parts: int = 0
    offset: int = 0
    numbered: bool = False
    missing: tuple[int, ...] = ()

    @classmethod
    def from_header(cls, path: Path, header: Header, frames: int) -> FrameFile:
        """Take what belongs to the file as a whole from its header."""
        whole = header.text(tags.CONCATENATION_UID) or header.text(tags.CONCATENATION_SOURCE_UID)
        stated = max(0, header.integer(tags.NUMBER_OF_FRAMES) or 0)
        made = cls(path, header.integer(tags.INSTANCE_NUMBER), frames, stated, whole=whole)
        if whole:
            made.part = header.short(tags.CONCATENATION_PART) or 0
            made.parts = header.short(tags.CONCATENATION_PARTS) or 0
            raw = header.values.get(tags.CONCATENATION_FRAME_OFFSET, b"")
            made.offset = int.from_bytes(raw[:4], "little" if header.little else "big")
        return made

    @property
    def order(self) -> str:
        """What the frames of one image share when nothing but their numbers orders them."""
        return self.whole or str(self.path)
