"""From trained nets to the bundles that are shipped; their figures are written into them by `make evaluate-models`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ctviewer.core.words import counted, enumerated
from ctviewer.models.bundle import Bundle, save_bundle
from ctviewer.models.metadata import Metadata, Thresholds, TrainingData
from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter import bundle_texts as texts
from ctviewer.training.starter.chests import KINDS, Chest, digest
from ctviewer.training.starter.lesion_stage import LESION_INPUT
from ctviewer.training.starter.made import stored, took
from ctviewer.training.starter.recipe import lesion_options, lesion_settings
from ctviewer.training.starter.study_recipe import STUDY_INPUT, StudySettings, study_options

_PROBE = 8  # slices that what storing changes is measured on


def lesion_bundle(
    out: Path, net: OneShot, chests: Sequence[Chest], threshold: float, seconds: float, seed: int, device: str
) -> Bundle:
    """The lesion model.

    Args:
        out: folder of bundles.
        net: trained on all chests.
        chests: it learned from.
        threshold: of scores, the median of those that the folds of the cross-validation have chosen.
        seconds: that its training took.
        seed: of all draws.
        device: that trained.
    """
    recipe = {
        **lesion_settings(seed),
        "threshold": "median of the folds', each chosen on a patient that its fold held out",
        **took(seconds, seed, device),
        **stored(net, _maps),
    }
    metadata = Metadata(
        net=lesion_options(),
        preprocessing=LESION_INPUT,
        thresholds=Thresholds(detection_score=round(threshold, 3)),
        training_data=_data(chests, ()),
        recipe=recipe,
        **texts.INFECTION_LESIONS,
    )
    return _saved(out, metadata, net.state_dict())


def study_bundle(
    out: Path, said: Mapping[str, Any], net: StudyClassifier, learned: Sequence[Chest], held_out: Sequence[Chest],
    settings: StudySettings, seconds: float, device: str,
) -> Bundle:  # fmt: skip
    """A study model.

    Args:
        out: folder of bundles.
        said: `bundle_texts` of it.
        net: trained.
        learned: chests it learned from, its encoder's start included.
        held_out: chests that neither has met.
        settings: of its training.
        seconds: that it took.
        device: that trained.
    """
    recipe = {
        "encoder: start": "the feature pyramid of a fold model of infection-lesions that has not met the patients held out",
        **_study_settings(settings),
        "time: of": "both study models, which share an encoder; the lesion model that it starts as is not in it",
        **took(seconds, settings.seed, device),
        **stored(net, _features),
    }
    metadata = Metadata(
        net=study_options(len(said["classes"])),
        preprocessing=STUDY_INPUT,
        thresholds=Thresholds(),
        training_data=_data(learned, held_out),
        recipe=recipe,
        **said,
    )
    return _saved(out, metadata, net.state_dict())


def _study_settings(settings: StudySettings) -> dict[str, Any]:
    """All that decides a training besides its chests, for the card."""
    plans = dict(zip(("encoder", "aggregator"), settings.plans(), strict=True))
    told = {
        f"{stage}: {name}": value for stage, plan in plans.items() for name, value in dataclasses.asdict(plan).items()
    }
    others = [one.name for one in dataclasses.fields(settings) if one.name not in plans]
    return {**told, **{name: getattr(settings, name) for name in others}}


def _saved(out: Path, metadata: Metadata, state: Mapping[str, Tensor]) -> Bundle:
    return save_bundle(out / f"{metadata.name}-{metadata.version}", metadata, state)


def _data(learned: Sequence[Chest], held_out: Sequence[Chest]) -> TrainingData:
    counts: dict[str, int] = {}
    parts = {"train": learned, **({"held out": held_out} if held_out else {})}
    for part, chests in parts.items():
        for kind in KINDS:
            of_kind = [chest for chest in chests if chest.kind == kind]
            if of_kind:
                counts[f"{part} / {kind}: patients"] = len({chest.patient for chest in of_kind})
                counts[f"{part} / {kind}: slices"] = sum(len(chest.hu) for chest in of_kind)
                counts[f"{part} / {kind}: slices with infection"] = sum(int(c.infected.sum()) for c in of_kind)
    return TrainingData(_summary(held_out), counts, {part: digest(chests) for part, chests in parts.items()})


def _summary(held_out: Sequence[Chest]) -> str:
    """The sources, and of how many of their patients nothing was learned."""
    if not held_out:
        return texts.SOURCES
    sick = {chest.patient for chest in held_out if chest.infected.any()}
    clean = {chest.patient for chest in held_out} - sick
    parts = [f"{counted(len(sick), 'patient')} with infection"] if sick else []
    parts += [f"{counted(len(clean), 'patient')} without"] if clean else []
    return f"{texts.SOURCES} Held out of these, and never learned from: {enumerated(parts)}."


def _probe(side: int) -> Tensor:
    """Noise: what storing changes must not depend on anybody's picture."""
    return torch.randn((_PROBE, 1, side, side), generator=torch.Generator().manual_seed(0))


def _maps(net: nn.Module) -> Tensor:
    features: Tensor = net.features(_probe(LESION_INPUT.size))  # type: ignore[operator]  # nn.Module's __getattr__
    return features


def _features(net: nn.Module) -> Tensor:
    said: Tensor = net(_probe(STUDY_INPUT.crop)[None]).logits.softmax(dim=1)
    return said
