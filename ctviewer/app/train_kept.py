"""What a check found, kept for the run that follows it, so that the studies are not read once more for it.

It counts for the same configuration, the same base model and the same table of labels alone. That the pixels are still
those that were checked is seen when training prepares each study, and refused if not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ctviewer.app.train_data import RunSource, row_digest
from ctviewer.core.files import write_bytes
from ctviewer.models.bundle import Bundle
from ctviewer.training.config import RunConfig
from ctviewer.training.preflight.report import PreflightReport, from_json, to_json

_SCHEMA = 1


def keep_check(path: Path, report: PreflightReport, config: RunConfig, source: RunSource, base: Bundle | None) -> None:
    """Write what a check found. It names patients: the file is for the user alone.

    Raises:
        StorageError: it cannot be written.
    """
    told = {"schema": _SCHEMA, "of": _of(config, source, base), "report": to_json(report)}
    write_bytes(path, json.dumps(told).encode())  # of mode 0600, as temporary files are


def kept_check(path: Path, config: RunConfig, source: RunSource, base: Bundle | None) -> PreflightReport | None:
    """What the check of this very run found; None where there is none to go by."""
    try:
        told = json.loads(path.read_bytes())
        if told["schema"] == _SCHEMA and told["of"] == _of(config, source, base):
            return from_json(told["report"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _of(config: RunConfig, source: RunSource, base: Bundle | None) -> str:
    """A digest of all that decides what a check finds, but for the pixels."""
    digest = hashlib.sha256(config.digest().encode())
    places = [config.data.folder, config.data.labels]
    places += [place for one in (*config.lesions, *config.images) for place in (one.folder, one.table)]
    digest.update("".join(f"{place}\0" for place in places).encode("utf-8", "surrogatepass"))
    digest.update(("" if base is None else base.metadata.weights_sha256).encode())
    for study in source.ids():
        digest.update(row_digest(source, study).encode())
    return digest.hexdigest()
