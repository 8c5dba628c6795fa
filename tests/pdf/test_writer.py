from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from ctviewer.core.errors import StorageError
from ctviewer.core.printing import PageSize, PrintJob
from ctviewer.pdf import write_pdf

pytestmark = pytest.mark.usefixtures("qapp")
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine " * 4


@pytest.fixture
def job() -> Callable[..., PrintJob]:
    """`job("<p>...</p>")`: a print job."""

    def make(html: str = "<p>Body</p>", page: PageSize = PageSize.A4, name: str = "Doe, Jane") -> PrintJob:
        header = (("Patient", name), ("Patient ID", "7"), ("Accession", "A1"), ("Study date", "2026-11-20"))
        foot = ("Left foot", "Middle foot")
        return PrintJob(html, page, header, foot, "Page {page} of {pages}", "CT report", "ctviewer test")

    return make


def picture(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("L", (width, height), 80).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<table><tr><td><img src="data:image/png;base64,{data}" width="{width}" height="{height}"></td></tr></table>'
    )


def pages(path: Path) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def test_header_and_footer_stand_on_every_page(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "report.pdf"
    count = write_pdf(job("<p>line</p>" * 200), target)
    found = pages(target)
    assert len(found) == count > 3
    for number, text in enumerate(found, start=1):
        assert (
            text.startswith("Patient Patient ID Accession Study date Doe, Jane 7 A1 2026-11-20") or "Doe, Jane" in text
        )
        assert f"Page {number} of {count}" in text and "Left foot" in text and "Middle foot" in text
    assert sum(text.count("line") for text in found) == 200
    assert [p.name for p in target.parent.iterdir()] == ["report.pdf"]  # no part file stays


def test_a_long_name_is_cut_in_the_header_and_runs_over_nothing(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    write_pdf(job(name=LONG_NAME), tmp_path / "r.pdf")
    (text,) = pages(tmp_path / "r.pdf")
    assert "Wolfeschlegelsteinhausenbergerdorff, Hubert" in text and "\N{HORIZONTAL ELLIPSIS}" in text
    assert "A1" in text


def test_a_picture_is_never_cut_and_keeps_its_heading(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    block = f"<h2>Picture</h2>{picture(400, 500)}"
    write_pdf(job("<p>line</p>" * 30 + block + block), tmp_path / "r.pdf")
    reader = pypdf.PdfReader(tmp_path / "r.pdf")
    with_picture = [(page.extract_text().count("Picture"), len(page.images)) for page in reader.pages]
    assert with_picture == [(0, 0), (1, 1), (1, 1)]


def test_a_heading_moves_with_its_text(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    for lines in range(38, 56, 2):
        write_pdf(job("<p>line</p>" * lines + "<h2>Heading</h2><p>below</p>" + "<p>more</p>" * 40), tmp_path / "r.pdf")
        assert any("Heading below" in text for text in pages(tmp_path / "r.pdf")), lines


def test_the_head_of_a_table_is_repeated(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>row {n}</td></tr>" for n in range(150))
    write_pdf(job(f"<table><thead><tr><th>Column</th></tr></thead>{rows}</table>"), tmp_path / "r.pdf")
    found = pages(tmp_path / "r.pdf")
    assert len(found) > 2 and all("Column" in text for text in found)


def test_a_last_page_with_little_gets_a_section_more(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    section = "<h2>Section {}</h2>" + "<p>text</p>" * 12
    for lines in range(2, 14, 3):
        html = "<p>line</p>" * lines + "".join(section.format(n) for n in range(4))
        write_pdf(job(html), tmp_path / "r.pdf")
        last = pages(tmp_path / "r.pdf")[-1]
        assert last.count("text") >= 10, lines


def test_the_same_job_gives_the_same_pages(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    asked = job("<h2>A</h2>" + "<p>line</p>" * 90 + picture(300, 300))
    streams = []
    for name in ("a.pdf", "b.pdf"):
        write_pdf(asked, tmp_path / name)
        streams.append([page.get_contents().get_data() for page in pypdf.PdfReader(tmp_path / name).pages])
    assert streams[0] == streams[1]


def test_an_empty_body_is_one_page(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    assert write_pdf(job(""), tmp_path / "r.pdf") == 1


def test_it_works_on_another_thread(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    asked = job("<h2>A</h2><p>text</p>" + picture(300, 300))
    thread = threading.Thread(target=write_pdf, args=(asked, tmp_path / "r.pdf"))
    thread.start()
    thread.join()
    reader = pypdf.PdfReader(tmp_path / "r.pdf")
    assert len(reader.pages[0].images) == 1
    assert str(reader.pages[0].images[0].indirect_reference.get_object()["/Filter"]) == "/FlateDecode"


def test_nothing_is_written_into_the_opened_folder(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    opened = tmp_path / "study"
    opened.mkdir()
    with pytest.raises(StorageError, match="lies inside the opened folder"):
        write_pdf(job(), opened / "sub" / "report.pdf", opened)
    assert list(opened.iterdir()) == []


def test_a_folder_as_target_is_refused(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a folder"):
        write_pdf(job(), tmp_path)


def test_a_place_that_cannot_be_written_is_told(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"r\.pdf could not be written"):
        write_pdf(job(), tmp_path / "file" / "r.pdf")


FULL = """
import resource, signal, sys
from pathlib import Path
from PySide6.QtGui import QGuiApplication
from ctviewer.core.errors import StorageError
from ctviewer.core.printing import PageSize, PrintJob
from ctviewer.pdf import write_pdf

app = QGuiApplication([])
job = PrintJob("<p>line</p>" * 2000, PageSize.A4, (("Patient", "A"),), ("l", "r"), "{page}/{pages}", "t", "c")
target = Path(sys.argv[1])
write_pdf(PrintJob("<p>old</p>", *[getattr(job, n) for n in list(job.__dataclass_fields__)[1:]]), target)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_pdf(job, target)
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits here")
def test_no_space_is_told_and_the_old_report_stays(tmp_path: Path) -> None:
    target = tmp_path / "report.pdf"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(target)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    assert "could not be written" in done.stdout
    assert "old" in pages(target)[0]
    assert [p.name for p in tmp_path.iterdir()] == ["report.pdf"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_unicode(job: Callable[..., PrintJob], tmp_path: Path) -> None:
    target = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")) / "report.pdf"
    assert write_pdf(job("<p>words</p>"), target) == 1
    assert "words" in pages(target)[0]
