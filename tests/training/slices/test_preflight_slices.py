"""One fault a test: what pre-flight says of labelled slices."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest

from ctviewer.core.events import Done, Progress
from ctviewer.training.config import ModelConfig
from ctviewer.training.preflight.estimates import RunPlan
from ctviewer.training.preflight.report import Estimate, Severity, from_json, to_json, to_lines
from ctviewer.training.preflight.slices import SliceRequest, preflight_slices
from ctviewer.training.slices.two_sources import Part, TwoSources
from ctviewer.training.splits import split_stratified

CLASSES = ("control", "COVID-19")


@pytest.fixture
def clean(made_set, made_slices):
    """Lesions of twelve patients, and as many patients of each image class; every third patient is in each of the parts."""

    def make(lesions=None, images=None, patients=12, **changes):
        outlined = {f"a{i}": made_slices(i) for i in range(patients)} | (lesions or {})
        classed = {f"b{i}": made_slices(100 + i, 2, (CLASSES[i % 2],) * 2, labelled=False) for i in range(2 * patients)}
        classed |= images or {}
        return TwoSources(
            [Part(made_set(_left(outlined), changes.pop("lesion_patients", {}), changes.pop("lesion_splits", {})))],
            [Part(made_set(_left(classed), changes.pop("image_patients", {}), changes.pop("image_splits", {})))],
            **changes,
        )

    return make


def _left(scans):
    return {name: scan for name, scan in scans.items() if scan is not None}


def checked(source, **request):
    told = SliceRequest(**{"model": ModelConfig(negative_class="control"), "size": 64, "cross_validation": "never", **request})  # fmt: skip
    *progress, last = preflight_slices(source, told)
    assert all(isinstance(event, Progress) for event in progress) and isinstance(last, Done)
    assert from_json(json.loads(json.dumps(to_json(last.value)))) == last.value
    return last.value


def codes(report, severity=None):
    return {one.code for one in report.findings if severity in (None, one.severity)}


def finding(report, code):
    return next(one for one in report.findings if one.code == code)


def test_clean_data_have_nothing_against_them(clean):
    source = clean()
    report = checked(source)
    assert codes(report) == {"few-patients"} and not report.blocked
    assert report.unit == "scan" and report.studies == 36 and report.patients == 36
    assert report.outlined == ("consolidation", "ground glass", "lung") and report.slice_classes == (
        "COVID-19",
        "control",
    )
    assert sum(report.slices.values()) == 12 * 3 + 24 * 2 and {"train/lesions", "val/images"} <= set(report.slices)
    split = report.split
    assert sorted((*split.train, *split.validation, *split.test)) == sorted(source.ids())
    for part in (split.train, split.validation, split.test):
        assert {source.classes(scan)[0] for scan in part} == {"lesions", *CLASSES}
    assert set(report.study_sha256) == set(source.ids()) and set(report.data_sha256) == {"train", "val", "test"}
    amounts = {table.fact: table for table in report.tables}
    slices, outlines = amounts["slices of a class"], amounts["outlines of"]
    assert slices.classes == ("COVID-19", "control") and np.sum(slices.counts, axis=0).tolist() == [24, 24]
    assert outlines.classes == ("consolidation", "ground glass", "lung") and np.sum(outlines.counts, axis=0).tolist() == [12, 12, 36]  # fmt: skip
    assert to_lines(report)[0] == "36 scans of 36 patients: nothing blocks the run, 0 doubtful."
    assert any(line.startswith("train: COVID-19 ") and "lesions" in line for line in to_lines(report))


def test_a_scan_that_cannot_be_read_is_named(clean):
    report = checked(clean(lesions={"broken": "The file x.png could not be read: it is cut short."}))
    told = finding(report, "unreadable")
    assert told.severity is Severity.ERROR and told.studies == ("lesions/0/broken",) and "x.png" in told.text
    assert "lesions/0/broken" not in {scan for part in report.split.parts.values() for scan in part}


def test_classes_that_the_run_has_not_are_refused_unless_they_are_merged(clean, made_slices):
    other = made_slices(50, classes=("background", "lung", "infection"))
    wanted = ModelConfig(classes=("background", "lung", "ground glass", "consolidation"), negative_class="control")
    told = finding(checked(clean(lesions={"x": other}), model=wanted), "classes")
    assert told.severity is Severity.ERROR and "infection" in told.text and "model.merge" in told.text
    merge = {"ground glass": "infection", "consolidation": "infection"}
    report = checked(clean(lesions={"x": other}, merge=merge))
    assert not report.blocked and report.outlined == ("infection", "lung")
    images = ModelConfig(image_classes=("control", "pneumonia"), negative_class="control")
    assert "COVID-19" in finding(checked(clean(), model=images), "classes").text
    assert not checked(clean(merge={"COVID-19": "pneumonia"}), model=images).blocked


def test_no_lesions_at_all_block_and_classes_nobody_shows_are_doubted(clean, made_slices):
    lungs = {f"a{i}": made_slices(i, classes=("background", "lung")) for i in range(12)}
    assert codes(checked(clean(lesions=lungs)), Severity.ERROR) == {"no-lesions"}
    wanted = ModelConfig(classes=("background", "lung", "ground glass", "consolidation", "nodule"), negative_class="control")  # fmt: skip
    assert finding(checked(clean(), model=wanted), "class-unseen").text.startswith("No slice shows nodule")


def test_small_outlines_are_counted_and_a_class_of_them_alone_is_doubted(clean, made_slices):
    def shrunk(i):
        one = made_slices(i, side=96)
        labels = np.where(one.labels == 3, 1, one.labels).astype(np.uint8)
        labels[1, 30, 30] = 3
        labels[1, 20, 30:34] = 2
        return dataclasses.replace(one, labels=labels)

    report = checked(clean(lesions={f"a{i}": shrunk(i) for i in range(12)}), size=96)
    assert "consolidation" in finding(report, "class-too-small").text
    small = [one.text for one in report.findings if one.code == "small-outlines"]
    assert len(small) == 1 and small[0].startswith("12 of 12 outlines of consolidation have fewer than 4 pixels")


def test_what_is_not_complete_is_told(clean, made_slices):
    partly = {f"a{i}": made_slices(i, complete=False) for i in range(12)}
    assert finding(checked(clean(lesions=partly)), "none-complete").severity is Severity.DOUBT
    report = checked(clean(lesions={"a0": made_slices(0, complete=False)}))
    assert finding(report, "incomplete-slices").text.startswith("3 of 36 slices are not complete")


def test_a_set_that_outlines_fewer_classes_is_named(made_set, made_slices):
    lungs = made_set({f"a{i}": made_slices(i) for i in range(12)})
    classes = ("background", "ground glass", "consolidation", "nodule")
    other = made_set({f"c{i}": made_slices(i + 40, classes=classes) for i in range(12)})
    report = checked(TwoSources([Part(lungs), Part(other)]), model=ModelConfig())
    told = [one.text for one in report.findings if one.code == "classes-lacking"]
    assert told == [
        f"{name} does not outline {lacking}: what is unmarked on its complete slices may be that, and is learned to be none "
        "of the other classes."
        for name, lacking in (("lesions[1]", "nodule"), ("lesions[2]", "lung"))
    ]


def test_lungs_that_nobody_drew_on_healthy_slices_are_told(made_set, made_slices):
    """As a reader's complete review leaves them: nothing is marked, and the legend would have lungs."""
    outlined, healthy = made_slices(0), made_slices(40)
    healthy = dataclasses.replace(healthy, labels=np.zeros_like(healthy.labels))
    sets = [Part(made_set({"a": outlined})), Part(made_set({"h": healthy}))]
    told = [
        one.text for one in checked(TwoSources(sets), model=ModelConfig()).findings if one.code == "classes-lacking"
    ]
    assert len(told) == 1 and told[0].startswith("lesions[2] does not outline lung:")


def test_accepted_output_of_a_model_learns_and_never_judges(clean, made_slices):
    accepted = {f"a{i}": made_slices(i, origin="f" * 64) for i in range(6)}
    report = checked(clean(lesions=accepted))
    assert set(report.train_only) == {f"lesions/0/a{i}" for i in range(6)} <= set(report.split.train)
    assert finding(report, "accepted-output").severity is Severity.INFO
    told = finding(checked(clean(lesions=accepted, lesion_splits={"a1": "test"})), "accepted-output-judges")
    assert told.severity is Severity.ERROR and told.studies == ("lesions/0/a1",)


def test_a_patient_given_to_both_sides_blocks_even_across_kinds(clean):
    report = checked(
        clean(lesion_patients={"a0": "P"}, image_patients={"b0": "P"}, lesion_splits={"a0": "train"}, image_splits={"b0": "test"})
    )  # fmt: skip
    assert codes(report, Severity.ERROR) == {"patient-on-both-sides"} and report.split is None
    kept = checked(clean(lesion_patients={"a0": "P"}, image_patients={"b0": "P"}, image_splits={"b0": "test"}))
    assert {"lesions/0/a0", "images/0/b0"} <= set(kept.split.test)


def test_equal_images_may_be_on_one_side_alone(clean, made_slices):
    copy = dataclasses.replace(made_slices(100, 2, ("control",) * 2, labelled=False), names=("x", "y"))
    both = clean(images={"copy": copy}, image_splits={"b0": "train", "copy": "test"})
    report = checked(both)
    assert finding(report, "duplicate-across-split").severity is Severity.ERROR
    assert finding(report, "duplicate-other-patient").severity is Severity.DOUBT
    one = clean(images={"copy": copy}, image_patients={"b0": "P", "copy": "P"})
    assert codes(checked(one)) == {"few-patients", "duplicate"}
    other = dataclasses.replace(copy, image_classes=("COVID-19",) * 2)
    one = clean(images={"copy": other}, image_patients={"b0": "P", "copy": "P"})
    assert "duplicate-other-class" in codes(checked(one), Severity.ERROR)


def test_lesions_and_classes_of_the_same_scans_are_no_duplicates(made_set, made_slices):
    own = made_set({f"s{i}": made_slices(i, 3, (CLASSES[i % 2],) * 3) for i in range(24)})
    report = checked(TwoSources([Part(own)], [Part(own)]))
    assert codes(report) == {"few-patients"} and report.patients == 24
    for scans in report.split.parts.values():
        assert {scan.partition("/")[2] for scan in scans if scan.startswith("lesions")} == {
            scan.partition("/")[2] for scan in scans if scan.startswith("images")
        }


def test_too_few_patients_and_one_class(clean, made_slices):
    few = clean(patients=2)
    assert [one.text for one in checked(few).findings if one.code == "too-few"][-1].startswith(
        "Outlined lesions are of 2"
    )
    assert finding(checked(clean(patients=4)), "too-few").severity is Severity.DOUBT
    assert "one-class" in codes(checked(clean(merge={"control": "COVID-19"})), Severity.ERROR)


def test_a_lesion_of_two_patients_is_doubted(clean, made_slices):
    def without(i):
        one = made_slices(i)
        return dataclasses.replace(one, labels=np.where(one.labels == 3, 1, one.labels).astype(np.uint8))

    report = checked(clean(lesions={f"a{i}": without(i) for i in range(2, 12)}))
    assert finding(report, "too-few-outlines").text.startswith("Outlines of consolidation are of 2 patients")


def test_pictures_of_an_unknown_window_and_mixed_units_are_doubted(clean, made_slices):
    pictures = {f"b{i}": made_slices(100 + i, 2, (CLASSES[i % 2],) * 2, labelled=False, unit="grey") for i in range(24)}
    report = checked(clean(images=pictures))
    assert {"window-unknown", "units-mixed"} <= codes(report, Severity.DOUBT)


def test_values_that_are_no_chest_and_sizes_are_told(clean, made_slices):
    one = made_slices(0)
    report = checked(clean(lesions={"a0": dataclasses.replace(one, pixels=one.pixels + 1500)}))
    assert finding(report, "hu-out-of-range").studies == ("lesions/0/a0",)
    report = checked(clean(lesions={"a0": made_slices(0, side=56)}), size=100)
    assert "48 x 48 (35 scans) and 56 x 56 (1 scan)" in finding(report, "sizes").text
    assert len(finding(report, "small-matrix").studies) == 35


def test_scans_that_teach_nothing_are_left_out(clean, made_slices):
    report = checked(
        clean(lesions={"empty": made_slices(labelled=False)}, images={"none": made_slices(200, labelled=False)})
    )
    assert finding(report, "no-lesions" if "no-lesions" in codes(report, Severity.INFO) else "").studies == (
        "lesions/0/empty",
    )
    assert "1 scan of the images has no class" in finding(report, "no-images").text
    assert (
        "lesions/0/empty" not in {scan for part in report.split.parts.values() for scan in part} and not report.blocked
    )


def test_the_set_alone_tells_the_class(made_set, made_slices):
    lesions = made_set({f"a{i}": made_slices(i) for i in range(12)})
    sets = [
        made_set({f"b{i}": made_slices(100 * k + i, 2, (name,) * 2, labelled=False) for i in range(12)})
        for k, name in enumerate(CLASSES, 1)
    ]
    report = checked(TwoSources([Part(lesions)], [Part(one) for one in sets]))
    assert "told by set alone" in finding(report, "shortcut").text
    table = next(table for table in report.tables if table.fact == "set")
    assert table.rows == ("images[1]", "images[2]") and table.counts == ((0, 12), (12, 0))


def test_classes_that_differ_in_spelling_and_an_unnamed_negative(clean, made_slices):
    images = {f"c{i}": made_slices(300 + i, 2, ("covid 19",) * 2, labelled=False) for i in range(10)}
    report = checked(clean(images=images), model=ModelConfig())
    assert "COVID-19 and covid 19" in finding(report, "classes-alike").text
    assert finding(report, "no-negative-class").severity is Severity.DOUBT


def test_few_patients_are_judged_by_cross_validation(clean):
    report = checked(clean(), cross_validation="auto")
    assert "repeated cross-validation (36 patients" in finding(report, "cross-validation").text


def test_steps_are_timed_where_nothing_blocks(clean, made_slices):
    asked = []

    def costs(report):
        asked.append(report.split)
        yield Progress("Timing steps", 0, 1)
        yield Done(Estimate(600.0, 1 << 30, 1 << 20, 4))

    plan = RunPlan(1, free_memory=1 << 29)
    report = checked(clean(), plan=plan, costs=costs)
    assert report.estimate.seconds == 600 and "little-memory" in codes(report, Severity.ERROR) and len(asked) == 1
    checked(clean(lesions={"x": "broken."}), plan=plan, costs=costs)
    assert len(asked) == 1


def test_the_split_follows_the_seed_and_what_is_asked_for(clean):
    splits = [checked(clean(), divide=partial(split_stratified, shares=(0.5, 0.25, 0.25), seed=s)).split for s in (0, 0, 1)]  # fmt: skip
    assert splits[0] == splits[1] != splits[2] and len(splits[0].train) == 18


def test_a_set_that_does_not_know_its_patients_is_doubted(made_set, made_slices):
    lesions = made_set({f"a{i}": made_slices(i) for i in range(12)})
    lesions.patients_known = False
    told = finding(checked(TwoSources([Part(lesions)]), model=ModelConfig()), "patients-unknown")
    assert told.severity is Severity.DOUBT and told.text.startswith("lesions[1] does not say which slices are of one")


def test_classes_of_slices_that_the_base_tells_are_not_lost_in_silence(made_set, made_slices, tiny_one_shot):
    base = dataclasses.replace(tiny_one_shot.metadata, classes=("background", "lung", "ground glass", "consolidation"))
    lesions = [Part(made_set({f"a{i}": made_slices(i) for i in range(12)}))]
    told = finding(checked(TwoSources(lesions), model=ModelConfig(), base=base), "slice-classes-lost")
    assert told.severity is Severity.DOUBT and "(clear, pneumonia, covid) is lost" in told.text
    plain = dataclasses.replace(base, image_classes=(), negative_class="")
    assert "slice-classes-lost" not in codes(checked(TwoSources(lesions), model=ModelConfig(), base=plain))


def test_how_many_slices_a_scan_has_is_no_shortcut_for_a_model_of_single_slices(clean, made_slices):
    longer = {f"b{i}": made_slices(100 + i, 2 + 3 * (i % 2), (CLASSES[i % 2],) * (2 + 3 * (i % 2)), labelled=False) for i in range(24)}  # fmt: skip
    report = checked(clean(images=longer))
    assert report.slices["train/images"] > 24 and "shortcut" not in codes(report)
