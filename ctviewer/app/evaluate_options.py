"""Options of `ctviewer evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ctviewer.training.config import FORMATS

OF_SLICES = ("format", "config", "complete", "only")
"""Options of `add_slices`."""
LESIONS, CLASSES = ONLY = ("lesions", "classes")
_EPILOG = """\
Of a study classifier the folder holds one sub-folder, ZIP archive or file per study, and labels.csv with the columns
study, patient, class; a column split may name train, val, test or external:NAME. Of a one-shot model it holds labelled
slices in any format that training reads (--format; our own study folders with masks by default), or a configuration names
the sets (--config). Nothing is written into it.

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
        help="how good a model is on labelled studies or slices",
        description="Figures of a study classifier on labelled studies, or of a one-shot model on labelled slices, with "
        "intervals over patients.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("folder", type=path, nargs="?", metavar="FOLDER", help="folder of studies or slices")
    evaluate.add_argument(
        "--model",
        metavar='"NAME VERSION"',
        help="an installed model (default: the active study classifier; with --format or --config the active one-shot model)",
    )
    evaluate.add_argument(
        "--labels", "--table", type=path, metavar="FILE", help="the table or list (default: labels.csv of the folder)"
    )
    add_slices(evaluate, path)
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


def add_slices(parser: argparse.ArgumentParser, path: Callable[[str], Path]) -> None:
    """Options that say which labelled slices a one-shot model is judged on."""
    slices = parser.add_argument_group("of a one-shot model")
    slices.add_argument("--format", choices=FORMATS, help="of the labelled slices (default: studies)")
    slices.add_argument(
        "--config", type=path, metavar="FILE", help="a configuration of `ctviewer train` whose sets are judged instead"
    )
    slices.add_argument(
        "--complete",
        choices=("yes", "no"),
        help="whether all lesions of the slices are marked (default: as the format says)",
    )
    slices.add_argument("--only", choices=ONLY, help="outlines of lesions alone, or classes of slices alone")
