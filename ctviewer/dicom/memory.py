"""Whether a series fits into memory, asked before it is loaded."""

from __future__ import annotations

import math

import psutil

from ctviewer.core.errors import InputError


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
    """Bytes that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
