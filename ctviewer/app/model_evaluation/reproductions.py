"""The comparisons of two papers on generated data, as parts of the evaluation. Phantoms, no patients."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ctviewer.app.cli import main as ctviewer
from ctviewer.app.model_evaluation.parts import TER_SARKISOV, YE, Part, Setting
from ctviewer.app.progress import drain
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
_YE_OPTIONS = [
    "--encoder", "resnet18", "--encoder", "googlenet", "--seeds", "3", "--epochs", "6,12", "--start", "scratch",
    "--size", "112", "--crop", "96", "--precision", "bfloat16",
]  # fmt: skip

# 12 patients with outlined lesions, 36 with a class in three parts, 12 of other families, 12 of two classes for transfer
_TER_SARKISOV_OPTIONS = [
    "--recipe", "one-shot-scratch", "--start", "scratch", "--epochs", "12", "--batch", "2", "--size", "128", "--backbone", "resnet18",
    "--net", "width=32", "--net", "channels=64", "--net", "hidden=64", "--net", "class_hidden=64",
    "--about", "generated phantoms, no patients: figures say whether the code works, and nothing of medicine.",
]  # fmt: skip
_MATRIX, _SLICES, _FIRST_SEED = 160, 8, 95_000
_THREE = (Variant.CONTROL, Variant.PNEUMONIA, Variant.COVID)


def reproduce_ye(setting: Setting) -> Part:
    """The comparison of Ye's paper on generated studies of three classes made hard; what is done is not done again."""
    studies = setting.out / "hard-studies"
    _make_once(studies, lambda part: drain(write_hard_studies(part, HardSettings()), setting.line))
    code = ctviewer(["reproduce", "ye", str(studies), "--out", str(setting.out / "ye"), *_YE_OPTIONS])
    return _part(YE, "Ye: aggregators over slices, repeated on phantoms", setting.out / "ye", code)


def reproduce_ter_sarkisov(setting: Setting) -> Part:
    """The comparison of Ter-Sarkisov's paper on generated slices with outlined lesions and with classes."""
    slices = setting.out / "slices"
    _make_once(slices, _write_slices)
    lesions = ["--lesions", "cncb", str(slices / "lesions"), "own_patients=yes"]
    images = ["--images", "covidx", str(slices / "classes"), "own_patients=yes"]
    others = ["--images", "prefixed", str(slices / "other-families"), "own_patients=yes"]
    outside = [*others, "split=external:other families"]
    transfer = ["--transfer", "prefixed", str(slices / "two-classes"), "own_patients=yes"]
    to = ["--out", str(setting.out / "ter-sarkisov")]
    code = ctviewer(["reproduce", "ter-sarkisov", *lesions, *images, *outside, *transfer, *to, *_TER_SARKISOV_OPTIONS])
    return _part(
        TER_SARKISOV, "Ter-Sarkisov: one-shot models, repeated on phantoms", setting.out / "ter-sarkisov", code
    )


def _part(name: str, title: str, out: Path, code: int) -> Part:
    if code:
        return Part(name, title, skipped="It was not finished; run it again and it goes on.", code=code)
    return Part(name, title, notes=(f"Tables and figures are in {out}. Phantoms, no patients.",))


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
