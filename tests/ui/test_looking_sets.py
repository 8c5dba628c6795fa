"""A first look at a set of labelled slices, in every format: counted, what it outlines, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctviewer.core.errors import InputError
from ctviewer.datasets.phantom import Family, Phantom, PhantomSpec, Variant, generate
from ctviewer.datasets.slices.samples import SAMPLES
from ctviewer.jobs import JobRunner
from ctviewer.training.config import FORMATS as ALL_FORMATS
from ctviewer.training.config import SliceSet
from ctviewer.ui.finetune.set_formats import FORMATS, format_of
from ctviewer.ui.presenters.looking import FoundClass
from ctviewer.ui.presenters.looking_sets import IMAGES, LESIONS, FoundSet, SetLooker, look_at_set

LESIONS_OF = {"covid19_ct_seg": ("lung", "infection"), "lidc": ("nodule",)}
USUAL = ("lung", "ground glass", "consolidation")


@pytest.fixture(scope="module")
def phantoms() -> tuple[Phantom, ...]:
    variants = (Variant.CONTROL, Variant.PNEUMONIA, Variant.COVID)
    return tuple(generate(PhantomSpec(n, v, Family.A, matrix=64, slices=6)) for n, v in enumerate(variants, 1))


@pytest.fixture
def jobs(qapp):
    runner = JobRunner()
    yield runner
    runner.shutdown()


def found(one: SliceSet, kind: str) -> FoundSet:
    *_, done = look_at_set(one, kind)
    return done.value


def test_every_format_can_be_chosen_for_something():
    assert {one.key for kind in FORMATS.values() for one in kind} == set(ALL_FORMATS)
    assert all(one.told.endswith(".") for kind in FORMATS.values() for one in kind)
    assert format_of(LESIONS, "covidx").key == "studies", "a format of the other kind"


@pytest.mark.parametrize("name", [one.key for one in FORMATS[LESIONS]])
def test_sets_with_lesions(name, phantoms, tmp_path):
    SAMPLES[name](tmp_path, phantoms)
    told = found(SliceSet(name, str(tmp_path)), LESIONS)
    infected = [int(one.infected_slices.sum()) for one in phantoms]
    scans = {"cncb": 2, "covid19_ct_seg": 2}.get(name, 3)
    assert (told.scans, told.patients) == (scans, scans) and told.outlined == LESIONS_OF.get(name, USUAL)
    slices = {"cncb": sum(infected), "covid19_ct_seg": sum(min(4, n) for n in infected), "studies": 18}
    assert told.slices == slices.get(name, told.slices) and told.slices
    assert not told.classes and told.patients_known


@pytest.mark.parametrize("name", [one.key for one in FORMATS[IMAGES]])
def test_sets_with_classes(name, phantoms, tmp_path):
    SAMPLES[name](tmp_path, phantoms)
    told = found(SliceSet(name, str(tmp_path)), IMAGES)
    names = ["COVID-19", "common pneumonia", "control"] if name != "ictcf" else ["COVID-19", "control"]
    assert [one.name for one in told.classes] == names and not told.outlined
    if name != "ictcf":  # which does not say what is of one patient
        assert told.classes[0] == FoundClass("COVID-19", 1, 1) and told.scans == told.patients == 3
    assert told.patients_known == (name != "ictcf")
    shown = sum(int((one.infected_slices | (one.spec.variant is Variant.CONTROL)).sum()) for one in phantoms)
    assert told.slices == {"prefixed": shown, "covidx": shown}.get(name, told.slices) and told.slices
    assert dict(told.splits) == ({"train": 1, "val": 1, "test": 1} if name == "covidx" else {"": told.scans})


def test_what_is_wrong_with_a_set_is_one_sentence(phantoms, tmp_path):
    SAMPLES["cncb"](tmp_path / "cncb", phantoms)
    SAMPLES["prefixed"](tmp_path / "pictures", phantoms)
    SAMPLES["studies"](tmp_path / "studies", phantoms)
    table = tmp_path / "studies" / "labels.csv"
    classless = tmp_path / "classless.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    column = rows[0].index("class")
    classless.write_text(
        "".join(
            ",".join((*row[:column], "" if n else "class", *row[column + 1 :])) + "\n" for n, row in enumerate(rows)
        )
    )
    cases = (
        (SliceSet("cncb", str(tmp_path / "none")), LESIONS, "none"),
        (SliceSet("cncb", str(tmp_path / "pictures")), LESIONS, "imgs"),
        (SliceSet("prefixed", str(tmp_path / "cncb" / "imgs")), IMAGES, "is not named"),
        (SliceSet("cncb", str(tmp_path / "cncb"), values="bright"), LESIONS, "bright"),
        (SliceSet("studies", str(tmp_path / "studies"), str(classless)), IMAGES, "No slice of .* has a class"),
    )
    for one, kind, words in cases:
        with pytest.raises(InputError, match=words) as told:
            list(look_at_set(one, kind))
        assert "\n" not in str(told.value)
    damaged = next((tmp_path / "cncb" / "masks").iterdir())
    for mask in (tmp_path / "cncb" / "masks").iterdir():
        mask.write_bytes(b"nothing")
    with pytest.raises(InputError, match=damaged.suffix):
        found(SliceSet("cncb", str(tmp_path / "cncb")), LESIONS)


def test_slices_are_not_counted_where_all_scans_would_have_to_be_opened(phantoms, tmp_path, monkeypatch):
    SAMPLES["studies"](tmp_path, phantoms)
    monkeypatch.setattr("ctviewer.ui.presenters.looking_sets._PATIENCE", -1.0)
    assert found(SliceSet("studies", str(tmp_path)), LESIONS).slices is None


def test_several_sets_are_looked_at_at_once_and_of_each_the_newest_look_counts(phantoms, tmp_path, jobs, qtbot):
    for name in ("cncb", "prefixed"):
        SAMPLES[name](tmp_path / name, phantoms)
    told: list[Path] = []
    answers: dict[object, tuple] = {}
    looker = SetLooker(jobs, told.append)
    looker.found.connect(lambda key, found, problem: answers.setdefault(key, (found, problem)))
    lesions = SliceSet("cncb", str(tmp_path / "cncb"))
    looker.look("a", SliceSet("cncb", str(tmp_path)), LESIONS)
    looker.look("a", lesions, LESIONS)
    looker.look("b", SliceSet("prefixed", str(tmp_path / "prefixed")), IMAGES)
    looker.look("c", replace(lesions, folder=str(tmp_path / "no")), LESIONS)
    looker.look("d", lesions, LESIONS)
    looker.forget("d")
    qtbot.waitUntil(lambda: set(answers) == {"a", "b", "c"}, timeout=20_000)
    assert answers["a"][0].outlined == USUAL and answers["b"][0].classes and not answers["b"][1]
    assert answers["c"][0] is None and "no" in answers["c"][1]
    assert told[:2] == [tmp_path, tmp_path / "cncb"], "before anything in it is named"
    qtbot.waitUntil(lambda: not jobs._running, timeout=20_000)
    assert "d" not in answers
