"""A finished run becomes a child: its number, its card, and what two processes at once get."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ctviewer.core.calibration import BandPoint, Calibration
from ctviewer.core.errors import BundleError, InputError, StorageError
from ctviewer.models.bundle import CARD, METADATA, WEIGHTS, Bundle, load_bundle
from ctviewer.models.registry import Registry, children
from ctviewer.models.training_run import CurvePoint
from ctviewer.training.config import DataConfig, ModelConfig, RunConfig
from ctviewer.training.ledger import holdout_sha256
from ctviewer.training.predictions import Predictions
from ctviewer.training.versions import RunResult, child_name, make_child, next_version

Make = Callable[..., RunResult]
Predict = Callable[..., Predictions]


def test_a_child_takes_the_next_minor_version_of_its_base(base: Bundle, bundles: Path, make_result: Make) -> None:
    first = make_child(make_result(run="one"), base, bundles)
    second = make_child(make_result(run="two"), base, bundles)
    third = make_child(make_result(run="three"), first, bundles)
    assert [one.key for one in (first, second, third)] == ["starter 0.2.0", "starter 0.3.0", "starter 0.4.0"]
    assert [one.metadata.parent for one in (first, second, third)] == [
        "starter 0.1.0",
        "starter 0.1.0",
        "starter 0.2.0",
    ]
    assert children(base, [first, second, third]) == (first, second)
    assert load_bundle(first.folder) == first


def test_a_new_name_begins_at_one(base: Bundle, bundles: Path, make_result: Make) -> None:
    assert make_child(make_result("lung", run="one"), base, bundles).key == "lung 1.0.0"
    assert make_child(make_result("lung", run="two"), base, bundles).key == "lung 1.1.0"
    assert make_child(make_result(run="three"), None, bundles).key == "study-classifier 1.0.0"


def test_a_detector_lends_its_encoder_and_not_its_name(base: Bundle) -> None:
    detector = Bundle(base.folder, replace(base.metadata, task="one_shot"))
    assert child_name(RunConfig(DataConfig("x")), detector) == "study-classifier"
    assert child_name(RunConfig(DataConfig("x"), ModelConfig(name="lung")), detector) == "lung"


@pytest.mark.parametrize(
    "name",
    [
        "../up", "a/b", "a\\b", "Lung", "ünï", "a b", "-a", ".hidden", "a.b", "con:", "x" * 65, "a\n", "a\0b", "٣",
        "<b>", "$(id)", " ",
    ],
)  # fmt: skip
def test_names_that_are_no_names_are_refused_before_anything_is_written(
    base: Bundle, bundles: Path, make_result: Make, name: str
) -> None:
    with pytest.raises(InputError, match="cannot be used: it takes lower case letters") as caught:
        make_child(make_result(name), base, bundles)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    assert not bundles.exists()


def test_one_run_makes_one_version_however_often_it_is_finished(base: Bundle, bundles: Path, make_result: Make) -> None:
    first = make_child(make_result(), base, bundles)
    assert make_child(make_result(), base, bundles) == first
    other = {"w": torch.ones(2)}
    assert make_child(make_result(state=other), base, bundles).key == "starter 0.3.0"


def test_no_number_is_given_twice(base: Bundle, bundles: Path, make_result: Make) -> None:
    registry = Registry((bundles, base.folder.parent), bundles / "active.json")
    first = make_child(make_result(run="one"), base, bundles)
    registry.activate(first)
    shutil.rmtree(first.folder)  # removed by hand; it was active once
    second = make_child(make_result(run="two"), base, bundles)
    (second.folder / WEIGHTS).write_bytes(b"")  # damaged
    third = make_child(make_result(run="three"), base, bundles)
    assert [second.key, third.key] == ["starter 0.3.0", "starter 0.4.0"]
    (bundles / "starter-0.5.0").write_text("no folder")
    assert next_version("starter", bundles, base) == "0.6.0"
    (bundles / "starter-extra-7.0.0").mkdir()  # another name
    (bundles / "starter-9.9").mkdir()  # no version
    assert next_version("starter", bundles, base) == "0.6.0"


def test_a_version_that_is_taken_in_between_is_left_alone(
    base: Bundle, bundles: Path, make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process had looked at the same moment: both think that 0.2.0 is free."""
    from ctviewer.training import versions

    first = make_child(make_result(run="one"), base, bundles)
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    answers = iter(["0.2.0", "0.2.0", "0.3.0"])
    monkeypatch.setattr(versions, "next_version", lambda *_: next(answers))
    assert make_child(make_result(run="two"), base, bundles).key == "starter 0.3.0"
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_a_place_where_no_version_can_be_made_is_told_in_the_end(
    base: Bundle, bundles: Path, make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctviewer.training import versions

    (bundles / "starter-0.2.0").mkdir(parents=True)
    monkeypatch.setattr(versions, "next_version", lambda *_: "0.2.0")
    with pytest.raises(BundleError, match="never overwritten"):
        make_child(make_result(), base, bundles)


_MAKE = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[4])
from conftest import result
from ctviewer.models.bundle import load_bundle
from ctviewer.training.versions import make_child
base, bundles = load_bundle(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for i in range(3):
    made = make_child(result(run=f"{sys.argv[3]}-{i}", state={"w": torch.full((200_000,), float(i))}), base, bundles)
    print(made.key, flush=True)
"""


def test_two_processes_at_once_get_different_versions(base: Bundle, bundles: Path) -> None:
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKE, str(base.folder), str(bundles), name, here],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in ("a", "b")
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    told = [process.communicate("go\n", timeout=60)[0].split("\n")[:-1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    keys = sorted((key for lines in told for key in lines), key=lambda key: int(key.split(".")[1]))
    assert keys == [f"starter 0.{minor}.0" for minor in range(2, 8)]
    found, problems = Registry((bundles,), bundles / "active.json").scan()
    assert len(found) == 6 and not problems and not list(bundles.glob(".*.part"))


def test_a_place_that_cannot_be_written(base: Bundle, tmp_path: Path, make_result: Make) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be"):
        make_child(make_result(), base, tmp_path / "file" / "bundles")


def test_weights_that_are_not_finite_make_nothing(base: Bundle, bundles: Path, make_result: Make) -> None:
    with pytest.raises(BundleError, match="w is not finite"):
        make_child(make_result(state={"w": torch.tensor([float("nan")])}), base, bundles)
    assert not bundles.exists() or not list(bundles.iterdir())


def test_the_metadata_tells_the_run_and_names_nobody(base: Bundle, bundles: Path, make_result: Make) -> None:
    curves = (CurvePoint(0, 1, 0.9, None, True), CurvePoint(0, 2, 0.5, None))
    made = make_child(make_result(curves=curves, run="Doe^John", stopped=True), base, bundles)
    m = load_bundle(made.folder).metadata
    assert m.run is not None
    assert m.run.stopped and m.run.curves == curves and m.run.patients == {"train": 2, "val": 1, "test": 2}
    assert m.run.parent_sha256 == base.metadata.weights_sha256
    assert m.run.config_sha256 == make_result().config.digest()
    assert (m.run.environment.device, m.run.environment.precision) == ("CPU", "float32")
    assert m.run.environment.torch == torch.__version__
    assert [(one.part, one.studies, one.patients, one.looks) for one in m.run.holdouts] == [("test", 2, 2, {})]
    assert m.training_data.counts["train / none"] == 1 and set(m.training_data.sha256) == {"train", "val", "test"}
    assert m.input_limits == base.metadata.input_limits and m.licence == base.metadata.licence
    for path in made.folder.iterdir():
        assert b"Doe" not in path.read_bytes()
    assert "never seen a patient" not in m.limits and "starter 0.1.0" in m.limits


def test_a_child_has_its_parents_licence_and_its_own_calibration(
    base: Bundle, bundles: Path, make_result: Make
) -> None:
    record = Calibration(
        "its validation patients", True, {"a": 31, "b": 40}, 0.02, "", {"a": (BandPoint(0.5, 0.4, 0.6),)}
    )
    told = replace(
        base.metadata, licence="CC BY-NC-SA 4.0", restriction="Not for commercial use.", default=True,
        calibration=replace(record, patients={"a": 500, "b": 500}),
    )  # fmt: skip
    parent = Bundle(base.folder, told)
    for result, wanted in ((make_result(run="one"), None), (make_result(run="two", calibrated_on=record), record)):
        m = make_child(result, parent, bundles).metadata
        assert (m.licence, m.restriction, m.default) == ("CC BY-NC-SA 4.0", "Not for commercial use.", False)
        assert m.calibration == wanted


def test_the_card_tells_the_run(base: Bundle, bundles: Path, make_result: Make) -> None:
    nasty = ("a | b", "<script>alert(1)</script>")
    result = make_result(
        classes=nasty, negative_class="", prevalence={nasty[0]: 0.9, nasty[1]: 0.1}, calibration="temperature 1.30",
        notes=("Some `slices` were\nleft out.",),
    )  # fmt: skip
    text = (make_child(result, base, bundles).folder / CARD).read_text(encoding="utf-8")
    for words in (
        "tuned from starter 0.1.0 on 2 studies of 2 patients",
        "| AUC-ROC, some | 0.800 | 0.700 to 0.900 | 2 patients |",
        "temperature 1.30",
        "| Assumed prevalence | a \\| b 90.0%, &lt;script>alert(1)&lt;/script> 10.0% |",
        "They had not been looked at before",
        "- Some 'slices' were left out.",
        "| 3 | 0.3333 | 0.3667 | yes |",
        "| 4 | 0.2500 | - |  |",
        "training   █",
        "CPU, float32",
        "By patient, stratified by class",
    ):
        assert words in text, words
    assert "<script" not in text


def test_a_cross_validation_is_one_part_and_says_what_its_figures_are_of(
    base: Bundle, bundles: Path, make_result: Make, make_predictions: Predict
) -> None:
    pooled = make_predictions(tuple("abcde"), "cross-validation")
    made = make_child(make_result(folds=10, predictions=pooled, patients={"cross-validation": 5}), base, bundles)
    m = made.metadata
    assert m.run is not None
    assert [one.part for one in m.run.holdouts] == ["cross-validation"]
    assert m.training_data.counts == {"cross-validation / none": 3, "cross-validation / some": 2}
    assert set(m.training_data.sha256) == {"cross-validation"}
    assert m.training_data.summary == "5 studies of 5 patients."
    assert "5 folds, repeated 2 times" in m.run.split and "not measured themselves" in m.run.split


def test_an_external_set_keeps_its_name_in_the_card(
    base: Bundle, bundles: Path, make_result: Make, make_predictions: Predict
) -> None:
    made = make_child(make_result(predictions=make_predictions(("a", "b"), "external:Rom")), base, bundles)
    assert "**External set Rom: 2 studies of 2 patients.**" in (made.folder / CARD).read_text(encoding="utf-8")


def test_the_hash_of_a_cross_validation_is_of_what_was_learned_from(
    base: Bundle, bundles: Path, make_result: Make, make_predictions: Predict, content_of: Callable[[str], str]
) -> None:
    made = make_result(folds=10, predictions=make_predictions(tuple("abcde"), "cross-validation"))
    report = replace(
        made.report,
        split=replace(made.report.split, external={"far": ("f",)}),
        study_sha256={**made.report.study_sha256, "f": content_of("f"), "unused": content_of("unused")},
        data_sha256={**made.report.data_sha256, "external:far": content_of("f")},
    )
    hashes = make_child(replace(made, report=report), base, bundles).metadata.training_data.sha256
    assert hashes == {
        "cross-validation": holdout_sha256(content_of(study) for study in "abcde"),
        "external:far": content_of("f"),
    }


def test_a_hold_out_with_other_shares_than_the_probabilities_refer_to_is_told(
    base: Bundle, bundles: Path, make_result: Make
) -> None:
    """Half of it is sick: at a stated share of five percent a model that is right is measured as far off."""
    for share, told in ((0.05, True), (0.45, False)):
        made = make_child(make_result(run=str(share), prevalence={"none": 1 - share, "some": share}), base, bundles)
        assert made.metadata.run is not None
        notes = [note for note in made.metadata.run.notes if "ECE and log loss" in note]
        assert bool(notes) is told
    assert not told


def test_figures_of_validation_studies_carry_a_warning(
    base: Bundle, bundles: Path, make_result: Make, make_predictions: Predict
) -> None:
    made = make_child(make_result(predictions=make_predictions(("c",), "val")), base, bundles)
    assert made.metadata.run is not None
    assert "no test studies" in " ".join(made.metadata.run.notes)
    tested = make_predictions(("d", "e"))
    mixed = replace(tested, cases=tested.cases + make_predictions(("c",), "val").cases)
    both = make_child(make_result(predictions=mixed, run="two"), base, bundles)
    assert both.metadata.run is not None and [one.part for one in both.metadata.run.holdouts] == ["test"]


def test_looks_are_counted_once_a_run_and_told_to_the_next(base: Bundle, bundles: Path, make_result: Make) -> None:
    make_child(make_result(run="one"), base, bundles)
    again = make_child(make_result(run="one", state={"w": torch.ones(2)}), base, bundles)
    assert again.metadata.run is not None and again.metadata.run.holdouts[0].looks == {}
    third = make_child(make_result(run="two"), base, bundles)
    assert third.metadata.run is not None and third.metadata.run.holdouts[0].looks == {"training": 1}
    assert "looked at once before (1 training)" in (third.folder / CARD).read_text(encoding="utf-8")


def test_a_hold_out_that_the_parent_learned_from_is_told(
    base: Bundle, bundles: Path, make_result: Make, make_predictions: Predict
) -> None:
    child = make_child(make_result(run="one"), base, bundles)  # learned from a and b, chosen by c
    grand = make_child(make_result(run="two", state={"w": torch.ones(2)}), child, bundles)
    later = make_child(make_result(run="three", predictions=make_predictions(("a", "d"))), grand, bundles)
    assert later.metadata.run is not None
    assert any("1 of the 2 studies" in note and "starter 0.3.0" in note for note in later.metadata.run.notes)
    assert child.metadata.run is not None and child.metadata.run.notes == ()


def test_metadata_of_a_run_is_read_strictly(base: Bundle, bundles: Path, make_result: Make) -> None:
    folder = make_child(make_result(), base, bundles).folder
    whole = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    for change in (
        lambda run: run.update(mood="good"),
        lambda run: run.pop("curves"),
        lambda run: run.update(seconds="61"),
        lambda run: run["curves"][0].update(loss=float("nan")),
        lambda run: run["holdouts"][0].update(looks={"training": 1.5}),
    ):
        data = json.loads(json.dumps(whole))
        change(data["run"])
        (folder / METADATA).write_text(json.dumps(data))
        with pytest.raises(BundleError, match="cannot be used because run"):
            load_bundle(folder)
    data = {**whole, "schema": 1}
    (folder / METADATA).write_text(json.dumps(data))
    with pytest.raises(BundleError, match="unknown field 'run'"):
        load_bundle(folder)


def test_it_is_read_without_torch() -> None:
    code = (
        "import sys; import ctviewer.training.versions, ctviewer.training.ledger;"
        "print([m for m in ('torch', 'scipy', 'safetensors') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
