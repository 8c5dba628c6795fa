"""The installed model bundles: where they are looked for, which are in use, and how one is named."""

from __future__ import annotations

import contextlib

from ctviewer.app.folders import data_folder
from ctviewer.core.errors import BundleError, CtviewerError, InputError
from ctviewer.core.paths import resources
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT, Metadata
from ctviewer.models.registry import Registry
from ctviewer.training.config import BACKBONES

_PYRAMID = "resnet18_pyramid"  # the slice encoder that is a one-shot model's whole backbone
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


def domain_bundle(task: str) -> Bundle:
    """Whose encoder or backbone a run of the start "domain" takes where it names none.

    The default study classifier has an encoder that learned from CT slices to be started from, whichever model is in use.
    Where there is no default, or its encoder is none that a one-shot model can have, it is the active bundle of the task.

    Args:
        task: what is trained.

    Raises:
        BundleError: there is none, or it cannot be used.
    """
    meant = installed().default(CLASSIFIER)
    if meant is not None and meant.metadata.default and (task == CLASSIFIER or lends(meant.metadata)):
        return meant
    return required(task)


def lends(m: Metadata) -> bool:
    """Whether a one-shot model can have its backbone (`engine.one_shot.backbones`, told here without torch)."""
    return m.task == ONE_SHOT or (m.task == CLASSIFIER and m.net.get("encoder", "resnet18") in (*BACKBONES, _PYRAMID))


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
