"""Options of `ctviewer reproduce`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ctviewer.app.reproduce_ter_sarkisov_options import add_ter_sarkisov
from ctviewer.app.reproduce_words import count

ENCODERS = ("resnet50", "googlenet", "resnet18", "mobilenet_v3", "convnext_tiny")
AGGREGATORS = ("max_pool", "lstm", "lstm_attention", "attention")

_EPILOG = """\
FOLDER holds one sub-folder, ZIP archive or file per study, and labels.csv with the columns study, patient, class and
split (train, val, test, external:NAME); without a column split the patients are shared out at random.
The paper starts from ImageNet weights: put torchvision's files into its cache first, or choose another start.
Ctrl+C pauses; the same command goes on. Models that are trained already are not trained again.
To try it on generated studies: `python packaging/make_hard_studies.py DIR`, and `make evaluate-models`."""


def add_reproduce(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]
) -> argparse.ArgumentParser:
    """Add the command, but for its statements about formats that do not say everything themselves.

    Args:
        commands: of the program.
        path: makes a path of an argument.

    Returns:
        The parser of `reproduce ye`.
    """
    command = commands.add_parser(
        "reproduce",
        help="repeat the experiments of a paper on your data",
        description="Train the models of a paper on your data and lay its tables beside the published ones.",
    )
    papers = command.add_subparsers(dest="paper", metavar="PAPER", required=True)
    ye = _add_ye(papers, path)
    add_ter_sarkisov(papers, path)
    return ye


def _add_ye(
    papers: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]
) -> argparse.ArgumentParser:
    ye = papers.add_parser(
        "ye",
        help="CNN, bidirectional LSTM and attention over slices",
        description="Train and compare the six models of Ye's paper, and attention alone, on a folder of studies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ye.add_argument("folder", type=path, help="folder of studies with labels.csv")
    ye.add_argument("--out", type=path, required=True, metavar="DIR", help="for the page, the figures and the state")
    ye.add_argument("--encoder", action="append", choices=ENCODERS, help="once or more (default: resnet50, googlenet)")
    ye.add_argument("--aggregator", action="append", choices=AGGREGATORS, help="once or more (default: all four)")
    ye.add_argument("--seeds", type=count, default=1, metavar="N", help="runs of each model (default 1)")
    ye.add_argument("--epochs", type=_epochs, default=(6, 12), metavar="A,B", help="judged after these (default 6,12)")
    ye.add_argument("--passes", type=count, default=1, help="passes over the studies in an epoch, for few studies")
    ye.add_argument("--start", choices=("imagenet", "domain", "scratch"), default="imagenet", help="of the encoders")
    ye.add_argument("--size", type=count, default=256, help="slices are resized to it (default 256)")
    ye.add_argument("--crop", type=count, default=224, help="and cropped to it (default 224)")
    ye.add_argument("--precision", choices=("float32", "bfloat16", "auto"), default="float32", help="of the encoders")
    ye.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA where there is one")
    ye.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return ye


def _epochs(text: str) -> tuple[int, ...]:
    return tuple(sorted({count(part.strip()) for part in text.split(",")}))
