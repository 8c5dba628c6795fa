"""What the reader changed of a model's findings and drew beside them: data of its own, the model's result stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ctviewer.core.findings import Instance, Lesion
from ctviewer.core.masks import BoxMask, union


@dataclass(frozen=True)
class Correction:
    """What the reader changed of one finding of one analysis.

    Attributes:
        label: the class as the reader says it; "" leaves the model's.
        outlines: by volume index, the finding's pixels on that slice as the reader left them, in the place of all that the
            model outlined there; None: the finding is not on that slice.
    """

    label: str = ""
    outlines: Mapping[int, BoxMask | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.label and not self.outlines

    def relabelled(self, lesion: Lesion, label: str) -> Correction:
        """With another class; the model's own takes the change back."""
        return replace(self, label="" if label == lesion.label else label)

    def outlined(self, lesion: Lesion, index: int, mask: BoxMask | None) -> Correction:
        """With other pixels on one slice; the model's own take the change back."""
        others = {at: outline for at, outline in self.outlines.items() if at != index}
        model = [i.mask for i in lesion.instances if i.slice_index == index]
        same = mask == union(model) if model else mask is None
        return replace(self, outlines=others if same else {**others, index: mask})

    def instances(self, lesion: Lesion) -> tuple[Instance, ...]:
        """The finding's outlines as the reader left them, by slice index; none where all were erased."""
        label = self.label or lesion.label
        kept = [replace(i, label=label) for i in lesion.instances if i.slice_index not in self.outlines]
        drawn = [
            Instance(index, label, lesion.score, mask) for index, mask in self.outlines.items() if mask is not None
        ]
        return tuple(sorted((*kept, *drawn), key=lambda i: (i.slice_index, i.mask.top, i.mask.left)))


@dataclass(frozen=True)
class DrawnLesion:
    """A lesion that the reader drew.

    Attributes:
        number: from 1, never given twice within a reading.
        label: its class.
        outlines: by slice digest, so that it stays on its pixels whatever happens to the rest of the series.
        drawn_at: when it was begun, ISO 8601, UTC.
    """

    number: int
    label: str
    outlines: Mapping[str, BoxMask]
    drawn_at: str = ""

    @property
    def lesion_id(self) -> int:
        """What stands for it beside a model's findings, which count from 1: below 0."""
        return -self.number

    def outlined(self, digest: str, mask: BoxMask | None) -> DrawnLesion:
        """With other pixels on one slice; None takes it off."""
        others = {at: outline for at, outline in self.outlines.items() if at != digest}
        return replace(self, outlines=others if mask is None else {**others, digest: mask})


@dataclass(frozen=True)
class ReaderMarks:
    """What the reader drew and reviewed in a series. It belongs to the reading, so a new analysis leaves it alone.

    Attributes:
        drawn: by number.
        reviewed: slices on which every lesion is marked, by digest, each with `ReadAnalysis.identity` of the analysis
            whose findings the reader saw beside what was drawn; "" without one. What is unmarked there is no lesion.
        given: the highest number that a drawn lesion had.
    """

    drawn: tuple[DrawnLesion, ...] = ()
    reviewed: Mapping[str, str] = field(default_factory=dict)
    given: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not self.drawn and not self.reviewed and not self.given

    def find(self, lesion_id: int) -> DrawnLesion | None:
        """The drawn lesion with this id."""
        return next((lesion for lesion in self.drawn if lesion.lesion_id == lesion_id), None)

    def added(self, label: str, digest: str, mask: BoxMask, at: str) -> tuple[ReaderMarks, int]:
        """With a new lesion on one slice, and its id."""
        lesion = DrawnLesion(self.given + 1, label, {digest: mask}, at)
        return replace(self, drawn=(*self.drawn, lesion), given=lesion.number), lesion.lesion_id

    def changed(self, lesion: DrawnLesion) -> ReaderMarks:
        """With a lesion in the place of the one with its number; without it where no pixel of it is left."""
        drawn = tuple(lesion if one.number == lesion.number else one for one in self.drawn)
        return replace(self, drawn=tuple(one for one in drawn if one.outlines))

    def without(self, lesion_id: int) -> ReaderMarks:
        """Without a drawn lesion; its number is not given again."""
        return replace(self, drawn=tuple(one for one in self.drawn if one.lesion_id != lesion_id))

    def with_reviewed(self, digests: Iterable[str], on: bool, identity: str = "") -> ReaderMarks:
        """With slices marked as completely reviewed beside an analysis, or no longer."""
        names = frozenset(digests)
        others = {digest: seen for digest, seen in self.reviewed.items() if digest not in names}
        return replace(self, reviewed={**others, **dict.fromkeys(sorted(names), identity)} if on else others)

    def on_slices(self, present: Iterable[str]) -> ReaderMarks:
        """What holds where only these slices are unchanged, and no analysis is of them: outlines, and marks made without."""
        names = frozenset(present)
        cut = (replace(one, outlines={d: m for d, m in one.outlines.items() if d in names}) for one in self.drawn)
        reviewed = {digest: seen for digest, seen in self.reviewed.items() if digest in names and not seen}
        return replace(self, drawn=tuple(one for one in cut if one.outlines), reviewed=reviewed)
