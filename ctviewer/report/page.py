"""A page for a browser and a printer: one file, no scripts, nothing from outside, black on white in any setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ctviewer.report.markup import ACCENT, BAND, INK, MUTED, RULE, esc

_STYLE = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 62rem; padding: 1rem 1.2rem 3rem; background: #fff; color: {INK};
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 1.6rem; line-height: 1.25; color: {ACCENT}; margin: .8rem 0 .2rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; color: {ACCENT}; margin: 2rem 0 .4rem; overflow-wrap: anywhere; }}
p, li {{ max-width: 48rem; margin: .35rem 0; overflow-wrap: anywhere; }}
ul {{ padding-left: 1.2rem; }}
.notice {{ border: 2px solid {INK}; padding: .5rem .8rem; font-weight: 600; max-width: none; }}
.small {{ color: {MUTED}; font-size: .875rem; }}
.doubt {{ border-left: 4px solid #d55e00; padding-left: .7rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0; font-size: .9375rem; }}
th, td {{ padding: .25rem .7rem .25rem 0; border-bottom: 1px solid {RULE}; text-align: left; vertical-align: top; }}
thead th {{ border-bottom: 1px solid {ACCENT}; color: {MUTED}; font-weight: 600; background: {BAND}; padding-left: .2rem; }}
td.right, th.right {{ text-align: right; white-space: nowrap; }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem 1.4rem; }}
figure {{ margin: 0; max-width: 27rem; break-inside: avoid; }}
figure svg {{ width: 100%; height: auto; display: block; }}
figcaption {{ font-weight: 600; }}
figcaption span {{ display: block; font-weight: 400; color: {MUTED}; font-size: .875rem; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: .6rem; margin: .4rem 0 1rem; }}
.picture {{ width: 9.5rem; break-inside: avoid; }}
.picture img {{ width: 100%; display: block; background: #000; }}
@page {{ margin: 14mm; }}
@media print {{ body {{ font-size: 10pt; padding: 0; max-width: none; }}
  .wide {{ overflow: visible; }} h2 {{ break-after: avoid; }} tr {{ break-inside: avoid; }} thead {{ display: table-header-group; }}
  .figures {{ grid-template-columns: repeat(2, 1fr); }} svg, .notice {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
"""


def page(title: str, notice: str, parts: Iterable[str]) -> str:
    """The whole document.

    Args:
        title: of the page; no patient data.
        notice: stands on top, framed.
        parts: of `section` and the like, in order.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{esc(title)}</title><style>{_STYLE}</style></head>\n"
        f'<body><p class="notice" role="note">{esc(notice)}</p><h1>{esc(title)}</h1>\n{"".join(parts)}\n</body></html>\n'
    )


def pictures(shown: Iterable[tuple[str, str, str]]) -> str:
    """Pictures side by side: caption, the words that stand for it, and a `data:` address."""
    made = (
        f'<figure class="picture"><img src="{esc(address)}" alt="{esc(words)}"><figcaption>{esc(caption)}</figcaption></figure>'
        for caption, words, address in shown
    )
    return f'<div class="pictures">{"".join(made)}</div>'


def section(title: str, *inner: str) -> str:
    """A heading and what belongs under it."""
    return f"<section><h2>{esc(title)}</h2>{''.join(inner)}</section>\n"


def text(words: str, kind: str = "") -> str:
    """A paragraph; `kind` is "", "small" or "doubt"."""
    return f'<p class="{kind}">{esc(words)}</p>' if kind else f"<p>{esc(words)}</p>"


def points(items: Sequence[str]) -> str:
    """A list of sentences; nothing for none."""
    return f"<ul>{''.join(f'<li>{esc(item)}</li>' for item in items)}</ul>" if items else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of texts; the first cell of a row names it, columns in `right` are numbers."""

    def kind(column: int) -> str:
        return ' class="right"' if column in right else ""

    top = "".join(f'<th scope="col"{kind(i)}>{esc(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        f'<tr><th scope="row">{esc(row[0])}</th>'
        + "".join(f"<td{kind(i)}>{esc(cell)}</td>" for i, cell in enumerate(row[1:], 1))
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def figures(charts: Iterable[tuple[str, str, str]]) -> str:
    """Charts side by side where there is room: caption, explanation, and SVG of `report.charts`."""
    shown = (
        f"<figure><figcaption>{esc(caption)}<span>{esc(words)}</span></figcaption>{svg}</figure>"
        for caption, words, svg in charts
    )
    return f'<div class="figures">{"".join(shown)}</div>'
