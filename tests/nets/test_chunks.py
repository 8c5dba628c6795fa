"""Gradients by chunks are those of one graph, in bounded memory, whatever is drawn at random on the way."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
import torch
from torch import Tensor, nn

from ctviewer.nets.aggregators import StudyOutput
from ctviewer.nets.chunks import accumulate_gradients
from ctviewer.nets.encoders import freeze
from ctviewer.nets.losses import study_loss
from ctviewer.nets.study_classifier import StudyClassifier

LENGTHS = (7, 1, 4)
LABELS = torch.tensor([0, 2, 1])


@pytest.fixture
def studies() -> list[Tensor]:
    torch.manual_seed(3)
    return [torch.randn(n, 1, 32, 32) for n in LENGTHS]


def classifier(aggregator: str = "lstm_attention", dropout: float = 0.0, **encoder_options: object) -> StudyClassifier:
    torch.manual_seed(0)
    net = StudyClassifier(3, encoder_options={"width": 16, **encoder_options}, aggregator=aggregator)
    net.encoder.trunk.fc = nn.Dropout(dropout)
    return net.train()


def loss(out: StudyOutput, position: int) -> Tensor:
    return study_loss("multi_class", out.logits, LABELS[position : position + 1]) / len(LENGTHS)


def exhaust(steps: Generator[int, None, list[float]]) -> tuple[list[int], list[float]]:
    passed = []
    while True:
        try:
            passed.append(next(steps))
        except StopIteration as end:
            return passed, end.value


def gradients(net: nn.Module) -> dict[str, Tensor | None]:
    return {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}


def one_graph(
    net: StudyClassifier, studies: list[Tensor], chunk: int, *, rounded: bool = False
) -> tuple[dict[str, Tensor | None], list[float]]:
    """All chunks of all studies in a single graph."""
    net.zero_grad()
    losses = []
    with torch.autocast("cpu", torch.bfloat16, enabled=rounded, cache_enabled=False):
        for i, images in enumerate(studies):
            features = torch.cat([net.encode(part).float() for part in images.split(chunk)])
            losses.append(loss(net.aggregate(features[None]), i))
    torch.stack(losses).sum().backward()
    return gradients(net), [float(v.detach()) for v in losses]


def compare(ours: dict[str, Tensor | None], theirs: dict[str, Tensor | None], tolerance: float = 1e-5) -> None:
    for name, expected in theirs.items():
        found = ours[name]
        assert (found is None) == (expected is None), name
        if found is not None and expected is not None:
            scale = float(expected.abs().max().clamp_min(1e-3))
            torch.testing.assert_close(found, expected, atol=tolerance * scale, rtol=0, msg=name)


@pytest.mark.parametrize("aggregator", ["lstm_attention", "attention", "lstm", "max_pool"])
@pytest.mark.parametrize(("chunk", "kept"), [(1, 1), (3, 1), (3, 2), (2, 9), (16, 1)])
def test_gradients_are_those_of_the_whole_study(studies: list[Tensor], aggregator: str, chunk: int, kept: int) -> None:
    net = classifier(aggregator)
    theirs, their_losses = one_graph(net, studies, chunk=max(LENGTHS))
    net.zero_grad()
    _, losses = exhaust(accumulate_gradients(net, studies, loss, chunk=chunk, kept=kept))
    assert losses == pytest.approx(their_losses, abs=1e-6)
    compare(gradients(net), theirs)


@pytest.mark.parametrize("kept", [1, 2])
def test_what_is_drawn_at_random_is_drawn_again_alike(studies: list[Tensor], kept: int) -> None:
    net = classifier(dropout=0.5)
    torch.manual_seed(5)
    theirs, their_losses = one_graph(net, studies, chunk=2)
    state = torch.get_rng_state()
    net.zero_grad()
    torch.manual_seed(5)
    _, losses = exhaust(accumulate_gradients(net, studies, loss, chunk=2, kept=kept))
    assert losses == their_losses
    compare(gradients(net), theirs)
    assert torch.equal(torch.get_rng_state(), state), "the next study draws what it would have drawn"


def test_stochastic_depth_is_drawn_again_alike() -> None:
    torch.manual_seed(0)
    net = StudyClassifier(3, encoder="convnext_tiny", aggregator="attention")
    freeze(net.encoder, trainable="last_two")
    net.train()
    images = [torch.randn(5, 1, 32, 32)]
    torch.manual_seed(5)
    theirs, _ = one_graph(net, images, chunk=2)
    net.zero_grad()
    torch.manual_seed(5)
    exhaust(accumulate_gradients(net, images, loss, chunk=2))
    compare(gradients(net), theirs)


def test_frozen_parts_have_no_gradient(studies: list[Tensor]) -> None:
    net = classifier(norm="batch")
    freeze(net.encoder, trainable="last_two")
    theirs, _ = one_graph(net, studies, chunk=3)
    net.zero_grad()
    exhaust(accumulate_gradients(net, studies, loss, chunk=3))
    ours = gradients(net)
    compare(ours, theirs)
    assert ours["encoder.trunk.conv1.weight"] is None and ours["encoder.trunk.layer3.0.conv1.weight"] is not None


def test_gradients_add_up_to_those_that_are_there(studies: list[Tensor]) -> None:
    net = classifier()
    exhaust(accumulate_gradients(net, studies, loss, chunk=3))
    once = gradients(net)
    exhaust(accumulate_gradients(net, studies, loss, chunk=3))
    compare(gradients(net), {name: None if g is None else 2 * g for name, g in once.items()})


def test_no_more_slices_than_allowed_keep_their_activations(studies: list[Tensor]) -> None:
    for kept, passes in ((1, [3, 3, 1, 3, 3, 1, 3, 1, 3]), (2, [3, 3, 1, 3, 1, 3, 1])):
        net, recorded = classifier(), []
        inner = net.encode

        def encode(images: Tensor, inner=inner, recorded=recorded) -> Tensor:  # bound here
            recorded.append((len(images), torch.is_grad_enabled()))
            return inner(images)

        net.encode = encode  # type: ignore[method-assign]  # a spy
        passed, _ = exhaust(accumulate_gradients(net, studies, loss, chunk=3, kept=kept))
        assert [n for n, _ in recorded] == passed == passes
        assert recorded[:3] == [(3, False), (3, kept == 2), (1, True)]


def test_a_wholly_frozen_encoder_is_passed_once_and_without_gradients(studies: list[Tensor]) -> None:
    net = classifier()
    freeze(net.encoder, trainable="none")
    theirs, _ = one_graph(net, studies, chunk=3)
    net.zero_grad()
    passed, _ = exhaust(accumulate_gradients(net, studies, loss, chunk=3))
    assert passed == [3, 3, 1, 1, 3, 1]
    compare(gradients(net), theirs)


class Made:
    """Slices made when they are asked for."""

    def __init__(self, images: Tensor) -> None:
        self._images = images
        self.asked: list[slice] = []

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, part: slice, /) -> Tensor:
        self.asked.append(part)
        return self._images[part].clone()


def test_slices_may_be_made_when_they_are_due(studies: list[Tensor]) -> None:
    net = classifier()
    theirs, _ = one_graph(net, studies, chunk=3)
    net.zero_grad()
    made = [Made(s) for s in studies]
    started: list[int] = []

    def due() -> Iterator[Made]:
        for i, each in enumerate(made):
            started.append(i)
            yield each

    steps = accumulate_gradients(net, due(), loss, chunk=3)
    next(steps)
    assert started == [0] and made[0].asked == [slice(0, 3)]
    exhaust(steps)
    compare(gradients(net), theirs)


def test_the_caller_finds_torch_as_it_was_at_every_yield(studies: list[Tensor]) -> None:
    net = classifier(dropout=0.5)
    steps = accumulate_gradients(net, studies, loss, chunk=2, precision=torch.bfloat16)
    torch.manual_seed(5)
    for _ in steps:
        assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_cache_enabled()


def test_autocast_gives_the_gradients_of_autocast(studies: list[Tensor]) -> None:
    net = classifier()
    theirs, _ = one_graph(net, studies, chunk=3, rounded=True)
    net.zero_grad()
    exhaust(accumulate_gradients(net, studies, loss, chunk=3, precision=torch.bfloat16))
    compare(gradients(net), theirs, tolerance=1e-2)
    inside = classifier()
    with torch.autocast("cpu", torch.bfloat16):  # the caller's own must not keep weights cast without gradients
        exhaust(accumulate_gradients(inside, studies, loss, chunk=3, precision=torch.bfloat16))
    compare(gradients(inside), theirs, tolerance=5e-2)  # here the way back is rounded too


@pytest.mark.parametrize("sizes", [{"chunk": 0}, {"kept": 0}])
def test_sizes_that_cannot_be_are_refused(studies: list[Tensor], sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        next(accumulate_gradients(classifier(), studies, loss, **sizes))


def test_an_empty_study_and_a_loss_of_nothing_are_refused(studies: list[Tensor]) -> None:
    with pytest.raises(ValueError, match="without slices"):
        exhaust(accumulate_gradients(classifier(), [torch.zeros(0, 1, 32, 32)], loss))
    net = classifier()
    with pytest.raises(ValueError, match="does not depend on the slices"):
        exhaust(accumulate_gradients(net, studies, lambda out, i: net.aggregator.head.bias.sum()))
