# SPDX-License-Identifier: MIT
"""What this program writes into logs, and what it never does.

As a library it only logs, under ``pypac_obs``, and configures nothing: see Python's `logging`. The
commands `run` and `record` keep a `SessionLog`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["LEVELS", "LOGGER", "SessionLog", "keep_out", "without_secrets"]

LOGGER = logging.getLogger("pypac_obs")
LOGGER.addHandler(logging.NullHandler())

LEVELS = ("debug", "info", "warning", "error")

_MOST_BYTES = 1_000_000
_FILES = 3  # with those that are full
# What waits for the file, or for the folder to be known. Beyond it, new lines are dropped.
_MOST_LINES = 5_000
_LOOK_S = 0.5
# How long the end of a program waits for a disk that hangs.
_END_S = 2.0
# A longer text is cut: one line must not fill a file.
_MOST_CHARACTERS = 20_000
_HIDDEN = "***"

# Nothing in them may reach a log ----------------------------------------------------------------

_private: set[str] = set()
_pattern: re.Pattern[str] | None = None
_private_lock = threading.Lock()


def keep_out(text: str) -> None:
    """Has no log of this process show this text: a password, or the title of a window.

    [any-thread] Whoever reads a secret calls this before anybody can write it.
    """
    global _pattern
    if not text.strip() or text in _private:
        return
    with _private_lock:
        # As `repr` and JSON write it, too.
        _private.update((text, repr(text)[1:-1], text.encode("unicode_escape").decode()))
        # Of a short one only whole words: they would be in every word else.
        parts = [_part(one) for one in sorted(_private, key=len, reverse=True)]
        _pattern = re.compile("|".join(parts))


def _part(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) > 3 else rf"(?<!\w){escaped}(?!\w)"


def without_secrets(text: str) -> str:
    """Replaces what `keep_out` was told of.

    >>> keep_out("correct horse")
    >>> without_secrets("OBS refuses 'correct horse'")
    "OBS refuses '***'"
    """
    pattern = _pattern
    return pattern.sub(_HIDDEN, text) if pattern is not None else text


class _Format(logging.Formatter):
    """A line with time, level and who; a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(threadName)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Writes the time with its zone."""
        when = datetime.fromtimestamp(record.created).astimezone()
        return when.isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        """Writes the whole entry. What a text of others holds makes no line of its own."""
        record = logging.makeLogRecord(record.__dict__)
        message = record.getMessage()
        record.msg, record.args = "".join(c if c.isprintable() else " " for c in message), ()
        return without_secrets(super().format(record))[:_MOST_CHARACTERS]


class _Queue(logging.Handler):
    """Takes entries at once, and never fails: no disk can hold up or end what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Format())
        self.lines: deque[str] = deque()
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one; drops it where there are too many."""
        try:
            if len(self.lines) >= _MOST_LINES:
                self.dropped += 1
            else:
                # Here, because the exception's frames are gone later.
                self.lines.append(self.format(record))
        except Exception:
            self.dropped += 1


class SessionLog:
    """Writes what is logged under ``pypac_obs`` into a rotating file, on a thread of its own.

    ``where`` gives the file once it is known; until then lines wait. Where it is still not known
    at the end, ``otherwise`` gives one. Three files of 1 MB are kept: ``session.log``,
    ``session.log.1`` and ``session.log.2``. They are this user's alone, and nothing is overwritten:
    a name that is taken gets a number. What cannot be written is dropped, and counted.
    """

    def __init__(
        self,
        level: str,
        where: Callable[[], Path | None],
        otherwise: Callable[[], Path],
    ) -> None:
        self._where = where
        self._otherwise = otherwise
        self._level = getattr(logging, level.upper())
        self._queue = _Queue()
        self._file: _RotatingFile | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="session log", daemon=True)
        self._level_before = LOGGER.level

    @property
    def path(self) -> Path | None:
        """The file; None until it is there."""
        return self._file.path if self._file is not None else None

    @property
    def dropped(self) -> int:
        """How many entries could not be written."""
        return self._queue.dropped

    def __enter__(self) -> Self:
        self._level_before = LOGGER.level
        LOGGER.setLevel(self._level)
        self._queue.setLevel(self._level)
        LOGGER.addHandler(self._queue)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        LOGGER.removeHandler(self._queue)
        LOGGER.setLevel(self._level_before)
        self._ends.set()
        self._thread.join(_END_S)  # a disk that hangs does not hold up the end

    # On its own thread

    def _write_all(self) -> None:
        while not self._ends.wait(_LOOK_S):
            self._write(self._where)
        self._write(self._where)
        self._write(self._otherwise)
        if self._file is not None:
            self._file.close()

    def _write(self, where: Callable[[], Path | None]) -> None:
        lines = self._queue.lines
        try:
            if self._file is None and lines and (path := where()) is not None:
                self._file = _RotatingFile(path)
        except Exception:
            return  # the next time, or in the other place
        while lines and self._file is not None:
            try:
                self._file.write(lines[0] + "\n")
            except Exception:  # a full disk, say: what comes later may fit again
                self._queue.dropped += 1
            lines.popleft()


class _RotatingFile:
    def __init__(self, path: Path) -> None:
        for number in range(1, 1000):
            suffix = f" ({number})" if number > 1 else ""
            self.path = path.with_name(path.stem + suffix + path.suffix)
            try:
                self._file = self._create()
                return
            except FileExistsError:
                continue
        raise FileExistsError(str(path))

    def _create(self) -> FileIO:
        # "x": in a folder of others a link may lie under the name. Unbuffered: all that is logged
        # before a crash is there.
        return FileIO(self.path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))

    def write(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        if self._file.tell() + len(data) > _MOST_BYTES:
            self._rotate()
        self._file.write(data)

    def _rotate(self) -> None:
        """Begins a new file, if the old one is still where it was made."""
        mine = os.fstat(self._file.fileno())
        if not os.path.samestat(mine, os.lstat(self.path)):
            raise FileNotFoundError(str(self.path))  # its folder was renamed: it is full, then
        self._file.close()
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, _FILES))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)
        self._file = self._create()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
