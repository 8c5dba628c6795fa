"""What a one-shot net says of whole scans that it did not learn from: outlines beside what is marked, classes of slices."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.errors import DeviceError
from ctviewer.core.records import read_record
from ctviewer.models.placement import Placement, Upright
from ctviewer.nets.one_shot import Detections, OneShot
from ctviewer.training.control import Control, Wish
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.one_shot.learner import reduced
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.slice_store import SliceInfo
from ctviewer.training.predictions import patient_digest
from ctviewer.training.slice_cases import Mark, MarkedSlice, lesions_of
from ctviewer.training.slice_predictions import OTHER, SliceLesions, SlicePrediction
from ctviewer.training.slices.task import SliceTask
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, kind_of

LEAST_SCORE = 0.05
"""Of detections that figures count; what is shown has a threshold of its own."""
MOST = 100
"""Detections of a slice, as COCO counts them."""


class Slices(Protocol):
    """Where slices come from: `slice_store.SliceStore`."""

    @property
    def classes(self) -> Sequence[str]:
        """Of outlines: the net's, and `slice_predictions.OTHER` where others are marked too."""
        ...

    @property
    def image_classes(self) -> Sequence[str]:
        """Of slices: the net's, and after them those that it does not know."""
        ...

    def slices_of(self, scan: str) -> Sequence[SliceInfo]:
        """What is known of the slices of a scan, in their order."""
        ...

    def neighbours(self, scan: str) -> bool:
        """Whether slices that follow each other are neighbours in the chest."""
        ...

    def image(self, scan: str, name: str) -> Tensor:
        """`[c, S, S]`, as the net meets it in use."""
        ...

    def truth(self, scan: str, name: str) -> NDArray[np.uint8]:
        """`[S, S]` label map."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What of a scan is judged: its outlines, its classes of slices, or both."""

    lesions: bool = True
    classes: bool = True


@dataclass(frozen=True)
class SliceJudgement:
    """What a net said of slices; meets `plans.Judgement`."""

    cases: tuple[SlicePrediction, ...]

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> SliceJudgement:
        """What `to_plain` made.

        Raises:
            ValueError: it made something else.
        """
        return read_record(cls, dict(told))


@dataclass(frozen=True, eq=False)
class ScanJudge:
    """Judges scans with a net in eval mode; no buffer of it changes.

    Attributes:
        net: on its device.
        slices: where they come from.
        lesion_classes: of the net's classes those that are lesions.
        precision: a key of `passes.PRECISIONS`.
        patient: whose scan it is.
        contents: SHA-256 of the pixels by scan, where they are known.
        wanted: what of a scan is judged.
    """

    net: OneShot
    slices: Slices
    lesion_classes: Sequence[str]
    precision: str
    patient: Callable[[str], str]
    contents: Mapping[str, str] = field(default_factory=dict)
    wanted: Callable[[str], Wanted] = lambda _scan: Wanted()

    def judge(
        self, scans: Sequence[str], part_of: Mapping[str, str] | str, world: World, control: Control
    ) -> Generator[int, None, SliceJudgement | Wish]:
        """Judge scans, each by one process.

        Args:
            scans: ids.
            part_of: split by scan, or one for all.
            world: the processes that share the work.
            control: asked between slices.

        Yields:
            Slices that have just passed, in this process.

        Returns:
            The same in every process; or what the user wanted meanwhile.

        Raises:
            DeviceError: the net gives values that are not finite.
        """
        self.net.eval()
        found: dict[int, list[SlicePrediction]] = {}
        wish = Wish.GO_ON
        for position in world.share(range(len(scans))):
            part = part_of if isinstance(part_of, str) else part_of[scans[position]]
            cases = yield from self._scan(scans[position], part, control)
            if isinstance(cases, Wish):
                wish = cases
                break
            found[position] = cases
        if (wish := world.agree(wish)) is not Wish.GO_ON:
            return wish
        return _gathered(found, world)

    def _scan(self, scan: str, part: str, control: Control) -> Generator[int, None, list[SlicePrediction] | Wish]:
        wanted = self.wanted(scan)
        infos = [
            info for info in self.slices.slices_of(scan) if self._lesions(info, wanted) or self._class(info, wanted)
        ]
        logits: list[tuple[float, ...]] = []
        marks: list[tuple[Mark, ...]] = []
        for info in infos:
            if (wish := control()) is not Wish.GO_ON:
                return wish
            said, found = self._slice(scan, info, wanted)
            logits.append(said)
            marks.append(found)
            yield 1
        outlined = self._outlined(scan, infos, marks, wanted)
        return [
            SlicePrediction(
                scan=scan,
                name=info.name,
                patient=patient_digest(self.patient(scan)),
                split=part,
                truth="" if info.image_class is None else self.slices.image_classes[info.image_class],
                logits=said,
                lesions=outlined.get(info.name),
                content=self.contents.get(scan, ""),
            )
            for info, said in zip(infos, logits, strict=True)
        ]

    def _lesions(self, info: SliceInfo, wanted: Wanted) -> bool:
        """Whether its outlines judge: a person's own, for a model's output that was accepted agrees with it unasked."""
        return wanted.lesions and not info.origin and bool(info.known) and (info.reviewed or bool(info.shown))

    def _class(self, info: SliceInfo, wanted: Wanted) -> bool:
        return wanted.classes and info.image_class is not None and not self.net.segmentation_only

    @torch.no_grad()
    def _slice(self, scan: str, info: SliceInfo, wanted: Wanted) -> tuple[tuple[float, ...], tuple[Mark, ...]]:
        """Logits where the slice has a class, and marks where its lesions are known."""
        image = self.slices.image(scan, info.name)[None]
        with reduced(self.net, self.precision):
            if not self._lesions(info, wanted):
                return _plain(self.net.classify(image).logits[0]), ()
            answer = self.net.analyse(image, LEAST_SCORE, MOST)[0]
        logits = _plain(answer.logits) if self._class(info, wanted) else ()
        return logits, marks_of(answer.detections, self.net.size, {*info.known, *self._lesion_values})

    @property
    def _lesion_values(self) -> set[int]:
        return {self.slices.classes.index(name) for name in self.lesion_classes}

    def _outlined(
        self, scan: str, infos: Sequence[SliceInfo], marks: Sequence[tuple[Mark, ...]], wanted: Wanted
    ) -> dict[str, SliceLesions]:
        """By slice, those whose lesions are marked."""
        classes = self.slices.classes
        lesions = [name for name in classes if name in self.lesion_classes or name == OTHER]
        pairs = [pair for pair in zip(infos, marks, strict=True) if self._lesions(pair[0], wanted)]
        slices = [
            MarkedSlice(
                self.slices.truth(scan, info.name), info.reviewed, found, info.place,
                tuple(sorted(self._lesion_values - set(info.known))),
            )
            for info, found in pairs
        ]  # fmt: skip
        kept = lesions_of(slices, classes, lesions, neighbours=self.slices.neighbours(scan))
        return {info.name: one for (info, _), one in zip(pairs, kept, strict=True)}


def judge_of_run(inputs: RunInputs, net: OneShot, slices: Slices, task: SliceTask, precision: str) -> ScanJudge:
    """A judge of the scans of a run: those of lesion sets by their outlines, those of image sets by their classes.

    Args:
        inputs: of the run.
        net: on its device.
        slices: the run's store.
        task: its classes.
        precision: as for `ScanJudge`.
    """

    def wanted(scan: str) -> Wanted:
        return Wanted(kind_of(scan) == LESIONS, kind_of(scan) == IMAGES)

    source, contents = inputs.source, inputs.report.study_sha256
    return ScanJudge(net, slices, task.lesion_classes, precision, source.patient, contents, wanted)


def marks_of(detections: Detections, size: int, known: Collection[int]) -> tuple[Mark, ...]:
    """Outlines in the net's square, of classes that can be judged; those that hold no pixel are left out.

    Raises:
        DeviceError: a score is not finite.
    """
    placement = Placement(size, size, Upright(False, False, False), size)
    labels, scores = detections.labels.tolist(), detections.scores.double().tolist()
    if not np.isfinite(scores).all():
        raise DeviceError(_NOT_FINITE)
    boxes, masks = detections.boxes.float().cpu().numpy(), detections.masks.float().cpu().numpy()
    found = []
    for label, score, box, mask in zip(labels, scores, boxes, masks, strict=True):
        if label in known and (packed := placement.paste(box, mask)) is not None:
            found.append(Mark(label, score, packed))
    return tuple(found)


_NOT_FINITE = "The model gives values that are not finite, so that it cannot be judged."


def _plain(logits: Tensor) -> tuple[float, ...]:
    values = tuple(logits.double().tolist())
    if not np.isfinite(values).all():
        raise DeviceError(_NOT_FINITE)
    return values


def _gathered(found: Mapping[int, Sequence[SlicePrediction]], world: World) -> SliceJudgement:
    """Each process knows some scans."""
    if world.size == 1:
        return SliceJudgement(tuple(case for position in sorted(found) for case in found[position]))
    mine = {str(position): SliceJudgement(tuple(cases)).to_plain() for position, cases in found.items()}
    told = [pair for text in world.gather(json.dumps(mine)) for pair in json.loads(text).items()]
    parts = [SliceJudgement.from_plain(plain) for _, plain in sorted(told, key=lambda pair: int(pair[0]))]
    return SliceJudgement(tuple(case for part in parts for case in part.cases))
