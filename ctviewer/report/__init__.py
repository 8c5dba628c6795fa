"""The report: pure data (`ReportDocument`), made from core objects and rendered as HTML that the PDF writer lays out."""

from ctviewer.report.build import ReportOptions, build_report
from ctviewer.report.document import ReportDocument
from ctviewer.report.html import render_html
from ctviewer.report.legible import with_codes
from ctviewer.report.printing import print_job

__all__ = ["ReportDocument", "ReportOptions", "build_report", "print_job", "render_html", "with_codes"]
