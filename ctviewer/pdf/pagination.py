"""Page breaks: nothing that belongs together is cut.

QTextDocument breaks between lines and table rows alone. Here breaks are put in front of whatever would be torn: a table
that holds a picture or is small, and a heading (with the short lines under it) whose section starts on the next page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QTextBlock, QTextBlockFormat, QTextCursor, QTextDocument, QTextFormat, QTextFrame, QTextTable

_SMALL = 0.22  # of a page: a table up to this height is never cut
_LEAD_LINES = 2  # a paragraph of so few lines between a heading and a table belongs to both
_LEAST_FILL = 0.3  # of the last page
_SECTION = 2  # heading level
_AUTO = QTextFormat.PageBreakFlag.PageBreak_Auto
_BEFORE = QTextFormat.PageBreakFlag.PageBreak_AlwaysBefore


@dataclass(frozen=True)
class _Piece:
    """One block or table of the document's top level.

    Attributes:
        thing: the block or table itself.
        rect: where it lies in the long strip of all pages.
        first: the bottom of the least that must stand under a heading: one line, the head row and one more, or all.
        whole: never cut.
        heading: belongs to what follows.
        section: the heading of a section, where a page may well begin.
        short: a paragraph that may belong to a heading above and a table below.
    """

    thing: QTextBlock | QTextTable
    rect: QRectF
    first: float
    whole: bool
    heading: bool
    section: bool
    short: bool


def paginate(document: QTextDocument) -> int:
    """Put page breaks into a document that has its page size; the number of pages.

    Deterministic: it works from the top down, and each round settles one break for good. At the end a last page with
    next to nothing on it gets a section of the page before.
    """
    height = document.pageSize().height()
    settled = 0
    pieces = list(_pieces(document, height))
    while (found := _first_torn(pieces, height, settled)) is not None:
        settled = found + 1
        _set_break(pieces[found].thing, _BEFORE)
        pieces = list(_pieces(document, height))
    _fill_last_page(document, pieces, height)
    _split_paragraphs(document, height)
    return document.pageCount()


def _fill_last_page(document: QTextDocument, pieces: list[_Piece], height: float) -> None:
    count = document.pageCount()
    if count < 2 or _fill(pieces, height) >= _LEAST_FILL:
        return
    for piece in reversed(pieces):
        page = _page(piece.rect.top(), height)
        if page < count - 2:
            return
        if not piece.section or page != count - 2 or piece.rect.top() % height <= 1.0:
            continue
        _set_break(piece.thing, _BEFORE)
        if document.pageCount() == count and _fill(list(_pieces(document, height)), height) >= _LEAST_FILL:
            return
        _set_break(piece.thing, _AUTO)


def _split_paragraphs(document: QTextDocument, height: float) -> None:
    """Make two paragraphs of one that runs over a page's end, without moving a line.

    QTextLayout draws one line too many above a clip. It is not seen, but it would be in the text that is selected.
    """
    block = document.begin()
    while block.isValid():
        at = None if QTextCursor(block).currentTable() else _first_line_of_next_page(block, height)
        if at is not None:
            upper = QTextCursor(block)
            whole = block.blockFormat()
            lower_format, upper_format = QTextBlockFormat(whole), QTextBlockFormat(whole)
            upper_format.setBottomMargin(0)
            lower_format.setTopMargin(0)
            lower_format.setPageBreakPolicy(_AUTO)
            upper.setPosition(block.position() + at)
            upper.insertBlock(lower_format)
            QTextCursor(upper.block().previous()).setBlockFormat(upper_format)
        block = block.next()


def _first_line_of_next_page(block: QTextBlock, height: float) -> int | None:
    """Where in a block the first line of another page than its first line's starts; None where it has one page."""
    lines = block.layout()
    tops = [lines.position().y() + lines.lineAt(k).y() for k in range(lines.lineCount())]
    over = next((k for k, top in enumerate(tops) if _page(top, height) != _page(tops[0], height)), None)
    return None if over is None else lines.lineAt(over).textStart()


def _fill(pieces: list[_Piece], height: float) -> float:
    """Share of the last page that is used."""
    bottom = pieces[-1].rect.bottom()
    return bottom / height - _page(bottom - 1.0, height)


def _pieces(document: QTextDocument, height: float) -> Iterator[_Piece]:
    layout = document.documentLayout()
    walk = document.rootFrame().begin()
    while not walk.atEnd():
        frame, block = walk.currentFrame(), walk.currentBlock()
        if isinstance(frame, QTextTable):
            yield _table(frame, layout.frameBoundingRect(frame), height)
        elif frame is None and block.isValid() and block.length() > 1:
            rect, first = _text_rect(block, layout.blockBoundingRect(block))
            lines = block.layout().lineCount()
            level = block.blockFormat().headingLevel()
            yield _Piece(block, rect, first, level > 0, level > 0, level == _SECTION, lines <= _LEAD_LINES)
        walk += 1


def _text_rect(block: QTextBlock, rect: QRectF) -> tuple[QRectF, float]:
    """Where a block's lines lie, and the bottom of the first: a line that went to the next page leaves the block's own
    top behind.
    """
    lines = block.layout()
    if lines.lineCount() == 0:
        return rect, rect.top()
    line = lines.lineAt(0)
    top = lines.position().y() + line.y()
    return QRectF(rect.left(), top, rect.width(), rect.bottom() - top), top + line.height()


def _table(table: QTextTable, rect: QRectF, height: float) -> _Piece:
    whole = rect.height() <= height and (rect.height() <= _SMALL * height or _holds_picture(table))
    heads = table.format().toTableFormat().headerRowCount()
    row = min(heads, table.rows() - 1)
    layout = table.document().documentLayout()
    last = table.cellAt(row, 0).lastCursorPosition().block()
    first = rect.bottom() if whole else layout.blockBoundingRect(last).bottom()
    return _Piece(table, rect, first, whole, heading=False, section=False, short=False)


def _holds_picture(frame: QTextFrame) -> bool:
    block, end = frame.firstCursorPosition().block(), frame.lastPosition()
    while block.isValid() and block.position() <= end:
        fragments = block.begin()
        while not fragments.atEnd():
            if fragments.fragment().charFormat().isImageFormat():
                return True
            fragments += 1
        block = block.next()
    return False


def _first_torn(pieces: list[_Piece], height: float, settled: int) -> int | None:
    """Where the next break must go: the first piece of the chain that would be torn; None where all is well."""
    for at in range(settled, len(pieces)):
        piece = pieces[at]
        start = _chain_start(pieces, at)
        if start < settled or (start == at and not piece.whole):
            continue  # lines and rows that stand alone may lie on any page
        top = _page(pieces[start].rect.top(), height)
        must_reach = piece.rect.bottom() if piece.whole else piece.first
        if _page(must_reach - 1, height) != top and _fits(pieces[start], must_reach, height):
            return start
    return None


def _fits(start: _Piece, bottom: float, height: float) -> bool:
    """Whether a break helps: the chain does not start on top of a page already."""
    return start.rect.top() % height > 1.0 and bottom > start.rect.top()


def _chain_start(pieces: list[_Piece], at: int) -> int:
    """The first of the headings and short lines right above a piece that belong to it."""
    start = at
    while start > 0:
        above = pieces[start - 1]
        if above.heading or (
            above.short
            and start == at
            and isinstance(pieces[at].thing, QTextTable)
            and _under_heading(pieces, start - 1)
        ):
            start -= 1
        else:
            break
    return start


def _under_heading(pieces: list[_Piece], at: int) -> bool:
    return at > 0 and pieces[at - 1].heading


def _page(y: float, height: float) -> int:
    return int(y // height)


def _set_break(thing: QTextBlock | QTextTable, policy: QTextFormat.PageBreakFlag) -> None:
    if isinstance(thing, QTextTable):
        table_format = thing.format().toTableFormat()
        table_format.setPageBreakPolicy(policy)
        thing.setFormat(table_format)
        return
    block_format = thing.blockFormat()
    block_format.setPageBreakPolicy(policy)
    QTextCursor(thing).setBlockFormat(block_format)
