"""The head of the reference, number for number, on what it computed itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ctviewer.nets.one_shot.reference import ReferenceHead, load_reference_head, our_name

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def oracle(shared_data: Path) -> Arrays:
    file = shared_data / "oracle" / "one_shot_head_small.npz"
    if not file.is_file():
        pytest.skip(f"the oracle is absent ({file})")
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def run(head: ReferenceHead, x14: np.ndarray, truth: np.ndarray) -> dict[str, Tensor]:
    """All that the oracle keeps of a pass, under its names; gradients are left on the weights."""
    layer, seen = head.layer, {}
    parts = {
        "sieve": layer.sieve, "bn1": layer.vectorise.norm1, "bn2": layer.vectorise.norm2, "bn3": layer.vectorise.norm3,
        "lstm_pos": layer.positive.lstm, "lstm_neg": layer.negative.lstm,
        "final_linear_pos": layer.positive.linear, "final_linear_neg": layer.negative.linear,
        "o_pos": layer.positive, "o_neg": layer.negative,
    }  # fmt: skip

    def keep(name: str):
        def hook(_module, _given, out) -> None:
            seen[name] = out[0] if isinstance(out, tuple) else out

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in parts.items()]
    hooks.append(layer.sieve.register_forward_pre_hook(lambda _m, given: seen.update(x28=given[0])))
    out = head(torch.as_tensor(x14))
    for hook in hooks:
        hook.remove()
    diff = out.positive - out.negative
    loss = F.binary_cross_entropy_with_logits(diff, torch.as_tensor(truth)[None])
    loss.backward()
    return seen | {
        "logits_pos": out.positive, "logits_neg": out.negative, "diff": diff, "prob": diff.sigmoid(), "loss": loss,
        "alpha_pos": out.attention_positive, "alpha_neg": out.attention_negative,
    }  # fmt: skip


@pytest.mark.parametrize(("mode", "norms"), [("batch", "reference"), ("running", "running")])
def test_every_stored_array_is_reproduced(oracle: Arrays, mode: str, norms: str) -> None:
    meta = json.loads(str(oracle["meta"]))
    head = load_reference_head(oracle, meta["rois"], norms=norms).train(mode == "batch")
    got = run(head, oracle["in/x14"], oracle["in/y"])
    weights, buffers = dict(head.named_parameters()), dict(head.named_buffers())
    compared = 0
    for name, stored in oracle.items():
        kind, _, rest = name.partition("/")
        if kind != mode:
            continue
        compared += 1
        if rest.startswith("gradnorm/"):
            norm = float(weights[our_name(rest.removeprefix("gradnorm/"))].grad.norm())
            assert abs(norm - float(stored)) <= 1e-3 * float(stored) + 1e-6, name
        elif rest.startswith("after/"):
            moved = buffers[our_name(f"attn.{rest.removeprefix('after/')}")]
            np.testing.assert_allclose(moved.numpy(), stored, atol=1e-4, rtol=0, err_msg=name)
        else:
            ours = got[rest].detach().numpy().reshape(stored.shape)
            np.testing.assert_allclose(ours, stored, atol=1e-4, rtol=0, err_msg=name)
    assert compared > 50 and {n.split("/")[1] for n in oracle if n.startswith(f"{mode}/")} - set(got) <= {
        "gradnorm", "after",
    }  # fmt: skip


def test_in_use_the_references_batch_statistics_are_those_of_the_oracle_and_no_buffer_moves(oracle: Arrays) -> None:
    head = load_reference_head(oracle, 4).eval()
    before = {k: v.clone() for k, v in head.named_buffers()}
    got = run(head, oracle["in/x14"], oracle["in/y"])
    np.testing.assert_allclose(got["diff"].detach().numpy(), oracle["batch/diff"], atol=1e-4, rtol=0)
    assert before and all(torch.equal(v, before[k]) for k, v in head.named_buffers())


@pytest.fixture
def another_size() -> dict[str, Tensor]:
    """Weights under the reference's names: 6 channels, hidden 10, 2 stages of the sieve, 4 classes."""
    g = torch.Generator().manual_seed(0)
    c, h, m, k = 6, 10, 12, 4
    shapes: dict[str, tuple[int, ...]] = {"trunc.conv_mask": (c, c, 2, 2), "trunc.conv_reduce": (c, c, 3, 3)}
    shapes |= {"attn.conv_d1": (c, c, 2, 2), "attn.conv_d2": (c, c, 2, 2), "attn.conv_d_final": (c, c, 7, 7)}
    state: dict[str, Tensor] = {}
    norms = {f"attn.bn{i}": c for i in (1, 2, 3)}
    for n in range(2):
        shapes |= {f"attn.sieve.{n}.conv_down": (c // 2, c, 2, 2), f"attn.sieve.{n}.conv_up": (c // 2, c, 2, 2)}
        norms[f"attn.sieve.{n}.bn"] = c // 2
        state[f"attn.sieve.{n}.conv_up.bias"] = torch.randn(c, generator=g)
    for side in ("pos", "neg"):
        shapes |= {f"attn.final_linear_{side}": (h, h), f"{side}.fc_l1": (m, h), f"{side}.fc_l2": (m, m)}
        shapes[f"{side}.class_predict_logits"] = (k, m)
        lstm = {"weight_ih_l0": (4 * h, c), "weight_hh_l0": (4 * h, h), "bias_ih_l0": (4 * h,), "bias_hh_l0": (4 * h,)}
        state |= {f"attn.lstm_{side}.{n}": torch.randn(s, generator=g) * 0.3 for n, s in lstm.items()}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=g) * 0.3
        state.setdefault(f"{name}.bias", torch.randn(shape[0], generator=g))
    for name, size in norms.items():
        for kind in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{kind}"] = torch.rand(size, generator=g) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)
    return {f"sd/{name}": tensor for name, tensor in state.items()}


def test_weights_of_another_size_are_loaded_each_where_it_belongs(another_size: dict[str, Tensor]) -> None:
    head = load_reference_head(another_size, 5, norms="running").eval()
    state = head.state_dict()
    assert len(state) == len(another_size)
    for name, tensor in another_size.items():
        assert torch.equal(state[our_name(name.removeprefix("sd/"))], tensor)
    x = torch.randn(10, 6, 14, 14)
    assert head(x).positive.shape == (2, 4) and head(x).attention_negative.shape == (2, 5)
    up = F.conv_transpose2d(x, another_size["sd/trunc.conv_mask.weight"], another_size["sd/trunc.conv_mask.bias"], 2)
    x28 = F.conv2d(
        up, another_size["sd/trunc.conv_reduce.weight"], another_size["sd/trunc.conv_reduce.bias"], padding=1
    )
    torch.testing.assert_close(head.layer.reduced(head.up(x)), x28.relu())


def test_a_missing_weight_is_named(another_size: dict[str, Tensor]) -> None:
    del another_size["sd/attn.bn2.weight"]
    with pytest.raises(RuntimeError, match=r"vectorise\.norm2\.weight"):
        load_reference_head(another_size, 5)
