"""The sets of a one-shot run as one source: slices with outlined lesions beside slices with an image class.

An id is `lesions/0/SCAN` or `images/2/SCAN`: what the set is for, its number among those, and the scan's id there. To splits,
plans and pre-flight it looks like a `LabelledSource`, so that a one-shot run goes through the same engine as any other.
Needs no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.slices import BACKGROUND, LabelledSlices
from ctviewer.training.source import SliceSource
from ctviewer.training.splits import TRAIN_ONLY

LESIONS, IMAGES = "lesions", "images"
KINDS = (LESIONS, IMAGES)


@dataclass(frozen=True)
class Part:
    """One set.

    Attributes:
        source: of its scans.
        own_patients: whether its patients are other people than those of equal name in other sets.
    """

    source: SliceSource
    own_patients: bool = False


def kind_of(scan: str) -> str:
    """What a scan of the joined source is for: `LESIONS` or `IMAGES`."""
    return scan.partition("/")[0]


class TwoSources:
    """Meets `SliceSource`, and what splits and plans ask of a `LabelledSource`.

    A patient of one name is one person in all sets but those that say otherwise, so that lesions and images of a person
    are in one part. Scans of an image set none of whose slices has a class are left out. Of a scan there is only what its
    kind is for: of lesion scans the slices that are outlined or known to be without a finding, of image scans those that
    have a class.

    Args:
        lesions: sets of slices with outlined lesions.
        images: sets of slices with an image class.
        merge: what classes of the sets are learned as, by their name there, lesion and image classes alike; "" for a
            lesion class that counts as background, and for an image class whose slices are not learned from.
        train_only: scans that must never judge, whatever their set says: their labels are accepted output of a model.
    """

    def __init__(
        self,
        lesions: Sequence[Part],
        images: Sequence[Part] = (),
        merge: Mapping[str, str] | None = None,
        train_only: Iterable[str] = (),
    ) -> None:
        self._merge, self._train_only = dict(merge or {}), frozenset(train_only)
        self._parts = {LESIONS: tuple(lesions), IMAGES: tuple(images)}
        self._places: dict[str, tuple[Part, str]] = {}
        self.unclassed = 0  # scans of image sets that are left out
        for kind, number, part in self._numbered():
            for scan in part.source.ids():
                if kind == IMAGES and not self._renamed(part.source.classes(scan)):
                    self.unclassed += 1
                    continue
                self._places[f"{kind}/{number}/{scan}"] = (part, scan)

    def ids(self) -> tuple[str, ...]:
        """All scans: lesion sets first, each in the order of its set."""
        return tuple(self._places)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The scans of all sets of a kind."""
        return tuple(scan for scan in self._places if kind_of(scan) == kind)

    def patient(self, scan: str) -> str:
        """Whose scan it is."""
        part, inside = self._places[scan]
        name = part.source.patient(inside)
        return f"{scan[: -len(inside)]}{name}" if part.own_patients else name

    def classes(self, scan: str) -> tuple[str, ...]:
        """Image classes of an image scan; of a lesion scan `("lesions",)`, so that splitting shares these out evenly too."""
        part, inside = self._places[scan]
        return (LESIONS,) if kind_of(scan) == LESIONS else self._renamed(part.source.classes(inside))

    def label(self, scan: str) -> str:
        """Its classes, joined by "|"."""
        return "|".join(self.classes(scan))

    def split(self, scan: str) -> str:
        """As `LabelledSource.split`."""
        if scan in self._train_only:
            return TRAIN_ONLY
        part, inside = self._places[scan]
        return part.source.split(inside)

    def load_slices(self, scan: str) -> LabelledSlices:
        """The slices of a scan that teach what it is for, their classes under the names that they are learned as; may be none.

        Raises:
            InputError: they cannot be read; the text names the file and the reason.
        """
        part, inside = self._places[scan]
        slices = renamed(part.source.load_slices(inside), self._merge)
        return _of_lesions(slices) if kind_of(scan) == LESIONS else _of_images(slices)

    def paths(self, scan: str) -> tuple[Path, ...]:
        """Files and folders that hold a scan, as far as its source says; empty where it does not."""
        part, inside = self._places[scan]
        find = getattr(part.source, "paths", None)
        return () if find is None else tuple(find(inside))

    def patients_unknown(self) -> tuple[str, ...]:
        """Sets, as the configuration numbers them, that do not say which slices are of one patient."""
        return tuple(
            f"{kind}[{number + 1}]"
            for kind, number, part in self._numbered()
            if not getattr(part.source, "patients_known", True)
        )

    def _numbered(self) -> list[tuple[str, int, Part]]:
        return [(kind, number, part) for kind in KINDS for number, part in enumerate(self._parts[kind])]

    def _renamed(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Each class as it is learned, once; those that are not learned left out."""
        return tuple(dict.fromkeys(filter(None, (self._merge.get(name, name) for name in classes))))


def _of_lesions(slices: LabelledSlices) -> LabelledSlices:
    """Slices that are outlined or complete, without classes of slices."""
    if slices.labels is None:
        return _chosen(slices, np.zeros(len(slices.names), bool))
    kept = _chosen(slices, slices.complete | slices.labels.any(axis=(1, 2)))
    return dataclasses.replace(kept, image_classes=())


def _of_images(slices: LabelledSlices) -> LabelledSlices:
    """Slices that have a class, without outlines."""
    kept = _chosen(slices, np.array([bool(name) for name in slices.image_classes], bool))
    return dataclasses.replace(kept, labels=None, label_classes=(BACKGROUND,), complete=np.zeros(0, bool))


def _chosen(slices: LabelledSlices, wanted: NDArray[np.bool_]) -> LabelledSlices:
    if wanted.all():
        return slices
    places = np.flatnonzero(wanted)
    gap = len(places) > 0 and int(places[-1] - places[0]) >= len(places)
    return dataclasses.replace(
        slices,
        neighbours=slices.neighbours and not gap,
        names=tuple(slices.names[i] for i in places),
        pixels=slices.pixels[places],
        labels=None if slices.labels is None else slices.labels[places],
        complete=slices.complete[places],
        image_classes=tuple(slices.image_classes[i] for i in places),
        origins=tuple(slices.origins[i] for i in places),
    )


def renamed(slices: LabelledSlices, merge: Mapping[str, str]) -> LabelledSlices:
    """Slices whose classes have other names; classes of one name become one.

    Args:
        slices: of a scan.
        merge: as for `TwoSources`.
    """
    wanted = [BACKGROUND, *((merge.get(name, name) or BACKGROUND) for name in slices.label_classes[1:])]
    classes = tuple(dict.fromkeys(wanted))
    images = tuple(merge.get(name, name) for name in slices.image_classes)
    if classes == slices.label_classes and images == slices.image_classes:
        return slices
    table = np.array([classes.index(name) for name in wanted], np.uint8)
    labels = None if slices.labels is None else table[slices.labels]
    return dataclasses.replace(slices, labels=labels, label_classes=classes, image_classes=images)
