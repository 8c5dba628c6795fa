"""Tries cases in child processes: what crashes, hangs or is killed there is a verdict like any other."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait

from fuzz.cases import Case
from fuzz.trial import Verdict
from fuzz.worker import serve

HANG_SECONDS = 5.0
_START_SECONDS = 60.0
_CONTEXT = multiprocessing.get_context("spawn")


Target = Callable[[Connection], None]


class _Child:
    """One process, and the case that it has in hand."""

    def __init__(self, target: Target) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=target, args=(theirs,))
        self.process.start()
        theirs.close()
        if not self.pipe.poll(_START_SECONDS):
            raise TimeoutError("the process for cases does not start")
        self.pipe.recv()
        self.case: Case | None = None
        self.deadline = 0.0

    def give(self, case: Case, seconds: float) -> None:
        """Let it try a case."""
        self.case, self.deadline = case, time.monotonic() + seconds
        self.pipe.send(case)

    def end(self) -> None:
        """Stop it, by force if need be."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def run(
    cases: Iterable[Case], processes: int = 1, target: Target = serve, hang_seconds: float = HANG_SECONDS
) -> Iterator[tuple[Case, Verdict]]:
    """Try cases, in any order; a child that crashed or hangs is replaced. A hang counts only when it happens twice."""
    waiting, again = iter(cases), deque[Case]()
    suspected: set[tuple[str, int]] = set()
    children = [_Child(target) for _ in range(processes)]
    try:
        while True:
            for child in children:
                if child.case is None and (case := again.popleft() if again else next(waiting, None)) is not None:
                    child.give(case, hang_seconds)
            busy = [child for child in children if child.case is not None]
            if not busy:
                return
            ready = wait([child.pipe for child in busy], 0.2)
            for child in busy:
                assert child.case is not None
                case, verdict = child.case, _answer(child, child.pipe in ready)
                if verdict is None:
                    continue
                child.case = None
                if verdict.name in ("crash", "hang"):
                    children[children.index(child)] = _Child(target)
                if verdict.name == "hang" and (case.family, case.number) not in suspected:
                    suspected.add((case.family, case.number))
                    again.append(case)
                else:
                    yield case, verdict
    finally:
        for child in children:
            child.end()


def _answer(child: _Child, ready: bool) -> Verdict | None:
    if ready:
        try:
            verdict: Verdict = child.pipe.recv()
            return verdict
        except (EOFError, OSError):
            child.process.join(5)
            return Verdict("crash", f"exit code {child.process.exitcode}")
    if time.monotonic() > child.deadline:
        child.process.kill()
        child.process.join()
        return Verdict("hang")
    return None
