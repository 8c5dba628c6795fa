"""Headers of all other files through pydicom: no preamble, no file meta, big endian, deflated, wrong or odd encodings."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, Literal

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag, Tag

from ctviewer.dicom import tags
from ctviewer.dicom.deflated import deflated_start, inflated_header
from ctviewer.dicom.fragments import find_fragments
from ctviewer.dicom.functional_groups import read_items
from ctviewer.dicom.header import LARGEST_VALUE, DamagedError, Header, NotDicomError, PixelLocation
from ctviewer.dicom.limited import LimitedFile
from ctviewer.dicom.storage import ReadableFile
from ctviewer.dicom.syntaxes import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from ctviewer.dicom.text import clean
from ctviewer.dicom.unpacking import MOST_RATIO

_MOST_META = 1024
_UNDEFINED = b"\xff\xff\xff\xff"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")
_WANTED = [Tag(tag) for tag in sorted(tags.WANTED)]


def read_slow(file: ReadableFile, size: int) -> Header:
    """Read the header of an open file of `size` bytes.

    Raises:
        NotDicomError: it does not look like DICOM.
        DamagedError: it is DICOM, but cannot be read.
        OSError: the file cannot be read; its deflated data are damaged.
    """
    deflated = deflated_start(file)
    if not deflated:
        return _read(file, size)
    with inflated_header(file, deflated) as inflated:
        header = _read(inflated, size * MOST_RATIO)
    header.syntax = DEFLATED
    header.pixels = replace(header.pixels, deflated=deflated) if header.pixels else None
    return header


def _read(file: ReadableFile, size: int) -> Header:
    file.seek(0)
    start = file.read(132)
    marked = start[128:] == b"DICM"
    if not marked and start[:2] not in _FIRST_GROUPS:
        raise NotDicomError
    file.seek(0)
    if DEFLATED.encode() in start + file.read(_MOST_META):
        raise DamagedError("its file meta information is malformed")  # pydicom would inflate without end
    file.seek(0)
    try:
        dataset = pydicom.dcmread(LimitedFile(file), stop_before_pixels=True, specific_tags=_WANTED, force=True)
        header = _header(dataset)
    except OSError:
        raise
    except Exception as error:
        if marked:
            raise DamagedError("its header is malformed") from error
        raise NotDicomError from error
    if not any(header.has(tag) for tag in (tags.SOP_CLASS_UID, tags.SERIES_INSTANCE_UID, tags.ROWS)):
        if marked:
            raise DamagedError("its header is malformed")
        raise NotDicomError
    header.pixels = _locate(file, dataset, size)
    return header


def _header(dataset: FileDataset) -> Header:
    implicit, little = dataset.original_encoding
    stated = clean(str(dataset.file_meta.get("TransferSyntaxUID", "") or ""))
    syntax = stated or (IMPLICIT if implicit else EXPLICIT if little else BIG_ENDIAN)
    values = {int(tag): _raw(dataset, tag) for tag in _WANTED if tag in dataset}
    nested = {int(tag): _items(dataset, tag) for tag in _WANTED if tag in tags.NESTED and tag in dataset}
    return Header(syntax, little is not False, values, nested=nested or None)


def _items(dataset: Dataset, tag: BaseTag) -> list[dict[int, bytes]]:
    """Items of a sequence, written anew as the fast reader knows them; none where pydicom cannot read or write them."""
    only = Dataset()
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    try:
        only[tag] = dataset[tag]
        write_dataset(buffer, only)
    except Exception:  # noqa: BLE001 - boundary: malformed sequences can raise nearly anything inside pydicom
        return []
    data = buffer.getvalue()
    length = int.from_bytes(data[4:8], "little")
    return read_items(io.BytesIO(data), len(data), tag, 8, length, explicit=False)[0]


def _raw(dataset: Dataset, tag: Any) -> bytes:
    if tag in tags.NESTED:
        return b""
    value = dataset.get_item(tag).value
    if isinstance(value, bytes):
        return value if len(value) <= LARGEST_VALUE else b""
    if isinstance(value, str):  # pydicom converts the character set itself at once
        return value.encode("ascii", "replace")
    return "\\".join(value).encode("ascii", "replace") if tag == tags.SPECIFIC_CHARACTER_SET and value else b""


def _locate(file: ReadableFile, dataset: FileDataset, size: int) -> PixelLocation | None:
    """Pixel Data starts where pydicom stopped."""
    little = dataset.original_encoding[1]
    position = file.tell()
    head = file.read(12)
    order: Literal["little", "big"] = "little" if little is not False else "big"
    if len(head) < 12 or (int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)) != tags.PIXEL_DATA:
        return None
    # Not by original_encoding: that repeats what the file meta claims. A VR cannot be mistaken for an (even) length.
    explicit = head[4:6] in (b"OW", b"OB", b"UN")
    offset, raw_length = (position + 12, head[8:12]) if explicit else (position + 8, head[4:8])
    if raw_length != _UNDEFINED:
        location = PixelLocation.within(offset, int.from_bytes(raw_length, order), size)
        return replace(location, swapped=order == "big" and head[4:6] == b"OW")
    return find_fragments(file, offset, size)
