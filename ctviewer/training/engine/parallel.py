"""Several processes that train one net: what they add up, and how they agree. Each has a part of every batch.

Data parallel by hand instead of torch's wrapper: gradients are summed once, after all chunks of all studies of a step,
and a rank without a study in a small batch takes part all the same. Nothing is pickled: only tensors travel.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from ctviewer.core.errors import DeviceError, InputError
from ctviewer.training.control import Wish

T = TypeVar("T")
_PATIENCE = timedelta(hours=2)  # the others wait while one reads studies or encodes a long one
_WISHES = tuple(Wish)
_PARTED = re.compile(r"gloo|[Tt]imed out|[Cc]onnection")  # how gloo tells it, which has no error of its own


@dataclass(frozen=True)
class World:
    """The processes of a run; all see the same folder. Where one of them ends, the others raise `DeviceError`.

    Attributes:
        rank: of this one, from 0; 0 writes and speaks.
        size: how many there are.
        local: number of this one on its machine: its CUDA device.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The part of this process."""
        return items[self.rank :: self.size]

    def add(self, values: Tensor) -> Tensor:
        """The sum over all processes, of a tensor of the same shape in each."""
        if self.size > 1:
            values = values.clone()
            with self._together():
                distributed.all_reduce(values)
        return values

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give each process the sum of all gradients. A parameter that no process has one for keeps None."""
        if self.size == 1 or not parameters:
            return
        has = self.add(torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device))
        used = [p for p, count in zip(parameters, has.tolist(), strict=True) if count]
        if not used:
            return
        flat = self.add(torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in used]))
        for p, part in zip(used, torch.split(flat, [p.numel() for p in used]), strict=True):
            p.grad = part.view_as(p).clone(memory_format=torch.preserve_format)

    def agree(self, wish: Wish) -> Wish:
        """The wish that the first process heard: the user speaks to that one only."""
        if self.size == 1:
            return wish
        told = torch.tensor(_WISHES.index(wish))
        with self._together():
            distributed.broadcast(told, src=0)
        return _WISHES[int(told)]

    def tell(self, text: str) -> str:
        """The first process's text, for all."""
        if self.size == 1:
            return text
        data = text.encode() if self.leads else b""
        length = self.add(torch.tensor(len(data)))
        told = torch.zeros(int(length), dtype=torch.uint8)
        if self.leads:
            told = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)[: len(data)].clone()
        if len(told):
            with self._together():
                distributed.broadcast(told, src=0)
        return bytes(told.tolist()).decode()

    def gather(self, text: str) -> tuple[str, ...]:
        """The text of each process, by rank, in all of them."""
        if self.size == 1:
            return (text,)
        data = text.encode()
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(data)
        ends = torch.cumsum(self.add(lengths), 0).tolist()
        told = torch.zeros(ends[-1], dtype=torch.uint8)
        if data:
            told[ends[self.rank] - len(data) : ends[self.rank]] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        whole = self.add(told).numpy().tobytes()
        return tuple(whole[start:end].decode() for start, end in zip([0, *ends], ends, strict=False))

    def wait(self) -> None:
        """Until all processes are here."""
        self.add(torch.zeros(1))

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, distributed.DistError) and not _PARTED.search(str(error)):
                raise
            raise DeviceError(
                f"Another of the {self.size} training processes ended, so that this one cannot go on; the run can be "
                "resumed."
            ) from error


SINGLE = World()


@contextlib.contextmanager
def joined_world() -> Iterator[World]:
    """Join the processes that `torchrun` started; without it, be alone.

    CPU tensors travel over gloo, CUDA tensors over nccl.

    Raises:
        InputError: the environment names a world that cannot be joined.
    """
    try:
        size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
    except ValueError as error:
        raise InputError("RANK, WORLD_SIZE and LOCAL_RANK of the environment must be whole numbers.") from error
    if size == 1:
        yield SINGLE
        return
    # Before there is a group: its functions take the group that is there when they are imported as their default, which
    # would outlive its end, and gloo's threads with it: one that is late to drop a tensor then kills the ending process.
    importlib.import_module("torch.distributed.nn.functional")
    try:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and distributed.is_nccl_available() else "gloo"
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"The {size} training processes could not be joined: {error}.") from error
    try:
        yield World(rank, size, local)
    finally:
        distributed.destroy_process_group()
