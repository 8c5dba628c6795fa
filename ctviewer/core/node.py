"""Reading JSON strictly: whatever does not fit is one sentence that names the place."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.errors import InputError


class Node:
    """One object of the file, read strictly: whatever does not fit is an InputError that names the place."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise InputError(f"The analysis result is damaged: {place} is not an object.")
        self._value = value
        self._place = place

    def _bad(self, key: str, wanted: str) -> InputError:
        return InputError(f"The analysis result is damaged: {self._place}.{key} is not {wanted}.")

    def _get(self, key: str) -> object:
        if key not in self._value:
            raise InputError(f"The analysis result is damaged: {self._place}.{key} is missing.")
        return self._value[key]

    def text(self, key: str) -> str:
        """A text."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self._bad(key, "text")
        return value

    def later_text(self, key: str) -> str:
        """A text; "" where the key is missing, which came with a later version."""
        return self.text(key) if key in self._value else ""

    def later_value(self, key: str) -> object:
        """Whatever stands there; None too where the key is missing, which came with a later version."""
        return self._value.get(key)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of these texts."""
        value = self.text(key)
        if value not in allowed:
            raise self._bad(key, "one of the known values")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._list(key)
        if not all(isinstance(v, str) for v in values):
            raise self._bad(key, "a list of texts")
        return tuple(str(v) for v in values)

    def integer(self, key: str, least: int = 0) -> int:
        """A whole number from `least`."""
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._bad(key, f"a whole number from {least}")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = _as_number(self._get(key))
        if value is None:
            raise self._bad(key, "a number")
        return value

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None for null."""
        return None if self._get(key) is None else self.number(key)

    def later_number(self, key: str) -> float | None:
        """A number or null; None too where the key is missing, which came with a later version."""
        return self.optional_number(key) if key in self._value else None

    def numbers(self, key: str, count: int) -> NDArray[np.float64]:
        """A list of `count` numbers, null read as NaN."""
        return self._row(key, self._list(key), count)

    def table(self, key: str, rows: int, columns: int) -> NDArray[np.float64] | None:
        """`[rows, columns]` numbers, or None for null."""
        if self._get(key) is None:
            return None
        lists = self._list(key)
        if len(lists) != rows or not all(isinstance(row, list) for row in lists):
            raise self._bad(key, f"a list of {rows} lists")
        return np.array([self._row(key, row, columns) for row in lists if isinstance(row, list)]).reshape(rows, columns)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of texts."""
        out = []
        for pair in self._list(key):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                raise self._bad(key, "a list of name and value")
            out.append((str(pair[0]), str(pair[1])))
        return tuple(out)

    def child(self, key: str) -> Node:
        """An object."""
        return Node(self._get(key), f"{self._place}.{key}")

    def optional_child(self, key: str) -> Node | None:
        """An object, or None for null."""
        return None if self._get(key) is None else self.child(key)

    def later_child(self, key: str) -> Node | None:
        """An object or null; None too where the key is missing, which came with a later version."""
        return self.optional_child(key) if key in self._value else None

    def later_children(self, key: str) -> list[Node]:
        """A list of objects; empty where the key is missing, which came with a later version."""
        return self.children(key) if key in self._value else []

    def children(self, key: str) -> list[Node]:
        """A list of objects."""
        return [Node(value, f"{self._place}.{key}[{i}]") for i, value in enumerate(self._list(key))]

    def _list(self, key: str) -> list[object]:
        value = self._get(key)
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        return value

    def _row(self, key: str, values: list[object], count: int) -> NDArray[np.float64]:
        numbers = [math.nan if v is None else _as_number(v) for v in values]
        if len(numbers) != count or any(n is None for n in numbers):
            raise self._bad(key, f"a list of {count} numbers")
        return np.array(numbers, np.float64)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
