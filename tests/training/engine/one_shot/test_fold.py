"""A one-shot fold left at any moment and taken up again goes on as if it had never been left: bit by bit."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from training.engine.one_shot.conftest import fold_of, inputs_in, run_config, said_by

from ctviewer.core.errors import CtviewerError
from ctviewer.core.events import Progress
from ctviewer.training.control import Wish
from ctviewer.training.engine.one_shot.learner import OneShotLearner
from ctviewer.training.events import Saved, StepDone

COPIED = {"net": {**run_config().model.net, "branches": "copied", "norms": "running"}}
BATCH_NORM = {"net": {**run_config().model.net, "norm": "batch_of_one"}}
WISHES = {
    "copied": {"model": COPIED, "copy": "best", "smoothing": 0.5},
    "summed": {"model": BATCH_NORM, "losses": "sum"},
}


def config_of(kind: str, **changes):
    return run_config(augmentation="tuned", clip=1.0, sampling="even", **WISHES[kind], **changes)


def state_of(fold) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in fold.learner.net.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return set(one) == set(other) and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


class Counting:
    """Counts how often it was asked, and says something after so many times."""

    def __init__(self, last: float = math.inf) -> None:
        self.asked, self.last = 0, last

    def __call__(self) -> Wish:
        self.asked += 1
        return Wish.PAUSE if self.asked > self.last else Wish.GO_ON


@pytest.fixture(scope="module", params=sorted(WISHES))
def whole(request, tmp_path_factory):
    """An undisturbed fold: its place, configuration, what it said, weights, what it keeps, how often it asked."""
    place, counting = tmp_path_factory.mktemp("whole"), Counting()
    fold = fold_of(inputs_in(place, config_of(request.param), control=counting))
    said = said_by(fold.train())
    return place, request.param, said, state_of(fold), fold, counting.asked


def test_it_learns_by_turns(whole) -> None:
    _, kind, said, _, fold, _ = whole
    # three slices of each kind, two a step: two rounds an epoch
    assert len(said.losses) == 2 * (4 if kind == "copied" else 2)
    told = said.judged
    assert [epoch for _, epoch, _, _ in told] == [1, 2]
    losses = [loss for _, _, loss in said.losses][: fold.batches.steps]
    assert told[0][2] == pytest.approx(sum(losses) / 2), "both kinds' means, added"


def test_paused_anywhere(whole) -> None:
    place, kind, said, weights, fold, asked = whole
    for number in range(2, asked, 11):
        wanted = inputs_in(place, config_of(kind), name=f"paused-{number}", control=Counting(number))
        first = said_by(fold_of(wanted).train())
        later = fold_of(dataclasses.replace(wanted, control=Counting()))
        later.resume()
        rest = said_by(later.train())
        assert first.losses + rest.losses == said.losses, number
        assert first.judged + rest.judged == said.judged, number
        assert same(state_of(later), weights), number
        assert later.learner.state() == fold.learner.state(), number


def test_killed_anywhere(whole) -> None:
    """The generator is dropped where it stands: what is on disk is all there is."""
    place, kind, said, weights, _, _ = whole
    config = dataclasses.replace(config_of(kind), checkpoint_minutes=0.0)
    lasting = [event for event in said.events if not isinstance(event, Progress | Saved)]
    for number in range(1, len(lasting), 4):
        wanted = inputs_in(place, config, name=f"killed-{number}")
        events, seen = fold_of(wanted).train(), []
        while len([e for e in seen if not isinstance(e, Progress | Saved)]) < number:
            seen.append(next(events))
        events.close()
        later = fold_of(wanted)
        later.resume()
        rest = said_by(later.train())
        known = {found[:2]: found for found in (*said_by(seen).losses, *rest.losses)}
        assert list(known.values()) == said.losses, number
        assert same(state_of(later), weights), number


def test_the_best_weights_are_kept_with_the_copied_branch(inputs) -> None:
    fold = fold_of(inputs(config_of("copied", keep="best")))
    verdicts = iter([1.0, 2.0])
    judge, kept = fold.learner.judge_epoch, {}

    def judged(*told):
        verdict = yield from judge(*told)
        if not kept:
            kept.update(state_of(fold))
        return dataclasses.replace(verdict, loss=next(verdicts))

    fold.learner.judge_epoch = judged
    said_by(fold.train())
    assert not same(state_of(fold), kept)
    assert fold.take_kept() == 1
    assert same(state_of(fold), kept)


@pytest.mark.parametrize("kind", ["lesion", "image"])
def test_a_loss_that_is_not_finite_keeps_the_state_before(inputs, monkeypatch, kind: str) -> None:
    whole = fold_of(inputs(config_of("copied", epochs=1), name="whole"))
    said = said_by(whole.train())
    wanted = inputs(config_of("copied", epochs=1))
    fold, steps = fold_of(wanted), []
    part = "_segmentation" if kind == "lesion" else "_classification"
    right = getattr(OneShotLearner, part)

    def wrong(self, drawn):
        steps.append(1)
        return right(self, drawn) * (math.nan if len(steps) > 2 else 1.0)

    monkeypatch.setattr(OneShotLearner, part, wrong)
    seen = []
    with pytest.raises(CtviewerError, match="because the loss is not finite"):
        for event in fold.train():
            seen.append(event)
    monkeypatch.undo()
    done = [event for event in seen if isinstance(event, StepDone)]
    assert len(done) == (2 if kind == "lesion" else 3)
    later = fold_of(wanted)
    later.resume()
    assert later.at.step == len(done)
    rest = said_by(later.train())
    assert said_by(seen).losses + rest.losses == said.losses
    assert same(state_of(later), state_of(whole))


def test_gradients_are_clipped(inputs) -> None:
    fold = fold_of(inputs(run_config(optimizer="adam", clip=1e-3, epochs=1)))
    norms = []
    step = fold._optimizer.step

    def stepped(*told):
        gradients = [p.grad for p in fold.learner.net.parameters() if p.grad is not None]
        norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))))
        return step(*told)

    fold._optimizer.step = stepped
    said_by(fold.train())
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)


def test_weight_decay_moves_nothing_that_does_not_learn(inputs) -> None:
    """Adam decays a weight whose gradient is 0; None leaves it alone."""
    fold = fold_of(inputs(run_config(optimizer="adam", decay=0.5, rate=1e-2, warm_up=0.0, epochs=1)))
    before, events = state_of(fold), fold.train()
    next(event for event in events if isinstance(event, StepDone))
    after = state_of(fold)
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("attention_layer.") for name in moved), "a step on lesions"
    next(event for event in events if isinstance(event, StepDone))
    later = {name for name, tensor in state_of(fold).items() if not torch.equal(tensor, after[name])}
    assert any(name.startswith("attention_layer.") for name in later)
    assert not any(name.startswith(("rpn.", "segmentation.")) for name in later), "a step on classes"
    events.close()


def test_the_trunk_has_its_part_of_the_rate(inputs) -> None:
    fold = fold_of(inputs(run_config(encoder_rate=0.1, rate=1e-2)))
    rates = {id(p): group["factor"] for group in fold._optimizer.param_groups for p in group["params"]}
    trunk = {id(p) for p in fold.learner.net.backbone.body.parameters()}
    named = {id(p): name for name, p in fold.learner.net.named_parameters() if p.requires_grad}
    assert set(rates) == set(named)
    assert all(rates[one] == (0.1 if one in trunk else 1.0) for one in rates)


def test_lesions_alone_make_a_segmentation_net(inputs) -> None:
    from training.engine.one_shot.conftest import two_sources

    fold = fold_of(inputs(run_config(epochs=1), two_sources(3, 0)))
    assert fold.learner.net.segmentation_only
    said = said_by(fold.train())
    assert len(said.losses) == fold.batches.steps == 2
    assert math.isfinite(said.judged[0][3])


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_step_that_teaches_nothing_moves_nothing(inputs, monkeypatch, precision: str) -> None:
    """A slice without any region has an answer that no weight has a part in."""
    fold = fold_of(inputs(run_config(epochs=1, precision=precision, decay=0.5)))
    monkeypatch.setattr(OneShotLearner, "_classification", lambda self, drawn: torch.tensor(0.3))
    events = fold.train()
    next(event for event in events if isinstance(event, StepDone))
    before = state_of(fold)
    assert next(event for event in events if isinstance(event, StepDone)).loss == pytest.approx(0.3)
    assert same(state_of(fold), before)
    events.close()


@pytest.mark.parametrize("item", ["lesion_item", "image_item"])
def test_values_that_are_not_finite_pass_the_net_and_end_in_words(inputs, monkeypatch, item: str) -> None:
    """Neither proposals nor sampling of regions stumble over them before the loss is looked at."""
    fold = fold_of(inputs(run_config(epochs=1)))
    right = getattr(fold.learner.store, item)

    def broken(*told):
        image, truth = right(*told)
        return image * math.nan, truth

    monkeypatch.setattr(fold.learner.store, item, broken)
    with pytest.raises(CtviewerError, match=r"because (the loss|a gradient) is not finite"):
        said_by(fold.train())


@pytest.mark.parametrize("norms", ["product", "reference", "running"])
@pytest.mark.parametrize("norm", ["group", "batch_of_one"])
def test_batch_norm_alone_keeps_statistics_and_the_product_has_none(inputs, norm: str, norms: str) -> None:
    options = {**run_config().model.net, "norm": norm, "norms": norms}
    fold = fold_of(inputs(run_config(epochs=1, model={"net": options})))
    before = {name: tensor.clone() for name, tensor in fold.learner.net.named_buffers()}
    said_by(fold.train())
    changed = {name for name, tensor in fold.learner.net.named_buffers() if not torch.equal(tensor, before[name])}
    parts = {"backbone"} if norm == "batch_of_one" else set()
    parts |= {"attention_layer"} if norms != "product" else set()
    assert {name.partition(".")[0] for name in changed} == parts
