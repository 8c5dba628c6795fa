import os
import signal
import threading
import time

import pytest

from ctviewer.app import wishes as module
from ctviewer.app.wishes import Wishes, signals_heard, words_heard
from ctviewer.training.control import Wish

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def interrupts_heard():
    """As in a terminal: the background of a shell ignores Ctrl+C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def heard(wishes, wanted):
    deadline = time.monotonic() + 5
    while wishes() is not wanted and time.monotonic() < deadline:
        time.sleep(0.005)
    return wishes() is wanted


@posix
def test_ctrl_c_pauses_and_a_second_one_ends_at_once(monkeypatch):
    wishes, told = Wishes(), []
    before = signal.getsignal(signal.SIGINT)
    with signals_heard(wishes, lambda: told.append(1)):
        os.kill(os.getpid(), signal.SIGINT)
        assert wishes() is Wish.PAUSE
        os.kill(os.getpid(), signal.SIGINT)  # the terminal and torchrun both tell of one press
        assert told == [1]
        monkeypatch.setattr(module, "_ONE_PRESS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_of_the_system_pause_however_often_they_come(name):
    before = signal.signal(getattr(signal, name), signal.SIG_DFL)  # whatever started the tests, nohup for one
    try:
        wishes = Wishes()
        with signals_heard(wishes):
            for _ in range(3):
                os.kill(os.getpid(), getattr(signal, name))
            assert wishes() is Wish.PAUSE
    finally:
        signal.signal(getattr(signal, name), before)


@posix
def test_what_was_wished_before_stands(monkeypatch):
    wishes = Wishes()
    wishes.say(Wish.STOP)
    with signals_heard(wishes):
        os.kill(os.getpid(), signal.SIGTERM)
    assert wishes() is Wish.STOP


@posix
def test_an_ignored_hang_up_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does it
    try:
        wishes = Wishes()
        with signals_heard(wishes):
            os.kill(os.getpid(), signal.SIGHUP)
        assert wishes() is Wish.GO_ON
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signals_on_another_thread_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: signals_heard(Wishes()).__enter__())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_words_come_through_a_pipe_in_pieces():
    ours, theirs = os.pipe()
    wishes = Wishes()
    try:
        with words_heard(wishes, ours):
            os.write(theirs, b"\xff\n" + b"x" * 10_000 + b"\npa")
            assert wishes() is Wish.GO_ON
            os.write(theirs, b"use\r\n")
            assert heard(wishes, Wish.PAUSE)
            os.write(theirs, b"stop\ncancel\n")
            assert heard(wishes, Wish.CANCEL)
    finally:
        os.close(ours)
        os.close(theirs)


def test_the_end_of_the_pipe_pauses():
    ours, theirs = os.pipe()
    wishes = Wishes()
    with words_heard(wishes, ours):
        os.close(theirs)
        assert heard(wishes, Wish.PAUSE)
    os.close(ours)


def test_what_is_no_pipe_says_nothing(tmp_path):
    wishes = Wishes()
    for path in (os.devnull, tmp_path / "empty"):
        handle = os.open(path, os.O_RDONLY | os.O_CREAT)
        with words_heard(wishes, handle):
            time.sleep(0.02)
        os.close(handle)
    with words_heard(wishes, 9999):
        pass
    assert wishes() is Wish.GO_ON


def test_listening_never_holds_up_the_end():
    ours, theirs = os.pipe()
    begun = time.monotonic()
    with words_heard(Wishes(), ours):
        pass
    assert not any(thread.name == "commands" for thread in threading.enumerate())
    os.close(ours)
    os.close(theirs)
    assert time.monotonic() - begun < 60  # it would wait for ever
