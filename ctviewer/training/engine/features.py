"""Features of a wholly frozen encoder: computed once per study and draw, kept on disk, and the same as without keeping."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.augment import Pose
from ctviewer.training.engine.arrays import read_array, write_array
from ctviewer.training.engine.studies import StudyStore, file_name
from ctviewer.training.sampling import draw_generator

_FORMAT = "features 1"


@dataclass(frozen=True)
class Draws:
    """How studies are varied.

    Attributes:
        pose: ranges; None: studies are never varied.
        seed: of the run.
        count: K: a draw is a function of seed, study and epoch modulo K.
    """

    pose: Pose | None = None
    seed: int = 0
    count: int = 1

    def of(self, epoch: int) -> int | None:
        """The draw of an epoch; None where studies are never varied."""
        return None if self.pose is None else epoch % self.count

    def generator(self, study: str, draw: int) -> np.random.Generator:
        """The random numbers of one draw of one study."""
        return draw_generator(self.seed, study, draw, self.count)


class FeatureCache:
    """Features `[n, D]` of whole studies; those of a subsequence are rows of them.

    Kept or not, they come from the same function over the same chunks of the whole study, bit for bit.

    Args:
        folder: where they are kept.
        store: of the studies.
        net: on its device, its encoder wholly frozen. Its weights are part of what features are known by, and must not
            change any more.
        draws: of the run.
        precision: of the encoder: "float32", "bfloat16" or "float16".
        chunk: slices that pass the encoder at once.
        enabled: False computes them each time and keeps nothing.

    Raises:
        ValueError: something of the encoder is trainable.
    """

    def __init__(
        self,
        folder: Path,
        store: StudyStore,
        net: StudyClassifier,
        draws: Draws = Draws(),
        *,
        precision: str = "float32",
        chunk: int = 16,
        enabled: bool = True,
    ) -> None:
        if any(p.requires_grad for p in net.encoder.parameters()):
            raise ValueError("features are cached of an encoder that is wholly frozen")
        self.draws = draws
        self._folder, self._store, self._net, self._enabled = folder, store, net, enabled
        self._precision, self._chunk = precision, chunk
        self._device = next(net.parameters()).device
        self._encoder = encoder_sha256(net)

    def features(self, study: str, draw: int | None = None) -> Tensor:
        """All features of a study; see `computing`."""
        work = self.computing(study, draw)
        while True:
            try:
                next(work)
            except StopIteration as end:
                features: Tensor = end.value
                return features

    def computing(self, study: str, draw: int | None = None) -> Generator[int, None, Tensor]:
        """The features of a study, chunk by chunk where they are not kept yet.

        Args:
            study: its id.
            draw: of `Draws.of`; None for the study as the model meets it in use.

        Yields:
            Number of slices that have just passed the encoder. Whoever stops there has kept nothing.

        Returns:
            `[n, D]` float32 on the CPU, slices head to feet.

        Raises:
            InputError: the study cannot be read.
            StorageError: the folder cannot be written.
        """
        if not self._enabled:
            return (yield from self._computed(study, draw))
        path = self._folder / f"{file_name(study)}-{'plain' if draw is None else draw}.features"
        key = self._key(study, draw)
        stored = read_array(path, key)
        if stored is not None:
            return torch.from_numpy(np.array(stored))
        features = yield from self._computed(study, draw)
        write_array(path, key, [features.numpy()], {})
        return features

    def _computed(self, study: str, draw: int | None) -> Generator[int, None, Tensor]:
        pose, rng = self.draws.pose, None if draw is None else self.draws.generator(study, draw)
        slices = self._store.slices(study, None, None if rng is None else pose, rng)
        parts: list[Tensor] = []
        for at in range(0, len(slices), self._chunk):
            parts.append(self._encoded(slices[at : at + self._chunk]))
            yield len(parts[-1])
        return torch.cat(parts)

    def _encoded(self, images: Tensor) -> Tensor:
        dtype: torch.dtype = getattr(torch, self._precision)
        reduced = torch.autocast(self._device.type, dtype, enabled=dtype != torch.float32)
        with torch.no_grad(), reduced:  # not inference mode: the aggregator learns on these
            return self._net.encode(images.to(self._device)).float().cpu()

    def _key(self, study: str, draw: int | None) -> str:
        varied = None if draw is None or self.draws.pose is None else dataclasses.asdict(self.draws.pose)
        told = [
            _FORMAT, study, self._store.content(study), dataclasses.asdict(self._store.preprocessing), self._encoder,
            varied, None if varied is None else [self.draws.seed, draw],
            self._precision, self._chunk, self._device.type, torch.__version__,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def encoder_sha256(net: StudyClassifier) -> str:
    """SHA-256 over the names, types and values of an encoder's weights and buffers, and over the code path they take."""
    total = hashlib.sha256(repr(net.encoder).encode())
    for name, tensor in sorted(net.encoder.state_dict().items()):
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
