import torch


def test_a_bundle_saved_and_loaded_gives_outputs_bit_equal_for_the_stored_weights(tiny_one_shot, one_shot_net):
    images = torch.randn(2, 1, 64, 64)
    net = one_shot_net()
    net.load_state_dict({k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in net.state_dict().items()})
    for ours, loaded in zip(net.analyse(images, 0.05), tiny_one_shot.build().analyse(images, 0.05), strict=True):
        assert torch.equal(ours.logits, loaded.logits) and torch.equal(ours.rois.boxes, loaded.rois.boxes)
        assert torch.equal(ours.detections.masks, loaded.detections.masks) and len(ours.detections.scores)
