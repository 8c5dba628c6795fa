import gc
import logging
import os
import sys
import threading
import weakref
from dataclasses import dataclass

import pytest
from PySide6.QtCore import QObject, QTimer, Slot

from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.jobs import Cancelled, Failed, JobRunner, Succeeded


@dataclass(frozen=True)
class Step(Event):
    number: int


class Steps:
    """A generator under the test's control: it passes each step when told, and tells where it is."""

    def __init__(self, count=1000):
        self.count = count
        self.go = threading.Semaphore(0)
        self.entered = threading.Event()
        self.closed_on = None
        self.reached = -1

    def __call__(self):
        try:
            for n in range(self.count):
                self.entered.set()
                self.go.acquire()
                self.reached = n
                yield Step(n)
        finally:
            self.closed_on = threading.current_thread()


def test_events_arrive_in_order_on_the_windows_thread(start):
    def numbers():
        for n in range(2000):
            yield Step(n)
        yield Done("value")

    record = start(numbers)
    assert record.events == [*(Step(n) for n in range(2000)), Done("value")]
    assert record.outcomes == [Succeeded("value")]
    assert record.threads == {threading.main_thread()}
    assert isinstance(record.job.outcome, Succeeded)


def test_a_job_without_done_succeeds_with_nothing(start):
    assert start(lambda: iter([Step(1)])).outcomes == [Succeeded(None)]


def test_any_iterator_will_do(start):
    record = start(lambda: iter([Step(1), Done(2)]))
    assert record.events == [Step(1), Done(2)] and record.outcomes == [Succeeded(2)]


def test_a_flood_of_progress_is_thinned_and_the_window_keeps_its_turn(start, qtbot):
    ticks, seen = [], []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: ticks.append(len(seen)))
    timer.start()

    def flood():
        for n in range(50_000):
            yield Progress("Reading", n, 50_000)
        yield Progress("Sorting", 0, 1)
        yield Done()

    record = start(flood, wait=False)
    record.job.event.connect(seen.append)
    qtbot.waitUntil(lambda: bool(record.outcomes), timeout=30000)
    timer.stop()
    done = [e.done for e in record.events if isinstance(e, Progress) and e.stage == "Reading"]
    assert done == sorted(done) and done[-1] == 49_999
    assert len(done) < 5_000
    assert record.events[-2:] == [Progress("Sorting", 0, 1), Done()]
    assert len(ticks) > 3, "timers of the window had no turn during the flood"


def test_a_flood_of_other_events_is_delivered_whole_and_waits_for_the_window(start, qtbot):
    ahead = []
    record = None

    def flood():
        for n in range(20_000):
            ahead.append(n - len(record.events) if record else 0)
            yield Step(n)

    record = start(flood, wait=False)
    qtbot.waitUntil(lambda: bool(record.outcomes), timeout=30000)
    assert [e.number for e in record.events] == list(range(20_000))
    assert max(ahead) < 1_000, "events pile up without bound"


def test_progress_keeps_its_place_among_other_events(start):
    def mixed():
        for n in range(300):
            yield Progress("a", n, 300)
            yield Step(n)

    record = start(mixed)
    assert [e for e in record.events if isinstance(e, Step)] == [Step(n) for n in range(300)]
    for before, after in zip(record.events, record.events[1:], strict=False):
        if isinstance(before, Progress) and isinstance(after, Step):
            assert before.done == after.number


def test_cancel_answers_at_once_while_a_long_step_goes_on(start, runner, qtbot):
    steps = Steps()
    record = start(steps, wait=False)
    steps.go.release(3)
    qtbot.waitUntil(lambda: len(record.events) == 3)
    assert steps.entered.wait(5)
    runner.cancel(record.job)
    assert record.outcomes == [Cancelled()]
    assert steps.closed_on is None, "the step is still under way"
    assert record.job not in runner.active
    steps.go.release(1)
    assert runner.shutdown(5.0)
    assert steps.closed_on not in (None, threading.main_thread())
    assert steps.reached == 3
    qtbot.wait(20)
    assert len(record.events) == 3 and record.outcomes == [Cancelled()]


def test_cancel_right_after_start_delivers_nothing(start, runner, qtbot):
    records = []
    for _ in range(30):
        record = start(lambda: iter([Step(0), Done()]), wait=False)
        runner.cancel(record.job)
        runner.cancel(record.job)
        records.append(record)
    qtbot.wait(20)
    assert all(r.events == [] and r.outcomes == [Cancelled()] for r in records)


def test_a_worker_that_is_cancelled_before_its_first_step_never_calls_the_factory(qtbot):
    from ctviewer.jobs.mailbox import Mailbox
    from ctviewer.jobs.worker import work

    mailbox, called = Mailbox(lambda: None), []
    mailbox.close()
    work("test", lambda: called.append(1), mailbox, False)
    assert called == [] and mailbox.outcome == Cancelled()


def test_cancel_from_a_slot_stops_deliveries_in_the_same_round(runner, qtbot):
    got, outcomes = [], []
    job = runner.start("test", lambda: iter([Step(n) for n in range(100)]))

    def on_event(event):
        got.append(event)
        if event.number == 4:
            runner.cancel(job)

    job.event.connect(on_event)
    job.finished.connect(outcomes.append)
    qtbot.waitUntil(lambda: bool(outcomes))
    qtbot.wait(20)
    assert got == [Step(n) for n in range(5)] and outcomes == [Cancelled()]


def test_cancel_after_the_end_changes_nothing(start, runner):
    record = start(lambda: iter([Done(1)]))
    runner.cancel(record.job)
    assert record.outcomes == [Succeeded(1)]


def test_cancel_frees_a_worker_that_waits_for_the_window(start, runner):
    record = start(lambda: (Step(n) for n in range(1_000_000)), wait=False)
    while len(runner._running[0].mailbox._events) < 512:  # the window's loop does not run: the worker gets stuck
        threading.Event().wait(0.001)
    assert runner.shutdown(5.0)
    assert record.events == [] and record.outcomes == [Cancelled()]


def test_pause_holds_the_job_at_its_next_step_and_resume_lets_it_go_on(start, runner, qtbot):
    steps = Steps(4)
    record = start(steps, wait=False)
    runner.pause(record.job)
    steps.go.release(4)
    qtbot.waitUntil(lambda: len(record.events) == 1)
    qtbot.wait(50)
    assert steps.reached == 0
    runner.resume(record.job)
    qtbot.waitUntil(lambda: bool(record.outcomes))
    assert record.events == [Step(n) for n in range(4)]


def test_cancel_ends_a_paused_job(start, runner):
    steps = Steps(4)
    record = start(steps, wait=False)
    runner.pause(record.job)
    steps.go.release(4)
    runner.cancel(record.job)
    assert runner.shutdown(5.0) and record.outcomes == [Cancelled()]


def test_an_error_for_the_reader_is_handed_over_and_not_logged(start):
    def fails():
        yield Step(0)
        raise InputError("The folder is empty.")

    record = start(fails)
    (outcome,) = record.outcomes
    assert record.events == [Step(0)] and isinstance(outcome, Failed)
    assert isinstance(outcome.error, InputError) and str(outcome.error) == "The folder is empty."


def test_an_unexpected_error_is_logged_with_its_place_and_without_its_text(start, expected_logs):
    def inner():
        raise KeyError("DOE^JOHN")

    def fails():
        yield Step(0)
        try:
            inner()
        except KeyError as error:
            raise ValueError("of DOE^JOHN") from error

    (outcome,) = start(fails).outcomes
    assert isinstance(outcome.error, ValueError)
    (log,) = expected_logs
    text = log.getMessage() + logging.Formatter().format(log)
    assert "ValueError" in text and "KeyError" in text and "in inner" in text and "test_runner.py" in text
    assert "DOE" not in text


def test_a_failed_job_keeps_nothing_of_its_frames(start, expected_logs):
    class Big:
        pass

    seen = []

    def fails():
        big = Big()
        seen.append(weakref.ref(big))
        yield Step(0)
        raise ValueError

    record = start(fails)
    gc.collect()
    assert isinstance(record.outcomes[0], Failed) and seen[0]() is None


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError])
def test_no_exception_is_lost(start, expected_logs, error):
    def fails():
        raise error
        yield

    (outcome,) = start(fails).outcomes
    assert isinstance(outcome.error, error)


def test_a_factory_that_raises_fails_the_job(start, expected_logs):
    def factory():
        raise ZeroDivisionError

    assert isinstance(start(factory).outcomes[0].error, ZeroDivisionError)


def test_an_error_while_a_cancelled_job_closes_is_logged_and_not_delivered(start, runner, expected_logs):
    def stubborn():
        try:
            while True:
                yield Step(0)
        finally:
            raise OSError("secret")

    record = start(stubborn, wait=False)
    threading.Event().wait(0.02)
    runner.cancel(record.job)
    assert runner.shutdown(5.0)
    assert record.outcomes == [Cancelled()]
    assert ["OSError" in r.getMessage() and "secret" not in r.getMessage() for r in expected_logs] == [True]


def test_a_receiver_may_be_deleted_while_the_job_runs(start, qtbot):
    class Receiver(QObject):
        def __init__(self):
            super().__init__()
            self.got = []

        @Slot(object)
        def take(self, event):
            self.got.append(event)

    steps = Steps(10)
    receiver = Receiver()
    record = start(steps, wait=False)
    record.job.event.connect(receiver.take)
    steps.go.release(2)
    qtbot.waitUntil(lambda: len(receiver.got) == 2)
    receiver.deleteLater()
    steps.go.release(8)
    qtbot.waitUntil(lambda: bool(record.outcomes))
    assert len(record.events) == 10 and len(receiver.got) == 2


def test_closures_that_hold_the_job_do_not_keep_it(runner, qtbot):
    class Holder:
        pass

    outcomes = []

    def begin():
        holder = Holder()
        job = runner.start("test", lambda: iter([Step(0), Done()]))
        job.event.connect(lambda event: (job, holder))
        job.finished.connect(outcomes.append)
        return weakref.ref(holder)

    gc.disable()
    try:
        held = begin()
        qtbot.waitUntil(lambda: bool(outcomes))
        qtbot.waitUntil(lambda: held() is None)
    finally:
        gc.enable()


def test_a_job_nobody_holds_runs_to_its_end(runner, qtbot):
    outcomes = []
    runner.start("test", lambda: iter([Done(3)])).finished.connect(outcomes.append)
    gc.collect()
    qtbot.waitUntil(lambda: outcomes == [Succeeded(3)])


def test_pytest_qts_own_waiting_works(runner, qtbot):
    job = runner.start("test", lambda: iter([Done(3)]))
    with qtbot.waitSignal(job.finished) as blocker:
        pass
    assert blocker.args == [Succeeded(3)]


def test_two_hundred_jobs_in_a_row_leave_nothing(start, runner, qtbot):
    before = threading.active_count()
    for n in range(200):
        record = start(lambda n=n: iter([Progress("a", 0, 1), Step(n), Done(n)]))
        assert record.outcomes == [Succeeded(n)]
    qtbot.waitUntil(lambda: not runner._running)
    assert threading.active_count() == before


def test_jobs_run_beside_each_other(start, runner, qtbot):
    slow, quick = Steps(3), Steps(3)
    first, second = start(slow, wait=False), start(quick, wait=False)
    quick.go.release(3)
    qtbot.waitUntil(lambda: bool(second.outcomes))
    assert first.outcomes == [] and runner.active == (first.job,)
    slow.go.release(3)
    qtbot.waitUntil(lambda: bool(first.outcomes))


def test_a_slot_may_run_an_event_loop_of_its_own(runner, qtbot):
    got, outcomes = [], []
    job = runner.start("test", lambda: iter([Step(n) for n in range(5)]))

    def dialog(event):
        got.append(event.number)
        if event.number == 1:
            qtbot.waitUntil(lambda: bool(outcomes))

    job.event.connect(dialog)
    job.finished.connect(outcomes.append)
    qtbot.waitUntil(lambda: bool(outcomes))
    qtbot.wait(20)
    assert got == list(range(5)) and outcomes == [Succeeded(None)]


def test_shutdown_cancels_all_and_nothing_starts_after_it(start, runner):
    closed = []

    def endless():
        try:
            while True:
                threading.Event().wait(0.002)
                yield Step(0)
        finally:
            closed.append(threading.current_thread())

    records = [start(endless, wait=False) for _ in range(5)]
    assert runner.shutdown(5.0)
    assert [r.outcomes for r in records] == [[Cancelled()]] * 5
    assert threading.main_thread() not in closed
    with pytest.raises(RuntimeError):
        runner.start("late", lambda: iter([]))


def test_shutdown_says_when_a_thread_hangs(start, runner):
    steps = Steps()
    start(steps, wait=False)
    assert steps.entered.wait(5)
    assert not runner.shutdown(0.01)
    steps.go.release(1)


def test_a_runner_that_is_dropped_stops_its_workers(qapp, qtbot):
    runner = JobRunner()
    steps = Steps()
    runner.start("test", steps)
    assert steps.entered.wait(5)
    thread = runner._running[0].thread
    del runner
    gc.collect()
    steps.go.release(2)
    thread.join(5)
    assert not thread.is_alive() and steps.reached <= 1


def test_other_threads_are_refused(runner):
    errors = []

    def elsewhere():
        try:
            runner.start("test", lambda: iter([]))
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness per thread exists on Linux alone")
def test_background_jobs_give_way_to_the_window(start):
    def niceness():
        yield Message(str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    usual, lower = start(niceness).events[0].text, start(niceness, background=True).events[0].text
    assert int(lower) == max(10, int(usual))


def test_a_value_does_not_outlive_its_delivery(runner, qtbot):
    """Slots often refer to their own job, which PySide would keep for ever with all that the job holds."""

    class Large:
        pass

    alive, ended = [], []

    def work():
        value = Large()
        alive.append(weakref.ref(value))
        yield Done(value)

    for _ in range(3):
        job = runner.start("large", work)
        job.finished.connect(lambda outcome, job=job: ended.append(job.name))
    del job
    qtbot.waitUntil(lambda: len(ended) == 3)
    qtbot.waitUntil(lambda: not runner.active and all(value() is None for value in alive), timeout=3000)
