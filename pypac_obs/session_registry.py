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
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pypac_obs import _core
from pypac_obs.errors import NotRunning, OutputFailed, PypacError
from pypac_obs.own_folder import NotPlainFile, OwnFolder
from pypac_obs.runtime_folder import file_name_of, open_folder

__all__ = ["LONGEST_TEXT", "Mark", "RunningSession", "SessionRegistration", "running_sessions"]

# In characters; a chapter's name is a line.
LONGEST_TEXT = 500
_MAX_BYTES = 2**14
# Of one look, so that no flood of marks keeps a session from watching.
_MAX_MARKS = 200
_TAKEN_WITHIN_S = 3.0
# A session writes its session.json well within that.
_NEW_S = 10.0
_POLL_S = 0.02
# Two sessions of one program that bear the same name are told apart by a number.
_MOST_OF_ONE_NAME = 100
# What a session lays down. Nothing else is ever removed, wherever it lies.
_SESSION_FOLDER = re.compile(r"[^.].*-\d+(-\d+)?")
_SESSION_FILES = ("session.json", ".session.json.part")
_MARK_FILE = re.compile(r"[^.].*\.json|\..*\.json\.part")
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
        with contextlib.ExitStack() as on_failure:
            self._sessions = open_folder("sessions", make=True, environ=environ)
            on_failure.callback(self._sessions.close)
            for stale in list(self._sessions.names()):
                if _SESSION_FOLDER.fullmatch(stale) and _is_stale(self._sessions, stale):
                    _remove_session(self._sessions, stale)
            self._folder = self._new_folder(name)
            on_failure.callback(self._folder.close)
            self._marks = self._folder.folder("marks")
            on_failure.pop_all()
        self._closed = False
        process = psutil.Process()
        self._told: dict[str, object] = {
            "name": name,
            "pid": process.pid,
            "pid_started": process.create_time(),
            "sample_rate": sample_rate,
            "start_host_ns": start_host_ns,
        }
        _write(self._folder, "session.json", self._told)

    def _new_folder(self, name: str) -> OwnFolder:
        for number in range(1, _MOST_OF_ONE_NAME):
            more = f"-{number}" if number > 1 else ""
            # A name may be too long for a file's together with the rest.
            own = file_name_of(name[:60] + f"-{os.getpid()}{more}")
            try:
                self._sessions.make_new_folder(own)
                folder = self._sessions.folder(own)
                folder.make_new_folder("marks")
            except FileExistsError:
                continue
            except OSError as error:
                raise OutputFailed(
                    f"the session cannot be made known in {self._sessions.path / own}: "
                    f"{error.strerror or error}",
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
            _write(self._folder, "session.json", told)
            self._told = told

    def take_marks(self) -> list[Mark]:
        """Gives the marks that have come since the last call, in the order of their times.

        What is no mark is removed. Raises nothing.
        """
        marks: list[Mark] = []
        with contextlib.suppress(OSError):
            waiting = (name for name in self._marks.names() if not name.startswith("."))
            for name in list(itertools.islice(waiting, _MAX_MARKS)):
                if (mark := _read_mark(self._marks, name)) is not None:
                    marks.append(mark)
                with contextlib.suppress(OSError):
                    self._marks.remove(name)
        return sorted(marks, key=lambda mark: mark.host_ns)

    def close(self) -> None:
        """Makes the session unknown again. May be called again."""
        if not self._closed:
            self._closed = True
            self._marks.close()
            self._folder.close()
            with self._sessions:
                _remove_session(self._sessions, self._folder.path.name)


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
        with contextlib.suppress(OSError), _opened(self.folder) as folder:
            return _read(folder, "session.json").get("keeps_marks") is not False
        return True

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
        name = f"{host_ns}-{os.getpid()}-{time.monotonic_ns()}.json"
        try:
            with _opened(self.folder) as folder, folder.folder("marks") as marks:
                _write(marks, name, {"host_ns": host_ns, "text": text})
                deadline = time.monotonic() + _TAKEN_WITHIN_S
                while _is_there(marks, name):
                    if time.monotonic() > deadline:
                        marks.remove(name)
                        raise gone
                    time.sleep(_POLL_S)
                if not self.folder.exists():
                    raise gone
        except OSError:
            raise gone from None
        return self.frame_at(host_ns)


def running_sessions(environ: Mapping[str, str] = os.environ) -> tuple[RunningSession, ...]:
    """Lists this user's running sessions, the oldest first."""
    found: list[RunningSession] = []
    # Somebody else's folder, in /tmp say, is not even looked into.
    with contextlib.suppress(OSError, PypacError), open_folder("sessions", environ=environ) as all_:
        for name in list(all_.names()):
            if not name.startswith("."):
                with contextlib.suppress(OSError), all_.folder(name) as folder:
                    found += filter(None, [_read_session(folder)])
    return tuple(sorted(found, key=lambda session: session.start_host_ns))


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


def _opened(session: Path) -> OwnFolder:
    """Opens a session's folder again, with every step on the way checked again."""
    with OwnFolder(session.parent.parent) as runtime, runtime.folder("sessions") as sessions:
        return sessions.folder(session.name)


def _read_session(folder: OwnFolder) -> RunningSession | None:
    """Reads what a session says of itself; None if it has ended, or says nothing sensible."""
    values = _read(folder, "session.json")
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
    return RunningSession(name, pid, rate, start, folder.path) if alive else None


def _is_stale(sessions: OwnFolder, name: str) -> bool:
    """Whether its session has ended; False where that cannot be told."""
    try:
        # A new one may not have written its session.json yet.
        if time.time() - sessions.stat(name).st_mtime < _NEW_S:
            return False
        with sessions.folder(name) as folder:
            return _read_session(folder) is None
    except OSError:
        return False


def _remove_session(sessions: OwnFolder, name: str) -> None:
    """Removes what a session has laid down; what else is there stays, with the folder."""
    with contextlib.suppress(OSError), sessions.folder(name) as folder:
        for file in _SESSION_FILES:
            _remove_file(folder, file)
        with contextlib.suppress(OSError), folder.folder("marks") as marks:
            for file in list(marks.names()):
                if _MARK_FILE.fullmatch(file):
                    _remove_file(marks, file)
        with contextlib.suppress(OSError):
            folder.remove_folder("marks")
    with contextlib.suppress(OSError):
        sessions.remove_folder(name)


def _remove_file(folder: OwnFolder, name: str) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISREG(folder.stat(name).st_mode):
            folder.remove(name)


def _is_there(folder: OwnFolder, name: str) -> bool:
    try:
        folder.stat(name)
    except FileNotFoundError:
        return False
    return True


def _read_mark(marks: OwnFolder, name: str) -> Mark | None:
    values = _read(marks, name)
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


def _read(folder: OwnFolder, name: str) -> dict[str, Any]:
    """Reads a small JSON object; an empty one for all that is none. Raises OSError."""
    try:
        data, _ = folder.read(name, _MAX_BYTES + 1)
        values = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (FileNotFoundError, NotPlainFile, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(folder: OwnFolder, name: str, values: Mapping[str, object]) -> None:
    folder.write(name, json.dumps(values).encode())
