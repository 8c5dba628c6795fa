"""Published weights from a local file: the features are torchvision's own, and every other file is refused in words.

ImageNet's weights are not here: nets of torchvision with random weights stand in for them, saved as torchvision saves them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from ctviewer.core.errors import InputError
from ctviewer.nets.encoders import Published, SliceEncoder, build_encoder
from ctviewer.nets.weights import load_imagenet

THEIRS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "resnet18": (lambda: models.resnet18(weights=None), "fc"),
    "resnet50": (lambda: models.resnet50(weights=None), "fc"),
    "googlenet": (
        lambda: models.googlenet(weights=None, init_weights=True, aux_logits=True, transform_input=True),
        "fc",
    ),
    "mobilenet_v3": (lambda: models.mobilenet_v3_large(weights=None), "classifier.3"),
    "convnext_tiny": (lambda: models.convnext_tiny(weights=None), "classifier.2"),
}
FILES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "googlenet": "googlenet-1378be20.pth",
    "mobilenet_v3": "mobilenet_v3_large-8738ca79.pth",
    "convnext_tiny": "convnext_tiny-983f1562.pth",
}


def torchvisions(name: str) -> nn.Module:
    """torchvision's net, its BatchNorm with statistics of some images, so that features are of the size of 1."""
    torch.manual_seed(4)
    net = THEIRS[name][0]().train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches
    with torch.no_grad():
        net(torch.randn(4, 3, 96, 96))
    return net.eval()


def last_input(net: nn.Module, layer: str, images: Tensor) -> Tensor:
    """What torchvision's net gives its last layer."""
    seen = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, given, _out: seen.append(given[0]))
    with torch.inference_mode():
        net(images)
    handle.remove()
    return seen[0]


def encoder_of(name: str = "resnet18") -> SliceEncoder:
    torch.manual_seed(0)
    return build_encoder(name, norm="batch").eval()


def one_sentence(error: BaseException, path: Path) -> str:
    text = str(error)
    assert str(path) in text and text.endswith(".") and "\n" not in text and len(text) < 400
    return text


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return torchvisions("resnet18").state_dict()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", sorted(THEIRS))
def test_features_are_the_input_of_torchvisions_last_layer(name: str, suffix: str, tmp_path: Path) -> None:
    theirs, file = torchvisions(name), tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(theirs.state_dict(), file)
    else:
        save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, file)
    encoder = encoder_of(name)
    loaded = load_imagenet(encoder, file)
    assert loaded.file == file and loaded.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        features = encoder(images)
    expected = last_input(theirs.to(memory_format=torch.channels_last), THEIRS[name][1], images)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-4)


def test_googlenet_without_its_transform_would_see_other_images(tmp_path: Path) -> None:
    theirs = torchvisions("googlenet")
    assert any(k.startswith("aux1.") for k in theirs.state_dict()), "torchvision's file holds auxiliary heads"
    torch.save(theirs.state_dict(), tmp_path / "g.pth")
    encoder, images = encoder_of("googlenet"), torch.randn(1, 3, 96, 96)
    load_imagenet(encoder, tmp_path / "g.pth")
    theirs.transform_input = False
    with torch.inference_mode():
        assert not torch.allclose(encoder(images), last_input(theirs, "fc", images), rtol=0.05)


def test_all_but_the_last_layer_may_be_all_there_is(state: dict[str, Tensor], tmp_path: Path) -> None:
    old = {k: v for k, v in state.items() if not k.startswith("fc.") and not k.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    encoder = encoder_of()
    load_imagenet(encoder, tmp_path / "old.pth")
    assert torch.equal(encoder.trunk.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
    torch.save(old, tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    load_imagenet(encoder, tmp_path / "older.pth")


@pytest.mark.parametrize("name", sorted(FILES))
def test_without_a_file_the_error_names_it_and_the_choices(name: str, cache: Path) -> None:
    encoder = encoder_of(name)
    with pytest.raises(InputError) as caught:
        load_imagenet(encoder)
    text = one_sentence(caught.value, cache / FILES[name])
    for words in ("does not exist", f"torchvision's {FILES[name]}", "another file", "installed model", "from scratch"):
        assert words in text


def test_a_named_file_that_is_absent_is_no_reason_to_look_elsewhere(
    state: dict[str, Tensor], cache: Path, tmp_path: Path
) -> None:
    save_file(state, cache / "resnet18-f37072fd.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        load_imagenet(encoder_of(), tmp_path / "absent.pth")


def test_torchvisions_cache_is_found_and_its_file_must_be_the_published_one(
    state: dict[str, Tensor], cache: Path
) -> None:
    encoder = encoder_of()
    torch.save(state, cache / "made.pth")
    sha256 = hashlib.sha256((cache / "made.pth").read_bytes()).hexdigest()
    mine = Published(f"resnet18-{sha256[:8]}.pth", ("fc.",))
    encoder.traits = dataclasses.replace(encoder.traits, published=mine)
    (cache / "made.pth").rename(cache / mine.file)
    assert load_imagenet(encoder).sha256 == sha256
    assert torch.equal(encoder.trunk.conv1.weight, state["conv1.weight"])
    (cache / mine.file).write_bytes((cache / mine.file).read_bytes() + b"x")
    with pytest.raises(InputError) as caught:
        load_imagenet(encoder)
    assert "not the file that torchvision published" in one_sentence(caught.value, cache / mine.file)
    save_file({**state, "conv1.weight": state["conv1.weight"] + 1}, (cache / mine.file).with_suffix(".safetensors"))
    assert load_imagenet(encoder).file.suffix == ".safetensors"
    assert torch.equal(encoder.trunk.conv1.weight, state["conv1.weight"] + 1)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layer4.0.conv1.weight"), "lack layer4.0.conv1.weight"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}), "shape of conv1.weight"),
        (lambda s: s.update({"bn1.running_var": torch.full((64,), float("nan"))}), "bn1.running_var"),
        (lambda s: s.update({"head.weight": torch.zeros(1)}), "hold head.weight"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 3, 7, 7).to_sparse()}), "names and tensors"),
        (lambda s: s.update({"conv1.weight": "text"}), "names and tensors"),
    ],
)
def test_weights_of_another_net_are_refused_and_change_nothing(
    state: dict[str, Tensor], tmp_path: Path, change: Callable[[dict], None], words: str
) -> None:
    other = dict(state)
    change(other)
    torch.save(other, tmp_path / "other.pth")
    encoder = encoder_of()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_imagenet(encoder, tmp_path / "other.pth")
    assert words in one_sentence(caught.value, tmp_path / "other.pth")
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


class Harmful:
    """What a pickle runs when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._mark,)  # type: ignore[return-value]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Harmful(tmp_path / "ran")}, tmp_path / "harm.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Harmful(tmp_path / "ran")))
    for name in ("harm.pth", "plain.pth"):
        with pytest.raises(InputError, match="not a file of tensors alone"):
            load_imagenet(encoder_of(), tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_refused(tmp_path: Path, suffix: str, zipped: bool) -> None:
    """Cut anywhere, or with bytes changed near their beginning and end, where the structure is."""
    small = {"conv1.weight": torch.zeros(2, 2)}
    whole, damaged = tmp_path / f"whole{suffix}", tmp_path / f"damaged{suffix}"
    if suffix == ".pth":
        torch.save(small, whole, _use_new_zipfile_serialization=zipped)
    else:
        save_file(small, whole)
    data = whole.read_bytes()
    random = torch.Generator().manual_seed(0)
    cases = [b"", b"\0", b"<html>", *(data[:n] for n in range(0, len(data), max(1, len(data) // 40)))]
    for _ in range(120):
        broken = bytearray(data)
        for _ in range(3):
            broken[int(torch.randint(len(data), (1,), generator=random))] = int(
                torch.randint(256, (1,), generator=random)
            )
        cases.append(bytes(broken))
    encoder = encoder_of()
    for case in cases:
        damaged.write_bytes(case)
        with pytest.raises(InputError) as caught:  # at best it lacks the other weights
            load_imagenet(encoder, damaged)
        one_sentence(caught.value, damaged)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_imagenet(encoder_of(), tmp_path)
    assert "directory" in one_sentence(caught.value, tmp_path)


@pytest.mark.parametrize(("name", "options"), [("resnet18", {}), ("resnet18_pyramid", {"width": 16, "channels": 16})])
def test_a_net_for_which_nobody_published_weights(name: str, options: dict, state: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match="no ImageNet weights for this slice encoder"):
        load_imagenet(build_encoder(name, **options))


def test_another_width_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "r.pth")
    with pytest.raises(InputError, match=r"shape of conv1\.weight"):
        load_imagenet(build_encoder("resnet18", width=16, norm="batch"), tmp_path / "r.pth")


def test_nothing_is_downloaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("a download"))
    for name in THEIRS:
        with pytest.raises(InputError):
            load_imagenet(build_encoder(name, norm="batch"))
