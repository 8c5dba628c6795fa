"""What the cards of shipped models say: texts that make whole bundles, what the training took, what storing changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ctviewer.models.bundle import CARD, save_bundle
from ctviewer.models.card_figures import fold_models_note
from ctviewer.models.metadata import Metadata, Metric, Preprocessing, Thresholds, TrainingData
from ctviewer.training.starter import bundle_texts as texts
from ctviewer.training.starter.chests import INFECTION, LUNG, RECOVERED, SCANNED, Chest
from ctviewer.training.starter.made import STORED, stored, took
from ctviewer.training.starter.shipped import study_bundle
from ctviewer.training.starter.study_recipe import StudySettings, new_study_net

BUNDLES = (texts.INFECTION_LESIONS, texts.INFECTION_STUDY, texts.SIMULATED_THREE_CLASSES)


@pytest.mark.parametrize("told", BUNDLES, ids=lambda told: told["name"])
def test_each_bundles_card_says_where_it_comes_from_and_what_it_must_not_be_used_for(told, tmp_path: Path) -> None:
    figures = (
        Metric("Dice of infection", 0.61, 0.5, 0.7, 10, "patients", "COVID-19-CT-Seg, infected slices"),
        Metric("AUC of attention", 0.93, None, None, 1, "patients", "P001"),
        Metric("Dice of lung", 0.9, None, None, 10, "patients", "COVID-19-CT-Seg, infected slices"),
    )
    made = Metadata(
        **told,
        net={},
        preprocessing=Preprocessing(-600.0, 1500.0, 256, 256, (0.5,), (0.3,)),
        thresholds=Thresholds(),
        training_data=TrainingData(texts.SOURCES, {"patients": 10}, {"all": "0" * 64}),
        metrics=figures,
        figure_notes={"COVID-19-CT-Seg, infected slices": fold_models_note(5, 10)},
        recipe=took(5405.0, 7),
    )
    bundle = save_bundle(tmp_path / "made", made, {"w": torch.zeros(1)})
    card = (bundle.folder / CARD).read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-nc-sa-4.0\n")
    assert f"**Licence CC-BY-NC-SA-4.0.** {told['restriction']}" in card and "No commercial use" in card
    assert "| Time | 1 h 30 min |" in card and "| Seed | 7 |" in card and "| Hardware | 1 thread of " in card
    parts = card.split("\n### ")
    assert [part.partition("\n")[0] for part in parts[1:]] == ["COVID-19-CT-Seg, infected slices", "P001"]
    assert "fold models, not of the model in this bundle: 5 models" in parts[1]
    assert "| Dice of lung | 0.900 | - | 10 patients |" in parts[1]
    assert "| AUC of attention | 0.930 | - | 1 patient |" in parts[2]
    assert f"| Used where nobody has chosen a model | {'yes' if told.get('default') else 'no'} |" in card


def test_only_the_simulated_model_is_no_default_and_says_what_it_is() -> None:
    assert [told.get("default", False) for told in BUNDLES] == [True, True, False]
    assert texts.SIMULATED_THREE_CLASSES["trained_on"] == "trained on simulated studies, not for differential diagnosis"


def test_what_storing_changes_is_the_rounding_of_matrices() -> None:
    torch.manual_seed(0)
    net = nn.Linear(64, 3).train()
    given = torch.randn(5, 64)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    ((name, change),) = stored(net, lambda one: one(given)).items()
    rounded = given @ net.weight.half().float().T + net.bias
    assert name == STORED and change == pytest.approx((rounded - net(given)).abs().max().item(), abs=1e-6)
    assert 0 < change < 1e-2
    assert net.training and all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())


def test_what_is_not_rounded_does_not_change() -> None:
    net = nn.LayerNorm(8)
    nn.init.normal_(net.weight)
    assert stored(net, lambda one: one(torch.randn(2, 8, generator=torch.manual_seed(0)))) == {STORED: 0.0}
    assert stored(net, lambda one: torch.zeros(0)) == {STORED: 0.0}


def test_a_study_models_card_says_whom_it_learned_nothing_from(tmp_path: Path) -> None:
    def chest(name: str, kind: str, shown: int) -> Chest:
        return Chest(name, name, kind, np.full((1, 8, 8), -800, np.int16), np.full((1, 8, 8), shown, np.uint8))

    learned = [chest(f"p{i}", RECOVERED, INFECTION) for i in range(8)]
    held_out = [chest("p8", RECOVERED, INFECTION), chest("p9", RECOVERED, INFECTION), chest("c", SCANNED, LUNG)]
    net = new_study_net(2, 0)
    made = study_bundle(tmp_path, texts.INFECTION_STUDY, net, learned, held_out, StudySettings(), 60.0, "cpu")
    told = made.metadata.training_data
    assert told.summary.startswith(texts.SOURCES)
    assert told.summary.endswith("never learned from: 2 patients with infection and 1 patient without.")
    assert told.counts["train / recovered: patients"] == 8 and told.counts["held out / scanned: patients"] == 1
