"""What a run does besides going on: heads, precision, the best epoch, early stop, cross-validation, and what goes wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.models.bundle import load_bundle
from ctviewer.training.calibration import fit
from ctviewer.training.control import Wish
from ctviewer.training.engine import checkpoints
from ctviewer.training.engine.judging import Judged
from ctviewer.training.engine.parallel import World
from ctviewer.training.engine.plans import FoldRecord
from ctviewer.training.engine.run import run
from ctviewer.training.engine.task import Task
from ctviewer.training.events import EpochDone, RunFinished, StepDone
from ctviewer.training.predicting import predict
from ctviewer.training.predictions_file import read_predictions
from ctviewer.training.preflight.report import Finding, Severity
from ctviewer.training.splits import Split, repeated_folds

pytestmark = pytest.mark.usefixtures("no_figures")


def collected(events) -> tuple[list, str]:
    """Everything that was said, and the error that ended it."""
    seen = []
    try:
        for event in events:
            seen.append(event)
    except CtviewerError as error:
        return seen, str(error)
    return seen, ""


def losses_of(events: list) -> list[tuple[int, float]]:
    return [(event.step, event.loss) for event in events if isinstance(event, StepDone)]


def test_a_loss_that_is_not_finite_keeps_the_state_before(inputs, small_config, monkeypatch) -> None:
    config = small_config(epochs=3)
    whole, _ = collected(run(inputs(config, name="whole")))
    real, asked = Task.losses, []

    def third_step_fails(task, logits, studies):
        asked.append(1)
        return real(task, logits, studies) * (float("nan") if len(asked) == 8 else 1.0)

    wanted = inputs(config, name="failing")
    with monkeypatch.context() as patched:
        patched.setattr(Task, "losses", third_step_fails)
        seen, text = collected(run(wanted))
    assert text == (
        "Training stopped at step 3, in epoch 2, because the loss is not finite; the state before this step is kept "
        "(a lower learning rate, or the precision float32, may help)."
    )
    kept = checkpoints.latest(wanted.folder / "checkpoints").snapshot
    assert kept.step == len(losses_of(seen)) == 2
    assert all(bool(tensor.isfinite().all()) for tensor in kept.model.values() if tensor.is_floating_point())
    rest, text = collected(run(dataclasses.replace(wanted, resume=True)))
    assert not text
    assert losses_of(seen) + losses_of(rest) == losses_of(whole)


def test_a_gradient_that_is_not_finite(inputs, small_config, monkeypatch) -> None:
    calls = []

    def spoil(world, parameters):
        calls.append(1)
        if len(calls) == 2:
            parameters[0].grad.view(-1)[0] = float("inf")

    monkeypatch.setattr(World, "add_gradients", spoil)
    wanted = inputs(small_config(clip=0.0))
    seen, text = collected(run(wanted))
    assert "step 2, in epoch 1, because a gradient is not finite" in text
    assert checkpoints.latest(wanted.folder / "checkpoints").snapshot.step == len(losses_of(seen)) == 1


def test_float16_skips_what_overflows_and_scales_less(inputs, small_config, monkeypatch) -> None:
    calls = []

    def spoil(world, parameters):
        calls.append([p.grad.detach().clone() for p in parameters])
        if len(calls) == 2:
            parameters[0].grad.view(-1)[0] = float("inf")

    monkeypatch.setattr(World, "add_gradients", spoil)
    wanted = inputs(small_config(precision="float16", epochs=2))
    seen, text = collected(run(wanted))
    assert not text
    assert isinstance(seen[-1], RunFinished)
    kept = checkpoints.latest(wanted.folder / "checkpoints").snapshot
    assert kept.scaler["scale"] == 65536.0 / 2
    assert kept.precision == "float16"


def test_reduced_precision_is_about_float32(inputs, small_config) -> None:
    exact, _ = collected(run(inputs(small_config(epochs=1), name="exact")))
    for precision in ("bfloat16", "float16"):
        seen, text = collected(run(inputs(small_config(epochs=1, precision=precision), name=precision)))
        assert not text
        np.testing.assert_allclose(
            [loss for _, loss in losses_of(seen)], [loss for _, loss in losses_of(exact)], rtol=0.05, atol=0.02
        )


def test_measured_precision_is_kept_for_the_whole_run(inputs, small_config, monkeypatch, after, said) -> None:
    from ctviewer.training.control import Wish

    answers = iter(["bfloat16", "float32"])
    monkeypatch.setattr("ctviewer.training.engine.devices.measured_precision", lambda *told: next(answers))
    wanted = inputs(small_config(precision="auto"), control=after(30, Wish.PAUSE))
    said(wanted)
    rest = said(dataclasses.replace(wanted, resume=True, control=lambda: Wish.GO_ON))
    card = load_bundle(Path(rest.last.bundle)).metadata
    assert card.run.environment.precision == "bfloat16"


def fixed_validation(monkeypatch, values: list[float]) -> None:
    """Let the validation studies of the epochs have these losses."""
    left = iter(values)
    monkeypatch.setattr(Task, "mean_loss", lambda task, logits, studies: next(left) if studies else float("nan"))


def test_training_stops_when_validation_gets_no_better(inputs, small_config, monkeypatch) -> None:
    fixed_validation(monkeypatch, [0.9, 0.5, 0.6, float("nan"), 0.55, 0.1])
    wanted = inputs(small_config(epochs=9, patience=3))
    seen, _ = collected(run(wanted))
    epochs = [event for event in seen if isinstance(event, EpochDone)]
    assert [event.best for event in epochs] == [True, True, False, False, False]
    card = load_bundle(Path(seen[-1].bundle)).metadata
    assert card.run.epochs == 2
    assert [point.epoch for point in card.run.curves if point.best] == [2]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_weights_that_are_kept(inputs, small_config, monkeypatch, keep: str) -> None:
    """Best: those after the first epoch, as in a run of one epoch. Last: those after the second."""
    fixed_validation(monkeypatch, [0.1, 0.2, 0.1])
    settings = {"schedule": "constant", "warm_up": 0.0, "keep": keep, "calibrate": False}
    two, _ = collected(run(inputs(small_config(epochs=2, **settings), name="two")))
    one, _ = collected(run(inputs(small_config(epochs=1, **settings), name="one")))
    first, second = (load_bundle(Path(seen[-1].bundle)).build().state_dict() for seen in (one, two))
    same = all(torch.equal(first[name], second[name]) for name in first)
    assert same == (keep == "best")


def test_several_classes_at_once(inputs, small_config, labelled) -> None:
    """Multi-label: each class has a sigmoid of its own; studies without finding have the class that says so."""
    classes = {f"s{i}": (("well",), ("effusion",), ("nodule", "effusion"))[i % 3] for i in range(12)}
    source = labelled(12, slices=3, classes=classes)
    ids = source.ids()
    wanted = inputs(small_config(), source, Split(ids[:6], ids[6:9], ids[9:]))
    seen, text = collected(run(wanted))
    assert not text
    card = load_bundle(Path(seen[-1].bundle)).metadata
    assert (card.net["head"], card.classes) == ("multi_label", ("well", "effusion", "nodule"))
    kept = read_predictions(wanted.folder / "predictions.json")
    assert not kept.exclusive
    assert [case.truth for case in kept.cases] == [classes[case.study] for case in kept.cases]


def test_three_classes_that_exclude_each_other(inputs, small_config, labelled) -> None:
    classes = {f"s{i}": (("well", "viral", "bacterial")[i % 3],) for i in range(9)}
    source = labelled(9, slices=3, classes=classes)
    ids = source.ids()
    seen, text = collected(run(inputs(small_config(), source, Split(ids[:3], ids[3:6], ids[6:]))))
    assert not text
    assert load_bundle(Path(seen[-1].bundle)).metadata.net["head"] == "multi_class"


def test_a_cross_validation(inputs, small_config, labelled, monkeypatch) -> None:
    """Every patient is judged by nets that had not seen him; the final training takes the median of the best epochs."""
    patients = {f"s{i}": f"p{i // 2}" for i in range(8)}  # two studies each: one sick, one well
    source = labelled(9, slices=3, patients=patients)
    ids = source.ids()
    split = Split(ids[:5], ids[5:7], ids[7:8], {"far": ids[8:]})
    best = [[0.5, 0.1, 0.2], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.9, 0.1, 0.2], [0.9, 0.8, 0.1], [0.3, 0.2, 0.1]]
    fixed_validation(monkeypatch, [value for fold in best for value in fold] + [float("nan")] * 9)
    data = {"cross_validation": "auto", "folds": 3, "repeats": 2, "prevalence": {"well": 0.8, "sick": 0.2}}
    wanted = inputs(small_config(epochs=3, data=data), source, split)
    seen, text = collected(run(wanted))
    assert not text
    epochs = [(event.fold, event.epoch) for event in seen if isinstance(event, EpochDone)]
    assert [epoch for fold, epoch in epochs if fold == 6] == [1, 2, 3], "best epochs 2, 1, 3, 2, 3, 3: median 2.5"
    folds = json.loads((wanted.folder / "split.json").read_text())
    for fold in folds:
        assert not {source.patient(s) for s in fold["test"]} & {source.patient(s) for s in fold["train"] + fold["val"]}
    records = [FoldRecord.read(wanted.folder / f"fold-{i:02d}", Judged.from_plain) for i in range(6)]
    assert [set(record.judged.studies) for record in records] == [set(fold["test"]) for fold in folds]
    kept = read_predictions(wanted.folder / "predictions.json")
    inside = kept.of("cross-validation")
    assert sorted(case.study for case in inside.cases) == list(ids[:8])
    assert [case.study for case in kept.of("external:far").cases] == ["s8"]
    card = load_bundle(Path(seen[-1].bundle)).metadata
    assert card.run.folds == 6
    assert dict(card.run.prevalence) == data["prevalence"]
    assert len({point.fold for point in card.run.curves}) == 7


def test_out_of_fold_predictions_are_calibrated_on_other_folds(inputs, small_config, labelled) -> None:
    source = labelled(12, slices=2)
    data = {"cross_validation": "always", "folds": 3, "repeats": 1}
    wanted = inputs(small_config(epochs=1, data=data), source, Split(source.ids()))
    collected(run(wanted))
    kept = read_predictions(wanted.folder / "predictions.json")
    records = [FoldRecord.read(wanted.folder / f"fold-{i:02d}", Judged.from_plain) for i in range(3)]
    assert all(len(set(map(tuple, record.judged.logits))) == 4 for record in records)
    raw = {study: record.judged.logits[i] for record in records for i, study in enumerate(record.judged.studies)}
    alike = fit(
        dataclasses.replace(kept, cases=tuple(dataclasses.replace(c, logits=tuple(raw[c.study])) for c in kept.cases))
    )
    for record in records:
        others = tuple(
            dataclasses.replace(case, logits=tuple(raw[case.study]))
            for other in records
            for study in other.judged.studies
            for case in kept.cases
            if other is not record and case.study == study
        )
        calibration = fit(dataclasses.replace(kept, cases=others), alike.prevalence)
        for case in kept.cases:
            if case.study in record.judged.studies:
                np.testing.assert_allclose(case.logits, calibration.apply(raw[case.study]), atol=1e-9)
                np.testing.assert_allclose(case.ranking, alike.apply(raw[case.study]), atol=1e-9)
    odds = np.array([np.diff(raw[case.study])[0] for case in kept.cases])
    assert list(np.argsort(np.diff(kept.ranking)[:, 0])) == list(np.argsort(odds)), "no fold is moved against another"
    record = load_bundle(next(wanted.bundles.iterdir())).metadata.calibration
    patients = {name: len({case.patient for case in kept.cases if name in case.truth}) for name in kept.classes}
    assert record.patients == patients and sum(patients.values()) == 12 and "had not seen him" in record.data
    assert not record.real and not record.bands  # no scanner of a patient was seen, and they are few


def test_probabilities_of_even_sampling_are_shifted_from_the_shares_that_training_showed(
    inputs, small_config, labelled
) -> None:
    """Two of six training studies are sick, and too few validate to fit anything: from a third to a tenth."""
    classes = {f"s{i}": ("sick",) if i % 3 == 2 else ("well",) for i in range(10)}
    source = labelled(10, slices=2, classes=classes)
    ids, biases = source.ids(), {}
    data = {"prevalence": {"well": 0.9, "sick": 0.1}}
    for calibrate in (False, True):
        config = small_config(epochs=1, sampling="even", calibrate=calibrate, data=data)
        wanted = inputs(config, source, Split(ids[:6], ids[6:8], ids[8:]), name=str(calibrate))
        seen, text = collected(run(wanted))
        assert not text
        biases[calibrate] = float(load_bundle(Path(seen[-1].bundle)).build().aggregator.head.bias)
    assert biases[True] - biases[False] == pytest.approx(np.log(0.1 / 0.9) - np.log(1 / 2), abs=2e-3)


@pytest.mark.parametrize("parts", [3, 2])
def test_figures_are_those_of_the_saved_bundle(inputs, small_config, labelled, parts: int) -> None:
    """In float32, calibrated and rounded as it is kept, also where the validation studies are the hold-out."""
    source = labelled(14, slices=3)
    ids = source.ids()
    split = Split(ids[:4], ids[4:10], ids[10:]) if parts == 3 else Split(ids[:4], ids[4:])
    wanted = inputs(small_config(precision="bfloat16"), source, split)
    seen, text = collected(run(wanted))
    assert not text
    kept = read_predictions(wanted.folder / "predictions.json")
    *_, done = predict(load_bundle(Path(seen[-1].bundle)), source, [case.study for case in kept.cases], device="cpu")
    np.testing.assert_allclose(kept.logits, done.value.logits, atol=2e-5)
    assert [case.study for case in kept.cases] == list(ids[10:] if parts == 3 else ids[4:])
    assert kept.threshold == done.value.threshold


def test_a_final_training_that_was_stopped_is_not_taken_for_those_that_were_judged(
    inputs, small_config, labelled
) -> None:
    """The folds learned for three epochs, the net of the bundle for one."""
    source = labelled(12, slices=2)
    data = {"cross_validation": "always", "folds": 3, "repeats": 1}
    place = []
    wanted = inputs(
        small_config(epochs=3, keep="last", data=data),
        source,
        Split(source.ids()),
        control=lambda: Wish.STOP if place and place[-1] == (3, 1) else Wish.GO_ON,
    )
    for event in run(wanted):
        if isinstance(event, EpochDone):
            place.append((event.fold, event.epoch))
    notes = load_bundle(Path(event.bundle)).metadata.run.notes
    assert any("stopped the final training in epoch 1 of 3" in note for note in notes)


def test_the_fold_of_a_run_is_that_of_its_seed(labelled) -> None:
    from ctviewer.training.config import DataConfig
    from ctviewer.training.engine import plans

    source = labelled(9)
    cases = plans.cases_of(source, Split(source.ids()))
    data = DataConfig("", folds=3, repeats=2)
    assert plans.folds_of(cases, data, 5) == repeated_folds(cases, 3, 2, 5)
    assert plans.folds_of(cases, dataclasses.replace(data, cross_validation="never"), 5) == ()


def test_what_stands_against_a_run(inputs, small_config, report_of, labelled) -> None:
    wanted = inputs()
    error = Finding(Severity.ERROR, "unreadable", "A study cannot be read.")
    blocked = dataclasses.replace(wanted.report, findings=(error,))
    for report in (blocked, dataclasses.replace(wanted.report, split=None)):
        with pytest.raises(InputError, match="pre-flight found errors"):
            list(run(dataclasses.replace(wanted, report=report)))
    crossed = small_config(data={"cross_validation": "always", "folds": 3})
    with pytest.raises(InputError, match="one split"):
        list(run(inputs(crossed, predict_at=(1,))))


def test_attention_is_supervised_where_slices_are_labelled(inputs, small_config, labelled) -> None:
    """Toy studies have label maps; the sum of both losses is what each step says."""
    plain, _ = collected(run(inputs(small_config(epochs=1), name="plain")))
    seen, text = collected(run(inputs(small_config(epochs=1, supervision=0.5), name="supervised")))
    assert not text
    assert losses_of(seen)[0][1] > losses_of(plain)[0][1]
