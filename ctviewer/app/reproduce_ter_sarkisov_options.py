"""Options of `ctviewer reproduce ter-sarkisov`, and the sets of slices that they name."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ctviewer.app.reproduce_words import count
from ctviewer.core.errors import InputError
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import COMPLETE, FORMATS, SliceSet
from ctviewer.training.recipes import RECIPES
from ctviewer.training.reproduction.ter_sarkisov_plan import BACKBONES, LEVELS, NAMES, STARTS, TRANSFER_RECIPE

RECIPE_NAMES = tuple(name for name, one in RECIPES.items() if one.task == ONE_SHOT and name != TRANSFER_RECIPE)
_KEYS = ("table", "split", "complete", "values", "own_patients")
_ANSWERS = ("yes", "no")
_SET = ("FORMAT", "FOLDER [KEY=VALUE ...]")
_EPILOG = f"""\
A set of slices is a format, a folder and what else there is to say of it:
  --lesions cncb LESIONS
  --images covidx COVIDX table=COVIDX/train_COVIDx_CT-2A.txt split=train
Formats: {", ".join(FORMATS)}.
Keys: table (the list of the set), split (train, val, test or external:NAME), complete (yes or no: whether all lesions are
marked), values (what grey means, as for `info`), own_patients (yes: nobody of another set, whatever the names).

Table 1 is of the slices with lesions, table 2 of those with a class; table 3 of every external set; table 4 of the sets of
--transfer, which the trained model learns anew. Slices without a part are shared out by patient.
Models: {", ".join(NAMES)}.
The paper starts from ImageNet weights: put torchvision's files into its cache first, or say --start scratch.
Ctrl+C pauses; the same command goes on. Models that are trained already are not trained again.
To try it on generated slices: `make evaluate-models`."""


def add_ter_sarkisov(papers: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]) -> None:
    """Add the paper.

    Args:
        papers: of `ctviewer reproduce`.
        path: makes a path of an argument.
    """
    one = papers.add_parser(
        "ter-sarkisov",
        help="one-shot model: lesions and slice class in one pass",
        description="Train the one-shot model, Mask R-CNN, slice classifiers and ablations on your slices.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = (
        ("--lesions", "slices with outlined lesions, once or more", True),
        ("--images", "slices with a class, once or more", False),
        ("--transfer", "slices with a class, for table 4", False),
    )
    for name, words, required in kinds:
        one.add_argument(name, action="append", nargs="+", required=required, metavar=_SET, help=words)
    one.add_argument("--out", type=path, required=True, metavar="DIR", help="for the page, the figures and the state")
    one.add_argument("--model", action="append", choices=NAMES, metavar="NAME", help="once or more (default: all)")
    one.add_argument("--seeds", type=count, default=1, metavar="N", help="runs of each model (default 1)")
    one.add_argument("--recipe", choices=RECIPE_NAMES, default="one-shot-paper", help="default: one-shot-paper")
    one.add_argument("--epochs", type=count, default=0, metavar="N", help="instead of the recipe's")
    one.add_argument("--batch", type=count, default=0, metavar="N", help="slices a step, instead of the recipe's")
    one.add_argument("--rate", type=_rate, default=0.0, metavar="R", help="learning rate, instead of the recipe's")
    one.add_argument("--start", choices=STARTS, default="imagenet", help="of all models (default imagenet)")
    one.add_argument("--backbone", choices=BACKBONES, default="resnext101", help="default resnext101, as in the paper")
    one.add_argument("--levels", choices=LEVELS, help="default pyramid; the paper has a single one")
    one.add_argument("--reference", action="store_true", help="the model does all that the paper's code does")
    one.add_argument("--net", action="append", default=[], metavar="KEY=VALUE", help="a further option of the net")
    one.add_argument("--size", type=count, default=512, help="slices are resized to it (default 512)")
    one.add_argument("--precision", choices=("float32", "bfloat16", "auto"), default="float32", help="of the nets")
    one.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA where there is one")
    one.add_argument("--about", default="", metavar="TEXT", help="what the data are, for the top of the page")
    one.add_argument("--quiet", action="store_true", help="no progress on standard error")


def slice_sets(option: str, told: Sequence[Sequence[str]] | None) -> tuple[SliceSet, ...]:
    """The sets that an option names.

    Args:
        option: its name, for the message.
        told: words of each time that it was given.

    Raises:
        InputError: a word that cannot be understood.
    """
    return tuple(_slice_set(option, words) for words in told or ())


def net_option(text: str) -> tuple[str, int | float | bool | str]:
    """`key=value` as the configuration of a run has it.

    Raises:
        InputError: it is something else.
    """
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise InputError(f"--net needs KEY=VALUE, not {text!r}.")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def _slice_set(option: str, words: Sequence[str]) -> SliceSet:
    if len(words) < 2:
        raise InputError(f"{option} needs a format and a folder, not {words[0]!r} alone.")
    name, folder, *more = words
    if name not in FORMATS:
        raise InputError(f"{option}: there is no format {name!r}; there are {', '.join(FORMATS)}.")
    told: dict[str, str] = {}
    for word in more:
        key, equals, value = word.partition("=")
        if not equals or key not in _KEYS or key in told:
            raise InputError(f"{option}: {word!r} is none of {', '.join(f'{key}=…' for key in _KEYS)}.")
        told[key] = value
    for key, allowed in (("complete", COMPLETE), ("own_patients", _ANSWERS)):
        if key in told and told[key] not in allowed:
            raise InputError(f"{option}: {key} is yes or no, not {told[key]!r}.")
    own, table = told.pop("own_patients", "no") == "yes", told.pop("table", "")
    table = str(Path(table).absolute()) if table else ""
    return SliceSet(name, str(Path(folder).absolute()), table=table, own_patients=own, **told)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0, to 1")
    return value
