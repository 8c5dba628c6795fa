"""`make evaluate-models`: the parts in their order, the log, the page, and the cards where that is asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ctviewer.app.model_evaluation import page
from ctviewer.app.model_evaluation.generated import Generated, attend, calibrate
from ctviewer.app.model_evaluation.lesions import judge_lesions
from ctviewer.app.model_evaluation.log import RUN, Log
from ctviewer.app.model_evaluation.parts import (
    ATTENTION,
    CALIBRATION,
    LESIONS,
    PARTS,
    PATIENTS,
    PHANTOMS,
    SCOPE,
    TER_SARKISOV,
    YE,
    Part,
    Setting,
)
from ctviewer.app.model_evaluation.patients import score_patients
from ctviewer.app.model_evaluation.phantoms import judge_on_phantoms
from ctviewer.app.model_evaluation.recipes import TrainedOn
from ctviewer.app.model_evaluation.reproductions import reproduce_ter_sarkisov, reproduce_ye
from ctviewer.app.model_evaluation.scope import look_at_scope
from ctviewer.app.model_evaluation.writing import write_figures
from ctviewer.app.progress import ProgressLine
from ctviewer.core.errors import BundleError, CtviewerError
from ctviewer.core.files import refuse_inside, write_bytes
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import counted
from ctviewer.models.bundle import Bundle
from ctviewer.models.registry import ACTIVE, Registry

PAGE, DATA = "evaluation.html", "evaluation.json"


@dataclass(frozen=True)
class Places:
    """Where things lie in the repository.

    Attributes:
        bundles: the folder of bundles.
        data: the folder of test data.
        out: for what is made.
        log: the log of all runs.
        work: where training keeps chests and fold models.
        commit: of the repository, "" where it is not known.
    """

    bundles: Path
    data: Path
    out: Path
    log: Path
    work: Path
    commit: str = ""


def parser(places: Places) -> argparse.ArgumentParser:
    """The command line; places are what it takes where nothing is said."""
    made = argparse.ArgumentParser(prog="evaluate-models", description=__doc__)
    made.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    made.add_argument("--bundles", type=Path, default=places.bundles, help="folder of the bundles to be judged")
    made.add_argument("--model", action="append", metavar="NAME", help="judge the bundle of this name alone")
    made.add_argument("--data", type=Path, default=places.data, help="folder of the test data")
    made.add_argument("--out", type=Path, default=places.out, help="for what is made on the way, and for the page")
    made.add_argument(
        "--work", type=Path, default=places.work, help="where train_models.py keeps chests and fold models"
    )
    made.add_argument("--seed", type=int, default=0, help="that the models were trained with")
    made.add_argument("--log", type=Path, default=places.log, help="log that a line is added to")
    made.add_argument("--write", action="store_true", help="write the figures into the bundles' metadata and cards")
    made.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu")
    made.add_argument("--quiet", action="store_true", help="no progress")
    made.add_argument("--effort", type=float, default=1.0, help="share of the generated studies")
    return made


def evaluate_models(options: argparse.Namespace, commit: str = "") -> int:
    """Do what was asked for; the exit code of the last part that failed, 0 where all went well.

    Args:
        options: of `parser`.
        commit: of the repository.

    Raises:
        CtviewerError: a folder of bundles without one that can be used, data that cannot be read, a place that cannot be
            written.
    """
    for place in (options.out, options.work, options.log) if options.data.is_dir() else ():
        refuse_inside(place, options.data)
    bundles = _bundles(options.bundles, options.model)
    log, line = Log(options.log, commit), ProgressLine(options.quiet)
    setting = Setting(bundles, options.data, options.out, line, options.device, log.add, options.effort)
    learned = TrainedOn(options.data, options.work, options.seed, line)
    done: list[Part] = []
    for name, work in _work(setting, learned).items():
        if name in (options.only or PARTS):
            part = work()
            done.append(part)
            print(page.as_text(part), flush=True)
            _write_page(options.out, done, bundles, log)  # after each part: an interrupted run shows what it found
    log.add({"event": RUN, "bundles": page.digests(bundles), "figures": page.logged(done)})
    if options.write:
        for bundle in bundles:
            write_figures(bundle, done)
    return next((part.code for part in reversed(done) if part.code), 0)


def main(arguments: Sequence[str] | None, places: Places) -> int:
    """Command line; the exit code. Errors in one sentence."""
    options = parser(places).parse_args(arguments)
    print(f"ctviewer: {RESEARCH_USE}", file=sys.stderr)
    try:
        return evaluate_models(options, places.commit)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _work(setting: Setting, learned: TrainedOn) -> dict[str, Callable[[], Part]]:
    """What each part does, in the order of `PARTS`."""
    generated = cache(lambda: Generated(setting, learned.simulated(setting)))
    return {
        SCOPE: lambda: look_at_scope(setting),
        CALIBRATION: lambda: calibrate(setting, generated()),
        ATTENTION: lambda: attend(setting, generated()),
        PHANTOMS: lambda: judge_on_phantoms(setting),
        PATIENTS: lambda: score_patients(setting),
        LESIONS: lambda: judge_lesions(setting, learned.folds()),
        YE: lambda: reproduce_ye(setting),
        TER_SARKISOV: lambda: reproduce_ter_sarkisov(setting),
    }


def _bundles(folder: Path, names: Sequence[str] | None) -> tuple[Bundle, ...]:
    """The intact bundles of a folder, or those among them that were named.

    Raises:
        BundleError: a bundle is damaged, one that was named is not there, or there is none.
    """
    found, problems = Registry((folder,), folder / ACTIVE).scan()
    if problems:
        raise BundleError(" ".join(problems))
    wanted = [one for one in found if not names or one.metadata.name in names or one.key in names]
    if not wanted:
        of = f" called {' or '.join(names)}" if names else ""
        raise BundleError(f"{folder} holds no bundle{of}; there {counted(len(found), 'bundle')} in it.")
    return tuple(wanted)


def _write_page(out: Path, done: Sequence[Part], bundles: Sequence[Bundle], log: Log) -> None:
    told = json.dumps(page.as_dict(done, bundles, log.commit), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_bytes(out / DATA, told.encode())
    write_bytes(out / PAGE, page.render(done, bundles, log.commit, log.looks()).encode())
