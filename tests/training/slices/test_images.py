"""Slices are recognised whatever is outlined on them: what was learned from is never taken for unseen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ctviewer.app.reproduce_ter_sarkisov import _require_new
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done
from ctviewer.core.slices import GREY
from ctviewer.training.config import ModelConfig
from ctviewer.training.ledger import Ledger
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.preflight.slices import SliceRequest, preflight_slices
from ctviewer.training.slices.facts import content_of
from ctviewer.training.slices.images import image_digest, pixel_digest
from ctviewer.training.slices.two_sources import Part, TwoSources
from ctviewer.training.splits import Split

WEIGHTS = "a" * 64


def digests(slices):
    return [image_digest(slices, i) for i in range(len(slices.names))]


def test_a_digest_is_of_pixels_alone(made_slices):
    slices = made_slices(1)
    changed = dataclasses.replace(slices, labels=None, label_classes=("background",), names=("a", "b", "c"))
    assert digests(slices) == digests(changed) and len(set(digests(slices))) == 3
    assert set(digests(slices)).isdisjoint(digests(made_slices(2)))
    grey = made_slices(1, unit=GREY)
    assert set(digests(grey)).isdisjoint(digests(slices))
    flat = dataclasses.replace(slices, pixels=np.full_like(slices.pixels, 40))
    assert digests(flat) == ["", "", ""]


def test_it_is_the_one_by_which_pre_flight_compares(made_slices):
    slices = made_slices(1)
    assert content_of(slices).slices == {pixel_digest(slices, i)[:16] for i in range(3)}
    assert {one.hex()[:16] for one in content_of(slices).slices} == set(digests(slices))


def test_a_scan_outlined_anew_merged_or_seen_as_images_was_learned_from(made_set, made_slices, tmp_path):
    scans = {f"s{i}": made_slices(i, image_classes=("clear", "sick", ""), complete=False) for i in range(4)}
    source = TwoSources([Part(made_set(scans))], merge={"consolidation": "ground glass"})
    *_, last = preflight_slices(source, SliceRequest(ModelConfig(), size=48))
    assert isinstance(last, Done)
    images = last.value.images
    assert set(images) == set(source.ids()) and all(len(those) == 3 for those in images.values())
    ledger = Ledger(tmp_path / "holdouts")
    ledger.learned(WEIGHTS, images["lesions/0/s1"])
    drawn = scans["s1"].labels.copy()
    drawn[0, 20:24, 20:24] = 3
    anew = dataclasses.replace(scans["s1"], labels=drawn, complete=np.ones(3, bool))
    assert content_of(anew).sha256 != content_of(scans["s1"]).sha256
    as_images = TwoSources([], [Part(made_set({"x": anew}))]).load_slices("images/0/x")
    subjects = [("", *digests(one)) for one in (anew, as_images, scans["s2"])]
    assert ledger.seen_any(WEIGHTS, subjects) == 2
    assert ledger.seen_any("b" * 64, subjects) == 0


def test_a_transferred_model_is_judged_by_other_images_whatever_their_classes_are_called():
    def report(split, images):
        return PreflightReport(1, 1, (), split, images=images)

    first = report(Split(("images/0/a",)), {"images/0/a": ("1" * 16, "2" * 16)})
    _require_new(first, report(Split((), (), ("images/0/b",)), {"images/0/b": ("3" * 16,)}))
    with pytest.raises(InputError, match="learns from: table 4 needs other scans"):
        _require_new(first, report(Split((), (), ("images/0/b",)), {"images/0/b": ("2" * 16, "3" * 16)}))
