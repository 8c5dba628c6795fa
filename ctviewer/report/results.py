"""The sections of a report that hold what models said, and how they came to it."""

from __future__ import annotations

from ctviewer.core.doubt import Doubt, doubt_of, interval_text
from ctviewer.core.findings import ModelInfo, Provenance, SliceScore, StudyClassification, Verdict, probability_text
from ctviewer.core.palette import Rgb
from ctviewer.core.read_findings import Origin, finding_name
from ctviewer.core.words import share_text
from ctviewer.report import markup
from ctviewer.report.document import LesionRow, ReportDocument
from ctviewer.report.markup import fields, heading, paragraph, span, subheading
from ctviewer.report.wording import Wording

_LESION_WIDTHS = ("6%", "21%", "8%", "21%", "16%", "7%", "6%", "7%", "8%")
_SHARE_WIDTHS = ("5%", "17%", "6%", "18%", "13%", "6%", "5%", "7%", "7%", "9%", "7%")  # with the two columns of shares
_FIRST_RIGHT = 5
_DOUBT = "#8a4b00"


def result(document: ReportDocument, width: int, words: Wording) -> str:
    """Suitability, class probabilities and the bars over the slices; "" without an analysis."""
    if document.suitability is None:
        return ""
    out = [heading(words.result)]
    if document.abstained:
        out.append(paragraph(words.abstained, weight=600))
        out += [paragraph(f"\N{BULLET} {reason}") for reason in document.suitability.reasons]
        return "".join(out)
    out.append(paragraph(f"{words.unverified}. {words.research_use}", markup.MUTED, "8pt"))
    out += [paragraph(f"{words.warnings}: {text}", _DOUBT, "8.5pt") for text in document.suitability.warnings]
    if document.classification is not None:
        out.append(_classes(document.classification, words))
        if stated := reader_class(document, words):
            out.append(paragraph(f"{words.reader}: {stated}", weight=600))
    if document.heat is not None:
        out.append(_bars(document, width, words))
    return "".join(out) + slice_classes(document, words)


def slice_classes(document: ReportDocument, words: Wording) -> str:
    """What the one-shot model says of slices, apart from the answer about the study; "" where it says nothing."""
    told = document.slice_classes
    if told is None:
        return ""
    rows = [(row.name, str(row.slices), probability_text(row.highest), row.where) for row in told.rows]
    cells = [tuple(span(text, size="8.5pt") for text in row) for row in rows]
    note = words.slice_class_note.format(model=f"{told.model.name} {told.model.version}", looked=told.looked)
    note = f"{note} {words.no_slice_interval}"
    table = markup.grid(words.slice_class_columns, cells, ("40%", "24%", "14%", "22%"), right=(1, 2))
    return subheading(words.slice_classes) + table + paragraph(note, markup.MUTED, markup.SMALL)


def reader_class(document: ReportDocument, words: Wording) -> str:
    """What the reader says the study shows, and where that comes from; "" where nothing is stated."""
    if not document.reader_class:
        return ""
    return words.stated.format(name=document.reader_class, origin=document.reader_origin)


def _classes(told: StudyClassification, words: Wording) -> str:
    doubt = doubt_of(told)
    positive = told.finding_probability >= told.threshold
    shown = probability_text(told.finding_probability)
    if doubt.finding is not None:
        shown = words.with_interval.format(p=shown, interval=interval_text(doubt.finding))
    line = (words.positive if positive else words.negative).format(p=shown, t=probability_text(told.threshold))
    model = f"{words.model}: {told.model.name} {told.model.version}, {told.model.trained_on.rstrip('.')}."
    colour = markup.MUTED if doubt.on_patients else _DOUBT  # a model of no patients says so aloud
    return (
        _class_table(told, doubt, words)
        + paragraph(line, size="8.5pt")
        + paragraph(model, colour, "8.5pt")
        + paragraph(doubt.reason, markup.MUTED, "8pt")
    )


def _class_table(told: StudyClassification, doubt: Doubt, words: Wording) -> str:
    """Classes by falling probability; intervals have a column where any class has one."""
    with_intervals = any(doubt.intervals)
    head = (words.class_name, words.probability, *((words.interval,) if with_intervals else ()), "")
    widths = ("36%", "14%", "20%", "30%") if with_intervals else ("40%", "16%", "44%")
    rows = []
    each = zip(told.model.classes, told.probabilities, doubt.intervals, strict=True)
    for name, p, interval in sorted(each, key=lambda row: -row[1]):
        weight = 600 if name == told.top_class else 400
        between = (span(interval_text(interval) if interval else words.none),) if with_intervals else ()
        rows.append((span(name, weight=weight), span(probability_text(p), weight=weight), *between, _meter(p)))
    return markup.grid(head, rows, widths, right=(1, 2) if with_intervals else (1,))


def _meter(p: float) -> str:
    """A horizontal bar made of a table: two cells, filled and empty."""
    filled = min(98, max(2, round(100 * p)))
    parts = ((filled, "#7f93a8" if p < 0.5 else markup.ACCENT), (100 - filled, "#e3e8ed"))
    cells = "".join(
        f'<td width="{share}%" style="background-color:{colour}; font-size:4pt;">&nbsp;</td>' for share, colour in parts
    )
    return f'<table width="100%" cellspacing="0" cellpadding="0" border="0"><tr>{cells}</tr></table>'


def _bars(document: ReportDocument, width: int, words: Wording) -> str:
    assert document.heat is not None
    told = document.classification
    notes = []
    if told is not None and told.score is not SliceScore.NONE:
        attention = told.score is SliceScore.ATTENTION
        title = words.weights if attention else words.weights_of.format(score=told.score.value.capitalize())
        notes.append(words.heat_attention if attention else words.heat_other.format(score=told.score.value))
        if not told.stands_out:
            notes.insert(0, words.nothing_stands_out)
    else:
        title = words.weights_of.format(score=SliceScore.LESION_AREA.value.capitalize())
    if document.detector_looked is not None:
        notes.append(words.heat_area)
    if document.slice_classes is not None:
        notes.append(words.heat_classes)
    row = f"<tr><td>{markup.image(document.heat, width)}</td></tr>"
    note = f"<tr><td>{span(' '.join(notes), markup.MUTED, markup.SMALL)}</td></tr>"
    return subheading(title) + markup.table(row + note)


def lesions(document: ReportDocument, words: Wording) -> str:
    """The lesion tables: drawn, accepted, unreviewed and rejected apart; "" where nobody looked for any."""
    looked = document.detector_looked
    if looked is None and not document.lesions and document.reviewed is None:
        return ""
    drawn = any(row.origin is Origin.DRAWN for row in document.lesions)
    out = [heading(words.all_lesions if drawn or looked is None else words.lesions)]
    if looked is not None and looked[0] < looked[1]:
        out.append(paragraph(words.looked.format(looked=looked[0], total=looked[1]), _DOUBT, "8.5pt"))
    if looked is not None and not any(row.origin is not Origin.DRAWN for row in document.lesions):
        out.append(paragraph(words.no_lesions))
    if document.reviewed is not None:
        done, total = document.reviewed
        out.append(paragraph(words.reviewed.format(done=done, total=total), size="8.5pt"))
    return "".join(out) + _tables(document, words) + _lungs(document, words)


def _tables(document: ReportDocument, words: Wording) -> str:
    if not document.lesions:
        return ""
    shares = any(row.ground_glass is not None or row.lung_share is not None for row in document.lesions)
    columns = (*words.lesion_columns, *(words.share_columns if shares else ()))
    widths = _SHARE_WIDTHS if shares else _LESION_WIDTHS
    own = [row for row in document.lesions if row.origin is Origin.DRAWN]
    others = [row for row in document.lesions if row.origin is not Origin.DRAWN]
    groups = [(words.drawn, False, own)]
    for verdict in (Verdict.ACCEPTED, Verdict.PENDING, Verdict.REJECTED):
        said = [row for row in others if row.verdict is verdict]
        groups.append((words.verdicts[verdict], verdict is Verdict.REJECTED, said))
    out = []
    for title, faded, rows in groups:
        if rows:
            out.append(subheading(f"{title} ({len(rows)})", markup.MUTED if faded else markup.INK))
            body = [_lesion(row, faded, shares, words) for row in rows]
            out.append(markup.grid(columns, body, widths, tuple(range(_FIRST_RIGHT, len(columns)))))
    note = words.lesion_note.format(unit=document.unit)
    out.append(paragraph(f"{note} {words.share_note}" if shares else note, markup.MUTED, markup.SMALL))
    return "".join(out)


def _lungs(document: ReportDocument, words: Wording) -> str:
    lungs = document.lungs
    if lungs is None or lungs.total_ml is None:
        return ""
    sides = ""
    if lungs.right_ml is not None and lungs.left_ml is not None:
        sides = words.lung_sides.format(right=f"{lungs.right_ml:.0f}", left=f"{lungs.left_ml:.0f}")
    return paragraph(words.lungs.format(total=f"{lungs.total_ml:.0f}", sides=sides), size="8.5pt")


def _lesion(row: LesionRow, faded: bool, shares: bool, words: Wording) -> tuple[str, ...]:
    def number(value: float | None, form: str) -> str:
        return words.none if value is None else f"{value:{form}}".replace("-", "\N{MINUS SIGN}")

    span_of = row.first if row.slice_count == 1 else f"{row.first} \N{EN DASH} {row.last.split(' / ')[-1]}"
    values = (
        finding_name(row.lesion_id),
        "",
        row.side,
        span_of,
        row.largest,
        number(row.volume_ml, ".1f" if (row.volume_ml or 0) >= 1 else ".2f"),
        number(row.diameter_mm, ".0f"),
        number(row.mean_hu, ".0f"),
        words.none if row.origin is Origin.DRAWN else f"{row.score:.2f}",
        *(_shares(row, words) if shares else ()),
    )
    colour = markup.MUTED if faded else markup.INK
    cells = [span(value, colour, "8.5pt") for value in values]
    cells[1] = _swatch(row.colour) + span(f" {row.label}{_changed(row, words)}", colour, "8.5pt")
    return tuple(cells)


def _changed(row: LesionRow, words: Wording) -> str:
    """What the reader changed of a model's finding."""
    if row.origin is not Origin.CORRECTED:
        return ""
    return f" ({words.model_said.format(label=row.model_label) if row.model_label else words.corrected})"


def _shares(row: LesionRow, words: Wording) -> tuple[str, str]:
    """Ground glass and consolidation, and the share of the lungs, in percent."""
    pair = words.none
    if row.ground_glass is not None and row.consolidation is not None:
        pair = f"{100 * row.ground_glass:.0f} / {100 * row.consolidation:.0f}"
    return pair, words.none if row.lung_share is None else share_text(row.lung_share)


def _swatch(colour: Rgb) -> str:
    r, g, b = colour
    return f'<span style="background-color:#{r:02x}{g:02x}{b:02x}; font-size:8.5pt;">&nbsp;&nbsp;&nbsp;</span>'


def provenance(document: ReportDocument, words: Wording) -> str:
    """Models, device, precision, settings and date; "" without an analysis."""
    made = document.provenance
    if made is None:
        return ""
    rows = [_model(model, words) for model in made.models]
    head = (words.model, words.version, words.trained_on, words.licence, words.hash)
    general = (
        (words.finished, made.finished.replace("T", " ")),
        (words.duration, f"{made.seconds:.1f} s"),
        (words.device, made.device),
        (words.precision, made.precision),
        (words.program, made.program),
        (words.settings, ", ".join(f"{name} {value}" for name, value in made.settings) or words.none),
    )
    models = markup.grid(head, rows, ("19%", "9%", "20%", "14%", "38%")) if rows else ""
    return heading(words.provenance) + models + _restrictions(made, words) + fields(general, columns=2, label="13%")


def _restrictions(made: Provenance, words: Wording) -> str:
    """What the licences of the models forbid or ask."""
    told = [
        words.restriction.format(model=f"{m.name} {m.version}", licence=m.licence, restriction=m.restriction)
        for m in made.models
        if m.restriction
    ]
    return "".join(paragraph(text, _DOUBT, "8.5pt") for text in told)


def _model(model: ModelInfo, words: Wording) -> tuple[str, ...]:
    """One row; the hash short for people, then whole, broken in the middle."""
    sha, half = model.sha256, (len(model.sha256) + 1) // 2
    full = "\n".join(part for part in (sha[:half], sha[half:]) if part)
    digest = span(sha[:12] or words.none, size="8.5pt", weight=600)
    return (
        span(model.name, size="8.5pt", weight=600),
        span(model.version, size="8.5pt"),
        span(model.trained_on, size="8.5pt"),
        span(model.licence, size="8.5pt"),
        f"{digest}<br>{span(full, markup.MUTED, '6.5pt')}" if full else digest,
    )
