"""A child process driven for real: what it says, how it dies, and that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from PySide6.QtCore import QTimer

from ctviewer.jobs import Child, ChildCommand
from ctviewer.jobs.child import crash_words, exit_words, traces

pytestmark = pytest.mark.usefixtures("qapp")
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


class Heard:
    """A child and what it said."""

    def __init__(self, child: Child) -> None:
        self.child, self.lines, self.ends = child, [], []
        child.line.connect(self._on_line)
        child.finished.connect(self.ends.append)

    def _on_line(self, line: str) -> None:
        assert not self.ends, "a line after the end"
        self.lines.append(line)


@pytest.fixture
def begin(qtbot):
    """Start a program of Python; with `wait`, run the event loop until it has ended."""
    children = []

    def act(program: str, wait: bool = True, **environment: str) -> Heard:
        child = Child()
        children.append(child)
        heard = Heard(child)
        child.start(ChildCommand((sys.executable, "-S", "-u", "-c", program), environment))
        if wait:
            qtbot.waitUntil(lambda: bool(heard.ends), timeout=20_000)
        return heard

    yield act
    for child in children:
        assert child.shut_down(), "the child did not end"
        child.deleteLater()


def test_lines_come_one_by_one_and_the_end_comes_last(begin):
    program = "import sys\nfor n in range(3000): print('line', n)\nsys.stdout.write('no end of line')"
    heard = begin(program)
    assert heard.lines == [*(f"line {n}" for n in range(3000)), "no end of line"]
    assert [(end.code, end.asked) for end in heard.ends] == [(0, False)]
    assert not heard.child.running and heard.child.pid == 0


def test_lines_may_hold_anything(begin):
    program = "import sys\nsys.stdout.buffer.write('Größe ✓\\r\\n\\n'.encode() + b'\\xff\\n')"
    assert begin(program).lines == ["Größe ✓", "", "\ufffd"]


def test_a_line_that_is_too_long_is_dropped_and_the_next_is_heard(begin, monkeypatch):
    monkeypatch.setattr("ctviewer.jobs.child._LONGEST_LINE", 1000)
    program = "print('short')\nprint('x' * 3_000_000)\nprint('after')"
    heard = begin(program)
    assert heard.lines == ["short", "after"] and len(heard.child._output) <= 1000


def test_the_window_keeps_its_turn_during_a_flood(begin, qtbot):
    ticks = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: ticks.append(1))
    heard = begin("for n in range(60_000): print('x' * 50)", wait=False)
    timer.start()
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=20_000)
    timer.stop()
    assert len(heard.lines) == 60_000 and len(ticks) > 3


def test_it_hears_words_and_finds_its_input_closed_at_the_end(begin, qtbot):
    heard = begin("import sys\nfor line in sys.stdin: print('heard', line.strip())\nprint('closed')", wait=False)
    assert heard.child.send("pause"), "before it has started"
    qtbot.waitUntil(lambda: heard.lines == ["heard pause"])
    assert heard.child.send("stop")
    qtbot.waitUntil(lambda: heard.lines == ["heard pause", "heard stop"])
    heard.child._process.closeWriteChannel()  # as the death of this process would
    qtbot.waitUntil(lambda: bool(heard.ends))
    assert heard.lines == ["heard pause", "heard stop", "closed"] and heard.child.send("pause") is False


def test_a_program_that_is_not_there_is_told(qtbot, expected_logs):
    child = Child()
    heard = Heard(child)
    child.start(ChildCommand(("/no/such/program",)))
    qtbot.waitUntil(lambda: bool(heard.ends))
    (end,) = heard.ends
    assert end.code is None and end.words.startswith("It could not be started: ")
    assert not child.running and child.shut_down()


@posix
@pytest.mark.parametrize(
    ("number", "words"), [(9, "lack of memory"), (11, "crashed inside a library"), (15, "outside")]
)
def test_a_death_by_a_signal_is_told_in_words(begin, expected_logs, number, words):
    (end,) = begin(f"import os\nos.kill(os.getpid(), {number})").ends
    assert end.code is None and words in end.words and f"signal {number}" in end.words and not end.asked
    assert f"signal {number}" in expected_logs[-1].getMessage()


def test_an_error_is_logged_with_its_places_and_without_its_text(begin, expected_logs):
    program = "def learn():\n    raise ValueError('of DOE^JOHN')\nlearn()"
    (end,) = begin(program).ends
    assert end.code == 1 and end.words == "It ended with an error (exit code 1)."
    assert "DOE^JOHN" in end.tail
    text = expected_logs[-1].getMessage()
    assert "ValueError" in text and "<string>:2 in learn" in text and "DOE" not in text


def test_only_the_end_of_standard_error_is_kept(begin):
    program = "import sys\nfor n in range(20_000): print('noise', n, file=sys.stderr)\nsys.exit(3)"
    (end,) = begin(program).ends
    assert len(end.tail) <= 1 << 14 and end.tail.endswith("noise 19999\n") and end.code == 3


def test_it_runs_behind_the_window_and_with_its_own_variables(begin, qtbot):
    program = "import os, sys\nprint(os.environ['WORD'])\nsys.stdin.readline()\n"
    heard = begin(program, wait=False, WORD="given")
    qtbot.waitUntil(lambda: heard.lines == ["given"])
    if os.name == "posix":
        assert psutil.Process(heard.child.pid).nice() >= 10 or psutil.Process().nice() >= 10
        assert os.getsid(heard.child.pid) != os.getsid(0), "Ctrl+C of the terminal would reach it"


def test_killing_takes_what_it_started_along(begin, qtbot):
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid)\ntime.sleep(600)"
    )
    heard = begin(program, wait=False)
    qtbot.waitUntil(lambda: len(heard.lines) == 1, timeout=20_000)
    grandchild = psutil.Process(int(heard.lines[0]))
    heard.child.kill()
    qtbot.waitUntil(lambda: bool(heard.ends))
    assert heard.ends[0].asked
    deadline = time.monotonic() + 5
    while grandchild.is_running() and grandchild.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_shutting_down_waits_until_it_is_gone(begin, qtbot):
    heard = begin("import time\nprint('up')\ntime.sleep(600)", wait=False)
    qtbot.waitUntil(lambda: heard.lines == ["up"], timeout=20_000)
    pid = heard.child.pid
    assert heard.child.shut_down() and not heard.child.running
    assert not psutil.pid_exists(pid) and len(heard.ends) == 1 and heard.ends[0].asked
    assert heard.child.shut_down(), "again"


def test_words_for_every_end():
    assert exit_words(0) == "It ended." and "exit code 7" in exit_words(7)
    if os.name == "posix":
        assert exit_words(137) == crash_words(9) and "lack of memory" in exit_words(137)
        assert crash_words(40) == "It was ended by signal 40."


def test_traces_keep_places_and_types_alone():
    text = 'Traceback (most recent call last):\n  File "/home/doe/a b.py", line 7, in run\n    x = doe\nKeyError: doe\n'
    assert traces(text) == "  a b.py:7 in run\nKeyError"
    fatal = (
        'Fatal Python error: Segmentation fault\n\nThread 0x1 (most recent call first):\n  File "x.py", line 3 in f\n'
    )
    assert traces(fatal) == "Fatal Python error: Segmentation fault\n  x.py:3"
    assert traces("torch.OutOfMemoryError: CUDA out of memory of DOE") == "torch.OutOfMemoryError"


PARENT = """
import sys
from PySide6.QtCore import QCoreApplication
from ctviewer.jobs import Child, ChildCommand
app = QCoreApplication([])
child = Child()
child.line.connect(lambda line: print(line, flush=True))
child.start(ChildCommand((sys.executable, "-S", "-u", "-c", sys.argv[1])))
app.exec()
"""
ORPHAN = """
import os, sys
print(os.getpid())
sys.stdin.read()
open(os.environ["MARK"], "w").write("closed")
"""


@posix
def test_a_child_whose_window_is_killed_finds_its_input_closed(tmp_path):
    mark = tmp_path / "mark"
    environment = os.environ | {"MARK": str(mark)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, ORPHAN], stdout=subprocess.PIPE, env=environment)
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait(10)
    deadline = time.monotonic() + 10
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert mark.exists(), "it would train on for nobody"
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
