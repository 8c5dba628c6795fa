"""Studies as a run reads them: windowed squares on disk, memory-mapped, and what each draw makes of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Event, Progress
from ctviewer.core.volume import Volume
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import air_grey, finish, net_input, normalised, study_order
from ctviewer.training.augment import Pose, StudyDraw, draw_study
from ctviewer.training.engine.arrays import Description, describe, read_array, write_array
from ctviewer.training.preflight.facts import content_of
from ctviewer.training.sampling import Subsequence
from ctviewer.training.source import StudySource

PREPARING = "Preparing studies"
_FORMAT = "squares 1"
_LEVELS = 65535  # of the stored grey: a step is a fiftieth of a Hounsfield unit in a lung window
_LESIONS = 2  # label maps: ground glass, and what follows it
_SLICES_AT_ONCE = 16


class StudyStore:
    """The studies of a run. Each is read from its source once, whatever the number of epochs, draws and processes.

    Args:
        source: of the studies.
        preprocessing: of the net.
        folder: for the prepared squares; what lies there from an earlier run is used where it was made alike.
        contents: SHA-256 of the pixels by study (pre-flight's); a study of other pixels is refused. Studies that it
            does not name are taken as they are.
        device: where slices are turned, cropped and given.
    """

    def __init__(
        self,
        source: StudySource,
        preprocessing: Preprocessing,
        folder: Path,
        contents: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.preprocessing = preprocessing
        self.device = torch.device(device)
        self._source, self._folder, self._contents = source, folder, dict(contents or {})
        self._described: dict[str, Description] = {}
        self._checked: set[str] = set()
        # crop and statistics come later, and do not change the squares
        self._squares = dataclasses.replace(preprocessing, crop=preprocessing.size, mean=(0.0,), std=(1.0,))

    def prepare(self, studies: Iterable[str]) -> Iterator[Event]:
        """Make the squares of studies that have none yet, or damaged ones.

        Yields:
            `Progress`.

        Raises:
            InputError: a study cannot be read, or its pixels are not those that were checked.
            StorageError: the folder cannot be written.
        """
        wanted = tuple(studies)
        for done, study in enumerate(wanted):
            yield Progress(PREPARING, done, len(wanted))
            self._describe(study)
        yield Progress(PREPARING, len(wanted), len(wanted))

    def length(self, study: str) -> int:
        """Slices of a study that could be read."""
        return self._describe(study).shape[0]

    def content(self, study: str) -> str:
        """SHA-256 of the pixels of a study, as `preflight.facts.content_of` reckons it."""
        return str(self._describe(study).info["content"])

    def slice_labels(self, study: str) -> NDArray[np.float32] | None:
        """`[n]`, 1 where a slice shows a lesion, else 0, head to feet; None where the source has no label maps."""
        shown = self._describe(study).info["lesions"]
        return None if shown is None else np.array(shown, np.float32)

    def slices(
        self,
        study: str,
        sequence: Subsequence | None = None,
        pose: Pose | None = None,
        rng: np.random.Generator | None = None,
    ) -> StudySlices:
        """The preprocessed slices of a study, made part by part when they are asked for, and each time alike.

        Args:
            study: its id.
            sequence: which of its slices; None for all.
            pose: ranges of the draw; None for the slices as the model meets them in use.
            rng: of `sampling.draw_generator`, needed with a pose. Subsequences of a draw have the whole study's slices.
        """
        squares, p = self._map(study), self.preprocessing
        every = np.arange(len(squares))
        indices = every if sequence is None else sequence.of(every)
        draw = None
        if pose is not None:
            assert rng is not None, "a pose is drawn with a generator"
            draw = draw_study(pose, rng, len(squares), p.size, p.crop)
        return StudySlices(squares, indices, p, draw, self.device)

    def _describe(self, study: str) -> Description:
        """What is stored of a study; made where it is missing, was made of something else, or was cut short."""
        if study not in self._described:
            path, key = self._path(study), self._key(study)
            described = describe(path, key) or self._make(study, path, key)
            self._described[study] = described
        return self._described[study]

    def _map(self, study: str) -> NDArray[np.uint16]:
        """The squares; their bytes are checked when they are first asked for, and made anew where they are damaged.

        They are mapped for as long as somebody has them: thousands of studies would be too many open files.
        """
        self._describe(study)
        path, key = self._path(study), self._key(study)
        squares = read_array(path, key, checked=study in self._checked)
        if squares is None:
            self._described[study] = self._make(study, path, key)
            squares = read_array(path, key)
        if squares is None:
            raise StorageError(f"{path} reads otherwise than it was written; the disk may be failing.")
        self._checked.add(study)
        return squares

    def _path(self, study: str) -> Path:
        return self._folder / f"{file_name(study)}.squares"

    def _key(self, study: str) -> str:
        p = dataclasses.asdict(self._squares)
        told = json.dumps([_FORMAT, study, self._contents.get(study, ""), p], sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    def _make(self, study: str, path: Path, key: str) -> Description:
        volume, labels = self._source.load(study)
        content, known = content_of(volume).sha256, self._contents.get(study, "")
        if known not in ("", content):
            raise InputError(f"The study {study} is not the one that was checked: its pixels have changed since.")
        order = study_order(volume)
        if not len(order):
            raise InputError(f"The study {study} has no slice that can be read.")
        lesions = None if labels is None else [int((labels[i] >= _LESIONS).any()) for i in order]
        write_array(path, key, self._parts(volume, order), {"content": content, "lesions": lesions})
        described = describe(path, key)
        if described is None:
            raise StorageError(f"{path} reads otherwise than it was written; the disk may be failing.")
        return described

    def _parts(self, volume: Volume, order: NDArray[np.intp]) -> Iterator[NDArray[np.uint16]]:
        for at in range(0, len(order), _SLICES_AT_ONCE):
            with torch.inference_mode():
                grey = net_input(volume, order[at : at + _SLICES_AT_ONCE], self._squares)
            yield np.rint(grey[:, 0].numpy() * _LEVELS).astype(np.uint16)


@dataclass(frozen=True, eq=False)
class StudySlices:
    """Meets `nets.chunks.Slices`.

    Attributes:
        squares: `[n, size, size]` of the whole study.
        indices: which of them, in order.
        preprocessing: of the net.
        draw: None for none.
        device: where parts are made.
    """

    squares: NDArray[np.uint16]
    indices: NDArray[np.intp]
    preprocessing: Preprocessing
    draw: StudyDraw | None
    device: torch.device

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, part: slice, /) -> Tensor:
        """`[m, 1 or 3, crop, crop]` float32."""
        indices, p = self.indices[part], self.preprocessing
        stored = torch.from_numpy(np.asarray(self.squares[indices]))  # indexing by places copies what is mapped
        grey = stored.to(self.device).float().mul_(1.0 / _LEVELS)[:, None]
        if self.draw is None:
            return finish(grey, p)
        return normalised(self.draw.apply(grey, indices, air_grey(p)), p)


def file_name(study: str) -> str:
    """What a study's files are called: an id may be a path, or somebody's name."""
    return hashlib.sha256(study.encode("utf-8", "surrogatepass")).hexdigest()[:24]
