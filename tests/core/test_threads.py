import os
import sys
import threading

import pytest

from ctviewer.core.threads import lower_thread_priority


def run_in_thread(function):
    out = []
    thread = threading.Thread(target=lambda: out.append(function()))
    thread.start()
    thread.join()
    return out[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness per thread exists on Linux alone")
def test_only_the_calling_thread_and_its_children_get_nicer():
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def body():
        lower_thread_priority()
        lower_thread_priority()
        return niceness(), run_in_thread(niceness)

    own, child = run_in_thread(body)
    assert own == child == max(10, before)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "setpriority")
    lower_thread_priority()


def test_a_refusal_is_harmless(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse, raising=False)
    run_in_thread(lower_thread_priority)
