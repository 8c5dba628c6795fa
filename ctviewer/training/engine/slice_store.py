"""Labelled slices as a one-shot run reads them: squares and label maps on disk, memory-mapped, and what a draw makes of them.

In short: `store = SliceStore(source, preprocessing, classes, image_classes, folder, contents, device)`; `store.prepare(ids)`
reads each scan once; `store.slices_of(scan)` says what its slices can teach, without pixels; then
`store.lesion_item(scan, name, pose, rng)` gives `(image [c, S, S], Target)` and `store.image_item(scan, name, pose, rng)`
gives `(image [c, S, S], index of its class)`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Event, Progress
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.placement import Placement, Upright
from ctviewer.models.preprocess import normalised, outside_grey, slice_input
from ctviewer.nets.one_shot.answers import Target
from ctviewer.training.augment import Pose, draw_grid, sample_grey, sample_numbers, vary_grey
from ctviewer.training.engine.arrays import Description, describe, read_array, write_array
from ctviewer.training.engine.studies import file_name
from ctviewer.training.slices.classes import image_numbers, label_table, marked_labels
from ctviewer.training.slices.facts import content_of
from ctviewer.training.slices.targets import Instances, instances, target_of
from ctviewer.training.source import SliceSource

PREPARING = "Preparing slices"
_FORMAT = "slices 3"
_LEVELS = 65535  # of the stored grey, as for studies
_SLICES_AT_ONCE = 16


@dataclass(frozen=True)
class SliceInfo:
    """What is known of a stored slice without its pixels.

    Attributes:
        place: within its scan, from 0.
        name: within its scan.
        image_class: index of the run's image classes; None where nobody said one.
        shown: indices of the run's classes that its label map shows, the background left out.
        origin: SHA-256 of the weights whose accepted output its labels are; "" for a person's own.
        known: indices of the run's classes that its set marks at all; a model's outlines of others cannot be judged by it,
            and are no mistake where it learns.
        reviewed: whether all that its set marks is marked on it.
    """

    place: int
    name: str
    image_class: int | None
    shown: tuple[int, ...]
    origin: str
    known: tuple[int, ...] = ()
    reviewed: bool = False

    @property
    def teaches_lesions(self) -> bool:
        """Whether a lesion step can learn from it: something is marked, or it is known that nothing is there."""
        return bool(self.shown) or (self.reviewed and bool(self.known))


class SliceStore:
    """The slices of a run. Each scan is read from its source once, whatever the number of epochs, draws and processes.

    Args:
        source: of the scans.
        preprocessing: of the net; its crop is its size.
        classes: of the net, the background first; labels of other classes are refused.
        image_classes: in the order of the slice's logits; slices of other classes are refused.
        folder: for what is prepared; what lies there from an earlier run is used where it was made alike.
        contents: SHA-256 by scan (pre-flight's); a scan of other pixels or labels is refused. Scans that it does not name
            are taken as they are.
        device: where slices are turned and given.
    """

    def __init__(
        self,
        source: SliceSource,
        preprocessing: Preprocessing,
        classes: Sequence[str],
        image_classes: Sequence[str],
        folder: Path,
        contents: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.preprocessing, self.device = preprocessing, torch.device(device)
        self.classes, self.image_classes = tuple(classes), tuple(image_classes)
        self._source, self._folder, self._contents = source, folder, dict(contents or {})
        self._described: dict[str, Description] = {}
        self._known: dict[str, dict[str, SliceInfo]] = {}
        self._checked: set[Path] = set()
        # statistics come later, and do not change the squares
        self._squares = dataclasses.replace(
            preprocessing, crop=preprocessing.size, mean=(0.0,), std=(1.0,), per_image=False
        )

    def prepare(self, scans: Iterable[str]) -> Iterator[Event]:
        """Make the squares of scans that have none yet, or damaged ones.

        Yields:
            `Progress`.

        Raises:
            InputError: a scan cannot be read, has a class that the run has not, or is not the one that was checked.
            StorageError: the folder cannot be written.
        """
        wanted = tuple(scans)
        for done, scan in enumerate(wanted):
            yield Progress(PREPARING, done, len(wanted))
            self._describe(scan)
        yield Progress(PREPARING, len(wanted), len(wanted))

    def slices_of(self, scan: str) -> tuple[SliceInfo, ...]:
        """The slices of a scan, in the order of their source."""
        return tuple(self._infos(scan).values())

    def length(self, scan: str) -> int:
        """How many slices a scan has."""
        return self._describe(scan).shape[0]

    def content(self, scan: str) -> str:
        """SHA-256 of the pixels and labels of a scan, as `slices.facts.content_of` reckons it."""
        return str(self._describe(scan).info["content"])

    def spacing(self, scan: str) -> tuple[float, float] | None:
        """Millimetres between rows and columns of the stored squares; None where the source does not know."""
        told = self._describe(scan).info["spacing"]
        return None if told is None else (float(told[0]), float(told[1]))

    def neighbours(self, scan: str) -> bool:
        """Whether slices that follow each other are neighbours in the chest."""
        return bool(self._describe(scan).info["neighbours"])

    def lesion_item(
        self, scan: str, name: str, pose: Pose | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Tensor, Target]:
        """A slice with outlined lesions.

        Args:
            scan: its id.
            name: of the slice within it.
            pose: ranges of the draw; None for the slice as the model meets it in use.
            rng: of `sampling.draw_generator`, needed with a pose.

        Returns:
            `[c, S, S]` float32 on the store's device, and what is to be found on it, turned alike.
        """
        place, info = self._place(scan, name)
        found = instances(self._labels(scan)[place], self.classes)
        image, grid = self._image(scan, place, pose, rng)
        if grid is not None:
            layers = sample_numbers(torch.from_numpy(found.layers), grid.cpu())
            found = Instances(layers.numpy(), found.values)
        return image, target_of(found, info.reviewed, self._unmarked(info)).to(self.device)

    def image(self, scan: str, name: str) -> Tensor:
        """A slice as the model meets it in use: `[c, S, S]` float32 on the store's device."""
        return self._image(scan, self._place(scan, name)[0], None, None)[0]

    def image_item(
        self, scan: str, name: str, pose: Pose | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Tensor, int]:
        """A slice with a class.

        Args:
            scan: its id.
            name: of the slice within it.
            pose: as for `lesion_item`.
            rng: the same.

        Returns:
            `[c, S, S]` float32 on the store's device, and the index of its class.

        Raises:
            InputError: the slice has no class.
        """
        place, info = self._place(scan, name)
        if info.image_class is None:
            raise InputError(f"A slice of {scan} that has no class was to be learned from.")
        return self._image(scan, place, pose, rng)[0], info.image_class

    def truth(self, scan: str, name: str) -> NDArray[np.uint8]:
        """The label map of a slice, `[S, S]` indices of the run's classes, small components included (`targets.region`)."""
        return np.array(self._labels(scan)[self._place(scan, name)[0]])

    def _image(
        self, scan: str, place: int, pose: Pose | None, rng: np.random.Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """The slice, and the grid it was turned by."""
        p = self.preprocessing
        stored = torch.from_numpy(np.array(self._map(scan, "squares")[place]))
        grey = stored.to(self.device).float().mul_(1.0 / _LEVELS)[None, None]
        if pose is None:
            return normalised(grey, p)[0], None
        assert rng is not None, "a pose is drawn with a generator"
        grid = draw_grid(pose, rng, 1, p.size, p.size).to(self.device)
        around = outside_grey(HU, p) if self._describe(scan).info["unit"] == HU else _edge(grey)
        turned = sample_grey(grey, grid, around)
        # drawn where it was always drawn, so that a slice looks the same on each device
        varied = vary_grey(turned.cpu(), pose, rng, together=False).to(self.device)
        return normalised(varied, p)[0], grid

    def _place(self, scan: str, name: str) -> tuple[int, SliceInfo]:
        found = self._infos(scan)
        if name not in found:
            raise InputError(f"The scan {scan} has no slice {name}.")
        return found[name].place, found[name]

    def _infos(self, scan: str) -> dict[str, SliceInfo]:
        if scan not in self._known:
            info = self._describe(scan).info
            known = tuple(info["known"])
            self._known[scan] = {
                name: SliceInfo(place, name, number, tuple(shown), origin, known, reviewed)
                for place, (name, number, shown, origin, reviewed) in enumerate(info["slices"])
            }
        return self._known[scan]

    def _unmarked(self, info: SliceInfo) -> tuple[int, ...]:
        """Of the run's classes those that are not marked on a slice even where all that its set marks is."""
        return tuple(value for value in range(1, len(self.classes)) if value not in info.known)

    def _labels(self, scan: str) -> NDArray[np.uint8]:
        """`[n, S, S]`, all background where nothing is marked."""
        if not self._describe(scan).info["marked"]:
            size = self.preprocessing.size
            return np.broadcast_to(np.zeros((), np.uint8), (self.length(scan), size, size))
        return self._map(scan, "labels")

    def _describe(self, scan: str) -> Description:
        """What is stored of a scan; made where it is missing, was made of something else, or was cut short."""
        if scan not in self._described:
            key = self._key(scan)
            described = describe(self._path(scan, "squares"), key)
            if described is None or (described.info["marked"] and describe(self._path(scan, "labels"), key) is None):
                described = self._make(scan)
            self._described[scan] = described
        return self._described[scan]

    def _map(self, scan: str, what: str) -> NDArray[Any]:
        """An array of a scan; its bytes are checked when first asked for, and made anew where they are damaged.

        It is mapped for as long as somebody has it: thousands of scans would be too many open files.
        """
        self._describe(scan)
        path, key = self._path(scan, what), self._key(scan)
        values = read_array(path, key, checked=path in self._checked)
        if values is None:
            self._described[scan] = self._make(scan)
            values = read_array(path, key)
        if values is None:
            raise StorageError(f"{path} reads otherwise than it was written; the disk may be failing.")
        self._checked.add(path)
        return values

    def _path(self, scan: str, what: str) -> Path:
        return self._folder / f"{file_name(scan)}.{what}"

    def _key(self, scan: str) -> str:
        p = dataclasses.asdict(self._squares)
        told = [_FORMAT, scan, self._contents.get(scan, ""), p, self.classes, self.image_classes]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()

    def _make(self, scan: str) -> Description:
        slices = self._source.load_slices(scan)
        content, known = content_of(slices).sha256, self._contents.get(scan, "")
        if known not in ("", content):
            raise InputError(
                f"The scan {scan} is not the one that was checked: its pixels or labels have changed since."
            )
        if not len(slices.names):
            raise InputError(f"The scan {scan} has no slice that can be read.")
        key, path = self._key(scan), self._path(scan, "squares")
        maps = _maps(slices, self.classes, self.preprocessing.size, scan)
        info = {
            "content": content,
            "unit": slices.unit,
            "marked": maps is not None,
            "known": _marked(slices, self.classes),
            "neighbours": slices.neighbours,
            "spacing": _scaled(slices, self.preprocessing.size),
            "slices": self._told(slices, maps, scan),
        }
        if maps is not None:
            write_array(self._path(scan, "labels"), key, [maps], {})
        write_array(path, key, self._parts(slices), info)
        described = describe(path, key)
        if described is None:
            raise StorageError(f"{path} reads otherwise than it was written; the disk may be failing.")
        return described

    def _told(
        self, slices: LabelledSlices, maps: NDArray[np.uint8] | None, scan: str
    ) -> list[tuple[str, int | None, list[int], str, bool]]:
        """`SliceInfo` as plain values."""
        numbers = image_numbers(slices.image_classes, self.image_classes, scan)
        return [
            (
                name,
                numbers[i],
                [] if maps is None else [int(value) for value in np.unique(maps[i]) if value],
                slices.origins[i],
                maps is not None and bool(slices.complete[i]),
            )
            for i, name in enumerate(slices.names)
        ]

    def _parts(self, slices: LabelledSlices) -> Iterator[NDArray[np.uint16]]:
        for at in range(0, len(slices.names), _SLICES_AT_ONCE):
            with torch.inference_mode():
                grey = slice_input(slices.pixels[at : at + _SLICES_AT_ONCE], slices.unit, self._squares)
            yield np.rint(grey[:, 0].numpy() * _LEVELS).astype(np.uint16)


def _edge(grey: Tensor) -> float:
    """What surrounds a picture `[1, 1, S, S]` of an unknown window, where it is turned: what its edge mostly shows."""
    edge = torch.cat([grey[0, 0, 0], grey[0, 0, -1], grey[0, 0, :, 0], grey[0, 0, :, -1]])
    return float(edge.median())


def _maps(slices: LabelledSlices, classes: Sequence[str], size: int, scan: str) -> NDArray[np.uint8] | None:
    """Label maps at the net's size, in the run's classes."""
    if slices.labels is None:
        return None
    rows, columns = slices.labels.shape[1:]
    placement = Placement(rows, columns, Upright(False, False, False), size)
    table = label_table(slices, classes, scan)
    return np.stack([placement.labels(table[one]) for one in slices.labels])


def _marked(slices: LabelledSlices, classes: Sequence[str]) -> list[int]:
    """Indices of the run's classes that a set marks."""
    marked = marked_labels(slices)
    return [value for value, name in enumerate(classes) if name in marked]


def _scaled(slices: LabelledSlices, size: int) -> list[float] | None:
    """Spacing of the squares: the longer side of a slice fills them."""
    if slices.spacing is None:
        return None
    factor = max(slices.pixels.shape[1:]) / size
    return [slices.spacing[0] * factor, slices.spacing[1] * factor]
