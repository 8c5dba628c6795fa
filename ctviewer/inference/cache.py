"""Nets kept in memory between the analyses of a session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ctviewer.models.bundle import Bundle

if TYPE_CHECKING:
    import torch
    from torch import nn


@runtime_checkable
class Foldable(Protocol):
    """A net whose frozen BatchNorm can be worked into its convolutions: the same numbers with less to do."""

    def fold_batch_norm(self) -> None:
        """Do it, in place."""


class NetCache:
    """Built nets by bundle and device. The caller of analyses owns it; one analysis at a time uses it.

    It is small and made without torch, so that the window can hold one from the start.
    """

    def __init__(self) -> None:
        self._nets: dict[tuple[Path, str, str], nn.Module] = {}

    def get(self, bundle: Bundle, device: torch.device) -> nn.Module:
        """The bundle's net on a device, in eval mode, built the first time.

        Raises:
            BundleError: its weights do not fit its net.
            torch.OutOfMemoryError: the device has no room for it.
        """
        key = (bundle.folder, bundle.info.sha256, str(device))  # the same weights may belong to two nets
        if key not in self._nets:
            net = bundle.build()
            if isinstance(net, Foldable):
                net.fold_batch_norm()
            self._nets[key] = net.to(device)
        return self._nets[key]

    def drop(self, device: torch.device) -> None:
        """Forget the nets on a device, so that its memory can be freed."""
        for key in [k for k in self._nets if k[-1] == str(device)]:
            del self._nets[key]

    def clear(self) -> None:
        """Forget all nets."""
        self._nets.clear()
