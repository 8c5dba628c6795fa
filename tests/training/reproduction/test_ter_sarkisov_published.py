"""The published figures against the paper's own text, and against arithmetic."""

import re

import pytest

from ctviewer.training.reproduction.ter_sarkisov_published import (
    AP_NAMES,
    CLASSES,
    CONTROL,
    COVID,
    DATA,
    MISPRINTS,
    ONE_SHOT_TITLE,
    PNEUMONIA,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLES,
)
from ctviewer.training.scores.detection.slice_classes import PAPER_SHARES, paper_name


@pytest.fixture
def paper(shared_data):
    path = shared_data.parent / "papers" / "ter-sarkisov-one-shot-attention.txt"
    if not path.exists():
        pytest.skip("the text of the paper is not here")
    return path.read_text(encoding="utf-8")


def _column(table, name):
    return [row.values[name] for row in table.rows if row.values[name] is not None]


def _percent(block):
    return [float(value) / 100 for value in re.findall(r"^([\d.]+)%$", block, re.MULTILINE)]


def test_table_2_has_the_columns_of_the_paper(paper):
    """The text of the paper lists the table column by column, cells without a value left out."""
    block = paper[paper.index("COVID-Net CT-2 [29]\n") : paper.index("Table 3: Accuracy")]
    heads = ("COVID-19", "CP", "Negative", "F1 score", "Sensitivity", "Precision", "Dataset")
    at = [block.index(f"\n{head}\n") for head in heads]
    columns = (COVID, PNEUMONIA, CONTROL, "F1", "Sensitivity", "Precision")
    for name, start, end in zip(columns, at, at[1:], strict=False):
        assert _column(TABLE_2, name) == pytest.approx(_percent(block[start:end])), name


def test_tables_1_3_and_4_are_those_of_the_paper(paper):
    for table, first, last, percent in (
        (TABLE_1, "AP@0.5 IoU", "4 Experimental", False),
        (TABLE_3, "hold-out split (58737", "1. Problem scope", True),
        (TABLE_4, "iCTCF-CT test split (12976", "features, this means", True),
    ):
        block = paper[paper.index(first) : paper.index(last)]
        found = _percent(block) if percent else [float(v) for v in re.findall(r"^(0\.\d+)$", block, re.MULTILINE)]
        values = [value for row in table.rows for value in row.values.values() if value is not None]
        assert sorted(found) == pytest.approx(sorted(values)), table.number


def test_the_models_of_table_2_are_in_the_order_of_the_paper(paper):
    names = [row.model.replace(" + ", "+").replace("Model+", "Model + ") for row in TABLE_2.rows]
    listed = paper[paper.index("evaluated on the same data as our model.") :]
    at = [listed.index(f"\n{name}\n") for name in names]
    assert at == sorted(at)


def test_sensitivities_weighted_by_class_shares_give_the_overall_one():
    """So that no cell slipped a row: all models whose three sensitivities and overall one are printed."""
    checked = 0
    for row in TABLE_2.rows:
        values = [row.values[name] for name in (*CLASSES, "Sensitivity")]
        if None not in values:
            mean = sum(PAPER_SHARES[paper_name(name)] * row.values[name] for name in CLASSES)
            assert mean == pytest.approx(row.values["Sensitivity"], abs=0.006), row.model
            checked += 1
    assert checked == 10


def test_misprints_are_real():
    heads = TABLE_1.rows[-1].values
    bound = (5 * heads[AP_NAMES[0]] + 5 * heads[AP_NAMES[1]]) / 10
    assert heads[AP_NAMES[2]] > bound  # five thresholds from .5, five from .75
    assert f"{bound:.3f}"[:5] in next(m.meant for m in MISPRINTS if "heads only" in m.where)
    for row in TABLE_1.rows[:-1]:
        assert row.values[AP_NAMES[2]] <= (row.values[AP_NAMES[0]] + row.values[AP_NAMES[1]]) / 2
    ours = TABLE_4.rows[0].values
    swapped = (9275 * ours[CONTROL] + 3701 * ours[COVID]) / 12976
    printed = (3701 * ours[CONTROL] + 9275 * ours[COVID]) / 12976
    assert swapped == pytest.approx(ours["F1"], abs=1e-4)
    assert abs(printed - ours["F1"]) > 3e-3
    others = [row.values[COVID] for row in TABLE_2.rows if row.model[-1] != "]" or "CT-2" in row.model]
    gains = [TABLE_2.rows[0].values[COVID] - value for value in others if value is not None][1:]
    assert (min(gains), max(gains)) == pytest.approx((0.0004, 0.0704))


def test_what_the_design_states_is_here():
    assert TABLE_1.rows[0].model == TABLE_2.rows[0].model == ONE_SHOT_TITLE
    assert tuple(TABLE_1.rows[0].values.values()) == (0.605, 0.4979, 0.470)
    assert tuple(TABLE_1.rows[2].values.values()) == (0.502, 0.419, 0.387)
    assert tuple(TABLE_2.rows[0].values.values()) == (0.9574, 0.9813, 0.9927, 0.9815, 0.9815, 0.9816)
    assert sum(PAPER_SHARES.values()) == pytest.approx(1)
    assert [table.number for table in TABLES] == [1, 2, 3, 4]
    assert any("21191" in line for line in DATA)
