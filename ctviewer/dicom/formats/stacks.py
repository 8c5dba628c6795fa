"""Folders of pictures as series: which pictures belong together, in which order, and which numbers are missing."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Generator, Hashable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ctviewer.codecs import CodecError
from ctviewer.core.errors import DecodeError
from ctviewer.core.events import Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Notice, Series, Severity, SliceRef
from ctviewer.dicom.formats.build import MASK, file_key, geometry_notices, questions_of, series_of, value_notices
from ctviewer.dicom.formats.grid import Rounded, after_loading
from ctviewer.dicom.formats.masks import is_named_mask, looks_labelled
from ctviewer.dicom.formats.pictures import Picture, PictureSource, read_pictures, values_of
from ctviewer.dicom.formats.rounding import PADDING, is_wide
from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.ordering import natural
from ctviewer.dicom.stack import Stack
from ctviewer.dicom.text import clean
from ctviewer.dicom.wording import both_sides, listed

LEAST = 3
"""Pictures of one kind that make a stack where there is something else to open as well."""
_STEP = 25
_STAGE = "Reading pictures"
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")
_DIGITS = re.compile(r"\d+")


class _NotShownError(Exception):
    """A stack that is colour or damaged throughout; the text is a clause."""


def read_stacks(paths: Sequence[Path], alone: bool) -> Generator[Event, None, tuple[list[Series], dict[Path, str]]]:
    """The stacks among these pictures.

    Args:
        paths: PNG and TIFF files, in the order of a walk through a folder.
        alone: there is nothing else to open: then also one picture is a series, and what is refused is told.

    Returns:
        The series, and files that were refused with the reason, a clause. Beside other images a logo or screenshot is passed
        over without a word.
    """
    pictures: list[Picture] = []
    refused: dict[Path, str] = {}
    for number, path in enumerate(paths):
        if number % _STEP == 0:
            yield Progress(_STAGE, number, len(paths))
        try:
            pictures += read_pictures(path)
        except FormatError as error:
            refused[path] = str(error)
        except (OSError, DecodeError) as error:
            refused[path] = f"it could not be read: {reason(error)}" if isinstance(error, OSError) else str(error)
    made: list[Series] = []
    for group in _groups(pictures):
        if not alone and len(group) < LEAST:
            continue
        try:
            made.append(_stack(group))
        except _NotShownError as error:
            refused[group[0].path] = str(error)
        except OSError as error:
            refused[group[0].path] = f"it could not be read: {reason(error)}"
    folders = {one.slices[0].path.parent for one in made}
    return made, {path: why for path, why in refused.items() if alone or path.parent in folders}


def _groups(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """Pictures that belong together, each group in order."""
    pages: dict[Path, int] = defaultdict(int)
    for one in pictures:
        pages[one.path] += 1
    apart: dict[Hashable, list[Picture]] = defaultdict(list)
    for one in pictures:
        place = one.path if pages[one.path] > 1 else one.path.parent
        apart[place, one.rows, one.columns, one.dtype, one.channels, one.inverted].append(one)
    for group in apart.values():
        for part in _by_name(group):
            yield sorted(part, key=lambda one: (natural(one.path.name.lower()), one.path.name, one.number))


def _by_name(group: list[Picture]) -> list[list[Picture]]:
    """Split by what names have in common beside their last number, where that gives several whole stacks.

    `ct_1 ct_2 ct_3 mask_1 mask_2 mask_3` are two stacks; `apple banana cherry` is one.
    """
    for common in (_all_but_last_number, _words):
        parts: dict[str, list[Picture]] = defaultdict(list)
        for one in group:
            parts[common(one.path.stem)].append(one)
        if all(len(part) >= LEAST for part in parts.values()):
            return list(parts.values())
    return [group]


def _all_but_last_number(stem: str) -> str:
    return _LAST_NUMBER.sub("#", stem.lower())


def _words(stem: str) -> str:
    return _DIGITS.sub("#", stem.lower())


def _stack(group: list[Picture]) -> Series:
    """Build the series of pictures that belong together.

    Raises:
        _NotShownError: they are colour pictures, or the middle one is damaged and there is no other.
        OSError: the first one cannot be read.
    """
    first, count = group[0], len(group)
    labels = looks_labelled(_middle(group), _is_named_mask(first))
    paged = first.path == group[-1].path and count > 1
    stack = _sources(group)
    numbers = [one.number + 1 for one in group] if paged else _numbers(group)
    questions = () if labels else questions_of(stack.geometry)
    name = clean(first.path.stem if paged or count == 1 else first.path.parent.name)
    return series_of(
        stack,
        tuple(
            SliceRef(one.path, one.number, instance_number=numbers[index] if numbers else None)
            for index, one in enumerate(group)
        ),
        key=_key(group),
        description=f"{name}, {MASK}" if labels else name,
        kind=first.kind,
        notices=(
            *_order_notices(paged, numbers),
            *geometry_notices(stack.geometry),
            *value_notices(questions, labels),
        ),
        questions=questions,
        image_type=("DERIVED", "MASK") if labels else (),
    )


def _sources(group: Sequence[Picture]) -> Stack:
    """What loading needs: the values as they are, no unit, no places."""
    first, count, rounded = group[0], len(group), Rounded()
    dtype = first.dtype
    return Stack(
        geometry=Geometry((count, first.rows, first.columns), None),
        sources=tuple(PictureSource(one, index, rounded) for index, one in enumerate(group)),
        signed=dtype.kind == "i" or is_wide(dtype),
        slope=np.ones(count),
        intercept=np.zeros(count),
        unit="",
        padding=(PADDING, PADDING) if dtype.kind == "f" else None,
        inverted=first.inverted,
        windows=(),
        afterwards=after_loading(rounded) if is_wide(dtype) else None,
    )


def _is_named_mask(one: Picture) -> bool:
    return is_named_mask(one.path.parent.name) or is_named_mask(one.path.stem)


def _middle(group: Sequence[Picture]) -> np.ndarray[Any, Any]:
    """The middle picture's values, or those of another one where it is damaged."""
    why = ""
    for one in dict.fromkeys((group[len(group) // 2], group[0], group[-1])):
        try:
            return values_of(one)
        except (CodecError, DecodeError, FormatError) as error:
            why = why or str(error)
    raise _NotShownError(why)


def _numbers(group: Sequence[Picture]) -> list[int] | None:
    """The last number of each name, where every name has one and they rise."""
    found = [_LAST_NUMBER.search(one.path.stem) for one in group]
    numbers = [int(one[1]) for one in found if one is not None and len(one[1]) < 10]
    rising = len(numbers) == len(group) and all(a < b for a, b in pairwise(numbers))
    return numbers if rising else None


def _order_notices(paged: bool, numbers: list[int] | None) -> Iterator[Notice]:
    """In what order the slices are, and which numbers are missing among them."""
    what = "pages of the file" if paged else "file names"
    text = f"Slices are in the order of the {what}: the pictures do not say where they lie."
    yield Notice("order-of-names", Severity.WARNING, text)
    if numbers is None or len(numbers) < 2:
        return
    steps = np.diff(numbers)
    step = int(np.median(steps))
    holes = [i for i, gap in enumerate(steps) if gap != step]
    if holes:
        where = listed([f"{numbers[i]} and {numbers[i + 1]}" for i in holes], "more places")
        text = f"Numbers are missing in the file names, between {where}: slices may be missing there."
        yield Notice("missing-slices", Severity.WARNING, text, both_sides(holes))


def _key(group: Sequence[Picture]) -> str:
    """Identifies a stack wherever it lies: by names, sizes and its first and middle picture."""
    names = hashlib.sha256("\n".join(f"{one.path.name}:{one.number}" for one in group).encode("utf-8", "replace"))
    names.update(file_key(group[0].path, "").encode())
    names.update(file_key(group[len(group) // 2].path, "").encode())
    return f"pictures:{names.hexdigest()[:32]}"
