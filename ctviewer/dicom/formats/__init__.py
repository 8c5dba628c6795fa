"""Images that are not DICOM: NIfTI, MetaImage, stacks of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctviewer.core.events import Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.series import Notice, Series, Severity
from ctviewer.dicom.formats.metaimage import read_metaimage
from ctviewer.dicom.formats.nifti import read_nifti
from ctviewer.dicom.formats.stacks import read_stacks
from ctviewer.dicom.naming import FormatError
from ctviewer.dicom.text import clean
from ctviewer.dicom.unpacking import UnpackingError

_VOLUMES: dict[str, Callable[[Path], list[Series]]] = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".hdr": read_nifti,
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
}
_PICTURES = (".png", ".tif", ".tiff")
_STAGE = "Reading other formats"


def _volume_reader(name: str) -> Callable[[Path], list[Series]] | None:
    lower = name.lower()
    return next((reader for ending, reader in _VOLUMES.items() if lower.endswith(ending)), None)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(_PICTURES)


def is_other_format(name: str) -> bool:
    """Whether a file of this name may be an image of another format than DICOM, by its ending."""
    return _volume_reader(name) is not None or _is_picture(name)


def read_series(paths: Sequence[Path], alone: bool) -> Generator[Event, None, tuple[list[Series], list[Notice]]]:
    """The series in these files, for all of which `is_other_format` holds, in the order of a walk through a folder.

    Args:
        paths: the files.
        alone: nothing else was found. Beside other images only stacks of at least three pictures count: a logo or a
            screenshot is passed over.

    Yields:
        `Progress`.

    Returns:
        The series, and what there is to say of files that could not be read.
    """
    found: list[Series] = []
    refused: dict[Path, str] = {}
    for number, path in enumerate(paths):
        reader = _volume_reader(path.name)
        if reader is None:
            continue
        yield Progress(_STAGE, number, len(paths))
        try:
            found += reader(path)
        except FormatError as error:
            refused[path] = str(error)
        except UnpackingError as error:
            refused[path] = reason(error)
        except OSError as error:
            refused[path] = f"it could not be read: {reason(error)}"
    stacks, more = yield from read_stacks([path for path in paths if _is_picture(path.name)], alone and not found)
    return list(_with_own_keys([*found, *stacks])), list(_refusals(refused | more))


def _refusals(refused: dict[Path, str]) -> Iterator[Notice]:
    for path, why in refused.items():
        text = f"{clean(path.name)} cannot be opened: {why}."
        yield Notice("unreadable-files", Severity.WARNING, text, paths=(path,))


def _with_own_keys(found: Iterable[Series]) -> Iterator[Series]:
    """Copies of one file are series of their own."""
    seen: Counter[str] = Counter()
    for one in found:
        seen[one.key] += 1
        yield one if seen[one.key] == 1 else replace(one, key=f"{one.key}@{seen[one.key]}")
