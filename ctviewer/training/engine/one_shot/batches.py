"""Which slices each step of a one-shot run learns from: pure functions of seed, fold, epoch and step.

An epoch is one pass over the slices that have a class, with a random slice with outlined lesions for each of them; where
there is only one kind, it is one pass over those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ctviewer.training.engine.slice_store import SliceInfo
from ctviewer.training.recipes import Recipe
from ctviewer.training.sampling import inverse_frequency

SUM = "sum"
_IMAGES, _LESIONS, _SUBSET = 11, 12, 13  # tell the kinds of draws apart


@dataclass(frozen=True)
class SliceRef:
    """A slice of the run's store.

    Attributes:
        scan: its id.
        name: of the slice within it.
    """

    scan: str
    name: str


@dataclass(frozen=True)
class Drawn:
    """A slice that a step takes.

    Attributes:
        ref: which.
        turn: how often all of its kind had been gone through before; its augmentation depends on it.
    """

    ref: SliceRef
    turn: int


@dataclass(frozen=True)
class SliceBatch:
    """What a step learns from: one kind of slices, or both where their losses are summed.

    Attributes:
        lesions: slices with outlined lesions.
        images: slices with a class.
    """

    lesions: tuple[Drawn, ...] = ()
    images: tuple[Drawn, ...] = ()


@dataclass
class SliceBatches:
    """Meets `learner.Steps`.

    Attributes:
        lesions, images: what the fold learns from, at least one slice.
        weights: `[images]`, to be drawn by with replacement; None to take each once.
        size: slices of a kind in a step; the last step of an epoch may have fewer.
        together: whether a step has both kinds; else they take turns, lesions first.
        seed: of the run.
        fold: of the cross-validation.
    """

    lesions: Sequence[SliceRef]
    images: Sequence[SliceRef]
    weights: NDArray[np.float64] | None
    size: int
    together: bool
    seed: int
    fold: int
    _orders: dict[int, tuple[int, NDArray[np.intp]]] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return self._rounds * (2 if self.alternates else 1)

    def taken(self, steps: int) -> int:
        """A checkpoint counts in steps."""
        return steps

    def steps_of(self, taken: int) -> int:
        """The same."""
        return taken

    def step(self, epoch: int, number: int) -> SliceBatch:
        """The slices of a step, both counted from 0."""
        if not self.alternates:
            lesions = self._lesions_of(epoch, number) if self.lesions else ()
            return SliceBatch(lesions, self._images_of(epoch, number) if self.images else ())
        turn, images = divmod(number, 2)
        if images:
            return SliceBatch(images=self._images_of(epoch, turn))
        return SliceBatch(lesions=self._lesions_of(epoch, turn))

    @property
    def alternates(self) -> bool:
        """Whether the two kinds take turns."""
        return bool(self.lesions and self.images) and not self.together

    @property
    def _length(self) -> int:
        """Slices of each kind in an epoch."""
        return len(self.images or self.lesions)

    @property
    def _rounds(self) -> int:
        return -(-self._length // self.size)

    def _places(self, turn: int) -> range:
        """Of a turn's slices within the epoch."""
        return range(turn * self.size, min((turn + 1) * self.size, self._length))

    def _images_of(self, epoch: int, turn: int) -> tuple[Drawn, ...]:
        order = self._order(_IMAGES, epoch, len(self.images), self.weights)
        return tuple(Drawn(self.images[order[place]], epoch) for place in self._places(turn))

    def _lesions_of(self, epoch: int, turn: int) -> tuple[Drawn, ...]:
        """They go on from epoch to epoch: all come equally often, however many there are of the other kind."""
        found = []
        for place in self._places(turn):
            gone, left = divmod(epoch * self._length + place, len(self.lesions))
            order = self._order(_LESIONS, gone, len(self.lesions), None)
            found.append(Drawn(self.lesions[order[left]], gone))
        return tuple(found)

    def _order(self, kind: int, turn: int, count: int, weights: NDArray[np.float64] | None) -> NDArray[np.intp]:
        """An order of a kind; the newest of each is remembered."""
        known = self._orders.get(kind)
        if known is None or known[0] != turn:
            rng = np.random.default_rng([kind, self.seed, self.fold, turn])
            order = rng.permutation(count) if weights is None else rng.choice(count, count, p=weights)
            known = self._orders[kind] = (turn, np.asarray(order))
        return known[1]


def make_slice_batches(
    lesions: Iterable[tuple[str, SliceInfo]],
    images: Iterable[tuple[str, SliceInfo]],
    recipe: Recipe,
    seed: int,
    fold: int,
) -> SliceBatches:
    """The steps of a fold.

    Args:
        lesions: scan and slice of all slices in lesion sets that a fold may learn from; those that teach nothing of
            lesions are left out.
        images: of all slices in image sets; those without a class are left out.
        recipe: its batch, losses, sampling and number of slices per class.
        seed: of the run.
        fold: of the cross-validation.
    """
    marked = [SliceRef(scan, one.name) for scan, one in lesions if one.teaches_lesions]
    classed = [(SliceRef(scan, one.name), one.image_class) for scan, one in images if one.image_class is not None]
    if recipe.per_class > 0:
        kept = _subset([number for _, number in classed], recipe.per_class, seed)
        classed = [classed[i] for i in kept]
    weights = None
    if recipe.sampling == "inverse_frequency" and classed:
        weights = inverse_frequency([(str(number),) for _, number in classed])
    refs = tuple(ref for ref, _ in classed)
    return SliceBatches(tuple(marked), refs, weights, recipe.batch, recipe.losses == SUM, seed, fold)


def _subset(numbers: Sequence[int], most: int, seed: int) -> list[int]:
    """Places of at most so many slices of each class, drawn by the seed alone, in their order."""
    found: list[int] = []
    for number in sorted(set(numbers)):
        places = np.flatnonzero(np.array(numbers) == number)
        rng = np.random.default_rng([_SUBSET, seed, number])
        found += rng.permutation(places)[:most].tolist()
    return sorted(found)
