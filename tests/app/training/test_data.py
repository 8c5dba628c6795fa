"""Whether the data of a run are still the same, also where its folder has lost what they looked like."""

from __future__ import annotations

import pytest

from ctviewer.app.train_data import DATA, open_source, remember, require_same
from ctviewer.core.errors import InputError
from ctviewer.training.config import DataConfig
from ctviewer.training.preflight.facts import data_sha256, read_facts
from ctviewer.training.preflight.report import PreflightReport
from ctviewer.training.splits import Split


@pytest.fixture
def data(make_studies, tmp_path) -> DataConfig:
    return DataConfig(folder=str(make_studies(tmp_path / "own", count=6)))


@pytest.fixture
def report(data) -> PreflightReport:
    source = open_source(data)
    split = Split(source.ids()[:4], source.ids()[4:])
    facts = {study: read_facts(source, study) for study in source.ids()}
    return PreflightReport(
        6, 6, (), split,
        data_sha256={part: data_sha256(facts[study] for study in those) for part, those in split.parts.items()},
        study_sha256={study: one.content.sha256 for study, one in facts.items()},
    )  # fmt: skip


def test_classes_and_pixels_decide_where_nothing_is_remembered(data, report, tmp_path):
    run, table = tmp_path / "run", tmp_path / "own" / "labels.csv"
    run.mkdir()
    labels = table.read_text()
    for changed, words in (
        (labels.replace("s05,Mustermann^5,sick", "s05,Mustermann^5,well"), "the studies of val are not those"),
        ("".join(labels.splitlines(keepends=True)[:-1]), "of the studies in the table of labels 1 missing"),
    ):
        table.write_text(changed)
        with pytest.raises(InputError, match=words):
            list(require_same(open_source(data), report, run))
        assert not (run / DATA).exists()
    table.write_text(labels)
    assert len(list(require_same(open_source(data), report, run))) == 6
    assert list(require_same(open_source(data), report, run)) == [], "it is remembered again"


def test_what_is_damaged_may_be_removed(data, report, tmp_path):
    remember(open_source(data), tmp_path)
    (tmp_path / DATA).write_bytes((tmp_path / DATA).read_bytes()[:-9])
    with pytest.raises(InputError, match=r"data.json is damaged; remove it, and all studies are looked at again"):
        list(require_same(open_source(data), report, tmp_path))
