"""A whole report on paper: what the reader gets."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdf
import pytest
from PIL import Image

from ctviewer.core.findings import AnalysisResult, Verdict
from ctviewer.core.printing import PageSize
from ctviewer.core.reading import Reading
from ctviewer.core.volume import Volume
from ctviewer.pdf import missing_characters, write_pdf
from ctviewer.report import build_report, print_job, slices

pytestmark = pytest.mark.usefixtures("qapp")
MakeResult = Callable[..., AnalysisResult]
SENTENCE = "The lungs are well expanded, with patchy consolidation in the left lower lobe and no effusion. "


@pytest.fixture
def printed(
    volume: Volume, make_result: MakeResult, reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pypdf.PdfReader]:
    """`printed(lesions=2, comment="...", name="...")` writes a report, with coarse pictures, and opens it."""
    monkeypatch.setattr(slices, "PRINT_PX", 256)

    def make(
        lesions: int | None = 2, comment: str = "Comment.", name: str = "Müller^Jürgen", page: PageSize = PageSize.A4
    ) -> pypdf.PdfReader:
        patient = replace(volume.series.patient, name=name)
        named = replace(volume, series=replace(volume.series, patient=patient))
        result = None if lesions is None else make_result(named, lesions)
        words = replace(reading, question="Pneumonia?", comment=comment)
        if result is not None:
            words = words.with_result(result).with_verdict(1, Verdict.ACCEPTED)
        words = words.with_key_image(words.slice_digests[5], True)
        job = print_job(build_report(named, result, words), page, missing_characters)
        pages = write_pdf(job, tmp_path / "report.pdf")
        reader = pypdf.PdfReader(tmp_path / "report.pdf")
        assert len(reader.pages) == pages
        return reader

    return make


def texts(reader: pypdf.PdfReader) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in reader.pages]


@pytest.mark.parametrize(("page", "size"), [(PageSize.A4, (595, 842)), (PageSize.LETTER, (612, 792))])
def test_every_page_tells_whose_it_is(
    printed: Callable[..., pypdf.PdfReader], page: PageSize, size: tuple[int, int]
) -> None:
    reader = printed(page=page)
    pages = texts(reader)
    assert len(pages) == 4
    for number, text in enumerate(pages, start=1):
        for part in ("Müller, Jürgen", "PAT-0042", "ACC-77", f"Page {number} of 4", "AI output, not verified"):
            assert part in text
        assert "For research use, not a medical device." in text
    assert [round(float(v)) for v in reader.pages[0].mediabox.upper_right] == list(size)


def test_pictures_are_stored_without_loss(
    printed: Callable[..., pypdf.PdfReader], volume: Volume, make_result: MakeResult
) -> None:
    reader = printed()
    filters, stored = set(), []
    for page in reader.pages:
        for image in page.images:
            assert image.indirect_reference is not None
            filters.add(str(image.indirect_reference.get_object()["/Filter"]))
            stored.append(np.asarray(Image.open(io.BytesIO(image.data)).convert("L")))
    assert filters == {"/FlateDecode"}
    with Image.open(io.BytesIO(build_report(volume, make_result(volume), None).top_slices[0].plain.png)) as plain:
        expected = np.asarray(plain)
    assert any(image.shape == expected.shape and np.array_equal(image, expected) for image in stored)


def test_fonts_are_embedded_and_text_can_be_selected(printed: Callable[..., pypdf.PdfReader]) -> None:
    reader = printed()
    fonts = [f.get_object() for page in reader.pages for f in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        (descendant,) = font["/DescendantFonts"]
        descriptor = descendant.get_object()["/FontDescriptor"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)
        assert "/ToUnicode" in font
    assert "Probability of any finding: 0.96, above the model's threshold of 0.50." in texts(reader)[0]


def test_the_files_metadata_names_no_patient(printed: Callable[..., pypdf.PdfReader]) -> None:
    metadata = printed().metadata
    assert metadata is not None
    assert metadata.title == "CT report" and str(metadata.creator).startswith("ctviewer ")
    assert not any(part in str(dict(metadata)) for part in ("Müller", "PAT-0042", "ACC-77"))


def test_two_pages_of_comment_are_printed_whole(printed: Callable[..., pypdf.PdfReader]) -> None:
    comment = "\n".join(f"{n}: {SENTENCE * 3}" for n in range(40))
    together = " ".join(texts(printed(comment=comment)))
    assert all(f"{n}: The lungs" in together for n in range(40))
    assert together.count("no effusion") == 120


def test_forty_lesions_are_all_listed_under_a_repeated_head(printed: Callable[..., pypdf.PdfReader]) -> None:
    pages = texts(printed(lesions=40))
    together = " ".join(pages)
    assert together.count("consolidation left Se 3 / Im 11") == 40
    assert "Not yet reviewed (39)" in together
    assert sum("No. Class Side Slices" in page for page in pages) >= 2


@pytest.mark.parametrize("page", list(PageSize))
@pytest.mark.parametrize("lesions", [None, 0, 1, 5, 40])
def test_no_page_is_nearly_empty(printed: Callable[..., pypdf.PdfReader], page: PageSize, lesions: int | None) -> None:
    for lines in (1, 20):
        reader = printed(lesions=lesions, comment="line\n" * lines, page=page)
        for sheet in reader.pages:
            body = len(sheet.extract_text()) - 150  # header and footer
            assert body > 400 or len(sheet.images) >= 1, (lines, sheet.page_number)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ковалёв^Иван", "Ковалёв, Иван"),
        ("Yamada^Tarou", "Yamada, Tarou"),
        ("Ångström-Łukasiewicz^Zoë", "Ångström-Łukasiewicz, Zoë"),
        ("O'Brien & Söhne^<b>", "O'Brien & Söhne, <b>"),
        ("X" * 31 + "^" + "Y" * 32, "X" * 31),
    ],
)
def test_names_are_printed_as_they_are(printed: Callable[..., pypdf.PdfReader], name: str, shown: str) -> None:
    pages = texts(printed(lesions=None, name=name))
    assert shown in pages[0].replace(" ,", ",")


@pytest.mark.parametrize("name", ["山田^太郎", "عبد الرحمن^محمد", "כהן^דוד", "कुमार^राज", "\U000105c0^\U0001e900"])
def test_other_scripts_are_shown_or_told(printed: Callable[..., pypdf.PdfReader], name: str) -> None:
    lost = missing_characters(name)
    text = texts(printed(lesions=None, name=name))[0]
    assert ("cannot be shown with the fonts here" in text) == bool(lost)
    for character in lost:
        assert f"[U+{ord(character):04X}]" in text
    assert "\ufffd" not in text and "\x00" not in text


def test_without_output_the_foot_says_so(printed: Callable[..., pypdf.PdfReader]) -> None:
    (text,) = texts(printed(lesions=None))
    assert "No AI output in this report" in text and "AI output, not verified" not in text
