"""`ctviewer reproduce ye` on tiny generated studies: every table and figure, pausing, and going on."""

import json
import re
import shutil
from pathlib import Path

import pydicom
import pytest

from ctviewer.app import reproduce_options, reproduce_ye
from ctviewer.app.cli import BAD_INPUT, OK, PAUSED, main
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.datasets.hard_studies import SMALL, write_hard_studies
from ctviewer.models.metadata import CLASSIFIER
from ctviewer.nets.aggregators import AGGREGATORS
from ctviewer.nets.encoders import ENCODERS
from ctviewer.training.control import Wish
from ctviewer.ui.finetune import model_panel

QUICK = ["--encoder", "resnet18", "--start", "scratch", "--size", "36", "--crop", "32", "--epochs", "1,2", "--quiet"]
TWO = ["--aggregator", "lstm", "--aggregator", "lstm_attention"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduction") / "hard"
    drain(write_hard_studies(folder, SMALL), ProgressLine(quiet=True))
    return folder


@pytest.fixture(scope="module")
def made(studies, tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduction") / "out"
    assert main(["reproduce", "ye", str(studies), "--out", str(out), *QUICK, *TWO, "--passes", "2"]) == OK
    return out


def _told(out: Path):
    return json.loads((out / "reproduction.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_every_model_has_its_curve_metrics_and_external_probabilities(made):
    models = _told(made)["models"]
    assert [one["arm"]["aggregator"] for one in models] == ["lstm", "lstm_attention"]
    for one in models:
        assert len(one["losses"]) == len(one["validation_losses"]) == 2  # four passes, two epochs of two
        assert set(one["metrics"]) == set(one["samples"]) == {"1", "2"}
        for metrics in one["metrics"].values():
            assert set(metrics) == {"AP", "AUC-PR", "AUC-ROC"} and all(0 <= v <= 1 for v in metrics.values())
        for sets in one["samples"].values():
            assert {name: len(those) for name, those in sets.items()} == {"phantom D": 3, "phantom E": 3}
    plain, attended = (one["samples"]["2"]["phantom D"] for one in models)
    assert all(not sample["top"] for sample in plain)
    for sample in attended:
        weights = [weight for _, weight in sample["top"]]
        assert len(weights) == 4 and weights == sorted(weights, reverse=True) and sum(weights) <= 1 + 1e-6


def test_the_page_has_all_tables_and_figures_beside_the_published_ones(made):
    page = (made / "reproduction.html").read_text(encoding="utf-8")
    for heading in ("Table 1", "Figure 1", "Table 2", "Tables 3 and 4", "Table 3 as published", "Figure 5"):
        assert heading in page
    assert "ResNet50 LSTM Attention @ 12" in page and "ResNet18 LSTM Attention @ 2" in page
    assert "random weights" in page and "9 test studies" in page  # what it could not show
    assert page.index("could not show") < page.index("Table 1")
    assert _told(made)["convergence"]["verdict"] in page.replace("&#x27;", "'")
    pictures = re.findall(r'src="(data:image/png;base64,[A-Za-z0-9+/=]+)"', page)
    assert len(pictures) == 4 * 4  # four slices of the most and the least certain study of two sets
    assert len(re.findall(r'alt="Slice \d+ of \d from the head, attention 0\.\d+"', page)) == 16
    assert set(re.findall(r"https?://[\w.]+", page)) <= {
        "http://www.w3.org"
    }  # the name of SVG, nothing that is fetched


def test_what_is_trained_is_not_trained_again_and_more_may_be_added(made, studies, monkeypatch):
    from ctviewer.training.reproduction import ye

    trained = []
    real = ye._one
    monkeypatch.setattr(ye, "_one", lambda inputs, arm, seed: trained.append(arm.aggregator) or real(inputs, arm, seed))
    before = _told(made)["models"]
    arguments = [*QUICK, *TWO, "--aggregator", "attention", "--passes", "2"]
    assert main(["reproduce", "ye", str(studies), "--out", str(made), *arguments]) == OK
    assert trained == ["attention"]
    assert _told(made)["models"][:2] == before


def test_other_settings_in_the_same_folder_are_refused(made, studies, capsys):
    assert main(["reproduce", "ye", str(studies), "--out", str(made), *QUICK, *TWO]) == BAD_INPUT
    assert "other data or settings" in capsys.readouterr().err


def test_a_pause_is_taken_up_with_the_same_result(made, studies, tmp_path, monkeypatch):
    arguments, parts = [*QUICK, "--aggregator", "lstm_attention", "--passes", "2"], tmp_path / "parts"

    class PausedInTheMiddle(reproduce_ye.Wishes):
        asked = 0

        def __call__(self):
            type(self).asked += 1
            return Wish.PAUSE if type(self).asked > 150 else Wish.GO_ON

    with monkeypatch.context() as patch:
        patch.setattr(reproduce_ye, "Wishes", PausedInTheMiddle)
        assert main(["reproduce", "ye", str(studies), "--out", str(parts), *arguments]) == PAUSED
    assert not (parts / "reproduction.json").exists()
    assert main(["reproduce", "ye", str(studies), "--out", str(parts), *arguments]) == OK
    first, second = _told(made)["models"][1], _told(parts)["models"][0]
    assert {k: v for k, v in first.items() if k != "seconds"} == {k: v for k, v in second.items() if k != "seconds"}


@pytest.mark.parametrize(
    "arguments", [["--epochs", "0"], ["--epochs", "6,x"], ["--seeds", "-1"], ["--encoder", "vgg"]], ids=str
)
def test_senseless_options_are_refused(studies, tmp_path, arguments):
    with pytest.raises(SystemExit) as end:
        main(["reproduce", "ye", str(studies), "--out", str(tmp_path / "out"), *arguments])
    assert end.value.code == BAD_INPUT


def test_every_net_there_is_can_be_asked_for():
    """On the command line and in the window, which do not import torch to know it."""
    starter_only = {"resnet18_pyramid"}
    assert (
        set(reproduce_options.ENCODERS)
        == set(ENCODERS) - starter_only
        == {key for key, _ in model_panel._ENCODERS[CLASSIFIER]}
    )
    assert set(reproduce_options.AGGREGATORS) == set(AGGREGATORS) == {key for key, _ in model_panel._AGGREGATORS}


def test_without_imagenet_weights_the_choices_are_named(studies, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    code = main(["reproduce", "ye", str(studies), "--out", str(tmp_path / "out"), "--quiet"])
    assert code == BAD_INPUT
    told = capsys.readouterr().err
    assert "ImageNet weights" in told and "scratch" in told


def test_nothing_is_written_into_the_studies(studies, capsys):
    assert main(["reproduce", "ye", str(studies), "--out", str(studies / "out"), *QUICK]) == BAD_INPUT
    assert not (studies / "out").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["reproduce", "ye", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == BAD_INPUT
    assert f"{tmp_path / 'none'} is not a folder." in capsys.readouterr().err


def test_the_page_names_no_patient(made, studies, tmp_path, monkeypatch):
    """Two patients of the labels are one by their files: pre-flight says which, the page does not."""
    folder = tmp_path / "studies"
    shutil.copytree(studies, folder)
    first = pydicom.dcmread(next((folder / "S001").iterdir()))
    for path in (folder / "S002").iterdir():
        slices = pydicom.dcmread(path)
        slices.PatientID, slices.PatientName = first.PatientID, first.PatientName
        slices.save_as(path)
    out = tmp_path / "out"
    assert main(["reproduce", "ye", str(folder), "--out", str(out), *QUICK, "--aggregator", "max_pool"]) == OK
    page = (out / "reproduction.html").read_text(encoding="utf-8")
    assert "patient-under-two-names" in page and "PHANTOM-00" not in page
