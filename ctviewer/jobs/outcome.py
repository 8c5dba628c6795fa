"""How a job ends: in exactly one of three ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Succeeded:
    """The generator came to its end.

    Attributes:
        value: of its `Done` event, None where it had none.
    """

    value: Any = None


@dataclass(frozen=True)
class Cancelled:
    """The reader stopped it; whatever it still made is dropped."""


@dataclass(frozen=True)
class Failed:
    """It raised.

    Attributes:
        error: a `CtviewerError` says in its text what to tell the reader; any other one is logged already. Its traceback
            is dropped, so that it keeps no volume or model in memory.
    """

    error: BaseException


Outcome = Succeeded | Cancelled | Failed
