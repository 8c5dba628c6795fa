"""A finished run becomes a child bundle: the next free version of its name, with its card filled from the run.

Needs no torch by itself: `make_child` is called by the training process, the rest is read by the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle, VersionTakenError, save_bundle, weights_sha256
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT, Metadata, is_name, version_numbers
from ctviewer.models.registry import ACTIVE, Registry, taken_versions
from ctviewer.training.config import RunConfig
from ctviewer.training.ledger import TRAINING, Ledger
from ctviewer.training.run_result import CROSS_VALIDATION, RunResult, holdouts, learned_contents, learned_images
from ctviewer.training.version_metadata import version_metadata

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CROSS_VALIDATION", "DEFAULT_NAMES", "RunResult", "child_name", "make_child", "next_version", "require_name"]

DEFAULT_NAMES = {CLASSIFIER: "study-classifier", ONE_SHOT: "one-shot"}
FIRST = (1, 0, 0)
_ATTEMPTS = 20


def make_child(result: RunResult, base: Bundle | None, bundles: Path) -> Bundle:
    """Save what a run made as a new version, and count its look at the hold-out.

    Args:
        result: of the run.
        base: what it started from; None for a start without one.
        bundles: folder of the department's bundles; the ledger of hold-outs lies beside it.

    Returns:
        The new bundle; it is not active.

    Raises:
        InputError: the name cannot be one of a bundle.
        BundleError: a weight is not finite, or what the run says contradicts itself.
        StorageError: the place cannot be written.
    """
    name = require_name(child_name(result.config, base))
    ledger = Ledger.beside(bundles)
    metadata = version_metadata(result, base, name, ledger)
    bundle = _made_before(metadata, bundles, result.state) or _saved(metadata, base, bundles, result.state)
    m = bundle.metadata
    learned = learned_contents(result) | learned_images(result)
    ledger.learned(m.weights_sha256, learned, m.run.parent_sha256 if m.run else "")
    for contents in holdouts(result).values():
        ledger.look(contents, TRAINING, model=bundle.key, once=result.run)
    return bundle


def _made_before(metadata: Metadata, bundles: Path, state: Mapping[str, Tensor]) -> Bundle | None:
    """What this very run saved already, where its process died right after: it does not become a second version."""
    assert metadata.run is not None
    weights = weights_sha256(state)
    for bundle in Registry((bundles,), bundles / ACTIVE).scan()[0]:
        m = bundle.metadata
        same = m.run is not None and (m.run.key, m.run.config_sha256) == (metadata.run.key, metadata.run.config_sha256)
        if same and (m.name, m.weights_sha256) == (metadata.name, weights):
            return bundle
    return None


def _saved(metadata: Metadata, base: Bundle | None, bundles: Path, state: Mapping[str, Tensor]) -> Bundle:
    """Under the next free version; another process may take it between the look and the writing."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        version = next_version(metadata.name, bundles, base)
        try:
            return save_bundle(bundles / f"{metadata.name}-{version}", replace(metadata, version=version), state)
        except VersionTakenError:
            if not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def require_name(name: str) -> str:
    """The name, if it can be one of a bundle.

    Raises:
        InputError: it cannot.
    """
    if not is_name(name):
        raise InputError(
            f"The model name {name[:80]!r} cannot be used: it takes lower case letters, digits and hyphens, 64 at most."
        )
    return name


def child_name(config: RunConfig, base: Bundle | None) -> str:
    """What the new bundle is called: as asked for, else like what it was tuned from."""
    if config.model.name:
        return config.model.name
    return base.metadata.name if base is not None and base.metadata.task == config.task else DEFAULT_NAMES[config.task]


def next_version(name: str, bundles: Path, base: Bundle | None = None) -> str:
    """The next free version: a minor one above all that are or were there under this name, 1.0.0 for a new name.

    Versions count that are damaged, were activated once, or are the parent of something: no number is given twice.
    """
    folders = [bundles] if base is None else [bundles, base.folder.parent]
    taken = taken_versions(name, folders)
    if base is not None and base.metadata.name == name:
        taken |= {version_numbers(base.metadata.version)}
    if not taken:
        return ".".join(map(str, FIRST))
    major, minor, _ = max(taken)
    return f"{major}.{minor + 1}.0"
