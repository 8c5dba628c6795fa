"""Checkpoints: the whole state of a run in one safetensors file, written so that no moment of a kill can spoil it.

Tensors are the file's tensors; all else is JSON in its metadata, with a SHA-256 over both. Nothing is pickled. The best
state so far is in the same file, so that the two fit each other whichever file a run goes on from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.files import atomic_path, reason
from ctviewer.training.engine.snapshots import OptimizerState, RandomState, Snapshot

FORMAT = "ctviewer checkpoint 2"
KEPT = 2
_NAME = re.compile(r"step-(\d{8})\.safetensors")
_UNFINISHED = re.compile(r"\..*\.part|\.tmp.*")  # ours and safetensors': being written when the process died
_IO_ERROR = re.compile(r"I/O error: (.*) \(os error")


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a run goes on from.

    Attributes:
        snapshot: the newest intact one.
        path: its file.
        notes: sentences for the user: what was damaged and passed over.
    """

    snapshot: Snapshot
    path: Path
    notes: tuple[str, ...] = ()


def save(folder: Path, snapshot: Snapshot) -> Path:
    """Write a checkpoint. The last two of a folder are kept.

    Args:
        folder: of the run's, or the fold's, checkpoints.
        snapshot: on any device.

    Raises:
        StorageError: the place cannot be written; what was there is as it was.
    """
    path = folder / f"step-{snapshot.step:08d}.safetensors"
    tensors = {name: t.detach().cpu().contiguous() for name, t in _tensors(snapshot).items()}
    told = json.dumps(_plain(snapshot), sort_keys=True)
    metadata = {"format": FORMAT, "snapshot": told, "sha256": _digest(told, tensors)}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # what it makes of the system's refusal
            raise StorageError(f"{path} could not be written: {_refusal(error)}.") from error
    _prune(folder, snapshot.step)
    return path


def latest(folder: Path) -> Loaded | None:
    """The newest intact checkpoint of a folder; None where there is none at all.

    Raises:
        InputError: there are checkpoints and all of them are damaged.
    """
    damaged: list[str] = []
    for path in reversed(_steps(folder)):
        try:
            snapshot = _read(path)
        except InputError:
            damaged.append(path.name)
            continue
        return Loaded(snapshot, path, tuple(_about(damaged, snapshot)))
    if damaged:
        raise InputError(f"The run cannot go on: every checkpoint in {folder} is damaged ({', '.join(damaged)}).")
    return None


def _tensors(snapshot: Snapshot) -> dict[str, Tensor]:
    tensors = {f"model/{name}": t for name, t in snapshot.model.items()}
    tensors |= {f"kept/{name}": t for name, t in snapshot.kept.items()}
    tensors |= {f"optimizer/{name}": t for name, t in snapshot.optimizer.tensors.items()}
    tensors["random/cpu"] = snapshot.random.cpu
    return tensors | {f"random/cuda/{i}": state for i, state in enumerate(snapshot.random.cuda)}


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    """All of a snapshot that is no tensor."""
    apart = ("model", "kept", "optimizer", "random")
    plain = {f.name: getattr(snapshot, f.name) for f in dataclasses.fields(snapshot) if f.name not in apart}
    plain["optimizer"] = {"values": snapshot.optimizer.values, "groups": snapshot.optimizer.groups}
    plain["random"] = snapshot.random.numpy
    return plain


def _read(path: Path) -> Snapshot:
    """Raises InputError where the file is not a whole checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except OSError as error:
        raise InputError(f"The checkpoint {path} cannot be read: {reason(error)}.") from error
    except SafetensorError as error:
        raise InputError(f"The checkpoint {path} is damaged.") from error
    told = metadata.get("snapshot", "")
    if metadata.get("format") != FORMAT:
        raise InputError(f"The checkpoint {path} was not written by this version of the program.")
    if metadata.get("sha256") != _digest(told, tensors):
        raise InputError(f"The checkpoint {path} is damaged.")
    return _snapshot(json.loads(told), tensors)


def _snapshot(plain: dict[str, Any], tensors: Mapping[str, Tensor]) -> Snapshot:
    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    optimizer = plain.pop("optimizer")
    cuda = under("random/cuda/")
    random = RandomState(tensors["random/cpu"], tuple(cuda[str(i)] for i in range(len(cuda))), plain.pop("random"))
    state = OptimizerState(under("optimizer/"), optimizer["values"], optimizer["groups"])
    return Snapshot(model=under("model/"), kept=under("kept/"), optimizer=state, random=random, **plain)


def _digest(told: str, tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256(told.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _steps(folder: Path) -> list[Path]:
    """Checkpoints of a folder, the oldest first."""
    return sorted(path for path in folder.glob("step-*.safetensors") if _NAME.fullmatch(path.name))


def _prune(folder: Path, step: int) -> None:
    """Keep the last two. What is of a later step was damaged, and the run went on from before it."""
    found = _steps(folder)
    past = [path for path in found if int(path.stem[5:]) <= step]
    unfinished = [path for path in folder.glob(".*") if _UNFINISHED.fullmatch(path.name)]
    for path in [*past[:-KEPT], *found[len(past) :], *unfinished]:
        with contextlib.suppress(OSError):  # it is only room
            path.unlink()


def _about(damaged: Sequence[str], snapshot: Snapshot) -> Iterator[str]:
    if damaged:
        yield (
            f"The newest checkpoint ({damaged[0]}) is damaged; the run goes on from the one before it, "
            f"step {snapshot.step}."
        )


def _refusal(error: SafetensorError) -> str:
    found = _IO_ERROR.search(str(error))
    return found[1] if found else "the system refused it"
