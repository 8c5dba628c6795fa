"""The sample study: a phantom written once as a DICOM series, so that the program can be tried without data."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import cast

import numpy as np

from ctviewer.core.errors import StorageError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import atomic_path, reason, write_bytes
from ctviewer.core.windowing import PRESETS
from ctviewer.datasets.phantom import GENERATOR_VERSION, STAGE, Family, Phantom, PhantomSpec, Variant, generate_events
from ctviewer.dicom.write import SeriesAttributes, write_ct_series

SAMPLE_SPEC = PhantomSpec(seed=7, variant=Variant.COVID, family=Family.D, matrix=512, slices=126)
"""A family that no shipped model was trained on, so that the demonstration shows an honest result."""

_DICOM, _TRUTH, _MARKER = "dicom", "truth.npz", "complete.json"


def sample_study(folder: Path, spec: PhantomSpec = SAMPLE_SPEC) -> Iterator[Event]:
    """Make the sample study in `folder`, or find it there.

    `folder/dicom` holds the series and nothing else, `folder/truth.npz` the labels; `folder/complete.json` is written
    last and names generator and spec: without it, or with another, everything is made again.

    Args:
        folder: the program's own; what an earlier version or a broken run left in it is removed.
        spec: which phantom.

    Yields:
        `Progress` while it is made, then `Done` with the path of the DICOM folder.

    Raises:
        StorageError: the folder cannot be written.
    """
    marker = _marker(spec)
    if not _is_complete(folder, marker, spec.slices):
        _clear(folder)
        for event in generate_events(spec):
            if isinstance(event, Done):
                yield Progress("Writing the sample study", 0, 1)
                _write(folder, cast(Phantom, event.value), marker)
            else:
                yield event
    yield Progress(STAGE, spec.slices, spec.slices)
    yield Done(folder / _DICOM)


def sample_truth(folder: Path) -> dict[str, np.ndarray]:
    """The truth that lies beside a sample study: `labels` `[slices, rows, columns]` uint8 in volume order, `infected`.

    Raises:
        StorageError: there is none.
    """
    try:
        with np.load(folder / _TRUTH, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder / _TRUTH} could not be read.") from error


def _marker(spec: PhantomSpec) -> bytes:
    plain = {key: value.value if isinstance(value, Enum) else value for key, value in asdict(spec).items()}
    return json.dumps({"generator": GENERATOR_VERSION, "spec": plain}, indent=1, sort_keys=True).encode()


def _is_complete(folder: Path, marker: bytes, slices: int) -> bool:
    try:
        written = (folder / _MARKER).read_bytes() == marker
    except OSError:
        return False
    return written and (folder / _TRUTH).is_file() and len(list((folder / _DICOM).glob("*.dcm"))) == slices


def _clear(folder: Path) -> None:
    """Remove what an earlier version or a broken run left; the marker first, so that a half-cleared study is not used."""
    try:
        (folder / _MARKER).unlink(missing_ok=True)
        (folder / _TRUTH).unlink(missing_ok=True)
        for left in (folder / _DICOM, *folder.glob(f".{_DICOM}.*.part")):
            if left.exists():
                shutil.rmtree(left)
        for part in folder.glob(f".{_TRUTH}.*.part"):
            part.unlink()
    except OSError as error:
        raise StorageError(f"{folder} could not be cleared: {reason(error)}.") from error


def _write(folder: Path, phantom: Phantom, marker: bytes) -> None:
    name = hashlib.sha256(marker).hexdigest()[:8]
    attributes = SeriesAttributes(
        patient_name="SAMPLE^PHANTOM",
        patient_id="PHANTOM-1",
        accession=name,
        study_description="Generated chest phantom",
        description="Generated chest phantom",
        kernel=phantom.kernel.upper(),
        manufacturer="ctviewer phantom",
        model_name=f"generator {GENERATOR_VERSION}",
        thickness=round(phantom.thickness_mm, 3),
        windows=PRESETS[:2],
    )
    write_ct_series(folder / _DICOM, phantom.hu, geometry=phantom.geometry, attributes=attributes)
    with atomic_path(folder / _TRUTH) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, labels=phantom.labels, infected=phantom.infected_slices)
    write_bytes(folder / _MARKER, marker)
