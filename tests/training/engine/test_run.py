"""A run from studies to a bundle, left at any moment and taken up again."""

from __future__ import annotations

from ctviewer.models.bundle import load_bundle
from ctviewer.training.events import EpochDone, RunBegun, RunFinished, StepDone
from ctviewer.training.predictions_file import read_predictions


def test_a_run_makes_a_bundle(inputs, said) -> None:
    wanted = inputs()
    found = said(wanted)
    assert isinstance(found.last, RunFinished)
    assert [type(event) for event in found.events if isinstance(event, RunBegun | StepDone | EpochDone)] == [
        RunBegun, StepDone, StepDone, EpochDone, StepDone, StepDone, EpochDone,
    ]  # fmt: skip
    bundle = load_bundle(wanted.bundles / "toy-1.0.0")
    assert found.last.key == bundle.key
    assert bundle.metadata.classes == ("well", "sick")
    predictions = read_predictions(wanted.folder / "predictions.json")
    assert [case.study for case in predictions.cases] == ["s8", "s9"]
    assert predictions.model == "toy 1.0.0"
