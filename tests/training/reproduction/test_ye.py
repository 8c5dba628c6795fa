import json
import math
import re

import numpy as np
import pytest

from ctviewer.training.reproduction.ye_published import (
    FIGURE_1,
    FIGURE_5,
    PUBLISHED_ARMS,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    Arm,
)
from ctviewer.training.reproduction.ye_results import (
    ArmRun,
    Sample,
    at_chance,
    convergence,
    from_json,
    mean_and_range,
    to_json,
)


@pytest.fixture
def paper(shared_data):
    path = shared_data.parent / "papers" / "ye-bilstm-attention.txt"
    if not path.exists():
        pytest.skip("the text of the paper is not here")
    return path.read_text(encoding="utf-8")


def _rows(paper, heading, caption):
    block = paper[paper.index(heading) : paper.index(caption)]
    return [line.split("\t") for line in block.splitlines() if "\t" in line]


def test_the_published_tables_are_those_of_the_paper(paper):
    assert tuple(map(tuple, _rows(paper.replace("Special Test", "Special test"), "Dataset\tTraining", "Table 1:"))) == (
        TABLE_1
    )
    by_title = {arm.title: arm for arm in PUBLISHED_ARMS}
    rows = _rows(paper, "Model\tAP @ 6", "Table 2:")[1:]
    assert {row[0] for row in rows} == set(by_title)
    for title, *values in rows:
        found = [value for metric in ("AP", "AUC-PR", "AUC-ROC") for value in TABLE_2[by_title[title]][metric]]
        assert found == [float(v) for v in values]
    third, fourth = re.split(r"Table 3:", paper[paper.index("ResNet50 MaxPooling @ 6") :])[:2]
    for text, table in ((third, TABLE_3), (fourth, TABLE_4)):
        found = re.findall(r"^(.+) @ (6|12)\t([\d.\t]+)$", text, re.MULTILINE)
        assert len(found) == len(table) == 12
        for title, epoch, values in found:
            assert table[by_title[title], int(epoch)] == tuple(float(v) for v in values.split("\t"))


def test_the_words_and_weights_of_the_figures_are_those_of_the_paper(paper):
    plain = " ".join(paper.split())
    for sentence in FIGURE_1.split(". "):
        assert sentence.rstrip(".").lower() in plain.lower()
    for _, weights in FIGURE_5:
        assert all(f"{w:.4f}" in paper for w in weights)


def _run(aggregator, losses, seed=0, encoder="resnet18"):
    return ArmRun(Arm(encoder, aggregator), seed, tuple(losses), ())


def test_convergence_compares_equal_encoders_and_seeds_over_the_first_half():
    runs = [
        _run("lstm", [0.7, 0.7, 0.1, 0.1], seed=0),
        _run("lstm_attention", [0.5, 0.3, 0.9, 0.9], seed=0),
        _run("lstm", [0.6, 0.6, 0, 0], seed=1),
        _run("lstm_attention", [0.7, 0.7, 0, 0], seed=1),
        _run("lstm_attention", [9, 9], seed=2),  # no partner
        _run("max_pool", [0, 0], seed=0),
    ]
    found = convergence(runs)
    assert (found.pairs, found.lower) == (2, 1)
    assert found.difference == pytest.approx((0.3 - 0.1) / 2)
    assert found.low is None and "does not show" in found.verdict


def test_the_interval_is_that_of_students_t():
    differences = [0.1, 0.2, 0.4, 0.3]
    runs = []
    for seed, d in enumerate(differences):
        runs += [_run("lstm", [1.0, 1.0], seed), _run("lstm_attention", [1.0 - d, 0.0], seed)]
    found = convergence(runs)
    half = 3.182446 * np.std(differences, ddof=1) / 2  # t of 3 degrees of freedom
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half), abs=1e-5)
    assert "as in the paper" in found.verdict


def test_the_opposite_and_the_empty_are_said_too():
    runs = []
    for seed in range(4):
        runs += [_run("lstm", [0.1 + seed / 100], seed), _run("lstm_attention", [0.5], seed)]
    assert "contradicted" in convergence(runs).verdict
    assert "says nothing" in convergence([]).verdict


def test_a_run_is_read_back_equal():
    run = ArmRun(
        Arm("googlenet", "lstm_attention"),
        3,
        (0.7, 0.5),
        (0.8, math.inf),
        {6: {"AP": 0.5}, 12: {"AP": 0.75}},
        {6: {"coronacases": (Sample("a", "covid", 0.25, ((3, 0.5), (1, 0.25))),)}},
        12.5,
    )
    assert from_json(json.loads(json.dumps(to_json(run)))) == run


def test_models_that_guess_are_counted():
    guessing, learning = _run("lstm", [1.5, 1.10, 1.09, 1.10]), _run("lstm", [1.1, 0.9, 0.8, 0.7])
    assert at_chance([guessing, learning], 3) == 1
    assert at_chance([_run("lstm", [0.69])], 2) == 1 and at_chance([], 3) == 0


def test_mean_and_range():
    assert mean_and_range([0.5, 0.7, float("nan")]) == "0.60 (0.50 to 0.70)"
    assert mean_and_range([0.5]) == "0.50"
    assert mean_and_range([float("nan")]) == "-"
