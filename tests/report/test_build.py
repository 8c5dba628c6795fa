from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ctviewer.core import editing
from ctviewer.core.findings import AnalysisResult, Instance, SliceScore, Verdict
from ctviewer.core.geometry import Geometry, Plane
from ctviewer.core.masks import BoxMask
from ctviewer.core.palette import class_colour
from ctviewer.core.printing import PageSize
from ctviewer.core.read_findings import FindingReader, Origin
from ctviewer.core.reading import Reading
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Window, apply_window
from ctviewer.report import ReportOptions, build_report, pictures, slices
from ctviewer.report.document import Picture
from ctviewer.report.html import render_html
from ctviewer.report.wording import ENGLISH

MakeResult = Callable[..., AnalysisResult]


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.png)) as image:
        assert image.size == (picture.width, picture.height)
        return np.array(image)


def test_top_slices_are_ranked_by_attention(volume: Volume, make_result: MakeResult) -> None:
    document = build_report(volume, make_result(volume), None)
    assert [panel.index for panel in document.top_slices] == [12, 11, 13, 10]
    assert [panel.rank for panel in document.top_slices] == [1, 2, 3, 4]
    first = document.top_slices[0]
    assert (first.citation, first.axis, first.position) == ("Se 3 / Im 12", "z", -240.0)
    assert first.weight is not None and first.times_uniform == pytest.approx(first.weight * 24)
    assert document.top_ranked_by == "attention"


def test_without_a_classifier_the_lesion_area_ranks(volume: Volume, make_result: MakeResult) -> None:
    result = replace(make_result(volume), classification=None)
    document = build_report(volume, result, None, ReportOptions(top=2))
    assert [panel.index for panel in document.top_slices] == [11, 12]
    assert document.top_slices[0].weight == result.lesion_area[11]
    assert document.top_ranked_by == SliceScore.LESION_AREA.value


def test_no_top_slices_where_none_stands_out(volume: Volume, make_result: MakeResult) -> None:
    document = build_report(volume, make_result(volume, lesions=0, flat=True), None)
    assert document.top_slices == ()
    assert document.heat is not None


def test_abstention_prints_no_number(volume: Volume, make_result: MakeResult) -> None:
    document = build_report(volume, make_result(volume, abstains=True), None)
    assert document.abstained and not document.has_output
    assert (document.classification, document.heat, document.lesions, document.top_slices) == (None, None, (), ())


def test_without_analysis_there_are_words_and_key_images(volume: Volume, reading: Reading) -> None:
    reading = replace(reading, comment="c", question="q").with_key_image(reading.slice_digests[5], True)
    document = build_report(volume, None, reading)
    assert (document.comment, document.question) == ("c", "q")
    assert [panel.index for panel in document.key_images] == [5]
    assert document.provenance is None and document.suitability is None and document.top_slices == ()


def test_verdicts_of_this_very_result_count(volume: Volume, make_result: MakeResult, reading: Reading) -> None:
    result = make_result(volume)
    judged = reading.with_result(result).with_verdict(1, Verdict.ACCEPTED).with_verdict(2, Verdict.REJECTED)
    document = build_report(volume, result, judged)
    assert [row.verdict for row in document.lesions] == [Verdict.ACCEPTED, Verdict.REJECTED]
    assert document.top_slices[0].drawn == (1,)  # a rejected lesion is not drawn
    other = replace(result, provenance=replace(result.provenance, finished="2027-01-01T00:00:00+00:00"))
    document = build_report(volume, other, judged)
    assert {row.verdict for row in document.lesions} == {Verdict.PENDING}


def test_lesion_row_tells_slices_as_shown(volume: Volume, make_result: MakeResult) -> None:
    row = build_report(volume, make_result(volume), None).lesions[0]
    # the head is shown first: volume index 13 is Im 11
    assert (row.first, row.last, row.largest, row.slice_count) == ("Se 3 / Im 11", "Se 3 / Im 13", "Se 3 / Im 13", 3)
    assert row.colour == class_colour("consolidation", ("ground glass", "consolidation"))


def test_the_readers_window_wins_over_the_files(volume: Volume, reading: Reading) -> None:
    reading = replace(reading, window=Window(40, 400)).with_key_image(reading.slice_digests[3], True)
    assert build_report(volume, None, reading).key_images[0].window == Window(40, 400)
    chosen = ReportOptions(window=Window(350, 2000))
    assert build_report(volume, None, reading, chosen).key_images[0].window == Window(350, 2000)


def test_a_window_that_hides_the_lesions_is_not_printed(
    volume: Volume, make_result: MakeResult, reading: Reading
) -> None:
    mediastinal = replace(volume, windows=(Window(50, 350), Window(-600, 1200)))
    result = make_result(mediastinal)  # lesions of -311 HU
    assert build_report(mediastinal, result, None).top_slices[0].window == Window(-600, 1200)
    alone = replace(volume, windows=(Window(50, 350),))
    assert build_report(alone, result, None).top_slices[0].window.name == "Lung"
    chosen = replace(reading, window=Window(50, 350))
    assert build_report(alone, result, chosen).top_slices[0].window == Window(50, 350)  # the reader's word counts


def test_printed_grey_is_the_windowed_slice_itself(volume: Volume) -> None:
    window = Window(-600, 1500)
    picture = np.array(slices.picture(volume, 12, window))
    factor = picture.shape[0] // 128
    assert picture.shape == (128 * factor, 128 * factor) and factor == 8
    expected = np.rint(apply_window(volume.hu(12), window) * 255).astype(np.uint8)
    inner = slice(20, 100)  # away from letters and scale bar
    assert np.array_equal(picture[::factor, ::factor][inner, inner], expected[inner, inner])
    assert np.array_equal(picture[factor - 1 :: factor, ::factor][inner, inner], expected[inner, inner])


def test_contours_surround_the_lesion_and_leave_it_visible(volume: Volume, make_result: MakeResult) -> None:
    panel = build_report(volume, make_result(volume, lesions=1), None).top_slices[0]
    assert panel.overlay is not None
    plain, marked = pixels(panel.plain), pixels(panel.overlay)
    changed = (marked != plain[..., None]).any(axis=-1)
    mask = make_result(volume, lesions=1).lesions[0].instances[0].mask.full((128, 128))
    big = np.kron(mask, np.ones((8, 8), bool))
    colour = (marked == class_colour("consolidation", ("ground glass", "consolidation"))).all(axis=-1)
    assert colour.sum() > 100 and not (changed & big).any()
    rows, columns = np.nonzero(big)
    ring = np.zeros_like(big)
    ring[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = True
    assert (colour & ring).sum() > 0.8 * colour.sum()


def test_a_lesion_at_the_border_is_drawn_where_it_is(volume: Volume) -> None:
    edge = np.zeros((128, 128), bool)
    edge[:3, 120:] = True
    mask = BoxMask.from_array(edge)
    assert mask is not None
    black = Image.new("L", slices.print_size(volume))
    drawn = pixels(slices.with_contours(black, volume, [(7, Instance(0, "x", 0.9, mask), (0, 200, 0))]))
    line = (drawn == (0, 200, 0)).all(axis=-1)
    assert line[24:27, 962:980].all() and line[:20, 957:960].all()  # just below it and left of it, in print pixels
    assert not line[:24, 960:980].any() and not line[27:, 962:980].any()


def test_pixels_that_are_not_square_print_in_proportion(volume: Volume) -> None:
    geometry = replace(volume.geometry, pixel_spacing=(2.0, 1.0))
    width, height = slices.print_size(replace(volume, geometry=geometry))
    assert height == 2 * width
    assert max(width, height) == 1024


def test_scale_bar_has_its_length(volume: Volume) -> None:
    black = replace(volume, stored=np.full_like(volume.stored, -1000))
    image = np.array(slices.picture(black, 12, Window(-600, 1500)))
    white = image[image.shape[0] * 9 // 10 :, image.shape[1] // 2 :] == 255
    longest = max(len(run) for row in white for run in "".join("x" if w else " " for w in row).split(" "))
    assert longest == pytest.approx(50.0 / 2.6 * 8, abs=8)  # 5 cm at 2.6 mm per pixel, 8 print pixels each


def test_a_slice_that_could_not_be_decoded_says_so(volume: Volume, reading: Reading) -> None:
    failed = np.zeros(volume.slice_count, bool)
    failed[5] = True
    broken = replace(volume, failed=failed)
    image = np.array(slices.picture(broken, 5, Window(-600, 1500)))
    middle = image[image.shape[0] // 2 - 30 : image.shape[0] // 2 + 30]
    assert (middle > 200).any() and np.median(image) == 0


def test_only_slices_that_lost_detail_are_called_lossy(volume: Volume, make_result: MakeResult) -> None:
    refs = tuple(replace(ref, lossy=index == 12) for index, ref in enumerate(volume.series.slices))
    mixed = replace(volume, series=replace(volume.series, slices=refs))
    window = Window(-600, 1500)
    same = [np.array_equal(slices.picture(volume, i, window), slices.picture(mixed, i, window)) for i in (12, 11)]
    assert same == [True, False]
    document = build_report(mixed, make_result(mixed), None)
    assert [panel.index for panel in document.top_slices] == [12, 11, 13, 10]
    assert pictures.top_slices(document, 600, ENGLISH).count(ENGLISH.lossy) == 1


def test_without_positions_nothing_is_guessed(volume: Volume, make_result: MakeResult) -> None:
    flat = replace(volume, geometry=Geometry(volume.geometry.shape, None))
    panel = build_report(flat, make_result(flat), None).top_slices[0]
    assert (panel.axis, panel.position) == ("", None)
    assert flat.geometry.plane is Plane.UNKNOWN


def test_the_place_of_a_tilted_slice_is_that_of_its_middle(volume: Volume, reading: Reading) -> None:
    flat = volume.geometry
    tilt = np.radians(15.0)
    tilted = replace(volume, geometry=replace(flat, column_cosines=(0.0, float(np.cos(tilt)), float(np.sin(tilt)))))
    panel = build_report(tilted, None, reading.with_key_image(reading.slice_digests[3], True)).key_images[0]
    middle = tilted.geometry.point(3, (flat.shape[1] - 1) / 2, (flat.shape[2] - 1) / 2)
    assert middle is not None and flat.origins is not None
    assert (panel.index, panel.position) == (3, pytest.approx(middle[2]))
    assert panel.position != pytest.approx(flat.origins[3][2])


def disc(row: float, column: float, radius: float = 0.03, size: int = 128) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size] / size
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def test_corrections_and_drawings_stand_in_the_report_measured_anew(volume, make_result):
    result = make_result(volume)
    digests = tuple(volume.slice_digest(i) for i in range(volume.slice_count))
    reading = Reading("1.2.3", "1.2.3", digests).with_result(result)
    index = result.lesions[0].slices[0]
    reading = editing.paint(reading, 1, index, disc(0.3, 0.3), take=True).reading
    reading = editing.relabel(reading, 2, "ground glass").reading
    reading = editing.draw(reading, "tree in bud", 3, disc(0.5, 0.3), "").reading
    reading = editing.review(reading, [3, 4], on=True).reading
    document = build_report(volume, result, reading)
    rows = {row.lesion_id: row for row in document.lesions}
    assert list(rows) == [1, 2, -1]
    first = FindingReader(volume).read(reading, reading.latest)[0].lesion
    assert rows[1].origin is Origin.CORRECTED and rows[1].volume_ml == first.volume_ml != result.lesions[0].volume_ml
    assert (rows[2].label, rows[2].model_label) == ("ground glass", result.lesions[1].label)
    assert rows[-1].origin is Origin.DRAWN and rows[-1].first == volume.citation(3)
    assert document.reviewed == (2, volume.slice_count)
    text = render_html(document, PageSize.A4)
    for wanted in ("Drawn by the reader (1)", "D1", "tree in bud", "(model: consolidation)", "(corrected)"):
        assert wanted in text
    assert f"The reader marked 2 of {volume.slice_count} slices as completely reviewed." in text


def test_what_was_drawn_without_an_analysis_is_printed_with_its_outlines(volume):
    digests = tuple(volume.slice_digest(i) for i in range(volume.slice_count))
    reading = editing.draw(Reading("1.2.3", "1.2.3", digests), "nodule", 3, disc(0.5, 0.3), "").reading
    document = build_report(volume, None, reading)
    assert not document.has_output and [row.lesion_id for row in document.lesions] == [-1]
    (panel,) = document.top_slices
    assert panel.index == 3 and panel.drawn == (-1,) and panel.overlay != panel.plain
    text = render_html(document, PageSize.A4)
    assert "Drawn by the reader (1)" in text and "Top slices by lesion area" in text
    assert "The model marked no lesion" not in text


def test_an_erased_slice_loses_its_outline(volume, make_result):
    result = make_result(volume, lesions=1)
    digests = tuple(volume.slice_digest(i) for i in range(volume.slice_count))
    reading = Reading("1.2.3", "1.2.3", digests).with_result(result)
    top = build_report(volume, result, reading).top_slices[0]
    assert top.drawn == (1,)
    erased = editing.erase_slice(reading, 1, top.index).reading
    again = next(p for p in build_report(volume, result, erased).top_slices if p.index == top.index)
    assert again.drawn == ()
