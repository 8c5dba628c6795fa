"""What is said beside a comparison: what the two learned from, and how often the same was looked at before."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from ctviewer.app.folders import data_folder
from ctviewer.models.bundle import Bundle
from ctviewer.training.comparison import Comparison
from ctviewer.training.ledger import COMPARISON as LOOK
from ctviewer.training.ledger import Ledger
from ctviewer.training.predictions import Subject
from ctviewer.training.run_result import CROSS_VALIDATION
from ctviewer.training.version_texts import seen_by_model


def noted(comparison: Comparison, note: str) -> Comparison:
    """With one more sentence."""
    return dataclasses.replace(comparison, notes=(*comparison.notes, note))


def seen_before(comparison: Comparison, subjects: Sequence[Subject], new: Bundle, old: Bundle, unit: str) -> Comparison:
    """With how much of what was judged the two learned from.

    Of a cross-validation the new one learned from all, and was not judged itself.

    Args:
        comparison: of the two.
        subjects: what they were judged by.
        new: the one.
        old: the other.
        unit: what one of the subjects is.
    """
    known = [(one.content, *one.images) for one in subjects]
    judged = (old,) if any(one.split == CROSS_VALIDATION for one in subjects) else (old, new)
    for bundle in judged:
        if seen := _ledger().seen_any(bundle.metadata.weights_sha256, known):
            comparison = noted(comparison, seen_by_model(seen, len(known), bundle.key, unit))
    return comparison


def looked_at(comparison: Comparison, contents: Collection[str], new: Bundle, old: Bundle, units: str) -> Comparison:
    """With how often the same was looked at before; this look is counted."""
    looks = _ledger().looks(contents)
    _ledger().look(contents, LOOK, model=f"{old.key} and {new.key}")
    if not looks:
        return comparison
    often = "once" if sum(looks.values()) == 1 else f"{sum(looks.values())} times"
    return noted(comparison, f"These {units}, or most of them, were looked at {often} before.")


def _ledger() -> Ledger:
    return Ledger.beside(data_folder() / "bundles")
