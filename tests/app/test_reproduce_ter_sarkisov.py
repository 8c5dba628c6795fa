"""`ctviewer reproduce ter-sarkisov` on tiny generated slices: every table, pausing, going on, and what is refused."""

import json
import re

import pytest

from ctviewer.app import reproduce_ter_sarkisov
from ctviewer.app.cli import BAD_INPUT, OK, PAUSED, main
from ctviewer.app.reproduce_ter_sarkisov_options import net_option, slice_sets
from ctviewer.core.errors import InputError
from ctviewer.datasets.phantom import TRAINING_FAMILIES, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import write_cncb, write_covidx, write_prefixed
from ctviewer.training.config import SliceSet
from ctviewer.training.control import Wish
from ctviewer.training.reproduction.ter_sarkisov_published import TABLES

QUICK = [
    "--recipe", "one-shot-scratch", "--start", "scratch", "--epochs", "1", "--size", "64", "--backbone", "resnet18", "--quiet",
    "--net", "width=16", "--net", "channels=16", "--net", "hidden=16", "--net", "box_hidden=16", "--net", "beta=4",
]  # fmt: skip
ABOUT = "Generated phantoms, no patients."


def _phantoms(first, count, variants, slices):
    return [
        generate(
            PhantomSpec(first + i, variants[i % len(variants)], TRAINING_FAMILIES[i % 3], matrix=64, slices=slices), 1
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Folders of three formats."""
    folder = tmp_path_factory.mktemp("ter-sarkisov")
    write_cncb(folder / "lesions", _phantoms(500, 6, (Variant.COVID, Variant.PNEUMONIA), 3))
    three = [Variant.CONTROL] * 3 + [Variant.PNEUMONIA] * 3 + [Variant.COVID] * 3  # the parts go round by threes
    write_covidx(folder / "images", _phantoms(520, 9, three, 3))
    write_prefixed(folder / "others", _phantoms(540, 6, (Variant.CONTROL, Variant.COVID), 2))
    return folder


def _command(sets, out, *more):
    lesions = ["--lesions", "cncb", str(sets / "lesions"), "own_patients=yes"]
    images = ["--images", "covidx", str(sets / "images"), "own_patients=yes"]
    return ["reproduce", "ter-sarkisov", *lesions, *images, "--out", str(out), *QUICK, *more]


@pytest.fixture(scope="module")
def made(sets, tmp_path_factory):
    """One of each kind of model, an external set, and a transfer."""
    out = tmp_path_factory.mktemp("ter-sarkisov") / "out"
    others = [str(sets / "others"), "own_patients=yes"]
    models = [word for name in ("one-shot", "mask-rcnn", "resnet18", "no-attention") for word in ("--model", name)]
    more = ["--images", "prefixed", *others, "split=external:holdout", "--transfer", "prefixed", *others]
    assert main(_command(sets, out, *models, *more, "--about", ABOUT)) == OK
    return out


def _told(out):
    return json.loads((out / "reproduction.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def _tables(out):
    return {re.split("[:(]", one["title"])[0].strip(): one for one in _told(out)["tables"]}


def test_each_table_has_published_rows_and_those_of_this_run(made):
    laid = _tables(made)
    for published in TABLES:
        rows = laid[f"Table {published.number}"]["rows"]
        assert [row["model"] for row in rows if row["where"] == "paper"] == [row.model for row in published.rows]
    here = {name: [row["model"] for row in one["rows"] if row["where"] == "here"] for name, one in laid.items()}
    assert here["Table 1"] == ["One-shot model", "Mask R-CNN"]
    assert here["Table 2"] == ["One-shot model", "ResNet18"]
    assert here["Table 3"] == ["One-shot model", "ResNet18"]
    assert here["Table 4"] == ["One-shot model, transferred"]
    assert here["Ablations"] == ["One-shot model, the figures themselves", "Attention off"]
    for name in ("Table 1", "Table 2", "Table 3", "Table 4"):
        for row in laid[name]["rows"]:
            assert row["values"] and all(0 <= one["value"] <= 1 for one in row["values"].values())


def test_what_the_data_were_stands_on_top(made):
    page = (made / "reproduction.html").read_text(encoding="utf-8")
    text = (made / "reproduction.txt").read_text(encoding="utf-8")
    for shown in (page, text):
        top = shown[: shown.index("Table 1:")]
        assert ABOUT in top and "random weights" in top and "COVIDx-CT splits of CNCB-NCOV" in top
        assert "train" in top and "external:holdout" in top and "for transfer" in top
        assert "ResNet34" in top  # not trained here
        assert "research use" in top
    assert "Confusion matrix" in page and "equation 10" in page
    assert set(re.findall(r"https?://[\w.]+", page)) <= {
        "http://www.w3.org"
    }  # the name of SVG, nothing that is fetched


def test_models_and_bundle_are_kept_and_the_rest_is_not(made):
    assert {path.name for path in made.iterdir()} == {
        "bundles", "models", "settings.json", "reproduction.html", "reproduction.json", "reproduction.txt",
    }  # fmt: skip
    assert next((made / "bundles" / "0").glob("*/model.safetensors")).is_file()


def test_what_is_trained_is_not_trained_again_and_other_settings_are_refused(made, sets, monkeypatch, capsys):
    from ctviewer.training.reproduction import ter_sarkisov

    monkeypatch.setattr(ter_sarkisov, "_one", lambda *_: pytest.fail("it was trained before"))
    others = ["prefixed", str(sets / "others"), "own_patients=yes"]
    more = ["--model", "one-shot", "--images", *others, "split=external:holdout"]
    before = _told(made)
    assert main(_command(sets, made, *more)) == OK
    assert _told(made)["models"] == before["models"][:1]
    capsys.readouterr()
    assert main(_command(sets, made, *more, "--rate", "0.1")) == BAD_INPUT
    assert "other data or settings" in capsys.readouterr().err


def test_a_pause_is_taken_up_with_the_same_result(sets, tmp_path, monkeypatch):
    class PausedInTheMiddle(reproduce_ter_sarkisov.Wishes):
        asked = 0

        def __call__(self):
            type(self).asked += 1
            return Wish.PAUSE if type(self).asked > 62 else Wish.GO_ON

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(_command(sets, whole, "--model", "one-shot")) == OK
    with monkeypatch.context() as patch:
        patch.setattr(reproduce_ter_sarkisov, "Wishes", PausedInTheMiddle)
        assert main(_command(sets, parts, "--model", "one-shot")) == PAUSED
    assert not (parts / "reproduction.json").exists()
    assert list(parts.glob("runs/one-shot-0/checkpoints/*.safetensors"))
    assert main(_command(sets, parts, "--model", "one-shot")) == OK
    first, second = _told(whole), _told(parts)
    assert _timeless(first["models"]) == _timeless(second["models"])
    assert first["tables"][:-1] == second["tables"][:-1]  # the last one has the time it took
    assert (whole / "models" / "one-shot-0.predictions.json").read_text().split('"cases"')[1] == (
        (parts / "models" / "one-shot-0.predictions.json").read_text().split('"cases"')[1]
    )


def _timeless(models):
    return [{k: v for k, v in one.items() if k != "seconds"} for one in models]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--lesions", "cncb"], "--lesions needs a format and a folder"),
        (["--lesions", "png", "x"], "there is no format 'png'"),
        (["--lesions", "cncb", "x", "colour=red"], "'colour=red' is none of table="),
        (["--lesions", "cncb", "x", "complete=perhaps"], "complete is yes or no"),
        (["--lesions", "cncb", "not there"], "is not a folder"),
    ],
    ids=str,
)
def test_sets_that_cannot_be_understood_are_refused_in_a_sentence(tmp_path, words, told, capsys):
    assert main(["reproduce", "ter-sarkisov", *words, "--out", str(tmp_path / "out")]) == BAD_INPUT
    shown = capsys.readouterr().err
    assert told in shown and "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_into_the_sets(sets, capsys):
    out = sets / "lesions" / "out"
    assert main(_command(sets, out)) == BAD_INPUT
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("depth=3", "--net depth is no option of the net"),
        ("width=abc", "--net width must be a whole number, and is 'abc'."),
    ],
)
def test_options_that_the_net_does_not_have_are_named(sets, tmp_path, capsys, given, told):
    assert main(_command(sets, tmp_path / "out", "--model", "one-shot", "--net", given)) == BAD_INPUT
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_scans_that_were_learned_from_judge_no_transfer(sets, tmp_path, capsys):
    moved = []
    for listed, part in (("train", "test"), ("val", "val"), ("test", "train")):  # the parts exchanged
        table = f"table={sets / 'images' / f'{listed}_COVIDx_CT-2A.txt'}"
        moved += ["--transfer", "covidx", str(sets / "images"), table, f"split={part}"]
    code = main(_command(sets, tmp_path / "out", "--model", "one-shot", *moved))
    told = capsys.readouterr().err
    assert code == BAD_INPUT and "also one that the first model learns from" in told


def test_without_imagenet_weights_the_choices_are_named(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    arguments = [word for word in _command(sets, tmp_path / "out", "--model", "densenet121") if word != "--start"]
    arguments.remove("scratch")
    assert main(arguments) == BAD_INPUT
    told = capsys.readouterr().err
    assert "ImageNet weights" in told and "scratch" in told


def test_words_of_the_command_line():
    (one,) = slice_sets("--images", [["covidx", "/data", "table=/data/a.txt", "split=val", "own_patients=yes"]])
    assert one == SliceSet("covidx", "/data", table="/data/a.txt", split="val", own_patients=True)
    assert [net_option(f"a={text}")[1] for text in ("true", "3", "0.5", "score")] == [True, 3, 0.5, "score"]
    with pytest.raises(InputError, match="KEY=VALUE"):
        net_option("width")
