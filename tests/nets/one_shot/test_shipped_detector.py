"""The lesion detector that comes with the program computes what its version 0.1.0 was trained as.

That net is built here once more from torchvision's own classes, pasting and transforms of its own left out.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign

from ctviewer.core.paths import resources
from ctviewer.models.bundle import load_bundle
from ctviewer.nets.resnet import LEVELS, resnet18_pyramid

(FOLDER,) = (resources() / "bundles").glob("starter-lesion-detector-*")


class AsGiven(nn.Module):
    def forward(self, images: Tensor, targets: object) -> tuple[ImageList, object]:
        return ImageList(images, [tuple(images.shape[-2:])] * len(images)), targets

    def postprocess(self, detections: list[dict[str, Tensor]], *_sizes: object) -> list[dict[str, Tensor]]:
        return detections


def as_trained(state: dict[str, Tensor]) -> MaskRCNN:
    net = MaskRCNN(
        resnet18_pyramid(32, 64),
        rpn_anchor_generator=AnchorGenerator(((16,), (32,), (64,), (128,), (256,)), ((0.5, 1.0, 2.0),) * 5),
        rpn_head=RPNHead(64, 3),
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        box_roi_pool=MultiScaleRoIAlign(list(LEVELS), 7, 2),
        box_head=TwoMLPHead(64 * 49, 128),
        box_predictor=FastRCNNPredictor(128, 4),
        box_nms_thresh=0.4,
        mask_roi_pool=MultiScaleRoIAlign(list(LEVELS), 14, 2),
        mask_head=nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
        mask_predictor=MaskRCNNPredictor(64, 64, 4),
    )
    net.transform = AsGiven()
    net.load_state_dict({k.replace("segmentation.", "roi_heads."): v for k, v in state.items()})
    return net.eval()


@pytest.mark.parametrize("threshold", [0.05, 0.55])
def test_it_finds_what_torchvisions_mask_rcnn_with_these_weights_finds(chest_hu, threshold: float) -> None:
    net = load_bundle(FOLDER).build()
    theirs = as_trained(net.state_dict())
    theirs.roi_heads.score_thresh = threshold
    hu = torch.from_numpy(chest_hu(4, 256)).float()[:, None]
    images = (((hu + 1350) / 1500).clamp(0, 1) - 0.5) / 0.3
    with torch.inference_mode():
        expected = theirs(images.expand(-1, 3, -1, -1))
    answers = net.analyse(images, threshold)
    assert sum(len(a.detections.scores) for a in answers) >= 8
    for answer, truth in zip(answers, expected, strict=True):
        found = answer.detections
        assert torch.equal(found.labels, truth["labels"])
        for ours, named in ((found.boxes, "boxes"), (found.scores, "scores"), (found.masks[:, None], "masks")):
            torch.testing.assert_close(ours, truth[named], atol=1e-4, rtol=1e-5)
