"""The card: figures by data set with their n, notes on whose they are, licence and restriction, what the training took."""

from __future__ import annotations

import dataclasses

import pytest

from ctviewer.core.calibration import Calibration
from ctviewer.models.card import card
from ctviewer.models.card_figures import figures_text, fold_models_note
from ctviewer.models.metadata import HARDWARE, SECONDS, SEED, Metadata, Metric
from ctviewer.models.training_run import TrainingRun


def part(text: str, title: str) -> str:
    """From a heading to the next one of its level."""
    level, _, _ = title.partition(" ")
    return text.partition(f"{title}\n")[2].partition(f"\n{level} ")[0]


def test_figures_stand_under_the_data_they_were_measured_on() -> None:
    figures = (
        Metric("A", 1.0, None, None, 1, "studies", "p001"),
        Metric("B", 0.5, 0.4, 0.6, 10, "patients", "folds"),
        Metric("C", 0.25, None, None, 4, "patients", "p001"),
    )
    text = figures_text(figures, {"p001": "One patient.", "later": "Not measured yet | really."})
    assert text.index("### P001") < text.index("### Folds") < text.index("### Later")
    assert part(text, "### P001").split("\n\n") == [
        "\nOne patient.",
        "| Figure | Value | 95 % interval | n |\n| --- | --- | --- | --- |\n| A | 1.000 | - | 1 study |\n| C | 0.250 | - | 4 patients |\n",
    ]
    assert "| B | 0.500 | 0.400 to 0.600 | 10 patients |" in part(text, "### Folds")
    assert part(text, "### Later").strip() == r"Not measured yet \| really."


def test_no_figures_are_no_text() -> None:
    assert figures_text((), {}) == ""


def test_fold_models_are_told_from_the_shipped_one() -> None:
    text = fold_models_note(5, 10)
    assert "not of the model in this bundle: 5 models" in text and "each of 10 patients was measured once" in text


def test_a_restriction_stands_at_the_top_and_among_the_details(metadata: Metadata) -> None:
    restricted = dataclasses.replace(
        metadata, licence="CC BY-NC-SA 4.0", restriction="No commercial | use.", default=True
    )
    text = card(restricted)
    assert text.startswith("---\nlicense: cc-by-nc-sa-4.0\n")
    assert text.index(r"**Licence CC BY-NC-SA 4.0.** No commercial \| use.") < text.index("## Model details")
    assert r"| Restriction | No commercial \| use. |" in text
    assert "| Used where nobody has chosen a model | yes |" in text
    free = card(metadata)
    assert "**Licence" not in free and "| Restriction | none beyond the licence |" in free


def test_hardware_time_and_seed_are_told_or_said_to_be_unknown(metadata: Metadata, run: TrainingRun) -> None:
    known = card(dataclasses.replace(metadata, recipe={HARDWARE: "2 cores", SECONDS: 4000, SEED: 3, "rate": 0.1}))
    for row in ("| Hardware | 2 cores |", "| Time | 1 h 7 min |", "| Seed | 3 |", "| rate | 0.1 |"):
        assert known.count(row) == 1, row
    assert "| seconds |" not in known
    unknown = card(metadata)
    assert all(f"| {name} | not recorded |" in unknown for name in ("Hardware", "Time", "Seed"))
    stages = card(dataclasses.replace(metadata, recipe={"encoder: seed": 4}))
    assert "| Seed |" not in stages and "| encoder: seed | 4 |" in stages
    trained = card(dataclasses.replace(metadata, run=run, recipe={SEED: 5}))
    assert "not recorded" not in trained and "| Device | CPU, float32, Linux |" in trained and "| seed | 5 |" in trained


@pytest.mark.parametrize(("real", "kind"), [(True, "patients' own studies"), (False, "no patients' own studies")])
def test_calibration_says_on_whom(metadata: Metadata, real: bool, kind: str) -> None:
    found = Calibration("simulated studies", real, {"none": 12, "some": 31}, 0.0423, "Temperature 1.3.")
    text = part(card(dataclasses.replace(metadata, calibration=found)), "## Evaluation")
    assert f"Checked on simulated studies ({kind}" in text and "none 12, some 31" in text
    assert "error 0.042. Temperature 1.3." in text
    assert "Calibration" not in card(metadata)


def test_nothing_that_metadata_say_becomes_markup(metadata: Metadata) -> None:
    nasty = "<script>x</script> | **b**\n# h"
    changed = dataclasses.replace(
        metadata,
        licence=nasty,
        restriction=nasty,
        figure_notes={nasty: nasty},
        recipe={HARDWARE: nasty},
        calibration=Calibration(nasty, False, {nasty: 1}, 0.0, nasty),
    )
    text = card(changed)
    assert "<script" not in text and "\n# h" not in text and "**b**" not in text
