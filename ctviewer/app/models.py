"""The installed model bundles: where they are looked for, and which are in use."""

from __future__ import annotations

from ctviewer.app.folders import data_folder
from ctviewer.core.errors import BundleError
from ctviewer.core.paths import resources
from ctviewer.models.bundle import Bundle
from ctviewer.models.registry import Registry


def installed() -> Registry:
    """Bundles of the department (data folder) before those that come with the program."""
    own = data_folder() / "bundles"
    return Registry((own, resources() / "bundles"), own / "active.json")


def listing(registry: Registry) -> tuple[tuple[Bundle, ...], frozenset[str], tuple[str, ...]]:
    """All that there is to show, also where a choice cannot be used.

    Returns:
        The bundles, the keys of those in use, and one sentence for each thing that cannot be used.
    """
    bundles, problems = registry.scan()
    active, told = set(), list(problems)
    for task in dict.fromkeys(bundle.metadata.task for bundle in bundles):
        try:
            used = registry.active(task)
        except BundleError as error:
            told.append(str(error))
        else:
            active.update([used.key] if used else [])
    return bundles, frozenset(active), tuple(told)
