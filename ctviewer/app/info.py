"""`ctviewer info PATH`: what is in a folder or file, as text for people or as JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from io import TextIOWrapper

from ctviewer.app.cli import OK, PARTLY
from ctviewer.app.info_json import as_dict
from ctviewer.app.info_report import gather
from ctviewer.app.info_text import as_text
from ctviewer.app.logs import redactor
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.app.stating import apply_statement, statement
from ctviewer.core.series import Catalog
from ctviewer.dicom import scan


def run_info(options: argparse.Namespace) -> int:
    """Scan, read the pixels slice by slice, print; returns the exit code.

    Raises:
        InputError: nothing there can be read, or the series asked for is not there.
    """
    line = ProgressLine(options.quiet)
    redactor.hide(options.path)
    stated = statement(options)
    catalog: Catalog = apply_statement(drain(scan(options.path), line), stated)
    report = gather(catalog, options.series, line, pixels=options.pixels, identifying=options.patient)
    _print(json.dumps(as_dict(report), indent=1, allow_nan=False) if options.json else as_text(report))
    failed = any(entry.values is not None and entry.values.failed for entry in report.entries)
    return PARTLY if catalog.incomplete or failed else OK


def _print(text: str) -> None:
    """Print; a terminal that lacks some letters, and a reader that has seen enough (`| head`), are no errors."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again on its way out
