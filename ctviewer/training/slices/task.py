"""What a one-shot model is to tell: classes of lesions and of slices, from what is wanted, what the data have, and a base."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ctviewer.core.errors import InputError
from ctviewer.core.slices import BACKGROUND
from ctviewer.models.metadata import Metadata
from ctviewer.training.config import ModelConfig
from ctviewer.training.slices.classes import LUNG

_ORDER = (LUNG, "infection", "ground glass", "consolidation")


@dataclass(frozen=True)
class SliceTask:
    """Classes of a one-shot model.

    Attributes:
        classes: the background first.
        lesion_classes: those of them that are lesions.
        image_classes: of whole slices, in the order of the logits; empty where it tells none.
        negative_class: of `image_classes`: "no finding"; "" for none.
        unseen: classes of both kinds that no training data show.
    """

    classes: tuple[str, ...]
    lesion_classes: tuple[str, ...]
    image_classes: tuple[str, ...]
    negative_class: str
    unseen: tuple[str, ...] = ()


def slice_task(
    model: ModelConfig, outlined: Collection[str], slice_classes: Collection[str], base: Metadata | None
) -> SliceTask:
    """The classes of a run.

    Args:
        model: what is wanted.
        outlined: classes that label maps show, the background left out.
        slice_classes: that slices have; empty where no set has any, and the model then tells none.
        base: of the one-shot model that a run starts from with all its weights; else None.

    Raises:
        InputError: nothing is outlined but lungs, slices are of one class, or the data have a class that is not wanted.
    """
    classes, lesions = _outlines(model, outlined, base)
    images, negative = _images(model, slice_classes, base)
    seen = {*outlined, *slice_classes, BACKGROUND}
    unseen = tuple(name for name in (*classes, *images) if name not in seen)
    return SliceTask(classes, lesions, images, negative, unseen)


def _outlines(
    model: ModelConfig, outlined: Collection[str], base: Metadata | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes, and those of them that are lesions."""
    known = set(outlined)
    if not known - {LUNG} and not model.classes:
        what = "nothing but lungs" if known else "nothing"
        raise InputError(f"The sets of slices with outlined lesions show {what}: there is no lesion to learn from.")
    if not model.classes and base is not None and known <= set(base.classes):
        return base.classes, base.lesion_classes
    first = [name for name in _ORDER if name in known]
    classes = model.classes or (BACKGROUND, *first, *sorted(known - set(first)))
    _require_known(known, classes, "outlines of", "model.classes")
    lesions = tuple(name for name in classes[1:] if name != LUNG)
    if not lesions:
        raise InputError("model.classes names no lesion: there is nothing to outline but lungs.")
    return classes, lesions


def _images(model: ModelConfig, found: Collection[str], base: Metadata | None) -> tuple[tuple[str, ...], str]:
    """Classes of slices, and which of them is negative."""
    known = set(found)
    if not known:
        return (), ""
    if len(known) == 1:
        raise InputError(f"All slices are of one class ({', '.join(known)}), so there is nothing to tell apart.")
    negative = model.negative_class
    images = model.image_classes
    if not images and base is not None and known <= set(base.image_classes):
        images = base.image_classes
    if not negative and base is not None and base.negative_class in (images or known):
        negative = base.negative_class
    images = images or tuple(sorted(known, key=lambda name: (name != negative, name)))
    _require_known(known, images, "slices of the class", "model.image_classes")
    if negative and negative not in images:
        raise InputError(f"The negative class {negative} is none of the classes of slices ({', '.join(images)}).")
    return images, negative


def _require_known(found: Collection[str], wanted: Sequence[str], what: str, key: str) -> None:
    unknown = sorted(set(found) - set(wanted))
    if unknown:
        raise InputError(
            f"The data have {what} {', '.join(unknown)}, which {key} ({', '.join(wanted)}) lack; say in model.merge what "
            "they are learned as."
        )
