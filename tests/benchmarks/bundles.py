"""The shipped bundles: how large they are together, and how long each takes from its folder to a net that can answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Row, in_turn

MEGABYTE = 1e6


def run(work: Path) -> Iterator[Row]:
    """torch is there by then, as it is in the window when a model is first used."""
    import torch  # noqa: F401 (its import is no part of what is measured)

    from ctviewer.core.paths import resources
    from ctviewer.models import bundle as bundles
    from ctviewer.models.registry import Registry

    folder = resources() / "bundles"
    files = [path for path in folder.rglob("*") if path.is_file()]
    yield Row("all bundles together", sum(path.stat().st_size for path in files) / MEGABYTE, "MB", "< 60")
    registry = Registry([folder], work / "active.json")
    shipped, problems = registry.scan()
    if problems:
        raise RuntimeError(" ".join(problems))

    def fresh(path: Path) -> None:
        """Nothing is remembered of the last time."""
        bundles._hashes.clear()
        bundles.load_bundle(path).build()

    times = in_turn(*(lambda path=one.folder: fresh(path) for one in shipped))
    for one, seconds in zip(shipped, times, strict=True):
        yield Row(f"{one.key}: read, checked and built", seconds, "s", "< 1")
    (listed,) = in_turn(registry.scan)
    yield Row("the list of models, again", listed, "s")
