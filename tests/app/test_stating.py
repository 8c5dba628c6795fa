"""`--values`, `--spacing` and `--order`: what the command line may state of files that leave it open."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(4):
        Image.fromarray(np.full((8, 8), 1000 + number, "u2")).save(place / f"{number}.png")
    return place


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    path = tmp_path / "opened" / "a.nii"
    path.parent.mkdir()
    data = np.random.default_rng(0).integers(0, 3000, (8, 8, 4)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-1.0, -1.0, 2.0, 1.0])), path)
    return path


def test_info_shows_what_was_stated(run, pictures):
    code, out, err = run(
        "info", pictures, "--json", "--quiet", "--values", "hu+1024", "--spacing", "0.7x0.7x2", "--order", "head-first"
    )
    assert code == 0, err
    text = json.dumps(json.loads(out))
    assert "the file holds Hounsfield units + 1024" in text
    assert "pixels of 0.7 mm, 2 mm between slices" in text
    assert "nearest to the head" in text and '"HU"' in text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--values", "water"), "--values water is not understood"),
        (("--spacing", "wide"), "--spacing wide is not understood"),
        (("--order", "head-first"), "--order needs all distances"),
        (("--order", "head-first", "--spacing", "1x1"), "--order needs all distances"),
    ],
)
def test_statements_that_do_not_work_are_refused_in_a_sentence(run, pictures, options, reason):
    code, _, err = run("info", pictures, "--quiet", *options)
    assert code == 2 and reason in err and len(err.strip().splitlines()) == 1


def test_what_files_state_is_not_overruled(run, nifti):
    code, _, err = run("info", nifti, "--quiet", "--spacing", "3x3")
    assert code == 2 and "state distances themselves" in err


def test_analyze_abstains_without_a_unit_and_says_how_to_state_it(run, tiny_models, nifti, tmp_path):
    code, _, err = run("analyze", nifti, "--out", tmp_path / "out")
    assert code == 3
    assert "The unit of the values is not stated" in err and "state it by --values" in err


def test_analyze_says_what_rests_on_a_statement(run, tiny_models, nifti, tmp_path):
    _, _, err = run("analyze", nifti, "--out", tmp_path / "out", "--values", "hu")
    assert "Stated by the reader, not by the file: the values are Hounsfield units." in err
    assert "unit of the values" not in err
