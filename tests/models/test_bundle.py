"""Bundles on disk: stored weights bit for bit, each kind of damage told in one sentence, nothing overwritten."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ctviewer.core.errors import BundleError, StorageError
from ctviewer.models.bundle import CARD, METADATA, WEIGHTS, Bundle, load_bundle, restate, save_bundle
from ctviewer.models.card import card
from ctviewer.models.metadata import Metadata, Metric, Thresholds
from ctviewer.nets.build import build_net


@pytest.fixture
def state(metadata: Metadata) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_net(metadata.task, len(metadata.classes), metadata.net).state_dict()


@pytest.fixture
def bundle(tmp_path: Path, metadata: Metadata, state: dict[str, torch.Tensor]) -> Bundle:
    return save_bundle(tmp_path / "bundles" / "tiny", metadata, state)


def test_built_net_equals_the_stored_weights_bit_for_bit(bundle: Bundle, state: dict[str, torch.Tensor]) -> None:
    """Matrices are rounded to half precision, vectors are kept as they are."""
    stored = load_file(bundle.folder / WEIGHTS)
    net = load_bundle(bundle.folder).build()
    built = net.state_dict()
    assert set(built) == set(stored) == set(state)
    for name, tensor in built.items():
        kind = torch.float16 if tensor.dim() > 1 else torch.float32
        assert tensor.dtype == torch.float32 and stored[name].dtype == kind
        assert torch.equal(tensor, stored[name].float()) and torch.equal(stored[name], state[name].to(kind))
    assert not net.training and not any(p.requires_grad for p in net.parameters())


def test_saved_and_loaded_give_equal_outputs(bundle: Bundle) -> None:
    images = torch.randn(1, 4, 1, 56, 56)
    with torch.inference_mode():
        first, second = (b.build()(images) for b in (bundle, load_bundle(bundle.folder)))
    assert torch.equal(first.logits, second.logits) and torch.equal(first.attention, second.attention)


def test_storing_changes_answers_by_rounding_only(
    bundle: Bundle, metadata: Metadata, state: dict[str, torch.Tensor]
) -> None:
    trained = build_net(metadata.task, len(metadata.classes), metadata.net).eval()
    trained.load_state_dict(state)
    images = torch.randn(1, 6, 1, 56, 56)
    with torch.inference_mode():
        exact, kept = trained(images), bundle.build()(images)
    for name in ("logits", "attention", "evidence"):
        torch.testing.assert_close(getattr(kept, name), getattr(exact, name), atol=2e-3, rtol=2e-3)
    assert not torch.equal(exact.logits, kept.logits), "matrices were rounded"


def test_info_says_what_the_metadata_says(bundle: Bundle, metadata: Metadata) -> None:
    info = bundle.info
    assert (info.name, info.version, info.task) == ("Tiny classifier", "1.2.3", "study_classifier")
    assert info.sha256 == hashlib.sha256((bundle.folder / WEIGHTS).read_bytes()).hexdigest()
    assert info.classes == metadata.classes and info.trained_on == "trained on nothing"
    assert bundle.key == "tiny-classifier 1.2.3"


def test_the_card_is_written_with_figures_and_intervals(bundle: Bundle) -> None:
    text = (bundle.folder / CARD).read_text(encoding="utf-8")
    for words in (
        "## Uses",
        "## Training details",
        "## Evaluation",
        "0.800 to 0.950",
        "12 patients",
        "It knows nothing.",
    ):
        assert words in text
    assert "positive from finding probability 0.400" in text
    assert "not a medical device" in text and bundle.metadata.weights_sha256 in text


def test_versions_are_never_overwritten(bundle: Bundle, metadata: Metadata, state: dict[str, torch.Tensor]) -> None:
    before = {p.name: p.read_bytes() for p in bundle.folder.iterdir()}
    with pytest.raises(BundleError, match="never overwritten"):
        save_bundle(bundle.folder, metadata, state)
    assert {p.name: p.read_bytes() for p in bundle.folder.iterdir()} == before


def edit_metadata(folder: Path, change: Callable[[dict], None]) -> None:
    data = json.loads((folder / METADATA).read_text())
    change(data)
    (folder / METADATA).write_text(json.dumps(data))


def with_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Change the weights and let the metadata name the changed file: intact, but not for this net."""
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    sha = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit_metadata(folder, lambda d: d.update(weights_sha256=sha))


def one_sentence(error: BaseException, folder: Path) -> str:
    text = str(error)
    assert str(folder) in text and text.endswith(".") and "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1] + b"x"), "SHA-256 differs"),
        (lambda f: (f / WEIGHTS).unlink(), "model.safetensors: No such file"),
        (lambda f: (f / METADATA).unlink(), "metadata.json: No such file"),
        (lambda f: (f / METADATA).write_text("{"), "not valid JSON"),
        (lambda f: (f / METADATA).write_bytes(b"\xff\xfe\x00"), "not valid JSON"),
        (lambda f: edit_metadata(f, lambda d: d.update(schema=7)), "schema 7"),
        (lambda f: edit_metadata(f, lambda d: d.pop("classes")), "lacks the field 'classes'"),
    ],
)
def test_damage_is_found_before_anything_is_built(bundle: Bundle, damage: Callable[[Path], None], words: str) -> None:
    damage(bundle.folder)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.folder)
    assert words in one_sentence(caught.value, bundle.folder)


def test_weights_that_lie_untouched_are_hashed_once(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path), real(path))[1])
    weights = bundle.folder / WEIGHTS

    def reads() -> int:
        read.clear()
        load_bundle(bundle.folder)
        return read.count(weights)

    assert reads() == reads() == 1, "a young file may change without a new time stamp"
    monkeypatch.setattr(time, "time_ns", lambda: weights.stat().st_ctime_ns + 3_000_000_000)
    assert (reads(), reads()) == (1, 0)
    weights.write_bytes(real(weights)[:-1] + b"x")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        load_bundle(bundle.folder)


def test_what_is_built_is_what_was_verified(bundle: Bundle) -> None:
    (bundle.folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        bundle.build()


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        load_bundle(tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("aggregator.head.bias"), "lack aggregator.head.bias"),
        (lambda w: w.update({"aggregator.head.bias": torch.zeros(5)}), "shape of aggregator.head.bias"),
        (lambda w: w["aggregator.head.bias"].fill_(float("nan")), "not finite"),
        (lambda w: w.update(extra=torch.zeros(1)), "hold extra"),
    ],
)
def test_weights_of_another_net_are_refused(
    bundle: Bundle, change: Callable[[dict[str, torch.Tensor]], None], words: str
) -> None:
    with_weights(bundle.folder, change)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.folder).build()
    assert words in one_sentence(caught.value, bundle.folder)


def test_a_pickle_in_the_place_of_safetensors_is_refused(bundle: Bundle, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, bundle.folder / WEIGHTS)
    sha = hashlib.sha256((bundle.folder / WEIGHTS).read_bytes()).hexdigest()
    edit_metadata(bundle.folder, lambda d: d.update(weights_sha256=sha))
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.folder).build()
    assert "not a safetensors file" in one_sentence(caught.value, bundle.folder)


@pytest.mark.parametrize("net", [{"encoder": "resnet99"}, {"colour": 1}])
def test_an_unknown_net_is_refused(bundle: Bundle, net: dict[str, object]) -> None:
    edit_metadata(bundle.folder, lambda d: d.update(net=net))
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle.folder).build()
    one_sentence(caught.value, bundle.folder)


def test_what_cannot_be_a_bundle_leaves_nothing_behind(
    tmp_path: Path, metadata: Metadata, state: dict[str, torch.Tensor]
) -> None:
    target = tmp_path / "out" / "bad"
    with pytest.raises(BundleError, match="not of the form"):
        save_bundle(target, dataclasses.replace(metadata, version="one"), state)
    state["aggregator.head.bias"] = torch.tensor([0.0, float("nan")])
    with pytest.raises(BundleError, match=r"aggregator\.head\.bias is not finite"):
        save_bundle(target, metadata, state)
    assert not target.parent.exists() or not list(target.parent.iterdir())


def test_what_a_killed_process_left_goes_when_it_is_old(
    tmp_path: Path, metadata: Metadata, state: dict[str, torch.Tensor]
) -> None:
    old, young = tmp_path / ".tiny-1.0.0.x1.part", tmp_path / ".tiny-1.0.0.x2.part"
    for part in (old, young):
        part.mkdir()
        (part / WEIGHTS).write_bytes(b"half")
    os.utime(old, (1, 1))
    save_bundle(tmp_path / "tiny", metadata, state)
    assert sorted(tmp_path.iterdir()) == [young, tmp_path / "tiny"]


def test_a_place_that_cannot_be_written(tmp_path: Path, metadata: Metadata, state: dict[str, torch.Tensor]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        save_bundle(tmp_path / "file" / "tiny", metadata, state)


def test_reading_bundles_does_not_import_torch(bundle: Bundle) -> None:
    code = (
        "import sys; from pathlib import Path; from ctviewer.models.registry import Registry;"
        f"found, _ = Registry([Path({str(bundle.folder.parent)!r})], Path('none.json')).scan();"
        "assert len(found) == 1; print([m for m in ('torch', 'numpy.f2py', 'safetensors') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_net_that_tells_other_slice_classes_than_the_metadata_names_is_refused(make_one_shot) -> None:
    folder = make_one_shot().folder
    edit_metadata(folder, lambda d: d.update(image_classes=["clear", "covid"]))
    with pytest.raises(BundleError, match="does not tell the 2 image classes that it names") as caught:
        load_bundle(folder).build()
    one_sentence(caught.value, folder)


def test_figures_are_told_anew_and_nothing_else_changes(bundle: Bundle) -> None:
    weights = (bundle.folder / WEIGHTS).read_bytes()
    figure = Metric("AUC", 0.7, None, None, 1, "patients", "P001")
    note = {"P001": "One patient: no interval."}
    again = restate(bundle, dataclasses.replace(bundle.metadata, metrics=(figure,), figure_notes=note))
    assert again == load_bundle(bundle.folder)
    assert (again.metadata.metrics, again.metadata.figure_notes) == ((figure,), note)
    assert (bundle.folder / CARD).read_text(encoding="utf-8") == card(again.metadata)
    assert (bundle.folder / WEIGHTS).read_bytes() == weights and again.key == bundle.key
    assert sorted(path.name for path in bundle.folder.iterdir()) == sorted((WEIGHTS, METADATA, CARD))


@pytest.mark.parametrize(
    "change",
    [{"version": "1.2.4"}, {"licence": "MIT"}, {"thresholds": Thresholds(0.9)}, {"classes": ("none", "other")}],
)
def test_what_answers_rest_on_needs_another_version(bundle: Bundle, change: dict[str, object]) -> None:
    before = {path.name: path.read_bytes() for path in bundle.folder.iterdir()}
    with pytest.raises(BundleError, match="another version"):
        restate(bundle, dataclasses.replace(bundle.metadata, **change))
    assert {path.name: path.read_bytes() for path in bundle.folder.iterdir()} == before


def test_figures_that_contradict_themselves_are_not_written(bundle: Bundle) -> None:
    before = {path.name: path.read_bytes() for path in bundle.folder.iterdir()}
    wrong = Metric("AUC", float("nan"), None, None, 1, "patients", "P001")
    with pytest.raises(BundleError, match="should be a float"):
        restate(bundle, dataclasses.replace(bundle.metadata, metrics=(wrong,)))
    assert {path.name: path.read_bytes() for path in bundle.folder.iterdir()} == before
