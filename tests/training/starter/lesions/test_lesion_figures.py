"""Figures on chests against plain loops over pixels: each fold at its own threshold, each group by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctviewer.models.metadata import Preprocessing
from ctviewer.nets.build import build_net
from ctviewer.nets.one_shot import light_options
from ctviewer.training.predictions import patient_digest
from ctviewer.training.starter import lesion_figures as figures
from ctviewer.training.starter.chests import INFECTION, LUNG, PHANTOM, RECOVERED, SCANNED, Chest
from ctviewer.training.starter.lesion_figures import answers, choose_threshold, lesion_metrics

P = Preprocessing(-600.0, 1500.0, 64, 64, (0.5,), (0.3,))
ONE = "infection"
SIDE = 64


def by_name(metrics, group):
    """Figures of a group."""
    return {one.name: one for one in metrics if f"{group}," in one.data}


def plain_dice(chest, threshold):
    shared = marked = true = 0
    for labels, marks in zip(chest.chest.labels, chest.marks, strict=True):
        truth = labels == INFECTION
        said = np.zeros(truth.shape, bool)
        for score, mask in marks:
            if score >= threshold:
                said |= mask
        shared, marked, true = shared + (said & truth).sum(), marked + said.sum(), true + truth.sum()
    return 2 * shared / (marked + true)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def plain_ap(drawn, least):
    """COCO's, slice by slice: falling score, one truth each, precision's envelope at 101 recalls."""
    rows, total = [], 0
    for chest in drawn:
        for truths, marks in zip(chest.truths, chest.marks, strict=True):
            total += len(truths)
            free = list(range(len(truths)))
            for score, mask in sorted(marks, key=lambda mark: -mark[0]):
                best = max(free, key=lambda i: iou(truths[i], mask), default=None)
                hit = best is not None and iou(truths[best], mask) >= least
                if hit:
                    free.remove(best)
                rows.append((score, hit))
    rows.sort(key=lambda row: -row[0])
    hits = np.cumsum([hit for _, hit in rows])
    precision, recall = hits / np.arange(1, len(rows) + 1), hits / total
    return np.mean([max(precision[recall >= r - 1e-12], default=0.0) for r in np.linspace(0, 1, 101)])


def plain_shown(chest, threshold):
    """Cross-sections found, all of them, false marks, slices."""
    out = np.zeros(4)
    for truths, marks in zip(chest.truths, chest.marks, strict=True):
        shown = [mask for score, mask in marks if score >= threshold]
        hits = [[iou(t, m) >= 0.25 for t in truths] for m in shown]
        found = sum(any(row[i] for row in hits) for i in range(len(truths)))
        out += found, len(truths), sum(not any(row) for row in hits), 1
    return out


def plain_froc(drawn, rate):
    best = 0.0
    for threshold in sorted({s for one in drawn for row in one.marks for s, _ in row}, reverse=True):
        false = found = total = 0
        for chest in drawn:
            for truths, marks in zip(chest.truths, chest.marks, strict=True):
                shown = [mask for score, mask in marks if score >= threshold]
                hits = [[iou(t, m) >= 0.25 for t in truths] for m in shown]
                false += sum(not any(row) for row in hits)
                found += sum(any(row[i] for row in hits) for i in range(len(truths)))
                total += len(truths)
        if false / len(drawn) > rate:
            break
        best = found / total
    return best


@pytest.fixture
def folds(draw_chest, reader):
    """Three folds of two patients, each with a threshold of its own."""
    drawn = [[draw_chest(f"c{2 * f + i}", 10 * f + i) for i in range(2)] for f in range(3)]
    told = [
        answers(reader, [one.chest for one in those], P, threshold=threshold)
        for those, threshold in zip(drawn, (0.5, 0.2, 0.8), strict=True)
    ]
    return drawn, told


def test_what_is_kept_of_a_chest(draw_chest, reader):
    chest = draw_chest("c", 1).chest
    told = answers(reader, [chest], P, threshold=0.4, model="m")
    assert (told.model, told.threshold, told.lesion_classes) == ("m", 0.4, (ONE,))
    assert {(case.scan, case.patient, case.split) for case in told.cases} == {
        ("c", patient_digest("patient of c"), figures.INFECTED)
    }
    kept = [case.lesions for case in told.cases]
    assert all(one.complete and not one.unmarked for one in kept)
    assert [one.truth_pixels[INFECTION] for one in kept] == [(x == INFECTION).sum() for x in chest.labels]
    assert [one.truth_pixels[LUNG] for one in kept] == [(x > 0).sum() for x in chest.labels], "lesions lie in lungs"


def test_chests_of_another_side_are_judged_at_the_net_s(draw_chest, reader):
    chest = draw_chest("c", 1).chest
    large = Chest("c", "p", RECOVERED, chest.hu.repeat(2, 1).repeat(2, 2), chest.labels.repeat(2, 1).repeat(2, 2))
    for one, other in zip(*(answers(reader, [chest_], P).cases for chest_ in (chest, large)), strict=True):
        assert one.lesions.truth_pixels == other.lesions.truth_pixels
        assert one.lesions.truth_labels == other.lesions.truth_labels


def test_lungs_that_nobody_marked_judge_none(draw_chest, reader):
    chest = draw_chest("c", 1).chest
    bare = Chest("c", "p", RECOVERED, chest.hu, np.where(chest.labels == INFECTION, chest.labels, 0).astype(np.uint8))
    metrics = lesion_metrics([answers(reader, [bare], P)], draws=20)
    assert any(one.name == f"AP .5, {ONE}" for one in metrics)
    assert not any("lung" in one.name.split(", ")[-1:] for one in metrics if not one.name.startswith("marked"))


def test_overlap_of_folds_is_that_of_plain_loops(folds):
    drawn, told = folds
    found = by_name(lesion_metrics(told, "made up", draws=100), figures.INFECTED)
    everyone = [one for those in drawn for one in those]
    dice = [plain_dice(one, p.threshold) for those, p in zip(drawn, told, strict=True) for one in those]
    assert found[f"Dice per patient, {ONE}"].value == pytest.approx(np.mean(dice), abs=1e-6)
    for number, value in enumerate(dice, 1):
        one = found[f"Dice of {ONE}, patient {number} of 6"]
        assert one.value == pytest.approx(value, abs=1e-6)
        assert (one.n, one.unit, one.low, one.high) == (1, "patient", None, None)
    assert found[f"AP .5, {ONE}"].value == pytest.approx(plain_ap(everyone, 0.5), abs=1e-6)
    assert found[f"AP .75, {ONE}"].value == pytest.approx(plain_ap(everyone, 0.75), abs=1e-6)
    mean = np.mean([plain_ap(everyone, round(0.5 + 0.05 * i, 2)) for i in range(10)])
    assert found[f"AP .5:.95, {ONE}"].value == pytest.approx(mean, abs=1e-6)
    for rate in (1, 4):
        name = f"FROC sensitivity at {rate} false per infected slice set, {ONE}"
        assert found[name].value == pytest.approx(plain_froc(everyone, rate), abs=1e-6)
    hits, lesions, false, slices = np.sum(
        [plain_shown(o, p.threshold) for d, p in zip(*folds, strict=True) for o in d], 0
    )
    assert found[f"{figures.FOUND}, {ONE}"].value == pytest.approx(hits / lesions, abs=1e-6)
    assert found[f"{figures.FALSE}, {ONE}"].value == pytest.approx(false / slices, abs=1e-6)
    assert 0 < hits < lesions and false > 0
    assert found["AP .5, lung"].value == found["Dice per patient, lung"].value == 1.0
    assert 0 < found[f"AP .75, {ONE}"].value < found[f"AP .5, {ONE}"].value < 1


def test_every_figure_has_its_n_and_an_interval_over_patients_from_five_on(folds):
    _, told = folds
    metrics = lesion_metrics(told, "made up", draws=100)
    assert metrics == lesion_metrics(told, "made up", draws=100), "the same draws each time"
    for one in metrics:
        assert one.data == f"made up, {figures.INFECTED}, 24 slices of 6 scans of 6 patients"
        assert 0 < one.n <= 6
    dice = by_name(metrics, figures.INFECTED)[f"Dice per patient, {ONE}"]
    assert dice.low < dice.value < dice.high and dice.n == 6
    few = by_name(lesion_metrics(told[:2], draws=100), figures.INFECTED)[f"Dice per patient, {ONE}"]
    assert (few.n, few.low, few.high) == (4, None, None)


def test_marks_on_healthy_lung_are_those_of_plain_loops_group_by_group(draw_chest, reader):
    """Painted out and scanned chests apart, each at the threshold of its fold."""
    drawn = [draw_chest(f"c{i}", i, sick=False, kind=RECOVERED if i < 4 else SCANNED) for i in range(6)]
    parts = [(drawn[0::2], 0.2), (drawn[1::2], 0.7)]
    told = [answers(reader, [one.chest for one in those], P, threshold=t) for those, t in parts]
    metrics = lesion_metrics(told, draws=50)
    for group, wanted in ((figures.PAINTED_OUT, drawn[:4]), (figures.SCANNED_CLEAN, drawn[4:])):
        marked = count = pixels = lung = 0
        for those, threshold in parts:
            for chest in (one for one in those if one in wanted):
                for labels, marks in zip(chest.chest.labels, chest.marks, strict=True):
                    shown = [mask for score, mask in marks if score >= threshold]
                    marked, count = marked + bool(shown), count + 1
                    pixels, lung = pixels + sum(mask.sum() for mask in shown), lung + (labels > 0).sum()
        found = by_name(metrics, group)
        assert 0 < marked < count
        assert found[f"slices without a lesion that get a mark, {ONE}"].value == pytest.approx(marked / count, abs=1e-6)
        area = found[f"{figures.MARKED_AREA}, {ONE}"]
        assert area.value == pytest.approx(pixels / lung, abs=1e-6) and area.n == len(wanted)
        assert len(found) == 2, "without infection there is nothing to overlap"


def test_groups_of_chests(draw_chest):
    told = {
        (kind, sick): figures.group_of(draw_chest("c", 1, sick=sick, kind=kind).chest)
        for kind in (RECOVERED, SCANNED, PHANTOM)
        for sick in (True, False)
    }
    assert set(told.values()) == set(figures.GROUPS) and len(told) == len(figures.GROUPS)
    assert all(("phantom" in group) == (kind == PHANTOM) for (kind, _), group in told.items())


def test_a_slice_is_judged_once(draw_chest, reader):
    told = answers(reader, [draw_chest("c", 1).chest], P)
    with pytest.raises(ValueError, match="judged by two folds"):
        lesion_metrics([told, told])


def test_a_threshold_that_shows_lesions_and_spares_healthy_lung(draw_chest, reader):
    """Marks on the lesions score .6, those of .3 lie on healthy lung alone."""
    sick = draw_chest("c", 1, exact=0.6).chest
    clean = draw_chest("d", 2, sick=False, scores=(0.3,)).chest
    threshold, sentence = choose_threshold(reader, [sick, clean], P)
    assert threshold == pytest.approx(0.35) and "0.35" in sentence


def test_a_real_net_answers_and_is_as_it_was(draw_chest):
    torch.manual_seed(0)
    net = build_net("one_shot", 3, {**light_options(SIDE, 16, 16), "box_hidden": 16})
    before = {name: value.clone() for name, value in net.state_dict().items()}
    told = answers(net, [draw_chest("c", 1).chest], P)
    assert len(told.cases) == 4 and all(case.lesions is not None for case in told.cases)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
