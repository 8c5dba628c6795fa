"""What is kept of a study, and what makes two studies one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Study
from ctviewer.core.volume import Volume
from ctviewer.training.preflight.facts import content_of, data_sha256, read_facts


@pytest.fixture
def volume(toy) -> Volume:
    return toy("a", 2).load("a1")[0]


def labelled(toy, **changes):
    """A toy source that says what labels say, with other series attributes."""

    class Labelled(toy):
        def classes(self, study):
            return (self.label(study),)

        def split(self, study):
            return "train"

        def load(self, study):
            volume, labels = super().load(study)
            return replace(volume, series=replace(volume.series, **changes)), labels

    return Labelled("a", 2)


def test_facts_are_what_the_series_says(toy):
    source = labelled(
        toy, manufacturer="ACME", kernel="LUNG", thickness=1.25, contrast_agent="IV", study=Study(date="20240131")
    )
    facts = read_facts(source, "a1")
    assert (facts.case.patient, facts.case.classes, facts.case.split) == ("patient of a1", ("sick",), "train")
    assert (facts.modality, facts.plane, facts.unit, facts.slices, facts.failed) == ("CT", "axial", "HU", 9, 0)
    assert (facts.manufacturer, facts.kernel, facts.thickness, facts.contrast) == ("ACME", "LUNG", 1.25, True)
    assert facts.field_of_view == 320.0 and facts.case.date == "2024-01-31" and not facts.error
    assert facts.air == pytest.approx(-895, abs=30) and facts.tissue == pytest.approx(40, abs=15)


def test_a_date_that_is_none_is_not_known(toy):
    assert read_facts(labelled(toy, study=Study(date="2024")), "a0").case.date == ""


def test_bone_that_is_left_where_values_lie_1024_too_low_is_no_soft_tissue(toy):
    """An intercept applied twice: only bone of more than 724 HU lies above -300, where soft tissue should."""

    class TooLow(type(labelled(toy))):
        def load(self, study):
            volume, labels = super().load(study)
            stored = volume.stored.copy()
            stored[:, :2, :20] = 1000
            return replace(volume, stored=stored - 1024), labels

    assert read_facts(TooLow("a", 2), "a1").tissue is None
    assert read_facts(labelled(toy), "a1").tissue is not None


@pytest.mark.parametrize(
    ("error", "text"), [(InputError("x.dcm is damaged."), "x.dcm is damaged."), (OSError(5, "I/O"), "I/O")]
)
def test_what_cannot_be_read_says_why(toy, error, text):
    source = labelled(toy)

    def load(_study):
        raise error

    source.load = load
    facts = read_facts(source, "a0")
    assert text in facts.error and facts.case.patient == "patient of a0"


def test_copies_in_other_axes_and_scales_have_one_content(volume):
    first = content_of(volume)
    n, rows, columns = volume.stored.shape
    flipped = Geometry(
        (n, rows, columns), volume.geometry.origins, (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), volume.geometry.pixel_spacing
    )
    turned = replace(
        volume, stored=volume.stored[:, ::-1, ::-1] + np.int16(1024), geometry=flipped, intercept=np.full(n, -1024.0)
    )
    assert content_of(turned) == first
    changed = volume.stored.copy()
    changed[2, 3, 4] += 1
    other = content_of(replace(volume, stored=changed))
    assert other.sha256 != first.sha256 and len(other.slices & first.slices) == n - 1


def test_empty_slices_make_no_two_studies_alike(volume):
    assert content_of(replace(volume, stored=np.zeros_like(volume.stored))).slices == frozenset()


def test_the_hash_of_the_data_knows_ids_classes_and_pixels(toy):
    facts = [read_facts(labelled(toy), study) for study in ("a0", "a1")]
    first = data_sha256(facts)
    assert first == data_sha256(facts[::-1]) and len(first) == 64
    assert first != data_sha256(facts[:1])
    renamed = replace(facts[0], case=replace(facts[0].case, classes=("other",)))
    assert first != data_sha256([renamed, facts[1]])
