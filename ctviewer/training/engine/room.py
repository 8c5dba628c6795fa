"""How much of a study may be kept in memory on the way to its loss, so that it need not be computed again on the way back.

Kept or computed again, gradients are the same bit by bit: what fits decides about time alone, and may change in a resume.
"""

from __future__ import annotations

import psutil
import torch
from torch import Tensor

from ctviewer.nets.study_classifier import StudyClassifier

LARGEST = 8 << 30  # bytes: with the net, its optimizer and the system's share a step stays under 12 GB
_SHARE = 0.5  # of what is free: other programs, and other studies, want some too


def kept_chunks(
    net: StudyClassifier, images: Tensor, chunk: int, precision: torch.dtype | None = None, processes: int = 1
) -> int:
    """How many chunks of a study keep their activations, at least one.

    Args:
        net: on its device, in training mode; nothing of it, nor of the random numbers, changes.
        images: at least two slices, `[n, 3 or 1, S, S]`.
        chunk: slices that pass the encoder at once.
        precision: as for `nets.chunks.accumulate_gradients`.
        processes: that share the memory.
    """
    device = next(net.parameters()).device
    if not any(p.requires_grad for p in net.encoder.parameters()):
        return 1
    room = min(LARGEST, int(_SHARE * free_bytes(device) / processes))
    return max(1, room // max(1, chunk * slice_bytes(net, images, precision)))


def free_bytes(device: torch.device) -> int:
    """Memory that nobody uses, of the device or of the computer."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def slice_bytes(net: StudyClassifier, images: Tensor, precision: torch.dtype | None = None) -> int:
    """Bytes that one more slice in a chunk keeps for the way back; see `kept_chunks`."""
    device = next(net.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        # copies: a view would be counted with all that it is a view of
        one, two = (_saved(net, images[:n].to(device, copy=True), precision) for n in (1, 2))
    return max(0, two - one)


def _saved(net: StudyClassifier, images: Tensor, precision: torch.dtype | None) -> int:
    """Bytes of all tensors that a graph holds on to, each counted once."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # itself would hold its graph, which holds it: a circle through C++ that nobody breaks

    reduced = torch.autocast(images.device.type, precision, enabled=precision is not None)
    with torch.enable_grad(), reduced, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = net.encode(images)  # held until all is counted: no two tensors then had one address
    del features
    return sum(sizes.values())
