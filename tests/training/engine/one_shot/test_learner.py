"""Who learns in which step, what a step's gradients are, when the branch is copied, and what judging changes: nothing."""

from __future__ import annotations

import math

import pytest
import torch

from ctviewer.nets.one_shot.net import OneShot
from ctviewer.training.augment import Pose
from ctviewer.training.control import Wish, never
from ctviewer.training.engine.batches import dropout_seed
from ctviewer.training.engine.features import Draws
from ctviewer.training.engine.learner import Place, Verdict
from ctviewer.training.engine.one_shot.batches import Drawn, SliceBatch, SliceRef
from ctviewer.training.engine.one_shot.copying import BEST, PREVIOUS_STEP, Copying
from ctviewer.training.engine.one_shot.judging import SliceJudge
from ctviewer.training.engine.one_shot.learner import OneShotLearner
from ctviewer.training.engine.parallel import SINGLE, World

PLAIN = Draws()
PLACE = Place(seed=3, fold=0, epoch=2, step=1)
LESIONS = tuple(Drawn(SliceRef("lesions/0/l0", f"slice {i}"), 2) for i in (1, 2))
CLASSED = tuple(Drawn(SliceRef("images/0/i0", f"slice {i}"), 2) for i in (0, 1, 2))
BATCHES = {
    "lesion": SliceBatch(lesions=LESIONS),
    "image": SliceBatch(images=CLASSED),
    "both": SliceBatch(LESIONS, CLASSED),
}


@pytest.fixture
def learner(net, store, sources):
    def make(copying=None, precision="float32", draws=PLAIN, alternating=True, **options) -> OneShotLearner:
        made = store(sources(1, 1))
        judge = SliceJudge(made, balanced=True, seed=1)
        return OneShotLearner(net(**options).train(), made, draws, precision, copying, judge, alternating)

    return make


def ended(work):
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def learned(learner, batch, world=SINGLE, scale=1.0) -> tuple[float, dict[str, torch.Tensor]]:
    learner.net.zero_grad(set_to_none=True)
    loss = ended(learner.learn(batch, PLACE, scale, world))
    return loss, {name: p.grad.clone() for name, p in learner.net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("branches", ["tied", "copied"])
@pytest.mark.parametrize("kind", ["lesion", "image"])
def test_what_does_not_learn_has_no_gradient(learner, kind: str, branches: str) -> None:
    """None, not 0: Adam with weight decay would move it."""
    made = learner(branches=branches)
    _, gradients = learned(made, BATCHES[kind])
    parts = ("backbone.", "rpn.", "segmentation.") if kind == "lesion" else ("backbone.", "attention_layer.")
    assert set(gradients) == {name for name, _ in made.net.named_parameters() if name.startswith(parts)}
    assert set(gradients) == set(made.net.learns(kind))
    moving = [name for name, gradient in gradients.items() if gradient.abs().sum() > 0]
    assert any(name.startswith("backbone.body.conv1") for name in moving), "gradients reach the first layer"


def test_a_step_with_both_losses_is_their_sum(learner) -> None:
    made = learner()
    loss, gradients = learned(made, BATCHES["both"])
    lesions, of_lesions = learned(made, BATCHES["lesion"])
    # positions, and with them the draws of the proposals, follow on the lesions'
    images = SliceBatch(images=CLASSED)
    classes, of_classes = learned(made, images)
    assert loss == pytest.approx(lesions + classes, rel=1e-5)
    for name, gradient in gradients.items():
        expected = of_lesions.get(name, torch.zeros(())) + of_classes.get(name, torch.zeros(()))
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5, msg=name)


def by_hand(made: OneShotLearner, scale: float) -> tuple[float, dict[str, torch.Tensor]]:
    """A plain loop: the mean of the lesion slices' losses, plus the mean of the classes' cross-entropies."""
    net: OneShot = made.net
    net.zero_grad(set_to_none=True)
    parts = []
    for position, drawn in enumerate(LESIONS):
        torch.manual_seed(dropout_seed(3, 0, 2, 1, position))
        image, target = made.store.lesion_item(drawn.ref.scan, drawn.ref.name)
        parts.append(sum(net.segmentation_losses(image[None], [target]).values()) / len(LESIONS))
    for drawn in CLASSED:
        image, label = made.store.image_item(drawn.ref.scan, drawn.ref.name)
        logits = net.classify(image[None]).logits[0]
        signs = torch.tensor([1.0 if k == label else -1.0 for k in range(3)])
        parts.append(torch.log1p(torch.exp(-signs * logits)).mean() / len(CLASSED))
    (scale * sum(parts)).backward()
    return float(sum(parts).detach()), {
        name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None
    }


def test_gradients_are_those_of_a_plain_loop(learner) -> None:
    made = learner(alternating=False)
    loss, gradients = learned(made, BATCHES["both"], scale=4.0)
    expected, theirs = by_hand(made, 4.0)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert set(gradients) == set(theirs)
    for name, gradient in theirs.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", BATCHES)
def test_the_parts_of_two_processes_add_up(learner, kind: str) -> None:
    made = learner()
    loss, gradients = learned(made, BATCHES[kind])
    halves = [learned(made, BATCHES[kind], World(rank, 2)) for rank in range(2)]
    assert sum(half[0] for half in halves) == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        together = sum(half[1].get(name, torch.zeros_like(gradient)) for half in halves)
        torch.testing.assert_close(together, gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert sum(made.amount(BATCHES[kind], World(rank, 2)) for rank in range(2)) == made.amount(BATCHES[kind], SINGLE)


def test_draws_depend_on_the_turn_alone(learner) -> None:
    """The same slice looks the same whenever it is asked for in one turn, and otherwise in another."""
    made = learner(draws=Draws(Pose(), 3, 4))
    torch.manual_seed(99)
    first = learned(made, BATCHES["lesion"])[0]
    assert learned(made, BATCHES["lesion"])[0] == first
    later = SliceBatch(lesions=tuple(Drawn(one.ref, 3) for one in LESIONS))
    assert learned(made, later)[0] != first
    again = SliceBatch(lesions=tuple(Drawn(one.ref, 6) for one in LESIONS))
    assert learned(made, again)[0] == first, "turns 2 and 6 of 4 draws"


def test_the_first_step_copies_and_then_only_a_better_one(learner) -> None:
    made = learner(copying=Copying(BEST, 0.0), branches="copied")
    net = made.net

    def same() -> bool:
        pairs = zip(net.copied.parameters(), net.segmentation.parameters(), strict=True)
        return all(torch.equal(ours, theirs) for ours, theirs in pairs)

    def stepped(batch) -> None:
        ended(made.learn(batch, PLACE, 1.0, SINGLE))
        with torch.no_grad():
            for parameter in net.segmentation.parameters():
                parameter.add_(0.01)
        made.after_step(batch, SINGLE)

    stepped(BATCHES["image"])
    assert not same(), "a step on classes copies nothing"
    stepped(BATCHES["lesion"])
    assert same()
    made.copying.best = 0.0
    stepped(BATCHES["lesion"])
    assert not same(), "no better than before"
    made.copying.rule = PREVIOUS_STEP
    stepped(BATCHES["lesion"])
    assert same()


def test_in_a_summed_step_the_copy_follows_the_segmentation_loss(learner) -> None:
    made = learner(copying=Copying(BEST, 0.0), branches="copied", alternating=False)
    loss = ended(made.learn(BATCHES["both"], PLACE, 1.0, SINGLE))
    made.after_step(BATCHES["both"], SINGLE)
    assert made.copying.best == pytest.approx(learned(made, BATCHES["lesion"])[0], rel=1e-5)
    assert made.copying.best < loss


def test_copied_weights_and_their_rule_are_in_what_is_kept(learner) -> None:
    made = learner(copying=Copying(BEST, 0.5), branches="copied")
    made.copying.seen(2.0)
    assert made.state() == {"copying": {"smoothed": 2.0, "best": 2.0}}
    assert any(name.startswith("copied.") for name in made.kept_state())
    other = learner(copying=Copying(BEST, 0.5), branches="copied")
    other.restore(made.state())
    assert other.copying == made.copying
    other.restore({})
    assert other.copying.best is None, "a checkpoint that kept none"
    assert learner().state() == {}, "tied branches copy nothing"


@pytest.mark.parametrize("norms", ["product", "reference", "running"])
@pytest.mark.parametrize("norm", ["group", "batch_of_one"])
def test_judging_changes_nothing(learner, norm: str, norms: str) -> None:
    made = learner(norm=norm, norms=norms)
    before = {name: tensor.clone() for name, tensor in made.net.state_dict().items()}
    scans = ("lesions/0/l0", "images/0/i0")
    first = ended(made.judge_epoch(scans, SINGLE, never))
    assert not made.net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.net.state_dict().items())
    torch.manual_seed(5)
    assert ended(made.judge_epoch(scans, SINGLE, never)) == first, "whatever was drawn before"


def test_a_verdict_is_the_losses_of_the_validation_slices(learner) -> None:
    made = learner()
    verdict = ended(made.judge_epoch(("lesions/0/l0", "images/0/i0"), SINGLE, never))
    made.net.eval()
    logits = [
        made.net.classify(made.store.image_item("images/0/i0", f"slice {i}")[0][None]).logits[0] for i in range(3)
    ]
    hits = [int(row.argmax()) == i for i, row in enumerate(logits)]
    losses = [made.net.classification_loss(row[None], torch.tensor([i])).item() for i, row in enumerate(logits)]
    assert verdict.metrics["class loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert verdict.metrics["accuracy of slices"] == pytest.approx(sum(hits) / 3)
    assert verdict.loss == pytest.approx(verdict.metrics["class loss"] + verdict.metrics["segmentation loss"])
    lesions = ended(made.judge_epoch(("lesions/0/l0",), SINGLE, never))
    assert lesions.loss == pytest.approx(verdict.metrics["segmentation loss"], rel=1e-5)
    assert math.isnan(ended(made.judge_epoch((), SINGLE, never)).loss)


def test_judging_can_be_left(learner) -> None:
    made = learner()
    asked = iter([Wish.GO_ON, Wish.GO_ON, Wish.PAUSE])
    assert ended(made.judge_epoch(("lesions/0/l0",), SINGLE, lambda: next(asked))) is Wish.PAUSE


def test_losses_of_an_epoch_are_laid_beside_those_of_validation(learner) -> None:
    assert learner().mean_loss([4.0, 1.0, 2.0, 3.0]) == 5.0, "lesions (4 + 2) / 2, classes (1 + 3) / 2"
    assert learner().mean_loss([4.0]) == 4.0
    assert learner(alternating=False).mean_loss([4.0, 1.0]) == 2.5


@pytest.mark.parametrize("kind", ["lesion", "image"])
def test_in_bfloat16_losses_are_float32_and_nearly_the_same(learner, kind: str, monkeypatch) -> None:
    seen = []
    exact = learned(learner(), BATCHES[kind])[0]
    made = learner(precision="bfloat16")
    losses, classes = made.net.segmentation_losses, made.net.classification_loss

    def segmentation(*given):
        found = losses(*given)
        seen.extend(loss.dtype for loss in found.values())
        return found

    def classification(*given):
        seen.extend([given[0].dtype, classes(*given).dtype])
        return classes(*given)

    monkeypatch.setattr(made.net, "segmentation_losses", segmentation)
    monkeypatch.setattr(made.net, "classification_loss", classification)
    loss, gradients = learned(made, BATCHES[kind])
    assert set(seen) == {torch.float32}
    assert loss == pytest.approx(exact, rel=0.2)
    assert all(gradient.dtype == torch.float32 for gradient in gradients.values())


def test_a_net_without_classes_of_slices_learns_lesions(net, store, sources) -> None:
    made = store(sources(1, 0))
    plain = net(image_classes=0, negative=-1).train()
    learner = OneShotLearner(plain, made, Draws(), "float32", None, SliceJudge(made, True, 1), False)
    loss, gradients = learned(learner, BATCHES["lesion"])
    assert math.isfinite(loss)
    assert set(gradients) == {name for name, _ in plain.named_parameters()}
    verdict = ended(learner.judge_epoch(("lesions/0/l0",), SINGLE, never))
    assert isinstance(verdict, Verdict)
    assert set(verdict.metrics) == {"segmentation loss"}
