"""The installed model bundles: where they are looked for, which are in use, and how one is named."""

from __future__ import annotations

import contextlib

from ctviewer.app.folders import data_folder
from ctviewer.core.errors import BundleError, CtviewerError, InputError
from ctviewer.core.paths import resources
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.models.registry import Registry

_WORDS = {CLASSIFIER: "study classifier", ONE_SHOT: "one-shot model"}


def installed() -> Registry:
    """Bundles of the department (data folder) before those that come with the program."""
    own = data_folder() / "bundles"
    return Registry((own, resources() / "bundles"), own / "active.json")


def named(key: str, task: str = "") -> Bundle:
    """An installed bundle by "name version", "name-version" or its name alone, which means its newest version.

    Args:
        key: what somebody typed, or what was kept.
        task: of the bundle; "" for any.

    Raises:
        InputError: it is not installed, or is of another task.
    """
    bundles, problems = installed().scan()
    wanted = " ".join(key.split())
    spellings = {wanted, " ".join(wanted.rsplit("-", 1))}
    found = [one for one in bundles if one.key in spellings]
    found = found or [one for one in bundles if one.metadata.name == wanted][-1:]
    if not found:
        known = ", ".join(one.key for one in bundles if task in ("", one.metadata.task)) or "none"
        raise InputError(" ".join([f"The model {wanted} is not installed; there are: {known}.", *problems]))
    if task and found[0].metadata.task != task:
        raise InputError(f"The model {found[0].key} is no {_WORDS[task]}.")
    return found[0]


def required(task: str) -> Bundle:
    """The active bundle of a task.

    Raises:
        BundleError: there is none, or it cannot be used.
    """
    active = installed().active(task)
    if active is None:
        raise BundleError(f"No {_WORDS[task]} is in use: install one, or activate one that training made.")
    return active


def in_use(task: str) -> Bundle | None:
    """The active bundle of a task; None where there is none that can be used."""
    with contextlib.suppress(CtviewerError):
        return installed().active(task)
    return None


def is_used(bundle: Bundle) -> bool:
    """Whether it is the active one of its task."""
    used = in_use(bundle.metadata.task)
    return used is not None and used.key == bundle.key


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
