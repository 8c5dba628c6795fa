"""Options of `ctviewer train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ctviewer.training.recipes import RECIPES

_EPILOG = """\
To begin: `ctviewer train --example > run.toml`, name the folder of studies in it, `ctviewer train run.toml --check`.
The folder holds one sub-folder, ZIP archive or file per study, and labels.csv with the columns study, patient, class.
For a one-shot model, which outlines lesions and tells the class of a slice: `ctviewer train --example one-shot-tuned`;
its data are sets of slices with outlined lesions, and sets of slices with a class.

Ctrl+C pauses: a checkpoint is written and the program ends; so does a signal of the system. A second Ctrl+C ends at
once. A paused run, or one whose process died of anything, goes on by `ctviewer train --resume RUN`.
Several GPUs or processes: `torchrun --nproc-per-node 2 -m ctviewer train run.toml`; all must see the same disks.
After Ctrl+C torchrun itself ends with a traceback of its own; the run was paused where "Paused at step" stands above it.

Exit codes: 0 done; 1 failed, such as a loss that is not finite (the last good state is kept); 2 bad input, blocked,
or doubts that are not accepted (--check with doubts alone gives 0); 5 paused; 130 cancelled. Under torchrun, and with
--events, a paused or cancelled run gives 0."""


def add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]) -> None:
    """Add the command.

    Args:
        commands: of the program.
        path: makes a path of an argument.
    """
    train = commands.add_parser(
        "train",
        help="train or fine-tune a study classifier or a one-shot model; check its data first",
        description="Train or fine-tune a study classifier on labelled studies, or a one-shot model on labelled slices. "
        "They stay where they are.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("config", nargs="?", type=path, metavar="CONFIG", help="a TOML file; see --example")
    train.add_argument(
        "--check", action="store_true", help="look for faults of the data and say what a run takes, no more"
    )
    train.add_argument("--out", type=path, metavar="RUN", help="folder of the new run (default: one of its own)")
    train.add_argument("--resume", metavar="RUN", help="go on with a run: its folder, or its name in --list")
    train.add_argument("--list", action="store_true", help="list the runs of this computer, and how to go on with them")
    train.add_argument(
        "--example",
        nargs="?",
        const="tuned",
        metavar="RECIPE",
        help=f"print a configuration with explanations: tuned (default), {', '.join(name for name in RECIPES if name != 'tuned')}",
    )
    train.add_argument(
        "--accept-doubts",
        action="append",
        default=[],
        metavar="CODES",
        help="train in spite of these doubts of the check, separated by commas, or all; the model's card names them",
    )
    train.add_argument(
        "--report",
        type=path,
        metavar="FILE",
        help="with --check: keep what it finds; without: go by that, and read the studies but once (it names patients)",
    )
    train.add_argument(
        "--findings",
        type=path,
        metavar="FOLDER",
        help="first write the findings corrected in the viewer as a training set into this new folder, which the "
        'configuration names as a set of lesions or images of the format "studies"',
    )
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), default="", help="instead of the configuration's")
    train.add_argument("--json", action="store_true", help="with --check or --list: as JSON")
    train.add_argument(
        "--events",
        choices=("jsonl",),
        default="",
        help="say all as JSON lines on standard output, and hear pause, stop and cancel on standard input",
    )
    train.add_argument("--quiet", action="store_true", help="no progress on standard error")
