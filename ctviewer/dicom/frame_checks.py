"""What there is to tell the reader about multi-frame files: frames and parts that are lost, or not described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ctviewer.core.geometry import Geometry
from ctviewer.core.layout import Layout
from ctviewer.core.series import Notice, Severity
from ctviewer.dicom import tags
from ctviewer.dicom.frame_file import FrameFile
from ctviewer.dicom.record import Slice
from ctviewer.dicom.text import clean
from ctviewer.dicom.wording import listed

NO_PLAIN_VOLUME = "volumetric-properties"
_MEANINGS = {
    "DISTORTED": "distorted, as in a curved reformation: distances and directions in them are not those of the patient",
    "SAMPLED": "sampled from a larger volume, as in a projection: a pixel does not stand for the tissue at its place",
}


def frames(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Frames that are lost or not described, parts of a concatenation that were not found."""
    files = list({id(one.file): one.file for one in stack if one.file is not None}.values())
    if not files:
        return
    yield from _told(
        "lost-frames", files, lambda file: f"{file.lost} of its {file.frames} frames" if file.lost else "",
        "The file ends too early: {} cannot be shown, the last ones.",
    )  # fmt: skip
    yield from _told(
        "undescribed-frames", files, _undescribed,
        "The file does not describe each of its frames: {} have no functional groups of their own. What it says of all frames is used.",
    )  # fmt: skip
    yield from _told(
        "frames-beyond", files, lambda file: f"{file.beyond} beyond the {file.frames} stated" if file.beyond else "",
        "The file holds more frames than it states: {}. They are not shown.",
    )  # fmt: skip
    yield from _told(
        "frame-count", files, _miscounted, "The number of frames that a file states is wrong: {}. All are shown."
    )
    missing = {file.whole: file for file in files if file.missing}
    for file in missing.values():
        numbers = listed([str(part) for part in file.missing])
        what = "Part" if len(file.missing) == 1 else "Parts"
        verb = "is" if len(file.missing) == 1 else "are"
        text = f"{what} {numbers} of {file.parts} of this image {verb} missing: its frames are not all here."
        yield Notice("missing-parts", Severity.WARNING, text)


def _miscounted(file: FrameFile) -> str:
    wrong = file.stated != file.frames and (file.stated or file.frames > 1)
    return f"{file.stated or 'none'} stated, {file.frames} described and found" if wrong else ""


def _undescribed(file: FrameFile) -> str:
    return f"{len(file.undescribed)} of its {file.frames} frames" if file.undescribed else ""


def _told(code: str, files: Sequence[FrameFile], fact: Callable[[FrameFile], str], text: str) -> Iterator[Notice]:
    found = [file for file in files if fact(file)]
    if not found:
        return
    named = listed([f"{fact(file)} ({clean(file.path.name)})" for file in found])
    yield Notice(code, Severity.WARNING, text.format(named), paths=tuple(file.path for file in found))


def volumetric_properties(stack: Sequence[Slice], geometry: Geometry, layout: Layout) -> Iterator[Notice]:
    """Frames that their file calls distorted or sampled."""
    for kind, meaning in _MEANINGS.items():
        found = tuple(i for i, one in enumerate(stack) if one.header.text(tags.VOLUMETRIC_PROPERTIES).upper() == kind)
        if found:
            concerned = () if len(found) == len(stack) else found
            which = "The images" if not concerned else f"{len(found)} of {len(stack)} images"
            yield Notice(NO_PLAIN_VOLUME, Severity.WARNING, f"{which} are {meaning}.", concerned)
