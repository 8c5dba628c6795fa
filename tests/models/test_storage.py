"""How weights are kept: rounded where nothing is lost by it, whole where something is, and nothing twice."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ctviewer.models.storage import as_kept, from_bytes, to_bytes

MATRIX = torch.tensor([[1.0, -0.3337], [2e-9, 7.5]])


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (MATRIX, torch.float16),
        (torch.zeros(3, 3), torch.float16),
        (torch.zeros(0, 4), torch.float32),
        (MATRIX[0], torch.float32),  # a vector: a variance near zero must not become zero
        (torch.tensor(0.1), torch.float32),
        (MATRIX * 1e5, torch.float32),  # above the range of float16
        (MATRIX * 1e-7, torch.float32),  # below it
        (torch.arange(4).reshape(2, 2), torch.int64),
        (MATRIX.double(), torch.float16),
        (MATRIX.bfloat16(), torch.float16),
    ],
)
def test_what_is_kept_and_how(tensor: torch.Tensor, kind: torch.dtype) -> None:
    kept = as_kept(tensor)
    assert kept.dtype == kind and kept.shape == tensor.shape
    error = (kept.double() - tensor.double()).abs()
    largest = tensor.abs().max().item() if tensor.numel() else 1.0
    assert not bool((error > (2**-11 * largest if kind == torch.float16 else 2e-7 * largest)).any())
    assert torch.equal(as_kept(kept.to(tensor.dtype)), kept), "what was kept once stays as it is"


def test_it_is_a_copy() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    kept = as_kept(weight)
    with torch.no_grad():
        weight.zero_()
    assert bool((kept == 1).all()) and not kept.requires_grad


def test_a_copied_branch_is_written_once_and_read_under_both_names() -> None:
    torch.manual_seed(0)
    shared, other = torch.randn(40, 40), torch.randn(40, 40)
    state = {"b.w": shared.clone(), "a.w": shared, "c.w": other, "a.v": torch.ones(40), "b.v": torch.ones(40)}
    data = to_bytes(state)
    assert set(load(data)) == {"b.w", "c.w", "a.v", "b.v"}
    found = from_bytes(data)
    assert set(found) == set(state)
    assert all(torch.equal(found[name], as_kept(tensor)) for name, tensor in state.items())
    assert to_bytes(state) == data, "the same weights are the same file"


def test_matrices_of_equal_numbers_and_other_shapes_are_not_copies() -> None:
    data = to_bytes({"a": torch.ones(4, 9), "b": torch.ones(9, 4), "c": torch.ones(6, 6)})
    assert set(load(data)) == {"a", "b", "c"}


def test_files_of_older_versions_are_read_as_they_are() -> None:
    old = {"w": torch.randn(3, 3).half(), "b": torch.randn(3).half()}
    found = from_bytes(save(old))
    assert set(found) == set(old) and all(torch.equal(found[name], old[name]) for name in old)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("shape", [(3,), (3, 3)])
def test_what_is_not_finite_is_refused_by_name(value: float, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"layer\.w is not finite"):
        to_bytes({"layer.v": torch.ones(2), "layer.w": torch.full(shape, value)})


@pytest.mark.parametrize(
    ("copies", "words"),
    [
        (json.dumps({"b": "gone"}), "its weights lack gone"),
        ("{", "do not say what is a copy"),
        ("[]", "do not say what is a copy"),
        (json.dumps({"b": 3}), "do not say what is a copy"),
    ],
)
def test_copies_of_nothing_are_refused(copies: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_bytes(save({"a": torch.ones(2, 2)}, {"copies": copies}))


def test_what_is_no_such_file_is_refused() -> None:
    with pytest.raises(SafetensorError):
        from_bytes(b"\x08\x00\x00\x00")
