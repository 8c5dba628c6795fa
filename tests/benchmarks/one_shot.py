"""The one-shot model beside torchvision's own Mask R-CNN at the same size, what masks cost, and a run that overfits.

ResNet50 and a pyramid on both sides, random weights, 100 detections a slice. torchvision's net pastes its masks before it
gives them, so ours are pasted and packed too; a row says what both cost without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from harness import Row, in_turn, peak_memory_mb

SIZE, CLASSES, LIMIT, SCORE = 512, 4, 100, 0.05
STEP_SIZE, LESIONS = 512, 4
PASTED = 100


def run(work: Path) -> Iterator[Row]:
    """Times in turn with torchvision; memory in fresh processes; the overfit run last."""
    from one_shot_overfit import overfit

    yield from _inference()
    yield from _steps()
    yield from _masks()
    yield from overfit(work)


def _inference() -> Iterator[Row]:
    """One slice after another, as the viewer asks for them."""
    import torch

    images = torch.randn(1, 1, SIZE, SIZE)
    ours, bare = _ours(SIZE).eval(), _ours(SIZE, image_classes=0).eval()
    for net in (ours, bare):
        net.fold_batch_norm()
    theirs = _theirs(SIZE).eval()
    grey = [images[0].expand(3, -1, -1) * 0.1 + 0.5]
    counts = {"ours": len(_pasted(ours, images)), "theirs": len(_found(theirs, grey))}
    whole, unpasted, segmenting, reference, boxed = in_turn(
        lambda: _pasted(ours, images),
        lambda: _answered(ours, images),
        lambda: _answered(bare, images),
        lambda: _found(theirs, grey),
        lambda: _unpasted(theirs, grey),
        rounds=5,
    )
    what = f"{SIZE} px, ResNet50 pyramid"
    yield Row(f"torchvision maskrcnn_resnet50_fpn, a slice, {what}, {counts['theirs']} detections", reference, "s")
    yield Row(
        f"all our branches and packed masks, {counts['ours']} detections / torchvision", whole / reference, "x", "<= 1"
    )
    yield Row("the same without pasting on either side", unpasted / boxed, "x")
    yield Row("segmentation branch alone / all branches", segmenting / unpasted, "x")


def _steps() -> Iterator[Row]:
    """A lesion step: forward, five losses, backward, Adam; all of both nets learns. An image step beside it."""
    import torch

    torch.manual_seed(0)
    image = torch.randn(1, 1, STEP_SIZE, STEP_SIZE)
    boxes, labels, masks = _lesions(STEP_SIZE)
    ours = _ours(STEP_SIZE).train()
    theirs = _theirs(STEP_SIZE).train()
    given = {"boxes": boxes, "labels": labels, "masks": masks}
    grey = [image[0].expand(3, -1, -1) * 0.1 + 0.5]

    def losses() -> torch.Tensor:
        from ctviewer.nets.one_shot import Target

        return sum(ours.segmentation_losses(image, [Target(boxes, labels, masks, True)]).values())

    def classes() -> torch.Tensor:
        return ours.classification_loss(ours.classify(image).logits, torch.tensor([1]))

    lesion, picture, reference = in_turn(
        _step(ours, losses), _step(ours, classes), _step(theirs, lambda: sum(theirs(grey, [given]).values())), rounds=4
    )
    what = f"{STEP_SIZE} px, ResNet50 pyramid, {LESIONS} lesions"
    yield Row(f"torchvision maskrcnn_resnet50_fpn, a training step, {what}", reference, "s")
    yield Row("our lesion step / torchvision's training step", lesion / reference, "x", "<= 1.3")
    yield Row("our image step / torchvision's training step", picture / reference, "x")


def _masks() -> Iterator[Row]:
    """What pasting holds at most, ours packed in their boxes and torchvision's as whole images."""
    folder = str(Path(__file__).parent)
    imports = f"import sys; sys.path.insert(0, {folder!r}); from one_shot import masks_of, pasted_by_us, pasted_by_them"
    prepare = "found = masks_of(int(sys.argv[1])); "
    warm = "pasted_by_us(masks_of(1)); pasted_by_them(masks_of(1))"
    for name, work, aim in (
        ("packed in their boxes (ours)", "kept = pasted_by_us(found)", "< 10"),
        ("as images of the slice (torchvision)", "kept = pasted_by_them(found)", ""),
    ):
        used = peak_memory_mb(f"{imports}\n{prepare}{warm}", work, str(PASTED))
        yield Row(f"peak memory of {PASTED} masks {name}, {SIZE} px", used, "MB", aim)


def masks_of(count: int):
    """Detections as a net gives them: 28 x 28 probabilities in boxes of 16 to 256 pixels."""
    import torch

    from ctviewer.nets.one_shot.answers import Detections

    torch.manual_seed(0)
    side = 16 + 240 * torch.rand(count, 2)
    corner = torch.rand(count, 2) * (SIZE - side)
    boxes = torch.cat([corner, corner + side], dim=1)
    return Detections(boxes, torch.ones(count, dtype=torch.int64), torch.ones(count), torch.rand(count, 28, 28))


def pasted_by_us(found) -> object:
    """All of them as the viewer keeps them."""
    from ctviewer.models.postprocess import instances

    return instances(found, 0, ("background", "a", "b", "c"), _placement(), 0.0)


def pasted_by_them(found) -> object:
    """All of them as torchvision gives them."""
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    return paste_masks_in_image(found.masks[:, None], found.boxes, (SIZE, SIZE))


def _placement():
    from ctviewer.models.placement import Placement, Upright

    return Placement(SIZE, SIZE, Upright(False, False, False), SIZE)


def _ours(size: int, image_classes: int = 3):
    import torch

    from ctviewer.nets.one_shot import OneShot

    torch.manual_seed(0)
    return OneShot(
        CLASSES, image_classes=image_classes, size=size, backbone="resnet50", norm="batch", detection_nms=0.5
    )


def _theirs(size: int):
    """At our size, and with what it is given as it is: its own is 800 pixels and ImageNet's statistics."""
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    torch.manual_seed(0)
    return maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES, min_size=size, max_size=size, box_score_thresh=SCORE,
        box_detections_per_img=LIMIT, image_mean=[0.5] * 3, image_std=[0.1] * 3,
    )  # fmt: skip


def _answered(net, images):
    import torch

    with torch.inference_mode():
        return net.analyse(images, SCORE, LIMIT)


def _pasted(net, images) -> object:
    (answer,) = _answered(net, images)
    return pasted_by_us(answer.detections)


def _found(net, images):
    import torch

    with torch.inference_mode():
        return net(images)[0]["masks"]


def _unpasted(net, images):
    """torchvision's net without its last stage."""
    import torch

    with torch.inference_mode():
        shown, _ = net.transform(images)
        maps = net.backbone(shown.tensors)
        proposals, _ = net.rpn(shown, maps)
        return net.roi_heads(maps, proposals, shown.image_sizes)[0]


def _lesions(size: int):
    """Discs of two classes."""
    import torch

    y, x = np.mgrid[:size, :size] / size
    masks, boxes = [], []
    for cy, cx, radius in ((0.3, 0.3, 0.2), (0.3, 0.7, 0.2), (0.35, 0.3, 0.06), (0.6, 0.7, 0.03)):
        mask = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        masks.append(torch.from_numpy(mask.astype(np.uint8)))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor([1, 1, 2, 3]), torch.stack(masks)


def _step(net, loss: Callable[[], object]) -> Callable[[], None]:
    import torch

    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-6)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step
