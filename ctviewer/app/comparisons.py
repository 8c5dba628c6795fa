"""Comparisons of installed versions, kept by the weights of both: what a run made, and what was asked for later."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.core.errors import BundleError, InputError
from ctviewer.models.bundle import Bundle
from ctviewer.training.activation_doubts import activation_doubts
from ctviewer.training.comparison import Comparison, read_comparison, write_comparison

_FOLDER = "comparisons"


def keep(new: Bundle, old: Bundle, comparison: Comparison) -> None:
    """Keep a comparison; a later one of the same two takes its place.

    Raises:
        StorageError: it cannot be written.
    """
    write_comparison(_path(new, old), comparison)


def find(new: Bundle, old: Bundle) -> Comparison | None:
    """The last comparison of two versions; None where there is none that can be read."""
    with contextlib.suppress(InputError):
        return read_comparison(_path(new, old))
    return None


def doubts_about(bundle: Bundle) -> tuple[str, ...]:
    """What to know before a bundle is activated, as sentences; none where there is nothing."""
    try:
        used = installed().active(bundle.metadata.task)
    except BundleError as error:
        return (str(error),)
    if used is None or used.key == bundle.key:
        return ()
    return activation_doubts(bundle, used, find(bundle, used) or find(used, bundle))


def _path(new: Bundle, old: Bundle) -> Path:
    a, b = (one.metadata.weights_sha256[:32] for one in (new, old))
    return data_folder() / _FOLDER / f"{a}-{b}.json"
