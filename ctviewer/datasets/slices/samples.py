"""Generated samples of every format of labelled slices, from phantoms: for tests, demonstrations and trials."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ctviewer.core.files import write_bytes
from ctviewer.datasets.phantom import GROUND_GLASS, LUNG, Phantom, Variant
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.slices.covid19_ct_seg import PATIENT_STARTS
from ctviewer.datasets.slices.series_samples import write_lidc, write_studies

WINDOW = (-600.0, 1500.0)
"""Centre and width in HU of the pictures; "window=-600/1500" states it."""
_NUMBER = {Variant.CONTROL: 0, Variant.PNEUMONIA: 1, Variant.COVID: 2}
_PREFIX = {Variant.CONTROL: "Normal", Variant.PNEUMONIA: "CP", Variant.COVID: "NCP"}
_ICTCF = {Variant.CONTROL: "0_nCT", Variant.COVID: "2_pCT"}
_SPLITS = ("train", "val", "test")


def windowed_grey(hu: NDArray[np.int16]) -> NDArray[np.uint8]:
    """HU of any shape as the grey of a picture."""
    low = WINDOW[0] - WINDOW[1] / 2
    return np.rint(np.clip((hu.astype(np.float64) - low) / WINDOW[1], 0, 1) * 255).astype(np.uint8)


def write_cncb(folder: Path, phantoms: Iterable[Phantom]) -> None:
    """Lesion slices as of CNCB-NCOV: JPEG stored in colour, label maps in which the lung leaves the lesions out.

    Raises:
        StorageError: the folder cannot be written.
    """
    for patient, phantom in enumerate(phantoms):
        for index in np.flatnonzero(phantom.infected_slices):
            name = f"{patient}_{index}"
            grey = windowed_grey(phantom.hu[index])
            write_bytes(folder / "imgs" / f"{name}.jpg", _jpeg(np.stack([grey] * 3, axis=2)))
            write_bytes(folder / "masks" / f"{name}.png", png_bytes(phantom.labels[index]))


def write_covid19_ct_seg(folder: Path, phantoms: Sequence[Phantom], slices: int = 4) -> None:
    """Slices with infection as of COVID-19-CT-Seg: up to ten patients, some slices of each.

    Raises:
        StorageError: the folder cannot be written.
    """
    for start, phantom in zip(PATIENT_STARTS, phantoms, strict=False):
        for offset, index in enumerate(np.flatnonzero(phantom.infected_slices)[:slices]):
            name, labels = f"{start + offset:04d}.png", phantom.labels[index]
            write_bytes(folder / "ct" / name, png_bytes(windowed_grey(phantom.hu[index])))
            write_bytes(folder / "lungs" / name, png_bytes(_mask(labels >= LUNG)))
            write_bytes(folder / "covid" / name, png_bytes(_mask(labels >= GROUND_GLASS)))


def write_prefixed(folder: Path, phantoms: Iterable[Phantom]) -> None:
    """`<class>_<patient>_<scan>_<slice>.png`, of infected studies the infected slices alone.

    Raises:
        StorageError: the folder cannot be written.
    """
    for _, name, grey in _classed(phantoms):
        write_bytes(folder / name, png_bytes(grey))


def write_covidx(folder: Path, phantoms: Sequence[Phantom], version: str = "2A") -> None:
    """Pictures and lists as of COVIDx-CT; phantoms go to the three parts in turn.

    Args:
        folder: where to.
        phantoms: one scan each.
        version: "1", "2A" or "3A", for instance.

    Raises:
        StorageError: the folder cannot be written.
    """
    lists: dict[str, list[str]] = {split: [] for split in _SPLITS}
    images = folder / ("images" if version == "1" else f"{version}_images")
    for number, name, grey in _classed(phantoms):
        rows, columns = grey.shape
        write_bytes(images / name, png_bytes(grey))
        line = f"{name} {_NUMBER[phantoms[number].spec.variant]} 2 3 {columns - 2} {rows - 1}"
        lists[_SPLITS[number % len(_SPLITS)]].append(line)
    ending = "COVIDx-CT" if version == "1" else f"COVIDx_CT-{version}"
    for split, lines in lists.items():
        write_bytes(folder / f"{split}_{ending}.txt", "".join(f"{line}\n" for line in lines).encode())


def write_ictcf(folder: Path, phantoms: Iterable[Phantom]) -> None:
    """`0_nCT<number>.jpg`, `2_pCT<number>.jpg` and a list of both; a phantom with common pneumonia is left out.

    Raises:
        StorageError: the folder cannot be written.
    """
    names = []
    for number, name, grey in _classed(phantom for phantom in phantoms if phantom.spec.variant in _ICTCF):
        prefix = _ICTCF[Variant.CONTROL if name.startswith(_PREFIX[Variant.CONTROL]) else Variant.COVID]
        names.append(f"{prefix}{number}{name[-7:-4]}.jpg")
        write_bytes(folder / "images" / names[-1], _jpeg(grey))
    write_bytes(folder / "test.txt", "".join(f"{name}\n" for name in names).encode())


def _classed(phantoms: Iterable[Phantom]) -> Iterator[tuple[int, str, NDArray[np.uint8]]]:
    """Number of the phantom, file name and grey of each slice that has a class of its own."""
    for number, phantom in enumerate(phantoms):
        variant = phantom.spec.variant
        shown = phantom.infected_slices | (variant is Variant.CONTROL)
        for index in np.flatnonzero(shown):
            name = f"{_PREFIX[variant]}_{number}_{1000 + number}_{index:04d}.png"
            yield number, name, windowed_grey(phantom.hu[index])


def _mask(marked: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return marked.astype(np.uint8) * np.uint8(255)


def _jpeg(values: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", quality=95)
    return out.getvalue()


SAMPLES: dict[str, Callable[[Path, Sequence[Phantom]], None]] = {
    "cncb": write_cncb,
    "covid19_ct_seg": write_covid19_ct_seg,
    "covidx": write_covidx,
    "ictcf": write_ictcf,
    "lidc": write_lidc,
    "prefixed": write_prefixed,
    "studies": write_studies,
}
"""By format, what writes a sample of it."""
