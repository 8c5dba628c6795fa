"""What two versions answer on the fixed set against forgetting; answers are kept by weights, for they never change.

Needs torch only where answers are made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.models.bundle import Bundle
from ctviewer.training.comparison import Comparison, compare
from ctviewer.training.predictions import Predictions
from ctviewer.training.predictions_file import read_predictions, write_predictions
from ctviewer.training.scores.pairing import by_finding
from ctviewer.training.source import LabelledSource

STAGE = "Answering the fixed set"
ABOUT = (
    "Generated phantoms, the same for all versions, that no training learns from. They show whether a version still tells "
    "healthy from ill where it did before, not how good it is on patients."
)


def answers(bundle: Bundle, source: LabelledSource, name: str, cache: Path, device: str = "auto") -> Iterator[Event]:
    """What a study classifier says of the set; kept, and not asked twice.

    Args:
        bundle: of a study classifier.
        source: of the set.
        name: of the set: another one for other studies.
        cache: folder of what can be made again.
        device: "auto", "cpu" or "cuda".

    Yields:
        `Progress`, `Message`; last `Done(Predictions)`.

    Raises:
        CtviewerError: the model cannot be used.
    """
    path = cache / "regression" / f"{name}-{_identity(bundle)}.json"
    kept = _kept(path, bundle, source)
    if kept is None:
        kept = yield from _asked(bundle, source, device)
        try:
            write_predictions(path, kept)
        except StorageError as error:  # it costs a minute the next time
            yield Message(str(error))
    yield Done(kept)


def compare_answers(old: Predictions, new: Predictions, no_finding: str) -> Comparison:
    """Finding against none on the set, whatever the classes of both models are.

    Args:
        old: of `answers`.
        new: of `answers`.
        no_finding: what the set calls studies without finding.

    Raises:
        InputError: a model has no class that means "no finding".
    """
    for one in (old, new):
        if not one.negative_class:
            raise InputError(
                f"{one.model} has no class that means no finding, so that it cannot be compared on the fixed set."
            )
    made = compare(by_finding(old, no_finding), by_finding(new, no_finding))
    return replace(made, notes=(ABOUT, *made.notes))


def _identity(bundle: Bundle) -> str:
    """The weights, and what else decides an answer."""
    m = bundle.metadata
    told = json.dumps([dict(m.net), asdict(m.preprocessing), m.classes], sort_keys=True, default=list)
    return f"{m.weights_sha256[:32]}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _kept(path: Path, bundle: Bundle, source: LabelledSource) -> Predictions | None:
    """Answers of before, under the name and with the threshold that the bundle has."""
    try:
        kept = read_predictions(path)
    except InputError:
        return None
    m = bundle.metadata
    told = [(case.study, case.truth) for case in kept.cases]
    if kept.classes != m.classes or told != [(study, tuple(source.classes(study))) for study in source.ids()]:
        return None
    return replace(
        kept,
        model=bundle.key,
        negative_class=m.negative_class,
        exclusive=m.exclusive,
        threshold=m.thresholds.finding_probability,
    )


def _asked(bundle: Bundle, source: LabelledSource, device: str) -> Generator[Event, Any, Predictions]:
    from ctviewer.training.predicting import predict

    for event in predict(bundle, source, source.ids(), device=device):
        if isinstance(event, Done):
            found: Predictions = event.value
            return found
        yield replace(event, stage=f"{STAGE} ({bundle.key})") if isinstance(event, Progress) else event
    raise AssertionError("predicting ends with Done")
