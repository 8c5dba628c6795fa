"""Regions of interest against plain loops over boxes, one at a time."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from ctviewer.nets.one_shot.rois import Boxes, by_distance, by_score, decode, fill, select, summed


def some_boxes(n: int, seed: int = 0) -> Boxes:
    """Boxes on a coarse grid with coarse scores, so that corners, scores and classes are often equal."""
    g = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 5, (n, 2), generator=g) * 8.0
    side = torch.randint(1, 4, (n, 2), generator=g) * 8.0
    labels, scores = torch.randint(1, 4, (n,), generator=g), torch.randint(1, 5, (n,), generator=g) / 5
    return Boxes(torch.cat([corner, corner + side], dim=1), labels, scores)


def rows(found: Boxes) -> list[tuple[float, ...]]:
    return [
        (*box, float(label), score)
        for box, label, score in zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True)
    ]


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(r[2] - r[0]) * (r[3] - r[1]) for r in (a, b)]
    return wide * high / (sum(areas) - wide * high)


def plain_select(found: Boxes, above: float, nms: float, limit: int) -> list[tuple[float, ...]]:
    kept: list[tuple[float, ...]] = []
    ranked = sorted(rows(found), key=lambda r: (-r[5], r[4], r[1], r[0], r[3], r[2]))
    for row in ranked:
        if row[5] > above and all(k[4] != row[4] or iou(k, row) <= nms for k in kept):
            kept.append(row)
    return kept[:limit]


@pytest.mark.parametrize("seed", range(5))
def test_selection_is_greedy_suppression_by_class(seed: int) -> None:
    found = some_boxes(60, seed)
    for above, nms, limit in [(-0.01, 0.25, 16), (0.5, 0.5, 100), (0.0, 0.25, 3)]:
        assert rows(select(found, above, nms, limit)) == plain_select(found, above, nms, limit)


def test_a_threshold_below_zero_takes_every_score() -> None:
    found = Boxes(torch.tensor([[0.0, 0, 4, 4], [8, 8, 12, 12]]), torch.tensor([1, 1]), torch.tensor([0.0, 1e-9]))
    assert len(select(found, -0.01, 0.25, 16)) == 2 and len(select(found, 0.0, 0.25, 16)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_order_by_distance_is_that_of_a_plain_sort(seed: int) -> None:
    found = some_boxes(40, seed)
    expected = sorted(rows(found), key=lambda r: (math.hypot(r[0], r[1]), r[1], r[0], r[4], r[5], r[3], r[2]))
    assert rows(found.at(by_distance(found))) == expected


def test_identical_boxes_in_any_order_give_the_same_sequence() -> None:
    found = some_boxes(5, 3)
    for order in itertools.permutations(range(5)):
        shuffled = found.at(torch.tensor(order))
        for rank in (by_distance, by_score):
            assert rows(shuffled.at(rank(shuffled))) == rows(found.at(rank(found)))
        assert rows(select(shuffled, -0.01, 0.25, 3)) == rows(select(found, -0.01, 0.25, 3))


@pytest.mark.parametrize("count", [1, 2, 5, 15, 16])
def test_fewer_regions_are_repeated_evenly_and_stay_in_order(count: int) -> None:
    index = fill(count, 16)
    assert index.tolist() == [i * count // 16 for i in range(16)]
    copies = torch.bincount(index, minlength=count)
    assert int(copies.max() - copies.min()) <= 1 and int(copies.min()) >= 1
    attention = torch.rand(16).softmax(dim=0)
    plain = [sum(float(a) for a, i in zip(attention, index, strict=True) if i == k) for k in range(count)]
    torch.testing.assert_close(summed(attention, index, count), torch.tensor(plain))


def test_attention_on_no_region_is_empty() -> None:
    assert summed(torch.zeros(16), torch.zeros(0, dtype=torch.int64), 0).shape == (0,)


def plain_decode(logits: Tensor, regression: Tensor, proposals: Tensor, size: int) -> list[tuple[float, ...]]:
    out = []
    for row, deltas, (x1, y1, x2, y2) in zip(logits, regression, proposals.tolist(), strict=True):
        for k, probability in enumerate(row.softmax(dim=0).tolist()):
            dx, dy, dw, dh = deltas[4 * k : 4 * k + 4].tolist()
            w, h = x2 - x1, y2 - y1
            x, y = x1 + w / 2 + dx / 10 * w, y1 + h / 2 + dy / 10 * h
            w, h = w * math.exp(dw / 5), h * math.exp(dh / 5)
            box = [min(max(v, 0.0), size) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
            if k and (box[2] - box[0]) * (box[3] - box[1]) > 1e-5:
                out.append((*box, float(k), probability))
    return out


def test_boxes_are_decoded_clipped_and_without_the_background() -> None:
    g = torch.Generator().manual_seed(1)
    proposals = [torch.rand(n, 4, generator=g) * 30 + torch.tensor([0, 0, 40, 40]) for n in (7, 0, 5)]
    proposals[2][0] = torch.tensor([70.0, 70.0, 90.0, 90.0])  # outside: no area is left of it
    logits, regression = torch.randn(12, 4, generator=g), torch.randn(12, 16, generator=g)
    found = decode(logits, regression, proposals, 64)
    assert [len(f) for f in found][:2] == [21, 0] and len(found[2]) < 15
    for f, first, last in ((found[0], 0, 7), (found[2], 7, 12)):
        expected = plain_decode(logits[first:last], regression[first:last], torch.cat(proposals)[first:last], 64)
        torch.testing.assert_close(torch.tensor(rows(f)), torch.tensor(expected), atol=1e-4, rtol=1e-5)
