"""Where the program's own read-only files are."""

from __future__ import annotations

from pathlib import Path


def resources() -> Path:
    """The `resources` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_resources"
    return inside if inside.is_dir() else package.parent / "resources"
