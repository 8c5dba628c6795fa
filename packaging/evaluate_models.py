"""Everything that says how good the models are and takes longer than the tests: `make evaluate-models`, two hours at most.

Now: the comparison of Ye's paper on generated studies of three classes made hard, and that of Ter-Sarkisov's paper on generated
slices with outlined lesions and with classes. Phantoms, no patients.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ctviewer.app.cli import main as ctviewer
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import CtviewerError
from ctviewer.datasets.hard_studies import HardSettings, write_hard_studies
from ctviewer.datasets.phantom import (
    HELD_OUT_FAMILIES,
    TRAINING_FAMILIES,
    Family,
    Phantom,
    PhantomSpec,
    Variant,
    generate,
)
from ctviewer.datasets.slices.samples import write_cncb, write_covidx, write_prefixed

# 57 studies of 16 to 20 slices; two encoders, four aggregators, three seeds
YE = [
    "--encoder", "resnet18", "--encoder", "googlenet", "--seeds", "3", "--epochs", "6,12", "--start", "scratch",
    "--size", "112", "--crop", "96", "--precision", "bfloat16",
]  # fmt: skip


# 12 patients with outlined lesions, 36 with a class in three parts, 12 of other families, 12 of two classes for transfer
TER_SARKISOV = [
    "--recipe", "one-shot-scratch", "--start", "scratch", "--epochs", "12", "--batch", "2", "--size", "128", "--backbone", "resnet18",
    "--net", "width=32", "--net", "channels=64", "--net", "hidden=64", "--net", "class_hidden=64",
    "--about", "generated phantoms, no patients: figures say whether the code works, and nothing of medicine.",
]  # fmt: skip
_MATRIX, _SLICES, _FIRST_SEED = 160, 8, 95_000
_THREE = (Variant.CONTROL, Variant.PNEUMONIA, Variant.COVID)


def main() -> int:
    """Command line; the exit code of what was run. What is done already is not done again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out") / "evaluate-models", help="for studies and results")
    parser.add_argument("--only", choices=("ye", "ter-sarkisov"), help="one of the comparisons")
    arguments = parser.parse_args()
    try:
        return _evaluate(arguments.out, arguments.only)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _evaluate(out: Path, only: str | None) -> int:
    code = 0
    if only in (None, "ye"):
        studies = out / "hard-studies"
        _make_once(studies, lambda part: drain(write_hard_studies(part, HardSettings()), ProgressLine(quiet=False)))
        code = ctviewer(["reproduce", "ye", str(studies), "--out", str(out / "ye"), *YE])
    if code or only == "ye":
        return code
    slices = out / "slices"
    _make_once(slices, _write_slices)
    lesions = ["--lesions", "cncb", str(slices / "lesions"), "own_patients=yes"]
    images = ["--images", "covidx", str(slices / "classes"), "own_patients=yes"]
    outside = [
        "--images",
        "prefixed",
        str(slices / "other-families"),
        "own_patients=yes",
        "split=external:other families",
    ]
    transfer = ["--transfer", "prefixed", str(slices / "two-classes"), "own_patients=yes"]
    to = ["--out", str(out / "ter-sarkisov")]
    return ctviewer(["reproduce", "ter-sarkisov", *lesions, *images, *outside, *transfer, *to, *TER_SARKISOV])


def _make_once(folder: Path, write: Callable[[Path], object]) -> None:
    """Generated data, whole or not at all: an interrupted call leaves nothing that the next one trips over."""
    if folder.exists():
        return
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    write(part)
    part.rename(folder)


def _write_slices(folder: Path) -> None:
    """Slices as of CNCB-NCOV, of COVIDx-CT (each class in each of its three parts), and with the class in the name."""
    write_cncb(folder / "lesions", _phantoms(0, 12, (Variant.COVID, Variant.PNEUMONIA), TRAINING_FAMILIES))
    by_part = tuple(variant for variant in _THREE for _ in range(3))
    write_covidx(folder / "classes", list(_phantoms(100, 36, by_part, TRAINING_FAMILIES)))
    write_prefixed(folder / "other-families", _phantoms(200, 12, _THREE, HELD_OUT_FAMILIES))
    write_prefixed(folder / "two-classes", _phantoms(300, 12, (Variant.CONTROL, Variant.COVID), TRAINING_FAMILIES))


def _phantoms(first: int, count: int, variants: tuple[Variant, ...], families: tuple[Family, ...]) -> Iterator[Phantom]:
    """One for each patient; classes, then families in turn."""
    for i in range(count):
        variant, family = variants[i % len(variants)], families[i // len(variants) % len(families)]
        yield generate(PhantomSpec(_FIRST_SEED + first + i, variant, family, matrix=_MATRIX, slices=_SLICES))


if __name__ == "__main__":
    sys.exit(main())
