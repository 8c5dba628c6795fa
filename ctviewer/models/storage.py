"""How weights lie in a bundle: matrices in half precision where that changes nothing that matters, and none of them twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

_LARGEST_ERROR = 2.0**-10  # of a matrix, against its largest weight: rounding to 11 bits makes half of it
_COPIES = "copies"  # entry of the file's header; one alone, because the format does not keep the order of several


def as_kept(tensor: Tensor) -> Tensor:
    """A weight as a bundle keeps it.

    Vectors (norms, biases, statistics) stay in float32: they are few, and a variance near zero does not survive float16.
    So does a matrix that float16 has no range for.

    Args:
        tensor: of a net's state.

    Returns:
        A copy on the CPU; counters and other whole numbers as they are.
    """
    own = tensor.detach().cpu().contiguous()
    if not own.is_floating_point():
        return own.clone()
    whole = own.to(torch.float32, copy=True)
    if whole.dim() < 2 or whole.numel() == 0:
        return whole
    half = whole.half()
    error = (half.float() - whole).abs().max()
    return half if bool(error <= _LARGEST_ERROR * whole.abs().max()) else whole


def to_bytes(state: Mapping[str, Tensor]) -> bytes:
    """The file of some weights. A matrix that is there under several names (a copied branch) is written once.

    Raises:
        ValueError: a weight is not finite; the text is a clause that follows "because".
    """
    kept = {name: as_kept(tensor) for name, tensor in state.items()}
    for name, tensor in kept.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} is not finite")
    first: dict[str, str] = {}
    copies = {name: one for name, t in kept.items() if (one := first.setdefault(_content(name, t), name)) != name}
    written = {name: tensor for name, tensor in kept.items() if name not in copies}
    data: bytes = save(written, {_COPIES: json.dumps(copies, sort_keys=True)} if copies else None)
    return data


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """The weights of such a file under all their names.

    Raises:
        SafetensorError: it is no such file.
        ValueError: it names a weight as another's copy that it lacks; the text is a clause that follows "because".
    """
    state: dict[str, Tensor] = load(data)  # this has checked the header
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    copies = _copies(header.get("__metadata__", {}).get(_COPIES, "{}"))
    if lacking := sorted(set(copies.values()) - set(state)):
        raise ValueError(f"its weights lack {lacking[0]}")
    return state | {name: state[one] for name, one in copies.items()}


def _copies(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ValueError("its weights do not say what is a copy of what")
    return found


def _content(name: str, tensor: Tensor) -> str:
    """Equal for equal matrices; the name for all else, which is small."""
    if tensor.dim() < 2:
        return name
    digest = hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
    return f"{tensor.dtype} {tuple(tensor.shape)} {digest}"
