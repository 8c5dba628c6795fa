from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from ctviewer.datasets.phantom import Family, Phantom, PhantomSpec, Variant, generate


@cache
def _make(variant: Variant, seed: int) -> Phantom:
    return generate(PhantomSpec(seed, variant, Family.A, matrix=64, slices=10))


@pytest.fixture(scope="session")
def tiny() -> Callable[[Variant, int], Phantom]:
    """A phantom of 64 px and 10 slices, made once for equal arguments; nobody writes into it."""
    return _make


@pytest.fixture(scope="session")
def phantoms() -> tuple[Phantom, ...]:
    """One phantom of each class."""
    return tuple(_make(variant, 1) for variant in (Variant.CONTROL, Variant.PNEUMONIA, Variant.COVID))
