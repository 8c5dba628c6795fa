"""The program as a process: Ctrl+C closes the window as the mouse does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(120)]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_ctrl_c_closes_the_window_and_keeps_the_work(generated, private_folders):
    store = private_folders / "ctviewer_home" / "data" / "library" / "work.sqlite3"
    process = subprocess.Popen([sys.executable, "-m", "ctviewer", str(generated)], env=os.environ.copy())
    try:
        deadline = time.monotonic() + 60
        while not store.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)  # the window is there and the series loads
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert store.exists()
    assert not store.with_name("work.sqlite3-wal").exists(), "the store was closed in order"
