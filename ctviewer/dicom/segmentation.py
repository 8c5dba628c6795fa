"""DICOM Segmentations (PS3.3 A.51, C.8.20): which voxels of a series they mark, by position and by reference.

A frame is placed by where it lies in the patient; where it names the image that it was drawn on, both must agree. Nothing is
resampled and nothing is guessed: what does not fit is refused in words.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian

from ctviewer.codecs import CodecError
from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.core.planes import MisplacedError, PixelPlane, Stack
from ctviewer.core.volume import Volume
from ctviewer.dicom import tags
from ctviewer.dicom.deflated import deflated_start
from ctviewer.dicom.header import DamagedError, NotDicomError
from ctviewer.dicom.reading import read_header
from ctviewer.dicom.segment_pixels import SegmentPixels
from ctviewer.dicom.storage import open_file
from ctviewer.dicom.text import clean

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_MOST_BYTES = 1 << 30
_MOST_FRAMES = 1 << 16


class _UnusableError(Exception):
    """A segmentation that cannot be used; the text is a clause."""


@dataclass(frozen=True)
class _Frame:
    """One frame.

    Attributes:
        index: from 0.
        segment: its number.
        plane: where it lies.
        sources: SOP Instance UID and frame (from 1, 0 for none) of the images that it was drawn on; empty if none is named.
    """

    index: int
    segment: int
    plane: PixelPlane
    sources: tuple[tuple[str, int], ...]


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM Segmentation; False for what cannot be read."""
    try:
        return read_header(path).text(tags.SOP_CLASS_UID) == SEGMENTATION
    except (NotDicomError, DamagedError):
        return False


def read_segments(path: Path, volume: Volume) -> dict[str, NDArray[np.bool_]]:
    """The voxels that each segment of a file marks.

    Fractional segments mark where they are at least half there.

    Args:
        path: the segmentation.
        volume: of the series that it was drawn on.

    Returns:
        `[slices, rows, columns]` bool in the volume's own matrix for each Segment Label, in the order of their numbers;
        segments of one label are united.

    Raises:
        InputError: it cannot be read, is of another series, or does not lie on its voxels; the text names file and reason.
    """
    try:
        dataset = _read(path)
        _require_segmentation(dataset)
        return _place(dataset, volume)
    except (_UnusableError, MisplacedError) as error:
        raise InputError(f"{path} cannot be used as a segmentation: {error}.") from error
    except CodecError as error:
        raise InputError(f"{path} cannot be used as a segmentation: its pixels {error.predicate}.") from error
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    except MemoryError as error:
        raise InputError(f"{path} needs more memory than there is.") from error
    except Exception as error:
        raise InputError(f"{path} cannot be used as a segmentation: it is damaged.") from error


def _read(path: Path) -> Dataset:
    with open_file(path) as (file, size):
        if size > _MOST_BYTES:
            raise _UnusableError("it is too large")
        data = file.read()
    if data[128:132] != b"DICM":
        raise _UnusableError("it is not DICOM")
    start = deflated_start(io.BytesIO(data))
    if not start:
        return pydicom.dcmread(io.BytesIO(data))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data[start:], _MOST_BYTES)
    except zlib.error as error:
        raise _UnusableError("its compressed data are damaged") from error
    if not inflater.eof:
        raise _UnusableError("its compressed data are cut off or too large")
    dataset = read_dataset(io.BytesIO(plain), is_implicit_VR=False, is_little_endian=True)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _require_segmentation(dataset: Dataset) -> None:
    if str(dataset.get("SOPClassUID", "")) != SEGMENTATION:
        raise _UnusableError("it is DICOM of another kind")
    if str(dataset.get("SegmentationType", "")) not in ("BINARY", "FRACTIONAL"):
        raise _UnusableError("its type is neither binary nor fractional")


def _place(dataset: Dataset, volume: Volume) -> dict[str, NDArray[np.bool_]]:
    _require_series(dataset, volume)
    labels = _labels(dataset)
    found = {label: np.zeros(volume.geometry.shape, bool) for label in labels.values()}
    stack, images, pixels = Stack(volume.geometry), _images(volume), SegmentPixels.of(dataset)
    for frame in _frames(dataset):
        if frame.segment not in labels:
            raise _UnusableError(f"frame {frame.index + 1} is of segment {frame.segment}, which it does not describe")
        marked = pixels.frame(frame.index)
        try:
            placed = stack.place(frame.plane, _said(frame, images))
            found[labels[frame.segment]][placed.voxels(marked, volume.geometry.shape)] = True
        except MisplacedError as error:
            raise MisplacedError(f"of frame {frame.index + 1}, {error}") from error
    return found


def _require_series(dataset: Dataset, volume: Volume) -> None:
    """A segmentation that names its series names this one."""
    named = [str(one.get("SeriesInstanceUID", "")) for one in dataset.get("ReferencedSeriesSequence", None) or ()]
    if named and volume.series.uid and volume.series.uid not in named:
        raise _UnusableError("it was drawn on another series")
    if not named and not _names_images(dataset):
        raise _UnusableError("it does not say which series it was drawn on")


def _names_images(dataset: Dataset) -> bool:
    frames = dataset.get("PerFrameFunctionalGroupsSequence", None) or ()
    return bool(frames) and all(one.get("DerivationImageSequence", None) for one in frames)


def _labels(dataset: Dataset) -> dict[int, str]:
    """Segment number to label."""
    found: dict[int, str] = {}
    for item in dataset.get("SegmentSequence", None) or ():
        number, label = int(item.SegmentNumber), clean(str(item.get("SegmentLabel", "") or ""))
        if number in found or not label:
            raise _UnusableError(f"its segment {number} has {'two descriptions' if number in found else 'no label'}")
        found[number] = label
    if not found:
        raise _UnusableError("it describes no segments")
    return dict(sorted(found.items()))


def _images(volume: Volume) -> dict[tuple[str, int], int]:
    """Volume index of each image; of a file with several frames by frame number too."""
    refs = volume.series.slices
    whole = {(ref.sop_instance_uid, 0): index for index, ref in enumerate(refs)}
    framed = {(ref.sop_instance_uid, ref.frame + 1): index for index, ref in enumerate(refs)}
    counts = len({ref.sop_instance_uid for ref in refs})
    return framed | (whole if counts == len(refs) else {})


def _said(frame: _Frame, images: dict[tuple[str, int], int]) -> int | None:
    """The slice that a frame says it was drawn on; None where it names none, or several (it cuts through them).

    Raises:
        _UnusableError: it names an image that the series does not have.
    """
    found = {images.get(source, images.get((source[0], 0))) for source in frame.sources}
    if None in found:
        raise _UnusableError(f"frame {frame.index + 1} refers to an image that the series does not have")
    return next(iter(found)) if len(found) == 1 else None


def _frames(dataset: Dataset) -> Iterator[_Frame]:
    groups = dataset.get("PerFrameFunctionalGroupsSequence", None) or ()
    count = int(dataset.get("NumberOfFrames", 0) or 0)
    if count != len(groups) or not 0 < count <= _MOST_FRAMES:
        raise _UnusableError(f"it states {count} frames and describes {len(groups)}")
    shared = (dataset.get("SharedFunctionalGroupsSequence", None) or [Dataset()])[0]
    for index, own in enumerate(groups):
        yield _Frame(index, _segment(own, shared), _plane(dataset, own, shared, index), _sources(own, shared))


def _segment(own: Dataset, shared: Dataset) -> int:
    return int(_group(own, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _plane(dataset: Dataset, own: Dataset, shared: Dataset, index: int) -> PixelPlane:
    try:
        position = _group(own, shared, "PlanePositionSequence").ImagePositionPatient
        orientation = _group(own, shared, "PlaneOrientationSequence").ImageOrientationPatient
        spacing = _group(own, shared, "PixelMeasuresSequence").PixelSpacing
    except (KeyError, AttributeError):
        raise _UnusableError(f"frame {index + 1} does not say where it lies") from None
    x, y, z = (float(value) for value in position)
    a, b, c, d, e, f = (float(value) for value in orientation)
    down, along = (float(value) for value in spacing)
    shape = int(dataset.Rows), int(dataset.Columns)
    return PixelPlane(shape, (x, y, z), (a, b, c), (d, e, f), (down, along))


def _sources(own: Dataset, shared: Dataset) -> tuple[tuple[str, int], ...]:
    try:
        derived = _group(own, shared, "DerivationImageSequence")
    except KeyError:
        return ()
    return tuple(
        (str(source.ReferencedSOPInstanceUID), int(number))
        for source in derived.get("SourceImageSequence", None) or ()
        for number in _numbers(source.get("ReferencedFrameNumber", None))
    )


def _numbers(value: Any) -> tuple[int, ...]:
    """Frame numbers of a reference: one, several, or 0 for the whole image."""
    if value is None or value == "":
        return (0,)
    return tuple(value) if isinstance(value, list | pydicom.multival.MultiValue) else (int(value),)


def _group(own: Dataset, shared: Dataset, name: str) -> Dataset:
    """The functional group of a frame, its own or that of all frames.

    Raises:
        KeyError: there is none.
    """
    for groups in (own, shared):
        if found := groups.get(name, None):
            group: Dataset = found[0]
            return group
    raise KeyError(name)
