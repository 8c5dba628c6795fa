"""Small pieces of sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, one: str) -> str:
    """For instance "1 slice", "12 slices"; "series" stays as it is."""
    return f"{count} {one}" if count == 1 or one.endswith("s") else f"{count} {one}s"


def enumerated(words: Sequence[str]) -> str:
    """For instance "values, distances and orientation"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
