"""What the shipped models learn from, and what names it in their cards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ctviewer.training.starter.chests import Chest, digest


def test_infected_slices_and_parts(chest_of) -> None:
    chest: Chest = chest_of(slices=5)
    assert chest.infected.tolist() == [False, True, True, True, False]
    part = chest.taken(np.flatnonzero(chest.infected))
    assert part.infected.all() and (part.name, part.patient, part.kind) == (chest.name, chest.patient, chest.kind)
    np.testing.assert_array_equal(part.hu, chest.hu[1:4])
    np.testing.assert_array_equal(chest.taken(slice(0, 2)).labels, chest.labels[:2])


def test_the_digest_tells_every_change(chest_of) -> None:
    chest = chest_of()
    hu, labels = chest.hu.copy(), chest.labels.copy()
    hu[0, 0, 0] += 1
    labels[1, 0, 0] = 1
    others = [
        replace(chest, name="other"), replace(chest, patient="other"), replace(chest, kind="scanned"),
        replace(chest, hu=hu), replace(chest, labels=labels),
    ]  # fmt: skip
    assert len({digest([one]) for one in (chest, *others)}) == 6
    assert digest([chest]) == digest([chest_of()]), "the same data have the same name"
    assert digest([chest, others[0]]) != digest([others[0], chest])
