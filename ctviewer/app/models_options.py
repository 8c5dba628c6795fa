"""Options of `ctviewer models`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ctviewer.app.evaluate_options import add_slices
from ctviewer.models.metadata import CLASSIFIER, TASKS

_MODEL = '"NAME VERSION"'
_EPILOG = """\
A version is never changed and never overwritten: training makes a new one, which is used once it is activated.
`rollback` goes back to what was used before, one step at a time.

A model is named as it is listed ("starter-study-classifier 0.1.0", in quotes), as its folder is called
(starter-study-classifier-0.1.0), or by its name alone, which means its newest version.

Exit codes: 0 done, 2 bad input or usage, 130 cancelled."""


def add_models(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]
) -> argparse.ArgumentParser:
    """Add the command and what can be done with models.

    Args:
        commands: of the program.
        path: makes a path of an argument.

    Returns:
        The parser of `compare`, but for its statements about formats that do not say everything themselves.
    """
    models = commands.add_parser(
        "models",
        help="list the installed models; activate, go back, compare",
        description="The installed models: list them (the default), choose the one in use, go back, compare two.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    models.add_argument("--json", action="store_true", help="as JSON")
    acts = models.add_subparsers(dest="act", metavar="ACTION")
    _json(acts.add_parser("list", help="list the installed models, those in use marked by *"))

    activate = acts.add_parser("activate", help="use a model for its task; says what speaks against it")
    activate.add_argument("model", metavar=_MODEL)
    _json(activate)

    back = acts.add_parser("rollback", help="use again what was used before")
    back.add_argument("task", nargs="?", choices=TASKS, default=CLASSIFIER, help=f"default: {CLASSIFIER}")
    _json(back)
    return _compare(acts, path)


def _compare(
    acts: argparse._SubParsersAction[argparse.ArgumentParser], path: Callable[[str], Path]
) -> argparse.ArgumentParser:
    compare = acts.add_parser(
        "compare",
        help="two models of one task on the same studies or slices",
        description="Two study classifiers on the same studies, or two one-shot models on the same slices. Without --data: "
        "the comparison that a training run, or an earlier call, made of them; where there is none, of study classifiers the "
        "fixed set of phantoms alone.",
    )
    compare.add_argument("new", metavar="NEW", help="an installed model")
    compare.add_argument(
        "old", metavar="OLD", nargs="?", help="another (default: the parent of NEW, else the one in use)"
    )
    compare.add_argument(
        "--data", type=path, metavar="FOLDER", help="compare on these studies or slices; counts as a look at them"
    )
    compare.add_argument(
        "--labels", "--table", type=path, metavar="FILE", help="the table or list (default: labels.csv of the folder)"
    )
    add_slices(compare, path)
    compare.add_argument(
        "--split",
        metavar="PART",
        help="of the table: test, external:NAME, all (default: test, or all where it has no parts)",
    )
    compare.add_argument("--studies", action="store_true", help="name the studies that are answered differently")
    compare.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA where there is one"
    )
    compare.add_argument("--quiet", action="store_true", help="no progress on standard error")
    _json(compare)
    return compare


def _json(parser: argparse.ArgumentParser) -> None:
    # what is not given here must not take back what stands before the action
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")
