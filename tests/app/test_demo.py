"""`ctviewer demo` without a display: the sample study is analysed by the models in use, and what they are is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ctviewer.app import demo
from ctviewer.app.cli import INTERNAL, OK, main
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.datasets.sample import SAMPLE_SPEC, sample_study
from ctviewer.models.bundle import save_bundle

SMALL = replace(SAMPLE_SPEC, matrix=96, slices=40, slice_spacing_mm=7.0)


@pytest.fixture
def small_sample(monkeypatch, qapp, expected_logs):
    """A sample study of moments. The off-screen plugin says of every window that it hints no sizes; nothing else is said."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setattr(demo, "sample_study", lambda folder: sample_study(folder, SMALL))
    yield
    assert all("propagateSizeHints" in record.getMessage() for record in expected_logs)


def restricted(bundle, **changes) -> None:
    """The same weights in use under a licence that restricts."""
    m = replace(
        bundle.metadata, version="0.2.0", licence="CC-BY-NC-SA-4.0", restriction="No commercial use.", **changes
    )
    made = save_bundle(data_folder() / "bundles" / f"{m.name}-{m.version}", m, bundle.build().state_dict())
    installed().activate(made)


def test_it_says_which_models_answer_and_what_restricts_them(small_sample, tiny_models, tmp_path, capsys) -> None:
    restricted(tiny_models[0])
    assert main(["demo", "--out", str(tmp_path / "out")]) == OK
    told = capsys.readouterr().out
    assert "The sample study, a generated phantom, is in" in told
    assert "analysed by tiny-study-classifier 0.2.0, random weights." in told
    assert "analysed by tiny-one-shot 0.1.0, random weights." in told
    assert told.count("No commercial use.") == 1 and "says nothing of patients" in told
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    written = json.dumps(result)
    assert '"version": "0.2.0"' in written and "No commercial use." in written
    for name in ("report.pdf", "screenshot.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_models_that_abstain_say_why(small_sample, tiny_models, tmp_path, capsys) -> None:
    limits = replace(tiny_models[0].metadata.input_limits, slices=(100, 200))
    for bundle in tiny_models:
        restricted(bundle, input_limits=limits)
    assert main(["demo", "--out", str(tmp_path / "out")]) == INTERNAL
    assert "The sample study could not be analysed." in (said := capsys.readouterr().err) and "40" in said
    assert not (tmp_path / "out" / "result.json").exists()
