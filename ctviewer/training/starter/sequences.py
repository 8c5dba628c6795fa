"""Studies as sequences of slice features: real chests whose infection stays on some slices and is painted out on the others.

Features are computed once for each chest and draw of the scanner, with and without infection; a study is put together from
both, so that which slices are infected is known by construction, and nothing but the infection tells a study with from one
without. Sets of infected slices lack what lies above and below the lungs; the ends of whole chests are put there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ctviewer.core.events import Event, Progress
from ctviewer.core.slices import HU
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import slice_input
from ctviewer.nets.study_classifier import StudyClassifier
from ctviewer.training.starter.chests import INFECTION, LUNG, RECOVERED, Chest
from ctviewer.training.starter.painting import decoyed, painted_out
from ctviewer.training.starter.scanner import Draw, Scanner, draw, scanned

Floats = NDArray[np.float32]

_SMALLEST = 12  # pixels of infection from which a slice counts as infected
_END = 0.15  # of the largest lung area: slices with less are the ends of a chest
_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of a chest.

    Attributes:
        patient: whose.
        features: `[draws, n, D]` float32; the first draw is as the chest was scanned; of a chest that has a clean version
            every other draw has healthy lung painted over as well.
        clean: the same chest, with the same draws, without infection; None where there is no other version.
        infected: `[n]` bool.
        ends: number of slices above and below the lungs.
    """

    patient: str
    features: Floats
    clean: Floats | None
    infected: NDArray[np.bool_]
    ends: tuple[int, int]


def encode_chests(
    net: StudyClassifier, chests: Sequence[Chest], into: list[Encoded], *, preprocessing: Preprocessing, draws: int,
    seed: int, scanner: Scanner | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Encode chests, plain and as `draws` other scanners would show them; append to `into`.

    Args:
        net: whose encoder.
        chests: head to feet.
        into: filled in their order.
        preprocessing: of the bundle.
        draws: besides the plain one.
        seed: of draws and painting.
        scanner: ranges of the draws.
    """
    scanner = scanner or Scanner()
    net.eval()
    for number, chest in enumerate(chests):
        yield Progress("Encoding chests", number, len(chests))
        into.append(_encoded(net, chest, preprocessing, draws, (seed, number), scanner))


def _encoded(
    net: StudyClassifier, chest: Chest, p: Preprocessing, draws: int, seeds: tuple[int, int], scanner: Scanner
) -> Encoded:
    rng = np.random.default_rng(seeds)
    both = chest.kind == RECOVERED and bool(chest.infected.any())
    clean = painted_out(chest, rng) if both else None
    seams = decoyed(chest, rng) if both else chest  # else what is not painted would be known to be infected
    of_both: tuple[list[Floats], list[Floats]] = ([], [])
    for number in range(draws + 1):
        drawn = None if number == 0 else draw(scanner, rng, chest.hu.shape[-1])
        for version, found in zip((seams if number % 2 else chest, clean), of_both, strict=True):
            if version is not None:
                found.append(_features(net, _seen(version, drawn, np.random.default_rng((*seeds, number))), p))
    return Encoded(
        chest.patient,
        np.stack(of_both[0]),
        np.stack(of_both[1]) if clean is not None else None,
        np.asarray((chest.labels == INFECTION).sum(axis=(1, 2)) >= _SMALLEST),
        _ends((chest.labels >= LUNG).sum(axis=(1, 2))),
    )


def _seen(chest: Chest, drawn: Draw | None, noise: np.random.Generator) -> list[Floats]:
    """Slices in HU as a scanner would show them; as they are without one."""
    if drawn is None:
        return list(chest.hu.astype(np.float32))
    return [scanned(hu, labels, drawn, noise)[0] for hu, labels in zip(chest.hu, chest.labels, strict=True)]


def _features(net: StudyClassifier, slices: Sequence[Floats], p: Preprocessing) -> Floats:
    found, device = [], next(net.parameters()).device
    for at in range(0, len(slices), _AT_ONCE):
        images = slice_input(np.stack(slices[at : at + _AT_ONCE]), HU, p).to(device)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            found.append(net.encode(images).float().cpu().numpy())
    return np.concatenate(found)


def _ends(area: NDArray[np.intp]) -> tuple[int, int]:
    inside = np.flatnonzero(area > _END * max(1, int(area.max())))
    return (0, 0) if inside.size == 0 else (int(inside[0]), int(len(area) - 1 - inside[-1]))


def study(chests: Sequence[Encoded], chest: Encoded, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Features `[n, D]` and what each slice shows `[n]`, of a study put together from a chest: with infection if it has any.

    Args:
        chests: whose ends may be put above and below it.
        chest: the chest; its infection stays in one to three runs of slices and is painted out elsewhere.
        rng: of all draws.
    """
    drawn = int(rng.integers(len(chest.features)))
    features, shown = chest.features[drawn], chest.infected.astype(np.float32)
    if chest.clean is not None:
        kept = _runs(len(shown), rng)
        kept |= not (shown * kept).any()  # runs of specks alone would be a clean study by another name
        features = np.where(kept[:, None], features, chest.clean[drawn])
        shown = shown * kept
    return _with_ends(features, shown, chest, chests, rng)


def clean_study(chests: Sequence[Encoded], chest: Encoded, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same chest without infection; `chest` has none, or a version without."""
    drawn = int(rng.integers(len(chest.features)))
    features = chest.features[drawn] if chest.clean is None else chest.clean[drawn]
    return _with_ends(features, np.zeros(len(features), np.float32), chest, chests, rng)


def _runs(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where infection stays: all of the chest in every third study, else one to three runs of slices."""
    kept = np.zeros(n, bool)
    if rng.random() < 0.35:
        return ~kept
    for _ in range(int(rng.integers(1, 4))):
        length = max(2, int(n * rng.uniform(0.04, 0.5)))
        first = int(rng.integers(0, max(1, n - length)))
        kept[first : first + length] = True
    return kept


def _with_ends(
    features: Floats, shown: Floats, chest: Encoded, chests: Sequence[Encoded], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    donors = [c for c in chests if min(c.ends) > 0 and c.clean is None and not c.infected.any()]
    if chest.ends != (0, 0) or not donors or rng.random() < 0.2:
        return features, shown
    donor = donors[int(rng.integers(len(donors)))]
    source = donor.features[int(rng.integers(len(donor.features)))]
    above, below = source[: donor.ends[0]], source[len(source) - donor.ends[1] :]
    parts = [_stretched(above, len(features), rng), features, _stretched(below, len(features), rng)]
    zeros = [np.zeros(len(parts[0]), np.float32), shown, np.zeros(len(parts[2]), np.float32)]
    return np.concatenate(parts), np.concatenate(zeros)


def _stretched(part: Floats, n: int, rng: np.random.Generator) -> Floats:
    """As many slices as the rest's spacing makes of them, about: up to a quarter of the rest."""
    count = int(n * rng.uniform(0.0, 0.25))
    return part[np.linspace(0, len(part) - 1, count).round().astype(np.intp)]
