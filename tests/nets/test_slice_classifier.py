"""The paper's slice classifiers: torchvision's nets by name, their published weights, and slices that do not mix."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from ctviewer.core.errors import InputError
from ctviewer.nets.slice_classifier import SLICE_CLASSIFIERS, SliceClassifier
from ctviewer.nets.weights import load_imagenet

OLD = "features.denseblock1.denselayer1.norm.1.weight"


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_published_weights_give_what_torchvision_gives(name, tmp_path):
    """Under the names that the published files have, which those of a DenseNet's layers are no more."""
    torch.manual_seed(0)
    reference = get_model(name, weights=None)
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    state = {_old_name(key): value for key, value in reference.state_dict().items()}
    assert (OLD in state) == (name == "densenet121")
    torch.save(state, tmp_path / "weights.pth")
    ours = SliceClassifier(3, encoder=name, norm="batch")
    load_imagenet(ours.encoder, tmp_path / "weights.pth")
    ours.train()  # BatchNorm stays in eval mode all the same
    images = torch.randn(2, 1, 64, 64)
    last = "classifier" if name.startswith("densenet") else "fc"
    setattr(reference, last, nn.Identity())
    with torch.no_grad():
        expected = reference.eval()(images.expand(-1, 3, -1, -1))
        torch.testing.assert_close(ours.encoder(images), expected, rtol=1e-4, atol=1e-4)
    assert ours.encoder.traits.published.file in get_model_weights(name).IMAGENET1K_V1.url


def _old_name(name):
    for kind in ("norm", "conv"):
        for number in "12":
            if "denselayer" in name:
                name = name.replace(f".{kind}{number}.", f".{kind}.{number}.")
    return name


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_from_scratch_a_slice_depends_on_no_other_and_nothing_drifts(name):
    torch.manual_seed(0)
    net = SliceClassifier(3, encoder=name).train()
    assert not list(net.buffers())
    images = torch.randn(3, 1, 64, 64)
    together = net(images)
    assert together.shape == (3, 3)
    torch.testing.assert_close(together[1:2], net(images[1:2]), rtol=1e-4, atol=1e-4)
    together.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_every_net_of_the_paper_exists():
    for name in SLICE_CLASSIFIERS:
        with torch.device("meta"):
            net = SliceClassifier(3, encoder=name, norm="batch")
        assert net.head.in_features == net.encoder.out_features


def test_what_there_is_not_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no slice classifier 'vgg16'"):
        SliceClassifier(3, encoder="vgg16")
    with pytest.raises(ValueError, match="norm 'layer'"):
        SliceClassifier(3, norm="layer")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"other\.pth"):
        load_imagenet(SliceClassifier(3, norm="batch").encoder, tmp_path / "other.pth")
