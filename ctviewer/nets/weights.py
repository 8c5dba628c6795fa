"""Published weights for slice encoders and backbones, from a file of this computer. Nothing is downloaded, and nothing starts by chance."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason
from ctviewer.nets.encoders import Published, SliceEncoder

_COUNTER = ".num_batches_tracked"  # of BatchNorm: files older than torch 0.4.1 lack it, and eval mode does not use it
_DAMAGE = (  # what torch's restricted unpickler raises on damaged files, found by 30,000 of them
    SafetensorError, pickle.UnpicklingError, struct.error, ArithmeticError, AssertionError, AttributeError, EOFError,
    LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_HASH = re.compile(r"-([0-9a-f]{8})\.pth$")


@dataclass(frozen=True)
class LoadedWeights:
    """Where an encoder's weights come from, for a run's record and the card.

    Attributes:
        file: the file read.
        sha256: of its bytes, hex.
    """

    file: Path
    sha256: str


def load_imagenet(encoder: SliceEncoder, file: Path | None = None) -> LoadedWeights:
    """Give an encoder torchvision's ImageNet weights. Where it fails, the encoder is as it was.

    Args:
        encoder: of norm "batch" and torchvision's width.
        file: the weights under torchvision's names, `.safetensors` or `.pth` (read with `weights_only`); None for the
            file of this encoder in torchvision's cache.

    Raises:
        InputError: there is no such file, or its weights are not this encoder's. The text is one sentence that names
            the file and, where it is absent, the choices.
    """
    published = encoder.traits.published
    if published is None:
        raise InputError(
            "There are no ImageNet weights for this slice encoder: they belong to published nets with norm batch; "
            "choose one of those, or train from scratch."
        )
    return load_published(encoder.trunk, published, file)


def load_published(trunk: nn.Module, published: Published, file: Path | None) -> LoadedWeights:
    """Give a trunk of a published net its weights. Where it fails, the trunk is as it was.

    Args:
        trunk: with torchvision's names; counters of BatchNorm, which files may lack, are as they are, or left out.
        published: what torchvision published for it.
        file: as in `load_imagenet`.

    Raises:
        InputError: as `load_imagenet`.
    """
    path = _in_cache(published) if file is None else file
    data = _read(path, published)
    sha256 = hashlib.sha256(data).hexdigest()
    named = _HASH.search(path.name)
    if file is None and named and not sha256.startswith(named[1]):
        raise _unusable(path, "it is not the file that torchvision published (its SHA-256 differs)")
    state = _for_trunk(_state(path, data), trunk, published)
    try:
        check_fit(trunk.state_dict(), state)
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    trunk.load_state_dict(state)
    return LoadedWeights(path, sha256)


def check_fit(expected: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Raise ValueError at the first weight that is missing, unknown, of another shape, or not finite.

    The text is a clause that follows "because".

    Args:
        expected: `state_dict()` of the net.
        stored: what is to be loaded into it.
    """
    for name, tensor in expected.items():
        if name not in stored:
            raise ValueError(f"its weights lack {name}")
        if stored[name].shape != tensor.shape:
            raise ValueError(f"the shape of {name} in its weights is not the net's")
        if not bool(stored[name].isfinite().all()):
            raise ValueError(f"{name} in its weights is not finite")
    unknown = sorted(set(stored) - set(expected))
    if unknown:
        raise ValueError(f"its weights hold {unknown[0]}, which the net does not have")


def _in_cache(published: Published) -> Path:
    """The file in torchvision's cache; a `.safetensors` of the same name goes first."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    safe = (folder / published.file).with_suffix(".safetensors")
    return safe if safe.is_file() else folder / published.file


def _read(path: Path, published: Published) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"The ImageNet weights cannot be loaded because {path} does not exist; copy torchvision's {published.file} "
            "there, name another file, start from an installed model, or train from scratch."
        ) from error
    except OSError as error:
        raise _unusable(path, reason(error)) from error


def _state(path: Path, data: bytes) -> dict[str, Tensor]:
    """Names and tensors of a file; nothing but tensors and plain containers is ever unpickled."""
    safe = path.suffix == ".safetensors"
    try:
        state = load_safetensors(data) if safe else torch.load(io.BytesIO(data), "cpu", weights_only=True)
    except _DAMAGE as error:
        kind = "a safetensors file" if safe else "a file of tensors alone"
        raise _unusable(path, f"it is not {kind}") from error
    if not isinstance(state, dict) or not all(isinstance(k, str) and _dense(v) for k, v in state.items()):
        raise _unusable(path, "it does not hold names and tensors")
    return state


def _dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_complex()


def _for_trunk(state: Mapping[str, Tensor], trunk: nn.Module, published: Published) -> dict[str, Tensor]:
    """Without what the trunk drops; in float32; under today's names; with the counters that the trunk has, and no others."""
    kept = {
        _name_today(k, published): v.float() if v.is_floating_point() else v
        for k, v in state.items()
        if not k.startswith(published.dropped)
    }
    counters = {k: v for k, v in trunk.state_dict().items() if k.endswith(_COUNTER)}
    return counters | {k: v for k, v in kept.items() if not k.endswith(_COUNTER) or k in counters}


def _name_today(name: str, published: Published) -> str:
    found = re.fullmatch(published.joined, name) if published.joined else None
    return "".join(found.groups()) if found else name


def _unusable(path: Path, because: str) -> InputError:
    return InputError(f"The weights {path} cannot be used because {because}.")
