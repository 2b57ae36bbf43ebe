# SPDX-License-Identifier: MIT
"""Which sessions of this user run, and the marks that other programs leave for them.

Each has the folder ``sessions/NAME-PID`` in the runtime folder: ``session.json`` says what one
needs to place a moment on its timeline, and in ``marks`` each mark is a file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pypac_obs import _core
from pypac_obs.errors import NotRunning, OutputFailed
from pypac_obs.runtime_folder import file_name_of, is_own_folder, make_folder, runtime_folder
from pypac_obs.whole_file import replace_file

__all__ = ["LONGEST_TEXT", "Mark", "RunningSession", "SessionRegistration", "running_sessions"]

# In characters; a chapter's name is a line.
LONGEST_TEXT = 500
_MAX_BYTES = 2**14
# Of one look, so that no flood of marks keeps a session from watching.
_MAX_MARKS = 200
_TAKEN_WITHIN_S = 3.0
_POLL_S = 0.02
# Two sessions of one program that bear the same name are told apart by a number.
_MOST_OF_ONE_NAME = 100
# Times of a process's start that agree this closely are the same; they are kept as text.
_SAME_START_S = 0.02


@dataclass(frozen=True)
class Mark:
    """A moment that somebody marked: in host time (ns), with a text of one line."""

    host_ns: int
    text: str


class SessionRegistration:
    """Makes a running session known to other programs of this user, until `close`.

    Folders of sessions that have died are removed on the way. Raises PermissionDenied or
    OutputFailed where the runtime folder can't be used. For one thread at a time.
    """

    def __init__(
        self,
        name: str,
        sample_rate: int,
        start_host_ns: int,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        for folder in _session_folders(environ):
            if _read_session(folder) is None and not _is_new(folder):
                shutil.rmtree(folder, ignore_errors=True)
        self._folder = self._own_folder(name, environ)
        self._marks = self._folder / "marks"
        process = psutil.Process()
        self._told: dict[str, object] = {
            "name": name,
            "pid": process.pid,
            "pid_started": process.create_time(),
            "sample_rate": sample_rate,
            "start_host_ns": start_host_ns,
        }
        _write(self._folder / "session.json", self._told)

    @staticmethod
    def _own_folder(name: str, environ: Mapping[str, str]) -> Path:
        make_folder("sessions", environ=environ)
        for number in range(1, _MOST_OF_ONE_NAME):
            more = f"-{number}" if number > 1 else ""
            # A name may be too long for a file's together with the rest.
            own = file_name_of(name[:60] + f"-{os.getpid()}{more}")
            folder = runtime_folder(environ) / "sessions" / own
            with contextlib.suppress(FileExistsError):
                try:
                    folder.mkdir(mode=0o700)
                    (folder / "marks").mkdir(mode=0o700)
                except OSError as error:
                    if isinstance(error, FileExistsError):
                        raise
                    raise OutputFailed(
                        f"the session cannot be made known in {folder}: {error.strerror}",
                        native_code=error.errno,
                    ) from error
                return folder
        raise OutputFailed(f"too many sessions of this program are named {name}")

    def tell(self, *, keeps_marks: bool) -> None:
        """Says whether marks that are taken from now on get into a file. Raises nothing."""
        if self._told.get("keeps_marks") == keeps_marks:
            return
        told = self._told | {"keeps_marks": keeps_marks}
        with contextlib.suppress(OSError):  # then with the next look
            _write(self._folder / "session.json", told)
            self._told = told

    def take_marks(self) -> list[Mark]:
        """Gives the marks that have come since the last call, in the order of their times.

        What is no mark is removed. Raises nothing.
        """
        marks: list[Mark] = []
        with contextlib.suppress(OSError), os.scandir(self._marks) as entries:
            names = (entry.name for entry in entries if not entry.name.startswith("."))
            for name in itertools.islice(names, _MAX_MARKS):
                if (mark := _read_mark(self._marks / name)) is not None:
                    marks.append(mark)
                with contextlib.suppress(OSError):
                    (self._marks / name).unlink()
        return sorted(marks, key=lambda mark: mark.host_ns)

    def close(self) -> None:
        """Makes the session unknown again. May be called again."""
        shutil.rmtree(self._folder, ignore_errors=True)


@dataclass(frozen=True)
class RunningSession:
    """A session that runs now, in this program or another one."""

    name: str
    pid: int
    sample_rate: int
    start_host_ns: int
    folder: Path

    def frame_at(self, host_ns: int) -> int:
        """Gives the place of a moment on the session's timeline; 0 for what was before it."""
        return frame_at(host_ns, self.start_host_ns, self.sample_rate)

    def keeps_marks(self) -> bool:
        """Tells whether the mark that was taken last is in a file, or comes into one."""
        return _read(self.folder / "session.json").get("keeps_marks") is not False

    def mark(self, text: str, host_ns: int | None = None) -> int:
        """Marks a moment (by default this one) and waits until the session has taken it.

        Gives its frame on the session's timeline. Raises ValueError for a text that is empty or
        not one short line, NotRunning if the session ends instead.
        """
        text = checked_text(text)
        host_ns = _core.host_now_ns() if host_ns is None else host_ns
        gone = NotRunning(
            f"the session {self.name} (PID {self.pid}) does not take the mark",
            remedy="It has just ended, or hangs.",
        )
        path = self.folder / "marks" / f"{host_ns}-{os.getpid()}-{time.monotonic_ns()}.json"
        try:
            _write(path, {"host_ns": host_ns, "text": text})
        except OSError:
            raise gone from None
        deadline = time.monotonic() + _TAKEN_WITHIN_S
        while path.exists():
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError):
                    path.unlink()
                raise gone
            time.sleep(_POLL_S)
        if not self.folder.exists():
            raise gone
        return self.frame_at(host_ns)


def running_sessions(environ: Mapping[str, str] = os.environ) -> tuple[RunningSession, ...]:
    """Lists this user's running sessions, the oldest first."""
    found = (_read_session(folder) for folder in _session_folders(environ))
    return tuple(sorted(filter(None, found), key=lambda session: session.start_host_ns))


def frame_at(host_ns: int, start_host_ns: int, sample_rate: int) -> int:
    """Gives the frame at a host time; 0 for what was before the start.

    >>> frame_at(3_500_000_000, 1_000_000_000, 48000), frame_at(0, 1, 48000)
    (120000, 0)
    """
    return max(0, (host_ns - start_host_ns) * sample_rate // 10**9)


def checked_text(text: str) -> str:
    """Gives a mark's text on one line; raises ValueError if it is empty or too long.

    >>> checked_text(" first\\nkill ")
    'first kill'
    """
    line = " ".join(text.split())
    if not line or len(line) > LONGEST_TEXT or not line.isprintable():
        raise ValueError(f"a mark has a text of 1 to {LONGEST_TEXT} printable characters")
    return line


def _session_folders(environ: Mapping[str, str]) -> list[Path]:
    sessions = runtime_folder(environ) / "sessions"
    try:
        found = sessions.lstat()
        # Somebody else's folder, in /tmp say, is not even looked into.
        if not is_own_folder(found):
            return []
        return [sessions / name for name in os.listdir(sessions) if not name.startswith(".")]
    except OSError:
        return []


def _read_session(folder: Path) -> RunningSession | None:
    """Reads what a session says of itself; None if it has ended, or says nothing sensible."""
    values = _read(folder / "session.json")
    name, pid, started = (values.get(key) for key in ("name", "pid", "pid_started"))
    rate, start = values.get("sample_rate"), values.get("start_host_ns")
    if (
        not isinstance(name, str)
        or not _whole(pid, 1, 2**31)
        or not isinstance(started, float)
        or not _whole(rate, 1, 10**6)
        or not _whole(start, 0, 2**63)
    ):
        return None
    assert isinstance(pid, int)
    assert isinstance(rate, int)
    assert isinstance(start, int)
    try:
        alive = math.isclose(
            psutil.Process(pid).create_time(), started, rel_tol=0.0, abs_tol=_SAME_START_S
        )
    except psutil.Error:
        return None
    return RunningSession(name, pid, rate, start, folder) if alive else None


def _is_new(folder: Path) -> bool:
    """Whether it may be a session that has not written its session.json yet."""
    try:
        return time.time() - folder.lstat().st_mtime < 10
    except OSError:
        return False


def _read_mark(path: Path) -> Mark | None:
    values = _read(path)
    host_ns, text = values.get("host_ns"), values.get("text")
    if not _whole(host_ns, 0, 2**63) or not isinstance(text, str):
        return None
    assert isinstance(host_ns, int)
    try:
        return Mark(host_ns, checked_text(text))
    except ValueError:
        return None


def _whole(value: object, least: int, beyond: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < beyond


def _read(path: Path) -> dict[str, Any]:
    """Reads a small JSON object; an empty one for all that is none."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return {}
            data = file.read(_MAX_BYTES + 1)
        values = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: Mapping[str, object]) -> None:
    """Writes a file that others find whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("x", encoding="utf-8") as file:
            json.dump(values, file)
        replace_file(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
