"""Findings as the reader left them, measured like the model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctviewer.core import editing
from ctviewer.core.corrections_json import corrections_in, corrections_out, marks_in, marks_out, mask_out
from ctviewer.core.errors import InputError
from ctviewer.core.findings import AnalysisResult, Instance, Provenance, Suitability, Verdict
from ctviewer.core.geometry import Geometry
from ctviewer.core.lesions import find_lesions, lesion_area
from ctviewer.core.masks import BoxMask
from ctviewer.core.read_findings import FindingReader, Origin, area_as_read, finding_name, shown_classes
from ctviewer.core.reading import Reading
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.core.volume import Volume


def make_volume(spacing=(0.5, 2.0)) -> Volume:
    stored = np.full((4, 24, 24), -800, np.int16)
    stored[1:3, 4:10, 4:10] = -500
    origins = np.stack([np.zeros(4), np.zeros(4), 3.0 * np.arange(4)], 1)
    geometry = Geometry(stored.shape, origins, pixel_spacing=spacing)
    refs = tuple(SliceRef(Path(f"{i}.dcm")) for i in range(4))
    series = Series("k", "1.2", "CT", Patient(), Study("1"), refs, 24, 24)
    return Volume(series, geometry, stored, np.ones(4), np.zeros(4))


@pytest.fixture
def volume() -> Volume:
    return make_volume()


@pytest.fixture
def reading(volume) -> Reading:
    digests = tuple(volume.slice_digest(i) for i in range(4))
    mask = np.zeros((24, 24), bool)
    mask[4:10, 4:10] = True
    found = tuple(Instance(i, "GGO", 0.9, BoxMask.from_array(mask)) for i in (1, 2))
    area, unit = lesion_area(found, volume.geometry, np.array([True, True, True, False]))
    made = Provenance((), "cpu", "float32", "p", "2026-01-01T00:00:00+00:00", 1.0)
    result = AnalysisResult("k", "1.2", digests, Suitability(()), None, find_lesions(volume, found), area, unit, made)
    return Reading("k", "1.2", digests).with_result(result)


def stroke(top, left, height, width) -> np.ndarray:
    mask = np.zeros((24, 24), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_untouched_findings_are_the_models_own(volume, reading):
    (finding,) = FindingReader(volume).read(reading, reading.latest)
    assert finding.lesion is reading.latest.result.lesions[0]
    assert (finding.origin, finding.verdict, finding.model_label) == (Origin.MODEL, Verdict.PENDING, "")


def test_a_changed_outline_is_measured_anew(volume, reading):
    edited = editing.paint(reading, 1, 1, stroke(4, 10, 6, 4)).reading
    (finding,) = FindingReader(volume).read(edited, edited.latest)
    assert finding.origin is Origin.CORRECTED and finding.verdict is Verdict.ACCEPTED
    pixels = [(1, r, c) for r in range(4, 10) for c in range(4, 14)] + [
        (2, r, c) for r in range(4, 10) for c in range(4, 10)
    ]
    assert finding.lesion.volume_ml == pytest.approx(len(pixels) * 0.5 * 2.0 * 3.0 / 1000)
    assert finding.lesion.mean_hu == pytest.approx(np.mean([volume.hu(s)[r, c] for s, r, c in pixels]))
    assert finding.lesion.diameter_mm > reading.latest.result.lesions[0].diameter_mm
    assert finding.lesion.lesion_id == 1 and finding.lesion.score == 0.9


def test_a_changed_class_is_told_beside_the_models(volume, reading):
    edited = editing.relabel(reading, 1, "consolidation").reading
    (finding,) = FindingReader(volume).read(edited, edited.latest)
    assert (finding.lesion.label, finding.model_label) == ("consolidation", "GGO")
    assert {i.label for i in finding.lesion.instances} == {"consolidation"}
    assert shown_classes(("background", "lung", "GGO"), [finding]) == ("background", "lung", "GGO", "consolidation")


def test_drawn_findings_stand_beside_and_without_an_analysis(volume, reading):
    drawn = editing.draw(reading, "other", 3, stroke(14, 14, 4, 4), "now").reading
    found = FindingReader(volume).read(drawn, drawn.latest)
    assert [f.lesion.lesion_id for f in found] == [1, -1]
    assert found[1].lesion.volume_ml == pytest.approx(16 * 3.0 / 1000) and found[1].counts
    alone = FindingReader(volume).read(drawn, None)
    assert [f.origin for f in alone] == [Origin.DRAWN]
    assert FindingReader(volume).read(None, None) == ()
    assert (finding_name(3), finding_name(-2)) == ("3", "D2")


def test_the_area_lane_follows_the_reader(volume, reading):
    model = reading.latest.result.lesion_area
    reader = FindingReader(volume)
    same, unit = area_as_read(reader.read(reading, reading.latest), volume, model)
    assert unit == "mm2" and np.array_equal(same, model, equal_nan=True)
    edited = editing.paint(reading, 1, 1, stroke(4, 10, 6, 4)).reading
    edited = editing.draw(edited, "other", 3, stroke(14, 14, 4, 4), "now").reading
    area, _ = area_as_read(reader.read(edited, edited.latest), volume, model)
    assert area.tolist() == [0.0, 60.0, 36.0, 16.0]
    rejected = editing.judge(edited, 1, Verdict.REJECTED).reading
    area, _ = area_as_read(reader.read(rejected, rejected.latest), volume, model)
    assert area.tolist() == [0.0, 0.0, 0.0, 16.0]
    assert area_as_read((), volume, None)[0] is None


def test_without_spacing_there_are_pixels_only():
    flat = make_volume(spacing=None)
    reading = Reading("k", "1.2", tuple(flat.slice_digest(i) for i in range(4)))
    drawn = editing.draw(reading, "other", 3, stroke(14, 14, 4, 4), "now").reading
    (finding,) = FindingReader(flat).read(drawn, None)
    assert finding.lesion.volume_ml is None and finding.lesion.diameter_mm is None
    area, unit = area_as_read([finding], flat, None)
    assert unit == "px" and area[3] == 16 and np.isnan(area[:3]).all()


def test_json_gives_back_what_was_kept(reading):
    edited = editing.paint(reading, 1, 1, stroke(4, 10, 6, 4)).reading
    edited = editing.erase_slice(edited, 1, 2).reading
    edited = editing.draw(edited, "other", 3, stroke(14, 14, 4, 4), "now").reading
    edited = editing.review(edited, [0], on=True).reading
    assert corrections_in(corrections_out(edited.latest.corrections)) == edited.latest.corrections
    assert marks_in(marks_out(edited.marks)) == edited.marks


@pytest.mark.parametrize(
    "break_it",
    [
        lambda m: m.pop("bits"),
        lambda m: m.update(bits="?"),
        lambda m: m.update(bits=""),
        lambda m: m.update(top=-1),
        lambda m: m.update(height=0),
    ],
)
def test_damaged_json_is_refused(break_it):
    mask = mask_out(BoxMask.from_array(stroke(1, 1, 2, 2)))
    break_it(mask)
    with pytest.raises(InputError, match="damaged"):
        corrections_in({"1": {"label": "", "outlines": {"0": mask}}})
    with pytest.raises(InputError, match="damaged"):
        marks_in({"drawn": [{"number": 1, "label": "a", "drawn_at": "", "outlines": {"d": mask}}]})
    for nonsense in (3, [1], {"x": 1}, {"1": []}):
        with pytest.raises(InputError, match="damaged"):
            corrections_in(nonsense)
