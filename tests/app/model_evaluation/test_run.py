"""`make evaluate-models` with tiny nets of random weights and generated data: figures, log, page, cards, errors in words."""

from __future__ import annotations

import json

import pytest

from ctviewer.app.model_evaluation import generated
from ctviewer.app.model_evaluation.parts import PARTS
from ctviewer.app.model_evaluation.run import DATA, PAGE, Places, main
from ctviewer.models.bundle import CARD, load_bundle

CLASSIFIER, DETECTOR = "tiny-study-classifier 0.1.0", "tiny-one-shot 0.1.0"


@pytest.fixture
def run(bundles, data, tmp_path, capsys):
    """Run the command; exit code, what it printed, what is on disk."""
    places = Places(bundles, data, tmp_path / "out", tmp_path / "log" / "log.jsonl", tmp_path / "work", "abc123")

    def act(*arguments):
        code = main([*arguments, "--quiet"], places)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    act.places = places
    return act


def told(run):
    return json.loads((run.places.out / DATA).read_text("utf-8"), parse_constant=pytest.fail)


def entries(run):
    return [json.loads(line) for line in run.places.log.read_text("utf-8").splitlines()]


def values(run, part, key):
    return {one["name"]: one["value"] for one in told(run)["parts"][part]["figures"][key]}


def test_patients_are_ranked_beside_what_needs_no_model_and_without_intervals(run):
    code, out, _ = run("--only", "patients")
    assert code == 0
    of_classifier, of_detector, beside = (values(run, "patients", key) for key in (CLASSIFIER, DETECTOR, ""))
    assert {"AUC-ROC, by attention", "AUC-ROC, by evidence of infection", "AUC-ROC, by evidence of other"} <= set(
        of_classifier
    )
    assert "AUC-ROC, by evidence of clear" not in of_classifier
    assert {"infected among the top 4, by attention", "infected among the top 10, by attention"} <= set(of_classifier)
    assert "infected among the top 20, by attention" not in of_classifier  # of 12 slices
    assert {"AUC-ROC, by lesion area", "share of the healthy lung's volume marked", "findings"} <= set(of_detector)
    assert {"AUC-ROC, by dense fraction of the lung", "AUC-ROC, by slice position, towards the feet"} <= set(beside)
    every = [one for metrics in told(run)["parts"]["patients"]["figures"].values() for one in metrics]
    assert all(one["low"] is None and one["high"] is None and one["n"] == 1 for one in every)
    assert all(one["unit"] == "patient (12 slices)" for one in every)
    assert "no interval" in out


def test_every_look_is_logged_before_it_is_taken_and_nobody_is_named(run):
    run("--only", "patients")
    run("--only", "patients")
    looks = [one for one in entries(run) if one["event"] == "look"]
    runs = [one for one in entries(run) if one["event"] == "run"]
    assert [one["event"] for one in entries(run)] == ["look", "run", "look", "run"]
    assert looks[0]["at"] == ["P001", "normal001"] and looks[0]["bundles"] == [DETECTOR, CLASSIFIER]
    assert runs[0]["commit"] == "abc123" and set(runs[0]["bundles"]) == {CLASSIFIER, DETECTOR}
    assert runs[0]["figures"] == runs[1]["figures"]  # two runs are equal
    assert "Secret" not in run.places.log.read_text("utf-8")
    assert "were scored 2 times" in (run.places.out / PAGE).read_text("utf-8")


def test_a_log_that_cannot_be_written_keeps_the_patients_from_being_looked_at(run):
    run.places.log.parent.write_text("in the way")
    code, out, err = run("--only", "patients")
    assert code == 2 and "could not be written" in err and "P001" not in out


def test_what_is_out_of_scope_is_told_in_words(run):
    code, _, _ = run("--only", "scope")
    part = told(run)["parts"]["scope"]
    assert code == 0
    assert values(run, "scope", CLASSIFIER) == {"abstains, share of series out of scope": 1.0}
    (row,) = part["tables"][0]["rows"]
    assert row[:3] == ["elsewhere 1 (3 slices)", "all", "abstains"] and "3 slices" in row[3]
    assert [one["event"] for one in entries(run)] == ["run"]  # no patient was looked at


def test_calibration_and_attention_share_what_was_said_of_the_phantoms(run, monkeypatch):
    monkeypatch.setattr(generated, "_MATRIX", 64)
    monkeypatch.setattr(generated, "_SLICES", (10,))
    monkeypatch.setattr(generated, "PATIENTS", 1)
    asked = []
    predict = generated.predict
    monkeypatch.setattr(generated, "predict", lambda *a, **k: asked.append(a[2]) or predict(*a, **k))
    code, _, _ = run("--only", "calibration", "attention", "--model", "tiny-study-classifier", "--write")
    assert code == 0 and [len(one) for one in asked] == [6]
    assert "ECE, any finding" in values(run, "calibration", CLASSIFIER)
    attention = values(run, "attention", CLASSIFIER)
    assert 0 < attention["attention on the first tenth of the slices"] < 1
    assert all("phantom" in one["data"] for p in ("calibration", "attention")
               for one in told(run)["parts"][p]["figures"][CLASSIFIER])  # fmt: skip
    metadata = load_bundle(run.places.bundles / "tiny-study-classifier").metadata
    assert metadata.calibration is not None and not metadata.calibration.real
    assert metadata.calibration.patients == {"clear": 2, "infection": 2, "other": 2}


def test_figures_are_written_into_metadata_and_card_and_the_weights_stay(run):
    folder = run.places.bundles / "tiny-one-shot"
    before, weights = load_bundle(folder), (folder / "model.safetensors").read_bytes()
    run("--only", "patients")
    assert load_bundle(folder) == before
    run("--only", "patients", "--write")
    run("--only", "patients", "--write")  # takes the place of the same figures
    after = load_bundle(folder).metadata
    assert {one.data for one in after.metrics} == {"P001", "normal001"}
    assert len({(one.name, one.data) for one in after.metrics}) == len(after.metrics)
    assert after.weights_sha256 == before.metadata.weights_sha256
    assert (folder / "model.safetensors").read_bytes() == weights
    assert "share of the healthy lung's volume marked" in (folder / CARD).read_text("utf-8")


def test_without_data_every_part_that_needs_it_says_so(run, tmp_path):
    code, out, _ = run("--only", "patients", "scope", "lesions", "--data", str(tmp_path / "nowhere"))
    assert code == 0 and out.count("Skipped:") == 3
    assert [one["event"] for one in entries(run)] == ["run"]


def test_labels_that_do_not_fit_the_slices_are_refused(run, data):
    table = data / "covid_ct_md" / "P001_slice_labels.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-2]))
    code, _, err = run("--only", "patients")
    assert code == 2 and "has no label for 2 of 12 slices" in err
    table.write_text("something,else\n1,2\n")
    assert "is no table of slice labels" in run("--only", "patients")[2]


def test_a_bundle_that_is_not_there_is_refused(run):
    code, _, err = run("--model", "nobody")
    assert code == 2 and "holds no bundle called nobody" in err


def test_nothing_is_written_into_the_data(run, data):
    code, _, err = run("--only", "scope", "--out", str(data / "out"))
    assert code == 2 and "lies inside the opened folder" in err


def test_every_part_has_its_work(run, monkeypatch):
    from ctviewer.app.model_evaluation import run as module
    from ctviewer.app.model_evaluation.parts import Setting
    from ctviewer.app.model_evaluation.recipes import TrainedOn
    from ctviewer.app.progress import ProgressLine

    setting = Setting((), run.places.data, run.places.out, ProgressLine(quiet=True))
    assert tuple(module._work(setting, TrainedOn(run.places.data, run.places.work, 0, setting.line))) == PARTS
