from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from ctviewer.datasets.phantom import Family, Phantom, PhantomSpec, Variant, generate

MakePhantom = Callable[..., Phantom]


@cache
def _make(seed: int, variant: Variant, family: Family) -> Phantom:
    return generate(PhantomSpec(seed, variant, family, matrix=112, slices=26))


@pytest.fixture(scope="session")
def make_phantom() -> MakePhantom:
    """A small phantom (112 px, 26 slices), made once per session for equal arguments; nobody writes into it."""

    def make(variant: Variant = Variant.COVID, family: Family = Family.A, seed: int = 1) -> Phantom:
        return _make(seed, variant, family)

    return make


@pytest.fixture(scope="session")
def tiny_phantom(make_phantom: MakePhantom) -> Phantom:
    """One of them without any finding."""
    return make_phantom(Variant.CONTROL)
