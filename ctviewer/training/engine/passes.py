"""How sequences pass a net: to learn from, in chunks or from cached features, and to be judged."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ctviewer.nets.aggregators import StudyOutput
from ctviewer.nets.chunks import Slices, accumulate_gradients
from ctviewer.nets.losses import attention_loss, attention_targets
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.engine.batches import dropout_seed
from ctviewer.training.engine.features import Draws, FeatureCache
from ctviewer.training.engine.learner import Place
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.studies import StudyStore
from ctviewer.training.engine.task import Task
from ctviewer.training.sampling import Subsequence

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
_MOST_ROWS = 4096  # slices, padding included, of studies that pass the aggregator together


@dataclass(frozen=True)
class Passes:
    """A net and what its slices come from.

    Attributes:
        net: on its device.
        task: what it is to tell.
        store: of the studies.
        cache: of features, where nothing of the encoder is trainable; else None.
        draws: of augmentation.
        precision: of the encoder.
        chunk: slices that pass the encoder at once.
        supervision: weight of the attention loss where slices are labelled.
        kept: chunks of a study whose activations are kept for the way back (`room.kept_chunks`); it changes time alone.
    """

    net: StudyClassifier
    task: Task
    store: StudyStore
    cache: FeatureCache | None
    draws: Draws
    precision: str
    chunk: int
    supervision: float = 0.0
    kept: int = 1

    def learn(
        self, batch: Sequence[Subsequence], place: Place, scale: float, world: World
    ) -> Generator[int, None, float]:
        """Add this process's part of the gradients of a step's mean loss, times `scale`, to what the net has.

        Yields:
            Slices that have just passed the encoder, or were taken from the cache.

        Returns:
            This process's part of the mean loss, not scaled.
        """
        mine = world.share(range(len(batch)))
        if self.cache is not None:
            parts: list[float] = yield from self._from_features(batch, mine, place, scale)
        else:
            parts = yield from self._from_slices(batch, mine, place, scale)
        return sum(parts) / scale

    def judge(self, study: str) -> Generator[int, None, StudyOutput]:
        """What the net says of a whole study, not augmented; without gradients, in the mode that the net is in."""
        if self.cache is not None:
            features = yield from self.cache.computing(study)
        else:
            slices = self.store.slices(study)
            encoded: list[Tensor] = []
            for at in range(0, len(slices), self.chunk):
                encoded.append(self._encode(slices[at : at + self.chunk]))
                yield len(encoded[-1])
            features = torch.cat(encoded)
        with torch.no_grad():
            return self.net.aggregate(features[None].to(self._device))

    def _from_slices(
        self, batch: Sequence[Subsequence], mine: Sequence[int], place: Place, scale: float
    ) -> Generator[int, None, list[float]]:
        def studies() -> Iterator[Slices]:
            for position in mine:
                _seed(place, position)
                one, draw = batch[position], self.draws.of(place.epoch)
                rng = None if draw is None else self.draws.generator(one.study, draw)
                yield self.store.slices(one.study, one, self.draws.pose, rng)

        def loss(out: StudyOutput, index: int) -> Tensor:
            return self._losses(out, [batch[mine[index]]])[0] * (scale / len(batch))

        return (
            yield from accumulate_gradients(
                self.net, studies(), loss, chunk=self.chunk, kept=self.kept, precision=PRECISIONS[self.precision]
            )
        )

    def _from_features(
        self, batch: Sequence[Subsequence], mine: Sequence[int], place: Place, scale: float
    ) -> Generator[int, None, list[float]]:
        """Studies of about one length pass the aggregator together: its recurrence is then not paid for one by one."""
        assert self.cache is not None  # the caller looked
        draw = self.draws.of(place.epoch)
        rows: dict[int, Tensor] = {}
        for position in mine:
            one = batch[position]
            features = yield from self.cache.computing(one.study, draw)
            rows[position] = features[one.start :: one.step]
        losses: dict[int, float] = {}
        for group in _groups({position: len(found) for position, found in rows.items()}):
            _seed(place, group[0])
            lengths = torch.tensor([len(rows[i]) for i in group])
            padded = torch.nn.utils.rnn.pad_sequence([rows[i] for i in group], batch_first=True).to(self._device)
            found = self._losses(self.net.aggregate(padded, lengths), [batch[i] for i in group]) * (scale / len(batch))
            found.sum().backward()  # type: ignore[no-untyped-call]  # torch's stub
            losses.update(zip(group, found.detach().tolist(), strict=True))
            yield int(lengths.sum())
        return [losses[i] for i in mine]

    def _losses(self, out: StudyOutput, sequences: Sequence[Subsequence]) -> Tensor:
        """Loss of each sequence, `[b]`."""
        losses = self.task.losses(out.logits, [one.study for one in sequences])
        if self.supervision == 0.0 or out.attention is None:
            return losses
        return losses + self.supervision * torch.stack(
            [self._attention_loss(row[None, :], one) for row, one in zip(out.attention, sequences, strict=True)]
        )

    def _attention_loss(self, attention: Tensor, one: Subsequence) -> Tensor:
        """Of one study, `[1, n]` with padding; 0 where nobody labelled its slices."""
        labels = self.store.slice_labels(one.study)
        if labels is None:
            return attention.new_zeros(())
        shown = torch.from_numpy(labels[one.start :: one.step].copy())[None]
        targets = attention_targets(shown, torch.tensor([shown.shape[1]])).to(attention.device)
        return attention_loss(attention[:, : shown.shape[1]], targets)

    def _encode(self, images: Tensor) -> Tensor:
        dtype = PRECISIONS[self.precision]
        with torch.no_grad(), torch.autocast(self._device.type, dtype or torch.bfloat16, enabled=dtype is not None):
            return self.net.encode(images.to(self._device, non_blocking=True)).float()

    @property
    def _device(self) -> torch.device:
        return next(self.net.parameters()).device


def _seed(place: Place, position: int) -> None:
    torch.manual_seed(dropout_seed(place.seed, place.fold, place.epoch, place.step, position))


def _groups(lengths: dict[int, int]) -> Iterator[list[int]]:
    """Positions of sequences that are padded to one length, shortest first; a very long one is alone."""
    group: list[int] = []
    for position in sorted(lengths, key=lambda i: (lengths[i], i)):
        if group and lengths[position] * (len(group) + 1) > _MOST_ROWS:
            yield group
            group = []
        group.append(position)
    if group:
        yield group
