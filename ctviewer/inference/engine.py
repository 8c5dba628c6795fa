"""One net on its device, fed slice by slice in chunks; falls back when a GPU's memory is short."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ctviewer.core.errors import DeviceError
from ctviewer.core.events import Message
from ctviewer.core.volume import Volume
from ctviewer.core.words import counted
from ctviewer.inference.cache import NetCache
from ctviewer.inference.device import CPU, DeviceMemory, choose_device, choose_precision, free_memory, precision_of
from ctviewer.inference.settings import AnalysisSettings
from ctviewer.models.bundle import Bundle
from ctviewer.models.preprocess import net_input

T = TypeVar("T")

_STEP_SECONDS = 0.25  # half of what a step may take: a cancelled job ends at the next one
_MOST_ON_CPU = 16  # larger batches leave the cache: a ResNet18 of 32 channels took 3.4 ms a slice at 16 and 5.3 at 32
_GROWTH = 4.0  # most that a chunk grows at once: one measurement says little


@dataclass(frozen=True)
class Chunk:
    """What one step gave.

    Attributes:
        indices: volume indices.
        output: what the call gave for them, tensors on the CPU.
    """

    indices: tuple[int, ...]
    output: Any


class Engine:
    """One bundle's net where it runs.

    Args:
        bundle: the model.
        settings: device, precision, chunk.
        cache: keeps the net for the next analysis.

    Attributes:
        device: where it runs now.
        precision: "float32" or "bfloat16".
    """

    def __init__(self, bundle: Bundle, settings: AnalysisSettings, cache: NetCache) -> None:
        self.bundle = bundle
        self.device = choose_device(settings.device)
        self.precision = "float32"
        self._settings = settings
        self._cache = cache

    def load(self, features: Callable[[nn.Module, Tensor], Tensor]) -> Iterator[Message]:
        """Build the net, put it on its device and choose the precision.

        Args:
            features: runs the costly part of the net on a batch, to measure precision by.

        Yields:
            A message where the GPU has no room for it and the CPU takes over.
        """
        precision, failure = self._attempt(lambda: self._choose(features))
        if precision is None:
            yield self._move_to_cpu(failure)
            precision = self._choose(features)
        self.precision = precision

    def chunks(
        self, volume: Volume, indices: Sequence[int], call: Callable[[nn.Module, Tensor], Any], most: int
    ) -> Iterator[Chunk | Message]:
        """Run the net over slices, in their order.

        Args:
            volume: in HU.
            indices: volume indices.
            call: the net and a batch `[n, c, S, S]` on its device in, anything with tensors on the CPU out.
            most: most slices per step.

        Yields:
            Chunks that take about a quarter of a second each, and messages where it had to fall back.

        Raises:
            DeviceError: the CPU's memory does not suffice for a single slice.
        """
        if self.device == CPU and not self._settings.chunk:
            most = min(most, _MOST_ON_CPU)
        size = min(self._settings.chunk or 2, most)
        memory = DeviceMemory(self.device)
        with _Prepared(volume, indices, self.bundle, ahead=self.device != CPU) as prepared:
            while prepared.left:
                start = time.perf_counter()
                taken = prepared.take(size)
                batch = torch.cat([tensor for _, tensor in taken])
                memory.begin()
                output, failure = self._attempt(partial(self._run, call, batch))
                if failure:
                    prepared.give_back(taken)
                    most = max(1, len(taken) // 2)
                    size = min(size, most)
                    yield self._fall_back(len(taken), failure)
                    memory = DeviceMemory(self.device)
                    continue
                if not self._settings.chunk:
                    fits = memory.fits(len(taken), most)
                    size = _next_size(len(taken), time.perf_counter() - start, min(most, fits))
                yield Chunk(tuple(index for index, _ in taken), output)

    def run(self, call: Callable[[nn.Module, Tensor], Any], batch: Tensor) -> Generator[Message, None, Any]:
        """Run something of the net once, on the device, or on the CPU where the device fails.

        Args:
            call: as in `chunks`.
            batch: input on the CPU.
        """
        output, failure = self._attempt(lambda: self._run(call, batch))
        if failure:
            yield self._move_to_cpu(failure)
            output = self._run(call, batch)
        return output

    def _run(self, call: Callable[[nn.Module, Tensor], Any], batch: Tensor) -> Any:
        net = self._cache.get(self.bundle, self.device)
        with torch.inference_mode(), precision_of(self.precision, self.device):
            return call(net, batch.to(self.device))

    def _choose(self, features: Callable[[nn.Module, Tensor], Tensor]) -> str:
        net, p = self._cache.get(self.bundle, self.device), self.bundle.metadata.preprocessing
        if self._settings.precision != "auto":
            return self._settings.precision
        noise = torch.randn((2, len(p.mean), p.crop, p.crop), generator=torch.Generator().manual_seed(0))
        batch = noise.to(self.device)
        return choose_precision(
            f"{self.bundle.folder} {self.bundle.info.sha256}", self.device, lambda: features(net, batch)
        )

    def _attempt(self, action: Callable[[], T]) -> tuple[T | None, str]:
        """Do something on the device.

        Returns:
            What it gave, and "" or what failed of a GPU: "memory" or "device". The error is dropped with its frames,
            which hold tensors.

        Raises:
            DeviceError: the CPU's memory does not suffice.
        """
        try:
            return action(), ""
        except (RuntimeError, MemoryError) as error:
            short = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)
            if self.device == CPU and short:
                name = self.bundle.info.name
                raise DeviceError(f"The computer's memory does not suffice to run the model {name}.") from None
            if self.device == CPU:
                raise
            return None, "memory" if short else "device"

    def _fall_back(self, tried: int, failure: str) -> Message:
        free_memory(self.device)
        if failure == "memory" and tried > 1:
            return Message(
                f"The GPU's memory is short; the analysis goes on with {counted(tried // 2, 'slice')} at a time."
            )
        return self._move_to_cpu(failure)

    def _move_to_cpu(self, failure: str) -> Message:
        self._cache.drop(self.device)
        free_memory(self.device)
        self.device, self.precision = CPU, "float32"
        why = "The GPU's memory does not suffice" if failure == "memory" else "The GPU failed"
        return Message(f"{why}; the analysis goes on with the CPU.")


class _Prepared(contextlib.AbstractContextManager["_Prepared"]):
    """Slices made ready for the net.

    Args:
        volume: where they come from.
        indices: volume indices, in the order wanted.
        bundle: says how.
        ahead: beside the net, on a thread of its own: for a GPU. On the CPU that thread's team and the net's would wait
            for each other, so slices are made ready by the batch when they are taken.
    """

    _AHEAD = 32

    def __init__(self, volume: Volume, indices: Sequence[int], bundle: Bundle, *, ahead: bool) -> None:
        self._volume = volume
        self._waiting = deque(int(i) for i in indices)
        self._preprocessing = bundle.metadata.preprocessing
        self._ready: deque[tuple[int, Future[Tensor]]] = deque()
        self._returned: deque[tuple[int, Tensor]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="slices") if ahead else None

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @property
    def left(self) -> bool:
        """Whether any slice is left."""
        return bool(self._returned or self._ready or self._waiting)

    def take(self, count: int) -> list[tuple[int, Tensor]]:
        """The next slices, `count` at most, each with its `[1, c, S, S]`."""
        out: list[tuple[int, Tensor]] = []
        while self._returned and len(out) < count:
            out.append(self._returned.popleft())
        if self._pool is None:
            wanted = [self._waiting.popleft() for _ in range(min(count - len(out), len(self._waiting)))]
            batch = self._prepare(wanted)
            return out + [(index, batch[k : k + 1]) for k, index in enumerate(wanted)]
        self._fill(self._pool)
        while self._ready and len(out) < count:
            index, future = self._ready.popleft()
            out.append((index, future.result()))
            self._fill(self._pool)
        return out

    def give_back(self, slices: Sequence[tuple[int, Tensor]]) -> None:
        """Put slices taken last back to the front."""
        self._returned.extendleft(reversed(slices))

    def _fill(self, pool: ThreadPoolExecutor) -> None:
        while self._waiting and len(self._ready) < self._AHEAD:
            index = self._waiting.popleft()
            self._ready.append((index, pool.submit(self._prepare, [index])))

    @torch.inference_mode()
    def _prepare(self, indices: list[int]) -> Tensor:
        return net_input(self._volume, indices, self._preprocessing)


def _next_size(size: int, seconds: float, most: int) -> int:
    """Slices for the next step, so that it takes `_STEP_SECONDS`."""
    return int(max(1, min(most, size * min(_GROWTH, _STEP_SECONDS / max(seconds, 1e-6)))))
