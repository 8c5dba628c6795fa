from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ctviewer.core.findings import AnalysisResult, Suitability, Verdict
from ctviewer.core.label import StudyLabel
from ctviewer.core.printing import PageSize
from ctviewer.core.reading import Reading
from ctviewer.core.series import Patient
from ctviewer.core.volume import Volume
from ctviewer.report import ReportDocument, build_report, print_job, render_html
from ctviewer.report.legible import with_codes

MakeResult = Callable[..., AnalysisResult]
HOSTILE = '<script>alert("&")</script>'


class _Reader(HTMLParser):
    """Collects tags and the text between them; fails on tags that do not match."""

    VOID = ("img", "br", "meta")

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> tuple[set[str], str]:
    reader = _Reader()
    reader.feed(html)
    assert reader.open == []
    return reader.tags, " ".join(" ".join(reader.words).split())


@pytest.fixture
def document(volume: Volume, make_result: MakeResult, reading: Reading) -> ReportDocument:
    result = make_result(volume, lesions=3)
    reading = replace(reading, question="Pneumonia?", comment="Left lower lobe.")
    reading = reading.with_result(result).with_verdict(1, Verdict.ACCEPTED).with_verdict(2, Verdict.REJECTED)
    return build_report(volume, result, reading.with_key_image(reading.slice_digests[5], True))


def test_all_parts_are_told(document: ReportDocument) -> None:
    tags, text = read(render_html(document, PageSize.A4))
    assert tags <= {
        "html",
        "head",
        "meta",
        "body",
        "table",
        "thead",
        "tr",
        "th",
        "td",
        "span",
        "p",
        "h2",
        "h3",
        "img",
        "br",
    }
    for part in (
        "Müller, Jürgen", "PAT-0042", "1960-01-17", "ACC-77", "Weber, Dr. Anna", "2026-11-20 13:45",
        "24, 5 mm apart, 5 mm thick, lossy compressed", "Pneumonia?", "Left lower lobe.",
        "AI output, not verified. For research use, not a medical device.",
        "Doubt: The slices are 5 mm apart", "COVID-like 0.81", "Probability of any finding: 0.96, above",
        "Accepted by the reader (1)", "Not yet reviewed (1)", "Rejected by the reader (1)", "left",
        "The lesion model looked at 22 of 24 slices.", "1 · Se 3 / Im 12", "z \u2212240.0 mm", "W 1500 L \u2212600",
        "lossy compressed", "Key images of the reader", "phantom-study", "0123456789ab", "float32", "Apache-2.0",
        "slices looked at 22, threads 2", "It has never seen a patient.", "Signature", "trained on phantoms only",
    ):  # fmt: skip
        assert part in text, part
    full = "".join(re.findall("[0-9a-f]{32}", text))
    assert "0123456789abcdef" * 4 in full


def test_hostile_text_stays_text(document: ReportDocument) -> None:
    series = replace(
        document.series,
        patient=Patient(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        description=HOSTILE,
        manufacturer=HOSTILE,
        study=replace(document.series.study, accession=HOSTILE, description=HOSTILE, date=HOSTILE),
    )
    suitability = (
        Suitability((replace(document.suitability.checks[0], text=HOSTILE),)) if document.suitability else None
    )
    hostile = replace(
        document,
        series=series,
        question=HOSTILE,
        comment=f"{HOSTILE}\n</table></p>",
        suitability=suitability,
        lesions=tuple(replace(row, label=HOSTILE, side=HOSTILE) for row in document.lesions),
    )
    html = render_html(hostile, PageSize.A4)
    tags, text = read(html)
    assert "script" not in tags and "<script" not in html
    assert text.count(HOSTILE) >= 12
    assert "</table></p>" in text


def test_control_characters_do_not_pass(document: ReportDocument) -> None:
    patient = replace(document.series.patient, name="A\u202eB\x00C^D", patient_id="1\n2\u202e3")
    job = print_job(replace(document, series=replace(document.series, patient=patient)), PageSize.A4, lambda text: ())
    assert job.header[:2] == (("Patient", "ABC, D"), ("Patient ID", "1 23"))
    assert "\u202e" not in job.html and "\x00" not in job.html


def test_abstention_gives_reasons_instead_of_numbers(volume: Volume, make_result: MakeResult) -> None:
    document = build_report(volume, make_result(volume, abstains=True), None)
    _, text = read(render_html(document, PageSize.A4))
    assert "The models gave no result" in text and "The slices are 5 mm apart; 3 mm is the limit." in text
    assert "Probability" not in text and "Lesions" not in text and "AI output" not in text
    assert print_job(document, PageSize.A4, lambda _: ()).footer[0] == "No AI output in this report"


def test_without_analysis_nothing_of_models_is_said(volume: Volume, reading: Reading) -> None:
    _, text = read(render_html(build_report(volume, None, reading), PageSize.A4))
    assert "AI" not in text and "model" not in text and "Müller, Jürgen" in text


def test_no_slice_stands_out_is_said(volume: Volume, make_result: MakeResult) -> None:
    _, text = read(render_html(build_report(volume, make_result(volume, 0, flat=True), None), PageSize.A4))
    assert "No slice stands out, so none is printed." in text
    assert "The model marked no lesion." in text and "Top slices" not in text


def test_pictures_fit_the_paper(document: ReportDocument) -> None:
    for page, widest in ((PageSize.A4, 672), (PageSize.LETTER, 695)):
        widths = {int(w) for w in re.findall(r'<img [^>]*? width="(\d+)"', render_html(document, page))}
        assert max(widths) <= widest and min(widths) < widest / 2


def test_characters_without_a_font_stand_as_codes_and_are_told(document: ReportDocument) -> None:
    patient = replace(document.series.patient, name="山田^太山")
    asked = replace(document, series=replace(document.series, patient=patient, kernel="太"), comment="ok 가")
    job = print_job(asked, PageSize.A4, lambda text: {c for c in text if c in "山太가"})
    _, text = read(job.html)
    assert job.header[0] == ("Patient", "[U+5C71]田, [U+592A][U+5C71]")
    assert "3 characters of the patient's name cannot be shown with the fonts here and stand as codes" in text
    assert "U+5C71, U+592A (Cjk)" in text
    assert "1 character of the comment cannot be shown" in text and "ok [U+AC00]" in text
    assert not set("山太가") & set(job.html)


def test_words_from_right_to_left_start_at_the_right(document: ReportDocument) -> None:
    html = render_html(replace(document, comment="שלום\nplain"), PageSize.A4)
    assert re.search(r'<p dir="rtl"[^>]*>שלום</p>', html)
    assert re.search(r"<p style[^>]*>plain</p>", html)


def test_what_is_wrong_with_the_slices_stands_beside_their_number(document: ReportDocument) -> None:
    series = replace(document.series, thickness=None, lossy=False, use_reason="slices are missing")
    _, text = read(render_html(replace(document, series=series), PageSize.A4))
    assert "24, 5 mm apart, thickness not stated, slices are missing" in text


def test_the_readers_class_stands_beside_the_models(document: ReportDocument, volume: Volume, reading: Reading) -> None:
    assert document.classification is not None
    label = StudyLabel.stated([HOSTILE], [document.classification], "2026-11-22T10:00:00+00:00")
    stated = replace(document, reader_class=label.text, reader_origin=label.origin)
    tags, text = read(render_html(stated, PageSize.A4))
    assert "script" not in tags
    assert f"Reader: {HOSTILE} (reader's own, against phantom-study 1.0.0)" in text
    assert text.index("AI result") < text.index("Reader:") < text.index("Lesions found")
    assert "Class stated by the reader" not in text


def test_without_an_analysis_the_readers_class_stands_alone(volume: Volume, reading: Reading) -> None:
    label = StudyLabel.stated(["COVID-like"], [], "2026-11-22T10:00:00+00:00")
    _, text = read(render_html(build_report(volume, None, replace(reading, label=label)), PageSize.A4))
    assert "Class stated by the reader COVID-like (reader's own, before any model's answer)" in text
    _, without = read(render_html(build_report(volume, None, reading), PageSize.A4))
    assert "stated by the reader" not in without


def test_an_accepted_class_names_the_model(volume: Volume, make_result: MakeResult, reading: Reading) -> None:
    result = make_result(volume)
    assert result.classification is not None
    label = StudyLabel.stated(result.classification.answer, [result.classification], "2026-11-22T10:00:00+00:00")
    _, text = read(render_html(build_report(volume, result, replace(reading, label=label)), PageSize.A4))
    assert "Reader: COVID-like (accepted from phantom-study 1.0.0)" in text


def test_a_class_that_no_font_shows_stands_as_codes(document: ReportDocument) -> None:
    shown = with_codes(replace(document, reader_class="山x"), lambda text: [c for c in text if c == "山"])
    assert shown.reader_class == "[U+5C71]x" and dict(shown.unshown)["reader_class"] == "山"
    assert "the reader's class" in read(render_html(shown, PageSize.A4))[1]
