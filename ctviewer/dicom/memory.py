"""Whether a series fits into memory, asked before it is loaded."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import psutil

from ctviewer.core.errors import InputError

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_FILES = (  # of control groups, version 2 and version 1
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def require_memory(shape: tuple[int, ...], name: str) -> None:
    """Refuse what does not fit into the memory that is free.

    The system hands out memory that it does not have and ends the program when it is used: it must be asked before.

    Args:
        shape: of 16-bit words.
        name: what the sentence calls it ("The series of /x/IM1").

    Raises:
        InputError: there is less than is needed.
    """
    needed, free = 2 * math.prod(shape), free_memory()
    if needed > free:
        raise InputError(f"{name} needs {_gigabytes(needed)} of memory, and {_gigabytes(free)} are free.")


def free_memory() -> int:
    """Bytes that can be had without swapping, within the limit of a container where there is one."""
    left = int(psutil.virtual_memory().available)
    for names in _FILES:
        with contextlib.suppress(OSError, ValueError, KeyError):  # no such group, or "max": no limit
            left = min(left, _left_of_group(*(_CONTROL_GROUP / name for name in names)))
    return left


def _left_of_group(limit: Path, usage: Path, details: Path) -> int:
    """What a control group of Linux may still take; cached files that nobody uses count as free, as they do outside."""
    stated = dict(line.split() for line in details.read_text(encoding="ascii").splitlines())
    cached = int(stated.get("total_inactive_file") or stated["inactive_file"])
    return max(0, int(limit.read_text()) - int(usage.read_text()) + cached)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
