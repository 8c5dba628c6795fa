"""A model bundle: a folder with `metadata.json`, `model.safetensors` and `README.md`. Nothing is unpickled.

torch is imported by `Bundle.build` and `save_bundle` alone, so that listing bundles is quick.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctviewer.core.errors import BundleError, StorageError
from ctviewer.core.files import reason, write_bytes
from ctviewer.core.findings import ModelInfo
from ctviewer.models.card import card
from ctviewer.models.metadata import Metadata, from_json, to_json

if TYPE_CHECKING:
    from torch import Tensor, nn

METADATA, WEIGHTS, CARD = "metadata.json", "model.safetensors", "README.md"

RESTATED = (
    "metrics", "figure_notes", "calibration", "limits", "probabilities", "intended_use", "out_of_scope",
)  # fmt: skip
"""What may be told anew of a bundle: figures, and sentences that no answer rests on."""

_SETTLED = 2_000_000_000  # ns: the coarsest time stamp of a file system; a younger file may change without showing it
_LEFT = 3600.0  # seconds: nobody writes a bundle for so long
_hashes: dict[tuple[str, int, int, int, int], str] = {}


class VersionTakenError(BundleError):
    """The folder of a version that is to be written exists already."""


@dataclass(frozen=True)
class Bundle:
    """An intact bundle on disk.

    Attributes:
        folder: where it is.
        metadata: what it says of itself.
    """

    folder: Path
    metadata: Metadata

    @property
    def info(self) -> ModelInfo:
        """What results, window and report say of the model."""
        m = self.metadata
        facts = (m.title, m.version, m.task, m.weights_sha256, m.classes, m.trained_on, m.limits, m.licence)
        return ModelInfo(*facts, m.restriction, m.calibration)

    @property
    def key(self) -> str:
        """Name and version: what identifies it among the installed bundles."""
        return f"{self.metadata.name} {self.metadata.version}"

    def build(self) -> nn.Module:
        """The net with its weights in float32, on the CPU, in eval mode, without gradients.

        Raises:
            BundleError: the weights have changed since, or do not fit the net that the metadata describes.
        """
        from safetensors import SafetensorError

        from ctviewer.models.storage import from_bytes
        from ctviewer.nets.build import build_net
        from ctviewer.nets.weights import check_fit

        m = self.metadata
        try:
            net = build_net(m.task, len(m.classes), m.net)
            if getattr(net, "image_classes", 0) != len(m.image_classes):
                raise ValueError(f"its net does not tell the {len(m.image_classes)} image classes that it names")
            weights = _read(self.folder, WEIGHTS)
            _require_named(self.folder, m, hashlib.sha256(weights).hexdigest())
            state = from_bytes(weights)
            check_fit(net.state_dict(), state)
        except SafetensorError as error:
            raise BundleError(
                f"The model bundle {self.folder} cannot be used because {WEIGHTS} is not a safetensors file."
            ) from error
        except ValueError as error:
            raise BundleError(f"The model bundle {self.folder} cannot be used because {error}.") from error
        net.load_state_dict(state)
        return net.eval().requires_grad_(False)


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle; nothing is built.

    Weights whose file has not changed since this process read it last are not read again: lists of models are made at
    every click, and a department's bundles are hundreds of megabytes.

    Raises:
        BundleError: a file is missing, the metadata is of another schema or wrong, or the weights are not the ones that
            the metadata names. The text is one sentence with the folder and the reason.
    """
    try:
        metadata = from_json(json.loads(_read(folder, METADATA)))
    except (ValueError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors too; nesting has an end
        unread = isinstance(error, (json.JSONDecodeError, UnicodeError, RecursionError))
        because = "its metadata is not valid JSON" if unread else error
        raise BundleError(f"The model bundle {folder} cannot be used because {because}.") from error
    _require_named(folder, metadata, _weights_hash(folder))
    return Bundle(folder, metadata)


def _require_named(folder: Path, metadata: Metadata, sha256: str) -> None:
    if sha256 != metadata.weights_sha256:
        raise BundleError(
            f"The model bundle {folder} cannot be used because {WEIGHTS} is not the file that its metadata names "
            "(SHA-256 differs)."
        )


def _weights_hash(folder: Path) -> str:
    """SHA-256 of the file of weights; read anew where anything shows that it may have changed."""
    try:
        found = (folder / WEIGHTS).stat()
    except OSError as error:
        raise _unread(folder, WEIGHTS, error) from error
    key = str(folder), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED
    if settled and key in _hashes:
        return _hashes[key]
    sha256 = hashlib.sha256(_read(folder, WEIGHTS)).hexdigest()
    if settled:
        _hashes[key] = sha256
    return sha256


def save_bundle(folder: Path, metadata: Metadata, state: Mapping[str, Tensor]) -> Bundle:
    """Write a bundle: weights as `storage` keeps them, the metadata with their hash, and the card. All of it or nothing.

    Args:
        folder: must not exist yet: versions are immutable.
        metadata: complete but for `weights_sha256`.
        state: the net's `state_dict()`.

    Raises:
        VersionTakenError: the folder exists, also where another process made it meanwhile.
        BundleError: the metadata is wrong, or a weight is not finite.
        StorageError: the place cannot be written.
    """
    taken = VersionTakenError(f"The model bundle {folder} exists already; a version is never overwritten.")
    if os.path.lexists(folder):
        raise taken
    weights = _packed(folder, state)
    metadata = dataclasses.replace(metadata, weights_sha256=hashlib.sha256(weights).hexdigest())
    files = {WEIGHTS: weights, **_told(folder, metadata)}
    try:
        _write_folder(folder, files)
    except OSError as error:
        if os.path.lexists(folder):  # what a rename says of it differs from system to system
            raise taken from error
        raise StorageError(f"{folder} could not be written: {reason(error)}.") from error
    return load_bundle(folder)


def restate(bundle: Bundle, metadata: Metadata) -> Bundle:
    """Write what a bundle says of its figures anew; its weights, and all that an answer rests on, stay as they are.

    For those who ship bundles and measure them again: what is used stays the same version.

    Args:
        bundle: on disk, intact.
        metadata: the bundle's own but for `RESTATED`.

    Raises:
        BundleError: more than that differs, or it contradicts itself.
        StorageError: the place cannot be written; metadata and card may then differ until this is done again.
    """
    same = dataclasses.replace(metadata, **{name: getattr(bundle.metadata, name) for name in RESTATED})
    if same != bundle.metadata:
        raise BundleError(
            f"{bundle.key} stays as it is because another version must say what differs in more than figures."
        )
    files = _told(bundle.folder, metadata)
    for name, data in files.items():
        write_bytes(bundle.folder / name, data)
        (bundle.folder / name).chmod(0o644)  # a card is for everybody
    return load_bundle(bundle.folder)


def _told(folder: Path, metadata: Metadata) -> dict[str, bytes]:
    """Metadata and card as files.

    Raises:
        BundleError: the metadata is wrong.
    """
    text = json.dumps(to_json(metadata), indent=2, ensure_ascii=False) + "\n"
    try:
        from_json(json.loads(text))
    except ValueError as error:
        raise BundleError(f"The model bundle {folder} cannot be written because {error}.") from error
    return {METADATA: text.encode(), CARD: card(metadata).encode()}


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of the weights as a bundle keeps them.

    Raises:
        BundleError: a weight is not finite.
    """
    return hashlib.sha256(_packed(Path(WEIGHTS), state)).hexdigest()


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(folder.parent)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for name, data in files.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        part.chmod(0o755)
        part.rename(folder)  # onto a version that another process wrote meanwhile it fails: that folder is not empty
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove_left(bundles: Path) -> None:
    """Remove what processes that were killed left half written; what is young may be in another's hands."""
    for part in bundles.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _LEFT:
                shutil.rmtree(part, ignore_errors=True)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _unread(folder, name, error) from error


def _unread(folder: Path, name: str, error: OSError) -> BundleError:
    return BundleError(f"The model bundle {folder} cannot be used because {name}: {reason(error)}.")


def _packed(folder: Path, state: Mapping[str, Tensor]) -> bytes:
    from ctviewer.models.storage import to_bytes

    try:
        return to_bytes(state)
    except ValueError as error:
        raise BundleError(f"The model bundle {folder} cannot be written because {error}.") from error
