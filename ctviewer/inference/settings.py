"""What can be chosen for an analysis."""

from __future__ import annotations

from dataclasses import dataclass

from ctviewer.core.errors import InputError

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class AnalysisSettings:
    """Choices of the reader or the command line.

    Attributes:
        device: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda".
        precision: "auto" (measured, see `device.choose_precision`), "float32" or "bfloat16".
        chunk: slices per step, 0: as many as take about a quarter of a second.

    Raises:
        InputError: a value that is none of these.
    """

    device: str = "auto"
    precision: str = "auto"
    chunk: int = 0

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise InputError(f"The device {self.device!r} is not known; choose one of {', '.join(DEVICES)}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"The precision {self.precision!r} is not known; choose one of {', '.join(PRECISIONS)}.")
        if self.chunk < 0:
            raise InputError(f"The number of slices per step must not be negative; it is {self.chunk}.")

    def items(self) -> tuple[tuple[str, str], ...]:
        """Name and value of each, for the provenance."""
        return (("device", self.device), ("precision", self.precision), ("chunk", str(self.chunk or "auto")))
