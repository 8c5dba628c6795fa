"""Runs of `ctviewer train` over tiny studies. Processes are forked from one that has imported torch already."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, write_ct_series
from ctviewer.training.run_record import read_events

SIDE, SLICES, STUDIES = 32, 4, 16
SPLITS = ("train", "train", "val", "test")
PATIENCE = 100.0  # of a busy machine

NURSERY = """
import json, os, signal, sys, threading
import torch, torchmetrics, scipy.stats, scipy.optimize, safetensors.torch
import ctviewer.app.train, ctviewer.training.engine.run, ctviewer.training.preflight.run, ctviewer.training.evaluation
from ctviewer.app.cli import main
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
print(json.dumps(sorted(sys.modules)), flush=True)
for line in sys.stdin:
    told = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.environ.update(told["environment"])
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            flags = os.O_RDWR if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            handle = os.open(told[name], flags)
            os.dup2(handle, number)
            os.close(handle)
        if told["parent"]:  # only the test's own end of the pipe is to be left
            handle = os.open(told["stdin"], os.O_RDONLY)
            os.dup2(handle, 0)
            os.close(handle)
        code = main(told["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(pid, flush=True)
    threading.Thread(
        target=lambda pid=pid, path=told["end"]: open(path, "w").write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\\n")
    ).start()
"""


def body(seed: int, sick: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hu = np.full((SLICES, SIDE, SIDE), -1000.0)
    hu[:, 4:28, 4:28] = 40.0
    hu[:, 8:24, 8:24] = -850.0
    if sick:
        hu[1:3, 12:18, 12:18] = -100.0
    return (hu + rng.normal(0, 15, hu.shape)).clip(-1020, 1000).astype(np.int16)


def write_studies(folder: Path, count: int = STUDIES, scanner=("ACME", "ACME"), classes=("well", "sick")) -> Path:
    """DICOM studies of two classes in turn, and their table, two patients of each class and part after another."""
    folder.mkdir(parents=True)
    lines = ["study,patient,class,split"]
    for number in range(count):
        sick = number % 2 == 1
        hu = body(number, sick)
        geometry = Geometry(
            hu.shape, np.arange(SLICES)[:, None] * np.array([[0, 0, 5.0]]), (1, 0, 0), (0, 1, 0), (10.0, 10.0)
        )
        attributes = SeriesAttributes(patient_id=f"ID{number}", manufacturer=scanner[sick])
        write_ct_series(folder / f"s{number:02d}", hu, geometry=geometry, attributes=attributes)
        lines.append(f"s{number:02d},Mustermann^{number},{classes[sick]},{SPLITS[number // 2 % len(SPLITS)]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


CONFIG = """
checkpoint_minutes = {minutes}
device = "cpu"
[data]
folder = "{folder}"
cross_validation = "never"
[model]
name = "toy"
start = "scratch"
encoder = "resnet18"
encoder_options = {{ width = 16 }}
size = 40
crop = 32
classes = ["well", "sick"]
negative_class = "well"
[recipe]
name = "scratch"
epochs = {epochs}
batch = 3
precision = "float32"
"""


@pytest.fixture(scope="session")
def make_studies():
    return write_studies


@pytest.fixture(scope="session")
def studies(tmp_path_factory) -> Path:
    """Sixteen studies that nobody writes to."""
    return write_studies(tmp_path_factory.mktemp("data") / "studies")


def write_config(path: Path, folder: Path, epochs=2, minutes=0.0, more="") -> Path:
    path.write_text(CONFIG.format(epochs=epochs, minutes=minutes, folder=Path(folder).as_posix()) + more)
    return path


@pytest.fixture
def make_config(tmp_path, studies):
    """Write a configuration: `make_config(epochs=2, minutes=0, folder=studies)`."""

    def make(epochs=2, minutes=0.0, folder=studies, name="run.toml", more=""):
        return write_config(tmp_path / name, folder, epochs, minutes, more)

    return make


class Process:
    """One `ctviewer train`."""

    def __init__(self, pid: int, place: Path, write: int | None) -> None:
        self.pid, self._place, self._write = pid, place, write

    @property
    def out(self) -> str:
        return (self._place / "out").read_text()

    @property
    def errors(self) -> str:
        return (self._place / "errors").read_text()

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def code(self) -> int | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((self._place / "end").read_text())
        return None

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def tell(self, word: str) -> None:
        os.write(self._write, f"{word}\n".encode())

    def close_input(self) -> None:
        os.close(self._write)
        self._write = None

    def wait(self) -> int:
        until(lambda: self.code is not None, self)
        if self._write is not None:
            self.close_input()
        return self.code

    def heard(self, kind: str, count: int = 1) -> None:
        """Wait until it has said so many events of a kind."""
        until(lambda: sum(event["event"] == kind for event in self.events) >= count or self.code is not None, self)


def until(true, process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, process.errors
        time.sleep(0.01)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """The process that all others come from: it has imported torch, so that they need not."""
    if not hasattr(os, "fork"):
        pytest.skip("processes of these tests are forked")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    process.modules = json.loads(process.stdout.readline())
    yield process
    process.stdin.close()
    process.kill()
    process.wait(10)
    process.stdout.close()


def begin(nursery, place: Path, arguments, home: str, commands=False, environment=None) -> Process:
    """Start `ctviewer train ARGUMENTS` in a process of its own, whose traces lie in `place`."""
    write = None
    if commands:
        os.mkfifo(place / "in")
        write = os.open(place / "in", os.O_RDWR)
    told = {
        "arguments": ["train", *map(str, arguments)],
        "environment": {"CTVIEWER_HOME": home, **(environment or {})},
        "stdin": str(place / "in") if commands else os.devnull,
        "parent": commands,
        **{name: str(place / file) for name, file in (("stdout", "out"), ("stderr", "errors"), ("end", "end"))},
    }
    (place / "out").touch()
    (place / "errors").touch()
    nursery.stdin.write(json.dumps(told) + "\n")
    nursery.stdin.flush()
    return Process(int(nursery.stdout.readline()), place, write)


@pytest.fixture
def start(nursery, tmp_path_factory, private_folders):
    """Start `ctviewer train ARGUMENTS`; with `commands=True` its standard input is a pipe of the test's."""
    begun: list[Process] = []

    def begin_one(*arguments, commands=False, environment=None) -> Process:
        place, home = tmp_path_factory.mktemp("process"), os.environ["CTVIEWER_HOME"]
        begun.append(begin(nursery, place, arguments, home, commands, environment))
        return begun[-1]

    yield begin_one
    for process in begun:
        if process.code is None:
            with contextlib.suppress(ProcessLookupError):
                process.signal(signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def undisturbed(nursery, studies, tmp_path_factory) -> Path:
    """The folder of a run to which nothing happens; how often it saves does not matter to what it learns."""
    place = tmp_path_factory.mktemp("undisturbed")
    config = write_config(place / "run.toml", studies, minutes=5)
    arguments = (config, "--out", place / "run", "--accept-doubts", "all")
    process = begin(nursery, place, arguments, str(place / "home"))
    assert process.wait() == 0, process.errors
    return place / "run"


@pytest.fixture
def losses():
    """`losses(run)`: what a run says of its steps and epochs, bit by bit, times and places left out."""

    def told(folder):
        steps, epochs = {}, {}
        for event in read_events(folder):
            if type(event).__name__ == "StepDone":
                steps[event.fold, event.step] = (event.epoch, event.loss, event.rate)
            elif type(event).__name__ == "EpochDone":
                epochs[event.fold, event.epoch] = (event.loss, event.validation_loss, dict(event.metrics), event.best)
        return steps, epochs

    return told
