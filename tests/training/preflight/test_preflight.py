"""Pre-flight: each fault is found, named and graded; a clean set passes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from functools import partial

import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Progress
from ctviewer.core.series import Notice
from ctviewer.core.series import Severity as NoticeSeverity
from ctviewer.models.metadata import InputLimits, Metric
from ctviewer.training.preflight.checks import Criteria
from ctviewer.training.preflight.estimates import RunPlan, StepCost, estimate_run, room_findings
from ctviewer.training.preflight.facts import Content, StudyFacts
from ctviewer.training.preflight.report import (
    Estimate,
    PreflightReport,
    Severity,
    from_json,
    to_json,
    to_lines,
)
from ctviewer.training.preflight.run import Request, check, preflight
from ctviewer.training.preflight.shortcuts import find_shortcuts
from ctviewer.training.splits import Case, Split, split_by_time

ERROR, DOUBT, INFO = Severity.ERROR, Severity.DOUBT, Severity.INFO


def clean(per_class: int = 30) -> list[StudyFacts]:
    """Two classes that nothing but the pixels could tell apart."""
    return [
        StudyFacts(
            Case(f"{name}{n}", f"patient {name}{n}", (name,), date=f"20{10 + n % 8}-0{1 + n % 9}-01"),
            modality="CT",
            plane="axial",
            unit="HU",
            slices=100,
            manufacturer="ACME",
            kernel=("B60", "B70")[n % 2],
            thickness=(1.0, 1.5, 2.0)[n % 3],
            field_of_view=350.0,
            contrast=False,
            air=-1000.0,
            tissue=40.0,
            content=Content(f"{name}{n}", frozenset(f"{name}{n}/{i}".encode() for i in range(10))),
        )
        for name in ("covid", "well")
        for n in range(per_class)
    ]


def codes(report: PreflightReport) -> dict[str, Severity]:
    """The gravest severity of each code."""
    return {one.code: one.severity for one in reversed(report.findings)}


def altered(**changes) -> PreflightReport:
    """The report on clean data of which one study is not."""
    first, *rest = clean()
    return check([replace(first, **changes), *rest])


def test_clean_data_pass():
    report = check(clean(), list(find_shortcuts(clean())))
    assert report.shortcuts and report.findings == () and not report.blocked and report.doubts == ()
    patients = {(c.part, c.label): c.patients for c in report.counts}
    assert patients["train", "covid"] == patients["train", "well"] == 21
    assert all(patients[part, label] in (4, 5) for part in ("val", "test") for label in ("covid", "well"))
    assert set(report.data_sha256) == {"train", "val", "test"} and len(report.study_sha256) == 60


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"error": "IM1.dcm is damaged."}, "unreadable", ERROR),
        ({"modality": "MR"}, "not-ct", ERROR),
        ({"modality": ""}, "not-ct", ERROR),
        ({"plane": "coronal"}, "not-axial", ERROR),
        ({"plane": "unknown"}, "orientation-unknown", DOUBT),
        ({"unit": ""}, "unit-unknown", ERROR),
        ({"air": 24.0, "tissue": 1064.0}, "hu-impossible", ERROR),
        ({"tissue": None}, "hu-impossible", ERROR),
        ({"air": -600.0}, "hu-out-of-range", DOUBT),
        ({"failed": 2}, "failed-slices", DOUBT),
        ({"notices": (Notice("holes", NoticeSeverity.DANGER, "Slices are missing."),)}, "holes", DOUBT),
        ({"notices": (Notice("unreadable-files", NoticeSeverity.WARNING, "3 files."),)}, "unreadable-files", DOUBT),
        ({"notices": (Notice("odd", NoticeSeverity.WARNING, "It is odd."),)}, "odd", INFO),
    ],
)
def test_a_fault_of_one_study_is_found_and_names_it(changes, code, severity):
    report = altered(**changes)
    assert codes(report).get(code) is severity
    found = next(one for one in report.findings if one.code == code)
    assert found.studies == ("covid0",) and found.text.endswith(".")
    assert report.blocked == (severity is ERROR)


LIMITS = InputLimits(
    ("CT",), ("axial",), True, (10, 1500), (0.5, 12.0), (200.0, 550.0), (-3100.0, -700.0), (-150.0, 200.0)
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slices": 9}, "10 to 1500 slices"),
        ({"slice_spacing": 12.5}, "0.5 to 12 mm apart"),
        ({"slice_spacing": None}, "0.5 to 12 mm apart"),
        ({"field_of_view": 199.0}, "200 to 550 mm"),
        ({"original": False}, "original images"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_studies_that_the_new_model_would_not_be_asked_about_are_doubted(changes, words):
    first, *rest = [replace(one, slice_spacing=1.0) for one in clean()]
    request = Request(Criteria.of(LIMITS))
    assert check([first, *rest], request=request).findings == ()
    report = check([replace(first, **changes), *rest], request=request)
    (found,) = report.findings
    assert (found.code, found.severity, found.studies) == ("beyond-limits", DOUBT, ("covid0",))
    assert words in found.text and "1 study" in found.text
    assert check([replace(first, **changes), *rest]).findings == (), "without a base nothing limits it"


def test_notices_for_information_are_not_repeated():
    assert altered(notices=(Notice("chosen-series", NoticeSeverity.INFO, "One of 3."),)).findings == ()


@pytest.mark.parametrize(
    ("owners", "patients", "doubted"),
    [
        (["one", "one"], ["p", "q"], True),
        (["one", "one"], ["p", "p"], False),
        (["", ""], ["p", "q"], False),
        (["one"] * 40, [f"p{n}" for n in range(40)], False),  # an anonymised set: one name for all
    ],
)
def test_one_patient_under_two_names_is_doubted(owners, patients, doubted):
    data = clean()
    for n, (owner, patient) in enumerate(zip(owners, patients, strict=True)):
        data[n] = replace(data[n], owner=owner, case=replace(data[n].case, patient=patient))
    found = [one for one in check(data).findings if one.code == "patient-under-two-names"]
    assert [one.studies for one in found] == ([("covid0", "covid1")] if doubted else [])
    assert all(one.severity is DOUBT and "p, q" in one.text for one in found)


def test_classes_of_external_sets_do_not_make_up_for_missing_ones():
    data = [replace(d, case=replace(d.case, split="external:Ulm" if "well" in d.study else "")) for d in clean()]
    report = check(data)
    assert codes(report)["one-class"] is codes(report)["class-missing"] is ERROR
    assert all(found.part != "external:Ulm" for found in report.widths)


@pytest.mark.parametrize(
    ("patient", "label", "code", "severity"),
    [
        ("patient covid0", "covid", "duplicate", DOUBT),
        ("another", "covid", "duplicate-other-patient", ERROR),
        ("patient covid0", "well", "duplicate-other-class", ERROR),
    ],
)
def test_copies_are_found(patient, label, code, severity):
    data = clean()
    copy = replace(data[0], case=Case("copy", patient, (label,), date="2012-01-01"))
    report = check([*data, copy])
    assert codes(report)[code] is severity
    assert set(next(one for one in report.findings if one.code == code).studies) == {"covid0", "copy"}


def test_half_of_a_study_is_a_copy_and_one_slice_is_not():
    data = clean()
    slices = sorted(data[0].content.slices)
    for count, found in ((5, True), (1, False)):
        own = {f"own{i}".encode() for i in range(10 - count)}
        part = replace(data[1], content=Content("part", frozenset(slices[:count]) | own))
        assert ("duplicate-other-patient" in codes(check([data[0], part, *data[2:]]))) is found


def test_a_patient_on_both_sides_of_the_given_split_blocks():
    data = clean()
    torn = [replace(data[0].case, split="train"), replace(data[1].case, split="test", patient="patient covid0")]
    report = check([*(replace(d, case=c) for d, c in zip(data, torn, strict=False)), *data[2:]])
    found = [one for one in report.findings if one.severity is ERROR]
    assert [(one.code, one.studies) for one in found] == [("patient-on-both-sides", ("covid0", "covid1"))]
    assert "patient covid0" in found[0].text and report.split is None


def test_a_split_made_elsewhere_is_checked_too():
    data = clean()
    data[1] = replace(data[1], case=replace(data[1].case, patient="patient covid0"), content=data[0].content)
    ids = [one.study for one in data]

    def careless(cases):
        return Split(tuple(ids[:1] + ids[2:]), (ids[1],), ())

    found = codes(check(data, request=Request(divide=careless)))
    assert found["patient-on-both-sides"] is found["duplicate-across-split"] is ERROR
    assert found["class-missing"] is found["part-empty"] is DOUBT


def test_a_class_missing_from_training_blocks():
    data = [replace(d, case=replace(d.case, split="test" if "well" in d.study else "train")) for d in clean()]
    report = check(data)
    assert report.blocked and codes(report)["class-missing"] is ERROR
    assert any(one.text == "The class well is missing from the part train." for one in report.findings)


def test_few_patients_are_told_by_how_few():
    data = clean()
    data[:2] = [replace(d, case=replace(d.case, classes=("rare",))) for d in data[:2]]
    assert codes(check(data))["too-few"] is ERROR
    assert codes(check(clean(6)))["too-few"] is DOUBT and codes(check(clean(6)))["cross-validation"] is INFO
    one_split = check(clean(6), request=Request(cross_validation="never"))
    assert codes(one_split)["few-patients"] is INFO and "cross-validation" not in codes(one_split)
    assert codes(check(clean(), request=Request(cross_validation="always")))["cross-validation"] is INFO
    assert codes(check(clean()[:30]))["one-class"] is ERROR


def test_classes_that_differ_in_spelling_are_doubted():
    data = clean()
    data[:10] = [replace(d, case=replace(d.case, classes=("Covid",))) for d in data[:10]]
    assert codes(check(data))["classes-alike"] is DOUBT


def test_a_shortcut_wants_a_tick():
    data = [replace(d, manufacturer="Bolt" if "well" in d.study else "ACME") for d in clean()]
    report = check(data, list(find_shortcuts(data)))
    found = [one.text for one in report.doubts if one.code == "shortcut"]
    assert any("by manufacturer alone" in text for text in found) and not report.blocked
    table = next(t for t in report.tables if t.fact == "manufacturer")
    assert table.counts == ((30, 0), (0, 30))


def test_a_split_by_time_without_dates_blocks_in_words():
    data = clean()
    data[3] = replace(data[3], case=replace(data[3].case, date=""))
    report = check(data, request=Request(divide=split_by_time))
    assert report.split is None and "date of study covid3" in next(
        one.text for one in report.findings if one.code == "cannot-split"
    )
    assert check(clean(), request=Request(divide=partial(split_by_time, shares=(0.6, 0.2, 0.2)))).split is not None


def test_the_interval_is_that_of_the_part_that_judges():
    widths = check(clean()).widths
    assert {w.part for w in widths} == {"test"} and {w.positives + w.negatives for w in widths} == {9}
    assert all(w.low < w.auc <= w.high for w in widths)
    few = {w.part: w.high - w.low for w in check(clean(12)).widths}
    split = {w.part: w.high - w.low for w in check(clean(12), request=Request(cross_validation="never")).widths}
    assert set(few) == {"cross-validation"} and set(split) == {"test"} and few["cross-validation"] < split["test"]


def test_lines_and_json_say_it_all():
    report = replace(
        altered(modality="MR", manufacturer="<b>"),
        estimate=Estimate(7200.0, 3_000_000_000, 5_000_000, 3),
        baseline=(Metric("AUC-ROC", 0.81, 0.7, 0.9, 8, "studies", "local hold-out"),),
    )
    lines = to_lines(report)
    assert lines[0] == "60 studies of 60 patients: 1 blocking, 0 doubtful."
    assert any(line.startswith("train: covid 21 studies of 21 patients, well 21") for line in lines)
    assert "ERROR: The modality of 1 study is MR; it must be CT. [covid0]" in lines
    assert "  AUC-ROC: 0.81 (0.70 to 0.90) (8 studies, local hold-out)" in lines
    assert lines[-1].startswith("The run takes about 2 hours, 3.0 GB of memory and 5 MB of disk")
    data = json.loads(json.dumps(to_json(report)))
    assert data["blocked"] is True and data["schema"] == 1
    assert data["findings"][0]["severity"] == "error" and data["split"]["train"] and data["tables"][0]["counts"]
    assert from_json(data) == report


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "schema is 2 and this program reads schema 1"),
        ({"studies": "many"}, "studies is 'many'"),
        ({"findings": [{"severity": "fatal", "code": "x", "text": "X."}]}, r"findings\[0\].severity is 'fatal'"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_a_damaged_report_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        from_json(json.loads(json.dumps(to_json(check(clean())))) | change)
    with pytest.raises(ValueError, match="not an object"):
        from_json([])


def step(slices: int) -> StepCost:
    return StepCost(0.5 + 0.01 * slices, 1_000_000 * slices)


def test_time_memory_and_disk_are_reckoned_from_steps():
    events = list(estimate_run(step, [50, 60, 100], [200], RunPlan(10, draws=8, feature_bytes=4096)))
    found = events[-1].value
    assert found.seconds == pytest.approx((8 + 0.2) * (4 * 0.5 + 0.01 * 410)), "epochs 9 and 10 find their draws cached"
    assert found.memory == 200_000_000 and found.disk == (210 * 8 + 200) * 4096 and found.steps == 3
    assert all(isinstance(event, Progress) for event in events[:-1])
    events = list(estimate_run(step, [50, 60, 100], [200], RunPlan(10, square_bytes=1000)))
    assert events[-1].value.disk == 410 * 1000, "prepared slices are kept without cached features too"
    *_, done = estimate_run(step, [50], [20], RunPlan(1, 2, 10, 1000, state_bytes=7), held_out=[30, 40])
    assert done.value.disk == (100 + 90) * 10 + 140 * 1000 + 7
    assert list(estimate_run(step, [50], [], RunPlan(9)))[-1].value.seconds == pytest.approx(9.0)


def test_what_does_not_fit_blocks_and_what_hardly_fits_is_doubted():
    needed = Estimate(1.0, 900, 2_000_000_000, 3)
    found = list(room_findings(needed, RunPlan(1, free_memory=1000, free_disk=1_000_000_000)))
    assert [(one.code, one.severity) for one in found] == [("little-memory", DOUBT), ("little-disk", ERROR)]
    assert list(room_findings(needed, RunPlan(1, free_memory=10_000))) == []


@pytest.fixture
def source(toy):
    """Twelve toy studies with labels; `broken` of them cannot be read."""

    class Labelled(toy):
        broken: tuple[str, ...] = ()

        def ids(self):
            return tuple(f"{p}{i}" for p in "abc" for i in range(8))

        def classes(self, study):
            return (self.label(study),)

        def split(self, study):
            return ""

        def load(self, study):
            if study in self.broken:
                raise InputError(f"{study} is damaged.")
            return super().load(study)

    return Labelled("a", 8, slices=4)


def baseline(studies):
    yield Progress("Judging", 0, len(studies))
    yield Done((Metric("AUC-ROC", 0.7, None, None, len(studies), "studies", "local hold-out"),))


def test_the_whole_of_it_is_a_job_that_reports_and_ends_with_the_report(source, caplog):
    caplog.set_level(logging.DEBUG)
    plan = RunPlan(12, feature_bytes=2048, free_memory=10**10, free_disk=10**10)
    events = list(preflight(source, Request(plan=plan, step=step, baseline=baseline, unlisted=("more",))))
    report = events[-1].value
    assert [e.stage for e in events[:-1] if isinstance(e, Progress)].count("Reading studies") == 24
    assert not report.blocked and report.estimate is not None and report.baseline[0].n == len(report.split.test)
    assert codes(report)["unlisted"] is INFO
    assert not any("patient of" in record.getMessage() for record in caplog.records)


def test_nothing_is_tried_where_something_blocks(source):
    source.broken = ("b3",)
    tried = []
    *_, done = preflight(source, Request(plan=RunPlan(1), step=lambda n: tried.append(n) or step(n), baseline=baseline))
    assert done.value.blocked and done.value.estimate is None and not tried and not done.value.baseline
    assert any(one.text == "A study cannot be read: b3 is damaged." for one in done.value.findings)
    assert "b3" not in {study for part in done.value.split.parts.values() for study in part}
