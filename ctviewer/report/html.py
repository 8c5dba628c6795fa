"""A report as HTML: the sections, top to bottom."""

from __future__ import annotations

from ctviewer.core.interpretation import statements
from ctviewer.core.people import date_text, person_name, time_text
from ctviewer.core.printing import PageSize, text_width_px
from ctviewer.report import markup, pictures, results
from ctviewer.report.document import ReportDocument
from ctviewer.report.legible import unshown_notes
from ctviewer.report.markup import esc, fields, heading, paragraph
from ctviewer.report.results import reader_class
from ctviewer.report.wording import ENGLISH, Wording


def render_html(document: ReportDocument, page: PageSize, words: Wording = ENGLISH) -> str:
    """The whole report, for `ctviewer.pdf` (any QTextDocument lays it out).

    Args:
        document: the report.
        page: paper; it sets the width of pictures.
        words: the language.
    """
    width = text_width_px(page)
    body = "".join(
        (
            _title(document, words),
            _study(document, words),
            _readers_words(document, words),
            results.result(document, width, words),
            results.lesions(document, words),
            pictures.top_slices(document, width, words),
            pictures.key_images(document, width, words),
            results.provenance(document, words),
            _limits(document, words),
            _signature(document, words),
        )
    )
    return f'<html><head><meta charset="utf-8"></head><body style="color:{markup.INK};">{body}</body></html>'


def _title(document: ReportDocument, words: Wording) -> str:
    study = document.series.study
    when = " ".join(t for t in (date_text(study.date), time_text(study.time)) if t)
    left = f'<span style="font-size:17pt; font-weight:600; color:{markup.ACCENT};">{esc(words.title)}</span>'
    right = markup.span(f"{words.study_date} {when or words.unknown}", markup.MUTED)
    return markup.table(
        f"<tr>{markup.cell(left, '60%', 'padding-bottom:5px;')}"
        f'<td width="40%" align="right" valign="bottom" style="padding-bottom:7px;">{right}</td></tr>'
    )


def _study(document: ReportDocument, words: Wording) -> str:
    series, none = document.series, words.none
    patient, study = series.patient, series.study
    description = " · ".join(t for t in (study.description, series.body_part) if t)
    number = f"Se {series.number}" if series.number is not None else ""
    pairs = (
        (words.patient, person_name(patient.name) or none),
        (words.patient_id, patient.patient_id or none),
        (words.birth, date_text(patient.birth_date) or none),
        (words.sex, patient.sex or none),
        (words.accession, study.accession or none),
        (words.referring, person_name(study.referring) or none),
        (words.study, description or none),
        (words.series, " · ".join(t for t in (number, series.description, series.kernel) if t) or none),
        (words.slices, _slices(document, words)),
        (words.scanner, " ".join(t for t in (series.manufacturer, series.model_name) if t) or none),
    )
    stated = "".join(paragraph(text, "#8a4b00", "8pt") for text in statements(series))
    notes = stated + "".join(paragraph(note, "#8a4b00", "8pt") for note in unshown_notes(document, words))
    return fields(pairs, columns=2, label="13%", band=True) + notes


def _slices(document: ReportDocument, words: Wording) -> str:
    """How many, how far apart, how thick; then what a reader of the report has to know of them."""
    series = document.series
    apart, thick = series.slice_spacing, series.thickness
    texts = [
        str(len(series.slices)),
        words.distance_unknown if apart is None else words.apart.format(mm=f"{apart:.4g} mm"),
        words.thickness_unknown if thick is None else words.thick.format(mm=f"{thick:.4g} mm"),
        words.lossy if series.lossy else "",
        series.use_reason,
    ]
    return ", ".join(text for text in texts if text)


def _readers_words(document: ReportDocument, words: Wording) -> str:
    stated = "" if document.classification is not None else reader_class(document, words)  # else beside the model's
    parts = ((words.question, document.question), (words.reader_class, stated), (words.comment, document.comment))
    out = []
    for title, text in parts:
        if text.strip():
            out.append(heading(title) + "".join(paragraph(line) for line in text.strip().splitlines()))
    return "".join(out)


def _limits(document: ReportDocument, words: Wording) -> str:
    models = document.provenance.models if document.provenance and document.has_output else ()
    said = dict.fromkeys(f"{m.name}: {m.limits}" for m in models if m.limits)
    lines = (*said, words.limits_always, words.research_use)
    return heading(words.limits) + "".join(paragraph(line, markup.MUTED, "8pt") for line in lines)


def _signature(document: ReportDocument, words: Wording) -> str:
    rule = f"border-top:1px solid {markup.INK}; padding-top:3px;"
    space = '<td style="padding-top:34px;" colspan="3"></td>'
    row = "".join(
        (
            markup.cell(markup.span(words.name_and_date, markup.MUTED, "8pt"), "46%", rule),
            markup.cell("", "8%"),
            markup.cell(markup.span(words.signature, markup.MUTED, "8pt"), "46%", rule),
        )
    )
    made = words.created.format(when=document.created.replace("T", " "), program=document.program)
    return markup.table(f"<tr>{space}</tr><tr>{row}</tr>") + paragraph(made, markup.MUTED, markup.SMALL)
