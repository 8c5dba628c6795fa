"""`ctviewer evaluate` with tiny nets of random weights: files, counts of looks, exit codes, one sentence for bad input."""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest

from ctviewer.app.analysis import Analyst
from ctviewer.app.folders import data_folder
from ctviewer.core.events import Done
from ctviewer.core.findings import AnalysisResult
from ctviewer.core.geometry import Geometry
from ctviewer.core.paths import resources
from ctviewer.datasets.study_folder import StudyFolder
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.models.probabilities import softmax
from ctviewer.training.evaluation import evaluate
from ctviewer.training.ledger import Ledger
from ctviewer.training.predictions import patient_digest
from ctviewer.training.predictions_file import read_predictions

KEY = "tiny-study-classifier 0.1.0"
CLASSES = ("clear", "infection", "other")


def snapshot(folder):
    return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*"))


@pytest.fixture
def write_set(tmp_path, volume_of, chest_hu):
    """Write a folder of studies with `labels.csv`; `rows` are (study, patient, class, split)."""

    def make(rows, slices=7, written=None, **attributes):
        folder = tmp_path / "set"
        for i, row in enumerate(rows):
            if written is not None and row[0] not in written:
                continue
            stored = chest_hu(slices, 96, seed=i)
            geometry = volume_of(stored).geometry
            facts = {"patient_name": "Secret^Name", "patient_id": f"ID-{row[1]}", "series_number": 1} | attributes
            write_ct_series(
                folder / row[0],
                stored,
                geometry=Geometry(stored.shape, geometry.origins, pixel_spacing=geometry.pixel_spacing),
                attributes=SeriesAttributes(**facts),
            )
        folder.mkdir(exist_ok=True)
        lines = ["study,patient,class,split", *(",".join(row) for row in rows)]
        (folder / "labels.csv").write_text("\n".join(lines))
        return folder

    return make


def rows_of(count, split="test"):
    return [(f"s{i:02d}", f"p{i // 2}", CLASSES[i % 3], split) for i in range(count)]


def test_writes_page_data_and_predictions(run, tiny_models, write_set, check_against, tmp_path):
    folder = write_set([*rows_of(5), ("far", "p9", "clear", "external:far"), ("old", "p8", "clear", "train")])
    before, out = snapshot(folder), tmp_path / "out"
    code, told, err = run("evaluate", folder, "--model", KEY, "--out", out)
    assert code == 0, err
    assert "research use" in told and "Classifying studies" in err
    data = json.loads((out / "evaluation.json").read_text())
    check_against(json.loads((resources() / "schemas" / "evaluation.schema.json").read_text()), data, "evaluation.json")
    assert data["model"]["key"] == KEY and [one["part"] for one in data["sets"]] == ["test"]
    made = read_predictions(out / "predictions.json")
    assert [case.study for case in made.cases] == [f"s{i:02d}" for i in range(5)]
    figures = {one.name: one.value for one in evaluate(made, data="test")}
    assert {one["name"]: one["value"] for one in data["sets"][0]["metrics"]} == figures
    page = (out / "evaluation.html").read_text()
    assert page.index("For research use") < page.index("<h1>") and page.count("<svg") >= 3
    assert snapshot(folder) == before
    assert stat.S_IMODE(out.stat().st_mode) & 0o077 == 0
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in out.iterdir())


def test_predictions_are_what_the_window_would_show(run, tiny_models, write_set, tmp_path):
    folder = write_set(rows_of(2), slices=9)
    assert run("evaluate", folder, "--out", tmp_path / "out", "--quiet", "--device", "cpu")[0] == 0
    made = read_predictions(tmp_path / "out" / "predictions.json")
    source, analyst = StudyFolder(folder), Analyst("cpu")
    for case in made.cases:
        results = [e.value for e in analyst.analyse(source.load(case.study)[0]) if isinstance(e, Done)]
        result = next(value for value in results if isinstance(value, AnalysisResult))
        shown = result.classification.probabilities  # in bfloat16 where that is measured to be faster
        np.testing.assert_allclose(softmax(np.array(case.logits)), shown, atol=5e-3)


def test_no_patient_is_named(run, tiny_models, write_set, tmp_path):
    folder = write_set([("s0", "Surname^First", "clear", "test"), ("s1", "Other^Name", "other", "test")])
    code, told, err = run("evaluate", folder, "--out", tmp_path / "out", "--json")
    texts = [path.read_text() for path in (tmp_path / "out").iterdir()]
    for text in (*texts, told, err):
        assert "Surname" not in text and "Secret" not in text and "ID-" not in text
    assert code == 0 and patient_digest("Surname^First") in (tmp_path / "out" / "predictions.json").read_text()


def test_json_alone_is_printed_and_nothing_is_written(run, tiny_models, write_set, tmp_path):
    folder = write_set(rows_of(3))
    kept = set(tmp_path.rglob("*"))
    code, told, _ = run("evaluate", folder, "--json", "--quiet")
    assert code == 0 and json.loads(told)["schema"] == "ctviewer.evaluation"
    assert set(tmp_path.rglob("*")) == kept


def test_parts_are_judged_each_by_itself(run, tiny_models, write_set):
    rows = [
        *rows_of(3),
        ("far", "p9", "clear", "external:Far"),
        ("old", "p8", "clear", "train"),
        ("new", "p7", "clear", ""),
    ]
    folder = write_set(rows)
    _, told, _ = run("evaluate", folder, "--split", "all", "--json", "--quiet")
    data = json.loads(told)
    assert [(one["part"], one["studies"]) for one in data["sets"]] == [
        ("test", 3), ("external:Far", 1), ("train", 1), ("all studies", 1),
    ]  # fmt: skip
    assert [one["looks"] for one in data["sets"]] == [{}, {}, None, {}]
    _, told, _ = run("evaluate", folder, "--split", "external:far", "--quiet")
    assert "external:Far: 1 study of 1 patient" in told
    _, told, _ = run("evaluate", folder, "--split", "train", "--quiet")
    assert "not a hold-out" in told


def test_each_look_at_a_hold_out_is_counted(run, tiny_models, write_set):
    folder = write_set(rows_of(3))
    _, first, _ = run("evaluate", folder, "--quiet")
    _, second, _ = run("evaluate", folder, "--quiet")
    _, third, _ = run("evaluate", folder, "--quiet")
    assert "the first time that these studies were looked at" in first
    assert "looked at once before on this computer (evaluation 1)" in second
    assert "looked at 2 times before on this computer (evaluation 2)" in third
    assert (data_folder() / "holdouts").is_dir()


def test_studies_that_the_model_learned_from_are_told(run, tiny_models, write_set, tmp_path):
    """A cross-validation learns from all in the end, from what the labels call test too."""
    folder = write_set([*rows_of(4), ("old", "p8", "clear", "train")])
    assert run("evaluate", folder, "--out", tmp_path / "out", "--quiet", "--split", "all")[0] == 0
    contents = [case.content for case in read_predictions(tmp_path / "out" / "predictions.json").cases]
    ledger = Ledger.beside(data_folder() / "bundles")
    ledger.learned(tiny_models[0].metadata.weights_sha256, contents[1:])
    told = json.loads(run("evaluate", folder, "--json", "--quiet", "--split", "all")[1])
    notes = {one["part"]: " ".join(one["notes"]) for one in told["sets"]}
    assert f"3 of 4 studies had been learned from by {KEY}" in notes["test"]
    assert "learned from" not in notes["train"], "nobody takes these for a hold-out"


def test_a_table_without_parts_is_judged_as_a_whole(run, tiny_models, write_set):
    code, told, _ = run("evaluate", write_set(rows_of(3, split="")), "--quiet")
    assert code == 0 and "all studies: 3 studies of 2 patients" in told


def test_studies_that_cannot_be_read_are_left_out_and_told(run, tiny_models, write_set, tmp_path):
    folder = write_set(
        [*rows_of(3), ("gone", "p9", "clear", "test"), ("bad", "p8", "clear", "test")], written=["s00", "s01", "s02"]
    )
    (folder / "bad").mkdir()
    (folder / "bad" / "a.dcm").write_bytes(b"no DICOM")
    code, told, err = run("evaluate", folder, "--out", tmp_path / "out")
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert code == 4 and {one["study"] for one in data["left_out"]} == {"gone", "bad"}
    assert data["sets"][0]["studies"] == 3 and "In no figure: 2 studies that could not be read." in told
    assert "gone: " in err and "Studies left out" in (tmp_path / "out" / "evaluation.html").read_text()


def test_studies_outside_the_limits_are_named(run, tiny_models, write_set, tmp_path):
    folder = write_set(rows_of(2), slices=3)  # the tiny model takes 6 to 40
    code, told, _ = run("evaluate", folder, "--out", tmp_path / "out")
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert code == 0 and [one["study"] for one in data["outside_limits"]] == ["s00", "s01"]
    assert "Outside the limits of the model: 2 studies." in told and data["sets"][0]["studies"] == 2


def test_names_from_the_table_are_letters_on_the_page(run, tiny_models, write_set, tmp_path):
    folder = write_set([("a&b", "p1", "clear", "external:<script>x"), ("c", "p2", "infection", "external:<script>x")])
    assert run("evaluate", folder, "--split", "all", "--out", tmp_path / "out", "--quiet")[0] == 0
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<script" not in page and "external:&lt;script&gt;x" in page


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--model", "nobody 1.0.0"], f"nobody 1.0.0 is not installed; there are: .*{KEY}"),
        (["--split", "val"], "no study into 'val'; they name external:far, test. --split all"),
        (["--split", "external:near"], "no study into 'external:near'"),
        (["--values", "hounsfield"], "hounsfield"),
        (["--labels", "nowhere.csv"], "There is no nowhere.csv in /"),
    ],
)
def test_bad_input_is_one_sentence(run, tiny_models, write_set, options, why, monkeypatch, tmp_path):
    import re

    folder = write_set([*rows_of(2), ("far", "p9", "clear", "external:far")], written=[])
    code, told, err = run("evaluate", folder, *options, "--quiet")
    assert code == 2 and told == "" and re.search(why, err) and err.count("\n") == 1


def test_labels_that_the_model_does_not_know_are_refused_before_any_work(run, tiny_models, write_set, tmp_path):
    folder = write_set([("s0", "p0", "COVID", "test"), ("s1", "p1", "clear", "test")], written=[])
    code, _, err = run("evaluate", folder, "--out", tmp_path / "out", "--quiet")
    assert code == 2 and "does not know the class 'COVID' (1 study); its classes are clear, infection, other" in err
    folder = write_set([("s0", "p0", "clear|other", "test")], written=[])
    code, _, err = run("evaluate", folder, "--out", tmp_path / "out", "--quiet")
    assert code == 2 and "several classes to 1 study" in err
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_into_the_folder(run, tiny_models, write_set):
    folder = write_set(rows_of(1), written=[])
    code, _, err = run("evaluate", folder, "--out", folder / "out", "--quiet")
    assert code == 2 and "inside the opened folder" in err and not (folder / "out").exists()


def test_none_of_the_studies_can_be_read(run, tiny_models, write_set):
    code, told, err = run("evaluate", write_set(rows_of(2), written=[]), "--quiet")
    assert code == 2 and told == "" and "None of the studies could be classified" in err
