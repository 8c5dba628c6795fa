"""Backbones with their feature pyramid, by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from ctviewer.nets.norms import group_norm
from ctviewer.nets.one_shot.norms import SliceBatchNorm
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.resnet import LEVELS, residual_trunk

_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "group": group_norm,
    "batch": FrozenBatchNorm2d,
    "batch_of_one": SliceBatchNorm,
}


class Backbone(nn.Module):
    """A residual trunk and a feature pyramid: `[n, 3, S, S]` to maps by name.

    The names of its weights are those of torchvision's `BackboneWithFPN`.

    Args:
        options: of the net. Levels "pyramid": maps "0" to "3" of strides 4 to 32, and "pool" of 64, which only proposals
            use; "single": map "0" of stride 32.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        trunk = residual_trunk(options.backbone, options.width, _NORMS[options.norm])
        stages = LEVELS if options.levels == "pyramid" else LEVELS[-1:]
        first = trunk.inplanes // 2 ** (len(LEVELS) - 1)  # the widths of the stages double
        widths = [first * 2 ** int(stage) for stage in stages]
        self.body = IntermediateLayerGetter(trunk, {f"layer{int(s) + 1}": LEVELS[i] for i, s in enumerate(stages)})
        self.fpn = FeaturePyramidNetwork(
            widths,
            options.channels,
            LastLevelMaxPool() if options.levels == "pyramid" else None,
            group_norm if options.norm == "group" else None,
        )

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Maps, each `[n, C, S / stride, S / stride]`."""
        maps: OrderedDict[str, Tensor] = self.fpn(self.body(images))
        return maps
