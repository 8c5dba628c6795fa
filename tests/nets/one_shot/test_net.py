"""The whole net: who learns when, copies and ties, regions few and none, and that use changes nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from ctviewer.models.storage import as_kept
from ctviewer.nets.one_shot import OneShot, SliceAnswer, Target
from ctviewer.nets.one_shot.rois import Boxes

SIZE = 64


def some_images(n: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(n, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def a_target(complete: bool = True) -> Target:
    masks = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    masks[0, 4:40, 4:30], masks[1, 10:24, 8:22] = 1, 1
    boxes = torch.tensor([[4.0, 4, 30, 40], [8, 10, 22, 24]])
    return Target(boxes, torch.tensor([1, 2]), masks, complete)


def nothing(complete: bool) -> Target:
    masks = torch.zeros(0, SIZE, SIZE, dtype=torch.uint8)
    return Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), masks, complete)


def lesion_loss(net: OneShot, *targets: Target) -> Tensor:
    return torch.stack(list(net.segmentation_losses(some_images(len(targets)), targets).values())).sum()


def image_loss(net: OneShot) -> Tensor:
    return net.classification_loss(net.classify(some_images()).logits, torch.tensor([0, 2]))


def learned(net: OneShot) -> set[str]:
    return {name for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("options", [
    {}, {"branches": "copied"}, {"reduce": "frozen"}, {"norm": "batch"}, {"levels": "single", "anchors": ()},
])  # fmt: skip
def test_a_step_learns_what_is_its_own_and_leaves_no_gradient_elsewhere(one_shot_net, options: dict) -> None:
    net = one_shot_net(**options).train()
    lesion_loss(net, a_target(), nothing(True)).backward()
    assert learned(net) == set(net.learns("lesion"))
    assert {n.split(".")[0] for n in net.learns("lesion")} == {"backbone", "rpn", "segmentation"}
    net.zero_grad(set_to_none=True)
    image_loss(net).backward()
    assert learned(net) == set(net.learns("image"))
    assert {n.split(".")[0] for n in net.learns("image")} == {"backbone", "attention_layer"}
    assert any(n.startswith("attention_layer.reduce.") for n in net.learns("image")) == (
        options != {"reduce": "frozen"}
    )
    assert any(n.startswith("backbone.fpn.") for n in net.learns("image"))


def test_an_image_step_moves_the_backbone_through_the_masks_features(one_shot_net) -> None:
    net = one_shot_net().train()
    image_loss(net).backward()
    assert bool(net.backbone.body.conv1.weight.grad.any())
    with torch.no_grad():
        net.segmentation.mask_head[0].weight.zero_()  # nothing passes any more, and boxes let nothing through
    net.zero_grad(set_to_none=True)
    image_loss(net).backward()
    assert not net.backbone.body.conv1.weight.grad.any()


def test_there_is_no_third_kind_of_step(one_shot_net) -> None:
    with pytest.raises(ValueError, match="lesion, image"):
        one_shot_net().learns("both")


def test_a_copied_branch_stays_until_it_is_renewed_and_then_answers_as_the_tied_one(one_shot_net) -> None:
    copied, tied = one_shot_net(branches="copied"), one_shot_net()
    tied.load_state_dict({k: v for k, v in copied.state_dict().items() if not k.startswith("copied.")})
    images = some_images()
    first = copied.classify(images).logits
    torch.testing.assert_close(first, tied.classify(images).logits, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        for net in (copied, tied):
            net.segmentation.mask_head[0].weight.mul_(3.0)
            net.segmentation.box_predictor.cls_score.bias.copy_(torch.tensor([0.0, 2.0, -2.0]))
    assert torch.equal(copied.classify(images).logits, first)
    assert not torch.allclose(tied.classify(images).logits, first, atol=1e-4)
    copied.copy_branch()
    torch.testing.assert_close(copied.classify(images).logits, tied.classify(images).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("branches", ["tied", "copied"])
def test_one_pass_gives_what_the_branches_give_by_themselves(one_shot_net, branches: str) -> None:
    net = one_shot_net(branches=branches)
    images = some_images(3)
    both, alone = net.analyse(images, 0.05, 9), net.classify(images)
    bare = one_shot_net(image_classes=0, negative=-1)
    bare.load_state_dict({k: v for k, v in net.state_dict().items() if k in bare.state_dict()})
    for i, (answer, segmented) in enumerate(zip(both, bare.analyse(images, 0.05, 9), strict=True)):
        torch.testing.assert_close(answer.logits, alone.logits[i], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.logits[i], alone.positive[i] - alone.negative[i])
        assert torch.equal(answer.rois.boxes, alone.rois[i].boxes)
        assert torch.equal(answer.detections.boxes, segmented.detections.boxes)
        torch.testing.assert_close(answer.detections.masks, segmented.detections.masks, atol=1e-5, rtol=1e-5)


def test_a_slice_is_answered_the_same_whatever_is_beside_it(one_shot_net) -> None:
    for options in ({}, {"norm": "batch_of_one", "norms": "reference"}):
        net, images = one_shot_net(**options), some_images(3)
        together = net.analyse(images, 0.05)
        for i in range(3):
            (alone,) = net.analyse(images[i : i + 1], 0.05)
            torch.testing.assert_close(alone.logits, together[i].logits, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(alone.rois.boxes, together[i].rois.boxes, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("options", [
    {}, {"branches": "copied"}, {"norm": "batch"}, {"norm": "batch_of_one", "norms": "reference"}, {"norms": "running"},
])  # fmt: skip
def test_use_changes_no_weight_and_no_buffer(one_shot_net, options: dict) -> None:
    net = one_shot_net(**options)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    first = net.analyse(some_images(), 0.0)
    net.classify(some_images())
    again = net.analyse(some_images(), 0.0)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(first, again, strict=True))


def test_slices_are_analysed_in_eval_mode_alone(one_shot_net) -> None:
    with pytest.raises(ValueError, match="eval mode"):
        one_shot_net().train().analyse(some_images(), 0.5)


def proposing(net: OneShot, boxes: list[Tensor]) -> OneShot:
    """The net with these proposals, whatever the image."""
    net.rpn.forward = lambda images, maps, targets=None: (boxes, {})  # type: ignore[method-assign]
    return net


def test_proposals_in_another_order_give_the_same_sequence_and_answer(one_shot_net) -> None:
    g = torch.Generator().manual_seed(4)
    corners = torch.randint(0, 40, (20, 2), generator=g).float()
    boxes = torch.cat([corners, corners + torch.randint(8, 24, (20, 2), generator=g)], dim=1)
    boxes = torch.cat([boxes, boxes[:4]])  # some of them twice
    net, images = one_shot_net(), some_images(1)
    given = proposing(net, [boxes]).analyse(images, 0.05)[0]
    for seed in range(4):
        shuffled = boxes[torch.randperm(len(boxes), generator=torch.Generator().manual_seed(seed))]
        other = proposing(net, [shuffled]).analyse(images, 0.05)[0]
        torch.testing.assert_close(other.rois.boxes, given.rois.boxes)
        torch.testing.assert_close(other.logits, given.logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other.rois.attention_positive, given.rois.attention_positive, atol=1e-5, rtol=1e-4)


def test_regions_are_in_the_order_asked_for(one_shot_net) -> None:
    images = some_images(1)
    near, best = (one_shot_net(order=order).analyse(images, 0.05)[0].rois for order in ("distance", "score"))
    distances = near.boxes[:, :2].pow(2).sum(dim=1)
    assert bool((distances[:-1] <= distances[1:]).all()) and bool((best.scores[:-1] >= best.scores[1:]).all())
    assert sorted(near.boxes.tolist()) == sorted(best.boxes.tolist()) and near.boxes.tolist() != best.boxes.tolist()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_regions_than_beta_are_read_as_copies_whose_attention_is_summed(one_shot_net, count: int) -> None:
    corners = torch.tensor([[2.0 + 11 * i, 1.0 + 10 * i] for i in range(count)])
    boxes = torch.cat([corners, corners + 9], dim=1)
    net = one_shot_net(classes=2, roi_nms=0.0)
    with torch.no_grad():
        net.segmentation.box_predictor.bbox_pred.weight.zero_()
        net.segmentation.box_predictor.bbox_pred.bias.zero_()
    answer = proposing(net, [boxes]).analyse(some_images(1), 0.05)[0]
    assert len(answer.rois.scores) == count and bool(torch.isfinite(answer.logits).all())
    for alpha in (answer.rois.attention_positive, answer.rois.attention_negative):
        torch.testing.assert_close(alpha.sum(), torch.tensor(1.0))
    index = [i * count // 6 for i in range(6)]
    maps = net.backbone(some_images(1).expand(-1, 3, -1, -1))
    x = net.segmentation.mask_head(net.segmentation.regions(maps, [boxes[index]]))
    reduced = net.attention_layer.reduced(net.segmentation.mask_predictor.conv5_mask(x))
    out = net.attention_layer(reduced)
    torch.testing.assert_close(answer.logits, (out.positive - out.negative)[0], atol=1e-5, rtol=1e-5)
    for k in range(count):
        shares = [a for a, i in zip(out.attention_positive[0], index, strict=True) if i == k]
        torch.testing.assert_close(answer.rois.attention_positive[k], torch.stack(shares).sum(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("negative", "logits"), [(-1, [0.0, 0, 0]), (0, [4.0, -4, -4]), (2, [-4.0, -4, 4])])
def test_a_slice_without_any_proposal_has_no_finding(one_shot_net, negative: int, logits: list[float]) -> None:
    net = one_shot_net(negative=negative)
    some = torch.tensor([[4.0, 4, 30, 40]])
    answers = proposing(net, [torch.zeros(0, 4), some]).analyse(some_images(), 0.0)
    none = answers[0]
    assert none.logits.tolist() == logits and none.detections.boxes.shape == (0, 4)
    assert none.detections.masks.shape == (0, 28, 28) and none.rois.boxes.shape == (0, 4)
    assert none.rois.attention_positive.shape == (0,) == none.rois.attention_negative.shape
    assert answers[1].logits.tolist() != logits and len(answers[1].rois.scores)
    everywhere = proposing(net, [torch.zeros(0, 4)] * 2).analyse(some_images(), 0.0)
    assert [a.logits.tolist() for a in everywhere] == [logits] * 2


def test_a_batch_without_any_proposal_can_still_be_stepped_on(one_shot_net) -> None:
    net = proposing(one_shot_net().train(), [torch.zeros(0, 4)] * 2)
    loss = image_loss(net)
    loss.backward()
    assert bool(loss.isfinite()) and not any(p.grad is not None and p.grad.any() for p in net.parameters())


def test_without_attention_none_is_told(one_shot_net) -> None:
    answer: SliceAnswer = one_shot_net(attention=False).analyse(some_images(1), 0.05)[0]
    assert answer.rois.attention_positive is None and answer.rois.attention_negative is None
    assert len(answer.rois.scores) == 6 and answer.logits.shape == (3,)


def test_what_is_unmarked_in_a_slice_not_reviewed_completely_is_no_negative(one_shot_net) -> None:
    net = one_shot_net().train()
    loss = lesion_loss(net, nothing(False))
    assert float(loss.detach()) == 0.0
    loss.backward()
    assert not any(p.grad.any() for p in net.learns("lesion").values())
    assert float(lesion_loss(net, nothing(True)).detach()) > 0.5
    # background is no class to be right about there: only marked boxes are drawn
    boxes, labels, matched = net.segmentation._draw(
        torch.rand(50, 4) * 10 + torch.tensor([0, 0, 20, 20]), a_target(False)
    )
    assert len(labels) and bool((labels > 0).all()) and len(boxes) == len(matched)


def test_a_slice_reviewed_for_lesions_alone_says_that_there_are_none_and_nothing_of_lungs(one_shot_net) -> None:
    net = one_shot_net().train()
    target = dataclasses.replace(nothing(True), unmarked=(1,))
    losses = net.segmentation_losses(some_images(1), [target])
    assert float(losses["loss_objectness"].detach()) == 0.0, "a lung would be an object"
    losses["loss_classifier"].backward()
    bias = net.segmentation.box_predictor.cls_score.bias.grad
    assert bias[2] > 0 > bias[0] and bias[1] < 0  # falling: lesions become less likely, lungs do not


def test_what_a_slice_of_identical_regions_is_told_by(one_shot_net) -> None:
    """The reference's answer to identical regions does not depend on the image; the product's does."""
    box = [torch.tensor([[8.0, 8, 40, 40]])]
    for norms, depends in (("reference", False), ("product", True)):
        net = proposing(one_shot_net(classes=2, norms=norms), box)
        with torch.no_grad():
            net.segmentation.box_predictor.bbox_pred.weight.zero_()
            net.segmentation.box_predictor.bbox_pred.bias.zero_()
        first, second = (net.analyse(some_images(1, seed), 0.05)[0].logits for seed in (1, 2))
        assert torch.allclose(first, second, atol=2e-3) != depends, (norms, first, second)


def test_a_bundle_saved_and_loaded_gives_outputs_bit_equal_for_the_stored_weights(tiny_one_shot, one_shot_net) -> None:
    net = one_shot_net()
    net.load_state_dict({name: as_kept(value) for name, value in net.state_dict().items()})
    loaded = tiny_one_shot.build()
    for ours, theirs in zip(net.analyse(some_images(), 0.05), loaded.analyse(some_images(), 0.05), strict=True):
        assert torch.equal(ours.logits, theirs.logits) and torch.equal(ours.rois.boxes, theirs.rois.boxes)
        assert torch.equal(ours.rois.attention_negative, theirs.rois.attention_negative)
        assert torch.equal(ours.detections.masks, theirs.detections.masks) and len(ours.detections.scores)


def test_state_saved_and_loaded_is_bit_equal_in_training_too(one_shot_net) -> None:
    options = {"norm": "batch_of_one", "norms": "reference", "branches": "copied"}
    one, other = one_shot_net(**options).train(), one_shot_net(seed=9, **options).train()
    image_loss(one)  # moves running statistics
    other.load_state_dict(one.state_dict())
    results = []
    for net in (one, other):
        torch.manual_seed(5)
        results.append(torch.stack([lesion_loss(net, a_target(), nothing(False)), image_loss(net)]))
    assert torch.equal(results[0], results[1])
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


def test_boxes_know_their_number() -> None:
    assert len(Boxes(torch.zeros(3, 4), torch.ones(3, dtype=torch.int64), torch.zeros(3))) == 3
