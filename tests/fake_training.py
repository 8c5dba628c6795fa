"""A training process that learns nothing and speaks like the real one, and the services that start it.

Run as a program it is the process: `python fake_training.py FOLDER BEHAVIOUR [resume]`. It needs the standard library alone,
so that it starts in a few hundredths of a second.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

STEPS, PER_EPOCH, SLOW = 40, 8, 0.01
REPORT = {
    "schema": 1,
    "blocked": False,
    "studies": 60,
    "patients": 55,
    "findings": [],
    "split": None,
    "counts": [],
    "tables": [],
    "shortcuts": [],
    "widths": [],
    "estimate": None,
    "baseline": [],
    "data_sha256": {},
    "study_sha256": {},
}
DOUBT = {"severity": "doubt", "code": "few", "text": "There are few patients.", "studies": []}
ERROR = {"severity": "error", "code": "absent", "text": "A class has no study to train on.", "studies": []}


def say(event: str, **values: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def check(behaviour: str) -> int:
    say("Progress", stage="Reading studies", done=1, total=2)
    if behaviour == "unreadable":
        print("ctviewer: The table labels.csv has no column 'study'.", file=sys.stderr)
        return 2
    if behaviour == "slow check":
        time.sleep(600)
    findings = {"doubt": [DOUBT], "blocked": [ERROR]}.get(behaviour, [])
    say("Checked", report={**REPORT, "findings": findings, "blocked": behaviour == "blocked"})
    return 2 if behaviour == "blocked" else 0


def train(folder: Path, behaviour: str, resumed: int) -> int:
    words: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(words,), daemon=True).start()
    (folder / "words").touch()
    if not resumed:
        say("RunPlaced", folder=str(folder))
    say("Progress", stage="Computing features", done=3, total=60)
    if behaviour == "ends before":
        return 0
    begun = {"folds": 1, "device": "CPU", "precision": "float32", "train": 42, "validation": 9, "test": 9}
    say("RunBegun", steps=STEPS, resumed=resumed, **begun)
    print("a library prints something")
    for step in range(resumed + 1, STEPS + 1):
        try:
            word = words.get(timeout=SLOW)
        except queue.Empty:
            word = ""
        if word:
            (folder / "words").write_text(word)
        if word and behaviour != "deaf":
            return obey(word, folder, step - 1)
        learn(step)
        if step == 10 and not resumed:
            (folder / "checkpoint").write_text("10")
            say("Saved", fold=0, step=10, best=False)
            die(behaviour)
        while behaviour == "endless" and step == 20 and words.empty():
            time.sleep(SLOW)
        while behaviour == "deaf" and step == 20:
            time.sleep(SLOW)
    return finish(folder, stopped=False)


def learn(step: int) -> None:
    left = (STEPS - step) * 30.0
    place = {"fold": 0, "epoch": (step - 1) // PER_EPOCH + 1, "step": step, "steps": STEPS}
    say("StepDone", **place, loss=1.0 / step, rate=1e-3, seconds=1.0, seconds_left=left, memory=2_100_000_000)
    if step % PER_EPOCH == 0:
        epoch = step // PER_EPOCH
        losses = {"loss": 1.0 / step, "validation_loss": 0.6 / epoch}
        say(
            "EpochDone",
            fold=0,
            epoch=epoch,
            epochs=STEPS // PER_EPOCH,
            metrics={"AUC-ROC": 1 - 0.4 / epoch},
            best=True,
            **losses,
        )


def die(behaviour: str) -> None:
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "fails":
        text = "The loss is not finite any more; the last good state was kept."
        say("RunFailed", text=text, resumable=True)
        sys.exit(1)
    if behaviour == "crashes":
        raise ValueError("of DOE^JOHN")
    if behaviour == "silent":
        os._exit(0)


def obey(word: str, folder: Path, step: int) -> int:
    if word == "pause":
        (folder / "checkpoint").write_text(str(step))
        say("Saved", fold=0, step=step, best=False)
        say("Paused", fold=0, step=step)
        return 0
    if word == "stop":
        return finish(folder, stopped=True)
    (folder / "checkpoint").unlink(missing_ok=True)
    say("RunCancelled")
    return 0


def finish(folder: Path, stopped: bool) -> int:
    (folder / "made").touch()
    say("RunFinished", bundle=str(folder / "made"), key="lung 1.1.0", stopped=stopped, metrics={"AUC-ROC": 0.91})
    return 0


def _listen(words: queue.Queue[str]) -> None:
    for line in sys.stdin:
        words.put(line.strip())
    words.put("pause")  # nobody is there any more


class FakeTraining:
    """Services that start this file as the training process.

    Attributes:
        behaviour: of the processes that are started next; see `check` and `die`.
        error: raised by what is asked for next, where it is not None.
    """

    def __init__(self, folder: Path) -> None:
        from ctviewer.ui.finetune.services import BaseModel, TrainingChoices

        self.folder = folder / "run"
        self.behaviour = ""
        self.error: Exception | None = None
        self.active = "lung 1.0.0"
        self.discarded: list[Path] = []
        self.made_choices = TrainingChoices((BaseModel("lung 1.0.0", "Lung", ("covid", "well"), "well", True),))
        self._config = None

    def _command(self, *words: str):
        from ctviewer.jobs import ChildCommand

        if self.error is not None:
            raise self.error
        self.folder.mkdir(exist_ok=True)
        return ChildCommand((sys.executable, "-S", "-u", __file__, str(self.folder), self.behaviour, *words))

    def choices(self):
        return self.made_choices

    def read_studies_table(self) -> Path:
        from ctviewer.core.errors import InputError

        raise InputError("No study was read and given a class yet.")

    def check(self, config):
        return self._command("check")

    def begin(self, config):
        self._config = config
        return self._command("train")

    def resume(self, folder: Path):
        return self._command("resume")

    def config_of(self, folder: Path):
        from ctviewer.training.config import DataConfig, RunConfig

        return self._config or RunConfig(DataConfig(str(self.folder)))

    def said(self, folder: Path):
        from ctviewer.training.events import StepDone

        return iter([StepDone(0, (n - 1) // PER_EPOCH + 1, n, STEPS, 1 / n, 1e-3, 1.0, None, 1) for n in range(1, 13)])

    def unfinished(self):
        from ctviewer.ui.finetune.services import UnfinishedRun

        if not (self.folder / "checkpoint").exists() or (self.folder / "made").exists():
            return ()
        return (UnfinishedRun(self.folder, "Lung", "today 14:02", "paused"),)

    def discard(self, folder: Path) -> None:
        if self.error is not None:
            raise self.error
        self.discarded.append(folder)
        (folder / "checkpoint").unlink(missing_ok=True)

    def result_of(self, folder: Path, key: str):
        from ctviewer.ui.finetune.services import FinishedRun

        return FinishedRun(folder, key, "lung 1.0.0", self.active == key)

    def activate(self, key: str) -> None:
        if self.error is not None:
            raise self.error
        self.active = key

    def look_at_findings(self, kind: str):
        from ctviewer.core.errors import InputError

        raise InputError("No finding was corrected yet.")

    def roll_back(self, key: str) -> str:
        self.active = "lung 1.0.0"
        return self.active

    def place_of(self, config, study: str) -> Path:
        return Path(config.data.folder) / study


def main() -> int:
    folder, behaviour, what = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if what == "check":
        return check(behaviour)
    resumed = int((folder / "checkpoint").read_text()) if what == "resume" else 0
    return train(folder, behaviour, resumed)


if __name__ == "__main__":
    sys.exit(main())
