"""Preparing studies: order, cache, instances, splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Progress
from ctviewer.models.metadata import Preprocessing
from ctviewer.training.starter.phantoms.prepared import (
    CONSOLIDATION,
    GROUND_GLASS,
    LUNG,
    PreparedStudy,
    check_split,
    components,
    digest,
    prepare,
)

P = Preprocessing(-600.0, 1500.0, 64, 56, (0.5,), (0.3,))


def prepared(source: object, cache: Path | None = None) -> list[PreparedStudy]:
    into: list[PreparedStudy] = []
    events = list(prepare(source, P, into, cache))  # type: ignore[arg-type]  # by structure
    assert [e.done for e in events if isinstance(e, Progress)] == list(range(1, len(into) + 1))
    return into


def test_slices_come_head_first_uncropped_with_their_labels(toy: type) -> None:
    source = toy("a", 2)
    volume, labels = source.load("a1")
    _, sick = prepared(source)
    assert sick.grey.shape == (9, 64, 64) and sick.grey.dtype == np.float16
    np.testing.assert_array_equal(sick.labels, labels[::-1])
    expected = np.clip((volume.hu(8) + 1350) / 1500, 0.0, 1.0)
    np.testing.assert_allclose(sick.grey[0], expected, atol=1e-3)
    assert (sick.lesion_pixels[:, 0] > 0).tolist() == [False] * 3 + [True] * 3 + [False] * 3


def test_the_cache_gives_the_same_and_is_used(toy: type, tmp_path: Path) -> None:
    first = prepared(toy("a", 2), tmp_path)
    source = toy("a", 2)
    source.load = None  # type: ignore[method-assign]
    second = prepared(source, tmp_path)
    assert digest(first) == digest(second)
    assert digest(first) != digest(first[:1])


def test_studies_without_labels_are_refused(toy: type) -> None:
    with pytest.raises(InputError, match="study a0 has no label maps"):
        prepared(toy("a", 1, labelled=False))


def test_a_patient_on_both_sides_is_refused(toy: type) -> None:
    a, b = prepared(toy("a", 2)), prepared(toy("b", 2))
    check_split(a, b)
    with pytest.raises(InputError, match="study a1 is on both sides"):
        check_split(a, [*b, a[1]])


def test_instances_count_lesions_as_lung_and_leave_out_specks() -> None:
    labels = np.zeros((256, 256), np.uint8)
    labels[40:140, 20:100] = LUNG
    labels[60:80, 40:60] = GROUND_GLASS
    labels[66:72, 46:52] = CONSOLIDATION
    labels[120:123, 30:33] = CONSOLIDATION  # nine pixels
    labels[60:160, 140:220] = LUNG
    found = components(labels)
    areas = sorted((value, int(mask.sum())) for value, mask in found)
    assert areas == [(LUNG, 8000), (LUNG, 8000), (GROUND_GLASS, 400 - 36), (CONSOLIDATION, 36)]
    assert components(np.zeros((64, 64), np.uint8)) == []
