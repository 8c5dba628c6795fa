"""Cases: which seed, which mutation, alone or among good files. The same numbers make the same bytes, always."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fuzz.damage import BYTES, STRUCTURE, deflated_bomb
from fuzz.elements import build, parse
from fuzz.harmless import CHANGES
from fuzz.seeds import seed

_HARMLESS_ONE_IN = 5
_ALONE = "no_end_mark"  # nothing may follow


@dataclass(frozen=True)
class Case:
    """One file to open.

    Attributes:
        mutations: what was done to the seed.
        harmless: it must open with equal pixels.
        among: in a folder with good slices of the same series, which must open whatever happens to it.
    """

    family: str
    number: int
    mutations: tuple[str, ...]
    harmless: bool
    among: bool
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """To be kept and tried again, also when the mutations have changed."""
        return vars(self) | {"data": base64.b64encode(self.data).decode()}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Case:
        """The inverse of `as_json`."""
        return cls(**kept | {"data": base64.b64decode(kept["data"]), "mutations": tuple(kept["mutations"])})


def cases(family: str, count: int, run: int) -> Iterator[Case]:
    """`count` cases of a family; another `run` gives others."""
    for number in range(count):
        yield case(family, number, run)


def case(family: str, number: int, run: int) -> Case:
    """One case."""
    rng = random.Random(f"{run}/{family}/{number}")
    start = seed(family)
    among = bool(start.neighbours) and rng.random() < 0.4
    harmless = start.is_dicom and number % _HARMLESS_ONE_IN == 0
    if harmless:
        names, data = _changed(start.data, rng, number // _HARMLESS_ONE_IN)
    else:
        names, data = _damaged(start.data, rng, structured=start.is_dicom)
    return Case(family, number, names, harmless, among, data)


def _changed(data: bytes, rng: random.Random, turn: int) -> tuple[tuple[str, ...], bytes]:
    """Every harmless change in its turn, with none to two others."""
    names = list(CHANGES)
    first = names[turn % len(names)]
    others = (
        [] if first == _ALONE else rng.sample([n for n in names if n not in (first, _ALONE)], rng.choice((0, 0, 1, 2)))
    )
    file, done = parse(data), []
    for name in (first, *others):
        changed = CHANGES[name](file, rng)
        if changed is not None:
            file = changed
            done.append(name)
    return tuple(done), build(file)


def _damaged(data: bytes, rng: random.Random, *, structured: bool) -> tuple[tuple[str, ...], bytes]:
    """One to three mutations: those of the structure first, because bytes cannot be taken apart again."""
    done: list[str] = []
    if structured and rng.random() < 0.75:
        file = parse(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            name = rng.choice(list(STRUCTURE))
            changed = STRUCTURE[name](file, rng)
            if changed is not None:
                file = changed
                done.append(name)
        if file.deflated and rng.random() < 0.03 and (bomb := deflated_bomb(file, rng)) is not None:
            return (*done, "deflated_bomb"), bomb
        data = build(file)
    if not done or rng.random() < 0.15:
        for _ in range(rng.choice((1, 1, 2, 4))):
            name = rng.choice(list(BYTES))
            data = BYTES[name](data, rng) or b"\0"
            done.append(name)
    return tuple(done), data
