import threading

import pytest

from ctviewer.jobs import JobRunner


class Record:
    """What a job said, in order, with the thread each thing arrived on."""

    def __init__(self, job):
        self.job = job
        self.events = []
        self.outcomes = []
        self.threads = set()
        job.event.connect(self._on_event)
        job.finished.connect(self._on_finished)

    def _on_event(self, event):
        assert not self.outcomes, "an event after the end"
        self.threads.add(threading.current_thread())
        self.events.append(event)

    def _on_finished(self, outcome):
        self.threads.add(threading.current_thread())
        self.outcomes.append(outcome)


@pytest.fixture
def runner(qapp):
    runner = JobRunner()
    yield runner
    assert runner.shutdown(10.0), "a job's thread did not end"


@pytest.fixture
def start(runner, qtbot):
    """Start a job and record what it says; with `wait`, run the event loop until it has finished."""

    def begin(factory, wait=True, **options):
        record = Record(runner.start("test", factory, **options))
        if wait:
            qtbot.waitUntil(lambda: bool(record.outcomes), timeout=10000)
        return record

    return begin
