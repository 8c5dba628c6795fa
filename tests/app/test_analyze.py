"""`ctviewer analyze` with tiny nets of random weights: files, exit codes, one sentence for bad input."""

from __future__ import annotations

import json
import os
import shutil
import stat

import numpy as np
import pydicom
import pypdf
import pytest

from ctviewer.app.cli import main
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.core.paths import resources
from ctviewer.core.serialise import from_dict
from ctviewer.models.bundle import load_bundle

pytestmark = pytest.mark.usefixtures("qapp")  # else the report would make an application that no window test can use


def snapshot(folder):
    return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*"))


def test_writes_result_report_and_overlays(run, tiny_models, chest_folder, tmp_path):
    before = snapshot(chest_folder)
    out = tmp_path / "out"
    code, _, err = run("analyze", chest_folder, "--out", out)
    assert code == 0, err
    assert "research use" in err and "Classifying slices" in err
    data = json.loads((out / "result.json").read_text())
    assert data["schema"] == "ctviewer.analysis-file" and data["contains_patient_data"] is True
    result = from_dict(data["result"])
    weights = result.classification.weights
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert [s["weight"] for s in data["slices"]] == pytest.approx(weights.tolist())
    files = {
        pydicom.dcmread(p).SOPInstanceUID: pydicom.dcmread(p).ImagePositionPatient[2] for p in chest_folder.iterdir()
    }
    places = [float(files[s["sop_instance_uid"]]) for s in data["slices"]]
    assert places == sorted(places) == [s["location_mm"] for s in data["slices"]]
    text = pypdf.PdfReader(out / "report.pdf").pages[0].extract_text()
    assert "AI output, not verified" in text and "Phantom" in text
    marked = {i.slice_index for lesion in result.lesions for i in lesion.instances}
    assert len(list((out / "overlays").glob("slice_*.png"))) == len(marked) > 0
    assert stat.S_IMODE(out.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((out / "result.json").stat().st_mode) & 0o077 == 0
    assert snapshot(chest_folder) == before


def test_the_documented_schema_is_what_is_written(run, check_against, tiny_models, chest_folder, tmp_path):
    assert run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")[0] == 0
    schema = json.loads((resources() / "schemas" / "result.schema.json").read_text())
    check_against(schema, json.loads((tmp_path / "out" / "result.json").read_text()))


@pytest.fixture
def one_shot_in_use(tiny_models, tiny_one_shot):
    """A tiny one-shot model in the detector's place."""
    target = data_folder() / "bundles" / "one-shot"
    shutil.copytree(tiny_one_shot.folder, target)
    bundle = load_bundle(target)
    installed().activate(bundle)
    return bundle


def test_a_one_shot_model_tells_slices_and_the_schema_knows_it(
    run, check_against, one_shot_in_use, chest_folder, tmp_path
):
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out")
    assert code == 0, err
    data = json.loads((tmp_path / "out" / "result.json").read_text())
    check_against(json.loads((resources() / "schemas" / "result.schema.json").read_text()), data)
    result = from_dict(data["result"])
    told = result.slice_classes
    assert told.classes == ("clear", "pneumonia", "covid") and result.rois and result.classification is not None
    rows = [s["class_probabilities"] for s in data["slices"]]
    np.testing.assert_allclose(rows, told.probabilities)
    likely = (told.probabilities >= 0.5).sum(axis=0)
    for name, count in zip(told.classes[1:], likely[1:], strict=True):
        assert f"{name} on {count} slice" in err
    assert "clear on" not in err
    text = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "out" / "report.pdf").pages)
    assert "Slice classes by the one-shot model" in text


def test_two_runs_give_the_same_numbers(run, tiny_models, chest_folder, tmp_path):
    found = []
    for name in ("a", "b"):
        assert run("analyze", chest_folder, "--out", tmp_path / name, "--quiet")[0] == 0
        found.append(from_dict(json.loads((tmp_path / name / "result.json").read_text())["result"]))
    assert np.array_equal(found[0].classification.weights, found[1].classification.weights)


def test_unreadable_files_among_good_ones_are_left_out_and_told(run, tiny_models, chest_folder, tmp_path):
    broken = sorted(chest_folder.iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:700])
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 4
    assert broken.name in err or "1 file" in err
    assert (tmp_path / "out" / "result.json").exists()


def test_abstains_outside_the_limits(run, tiny_models, write_chest, tmp_path):
    folder = write_chest(slices=3)
    code, _, err = run("analyze", folder, "--out", tmp_path / "out", "--quiet")
    assert code == 3
    assert "3 slices" in err and "No number is given" in err
    assert not (tmp_path / "out" / "result.json").exists()


def test_an_mr_series_abstains(run, tiny_models, write_chest, tmp_path):
    code, _, err = run("analyze", write_chest(modality="MR"), "--out", tmp_path / "out", "--quiet")
    assert code == 3 and "MR" in err


def test_bad_folders_are_refused_in_one_sentence(run, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    words = tmp_path / "words"
    words.mkdir()
    (words / "readme.txt").write_text("no image")
    for folder in (empty, words, tmp_path / "absent"):
        code, out, err = run("analyze", folder, "--out", tmp_path / "out", "--quiet")
        assert code == 2 and out == ""
        assert err.startswith("ctviewer: ") and folder.name in err and err.count("\n") == 1


def test_the_opened_folder_is_never_written_into(run, chest_folder):
    before = snapshot(chest_folder)
    for out in (chest_folder, chest_folder / "out", chest_folder / ".." / chest_folder.name / "x"):
        code, _, err = run("analyze", chest_folder, "--out", out, "--quiet")
        assert code == 2 and "opened folder" in err
    assert snapshot(chest_folder) == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_nor_a_folder_that_a_link_in_it_leads_to(run, chest_folder, tmp_path):
    before = snapshot(chest_folder)
    links = tmp_path / "links"
    links.mkdir()
    (links / "series").symlink_to(chest_folder, target_is_directory=True)
    code, _, err = run("analyze", links, "--out", chest_folder / "out", "--quiet")
    assert code == 2 and "opened folder" in err
    assert snapshot(chest_folder) == before


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_circle_of_links_is_named(run, chest_folder, tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for arguments in ((circle, "--out", tmp_path / "out"), (chest_folder, "--out", circle)):
        code, _, err = run("analyze", *arguments, "--quiet")
        assert code == 2 and str(circle) in err and "circle." in err


def test_an_empty_path_is_no_path(capsys, monkeypatch, tmp_path, chest_folder):
    monkeypatch.chdir(tmp_path)
    for arguments in (("analyze", "", "--out", "out"), ("analyze", str(chest_folder), "--out", ""), ("",)):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert ended.value.code == 2 and "it is empty" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_bad_input(run, tiny_models, chest_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--device", "cuda", "--quiet")
    assert code == 2 and "no CUDA device" in err


def test_ctrl_c_before_the_work_starts(run, chest_folder, tmp_path, monkeypatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ctviewer.app.cli.set_up_logs", interrupt)
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out")
    assert code == 130 and err == "ctviewer: cancelled.\n"


def test_a_place_that_cannot_be_written(run, chest_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "file", "--quiet")
    assert (code == 2 and "file" in err and "could not be written" in err) or "cannot be written" in err


def test_an_unknown_series_is_named(run, chest_folder, tmp_path):
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--series", "1.2.3", "--quiet")
    assert code == 2 and "1.2.3" in err


def test_a_damaged_bundle_is_named(run, tiny_models, chest_folder, tmp_path):
    weights = tiny_models[0].folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 2
    assert tiny_models[0].folder.name in err and "SHA-256" in err


def test_a_model_in_place_of_a_damaged_one_is_told(run, tiny_models, chest_folder, tmp_path):
    copy = tiny_models[0].folder.with_name("newer")
    shutil.copytree(tiny_models[0].folder, copy)
    (copy / "metadata.json").write_text("[" * 100_000)
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 0 and str(copy) in err and "not valid JSON" in err


def test_a_choice_that_is_gone_stops_the_analysis_but_not_the_list(run, tiny_models, chest_folder, tmp_path):
    from ctviewer.app.services import AppServices

    installed().activate(tiny_models[0])
    shutil.move(tiny_models[0].folder, tmp_path / "away")
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 2 and tiny_models[0].key in err
    code, out, _ = run("models")
    assert code == 0 and tiny_models[0].key in out and tiny_models[1].metadata.name in out
    services = AppServices()
    assert any(tiny_models[0].key in problem for problem in services.models()[1])
    services.store.close()


def test_a_bundle_without_a_card_is_listed(tiny_models):
    from ctviewer.app.services import AppServices

    (tiny_models[0].folder / "README.md").unlink()
    services = AppServices()
    cards = {card.title: card.card for card in services.models()[0]}
    assert "without a card" in cards[tiny_models[0].metadata.title]
    services.store.close()


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(run, tiny_models, chest_folder, tmp_path, monkeypatch):
    from ctviewer.app import analyze

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(analyze, "write_result", interrupt)
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 130 and "cancelled" in err
    assert list((tmp_path / "out").iterdir()) == []


def test_an_internal_error_goes_to_the_log_not_to_the_user(run, chest_folder, tmp_path, monkeypatch, expected_logs):
    from ctviewer.app import analyze

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret name")

    monkeypatch.setattr(analyze, "choose", fail)
    code, _, err = run("analyze", chest_folder, "--out", tmp_path / "out", "--quiet")
    assert code == 1 and "internal error" in err and "secret" not in err


def test_models_lists_what_is_installed(run, tiny_models):
    code, out, _ = run("models")
    assert code == 0 and "random weights" in out and "research use" in out
    code, out, _ = run("models", "--json")
    rows = json.loads(out)["models"]
    assert {row["name"] for row in rows if row["active"]} == {b.metadata.name for b in tiny_models}


def test_version_and_usage(run, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and "ctviewer 0." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["analyze"])
    assert ended.value.code == 2


def test_a_first_argument_that_is_no_command_is_a_path():
    from ctviewer.app.cli import parse

    assert str(parse(["some/folder"]).path) == "some/folder"
    assert parse([]).path is None and parse([]).command == "view"
    assert parse(["analyze", "x", "--out", "y"]).command == "analyze"


def test_a_part_of_a_split_series_is_chosen_by_its_key_never_guessed(write_chest, tiny_models, run, tmp_path):
    folder = write_chest()
    for path in sorted(folder.iterdir())[::2]:
        dataset = pydicom.dcmread(path)
        dataset.ConvolutionKernel = "B80f"
        dataset.save_as(path)
    uid = dataset.SeriesInstanceUID

    code, _, told = run("analyze", folder, "--out", tmp_path / "out", "--series", uid, "--quiet")
    assert code == 2 and f"The series {uid} is 2 series; choose one by its key: {uid}#" in told
    key = told.partition("its key: ")[2].split(" ")[0]
    code, out, _ = run("info", folder, "--json", "--series", key, "--quiet")
    (part,) = json.loads(out)["patients"][0]["studies"][0]["series"]
    assert code == 0 and (part["key"], part["slice_count"]) == (key, 6)
    code, _, _ = run("analyze", folder, "--out", tmp_path / "out", "--series", key, "--quiet")
    assert code in (0, 3)
