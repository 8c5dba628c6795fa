"""`ctviewer evaluate` of a one-shot model on labelled slices of every format: files, looks, exit codes, one sentence."""

from __future__ import annotations

import dataclasses
import json
import stat

import pytest

from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.core.paths import resources
from ctviewer.datasets.phantom import Family, PhantomSpec, Variant, generate
from ctviewer.datasets.slices import open_slice_source
from ctviewer.datasets.slices.samples import SAMPLES
from ctviewer.datasets.slices.slice_table import SliceRow, write_slice_table
from ctviewer.models.bundle import save_bundle
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.config_file import write_config
from ctviewer.training.ledger import Ledger
from ctviewer.training.recipes import RECIPES
from ctviewer.training.slice_evaluation import evaluate_slices
from ctviewer.training.slice_predictions import read_slice_predictions

CLASSES = ("background", "lung", "ground glass", "consolidation")
MARKED, CLASSED = ("studies", "cncb", "covid19_ct_seg"), ("covidx", "prefixed")


@pytest.fixture(scope="module")
def phantoms():
    """Small chests: infected ones and a clear one; figures of them say nothing of patients."""
    kinds = (Variant.COVID, Variant.PNEUMONIA, Variant.CONTROL)
    return [generate(PhantomSpec(seed, kind, Family.A, matrix=64, slices=6)) for seed, kind in enumerate(kinds, 1)]


@pytest.fixture
def model_of(private_folders, one_shot_net, tiny_one_shot):
    """`model_of(image_classes)`: an installed one-shot model that outlines what the generated sets hold; active."""

    def make(*image_classes):
        m = dataclasses.replace(
            tiny_one_shot.metadata,
            classes=CLASSES,
            lesion_classes=CLASSES[2:],
            image_classes=image_classes,
            negative_class="control",
            weights_sha256="",
        )
        bundle = save_bundle(data_folder() / "bundles" / "tiny", m, one_shot_net(classes=4).state_dict())
        installed().activate(bundle)
        return bundle

    return make


@pytest.fixture
def model(model_of):
    """One that tells the classes of the generated sets."""
    return model_of("control", "common pneumonia", "COVID-19")


@pytest.fixture
def write_set(tmp_path, phantoms):
    """`write_set(format)`: a generated set on disk."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        SAMPLES[name](folder, phantoms)
        return folder

    return make


def snapshot(folder):
    return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*"))


def judged(run, folder, *options):
    code, told, err = run("evaluate", folder, *options, "--json", "--quiet", "--device", "cpu")
    assert code == 0, err
    return json.loads(told)


def test_writes_page_data_and_predictions(run, model, write_set, check_against, tmp_path):
    folder, out = write_set("cncb"), tmp_path / "out"
    before = snapshot(folder)
    code, told, err = run("evaluate", folder, "--format", "cncb", "--out", out, "--device", "cpu")
    assert code == 0, err
    assert "research use" in told and "Outlining scans" in err
    data = json.loads((out / "evaluation.json").read_text())
    schema = json.loads((resources() / "schemas" / "slice-evaluation.schema.json").read_text())
    check_against(schema, data, "evaluation.json")
    assert data["model"]["key"] == model.key and [one["part"] for one in data["sets"]] == ["all scans"]
    kept = read_slice_predictions(out / "predictions.json")
    figures = {one.name: one.value for one in evaluate_slices(kept, data="all scans")}
    assert {one["name"]: one["value"] for one in data["sets"][0]["metrics"]} == figures
    assert "AP .5:.95, mean over classes" in figures and "per_image_ap, at .5" in figures
    page = (out / "evaluation.html").read_text()
    assert page.index("For research use") < page.index("<h1>") and page.count("<svg") >= 2
    assert "FROC curve" in page and "AP .5, ground glass" in told
    assert "Lesions are marked on" in told and "on all of them completely" in told
    assert snapshot(folder) == before
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in out.iterdir())


@pytest.mark.parametrize("name", MARKED)
def test_outlines_of_every_format(run, model, write_set, name):
    own = ("--model", model.key) if name == "studies" else ("--format", name)  # own studies are the default
    one = judged(run, write_set(name), *own, "--only", "lesions", "--split", "all")["sets"][0]
    figures = {metric["name"] for metric in one["metrics"]}
    assert one["marked"] > 0 and one["confusion"] is None
    assert "Dice per scan, any lesion" in figures
    if name == "covid19_ct_seg":  # its lesions are "infection"
        assert any("the model has no class for" in note for note in one["notes"])
        assert not any("ground glass" in figure for figure in figures)
    else:
        assert "AP .5, ground glass" in figures


@pytest.mark.parametrize("name", CLASSED)
def test_classes_of_every_format(run, model, write_set, name):
    one = judged(run, write_set(name), "--format", name, "--split", "all")["sets"][0]
    assert one["marked"] == 0 and any("no AP, FROC or Dice is given" in note for note in one["notes"])
    assert sum(map(sum, one["confusion"]["studies"])) == one["slices"] > 0
    assert any(metric["name"] == "slice F1, weighted as in the paper" for metric in one["metrics"])


def test_a_configuration_names_sets_and_what_their_classes_are(run, model_of, write_set, tmp_path):
    model_of("control", "common pneumonia", "COVID")
    lesions, images = write_set("cncb"), write_set("ictcf")
    config = RunConfig(
        DataConfig(""),
        ModelConfig(name="x", size=64, crop=64, merge={"COVID-19": "COVID"}),
        recipe=RECIPES["one-shot-tuned"],
        task="one_shot",
        lesions=(SliceSet("cncb", str(lesions), split="external:marked"),),
        images=(SliceSet("ictcf", str(images), str(images / "test.txt"), split="external:classed"),),
    )
    write_config(tmp_path / "run.toml", config)
    code, told, err = run("evaluate", "--config", tmp_path / "run.toml", "--split", "all", "--json", "--quiet")
    assert code == 0, err
    data = json.loads(told)
    assert [one["part"] for one in data["sets"]] == ["external:marked", "external:classed"]
    first, second = data["sets"]
    assert first["marked"] > 0 and first["confusion"] is None
    assert second["marked"] == 0 and second["confusion"] is not None
    assert any("No slice of this set shows common pneumonia" in note for note in second["notes"])


def test_each_look_is_counted_and_what_the_model_learned_from_is_told(run, model, write_set):
    folder = write_set("cncb")
    options = ("evaluate", folder, "--format", "cncb", "--quiet", "--device", "cpu")
    assert "the first time that these scans were looked at" in run(*options)[1]
    source = open_slice_source("cncb", folder)
    from ctviewer.training.slices.facts import content_of

    contents = [content_of(source.load_slices(scan)).sha256 for scan in source.ids()]
    Ledger.beside(data_folder() / "bundles").learned(model.metadata.weights_sha256, contents[1:])
    told = run(*options)[1]
    assert "looked at once before on this computer (evaluation 1)" in told
    assert f"{len(contents) - 1} of {len(contents)} scans had been learned from by {model.key}" in told


def test_scans_that_were_learned_from_are_told_when_their_labels_are_others(run, model, write_set):
    from ctviewer.training.slices.images import image_digest

    folder = write_set("cncb")
    source = open_slice_source("cncb", folder)
    images = [image_digest(source.load_slices(scan), 0) for scan in source.ids()]
    Ledger.beside(data_folder() / "bundles").learned(model.metadata.weights_sha256, images[1:])
    told = run("evaluate", folder, "--format", "cncb", "--quiet", "--device", "cpu")[1]
    assert f"{len(images) - 1} of {len(images)} scans had been learned from by {model.key}" in told


def test_a_scan_that_cannot_be_read_is_left_out_and_told(run, model, write_set, tmp_path):
    folder = write_set("cncb")
    next(iter(sorted((folder / "imgs").iterdir()))).write_bytes(b"no picture")
    code, told, err = run("evaluate", folder, "--format", "cncb", "--out", tmp_path / "out", "--device", "cpu")
    assert code == 4 and "In no figure: 1 scan that could not be judged." in told
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert len(data["left_out"]) == 1 and "Scans left out" in (tmp_path / "out" / "evaluation.html").read_text()
    assert data["left_out"][0]["why"] in err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--format", "ictcf"], "is not named as iCTCF's slices are"),
        (["--format", "cncb", "--split", "val"], "put no scan into 'val'"),
        (
            ["--format", "cncb", "--only", "classes"],
            "None of these scans has a class of slices",
        ),
        (["--config", "gone.toml"], "either a folder or a configuration"),
        (["--format", "cncb", "--model", "nobody 1.0.0"], "nobody 1.0.0 is not installed"),
    ],
)
def test_bad_input_is_one_sentence(run, model, write_set, options, why):
    import re

    code, told, err = run("evaluate", write_set("cncb"), *options, "--quiet")
    assert code == 2 and told == "" and re.search(why, err), err
    assert err.count("\n") == 1


def test_classes_that_the_model_does_not_know_are_refused_before_any_work(run, model_of, write_set, tmp_path):
    model_of("control", "common pneumonia", "COVID")
    folder = write_set("ictcf")
    code, _, err = run(
        "evaluate", folder, "--format", "ictcf", "--labels", folder / "test.txt", "--out", tmp_path / "o"
    )
    assert code == 2 and "does not know slices of the class COVID-19" in err and "model.merge" in err
    assert not (tmp_path / "o").exists()


def test_nothing_is_written_into_the_folder(run, model, write_set):
    folder = write_set("cncb")
    code, _, err = run("evaluate", folder, "--format", "cncb", "--out", folder / "out", "--quiet")
    assert code == 2 and "inside the opened folder" in err and not (folder / "out").exists()


def test_options_of_slices_are_not_for_study_classifiers(run, tiny_models, tmp_path):
    key = tiny_models[0].key
    code, _, err = run("evaluate", tmp_path, "--model", key, "--format", "cncb", "--quiet")
    assert code == 2 and f"--format is for one-shot models, and {key} is a study classifier" in err
    code, _, err = run("evaluate", "--quiet")
    assert code == 2 and "Name the folder of the studies" in err


def test_a_scan_with_some_accepted_output_is_judged_in_part_and_not_called_left_out(run, model, write_set, tmp_path):
    folder = write_set("studies")
    masks = sorted((folder / "masks").iterdir())[0]
    accepted = [SliceRow(path.stem, origin="a" * 64) for path in sorted(masks.glob("*.png"))[:2]]
    write_slice_table(masks / "slices.csv", accepted)
    code, told, err = run("evaluate", folder, "--out", tmp_path / "out", "--only", "lesions", "--device", "cpu")
    data = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert code == 4 and not data["left_out"]
    assert [one["why"] for one in data["in_part"]] == [
        "What is outlined on 2 slices is accepted output of a model, and judges none."
    ]
    assert data["in_part"][0]["scan"] == masks.name and data["in_part"][0]["why"] in err
    assert "In no figure" not in told and "Of 1 scan some outlines are accepted output of a model" in told
    assert "Scans judged in part" in (tmp_path / "out" / "evaluation.html").read_text()
    assert data["sets"][0]["scans"] == 3
