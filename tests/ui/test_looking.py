"""A first look at a folder: counted from its table and names, off the window's thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctviewer.core.errors import InputError
from ctviewer.jobs import JobRunner
from ctviewer.ui.presenters.looking import FolderLooker, FoundClass, FoundStudies, look

TABLE = """study,patient,class,split
s1,p1,covid,train
s2,p1,covid,
s3,p2,well|other,test
s4,p3,well,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    for name in ("s1", "s2", "s3", "more", "again"):
        (made / name).mkdir(parents=True)
    (made / "labels.csv").write_text(TABLE)
    return made


@pytest.fixture
def jobs(qapp):
    runner = JobRunner()
    yield runner
    runner.shutdown()


def test_studies_patients_and_classes_are_counted(folder):
    *_, done = look(folder)
    assert done.value == FoundStudies(
        studies=4,
        patients=3,
        classes=(FoundClass("covid", 2, 1), FoundClass("other", 1, 1), FoundClass("well", 2, 2)),
        splits=(("", 2), ("test", 1), ("train", 1)),
        several=True,
        unlisted=2,
        absent=1,
    )


def test_another_table_is_taken_and_a_folder_without_one_is_refused(folder, tmp_path):
    other = tmp_path / "other.csv"
    (folder / "labels.csv").rename(other)
    assert [*look(folder, other)][-1].value.studies == 4
    with pytest.raises(InputError, match=r"labels\.csv"):
        list(look(folder))


def test_the_looker_answers_for_the_folder_asked_for_last(folder, jobs, qtbot, tmp_path):
    told: list[Path] = []
    looker = FolderLooker(jobs, told.append)
    with qtbot.waitSignal(looker.found, timeout=5000) as answer:
        looker.look(tmp_path / "nothing")
        looker.look(folder)
    assert answer.args[0] == folder and answer.args[1].studies == 4 and answer.args[2] == ""
    assert told == [tmp_path / "nothing", folder], "the log is told before anything is named"


def test_the_looker_says_why_a_folder_cannot_be_used(jobs, qtbot, tmp_path):
    looker = FolderLooker(jobs, lambda _: None)
    with qtbot.waitSignal(looker.found, timeout=5000) as answer:
        looker.look(tmp_path / "nothing")
    assert answer.args[1] is None and answer.args[2].endswith("nothing is not a folder.")
