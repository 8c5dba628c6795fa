"""The backbone of an installed model, of either task, as a one-shot net can have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle
from ctviewer.nets.one_shot import OneShot
from ctviewer.nets.one_shot.options import BACKBONES
from ctviewer.nets.study_classifier import StudyClassifier

_SHAPING = ("backbone", "levels", "norm", "width", "channels")  # options of a one-shot net that its backbone follows
_PYRAMID = "resnet18_pyramid"  # the slice encoder that is a whole backbone


@dataclass(frozen=True, eq=False)
class FoundBackbone:
    """Weights for `OneShot.backbone`.

    Attributes:
        options: of the net that takes them.
        state: by the names of `OneShot.backbone`.
        pyramid: whether the feature pyramid is among them; else the trunk alone.
    """

    options: Mapping[str, Any]
    state: Mapping[str, Tensor]
    pyramid: bool


def backbone_of(bundle: Bundle) -> FoundBackbone:
    """The backbone of a model.

    Raises:
        InputError: it has none that a one-shot net can have.
        BundleError: it is damaged.
    """
    net = bundle.build()
    if isinstance(net, OneShot):
        options = {name: getattr(net.options, name) for name in _SHAPING}
        return FoundBackbone(options, net.backbone_state(), pyramid=True)
    if isinstance(net, StudyClassifier):
        name = str(bundle.metadata.net.get("encoder", "resnet18"))
        given = dict(bundle.metadata.net.get("encoder_options", {}))
        state = net.encoder.trunk.state_dict()
        if name == _PYRAMID:
            own = {key.removeprefix("pyramid."): tensor for key, tensor in state.items()}
            options = {"backbone": "resnet18", "levels": "pyramid", "norm": "group", "width": 64, "channels": 64}
            return FoundBackbone({**options, **given}, own, pyramid=True)
        if name in BACKBONES:
            own = {f"body.{key}": t for key, t in state.items() if not key.endswith(".num_batches_tracked")}
            return FoundBackbone({"backbone": name, "norm": "group", "width": 64, **given}, own, pyramid=False)
    raise InputError(f"{bundle.key} has no backbone that a one-shot model can start from.")
