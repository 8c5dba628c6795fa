"""What a model may not be used for, and how sure its numbers are: on the command line, in its files, and kept for a user."""

from __future__ import annotations

import json
from dataclasses import replace

import pypdf
import pytest

from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.app.services import AppServices
from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.paths import resources
from ctviewer.core.serialise import from_dict
from ctviewer.models.bundle import Bundle, save_bundle

pytestmark = pytest.mark.usefixtures("qapp")  # else the report would make an application that no window test can use
CLASSES = ("clear", "infection", "other")
BAND = (BandPoint(0.0, 0.0, 0.2), BandPoint(1.0, 0.8, 1.0))
RESTRICTION = "Not for commercial use; what is made of it has the same licence."
SIMULATED = "trained on simulated studies, not for differential diagnosis"


def calibration(real: bool) -> Calibration:
    what = "validation patients" if real else "simulated studies"
    return Calibration(what, real, dict.fromkeys(CLASSES, 30), 0.03, "Fitted.", dict.fromkeys(CLASSES, BAND))


@pytest.fixture
def in_use(tiny_models):
    """`in_use(**changes)`: a version of the tiny classifier with these in its metadata, in use."""

    def make(**changes) -> Bundle:
        parent = tiny_models[0]
        metadata = replace(parent.metadata, version="0.2.0", **changes)
        made = save_bundle(data_folder() / "bundles" / "second", metadata, parent.build().state_dict())
        installed().activate(made)
        return made

    return make


def written(out) -> tuple[dict, str]:
    text = "".join(page.extract_text() for page in pypdf.PdfReader(out / "report.pdf").pages)
    return json.loads((out / "result.json").read_text()), " ".join(text.split())


def test_an_answer_without_patients_says_so_everywhere(run, in_use, check_against, chest_folder, tmp_path):
    made = in_use(
        licence="CC BY-NC-SA 4.0", restriction=RESTRICTION, trained_on=SIMULATED, calibration=calibration(real=False)
    )
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out")
    assert code == 0, err
    title = f"{made.metadata.title} 0.2.0"
    why = "No interval: checked on simulated studies, not calibrated on patients' own studies."
    assert f"{title}: {SIMULATED}. {why}" in err and f"{title}, CC BY-NC-SA 4.0: {RESTRICTION}" in err
    data, report = written(tmp_path / "out")
    check_against(json.loads((resources() / "schemas" / "result.schema.json").read_text()), data)
    told = data["result"]["classification"]
    assert told["intervals"] == [None, None, None] and told["interval_reason"] == why
    assert told["model"]["restriction"] == RESTRICTION and told["model"]["trained_on"] == SIMULATED
    assert data["result"]["provenance"]["models"][0]["restriction"] == RESTRICTION
    assert from_dict(data["result"]).classification.model.calibration == calibration(real=False)
    for text in (why, SIMULATED, RESTRICTION):
        assert text in report


def test_an_answer_that_patients_bear_out_has_its_interval(run, in_use, check_against, chest_folder, tmp_path):
    in_use(calibration=calibration(real=True))
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out")
    assert code == 0, err
    assert "No interval" not in err and "30 patients of clear" in err
    data, report = written(tmp_path / "out")
    check_against(json.loads((resources() / "schemas" / "result.schema.json").read_text()), data)
    told = data["result"]["classification"]
    for p, (low, high) in zip(told["probabilities"], told["intervals"], strict=True):
        assert (low, high) == (pytest.approx(0.8 * p), pytest.approx(0.2 + 0.8 * p))
        assert f"{p:.2f} ({low:.2f} to {high:.2f})" in err
    assert "95 % interval" in report


def test_the_list_shows_licence_and_restriction(run, in_use):
    in_use(licence="CC BY-NC-SA 4.0", restriction=RESTRICTION, calibration=calibration(real=True))
    code, out, _ = run("models")
    assert code == 0 and "licence CC BY-NC-SA 4.0" in out and f"    CC BY-NC-SA 4.0: {RESTRICTION}" in out
    assert out.count(RESTRICTION) == 1
    rows = {
        row["version"]: row for row in json.loads(run("models", "--json")[1])["models"] if "tiny-study" in row["name"]
    }
    assert rows["0.2.0"]["restriction"] == RESTRICTION and rows["0.2.0"]["calibrated_on_patients"]
    assert rows["0.1.0"]["restriction"] == "" and not rows["0.1.0"]["calibrated_on_patients"]


def test_whoever_activates_a_model_is_told_what_its_licence_forbids(run, in_use):
    bound = in_use(licence="CC BY-NC-SA 4.0", restriction=RESTRICTION)
    assert f"! CC BY-NC-SA 4.0: {RESTRICTION}" in run("models", "activate", bound.key)[1]
    assert json.loads(run("models", "activate", bound.key, "--json")[1])["restriction"] == RESTRICTION


@pytest.fixture
def services(in_use):
    """`services()`: of this user, as at the start of the program."""
    made = []

    def start() -> AppServices:
        made.append(AppServices())
        return made[-1]

    yield start
    for one in made:
        one.store.close()


def test_the_window_learns_of_it_and_remembers_what_was_read(services, in_use):
    bound = in_use(licence="CC BY-NC-SA 4.0", restriction=RESTRICTION)
    first = services()
    cards = {card.key: card for card in first.models()[0]}
    assert cards[bound.key].restriction == RESTRICTION and cards[bound.key].active and not cards[bound.key].made_here
    assert first.preferences().understood == ()
    first.set_preference(understood=(bound.key,))
    assert first.preferences().understood == services().preferences().understood == (bound.key,)
