"""Which studies, or scans, of a table are judged, and what the parts that they are in are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ctviewer.core.errors import InputError
from ctviewer.core.words import counted

LEARNED_FROM = ("train", "val")
"""No hold-outs: looking at them costs nothing."""


class Parted(Protocol):
    """A source that knows parts."""

    def ids(self) -> Sequence[str]:
        """Of its studies or scans."""
        ...

    def split(self, study: str, /) -> str:
        """The part that a study is in; "" where nobody says it."""
        ...


def chosen_parts(source: Parted, split: str | None, unit: str = "study") -> dict[str, str]:
    """Studies to be judged, with the part each is in.

    Args:
        source: of them.
        split: the part that is asked for; "all" for each by itself; None for the test part, or all where there are none.
        unit: what one of them is.

    Raises:
        InputError: the part is empty; the text names those that there are.
    """
    units = counted(2, unit).partition(" ")[2]
    given = {study: source.split(study) for study in source.ids()}
    named = sorted({part for part in given.values() if part})
    if split is None and not named:
        return dict.fromkeys(given, f"all {units}")
    if split is not None and split.strip().casefold() == "all":
        return {study: part or f"all {units}" for study, part in given.items()}
    wanted = "test" if split is None else split.strip()
    found = {study: part for study, part in given.items() if part.casefold() == wanted.casefold()}
    if not found:
        known = f"they name {', '.join(named)}" if named else "they name no parts"
        raise InputError(f"The labels put no {unit} into {wanted!r}; {known}. --split all takes every {unit}.")
    return found
