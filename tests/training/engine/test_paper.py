"""The recipe "paper" against a plain loop written from the paper's words, and what else it promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ctviewer.models.bundle import load_bundle
from ctviewer.models.preprocess import air_grey, net_input, study_order
from ctviewer.training.augment import draw_study
from ctviewer.training.engine.batches import make_batches
from ctviewer.training.engine.inputs import epoch_predictions
from ctviewer.training.engine.starts import start_net
from ctviewer.training.predictions_file import read_predictions
from ctviewer.training.recipes import RECIPES
from ctviewer.training.sampling import paper_pose
from ctviewer.training.splits import Split

pytestmark = pytest.mark.usefixtures("no_figures")


def test_the_paper_in_numbers() -> None:
    paper = RECIPES["paper"]
    assert (paper.optimizer, paper.rate, paper.encoder_rate, paper.decay) == ("adam", 1e-3, 1.0, 0.0)
    assert (paper.schedule, paper.warm_up, paper.clip, paper.precision) == ("constant", 0.0, 0.0, "float32")
    assert (paper.epochs, paper.batch, paper.sampling) == (12, 8, "inverse_frequency")
    assert (paper.augmentation, paper.draws) == ("paper", 12), "a draw of its own for each epoch"
    assert (paper.long_study, paper.every, paper.trainable) == (200, 4, "last_two")
    assert (paper.keep, paper.patience, paper.calibrate, paper.supervision) == ("last", 0, False, 0.0)


def plain_loop(config, source, split, bundle, epochs: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Adam at 1e-3 over batches of eight studies in one graph each; rotation and crop drawn once per study and epoch."""
    labels = [source.classes(s) for s in source.ids()]
    start = start_net(config.model, config.recipe, labels, bundle, config.seed)
    net, p = start.net.train(), start.preprocessing
    optimizer = torch.optim.Adam([w for w in net.parameters() if w.requires_grad], lr=1e-3)
    pose = paper_pose(p.size, p.crop)
    squares = {}
    for study in split.train:
        volume, _ = source.load(study)
        whole = type(p)(p.window_centre, p.window_width, p.size, p.size, (0.0,), (1.0,))
        # the store keeps 16 bits of the grey; Adam makes a whole step of the sign of a gradient that is all but nothing
        squares[study] = (net_input(volume, study_order(volume), whole) * 65535).round() * (1 / 65535)
    lengths = {study: len(images) for study, images in squares.items()}
    batches = make_batches(lengths, {s: source.classes(s) for s in split.train}, config.recipe, config.seed, 0)
    losses = []
    for epoch in range(epochs):
        for step in range(batches.steps):
            optimizer.zero_grad()
            batch, total = batches.step(epoch, step), torch.zeros(())
            for one in batch:
                name = int.from_bytes(hashlib.sha256(one.study.encode()).digest()[:16], "big")
                rng = np.random.default_rng([config.seed, epoch % 12, name])
                draw = draw_study(pose, rng, lengths[one.study], p.size, p.crop)
                images = draw.apply(squares[one.study], np.arange(lengths[one.study]), air_grey(p))
                images = ((images - 0.5) / 0.3)[one.start :: one.step]
                out = net(images[None])
                target = torch.tensor([1.0 if source.label(one.study) == "sick" else 0.0])
                total = total + binary_cross_entropy_with_logits(out.logits[:, 1], target) / len(batch)
            total.backward()
            optimizer.step()
            losses.append(float(total.detach()))
    return losses, {name: tensor.detach() for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("aggregator", ["lstm_attention", "max_pool"])
def test_the_engine_is_the_plain_loop(inputs, said, small_config, labelled, toy_bundle, aggregator: str) -> None:
    """From a pre-trained encoder: its last two modules learn too; under max pooling nothing of it."""
    model = {"start": "domain", "aggregator": aggregator}
    config = small_config(recipe="paper", model=model, epochs=2, long_study=7, every=3)
    source = labelled(8, slices=7)  # all training studies are long ones: three sequences of each
    ids = source.ids()
    split = Split(ids[:5], (), ids[5:])
    found = said(inputs(config, source, split, base=toy_bundle))
    losses, state = plain_loop(config, source, split, toy_bundle, 2)
    assert len(losses) == 2 * 2
    torch.testing.assert_close([loss for _, _, loss in found.losses], losses, rtol=1e-4, atol=1e-5)
    made = load_bundle(Path(found.last.bundle)).build().state_dict()
    start = toy_bundle.build().state_dict()
    changed = {name for name in start if name.startswith("encoder.") and not torch.equal(made[name], start[name])}
    if aggregator == "max_pool":
        assert not changed
    else:
        assert changed
        assert {name.split(".")[2] for name in changed} == {"layer3", "layer4"}
    begun = start_net(config.model, config.recipe, [("well",), ("sick",)], toy_bundle, config.seed).net.state_dict()
    moved = torch.cat([(state[name] - begun[name]).flatten() for name in state])
    apart = torch.cat([(state[name] - made[name]).flatten() for name in state])
    assert apart.norm() < 0.05 * moved.norm(), "float16, and Adam's first steps, which are the gradient's sign"


def test_predictions_after_stated_epochs(inputs, said, small_config, labelled, toy_bundle) -> None:
    """Those after the last epoch are the finished model's; those before are the model's of a shorter run."""
    source = labelled(10)
    ids = source.ids()
    split = Split(ids[:6], (), ids[6:8], {"far": ids[8:]})

    def config(epochs: int):
        return small_config(recipe="paper", model={"start": "domain"}, epochs=epochs)

    wanted = inputs(config(2), source, split, base=toy_bundle, predict_at=(1, 2))
    said(wanted)
    after = {epoch: read_predictions(epoch_predictions(wanted.folder, epoch)) for epoch in (1, 2)}
    assert [case.split for case in after[1].cases] == ["test", "test", "external:far", "external:far"]
    finished = read_predictions(wanted.folder / "predictions.json")
    assert [case.study for case in finished.cases] == [case.study for case in after[2].cases]
    np.testing.assert_allclose(finished.logits, after[2].logits, atol=5e-3)  # the bundle keeps float16
    shorter = inputs(config(1), source, split, base=toy_bundle, name="shorter")
    said(shorter)
    np.testing.assert_allclose(read_predictions(shorter.folder / "predictions.json").logits, after[1].logits, atol=5e-3)
    assert np.abs(after[1].logits - after[2].logits).max() > 0.02
