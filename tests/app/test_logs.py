"""The log: private, rotating, and free of patient data."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from ctviewer.app import logs
from ctviewer.core.errors import DecodeError


@pytest.fixture
def log():
    """A set-up log; gives a function that reads it."""
    assert logs.set_up_logs() == ""
    yield lambda: logs.log_path().read_text(encoding="utf-8")
    logs.shut_down_logs()


@pytest.fixture
def redactor(monkeypatch):
    """An empty redactor in place of the process's own."""
    fresh = logs.Redactor()
    monkeypatch.setattr(logs, "redactor", fresh)
    return fresh


SECRET = "".join(reversed("NHOJ"))  # the log shows lines of code, so no line may hold it


def fail() -> None:
    """Raise with patient data in the words and in a local variable."""
    patient = f"DOE^{SECRET}"
    raise ValueError(f"bad value {patient!r} in (0010,0010)")


def test_modules_below_are_logged_and_the_file_is_private(log):
    logging.getLogger("ctviewer.dicom.scan").info("12 files read")
    assert "INFO ctviewer.dicom.scan: 12 files read" in log()
    assert os.name != "posix" or logs.log_path().stat().st_mode & 0o777 == 0o600


def test_other_packages_are_not_logged(log, expected_logs, capsys):
    logging.getLogger("pydicom").warning("The value 'DOE^JOHN' is odd")
    assert "DOE" not in log()
    assert "DOE" not in capsys.readouterr().err


def test_set_up_twice_logs_once(log):
    logs.set_up_logs()
    logs.logger().info("once")
    assert log().count("once") == 1


def test_rotation_keeps_private_files(log, monkeypatch):
    monkeypatch.setattr(logs, "_BYTES", 2000)
    logs.set_up_logs()
    for number in range(200):
        logs.logger().info("line %d", number)
    files = sorted(logs.log_path().parent.iterdir())
    assert len(files) == 1 + logs._OLD_FILES
    assert all(f.stat().st_size <= 2000 for f in files)
    assert os.name != "posix" or all(f.stat().st_mode & 0o777 == 0o600 for f in files)


def test_an_exception_is_logged_without_its_words(log, expected_logs):
    try:
        fail()
    except ValueError:
        logs.logger().exception("loading failed")
    text = log()
    assert "ValueError" in text
    assert "app/test_logs.py" in text
    assert "in fail" in text
    assert SECRET not in text
    assert str(Path(__file__).parent) not in text


def test_words_of_our_own_errors_and_of_the_system_are_kept(log, expected_logs, redactor, tmp_path):
    redactor.hide(tmp_path)
    for error in (
        DecodeError(f"{tmp_path / 'a.dcm'} holds no pixels."),
        OSError(28, "No space left on device", "/DOE.dcm"),
    ):
        try:
            raise error
        except (DecodeError, OSError):
            logs.logger().exception("failed")
    text = log()
    assert "DecodeError: <path " in text
    assert "OSError: No space left on device" in text
    assert str(tmp_path) not in text
    assert "DOE" not in text


def test_causes_are_told_too():
    try:
        try:
            fail()
        except ValueError as error:
            raise DecodeError("The file cannot be read.") from error
    except DecodeError as error:
        text = logs.safe_traceback(type(error), error, error.__traceback__)
    assert text.index("ValueError") < text.index("which led to") < text.index("DecodeError: The file cannot be read.")
    assert SECRET not in text


def test_an_unsafe_text_that_another_handler_cached_is_not_used(log, expected_logs):
    other = logging.StreamHandler()
    logging.getLogger("ctviewer").handlers.insert(0, other)
    try:
        fail()
    except ValueError:
        logs.logger().exception("failed")
    finally:
        logging.getLogger("ctviewer").removeHandler(other)
    assert SECRET not in log()


@pytest.mark.parametrize(
    "name", ["IM0001.dcm", "DOE, JOHN/scan (1)/IM 1.dcm", "Doe John.dcm", "a:b;c'd\"e.dcm", "Müller/å.dcm"]
)
def test_paths_below_an_opened_folder_are_hidden(redactor, tmp_path, name):
    opened = tmp_path / "Roe Richard"
    file = opened / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    redactor.hide(opened)
    cleaned = redactor.clean(f"{file} could not be read: Permission denied.\nand then {opened}, too")
    first, second = cleaned.split("\n")
    assert first.endswith("> could not be read: Permission denied.")
    assert second.endswith("> too") or second.endswith(">, too")
    for secret in ("Roe", "Doe", "DOE", "dcm", "IM", "Müller"):
        assert secret not in cleaned


def test_a_path_that_is_gone_takes_the_line_with_it(redactor, tmp_path):
    redactor.hide(tmp_path / "stick")
    cleaned = redactor.clean(f"reading {tmp_path}/stick/DOE JOHN/1 failed\nnext")
    assert re.fullmatch("reading <path [0-9a-f]{8}>\nnext", cleaned)
    (tmp_path / "stick").mkdir()
    assert redactor.clean(f"reading {tmp_path}/stick/DOE JOHN/1 failed\nnext") == cleaned


def test_equal_paths_get_equal_hashes_and_neighbours_stay(redactor, tmp_path):
    for name in ("a", "ab", "a-b"):
        (tmp_path / name).mkdir()
    redactor.hide(tmp_path / "a")
    one = redactor.clean(str(tmp_path / "a"))
    assert one == redactor.clean(str(tmp_path / "a"))
    assert one.startswith("<path ")
    assert redactor.clean(str(tmp_path / "ab")) == str(tmp_path / "ab")
    assert redactor.clean(str(tmp_path / "a-b")) == str(tmp_path / "a-b")


def test_two_paths_in_a_line(redactor, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    redactor.hide(tmp_path)
    cleaned = redactor.clean(f"'{tmp_path}/a' -> '{tmp_path}/b'")
    assert str(tmp_path) not in cleaned
    assert cleaned.count("<path ") == 2


def test_a_link_is_hidden_by_both_its_names(redactor, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    redactor.hide(link)
    cleaned = redactor.clean(f"{real} {link}")
    assert "real" not in cleaned
    assert "link" not in cleaned


def test_the_root_of_all_is_not_hidden(redactor):
    redactor.hide(Path("/"))
    assert redactor.clean("/usr/lib") == "/usr/lib"


def test_a_place_that_cannot_be_written_gives_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "log").write_text("in the way")
    monkeypatch.setenv("CTVIEWER_HOME", str(tmp_path))
    assert logs.set_up_logs().startswith("The folder ")
    logs.logger().info("goes nowhere, harms nobody")


def test_members_of_an_opened_archive_are_hidden(log, redactor, tmp_path, expected_logs):
    archive = tmp_path / "study.zip"
    archive.touch()
    redactor.hide(archive)
    logs.logger().warning("%s could not be read: it is damaged.", archive / "MEIER HANS" / "IM 1.dcm")
    logs.logger().warning("read %s", archive)
    assert "MEIER" not in log() and "HANS" not in log() and "study.zip" not in log() and "IM 1" not in log()
