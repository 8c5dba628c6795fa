"""The processes of `test_parallel`: each runs folds under the environment that `torchrun` sets, and says what came of them.

Arguments: a folder, and how many processes. Processes are forked from one that has imported torch.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from training.engine.one_shot.conftest import fold_of, inputs_in, run_config, said_by
from training.engine.parallel_worker import forked

from ctviewer.training.engine.parallel import World, joined_world

NET = run_config().model.net
JOBS = {
    # three slices of a kind, two a step: in the last step of an epoch the second process has none
    "copied": {"model": {"net": {**NET, "branches": "copied"}}, "smoothing": 0.5, "augmentation": "tuned"},
    "summed": {"losses": "sum", "sampling": "even"},
    "running": {"model": {"net": {**NET, "norms": "running"}}, "epochs": 1},
}


def job(folder: Path, world: World, name: str) -> dict:
    """Losses of steps and epochs, and what is kept for the next step; the weights lie in a file of the process."""
    fold = fold_of(inputs_in(folder, run_config(clip=1.0, **JOBS[name]), name=f"{name}-{world.rank}", world=world))
    said = said_by(fold.train())
    state = {key: tensor.detach().contiguous().clone() for key, tensor in fold.learner.net.state_dict().items()}
    save_file(state, folder / f"{name}-{world.rank}.safetensors")
    judged = [validation for *_, validation in said.judged]
    return {"losses": [loss for *_, loss in said.losses], "judged": judged, "state": fold.learner.state()}


def work(folder: Path) -> None:
    with joined_world() as world:
        found = {name: job(folder, world, name) for name in JOBS}
        (folder / f"said-{world.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    forked(work)
