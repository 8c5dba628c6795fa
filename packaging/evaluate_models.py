"""Everything that says how good the models are and takes longer than the tests: `make evaluate-models`, two hours at most.

Now: the comparison of Ye's paper on generated studies of three classes made hard. Phantoms, no patients.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ctviewer.app.cli import main as ctviewer
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import CtviewerError
from ctviewer.datasets.hard_studies import HardSettings, write_hard_studies

# 57 studies of 16 to 20 slices; two encoders, four aggregators, three seeds
YE = [
    "--encoder", "resnet18", "--encoder", "googlenet", "--seeds", "3", "--epochs", "6,12", "--start", "scratch",
    "--size", "112", "--crop", "96", "--precision", "bfloat16",
]  # fmt: skip


def main() -> int:
    """Command line; the exit code of what was run. What is done already is not done again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out") / "evaluate-models", help="for studies and results")
    arguments = parser.parse_args()
    studies = arguments.out / "hard-studies"
    try:
        _make_once(studies)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return ctviewer(["reproduce", "ye", str(studies), "--out", str(arguments.out / "ye"), *YE])


def _make_once(studies: Path) -> None:
    """The generated studies, whole or not at all: an interrupted call leaves nothing that the next one trips over."""
    if studies.exists():
        return
    part = studies.with_name(f"{studies.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    drain(write_hard_studies(part, HardSettings()), ProgressLine(quiet=False))
    part.rename(studies)


if __name__ == "__main__":
    sys.exit(main())
