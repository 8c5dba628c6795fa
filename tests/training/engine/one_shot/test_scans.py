"""What a net says of scans: outlines beside what is marked, classes of slices, the work shared among processes."""

from __future__ import annotations

import dataclasses
import json
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from ctviewer.core.errors import DeviceError
from ctviewer.nets.one_shot import Detections
from ctviewer.training.control import Wish, never
from ctviewer.training.engine.one_shot.scans import ScanJudge, SliceJudgement, Wanted
from ctviewer.training.engine.parallel import SINGLE, World
from ctviewer.training.engine.slice_store import SliceStore
from ctviewer.training.slice_predictions import OTHER
from ctviewer.training.slices.two_sources import IMAGES, LESIONS, kind_of

LESION_CLASSES = ("ground glass", "consolidation")


def drained(work):
    """What a generator returns, and how much it counted."""
    passed = 0
    while True:
        try:
            passed += next(work)
        except StopIteration as end:
            return end.value, passed


def wanted(scan):
    return Wanted(kind_of(scan) == LESIONS, kind_of(scan) == IMAGES)


@pytest.fixture
def judge(net, store, sources):
    """`judge(lesion_scans=1, image_scans=1, **changes)`: of a net that outlines every chest alike."""

    def make(lesion_scans=1, image_scans=1, **changes):
        source = sources(lesion_scans, image_scans)
        made = net()
        values = {"slices": store(source), "wanted": wanted, **changes}
        return source, made, ScanJudge(made, values.pop("slices"), LESION_CLASSES, "float32", source.patient, **values)

    return make


def outlines(*marks):
    """An answer in the place of `OneShot.analyse`: boxes filled whole, by label and score."""

    def analyse(images, score, limit):
        from ctviewer.nets.one_shot import SliceAnswer

        boxes = torch.tensor([box for _, _, box in marks], dtype=torch.float32).reshape(-1, 4)
        found = Detections(
            boxes,
            torch.tensor([label for label, _, _ in marks]),
            torch.tensor([score for _, score, _ in marks]),
            torch.ones(len(marks), 28, 28),
        )
        return [SliceAnswer(found, torch.zeros(3), None)]

    return analyse


def test_lesion_scans_are_outlined_and_image_scans_classed(judge, monkeypatch):
    source, net, judging = judge()
    lung = (2, 0.9, (0.0, 0.0, 10.0, 20.0))
    monkeypatch.setattr(net, "analyse", outlines((1, 0.95, (6.0, 12.0, 28.0, 52.0)), lung))
    (told, passed) = drained(judging.judge(source.ids(), "test", SINGLE, never))
    assert passed == len(told.cases) == 6
    outlined, classed = told.cases[:3], told.cases[3:]
    assert [case.scan for case in outlined] == ["lesions/0/l0"] * 3
    assert all(case.lesions is not None and not case.logits and not case.truth for case in outlined)
    assert [case.truth for case in classed] == ["control", "pneumonia", "COVID-19"]
    assert all(case.lesions is None and len(case.logits) == 3 and case.has_class for case in classed)
    assert all(len(case.patient) == 16 for case in told.cases)
    first = outlined[0].lesions  # a control: two lungs, no lesion
    assert first.complete and first.truth_any == 0
    assert first.labels == (1, 2) and first.marked == (22 * 40, 10 * 20)
    assert first.false_any == (0, 1), "a lung is no lesion"
    assert first.hit[0] > 0.7 * first.marked[0]


def test_logits_are_those_of_the_net_in_use_and_nothing_of_it_changes(judge):
    source, net, judging = judge(0, 1)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    told, _ = drained(judging.judge(source.ids(), "val", SINGLE, never))
    net.eval()
    with torch.no_grad():
        image = judging.slices.image("images/0/i0", "slice 1")[None]
        assert told.cases[1].logits == pytest.approx(net.analyse(image, 0.05)[0].logits.tolist(), abs=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_partly_marked_slices_are_judged_where_something_is_marked(net, store, tmp_path):
    from training.engine.one_shot.conftest import chests
    from training.slices.conftest import MadeUp

    source = MadeUp({"a": chests(1, ("control", "pneumonia"), labelled=True, complete=False)})
    judging = ScanJudge(net(), store(source), LESION_CLASSES, "float32", source.patient)
    told, _ = drained(judging.judge(("a",), "test", SINGLE, never))
    shown = {case.name: case.lesions for case in told.cases}
    assert set(shown) == {"slice 0", "slice 1"}, "lungs are marked on the control too"
    assert not any(one.complete for one in shown.values())


def test_lesions_that_the_model_has_no_class_for_are_lesions_all_the_same(net, tmp_path, monkeypatch):
    from training.engine.one_shot.conftest import INPUT, chests
    from training.slices.conftest import MadeUp

    from ctviewer.training.slices.two_sources import Part, TwoSources

    made = TwoSources([Part(MadeUp({"a": chests(1, ("pneumonia",), labelled=True)}))], merge={"consolidation": OTHER})
    classes = ("background", "lung", "ground glass", OTHER)
    slices = SliceStore(made, INPUT, classes, (), tmp_path / "s")
    narrow = net(image_classes=0, negative=-1)
    monkeypatch.setattr(narrow, "analyse", outlines((2, 0.9, (0.0, 0.0, 64.0, 64.0))))
    judging = ScanJudge(narrow, slices, ("ground glass",), "float32", made.patient)
    told, _ = drained(judging.judge(made.ids(), "test", SINGLE, never))
    found = told.cases[0].lesions
    assert set(found.truth_labels) == {1, 3}
    assert found.truth_any == found.truth_pixels[3] == found.hit_any[0] > 0
    assert found.hit == (0,), "it is not of the class that the mark names"


def test_a_wish_ends_it(judge):
    source, _, judging = judge()
    asked = iter([Wish.GO_ON, Wish.GO_ON, Wish.PAUSE])
    told, passed = drained(judging.judge(source.ids(), "test", SINGLE, lambda: next(asked)))
    assert (told, passed) == (Wish.PAUSE, 2)


def test_values_that_are_not_finite_are_refused(judge):
    source, net, judging = judge()
    with torch.no_grad():
        for parameter in net.attention_layer.parameters():
            parameter.fill_(float("nan"))
    with pytest.raises(DeviceError, match="not finite"):
        drained(judging.judge(source.ids(), "test", SINGLE, never))


@dataclass(frozen=True)
class Pair(World):
    """Two processes as threads: sums meet at a barrier."""

    rows: dict = field(default_factory=dict)
    barrier: threading.Barrier = None

    def add(self, values):
        self.rows[self.rank] = values
        self.barrier.wait()
        total = self.rows[0] + self.rows[1]
        self.barrier.wait()
        return total

    def agree(self, wish):
        return wish


def test_two_processes_say_what_one_says(judge):
    source, _, judging = judge(2, 1)
    alone, _ = drained(judging.judge(source.ids(), "test", SINGLE, never))
    rows, barrier, said = {}, threading.Barrier(2), {}

    def work(rank):
        world = Pair(rank, 2, rank, rows, barrier)
        said[rank] = drained(judging.judge(source.ids(), "test", world, never))[0]

    threads = [threading.Thread(target=work, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said[0] == said[1] == alone


def test_a_judgement_is_read_as_it_was_written(judge):
    source, _, judging = judge()
    told, _ = drained(judging.judge(source.ids(), "test", SINGLE, never))
    assert SliceJudgement.from_plain(json.loads(json.dumps(told.to_plain()))) == told
    assert np.isfinite([case.logits for case in told.cases if case.logits]).all()


def test_marks_of_a_class_that_a_set_does_not_mark_tell_nothing_of_that_class(net, store, monkeypatch):
    """They are lesions all the same: where there is none at all, one was found too many."""
    from training.engine.one_shot.conftest import chests
    from training.slices.conftest import MadeUp

    made = chests(1, ("control", "COVID-19"), labelled=True)
    source = MadeUp({"a": dataclasses.replace(made, label_classes=("background", "lung", "ground glass"))})
    narrow = net()
    monkeypatch.setattr(narrow, "analyse", outlines((3, 0.9, (0.0, 0.0, 10.0, 10.0)), (2, 0.8, (0.0, 0.0, 9.0, 9.0))))
    judging = ScanJudge(narrow, store(source), LESION_CLASSES, "float32", source.patient)
    told, _ = drained(judging.judge(("a",), "test", SINGLE, never))
    for case in told.cases:
        assert case.lesions.complete and case.lesions.unmarked == (3,)
        assert (case.lesions.labels, case.lesions.false) == ((3, 2), (0, 1))
        assert case.lesions.false_any == (1, 0), "the two overlap"
