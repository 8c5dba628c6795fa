"""A study classifier over labelled studies: whole studies, nothing augmented, as the viewer would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctviewer.core.errors import CtviewerError, DeviceError, InputError
from ctviewer.core.events import Done, Event, Progress
from ctviewer.core.files import reason
from ctviewer.core.geometry import Plane
from ctviewer.core.volume import Volume
from ctviewer.core.words import counted
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, Metadata, Preprocessing
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.nets.aggregators import StudyOutput
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.engine.devices import choose_device
from ctviewer.training.predictions import Prediction, Predictions, patient_digest
from ctviewer.training.preflight.facts import content_of
from ctviewer.training.source import LabelledSource

PREDICTING = "Classifying studies"
Look = Callable[[str, Volume], None]


@dataclass(frozen=True)
class StudyTold(Event):
    """Something about one study. Its id may be a name: for the user's eyes, never for a log.

    Attributes:
        study: its id.
        text: one sentence.
        left_out: whether nothing is predicted for it; else some of its slices are left out.
    """

    study: str
    text: str
    left_out: bool


@dataclass(frozen=True, eq=False)
class Classifier:
    """A net with what its predictions mean.

    Attributes:
        net: in eval mode; moved to the device.
        key: "name version".
        classes: order of its logits.
        negative_class: "" for none.
        exclusive: whether one class excludes the others.
        threshold: finding probability from which a study counts as positive.
        preprocessing: of its input.
    """

    net: StudyClassifier
    key: str
    classes: tuple[str, ...]
    negative_class: str
    exclusive: bool
    threshold: float
    preprocessing: Preprocessing

    @classmethod
    def of(cls, bundle: Bundle) -> Classifier:
        """Of an installed bundle.

        Raises:
            InputError: it is no study classifier.
            BundleError: its weights do not fit.
        """
        if bundle.metadata.task != CLASSIFIER:
            raise InputError(f"The model {bundle.key} is no study classifier, so it gives studies no class.")
        return cls.with_net(bundle.build(), bundle.metadata)

    @classmethod
    def with_net(cls, net: torch.nn.Module, m: Metadata) -> Classifier:
        """Of a net that its metadata describes."""
        assert isinstance(net, StudyClassifier)
        key = f"{m.name} {m.version}"
        return cls(
            net, key, m.classes, m.negative_class, m.exclusive, m.thresholds.finding_probability, m.preprocessing
        )


def predict(
    model: Bundle | Classifier,
    source: LabelledSource,
    studies: Sequence[str],
    *,
    parts: Mapping[str, str] | None = None,
    device: str | torch.device = "auto",
    chunk: int = 16,
    contents: Mapping[str, str] | None = None,
    look: Look = lambda _study, _volume: None,
) -> Iterator[Event]:
    """Classify studies one by one, in float32.

    Labels are kept as the source gives them, also such as the model does not know (`scores.targets.require_labels`).

    Args:
        model: what is judged.
        source: of the studies.
        studies: ids.
        parts: split of each study; that of the source by default, "test" where it names none.
        device: "auto" (CUDA where there is one), "cpu", "cuda" or a device.
        chunk: slices that pass the encoder at once.
        contents: SHA-256 of the pixels by study, where they are known already.
        look: is shown each volume before it is classified.

    Yields:
        `Progress`, a `StudyTold` for each study that cannot be read or only in part; last `Done(Predictions)`.

    Raises:
        InputError: no CUDA device where one was asked for, or no study can be read.
        DeviceError: a memory that does not suffice for one slice, or a model that gives values that are not finite.
    """
    judge = model if isinstance(model, Classifier) else Classifier.of(model)
    place = device if isinstance(device, torch.device) else choose_device(device)
    cases, known = [], contents or {}
    judge.net.eval().to(place)
    for done, study in enumerate(studies):
        yield Progress(PREDICTING, done, len(studies))
        volume, why = _loaded(source, study)
        if volume is None:
            yield StudyTold(study, why, True)
            continue
        if failed := int(volume.failed.sum()):
            text = f"{counted(failed, 'slice')} of {volume.slice_count} could not be read and are left out."
            yield StudyTold(study, text, False)
        look(study, volume)
        order = study_order(volume)
        out = _classified(judge, volume, order, place, chunk)
        part = source.split(study) or "test" if parts is None else parts[study]
        content = known.get(study) or content_of(volume).sha256
        cases.append(_prediction(source, study, out, len(order), part, content))
    yield Progress(PREDICTING, len(studies), len(studies))
    if not cases:
        raise InputError("None of the studies could be classified.")
    yield Done(
        Predictions(judge.key, judge.classes, judge.negative_class, judge.exclusive, judge.threshold, tuple(cases))
    )


def _loaded(source: LabelledSource, study: str) -> tuple[Volume | None, str]:
    """The volume, or None and why nothing can be said of it."""
    try:
        volume, _ = source.load(study)
    except CtviewerError as error:
        return None, str(error)
    except OSError as error:
        return None, f"The study could not be read: {reason(error)}."
    if volume.failed.all():
        return None, "None of its slices could be read."
    if volume.unit != "HU":
        return None, "Its values are not in Hounsfield units."
    if volume.geometry.plane is not Plane.AXIAL:
        return None, f"Its slices are not axial but {volume.geometry.plane.value}."
    return volume, ""


def _classified(
    judge: Classifier, volume: Volume, order: NDArray[np.intp], device: torch.device, chunk: int
) -> StudyOutput:
    """The net's output, on the CPU. Where a GPU's memory is short, fewer slices pass at once."""
    while True:
        out = _attempt(judge, volume, order, device, chunk)
        if out is not None:
            break
        if chunk == 1:
            raise DeviceError(f"The memory of {device} does not suffice to run the model {judge.key}.")
        chunk = max(1, chunk // 2)
    if not bool(torch.isfinite(out.logits).all()):
        raise DeviceError(f"The model {judge.key} gave values that are not finite, so that it cannot be judged.")
    return out


def _attempt(
    judge: Classifier, volume: Volume, order: NDArray[np.intp], device: torch.device, chunk: int
) -> StudyOutput | None:
    """None where the memory is short; the error goes with its frames, which hold tensors."""
    try:
        with torch.inference_mode():
            features: list[Tensor] = []
            for start in range(0, len(order), chunk):
                images = net_input(volume, order[start : start + chunk], judge.preprocessing)
                features.append(judge.net.encode(images.to(device)).float())
            return judge.net.aggregate(torch.cat(features)[None])
    except torch.OutOfMemoryError:
        return None


def _prediction(
    source: LabelledSource, study: str, out: StudyOutput, slices: int, part: str, content: str
) -> Prediction:
    attention = () if out.attention is None else tuple(out.attention[0].double().tolist())
    return Prediction(
        study=study,
        patient=patient_digest(source.patient(study)),
        truth=tuple(source.classes(study)),
        logits=tuple(out.logits[0].double().tolist()),
        split=part,
        slices=slices,
        attention=attention,
        content=content,
    )
