"""The program's log: a rotating file in the log folder, free of patient data.

The policy: messages never hold DICOM values; of an exception only its type and the lines of code are logged, and its
words only where they are our own (`CtviewerError`) or the system's; paths below opened folders are replaced by a
short hash. Other packages' loggers and warnings go nowhere, because they quote what they read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import threading
import traceback
import warnings
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from ctviewer.app.folders import log_folder
from ctviewer.core.errors import CtviewerError, StorageError
from ctviewer.core.files import reason

_NAME = "ctviewer"
_FILE = "ctviewer.log"
_BYTES, _OLD_FILES = 1_000_000, 3


def logger() -> logging.Logger:
    """The program's own logger; modules use `logging.getLogger(__name__)`, which lies below it."""
    return logging.getLogger(_NAME)


def log_path() -> Path:
    """The file that is written to.

    Raises:
        StorageError: the folder cannot be made.
    """
    return log_folder() / _FILE


def set_up_logs(level: int = logging.INFO) -> str:
    """Send the program's log to the file; safe to call again.

    Returns:
        A sentence where there is no log because the place cannot be written, else "".
    """
    shut_down_logs()
    logger().setLevel(level)
    logging.getLogger().addHandler(logging.NullHandler())  # else Python prints what other packages log
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        handler = _PrivateFile(log_path(), maxBytes=_BYTES, backupCount=_OLD_FILES, encoding="utf-8", errors="replace")
    except StorageError as error:
        return str(error)
    except OSError as error:
        return f"No log is kept: its file cannot be written ({reason(error)})."
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger().addHandler(handler)
    return ""


def shut_down_logs() -> None:
    """Close the log file."""
    for handler in [h for h in logger().handlers if isinstance(h, _PrivateFile)]:
        logger().removeHandler(handler)
        handler.close()


class Redactor:
    """Replaces paths below registered folders by a short hash. Any thread may use it."""

    def __init__(self) -> None:
        self._roots: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def hide(self, folder: Path) -> None:
        """From now on hide this folder and all below it, as given and as resolved."""
        names = {str(folder), str(folder.absolute()), os.path.realpath(folder)}  # realpath takes circles of links too
        names = {name.rstrip("/\\") for name in names if Path(name).is_absolute()} - {""}
        with self._lock:
            self._roots = tuple(sorted({*self._roots, *names}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without any path that is to be hidden."""
        return "\n".join(self._clean_line(line) for line in text.split("\n"))

    def _clean_line(self, line: str) -> str:
        folded = line.lower() if os.name == "nt" else line
        for root in self._roots:
            start = folded.find(root.lower() if os.name == "nt" else root)
            after = line[start + len(root) : start + len(root) + 1]
            if start >= 0 and not (after.isalnum() or after in ("_", "-")):
                end = start + _path_length(line[start:], len(root))
                return (
                    f"{self._clean_line(line[:start])}<path {_digest(line[start:end])}>{self._clean_line(line[end:])}"
                )
        return line


def _path_length(text: str, least: int) -> int:
    """How much of a text that begins with a path is the path; `least` is the length of the hidden folder's own name.

    Names may hold blanks, commas, anything, so the longest beginning that exists counts, if no separator follows it.
    Where none exists any more the whole line does: rather lose words than tell a name.
    """
    ends = [len(text), *(place.start() for place in reversed(list(re.finditer(r"[^\w/\\]", text))))]
    return next((end for end in ends if end >= least and os.path.lexists(text[:end])), len(text))


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]


redactor = Redactor()
"""The one of this process, because logging is one per process too."""


def safe_traceback(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> str:
    """A traceback without local variables, folder names or words that may quote a patient's data."""
    parts = []
    for frame in traceback.extract_tb(trace):
        parts.append(
            f"  {_module_path(frame.filename)}:{frame.lineno} in {frame.name}\n    {frame.line or ''}".rstrip()
        )
    parts.append(f"{kind.__name__ if kind else 'Exception'}{_safe_words(error)}")
    text = redactor.clean("\n".join(parts))
    earlier = None if error is None else error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is None:
        return text
    return f"{safe_traceback(type(earlier), earlier, earlier.__traceback__)}\nwhich led to\n{text}"


def _safe_words(error: BaseException | None) -> str:
    """An error's own words where they cannot hold patient data."""
    if isinstance(error, CtviewerError):
        return f": {error}"
    if isinstance(error, OSError):
        return f": {reason(error)}"
    return ""


def _module_path(filename: str) -> str:
    """The last two parts of a source file's path: enough to find it, without the user's folders."""
    return "/".join(Path(filename).parts[-2:])


class _Redacted(logging.Formatter):
    """Formats a record, then hides paths in all of it."""

    def formatException(self, ei: Any) -> str:
        return safe_traceback(*ei)

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler may have put an unsafe one there
        text = super().format(record)
        record.exc_text = None
        return redactor.clean(text)


class _PrivateFile(RotatingFileHandler):
    """A rotating log file that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        stream = open(  # noqa: SIM115 (the handler closes it)
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=private
        )
        return cast(TextIOWrapper, stream)
