"""Fine-tuning: a step of the engine against a plain torch loop of the same net, cached epochs, memory of a batch.

Studies are generated in memory and prepared on disk as a run does it. The paper's net at full size is for the memory alone:
`python tests/benchmarks/training.py --studies 8 --slices 300 --side 224` measures the aim itself (some 40 minutes on two
cores); the table has one study of the eight, because one is held at a time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from harness import Row, in_turn, peak_memory_mb

CHUNK, MARGIN = 16, 8
STUDIES, SLICES, SIDE = 4, 48, 112
EPOCH_STUDIES, EPOCH_SLICES, EPOCH_SIDE = 6, 48, 96
FULL_SLICES, FULL_SIDE = 300, 224

_IMPORTS = "import torch; from training import batch_step"
_WORK = "batch_step(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))"


def run(work: Path) -> Iterator[Row]:
    """Times in turn with the loop they are compared with; memory in a fresh process."""
    for encoder in ("resnet18", "resnet50"):
        yield from _steps(work, encoder)
    yield from _epochs(work)
    yield memory(work, 1, FULL_SLICES, FULL_SIDE)


def memory(work: Path, studies: int, slices: int, side: int) -> Row:
    """Of one step of the paper's net; the studies lie on disk before."""
    make_studies(work / "memory", studies, slices, side)
    imports = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {_IMPORTS}"
    used = peak_memory_mb(imports, _WORK, str(work / "memory"), str(studies), str(slices), str(side))
    what = f"peak memory, {studies} studies a step, {slices} slices, {side} px, resnet50, last_two trainable"
    return Row(what, used / 1024, "GB", "< 12")


def batch_step(folder: str, studies: int, slices: int, side: int) -> None:
    """One optimizer step of a run, on studies that were prepared before."""
    passes = _passes(Path(folder), "resnet50", studies, slices, side)
    _engine_step(passes, _adam(passes), studies)()


def make_studies(folder: Path, studies: int, slices: int, side: int):
    """Prepare studies of noise in a body as a run does; gives the store."""
    store = _store(folder, studies, slices, side)
    for _ in store.prepare(_ids(studies)):
        pass
    return store


def _steps(work: Path, encoder: str) -> Iterator[Row]:
    """The engine draws, samples, augments, encodes, and goes back; the loop is given the same slices ready made."""
    make_studies(work / encoder, STUDIES, SLICES, SIDE)
    passes = _passes(work / encoder, encoder, STUDIES, SLICES, SIDE)
    ready = [_drawn(passes, study) for study in _ids(STUDIES)]
    engine = _engine_step(passes, _adam(passes), STUDIES)
    again = _engine_step(_replaced(passes, kept=1), _adam(passes), STUDIES)
    loop, ours, recomputed = in_turn(_plain_step(passes, _adam(passes), ready), engine, again)
    what = f"{STUDIES} studies of {SLICES} slices, {SIDE} px, {encoder}, last_two trainable"
    yield Row(f"plain loop, {what}", loop, "s a step")
    yield Row(f"plain loop / engine, time ({encoder})", loop / ours, "x", ">= 0.95")
    yield Row(f"plain loop / engine with one chunk kept, time ({encoder})", loop / recomputed, "x")


def _epochs(work: Path) -> Iterator[Row]:
    """Of the aggregator on features of a frozen encoder: computed each time, and from disk."""
    make_studies(work / "epochs", EPOCH_STUDIES, EPOCH_SLICES, EPOCH_SIDE)
    both = [
        _passes(work / "epochs", "resnet18", EPOCH_STUDIES, EPOCH_SLICES, EPOCH_SIDE, features=word)
        for word in ("computed", "cached")
    ]
    plain, cached = in_turn(*(_engine_step(passes, _adam(passes), EPOCH_STUDIES) for passes in both))
    what = f"{EPOCH_STUDIES} studies of {EPOCH_SLICES} slices, {EPOCH_SIDE} px, resnet18 frozen"
    yield Row(f"uncached epoch, {what}", plain, "s")
    yield Row("uncached epoch / cached epoch, time", plain / cached, "x", ">= 10")


def _ids(studies: int) -> tuple[str, ...]:
    return tuple(f"study {i}" for i in range(studies))


class _Noise:
    """Meets `StudySource`: noise about a body's grey."""

    def __init__(self, slices: int, side: int) -> None:
        self._slices, self._side = slices, side

    def load(self, study: str):
        from ctviewer.core.geometry import Geometry
        from ctviewer.core.series import Patient, Series, SliceRef, Study
        from ctviewer.core.volume import Volume

        n, side = self._slices, self._side
        rng = np.random.default_rng(len(study) + int(study.split()[1]))
        hu = rng.integers(-900, 100, (n, side, side), np.int16)
        geometry = Geometry(hu.shape, np.arange(n)[:, None] * np.array([[0.0, 0.0, 1.0]]), pixel_spacing=(1.5, 1.5))
        series = Series(
            study, study, "CT", Patient(), Study(), tuple(SliceRef(Path(f"{i}")) for i in range(n)), side, side
        )
        return Volume(series, geometry, hu, np.ones(n), np.zeros(n)), None


def _store(folder: Path, studies: int, slices: int, side: int):
    from ctviewer.models.metadata import Preprocessing
    from ctviewer.training.engine.studies import StudyStore

    statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    p = Preprocessing(-600.0, 1500.0, side + 4 * MARGIN, side, *statistics)
    return StudyStore(_Noise(slices, p.size), p, folder / "studies")


def _passes(folder: Path, encoder: str, studies: int, slices: int, side: int, features: str = ""):
    """The paper's net and augmentation over prepared studies; `features`: of a frozen encoder, cached or computed."""
    import torch

    from ctviewer.nets.encoders import freeze
    from ctviewer.nets.study_classifier import StudyClassifier
    from ctviewer.training.engine.features import Draws, FeatureCache
    from ctviewer.training.engine.passes import Passes
    from ctviewer.training.engine.room import kept_chunks
    from ctviewer.training.engine.task import Task
    from ctviewer.training.sampling import paper_pose

    torch.manual_seed(0)
    store = _store(folder, studies, slices, side)
    net = StudyClassifier(2, encoder=encoder, encoder_options={"norm": "batch"}, head="binary")
    freeze(net.encoder, trainable="none" if features else "last_two")
    net.train()
    draws = Draws(paper_pose(store.preprocessing.size, side), 0, 1)
    truth = {study: (("a", "b")[i % 2],) for i, study in enumerate(_ids(studies))}
    cache = None
    if features:
        cache = FeatureCache(folder / "features", store, net, draws, chunk=CHUNK, enabled=features == "cached")
    kept = kept_chunks(net, torch.zeros(2, 3, side, side), CHUNK)
    return Passes(net, Task("binary", ("a", "b"), truth, True), store, cache, draws, "float32", CHUNK, kept=kept)


def _replaced(passes, **changes):
    from dataclasses import replace

    return replace(passes, **changes)


def _adam(passes):
    import torch

    return torch.optim.Adam([p for p in passes.net.parameters() if p.requires_grad], lr=1e-5)


def _engine_step(passes, optimizer, studies: int) -> Callable[[], None]:
    from ctviewer.training.engine.learner import Place
    from ctviewer.training.engine.parallel import SINGLE
    from ctviewer.training.sampling import Subsequence

    batch = [Subsequence(study) for study in _ids(studies)]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        for _ in passes.learn(batch, Place(0, 0, 0, 0), 1.0, SINGLE):
            pass
        optimizer.step()

    return step


def _drawn(passes, study: str):
    return passes.store.slices(study, None, passes.draws.pose, passes.draws.generator(study, 0))[0:SLICES]


def _plain_step(passes, optimizer, ready: Sequence) -> Callable[[], None]:
    """What anybody would write: one graph a study, chunks so that the CPU's caches are not left."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        for i, images in enumerate(ready):
            features = torch.cat([passes.net.encode(part) for part in images.split(CHUNK)])
            logit = passes.net.aggregate(features[None]).logits[:, 1]
            (binary_cross_entropy_with_logits(logit, torch.tensor([float(i % 2)])) / len(ready)).backward()
        optimizer.step()

    return step


def main() -> None:
    """The memory of a step of any size."""
    parser = argparse.ArgumentParser(description="Peak memory of one optimizer step of the paper's net.")
    for name, value in (("studies", 8), ("slices", FULL_SLICES), ("side", FULL_SIDE)):
        parser.add_argument(f"--{name}", type=int, default=value)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctviewer-bench-") as folder:
        row = memory(Path(folder), wanted.studies, wanted.slices, wanted.side)
    print(f"{row.what}: {row.value:.2f} {row.unit} (aim {row.aim})")


if __name__ == "__main__":
    sys.exit(main())
