"""Scans whose slices are single pictures: what the public sets have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError
from ctviewer.core.slices import BACKGROUND, GREY, HU, LabelledSlices
from ctviewer.datasets.pictures import read_image
from ctviewer.datasets.stating import Statement

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PictureSlice:
    """One slice.

    Attributes:
        name: stable within its scan.
        image: its picture.
        image_class: what it shows; "" where nobody said it.
        masks: pictures of its label map: one, or one for each class; empty where no lesions are marked.
        box: x1, y1, x2, y2 in pixels that must lie inside the picture; None where nothing is said.
    """

    name: str
    image: Path
    image_class: str = ""
    masks: tuple[Path, ...] = ()
    box: Box | None = None


@dataclass(frozen=True)
class PictureScan:
    """One scan.

    Attributes:
        scan: identifies it in its set.
        patient: whose it is.
        slices: in order.
        split: as of `SliceSource.split`.
        neighbours: whether slices that follow each other are neighbours in the chest.
    """

    scan: str
    patient: str
    slices: tuple[PictureSlice, ...]
    split: str = ""
    neighbours: bool = False


Labeller = Callable[[PictureSlice], NDArray[np.uint8]]


class PictureSource:
    """Scans of pictures; meets the training layer's `SliceSource` protocol by structure.

    Pictures are taken as upright: the front on top, the patient's left on the right side, as they are published.

    Args:
        scans: what there is, each scan once.
        stated: what the values of the pictures mean: without a statement they are grey, black to white.
        label_classes: what label maps hold; the background alone for a set without any.
        labeller: reads the label map of a slice; None for a set without any.
        complete: whether all lesions of a slice with a label map are marked.
        patients_known: whether the set says which slices are of one patient.
    """

    def __init__(
        self,
        scans: Iterable[PictureScan],
        stated: Statement,
        *,
        label_classes: tuple[str, ...] = (BACKGROUND,),
        labeller: Labeller | None = None,
        complete: bool = False,
        patients_known: bool = True,
    ) -> None:
        self._scans = {scan.scan: scan for scan in scans}
        self._stated = stated
        self._label_classes, self._labeller, self._complete = label_classes, labeller, complete
        self.patients_known = patients_known

    def ids(self) -> tuple[str, ...]:
        """Identifiers of the scans."""
        return tuple(self._scans)

    def patient(self, scan: str) -> str:
        """Whose scan it is."""
        return self._scans[scan].patient

    def classes(self, scan: str) -> tuple[str, ...]:
        """Image classes of its slices, sorted; empty where only lesions are marked."""
        return tuple(sorted({one.image_class for one in self._scans[scan].slices} - {""}))

    def split(self, scan: str) -> str:
        """The part that the set gives the scan; "" where it gives none."""
        return self._scans[scan].split

    def slice_count(self, scan: str) -> int:
        """How many slices `load_slices` gives."""
        return len(self._scans[scan].slices)

    def paths(self, scan: str) -> tuple[Path, ...]:
        """Files of the scan: pictures and label maps."""
        return tuple(path for one in self._scans[scan].slices for path in (one.image, *one.masks))

    def load_slices(self, scan: str) -> LabelledSlices:
        """The labelled slices of a scan.

        Raises:
            InputError: a file cannot be read or does not fit the others; the text names it.
        """
        slices = self._scans[scan].slices
        pixels, unit = self._pixels(slices)
        labels = None
        if self._labeller is not None:
            labels = np.stack([_fitting(self._labeller(one), one, pixels.shape[1:]) for one in slices])
        return LabelledSlices(
            names=tuple(one.name for one in slices),
            pixels=pixels,
            unit=unit,
            spacing=self._stated.meaning.pixel_spacing,
            labels=labels,
            label_classes=self._label_classes,
            complete=np.full(len(slices), labels is not None and self._complete),
            image_classes=tuple(one.image_class for one in slices),
            neighbours=self._scans[scan].neighbours,
        )

    def _pixels(self, slices: Sequence[PictureSlice]) -> tuple[NDArray[np.float32], str]:
        """All pictures `[n, rows, columns]` and their unit."""
        first = read_image(slices[0].image)
        out = np.empty((len(slices), *first.shape), np.float32)
        for index, one in enumerate(slices):
            image = first if index == 0 else read_image(one.image)
            if image.shape != first.shape:
                raise InputError(
                    f"{one.image} is {_size(image)}, and {slices[0].image.name} of the same scan {_size(first)}."
                )
            _require_inside(one, image)
            out[index] = self._meant(image, one.image)
        return out, HU if self._stated.meaning.unit == "HU" else GREY

    def _meant(self, image: NDArray[Any], path: Path) -> NDArray[np.float32]:
        """The values of a picture as Hounsfield units, or 0..1."""
        meaning, white = self._stated.meaning, self._stated.white
        if meaning.unit != "HU":
            return image * np.float32(1.0 / np.iinfo(image.dtype).max)
        if white is not None and int(image.max()) > white:
            raise InputError(
                f"{path} holds the value {int(image.max())}, and its window is stated for values up to {white:g}: state "
                "what white is, window=CENTRE/WIDTH/65535 for instance."
            )
        return image * np.float32(meaning.slope) + np.float32(meaning.intercept)


def _fitting(labels: NDArray[np.uint8], one: PictureSlice, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if labels.shape != shape:
        raise InputError(f"{one.masks[0]} is {_size(labels)}, and its picture {shape[0]} x {shape[1]} pixels.")
    return labels


def _require_inside(one: PictureSlice, image: NDArray[Any]) -> None:
    if one.box is not None and (one.box[2] > image.shape[1] or one.box[3] > image.shape[0]):
        raise InputError(
            f"{one.image} is {_size(image)}, and the list gives it a box up to {one.box[2]}, {one.box[3]}."
        )


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[0]} x {image.shape[1]} pixels"
