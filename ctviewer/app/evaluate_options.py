"""Options of `ctviewer evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

_EPILOG = """\
The folder holds one sub-folder, ZIP archive or file per study, and labels.csv with the columns study, patient, class;
a column split may name train, val, test or external:NAME. Nothing is written into it.

Every use of a hold-out is counted: one that models are chosen by again and again tells less each time.

Exit codes: 0 done, 2 bad input or usage, 4 done with studies or slices left out, 130 cancelled."""


def add_evaluate(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]
) -> argparse.ArgumentParser:
    """Add the command, but for its statements about formats that do not say everything themselves.

    Args:
        commands: of the program.
        path: makes a path of an argument.

    Returns:
        The parser of the command.
    """
    evaluate = commands.add_parser(
        "evaluate",
        help="how good a study classifier is on labelled studies",
        description="Figures of a study classifier on labelled studies, with intervals over patients.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("folder", type=path, metavar="FOLDER", help="folder of studies with labels.csv")
    evaluate.add_argument(
        "--model", metavar='"NAME VERSION"', help="an installed study classifier (default: the active)"
    )
    evaluate.add_argument("--labels", type=path, metavar="FILE", help="the table (default: labels.csv of the folder)")
    evaluate.add_argument(
        "--split",
        metavar="PART",
        help="test, val, train or external:NAME as the table names them, or all, each by itself (default: test; all "
        "studies together where the table names no parts)",
    )
    evaluate.add_argument(
        "--out", type=path, metavar="DIR", help="where evaluation.html, evaluation.json and predictions.json go"
    )
    evaluate.add_argument("--json", action="store_true", help="print evaluation.json instead of a table")
    evaluate.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA where there is one"
    )
    evaluate.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return evaluate
