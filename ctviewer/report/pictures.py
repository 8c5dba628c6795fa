"""The sections of a report that hold pictures of slices. One table per slice: the PDF writer never cuts it."""

from __future__ import annotations

from ctviewer.core.findings import SliceScore
from ctviewer.core.windowing import Voi, VoiTable
from ctviewer.report import markup
from ctviewer.report.document import Picture, ReportDocument, SlicePanel
from ctviewer.report.markup import heading, paragraph, span
from ctviewer.report.wording import Wording

_GAP = 12  # CSS px between the pictures of a pair
_CAPTION = "padding-top:2px; padding-bottom:5px;"


def top_slices(document: ReportDocument, width: int, words: Wording) -> str:
    """Top slices, plain and with outlines side by side; "" without an answer of the models."""
    told = document.classification
    silent = told is not None and not told.stands_out
    if not document.top_slices:
        return paragraph(words.no_top_slices, markup.MUTED, "8.5pt") if silent else ""
    title = heading(words.top_slices.format(score=document.top_ranked_by))
    return title + "".join(_pair(panel, document, width, words) for panel in document.top_slices)


def key_images(document: ReportDocument, width: int, words: Wording) -> str:
    """The reader's key images, two side by side; "" where there are none."""
    if not document.key_images:
        return ""
    panels = document.key_images
    rows = []
    for start in range(0, len(panels), 2):
        pair = panels[start : start + 2]
        captions = [_line(panel, document, words) for panel in pair]
        captions += [""] * (2 - len(pair))
        styles = (_CAPTION, f"{_CAPTION} padding-left:{_GAP // 2}px;")
        row = "".join(markup.cell(caption, "50%", style) for caption, style in zip(captions, styles, strict=True))
        rows.append(_side_by_side([panel.plain for panel in pair], row, width))
    return heading(words.key_images) + "".join(rows)


def _pair(panel: SlicePanel, document: ReportDocument, width: int, words: Wording) -> str:
    right = words.overlay if panel.drawn else words.no_outline
    caption = _line(panel, document, words) + span(
        f"  \N{MIDDLE DOT}  {words.on_the_right}: {right}", markup.MUTED, "8pt"
    )
    row = f'<td colspan="2" style="{_CAPTION}">{caption}</td>'
    return _side_by_side([panel.plain, panel.overlay or panel.plain], row, width)


def _side_by_side(images: list[Picture], caption_row: str, width: int) -> str:
    """One or two pictures of half the text's width over their caption."""
    each = (width - _GAP) // 2
    tops = [markup.cell(markup.image(images[0], each), "50%", "padding-top:4px;")]
    right = markup.image(images[1], each) if len(images) > 1 else ""
    tops.append(markup.cell(right, "50%", "padding-top:4px;", align="right"))
    return markup.table(f"<tr>{''.join(tops)}</tr><tr>{caption_row}</tr>")


def _line(panel: SlicePanel, document: ReportDocument, words: Wording) -> str:
    """A picture's caption: which slice in bold, then where, how much, and how it is shown."""
    first = f"{panel.rank}  \N{MIDDLE DOT}  {panel.citation}" if panel.rank is not None else panel.citation
    parts = []
    if panel.position is not None:
        axis = f"{panel.axis} " if panel.axis else ""
        parts.append(f"{axis}{panel.position:.1f} mm".replace("-", "\N{MINUS SIGN}"))
    parts += _weight(panel, document, words)
    parts.append(_window_words(panel.window))
    if document.series.lossy_mark(panel.index):
        parts.append(words.lossy)
    rest = "".join(f"  \N{MIDDLE DOT}  {part}" for part in parts)
    return span(first, size="8pt", weight=600) + span(rest, markup.MUTED, "8pt")


def _window_words(window: Voi) -> str:
    if isinstance(window, VoiTable):
        return f"LUT {window.name}".strip()
    level = f"{window.centre:g}".replace("-", "\N{MINUS SIGN}")
    return f"W {window.width:g} L {level}"


def _weight(panel: SlicePanel, document: ReportDocument, words: Wording) -> list[str]:
    if panel.weight is None:
        return []
    if document.top_ranked_by == SliceScore.LESION_AREA.value:
        return [f"{document.top_ranked_by} {panel.weight:.0f} {'mm²' if document.series.pixel_spacing else 'px'}"]
    out = [f"{words.weight} {panel.weight:.3f}"]
    if panel.times_uniform is not None:
        out.append(words.times_uniform.format(x=f"{panel.times_uniform:.1f}"))
    return out
