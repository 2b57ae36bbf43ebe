# SPDX-License-Identifier: MIT
"""Which sessions of this user run, and where another program reaches them.

Each has the folder ``sessions/NAME-PID`` in the runtime folder: ``session.json`` says what it is
called, which process runs it, where its timeline begins, and the port of its control API.
"""

from __future__ import annotations

import contextlib
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

from pypac_obs.errors import OutputFailed, PypacError
from pypac_obs.own_folder import NotPlainFile, OwnFolder
from pypac_obs.runtime_folder import file_name_of, open_folder

__all__ = [
    "LONGEST_TEXT",
    "RunningSession",
    "SessionRegistration",
    "checked_text",
    "frame_at",
    "running_sessions",
]

# In characters; a chapter's name is a line.
LONGEST_TEXT = 500
_MAX_BYTES = 2**14
# A session writes its session.json well within that.
_NEW_S = 10.0
# Two sessions of one program that bear the same name are told apart by a number.
_MOST_OF_ONE_NAME = 100
_READ_TRIES = 5
_READ_AGAIN_S = 0.01
# What a session lays down. Nothing else is ever removed, wherever it lies.
_SESSION_FOLDER = re.compile(r"[^.].*-\d+(-\d+)?")
_SESSION_FILES = ("session.json", ".session.json.part")
# Times of a process's start that agree this closely are the same; they are kept as text.
_SAME_START_S = 0.02


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
            process = psutil.Process()
            self._about: dict[str, object] = {
                "name": name,
                "pid": process.pid,
                "pid_started": process.create_time(),
                "sample_rate": sample_rate,
                "start_host_ns": start_host_ns,
                "control_port": None,
            }
            _write(self._folder, "session.json", self._about)
            on_failure.pop_all()
        self._closed = False

    def _new_folder(self, name: str) -> OwnFolder:
        for number in range(1, _MOST_OF_ONE_NAME):
            more = f"-{number}" if number > 1 else ""
            # A name may be too long for a file's together with the rest.
            own = file_name_of(name[:60] + f"-{os.getpid()}{more}")
            try:
                self._sessions.make_new_folder(own)
                return self._sessions.folder(own)
            except FileExistsError:
                continue
            except OSError as error:
                raise OutputFailed(
                    f"the session cannot be made known in {self._sessions.path / own}: "
                    f"{error.strerror or error}",
                    native_code=error.errno,
                ) from error
        raise OutputFailed(f"too many sessions of this program are named {name}")

    def publish_control(self, port: int | None) -> None:
        """Says at which port of this computer the control API answers; None: there is none.

        Does nothing once it is closed. Raises OSError.
        """
        if not self._closed:
            self._about["control_port"] = port
            _write(self._folder, "session.json", self._about)

    def close(self) -> None:
        """Makes the session unknown again. May be called again."""
        if self._closed:
            return
        self._closed = True
        with self._folder, self._sessions:
            _remove_session(self._sessions, self._folder.path.name)


@dataclass(frozen=True)
class RunningSession:
    """A session that runs now, in this program or another one.

    ``control_port`` is None where it has no control API.
    """

    name: str
    pid: int
    sample_rate: int
    start_host_ns: int
    folder: Path
    control_port: int | None = None


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
    if not alive:
        return None
    port = values.get("control_port")  # sessions of older versions have none
    if not _whole(port, 1, 2**16):
        port = None
    return RunningSession(name, pid, rate, start, folder.path, port)


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
            with contextlib.suppress(OSError):
                if stat.S_ISREG(folder.stat(file).st_mode):
                    folder.remove(file)
    with contextlib.suppress(OSError):
        sessions.remove_folder(name)


def _whole(value: object, least: int, beyond: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < beyond


def _read(folder: OwnFolder, name: str) -> dict[str, Any]:
    """Reads a small JSON object; an empty one for all that is none. Raises OSError."""
    for tries_left in reversed(range(_READ_TRIES)):
        try:
            return _object_in(folder.read(name, _MAX_BYTES + 1)[0])
        except (FileNotFoundError, NotPlainFile):
            return {}
        except PermissionError:  # Windows', while the file is just being replaced
            if not tries_left:
                raise
            time.sleep(_READ_AGAIN_S)
    return {}


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(folder: OwnFolder, name: str, values: Mapping[str, object]) -> None:
    folder.write(name, json.dumps(values).encode())
