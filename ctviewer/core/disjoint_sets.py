"""Which things belong together, when that is learned pair by pair (union-find)."""

from __future__ import annotations

from collections.abc import Iterable


class DisjointSets:
    """Sets of numbers, each in one of its own at first.

    Args:
        numbers: that are there from the beginning.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._parent = {number: number for number in numbers}

    def add(self, number: int) -> None:
        """One more, in a set of its own."""
        self._parent[number] = number

    def root(self, number: int) -> int:
        """The smallest number of its set."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, a: int, b: int) -> None:
        """Make the sets of two numbers one."""
        a, b = sorted((self.root(a), self.root(b)))
        self._parent[b] = a

    def groups(self) -> list[list[int]]:
        """The sets, by their member that was first there; members in the order in which they came."""
        out: dict[int, list[int]] = {}
        for number in self._parent:
            out.setdefault(self.root(number), []).append(number)
        return list(out.values())
