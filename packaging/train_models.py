"""Train the models that learn from patients: `make train-models ARGS="lesions --covid19-ct-seg PATH ..."`, then `studies`.

lesions: five fold models, then the one that is shipped, each about a quarter of an hour on one core. Several processes may take
some folds each (`--folds 1,2`) in one folder of work. studies: the model of two classes and that of three simulated ones.
What is there already is not trained again. Figures are written into the bundles by `make evaluate-models ARGS="--write"`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ctviewer.app.progress import ProgressLine, drain
from ctviewer.app.starter_chests import Sets, read_chests
from ctviewer.core.errors import CtviewerError, InputError
from ctviewer.core.events import Event
from ctviewer.core.files import atomic_path
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.engine.devices import choose_device
from ctviewer.training.starter import bundle_texts
from ctviewer.training.starter.chests import RECOVERED, Chest, digest
from ctviewer.training.starter.lesion_folds import WEIGHTS, Folds, KeptFold, train_folds
from ctviewer.training.starter.lesion_split import folds_of, painted
from ctviewer.training.starter.lesion_stage import train_lesions
from ctviewer.training.starter.loop import EpochDone
from ctviewer.training.starter.recipe import (
    BATCH,
    lesion_folds,
    lesion_options,
    lesion_settings,
    lesion_steps,
    new_lesion_net,
)
from ctviewer.training.starter.shipped import lesion_bundle, study_bundle
from ctviewer.training.starter.simulation.patterns import CLASSES as SIMULATED
from ctviewer.training.starter.study_recipe import STUDY_FOLD, StudySettings, new_study_net, train_studies

FOLDS = Folds.count


def main() -> int:
    """Command line; exit code 0, or 2 with one sentence."""
    arguments = _parser().parse_args()
    torch.set_num_threads(arguments.threads)
    line = ProgressLine(quiet=arguments.quiet)
    sets = Sets(arguments.covid19_ct_seg, arguments.lung_pet_ct_dx, arguments.lidc, arguments.work / "chests")
    try:
        arguments.device = str(choose_device(arguments.device))
        chests: tuple[Chest, ...] = drain(read_chests(sets), line)
        (_lesions if arguments.what == "lesions" else _studies)(chests, arguments, line)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("lesions", "studies"))
    parser.add_argument("--covid19-ct-seg", type=Path, required=True, help="folder with ct, covid and lungs")
    parser.add_argument("--lung-pet-ct-dx", type=Path, help="folder of one patient's series, and boxes")
    parser.add_argument("--lidc", type=Path, help="folder of a series without infection")
    parser.add_argument("--work", type=Path, default=Path("out/train-models"), help="keeps what is made on the way")
    parser.add_argument("--out", type=Path, default=Path("resources/bundles"), help="folder of bundles")
    parser.add_argument("--folds", type=_folds, help="train these folds alone, 1 to 5, and no bundle: 1,2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="that trains")
    parser.add_argument("--threads", type=int, default=1, help="of torch; more are hardly faster")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _folds(text: str) -> tuple[int, ...]:
    """Numbers of folds, for argparse."""
    numbers = tuple(int(number) for number in text.split(","))
    if not set(numbers) <= set(range(1, FOLDS + 1)):
        raise argparse.ArgumentTypeError(f"folds are numbered from 1 to {FOLDS}")
    return numbers


def _lesions(chests: tuple[Chest, ...], arguments: argparse.Namespace, line: ProgressLine) -> None:
    plan = lesion_folds(arguments.work / "folds", arguments.seed, arguments.device)
    judged_too = painted([chest for chest in chests if chest.kind == RECOVERED])
    kept: tuple[KeptFold, ...] = drain(
        train_folds(chests, plan, judged_too=judged_too, numbers=arguments.folds), line, _show
    )
    if arguments.folds is not None:
        return
    net, seconds = _final(chests, arguments, line)
    threshold = sorted(one.threshold for one in kept)[len(kept) // 2]
    bundle = lesion_bundle(arguments.out, net, chests, threshold, seconds, arguments.seed, arguments.device)
    print(f"{bundle.folder} is made.")


def _final(chests: tuple[Chest, ...], arguments: argparse.Namespace, line: ProgressLine) -> tuple[OneShot, float]:
    """The net that learned from all, and the seconds that it took."""
    told = json.dumps([lesion_settings(arguments.seed), lesion_options(), digest(chests)], sort_keys=True)
    name = f"lesions-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    path, times = arguments.work / f"{name}.safetensors", arguments.work / f"{name}.seconds"
    torch.manual_seed(arguments.seed)
    net = new_lesion_net()
    if path.exists() and times.exists():
        net.load_state_dict(load_file(path))
        return net, float(times.read_text())
    began = time.monotonic()
    drain(train_lesions(net.to(arguments.device), chests, lesion_steps(arguments.seed), batch=BATCH), line, _show)
    seconds = time.monotonic() - began
    with atomic_path(path) as part:
        save_file({key: tensor.cpu().contiguous() for key, tensor in net.state_dict().items()}, part)
    with atomic_path(times) as part:
        part.write_text(f"{seconds:.1f}")
    return net.cpu(), seconds


def _studies(chests: tuple[Chest, ...], arguments: argparse.Namespace, line: ProgressLine) -> None:
    fold = folds_of(chests, seed=arguments.seed)[STUDY_FOLD - 1]
    path = arguments.work / "folds" / f"fold-{STUDY_FOLD}" / WEIGHTS
    if not path.exists():
        raise InputError(f"{path} is not there: train the lesion model's folds first.")
    lesions = new_lesion_net()
    lesions.load_state_dict(load_file(path))
    learned, held_out = (*fold.train, *fold.holdout), fold.test
    settings = StudySettings(seed=arguments.seed)
    began = time.monotonic()
    two, three = new_study_net(2, arguments.seed), new_study_net(len(SIMULATED), arguments.seed)
    for net in (two, three):
        net.to(arguments.device)
    drain(train_studies(two, three, lesions, learned, settings), line, _show)
    seconds = time.monotonic() - began
    for said, net in ((bundle_texts.INFECTION_STUDY, two), (bundle_texts.SIMULATED_THREE_CLASSES, three)):
        bundle = study_bundle(arguments.out, said, net.cpu(), learned, held_out, settings, seconds, arguments.device)
        print(f"{bundle.folder} is made.")


def _show(event: Event) -> None:
    """A line for each epoch."""
    if isinstance(event, EpochDone):
        print(f"{event.stage}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
