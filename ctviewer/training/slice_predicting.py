"""A one-shot model over labelled slices, as training judges its own: one scan after the other, in float32."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ctviewer.core.errors import CtviewerError, DeviceError, InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.slices import BACKGROUND, LabelledSlices
from ctviewer.core.words import counted
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT, Metadata
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.control import never
from ctviewer.training.engine.devices import choose_device
from ctviewer.training.engine.finishing import EXACT
from ctviewer.training.engine.one_shot.scans import ScanJudge, SliceJudgement, Wanted
from ctviewer.training.engine.parallel import SINGLE
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.predicting import StudyTold
from ctviewer.training.slice_predictions import OTHER, SlicePrediction, SlicePredictions
from ctviewer.training.slices.classes import LUNG, shown_labels
from ctviewer.training.slices.facts import content_of
from ctviewer.training.slices.images import image_digest
from ctviewer.training.source import SliceSource

PREDICTING = "Outlining scans"
_UNKNOWN = "Nothing is known of its slices that the model could be judged by."


def both(_scan: str) -> Wanted:
    """Outlines and classes of slices, as far as they are known."""
    return Wanted()


def predict_slices(
    bundle: Bundle,
    source: SliceSource,
    scans: Sequence[str],
    *,
    parts: Mapping[str, str] | None = None,
    device: str = "auto",
    wanted: Callable[[str], Wanted] = both,
) -> Iterator[Event]:
    """Outline scans and class their slices, beside what is known of them.

    Outlines that are accepted output of a model judge none. Lesions of a class that the model does not have count as lesions
    of any class. Classes of slices are kept as the source gives them, also such as the model does not know
    (`slice_evaluation.require_known_classes`).

    Args:
        bundle: of a one-shot model.
        source: of the scans.
        scans: ids.
        parts: split of each scan; that of the source by default, "test" where it names none.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        wanted: what of a scan is judged.

    Yields:
        `Progress`, a `StudyTold` for each scan that cannot be read, of which nothing is known, or of which some is accepted
        output; last `Done(SlicePredictions)`.

    Raises:
        InputError: no one-shot model, no CUDA device where one was asked for, or no scan can be judged.
        BundleError: its weights do not fit.
        DeviceError: a memory that does not suffice for one slice, or values that are not finite.
    """
    m = bundle.metadata
    if m.task != ONE_SHOT:
        raise InputError(f"The model {bundle.key} is no one-shot model, so it outlines nothing.")
    place = choose_device(device)
    net = bundle.build().to(place)
    assert isinstance(net, OneShot)
    model, cases = _Model(net, m, place), list[SlicePrediction]()
    for done, scan in enumerate(scans):
        yield Progress(PREDICTING, done, len(scans))
        part = (source.split(scan) or "test") if parts is None else parts[scan]
        cases += yield from _answers(model, source, scan, part, wanted(scan), (done, len(scans)))
    yield Progress(PREDICTING, len(scans), len(scans))
    if not cases:
        raise InputError("None of the scans could be judged.")
    yield Done(
        SlicePredictions(
            bundle.key, m.classes, m.lesion_classes, m.image_classes, m.negative_class, m.thresholds.detection_score,
            tuple(cases),
        )
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class _Model:
    net: OneShot
    metadata: Metadata
    device: torch.device


@dataclasses.dataclass(frozen=True, eq=False)
class _One:
    """A source of one scan that is loaded already."""

    scan: str
    whose: str
    slices: LabelledSlices

    def ids(self) -> Sequence[str]:
        return (self.scan,)

    def patient(self, _scan: str) -> str:
        return self.whose

    def classes(self, _scan: str) -> Sequence[str]:
        return tuple(sorted({name for name in self.slices.image_classes if name}))

    def split(self, _scan: str) -> str:
        return ""

    def load_slices(self, _scan: str) -> LabelledSlices:
        return self.slices


def _loaded(source: SliceSource, scan: str) -> tuple[LabelledSlices | None, str]:
    """The slices, or None and why nothing can be said of them."""
    try:
        slices = source.load_slices(scan)
    except CtviewerError as error:
        return None, str(error)
    except OSError as error:
        return None, f"The scan could not be read: {reason(error)}."
    return (slices, "") if len(slices.names) else (None, _UNKNOWN)


def _answers(
    model: _Model, source: SliceSource, scan: str, part: str, wanted: Wanted, at: tuple[int, int]
) -> Generator[Event, None, list[SlicePrediction]]:
    """Of one scan; what there is to tell of it is told."""
    slices, why = _loaded(source, scan)
    if slices is None:
        yield StudyTold(scan, why, True)
        return []
    found = yield from _judged(model, _One(scan, source.patient(scan), slices), part, wanted, at)
    if wanted.lesions and (accepted := sum(bool(origin) for origin in slices.origins)):
        text = f"What is outlined on {counted(accepted, 'slice')} is accepted output of a model, and judges none."
        yield StudyTold(scan, text, not found)
    elif not found:
        yield StudyTold(scan, _UNKNOWN, True)
    return found


def _judged(
    model: _Model, one: _One, part: str, wanted: Wanted, at: tuple[int, int]
) -> Generator[Event, None, list[SlicePrediction]]:
    """Through the same store as in training, so that a slice looks alike; what it writes is gone afterwards."""
    m = model.metadata
    known = dataclasses.replace(one, slices=named_as(one.slices, m.classes))
    classes = (*m.classes, OTHER) if OTHER in known.slices.label_classes else m.classes
    images = tuple(dict.fromkeys((*m.image_classes, *(name for name in one.slices.image_classes if name))))
    with tempfile.TemporaryDirectory(prefix="ctviewer-", ignore_cleanup_errors=True) as folder:
        store = SliceStore(known, m.preprocessing, classes, images, Path(folder), device=model.device)
        contents = {one.scan: content_of(one.slices).sha256}
        judge = ScanJudge(model.net, store, m.lesion_classes, EXACT, known.patient, contents, lambda _: wanted)
        try:
            told = yield from _telling(judge, one.scan, part, at)
        except torch.OutOfMemoryError as error:
            raise DeviceError(f"The memory of {model.device} does not suffice to run the model.") from error
        digests = {name: image_digest(one.slices, i) for i, name in enumerate(one.slices.names)}
        return [dataclasses.replace(case, image=digests[case.name]) for case in told.cases]


def named_as(slices: LabelledSlices, classes: Sequence[str]) -> LabelledSlices:
    """Slices with the outlines that a model can be judged by: lesions of classes that it does not have are `OTHER`.

    A lung is no lesion: where the model has none it is background.
    """
    if slices.labels is None:
        return slices
    shown = shown_labels(slices)
    wanted = [
        name if name in classes else BACKGROUND if name == LUNG or name not in shown else OTHER
        for name in slices.label_classes
    ]
    names = tuple(dict.fromkeys((BACKGROUND, *wanted)))
    table = np.array([names.index(name) for name in wanted], np.uint8)
    return dataclasses.replace(slices, labels=table[slices.labels], label_classes=names)


def _telling(judge: ScanJudge, scan: str, part: str, at: tuple[int, int]) -> Generator[Event, None, SliceJudgement]:
    """The judgement; now and then where it is, for a scan of many slices takes a while."""
    work = judge.judge((scan,), part, SINGLE, never)
    while True:
        try:
            next(work)
        except StopIteration as end:
            told = end.value
            assert isinstance(told, SliceJudgement)  # nobody wished anything
            return told
        yield Progress(PREDICTING, *at)
