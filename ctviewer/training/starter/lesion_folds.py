"""Cross-validation of the lesion model by patient: each fold's net and threshold are kept, so that it goes on where it was ended.

FOLDER/fold-1/weights.safetensors    the net
FOLDER/fold-1/fold.json              its threshold, and what it was made of; written last
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.records import Format
from ctviewer.models.metadata import Metric, Preprocessing
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.scores.resampling import DRAWS
from ctviewer.training.slice_evaluation import UNCHOSEN
from ctviewer.training.slice_predictions import SlicePredictions
from ctviewer.training.starter.chests import Chest, digest
from ctviewer.training.starter.lesion_figures import answers, choose_threshold, lesion_metrics
from ctviewer.training.starter.lesion_split import Fold, folds_of, thinned

WEIGHTS, RECORD = "weights.safetensors", "fold.json"
JUDGING = "Judging folds"
_FORMAT = Format("ctviewer.lesion-fold", 1, "fold of a cross-validation")

Train = Callable[[OneShot, Fold], Iterator[Event]]
"""Trains a net in place with `Fold.train`; where it chooses among its states, by `Fold.holdout`."""


@dataclass(frozen=True, eq=False)
class Folds:
    """How a cross-validation is made.

    Attributes:
        folder: keeps what each fold made.
        new_net: an untrained net on the CPU; what it draws is seeded by `seed`.
        train: see `Train`.
        preprocessing: of the net.
        recipe: the settings of the training, fit for JSON: a fold that was made by others is made anew.
        count: of folds.
        holdout: patients with infection held out inside each fold.
        seed: of who is in which fold.
    """

    folder: Path
    new_net: Callable[[], OneShot]
    train: Train
    preprocessing: Preprocessing
    recipe: Mapping[str, Any] = field(default_factory=dict)
    count: int = 5
    holdout: int = 1
    seed: int = 0


@dataclass(frozen=True)
class KeptFold:
    """What is kept of a fold beside its weights.

    Attributes:
        key: SHA-256 over the recipe, the pixels and labels, and who did what.
        weights_sha256: of the weights' file.
        seconds: that the training took.
        patients: how many were learned from, held out, and judged by.
        threshold: score from which its outlines are shown.
        chosen: a sentence on how that was found.
        chosen_by: SHA-256 over the slices that it was chosen by.
    """

    key: str
    weights_sha256: str
    seconds: float
    patients: Mapping[str, int]
    threshold: float
    chosen: str
    chosen_by: str


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """What all folds say together.

    Attributes:
        metrics: of `lesion_figures.lesion_metrics`: each patient was judged once, by a net that never saw it.
        predictions: of each fold.
        kept: of each fold.
    """

    metrics: tuple[Metric, ...]
    predictions: tuple[SlicePredictions, ...]
    kept: tuple[KeptFold, ...]


def train_folds(
    chests: Sequence[Chest], plan: Folds, *, judged_too: Sequence[Chest] = (), numbers: Collection[int] | None = None
) -> Iterator[Event]:
    """Train the folds that are not there yet. Several processes may take some each, in one folder.

    Args:
        chests: all that may be learned from.
        plan: how.
        judged_too: as for `cross_validate`.
        numbers: of the folds; None for all.

    Yields:
        Those of the training, `Message`; last `Done(tuple of KeptFold)`.

    Raises:
        InputError: as `cross_validate`.
        StorageError: the folder cannot be written.
    """
    kept = []
    for fold in _checked(chests, plan, judged_too):
        if numbers is None or fold.number in numbers:
            _, record = yield from _trained(fold, plan, judged_too)
            kept.append(record)
    yield Done(tuple(kept))


def cross_validate(
    chests: Sequence[Chest],
    plan: Folds,
    *,
    judged_too: Sequence[Chest] = (),
    data: str = "",
    draws: int = DRAWS,
) -> Iterator[Event]:
    """Train each fold that is not there yet, judge all, and put their figures together.

    Args:
        chests: all that may be learned from.
        plan: how.
        judged_too: never learned from: further chests of the same patients (`painted`), held out and judged with them.
        data: what the sets are, for the card.
        draws: of the bootstrap.

    Yields:
        Those of the training, `Message`, `Progress`; last `Done(CrossValidated)`.

    Raises:
        InputError: too few patients, or chests that are judged too are of patients that no fold judges.
        StorageError: the folder cannot be written.
        DeviceError: a net gives values that are not finite.
    """
    told: list[SlicePredictions] = []
    kept: list[KeptFold] = []
    for fold in _checked(chests, plan, judged_too):
        net, record = yield from _trained(fold, plan, judged_too)
        of_test = [*fold.test, *_of_patients(judged_too, fold.test)]
        told.append((yield from _answers(net, of_test, plan.preprocessing, record.threshold, f"fold {fold.number}")))
        kept.append(record)
    yield Done(CrossValidated(lesion_metrics(told, data, draws=draws), tuple(told), tuple(kept)))


def _checked(chests: Sequence[Chest], plan: Folds, judged_too: Sequence[Chest]) -> tuple[Fold, ...]:
    folds = folds_of(chests, plan.count, plan.holdout, plan.seed)
    tested = {chest.patient for fold in folds for chest in fold.test}
    if any(chest.patient not in tested for chest in judged_too):
        raise InputError("Chests that are only judged must be of patients that a fold judges.")
    names = [chest.name for chest in (*chests, *judged_too)]
    if len(set(names)) != len(names):
        raise InputError("Two chests have the same name.")
    return folds


def _trained(fold: Fold, plan: Folds, judged_too: Sequence[Chest]) -> Generator[Event, None, tuple[OneShot, KeptFold]]:
    """The net of a fold as it is kept, or made now."""
    folder, key, net = plan.folder / f"fold-{fold.number}", _key(fold, plan), _seeded(plan)
    holdout = [thinned(chest) for chest in (*fold.holdout, *_of_patients(judged_too, fold.holdout))]
    record, why = _kept(folder, key, net)
    if record is not None:
        yield Message(f"Fold {fold.number} is taken as it is kept.")
    else:
        yield Message(f"Fold {fold.number} is trained: {why}.")
        record = yield from _made(fold, plan, key)
        # what is judged is what a later run reads, whatever layout training has left the net in
        net.load_state_dict(load((folder / WEIGHTS).read_bytes()))
    if record.chosen_by != (by := digest(holdout)):
        threshold, chosen = choose_threshold(net, holdout, plan.preprocessing)
        record = dataclasses.replace(record, threshold=threshold, chosen=chosen, chosen_by=by)
        _FORMAT.write(folder / RECORD, record)
    return net, record


def _made(fold: Fold, plan: Folds, key: str) -> Generator[Event, None, KeptFold]:
    """Train a fold and keep its weights; its threshold is still to be chosen."""
    started, net = monotonic(), _seeded(plan)
    yield from plan.train(net, fold)
    weights = save({name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()})
    parts = {"train": fold.train, "holdout": fold.holdout, "test": fold.test}
    patients = {name: len({chest.patient for chest in those}) for name, those in parts.items()}
    write_bytes(plan.folder / f"fold-{fold.number}" / WEIGHTS, weights)
    seconds = round(monotonic() - started, 1)
    return KeptFold(key, hashlib.sha256(weights).hexdigest(), seconds, patients, UNCHOSEN, "", "")


def _seeded(plan: Folds) -> OneShot:
    """An untrained net, the same each time, whatever was drawn before; what is drawn later does not depend on it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        return plan.new_net()


def _kept(folder: Path, key: str, net: OneShot) -> tuple[KeptFold | None, str]:
    """Load what is kept of a fold into a net; None and why (a clause) where it cannot be used."""
    if not (folder / RECORD).exists():
        return None, "nothing of it is kept yet"
    try:
        record = _FORMAT.read(folder / RECORD, lambda data: _FORMAT.from_json(KeptFold, data))
        weights = (folder / WEIGHTS).read_bytes()
    except InputError:
        return None, "what is kept of it cannot be read"
    except OSError as error:
        return None, f"its weights cannot be read ({reason(error)})"
    if record.key != key:
        return None, "what is kept of it was made by another recipe, or of other data"
    if hashlib.sha256(weights).hexdigest() != record.weights_sha256:
        return None, "its weights are not those that were kept"
    try:
        net.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError):
        return None, "its weights do not fit the net"
    return record, ""


def _answers(
    net: OneShot, chests: Sequence[Chest], preprocessing: Preprocessing, threshold: float, model: str
) -> Generator[Event, None, SlicePredictions]:
    """Chest by chest, so that it is seen how far it is."""
    found = []
    for done, chest in enumerate(chests):
        yield Progress(f"{JUDGING}: {model}", done, len(chests))
        found.append(answers(net, [chest], preprocessing, threshold=threshold, model=model))
    cases = tuple(case for one in found for case in one.cases)
    one = found[0]
    return SlicePredictions(model, one.classes, one.lesion_classes, (), "", threshold, cases)


def _of_patients(chests: Sequence[Chest], others: Sequence[Chest]) -> list[Chest]:
    patients = {chest.patient for chest in others}
    return [chest for chest in chests if chest.patient in patients]


def _key(fold: Fold, plan: Folds) -> str:
    told = {
        "recipe": dict(plan.recipe),
        "seed": plan.seed,
        "preprocessing": repr(plan.preprocessing),
        "train": digest(fold.train),
        "holdout": digest(fold.holdout),
        "test": [[chest.name, chest.patient] for chest in fold.test],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
