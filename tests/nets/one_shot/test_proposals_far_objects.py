"""An object that no anchor meets: near the right border, between the anchors of the last cells."""

import torch

from ctviewer.nets.one_shot.answers import Target
from ctviewer.nets.one_shot.options import Options
from ctviewer.nets.one_shot.proposals import Proposals

SIZE = 64


def _losses(rpn, boxes):
    torch.manual_seed(1)
    maps = {"0": torch.randn(1, 8, SIZE // 32, SIZE // 32)}
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    target = Target(
        boxes, torch.ones(len(boxes), dtype=torch.int64), torch.ones(len(boxes), SIZE, SIZE, dtype=torch.uint8)
    )
    return rpn(torch.zeros(1, 3, SIZE, SIZE), maps, [target])[1]


def test_it_makes_no_anchor_an_object():
    """The reference's anchors end at 32 pixels, of which some have no height at all: their offsets would be infinite."""
    torch.manual_seed(0)
    options = Options(size=SIZE, levels="single", channels=8, anchors=[2, 4, 8, 16, 32])
    rpn = Proposals(options).train()
    lung, far = [8, 12, 31, 45], [56, 56, 62, 60]
    both = _losses(rpn, [lung, far])
    assert all(bool(loss.isfinite()) for loss in both.values())
    alone = _losses(rpn, [lung])
    for name, loss in alone.items():
        torch.testing.assert_close(both[name], loss, msg=name)
