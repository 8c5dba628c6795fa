"""What of a run outlives its process and belongs to no fold; and how all that it wrote is removed again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.files import reason, write_bytes
from ctviewer.training.run_folder import (
    BASE_PREDICTIONS,
    CHECKPOINTS,
    COMPARISON,
    FEATURES,
    PREDICTIONS,
    SPLIT,
    STUDIES,
)

FILE = "engine.json"


@dataclass(frozen=True)
class Memory:
    """Of a run that was begun.

    Attributes:
        precision: that the recipe's came to; "" before it was measured.
        stopped_in: number of the fold whose net is kept, where the user stopped; else None.
        bundle: folder of what was made; "" before.
        config: of `resuming.deciding_settings`, when it was begun.
        data: digest of the studies by part, then.
    """

    precision: str = ""
    stopped_in: int | None = None
    bundle: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Keep it, atomically.

        Raises:
            StorageError: it cannot be written.
        """
        write_bytes(folder / FILE, (json.dumps(dataclasses.asdict(self)) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Memory | None:
        """None where no run was begun in the folder.

        Raises:
            InputError: it cannot be read.
        """
        path = folder / FILE
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path} could not be read: {reason(error)}.") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path} is damaged; remove it, and the run goes on from its checkpoint.") from error


def remove_written(folder: Path) -> None:
    """Remove all that training wrote into the folder of a run; what pre-flight and the command line wrote stays.

    Raises:
        StorageError: something cannot be removed.
    """
    known = (CHECKPOINTS, FEATURES, STUDIES, PREDICTIONS, BASE_PREDICTIONS, COMPARISON, SPLIT, FILE)
    for path in [folder / name for name in known] + [*folder.glob("fold-*"), *folder.glob("epoch-*")]:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{path} could not be removed: {reason(error)}.") from error
