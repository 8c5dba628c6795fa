"""A report as a job for the PDF writer: legible here, with what stands on every page."""

from __future__ import annotations

from ctviewer.core.people import date_text, person_name
from ctviewer.core.printing import PageSize, PrintJob
from ctviewer.report.document import ReportDocument
from ctviewer.report.html import render_html
from ctviewer.report.legible import Missing, coded, with_codes
from ctviewer.report.markup import printable
from ctviewer.report.wording import ENGLISH, Wording


def print_job(document: ReportDocument, page: PageSize, missing: Missing, words: Wording = ENGLISH) -> PrintJob:
    """The report for `ctviewer.pdf.write_pdf`.

    Args:
        document: the report.
        page: paper.
        missing: gives the characters of a text that no font here can show (`ctviewer.pdf.missing_characters`).
        words: the language.
    """
    legible = with_codes(document, missing)
    patient, study = legible.series.patient, legible.series.study
    header = (
        (words.patient, person_name(patient.name) or words.none),
        (words.patient_id, patient.patient_id or words.none),
        (words.accession, study.accession or words.none),
        (words.study_date, date_text(study.date) or words.none),
    )
    html, _ = coded(render_html(legible, page, words), missing)  # whatever else came from the file
    return PrintJob(
        html=html,
        page=page,
        header=tuple((label, " ".join(printable(value).split())) for label, value in header),
        footer=(words.unverified if legible.has_output else words.no_output, words.research_use),
        page_label=words.page,
        title=words.title,
        creator=legible.program,
    )
