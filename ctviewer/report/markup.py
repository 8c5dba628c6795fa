"""Small pieces of the HTML that Qt's QTextDocument lays out well: tables, inline styles, pictures as data URLs.

Everything that comes from a file or a reader passes `esc`.
"""

from __future__ import annotations

import base64
import html
import unicodedata
from collections.abc import Iterable, Sequence

from ctviewer.report.document import Picture

INK = "#1b2530"
MUTED = "#5c6773"
RULE = "#ccd3da"
BAND = "#f1f4f7"
ACCENT = "#1f4468"
SMALL = "7.5pt"


def printable(text: str) -> str:
    """Text without control characters, reversals of direction among them; lines, tabs and joiners stay."""
    return "".join(c for c in text if c in "\n\t\u200c\u200d" or c.isprintable())


def esc(text: str) -> str:
    """Text for HTML: markup escaped, characters that no document may hold dropped, lines kept."""
    return html.escape(printable(text)).replace("\t", "    ").replace("\n", "<br>")


def heading(text: str) -> str:
    """A section's heading; the PDF writer keeps it with what follows."""
    return f'<h2 style="font-size:11pt; font-weight:600; color:{ACCENT}; margin-top:13px; margin-bottom:4px;">{esc(text)}</h2>'


def subheading(text: str, colour: str = INK) -> str:
    """A smaller heading."""
    return f'<h3 style="font-size:9pt; font-weight:600; color:{colour}; margin-top:7px; margin-bottom:3px;">{esc(text)}</h3>'


def paragraph(text: str, colour: str = INK, size: str = "9pt", weight: int = 400) -> str:
    """A paragraph of running text."""
    style = f"font-size:{size}; color:{colour}; font-weight:{weight}; margin-top:2px; margin-bottom:3px; white-space:pre-wrap;"
    side = ' dir="rtl"' if _starts_right(text) else ""
    return f'<p{side} style="{style}">{esc(text)}</p>'


def _starts_right(text: str) -> bool:
    """Whether the first letter with a direction is written from right to left (Unicode bidirectional rule P2)."""
    kinds = (unicodedata.bidirectional(c) for c in text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


def image(picture: Picture, width: int) -> str:
    """A picture, `width` CSS pixels wide."""
    height = round(width * picture.height / picture.width)
    data = base64.b64encode(picture.png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}">'


def cell(
    inner: str, width: str = "", style: str = "", align: str = "left", head: bool = False, valign: str = "middle"
) -> str:
    """A table cell around ready HTML."""
    tag = "th" if head else "td"
    size = f' width="{width}"' if width else ""
    return f'<{tag}{size} align="{align}" valign="{valign}" style="{style}">{inner}</{tag}>'


def span(text: str, colour: str = INK, size: str = "9pt", weight: int = 400) -> str:
    """Text in one style inside a cell."""
    return f'<span style="font-size:{size}; color:{colour}; font-weight:{weight};">{esc(text)}</span>'


def fields(pairs: Sequence[tuple[str, str]], columns: int, label: str, band: bool = False) -> str:
    """Label and value pairs side by side in `columns` columns, read row by row; `label` is a label's width."""
    background = f" background-color:{BAND};" if band else ""
    pad = f"padding-left:6px; padding-right:4px; padding-top:2px; padding-bottom:2px;{background}"
    rest = f"{100 / columns - float(label.rstrip('%')):.1f}%"
    rows = []
    for start in range(0, len(pairs), columns):
        part = [*pairs[start : start + columns], *[("", "")] * columns][:columns]
        cells = "".join(
            cell(span(name, MUTED, "8pt"), label, pad, valign="top") + cell(span(value), rest, pad, valign="top")
            for name, value in part
        )
        rows.append(f"<tr>{cells}</tr>")
    return table("".join(rows))


def table(body: str, head: str = "") -> str:
    """A full-width table without frame; `head` is repeated on every page."""
    top = f"<thead>{head}</thead>" if head else ""
    return f'<table width="100%" border="0" cellspacing="0" cellpadding="0">{top}{body}</table>'


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[str], right: Sequence[int] = ()) -> str:
    """A table with a head row and hairlines; cells are ready HTML, columns in `right` are aligned right."""
    line = f"padding:3px 5px 3px 5px; border-bottom:1px solid {RULE};"
    strong = f"padding:3px 5px 3px 5px; border-bottom:1px solid {ACCENT};"
    sides = ["right" if k in right else "left" for k in range(len(head))]
    top = "".join(
        cell(span(name, MUTED, "8pt", 600), w, strong, side, head=True)
        for name, w, side in zip(head, widths, sides, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(cell(inner, "", line, side) for inner, side in zip(row, sides, strict=True)) + "</tr>"
        for row in rows
    )
    return table(body, f"<tr>{top}</tr>")
