"""`ctviewer train` of a one-shot model: lesions and slice classes in one run, by the path of all runs."""

from __future__ import annotations

import json
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from ctviewer.app.cli import BAD_INPUT, OK, main
from ctviewer.app.runs import runs_folder
from ctviewer.app.train_data import DATA, folders_of, names_of, remember, require_same, source_of
from ctviewer.core.errors import InputError
from ctviewer.models.bundle import load_bundle
from ctviewer.training.config_file import read_config
from ctviewer.training.preflight.facts import data_sha256
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.run_folder import list_runs, read_state
from ctviewer.training.slices.facts import read_slice_facts
from ctviewer.training.splits import Split

SIDE, OUTLINED, CLASSED = 64, 9, 9
PREFIXES = ("Normal", "CP", "NCP")

CONFIG = """
task = "one_shot"
checkpoint_minutes = 0.0
device = "cpu"
[[lesions]]
format = "cncb"
folder = "{folder}/lesions"
values = "window=-600/1500"
[[images]]
format = "prefixed"
folder = "{folder}/classed"
values = "window=-600/1500"
[data]
cross_validation = "never"
shares = [0.34, 0.33, 0.33]
[model]
name = "toy"
start = "scratch"
encoder = "resnet18"
size = 64
{more}
[model.net]
width = 16
channels = 16
mask_hidden = 16
hidden = 16
box_hidden = 16
class_hidden = 16
roi_batch = 16
[recipe]
name = "one-shot-scratch"
epochs = 1
batch = 2
precision = "float32"
"""


def chest(seed: int, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its label map: lungs, from kind 1 on ground glass, for kind 2 consolidation too."""
    rng = np.random.default_rng(seed)
    grey, labels = np.full((SIDE, SIDE), 55.0), np.zeros((SIDE, SIDE), np.uint8)
    grey[6:58, 4:60] = 235
    for columns in (slice(10, 28), slice(36, 54)):
        grey[14:50, columns], labels[14:50, columns] = 85, 1
    for value, level, left in ((2, 140, 12), (3, 215, 40))[:kind]:
        row, column = rng.integers(18, 34), rng.integers(left, left + 5)
        grey[row : row + 9, column : column + 9], labels[row : row + 9, column : column + 9] = level, value
    return (grey + rng.normal(0, 6, grey.shape)).clip(0, 255).astype(np.uint8), labels


def write_sets(folder):
    for name in ("lesions/imgs", "lesions/masks", "classed"):
        (folder / name).mkdir(parents=True)
    for patient in range(OUTLINED):
        grey, labels = chest(patient, 2)
        Image.fromarray(grey).save(folder / "lesions" / "imgs" / f"{patient}_7.png")
        Image.fromarray(labels).save(folder / "lesions" / "masks" / f"{patient}_7.png")
    for patient in range(CLASSED):
        grey, _ = chest(100 + patient, patient % 3)
        Image.fromarray(grey).save(folder / "classed" / f"{PREFIXES[patient % 3]}_{patient}_{300 + patient}_0001.png")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Sets that nobody writes to."""
    return write_sets(tmp_path_factory.mktemp("sets") / "sets")


@pytest.fixture
def own_sets(tmp_path):
    return write_sets(tmp_path / "own")


def config_of(place, folder, more=""):
    place.write_text(CONFIG.format(folder=folder.as_posix(), more=more))
    return place


@pytest.fixture
def config(tmp_path, sets):
    return config_of(tmp_path / "run.toml", sets)


def train(*arguments):
    return main(["train", *map(str, arguments)])


def test_check_says_what_there_is_to_say_and_writes_nothing(config, sets, capsys):
    before = sorted((path, path.stat().st_mtime_ns) for path in sets.rglob("*"))
    assert train(config, "--check") == OK
    told = capsys.readouterr()
    assert "18 scans of 18 patients: nothing blocks the run" in told.out
    assert "train: COVID-19 1 scan of 1 patient, common pneumonia 1 scan of 1 patient" in told.out
    assert "outlines of  consolidation  ground glass  lung" in told.out and "of memory and" in told.out
    assert "All weights start from random values" in told.err
    assert train(config, "--check", "--json", "--quiet") == OK
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert report["unit"] == "scan" and report["studies"] == 18 and not report["blocked"]
    assert report["outlined"] == ["consolidation", "ground glass", "lung"]
    assert report["slice_classes"] == ["COVID-19", "common pneumonia", "control"]
    assert "no-negative-class" not in {one["code"] for one in report["findings"]}  # "control" says it by its name
    assert sorted((path, path.stat().st_mtime_ns) for path in sets.rglob("*")) == before


def test_the_check_judges_the_base_model_on_the_hold_out(tmp_path, sets, capsys):
    config = config_of(tmp_path / "run.toml", sets)
    text = config.read_text()
    net = text[text.index("[model.net]") : text.index("[recipe]")]
    start = 'start = "base"\nbase = "starter-lesion-detector"'
    config.write_text(text.replace(net, "").replace('start = "scratch"', start))
    assert train(config, "--check", "--json") == OK
    told = capsys.readouterr()
    assert "tells no classes of slices, and is judged without them" in told.err
    assert "All weights that fit start from starter-lesion-detector" in told.err
    found = {one["name"]: one for one in json.loads(told.out)["baseline"]}
    assert found["AP .5, lung"]["value"] > 0.5 and "local hold-out" in found["AP .5, lung"]["data"]
    assert not any("slice sensitivity" in name for name in found)


def test_a_run_makes_a_bundle_and_a_killed_one_the_same(start, config, losses, private_folders, tmp_path, capsys):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    process = start(config, "--out", whole, "--accept-doubts", "all", "--events", "jsonl")
    assert process.wait() == 0, process.errors
    told = {event["event"]: event for event in process.events}
    assert told["Checked"]["report"]["unit"] == told["RunBegun"]["unit"] == "scan"
    assert (told["RunBegun"]["train"], told["RunBegun"]["steps"]) == (6, 4)
    bundle = load_bundle(type(whole)(read_state(whole).bundle))
    m = bundle.metadata
    assert (m.task, bundle.key) == ("one_shot", "toy 1.0.0")
    assert m.classes == ("background", "lung", "ground glass", "consolidation")
    assert m.image_classes[0] == m.negative_class == "control" and m.preprocessing.per_image
    assert read_config(whole / "config.toml").model.negative_class == "control"
    assert "All weights start from random values" in (bundle.folder / "README.md").read_text()

    process = start(config, "--out", torn, "--accept-doubts", "all", "--events", "jsonl")
    process.heard("StepDone", 2)
    process.signal(signal.SIGKILL)
    process.wait()
    assert train("--list", "--json") == OK
    resumed = start("--resume", torn)
    assert resumed.wait() == 0, resumed.errors
    assert "going on from step" in resumed.errors and "Training on 6 scans" in resumed.errors
    assert losses(torn) == losses(whole) and len(losses(whole)[0]) == 4
    again = load_bundle(type(torn)(read_state(torn).bundle))
    assert again.metadata.weights_sha256 == m.weights_sha256
    assert not list(torn.rglob("*.squares")) and not (torn / "checkpoints").exists()
    text = (torn / "events.jsonl").read_text()
    assert "lesions/0/" not in text and "images/0/" not in text


def test_a_paused_run_is_listed_and_refuses_other_data(start, own_sets, tmp_path, capsys):
    config = config_of(tmp_path / "run.toml", own_sets)
    process = start(config, "--accept-doubts", "all", "--events", "jsonl", commands=True)
    process.heard("StepDone")
    process.tell("pause")
    assert process.wait() == 0, process.errors
    (run,) = list_runs(runs_folder())
    folder = run.folder
    assert run.resumable and train("--list") == OK and f"--resume {folder.name}" in capsys.readouterr().out
    mask = own_sets / "lesions" / "masks" / "0_7.png"
    kept = mask.read_bytes()
    labels = np.array(Image.open(mask))
    labels[14:20, 10:16] = 3
    Image.fromarray(labels).save(mask)
    assert train("--resume", folder) == BAD_INPUT
    assert "The data have changed since the run began: 1 scan has other pixels or outlines" in capsys.readouterr().err
    mask.write_bytes(kept)
    picture = own_sets / "classed" / "NCP_2_302_0001.png"
    picture.rename(own_sets / "classed" / "CP_2_302_0001.png")
    assert train("--resume", folder) == BAD_INPUT
    assert "of the scans of the sets 1 missing and 1 new" in capsys.readouterr().err


def test_untouched_scans_are_not_read_again(own_sets, tmp_path, monkeypatch):
    config = read_config(config_of(tmp_path / "run.toml", own_sets))
    source = source_of(config)
    split = Split(source.ids())
    facts = [read_slice_facts(source, scan, 64) for scan in source.ids()]
    report = PreflightReport(
        18, 18, (), split, data_sha256={"train": data_sha256(facts)},
        study_sha256={one.study: one.content.sha256 for one in facts},
    )  # fmt: skip
    assert len(list(require_same(source_of(config), report, tmp_path))) == 18 and (tmp_path / DATA).exists()
    assert list(require_same(source_of(config), report, tmp_path)) == []
    (own_sets / "lesions" / "imgs" / "3_7.png").touch()
    assert len(list(require_same(source_of(config), report, tmp_path))) == 1
    (tmp_path / DATA).unlink()
    remember(source_of(config), tmp_path)
    shutil.copy(own_sets / "classed" / "CP_1_301_0001.png", own_sets / "classed" / "CP_4_304_0001.png")
    with pytest.raises(InputError, match="1 scan has other pixels or outlines"):
        list(require_same(source_of(config), report, tmp_path))


def test_classes_are_merged_as_the_configuration_says(tmp_path, sets, capsys):
    three = 'classes = ["background", "lung", "infection"]'
    config = config_of(tmp_path / "run.toml", sets, three)
    assert train(config, "--check", "--json") == BAD_INPUT
    told = next(one for one in json.loads(capsys.readouterr().out)["findings"] if one["code"] == "classes")
    assert "ground glass" in told["text"] and "model.merge" in told["text"]
    merge = 'merge = { "ground glass" = "infection", consolidation = "infection", CP = "", "common pneumonia" = "" }'
    config = config_of(tmp_path / "run.toml", sets, f"{three}\n{merge}")
    assert train(config, "--check", "--json") == OK
    report = json.loads(capsys.readouterr().out)
    assert report["outlined"] == ["infection", "lung"] and report["slice_classes"] == ["COVID-19", "control"]
    assert report["studies"] == 15 and "no-images" in {one["code"] for one in report["findings"]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('format = "cncb"', 'format = "lidc"', r"lesions[1]: "),
        ('format = "prefixed"', 'format = "covidx"', r"images[1]: "),
        ('values = "window=-600/1500"\n[data]', 'values = "brightness"\n[data]', "images[1]: "),
        ('/classed"', '/none"', "images[1].folder is "),
        ("width = 16", "width = 3", "The net of the run cannot be built"),
        ("\nwidth = 16", "\nwidht = 16", "model.net.widht is no option of the net; is width meant?"),
        ("\nwidth = 16", "\nbreadth = 3", "model.net.breadth is no option of the net."),
        ("\nwidth = 16", '\nwidth = "wide"', "model.net.width must be a whole number, and is 'wide'."),
        ("\nwidth = 16", "\npre_nms = [1, 2.5]", "model.net.pre_nms must be a list of numbers, and is (1, 2.5)."),
        ("\nwidth = 16", "\nanchors = [16, 32]", "a pyramid needs 5 anchor sides"),
        ("\nwidth = 16", "\nattention = 1", "model.net.attention must be true or false, and is 1."),
        ("\nwidth = 16", "\nsize = 64", "model.net.size follows from model.size: leave it out."),
        ('start = "scratch"', 'start = "base"\nbase = "nobody 1.0.0"', "The model nobody 1.0.0 is not installed"),
        ('start = "scratch"', 'start = "imagenet"', "weights"),
    ],
)
def test_what_cannot_be_is_refused_in_words_before_training(tmp_path, sets, capsys, old, new, said):
    config = config_of(tmp_path / "run.toml", sets)
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    assert train(config, "--out", tmp_path / "run", "--accept-doubts", "all") == BAD_INPUT
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told and not (tmp_path / "run").exists()


def test_nothing_is_written_into_a_set(config, sets, capsys):
    for place in ("lesions", "classed"):
        assert train(config, "--out", sets / place / "run") == BAD_INPUT
        assert "lies inside the opened folder" in capsys.readouterr().err
    assert folders_of(read_config(config)) == (sets / "lesions", sets / "classed")


def test_a_report_of_the_check_is_gone_by_once_and_only_for_the_same_sets(config, sets, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert train(config, "--check", "--report", report) == OK
    assert "Reading slices" in capsys.readouterr().err
    assert train(config, "--report", report) == BAD_INPUT  # doubts
    assert "Reading slices" not in capsys.readouterr().err
    other = config_of(tmp_path / "other.toml", shutil.copytree(sets, tmp_path / "copy"))
    assert train(other, "--report", report) == BAD_INPUT
    assert "Reading slices" in capsys.readouterr().err


def test_names_of_scans_are_names(config):
    names = names_of(source_of(read_config(config)))
    assert "lesions/0/0" in names and "images/0/NCP_2_302" in names and "NCP_2_302" in names and "0" not in names


def test_the_example_of_a_one_shot_run(capsys, tmp_path):
    assert train("--example", "one-shot-tuned") == OK
    (tmp_path / "a.toml").write_text(capsys.readouterr().out)
    assert read_config(tmp_path / "a.toml").task == "one_shot"
    assert train(tmp_path / "a.toml", "--check") == BAD_INPUT
    assert "lesions[1].folder is " in capsys.readouterr().err


def test_data_of_which_nobody_may_judge_train_once_that_is_accepted(tmp_path, sets, capsys):
    """A department whose only labels were made beside a model: told in words, by one split, to the last epoch."""
    config = config_of(tmp_path / "run.toml", sets)
    text = config.read_text().replace(
        'values = "window=-600/1500"', 'values = "window=-600/1500"\nsplit = "train-only"'
    )
    config.write_text(text.replace('cross_validation = "never"', "").replace("epochs = 1", "epochs = 2"))
    assert train(config, "--check") == OK
    told = capsys.readouterr().out
    assert "DOUBT: No patient may judge: all 18 are for training alone" in told and "is in the part" not in told
    assert "cross-validation" not in told and told.rstrip().endswith("nobody-judges")
    assert train(config, "--accept-doubts", "all", "--out", tmp_path / "run") == OK
    bundle = load_bundle(next(runs_folder().parent.glob("bundles/toy-*")))
    assert bundle.metadata.run.epochs == 2 and not bundle.metadata.metrics
    assert "No patient may judge" in (bundle.folder / "README.md").read_text()
