"""`ctviewer reproduce PAPER`: the experiments of a paper on other data, its tables beside the published ones."""

from __future__ import annotations

import argparse


def run_reproduce(options: argparse.Namespace) -> int:
    """Train what is missing and write the page; returns the exit code.

    Raises:
        CtviewerError: bad input, a run that failed, or a place that cannot be written.
    """
    if options.paper == "ter-sarkisov":
        from ctviewer.app.reproduce_ter_sarkisov import run_ter_sarkisov

        return run_ter_sarkisov(options)
    from ctviewer.app.reproduce_ye import run_ye

    return run_ye(options)
