"""The command line: `ctviewer [PATH]`, `ctviewer info`, `analyze`, `models`, `train`, `evaluate`, `demo`.

Exit codes: 0 done, 1 failed (an internal error, a device, a loss that is not finite), 2 bad input or usage,
3 abstained, 4 done with unreadable files left out, 5 paused, 130 cancelled.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ctviewer import __version__
from ctviewer.app.evaluate_options import add_evaluate
from ctviewer.app.logs import log_path, logger, set_up_logs, shut_down_logs
from ctviewer.app.models_options import add_models
from ctviewer.app.reproduce_options import add_reproduce
from ctviewer.app.train_options import add_train
from ctviewer.core.errors import CtviewerError, StorageError

OK, INTERNAL, BAD_INPUT, ABSTAINED, PARTLY, PAUSED, CANCELLED = 0, 1, 2, 3, 4, 5, 130


def _parser() -> argparse.ArgumentParser:
    from ctviewer.core.findings import RESEARCH_USE

    parser = argparse.ArgumentParser(
        prog="ctviewer",
        description=f"CT viewer with slice attention and lesion findings. {RESEARCH_USE}",
        epilog="Exit codes: 0 done, 1 failed (an internal error, a device, a loss that is not finite), 2 bad input or "
        "usage, 3 abstained, 4 done with unreadable files left out, 5 paused, 130 cancelled.",
    )
    parser.add_argument("--version", action="version", version=f"ctviewer {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    view = commands.add_parser("view", help="open the window (the default: `ctviewer PATH` does the same)")
    view.add_argument("path", nargs="?", type=_path, help="folder, file, ZIP or DICOMDIR")

    _add_info(commands)
    analyze = commands.add_parser("analyze", help="analyse a folder without a window")
    analyze.add_argument("folder", type=_path, metavar="path", help="folder, file, ZIP or DICOMDIR")
    analyze.add_argument("--out", type=_path, required=True, metavar="DIR", help="where result.json, report.pdf go")
    analyze.add_argument(
        "--series", metavar="KEY", help="key or SeriesInstanceUID (default: the thinnest lung-kernel series)"
    )
    analyze.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA where there is one"
    )
    analyze.add_argument("--page", choices=("A4", "Letter"), default="A4", help="paper of the report")
    analyze.add_argument("--quiet", action="store_true", help="no progress on standard error")
    _add_statements(analyze)

    _add_statements(add_models(commands, _path))

    add_train(commands, _path)
    _add_statements(add_evaluate(commands, _path))
    _add_statements(add_reproduce(commands, _path))

    demo = commands.add_parser("demo", help="make the sample study once, open it and analyse it")
    demo.add_argument("--out", type=_path, metavar="DIR", help="without a display: where the files go")
    return parser


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    info = commands.add_parser(
        "info",
        help="print what is in a folder or file: series, order, geometry, values, warnings",
        description="Print what is in a folder or file. Patient data are left out unless --patient is given.",
    )
    info.add_argument("path", type=_path, help="folder or file")
    info.add_argument("--json", action="store_true", help="as JSON (resources/schemas/info.schema.json)")
    info.add_argument("--series", metavar="KEY", help="this series alone: its key, or SeriesInstanceUID")
    info.add_argument("--no-pixels", dest="pixels", action="store_false", help="headers alone: no range of values")
    info.add_argument("--patient", action="store_true", help="show patient, dates and accession number too")
    info.add_argument("--quiet", action="store_true", help="no progress on standard error")
    _add_statements(info)


def _add_statements(parser: argparse.ArgumentParser) -> None:
    """What only the user can say of formats that do not say it themselves; see `app.stating`."""
    group = parser.add_argument_group(
        "statements", "What NIfTI, MetaImage, PNG and TIFF files do not say themselves; DICOM files do."
    )
    group.add_argument(
        "--values",
        metavar="MEANING",
        help="hu; hu+1024 (the file holds HU + 1024); hu=0.5*x-1000; or grey (plain grey values, no unit)",
    )
    group.add_argument(
        "--spacing", metavar="ROWxCOLUMN[xSLICE]", help="mm between rows, columns and slices, like 0.7x0.7x1.25"
    )
    group.add_argument(
        "--order",
        choices=("head-first", "feet-first"),
        help="the slices are axial, seen from the feet with the front on top; the first is nearest to this end",
    )


def _path(text: str) -> Path:
    """A path; an empty one, of a variable that a script forgot, would mean the folder that one happens to be in."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; a first argument that is no command is a path to open."""
    commands = ("view", "info", "analyze", "models", "train", "evaluate", "reproduce", "demo")
    if not arguments or (arguments[0] not in commands and not arguments[0].startswith("-")):
        arguments = ["view", *arguments]
    return _parser().parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. No traceback reaches the user: it goes to the log."""
    try:
        options = parse(sys.argv[1:] if arguments is None else list(arguments))
        set_up_logs()  # without a log the work goes on
        return _run(options)
    except CtviewerError as error:
        print(f"ctviewer: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ctviewer: cancelled.", file=sys.stderr)
        return CANCELLED
    except Exception:  # noqa: BLE001 (the outermost boundary of the program)
        logger().exception("internal error")
        print(f"ctviewer: an internal error stopped the work; details are in {_log()}.", file=sys.stderr)
        return INTERNAL
    finally:
        shut_down_logs()


def _log() -> str:
    try:
        return str(log_path())
    except StorageError:
        return "no log: its folder cannot be used"


def _run(options: argparse.Namespace) -> int:
    """Import what a command needs only when it is asked for."""
    if options.command == "info":
        from ctviewer.app.info import run_info

        return run_info(options)
    if options.command == "analyze":
        from ctviewer.app.analyze import run_analyze

        return run_analyze(options)
    if options.command == "models":
        from ctviewer.app.models_command import run_models

        return run_models(options)
    if options.command == "train":
        from ctviewer.app.train import run_train

        return run_train(options)
    if options.command == "evaluate":
        from ctviewer.app.evaluate import run_evaluate

        return run_evaluate(options)
    if options.command == "reproduce":
        from ctviewer.app.reproduce import run_reproduce

        return run_reproduce(options)
    if options.command == "demo":
        from ctviewer.app.demo import run_demo

        return run_demo(options.out)
    from ctviewer.app.gui import run_gui

    return run_gui(options.path)
