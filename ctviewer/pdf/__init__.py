"""HTML to PDF with QtGui only, for the window and the command line. Needs a QGuiApplication ("offscreen" will do)."""

from ctviewer.pdf.fonts import load_fonts, missing_characters
from ctviewer.pdf.writer import write_pdf

__all__ = ["load_fonts", "missing_characters", "write_pdf"]
