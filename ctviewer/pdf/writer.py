"""Paints a print job page by page, with a header and a footer on each, into a PDF file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QEventLoop, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextDocument,
    QTextOption,
)

from ctviewer.core.errors import StorageError
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.printing import MARGIN_MM, PageSize, PrintJob
from ctviewer.pdf.fonts import print_font
from ctviewer.pdf.frame import PageFrame
from ctviewer.pdf.pagination import paginate

_DPI = 1200  # layout units per inch: fine enough that letters keep their designed distances
_TOP_MM, _BOTTOM_MM = 24.0, 19.0
_PAPER = {PageSize.A4: QPageSize.PageSizeId.A4, PageSize.LETTER: QPageSize.PageSizeId.Letter}


def write_pdf(job: PrintJob, target: Path, opened: Path | None = None) -> int:
    """Write a PDF, whole or not at all: text selectable, fonts embedded, pictures lossless.

    Needs a QGuiApplication; any thread may call it.

    Args:
        job: what to print.
        target: the file; replaced where it exists.
        opened: the folder or file that was opened for reading, where nothing may be written.

    Returns:
        The number of pages.

    Raises:
        StorageError: `target` lies in the opened folder, or cannot be written.
    """
    if opened is not None:
        refuse_inside(target, opened)
    if target.is_dir():
        raise StorageError(f"{target} is a folder; give the report a file name.")
    dispatcher = QEventLoop()  # gives a worker thread the dispatcher that QTextDocument's timers ask for
    # in memory first: QPdfWriter tells nobody when a disk is full, and cannot open every name that the system can
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pages = _paint(job, buffer)
    if pages == 0:
        raise StorageError(f"{target} could not be written: the pages could not be laid out.")
    write_bytes(target, bytes(buffer.data().data()))
    del dispatcher
    return pages


def _paint(job: PrintJob, device: QIODevice) -> int:
    writer = _writer(job, device)
    painter = QPainter()
    if not painter.begin(writer):
        return 0
    try:
        # without the hint every picture would be stored as JPEG
        painter.setRenderHint(QPainter.RenderHint.LosslessImageRendering)
        body = _body_rect(job.page)
        document = _document(job, writer, body.size())
        pages = paginate(document)
        frame = PageFrame(job, writer, body, mm=_DPI / 25.4)
        for page in range(pages):
            if page and not writer.newPage():
                return 0
            frame.paint(painter, page + 1, pages)
            _paint_body(painter, document, body, page)
    finally:
        ended = painter.end()
    return pages if ended else 0


def _writer(job: PrintJob, device: QIODevice) -> QPdfWriter:
    writer = QPdfWriter(device)
    writer.setResolution(_DPI)
    layout = QPageLayout(
        QPageSize(_PAPER[job.page]),
        QPageLayout.Orientation.Portrait,
        QMarginsF(0, 0, 0, 0),
        QPageLayout.Unit.Millimeter,
    )
    layout.setMode(QPageLayout.Mode.FullPageMode)
    writer.setPageLayout(layout)
    writer.setTitle(job.title)
    writer.setCreator(job.creator)
    return writer


def _body_rect(page: PageSize) -> QRectF:
    """Where the text goes, in whole layout units: QTextDocument counts in 1/64 and would drift from page to page."""
    width, height = page.size_mm
    mm = _DPI / 25.4
    sides = (MARGIN_MM, _TOP_MM, width - 2 * MARGIN_MM, height - _TOP_MM - _BOTTOM_MM)
    return QRectF(*(float(round(side * mm)) for side in sides))


def _document(job: PrintJob, writer: QPdfWriter, size: QSizeF) -> QTextDocument:
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setDefaultFont(print_font(job.html, 9.0))
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    document.setDefaultTextOption(option)
    document.setDocumentMargin(0)
    document.setUndoRedoEnabled(False)
    document.setHtml(job.html)
    document.setPageSize(size)
    return document


def _paint_body(painter: QPainter, document: QTextDocument, body: QRectF, page: int) -> None:
    """One page of the document: its stretch of the long strip that QTextDocument lays out."""
    painter.save()
    painter.translate(body.left(), body.top() - page * body.height())
    view = QRectF(0, page * body.height(), body.width(), body.height())
    painter.setClipRect(view)
    context = QAbstractTextDocumentLayout.PaintContext()
    context.clip = view.adjusted(0, 1, 0, -1)  # Qt would draw, unseen, the line that starts where the page ends
    context.palette.setColor(QPalette.ColorRole.Text, QColor("black"))
    document.documentLayout().draw(painter, context)
    painter.restore()
