"""GoogLeNet without its last layer and its auxiliary heads, with either normalisation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import relu
from torchvision.models.googlenet import GoogLeNet, Inception, InceptionAux

from ctviewer.nets.norms import norm_layer


class _ConvNormReLU(nn.Module):
    """torchvision's `BasicConv2d`, which knows BatchNorm only; the names of its weights stay."""

    def __init__(self, into: int, out: int, *, norm: Callable[[int], nn.Module], **options: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, bias=False, **options)  # type: ignore[arg-type]  # sizes, strides and paddings
        self.bn = norm(out)

    def forward(self, maps: Tensor) -> Tensor:
        return relu(self.bn(self.conv(maps)), inplace=True)


def googlenet_trunk(norm: str = "group") -> GoogLeNet:
    """GoogLeNet: `[n, 3, S, S]` to `[n, 1024]`, the input of the last layer, after dropout.

    With BatchNorm it is what the published weights need: `transform_input` takes images with ImageNet's mean and std and
    brings them to the mean and std of 0.5 that those weights were trained with.

    Args:
        norm: one of `norms.NORMS`.

    Raises:
        ValueError: an unknown norm.
    """
    conv = partial(_ConvNormReLU, norm=norm_layer(norm, eps=0.001))
    net = GoogLeNet(
        aux_logits=False,
        transform_input=norm == "batch",
        init_weights=True,
        blocks=[conv, partial(Inception, conv_block=conv), InceptionAux],
    )
    net.fc = nn.Identity()
    return net
