"""Training the study classifier by chunks: peak memory of an accumulated batch of long studies, cost of recomputation.

The paper's net: ResNet50, BiLSTM with attention, binary, the encoder's last two modules trainable, Adam. The aim is for
8 studies of 300 slices. One study is held at a time, so that two stand for eight; the rows say where pixels are fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Row, in_turn, peak_memory_mb

CHUNK, STUDIES, SLICES, SIDE = 16, 2, 300, 224
LONG, LONG_SIDE = 1500, 64
LOOP_SLICES, LOOP_SIDE = 48, 112

_IMPORTS = "import torch; from nets import batch_step"
_WORK = "batch_step(studies=int(sys.argv[1]), slices=int(sys.argv[2]), side=int(sys.argv[3]), trainable=sys.argv[4])"


def run(work: Path) -> Iterator[Row]:
    """Memory in fresh processes; times in turn with a plain loop of one graph over all chunks."""
    for studies, slices, side, trainable, aim in (
        (1, SLICES, SIDE, "last_two", ""),
        (STUDIES, SLICES, SIDE, "last_two", "< 12"),
        (1, 4 * CHUNK, SIDE, "all", "< 12"),
        (1, SLICES, LONG_SIDE, "last_two", ""),
        (1, LONG, LONG_SIDE, "last_two", ""),
    ):
        arguments = [str(value) for value in (studies, slices, side, trainable)]
        what = f"peak memory, {studies} of 8 studies, {slices} slices, {side} px, {trainable} trainable"
        imports = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {_IMPORTS}"
        yield Row(what, peak_memory_mb(imports, _WORK, *arguments) / 1024, "GB", aim)
    yield from _times()


def batch_step(studies: int, slices: int, side: int, trainable: str) -> None:
    """One step of Adam on studies of random pixels, each made when it is due."""
    import torch

    net = _classifier(trainable)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    _exhaust(net, (torch.randn(slices, 1, side, side) for _ in range(studies)), kept=1)
    optimizer.step()


def _times() -> Iterator[Row]:
    import torch

    images = torch.randn(LOOP_SLICES, 1, LOOP_SIDE, LOOP_SIDE)
    for trainable in ("last_two", "all"):
        net = _classifier(trainable)

        def plain(net=net) -> None:
            features = torch.cat([net.encode(part) for part in images.split(CHUNK)])
            _loss(net.aggregate(features[None]), 0).backward()

        def chunked(kept: int, net=net) -> Callable[[], None]:
            return lambda: _exhaust(net, [images], kept)

        graph, again, kept = in_turn(plain, chunked(1), chunked(LOOP_SLICES // CHUNK))
        what = f"{LOOP_SLICES} slices, {LOOP_SIDE} px, {trainable} trainable"
        yield Row(f"plain loop, {what}", LOOP_SLICES / graph, "slices/s")
        yield Row("with recomputation / plain loop, time", again / graph, "x")
        yield Row("plain loop / all chunks kept, time", graph / kept, "x", ">= 0.95")


def _classifier(trainable: str):
    """From ImageNet's weights BatchNorm stays and the last two modules learn; from scratch GroupNorm, and all."""
    from ctviewer.nets.encoders import freeze
    from ctviewer.nets.study_classifier import StudyClassifier

    norm = "group" if trainable == "all" else "batch"
    net = StudyClassifier(2, encoder="resnet50", encoder_options={"norm": norm}, head="binary")
    freeze(net.encoder, trainable=trainable)
    return net.train()


def _loss(out, _position: int):
    import torch

    from ctviewer.nets.losses import study_loss

    return study_loss("binary", out.logits, torch.tensor([1]))


def _exhaust(net, studies, kept: int) -> None:
    from ctviewer.nets.chunks import accumulate_gradients

    for _ in accumulate_gradients(net, studies, _loss, chunk=CHUNK, kept=kept):
        pass
