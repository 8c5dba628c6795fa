from __future__ import annotations

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.slices import HU
from ctviewer.datasets.clahe import apply
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.recovered import EQUALISED, recover_hu
from ctviewer.datasets.slices import open_slice_source
from ctviewer.datasets.stating import asks_recovery


def chest(side=256):
    """HU of a slice with air, fat, muscle, a spine, two lungs and ground glass in one of them; and where each is."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side] / side - 0.5
    inside = {
        "fat": (y / 0.34) ** 2 + (x / 0.46) ** 2 < 1,
        "muscle": (y / 0.29) ** 2 + (x / 0.41) ** 2 < 1,
        "lungs": (y / 0.22) ** 2 + ((np.abs(x) - 0.2) / 0.14) ** 2 < 1,
        "spine": (y - 0.2) ** 2 + x**2 < 0.03**2,
        "ground glass": (y - 0.1) ** 2 + (x - 0.2) ** 2 < 0.05**2,
    }
    hu = np.full((side, side), -1000.0)
    for name, value in {"fat": -100, "muscle": 50, "lungs": -850, "spine": 600, "ground glass": -450}.items():
        hu[inside[name]] = value
    lungs = inside["lungs"].copy()
    inside["lungs"] = lungs & ~inside["ground glass"]
    inside["muscle"] &= ~lungs & ~inside["spine"]
    return hu + rng.normal(0, 15, hu.shape), inside, lungs


def pictured(hu):
    """Stretched to 8 bits and equalised, as the set's pictures were."""
    grey = np.rint((hu - hu.min()) / (hu.max() - hu.min()) * 255).astype(np.uint8)
    return apply(grey, EQUALISED)


def test_hounsfield_units_come_back():
    hu, inside, lungs = chest()
    picture = pictured(hu)
    found = recover_hu(picture, lungs, rounds=30)
    assert found.shape == hu.shape and found.dtype == np.float32 and found.min() >= -1024
    for tissue, most in {"lungs": 50, "ground glass": 60, "muscle": 40}.items():
        assert abs(np.median(found[inside[tissue]]) - np.median(hu[inside[tissue]])) < most, tissue
    assert np.median(found[inside["ground glass"]]) > np.median(found[inside["lungs"]]) + 250


def test_source_in_hounsfield_units(tmp_path):
    hu, inside, lungs = chest()
    for folder, picture in (("ct", pictured(hu)), ("lungs", lungs * 255), ("covid", inside["ground glass"] * 255)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0003.png").write_bytes(png_bytes(picture.astype(np.uint8)))
    source = open_slice_source("covid19_ct_seg", tmp_path, split="train", values=" Recovered ")
    assert (source.ids(), source.split("patient-01"), source.classes("patient-01")) == (("patient-01",), "train", ())
    assert source.patient("patient-01") == "covid19_ct_seg:1"
    assert len(source.paths("patient-01")) == 3 and source.slice_count("patient-01") == 1
    got = source.load_slices("patient-01")
    assert got.unit == HU and got.label_classes == ("background", "lung", "infection")
    np.testing.assert_array_equal(got.pixels[0], recover_hu(pictured(hu), lungs))
    np.testing.assert_array_equal(got.labels[0] == 2, inside["ground glass"])


def test_pictures_of_another_size_are_refused_in_words(tmp_path):
    for folder in ("ct", "lungs", "covid"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0000.png").write_bytes(png_bytes(np.zeros((60, 60), np.uint8)))
    source = open_slice_source("covid19_ct_seg", tmp_path, values="recovered")
    with pytest.raises(InputError, match="Hounsfield units of patient-01 cannot be recovered: 8 tiles"):
        source.load_slices("patient-01")


def test_other_formats_cannot_be_recovered(tmp_path):
    assert asks_recovery("covid19_ct_seg", "recovered") and not asks_recovery("covid19_ct_seg", "grey")
    assert not asks_recovery("cncb", "recovered")
    with pytest.raises(InputError, match="recovered"):
        open_slice_source("cncb", tmp_path, values="recovered")
