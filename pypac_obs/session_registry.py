# SPDX-License-Identifier: MIT
"""Which sessions of this user run, and the marks that other programs leave for them.

Each has the folder ``sessions/NAME-PID`` in the runtime folder: ``session.json`` says what one
needs to place a moment on its timeline. In ``marks`` each mark is a file; the session takes it away
and answers under the same name in ``answers``: where the mark lies, and whether a file keeps it, or
why it is not taken. What is no mark goes to ``set-aside``, unopened where it is no plain file.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import math
import os
import re
import shutil
import stat
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pypac_obs import _core
from pypac_obs.errors import NotRunning, OutputFailed, PypacError
from pypac_obs.own_folder import NotPlainFile, OwnFolder
from pypac_obs.runtime_folder import file_name_of, open_folder

__all__ = [
    "LONGEST_TEXT",
    "Mark",
    "RunningSession",
    "SessionRegistration",
    "TakenMark",
    "running_sessions",
]

# In characters; a chapter's name is a line.
LONGEST_TEXT = 500
_MAX_BYTES = 2**14
# Of one look, so that no flood of marks keeps a session from watching.
_MAX_MARKS = 200
_TAKEN_WITHIN_S = 3.0
# A mark that has been taken is answered within that, where all is well: it is one look's work.
_ANSWERED_WITHIN_S = 1.0
# How long before a session's beginning, and ahead of the clock, a mark's time may lie: a command
# may have looked at the clock while the session was starting.
_EARLY_NS = 5 * 10**9
_AHEAD_NS = 10**8
# An answer that nobody has fetched by then is of no use to anybody.
_ANSWERS_KEPT_S = 10.0
# A session writes its session.json well within that.
_NEW_S = 10.0
_POLL_S = 0.02
# Two sessions of one program that bear the same name are told apart by a number.
_MOST_OF_ONE_NAME = 100
# What a session lays down. Nothing else is ever removed, wherever it lies.
_SESSION_FOLDER = re.compile(r"[^.].*-\d+(-\d+)?")
_SESSION_FILES = ("session.json", ".session.json.part")
_MARK_FILE = re.compile(r"[^.].*\.json|\..*\.json\.part")
_SET_ASIDE_FILE = re.compile(r"\d+")
_PARTS = {"marks": _MARK_FILE, "answers": _MARK_FILE, "set-aside": _SET_ASIDE_FILE}
# Times of a process's start that agree this closely are the same; they are kept as text.
_SAME_START_S = 0.02


@dataclass(frozen=True)
class Mark:
    """A moment that somebody marked: in host time (ns), with a text of one line."""

    host_ns: int
    text: str
    file: str = field(default="", compare=False)  # the name under which it is answered


@dataclass(frozen=True)
class TakenMark:
    """A mark that a session has taken: its frame, and whether a file keeps it."""

    frame: int
    in_file: bool


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
            self._marks, self._answers, self._set_aside = map(self._folder.folder, _PARTS)
            on_failure.pop_all()
        self._closed = False
        self._start_host_ns = start_host_ns
        self._numbers = itertools.count(1)  # of what is set aside
        self._unmovable: set[str] = set()  # what can neither be taken nor set aside
        self._given: deque[tuple[float, str]] = deque()  # answers: when, and their files
        self._trouble: list[str] = []
        self._trouble_known: set[str] = set()
        process = psutil.Process()
        about: dict[str, object] = {
            "name": name,
            "pid": process.pid,
            "pid_started": process.create_time(),
            "sample_rate": sample_rate,
            "start_host_ns": start_host_ns,
        }
        _write(self._folder, "session.json", about)

    def _new_folder(self, name: str) -> OwnFolder:
        for number in range(1, _MOST_OF_ONE_NAME):
            more = f"-{number}" if number > 1 else ""
            # A name may be too long for a file's together with the rest.
            own = file_name_of(name[:60] + f"-{os.getpid()}{more}")
            try:
                self._sessions.make_new_folder(own)
                folder = self._sessions.folder(own)
                for part in _PARTS:
                    folder.make_new_folder(part)
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

    def take_marks(self) -> list[Mark]:
        """Gives the marks that have come since the last call, in the order of their times.

        Each is to be answered, by `answer` or `refuse`. What is no mark is set aside: see
        `take_trouble`. Raises nothing: what can't be read now is tried again the next time.
        """
        marks: list[Mark] = []
        self._forget_old_answers()
        with contextlib.suppress(OSError):
            waiting = (
                name
                for name in self._marks.names()
                if not name.startswith(".") and name not in self._unmovable
            )
            for name in list(itertools.islice(waiting, _MAX_MARKS)):
                with contextlib.suppress(OSError):
                    if (mark := self._take(name)) is not None:
                        marks.append(mark)
        return sorted(marks, key=lambda mark: mark.host_ns)

    def _take(self, name: str) -> Mark | None:
        """Takes one file out of the mailbox. Raises OSError, and has changed nothing then."""
        try:
            data, found = self._marks.read(name, _MAX_BYTES + 1)
        except NotPlainFile:
            self._put_aside(name, "no plain file")
            return None
        host_ns, text = _mark_in(data)
        if host_ns is None or text is None:
            self._put_aside(name, "no mark")
            return None
        if (why := self._implausible(host_ns)) is not None:
            self._put_aside(name, f"a mark whose time is {why}")
            self.refuse(Mark(host_ns, text, name), f"its time is {why}")
            return None
        # First of all: what stays would be taken again each time.
        self._marks.remove_read(name, found)
        return Mark(host_ns, text, name)

    def _implausible(self, host_ns: int) -> str | None:
        """Why no mark of this session can have that time; None if it can."""
        if host_ns > _core.host_now_ns() + _AHEAD_NS:
            return "in the future"
        if host_ns < self._start_host_ns - _EARLY_NS:
            return "before the session"
        return None

    def _put_aside(self, name: str, why: str) -> None:
        aside = str(next(self._numbers))
        where = self._set_aside.path / aside
        try:
            self._marks.move(name, self._set_aside, aside)
        except OSError:
            self._unmovable.add(name)
            where = self._marks.path / name
        self._say(why, f"What lay among the marks was {why} and is left unused: {where}")

    def take_trouble(self) -> list[str]:
        """Gives a sentence for each kind of trouble with marks, once."""
        trouble, self._trouble = self._trouble, []
        return trouble

    def _say(self, kind: str, sentence: str) -> None:
        if kind not in self._trouble_known:
            self._trouble_known.add(kind)
            self._trouble.append(sentence)

    def answer(self, mark: Mark, taken: TakenMark) -> None:
        """Tells who left the mark that it is kept. Raises nothing."""
        self._give(mark, {"frame": taken.frame, "in_file": taken.in_file})

    def refuse(self, mark: Mark, why: str) -> None:
        """Tells who left the mark why it is not taken. Raises nothing."""
        self._give(mark, {"refused": why})

    def _give(self, mark: Mark, answer: dict[str, object]) -> None:
        if mark.file:
            self._given.append((time.monotonic(), mark.file))
            with contextlib.suppress(OSError):  # then whoever waits is told that it hangs
                _write(self._answers, mark.file, answer)

    def _forget_old_answers(self) -> None:
        while self._given and time.monotonic() - self._given[0][0] > _ANSWERS_KEPT_S:
            _remove_file(self._answers, self._given.popleft()[1])

    def close(self) -> None:
        """Makes the session unknown again. May be called again.

        An answer that is on its way is left until it is fetched; what stays then is removed with
        stale sessions.
        """
        if self._closed:
            return
        self._closed = True
        awaited = {file for _, file in self._given}
        with self._marks, self._answers, self._set_aside, self._folder, self._sessions:
            for file in _SESSION_FILES:
                _remove_file(self._folder, file)
            # Now nobody finds the session any more, and the last mark has been looked at.
            with contextlib.suppress(OSError):
                awaited &= set(self._answers.names())
            if not awaited:
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

    def mark(self, text: str, host_ns: int | None = None) -> TakenMark:
        """Marks a moment (by default this one) and waits until the session has kept it.

        Raises ValueError for a text that is empty or not one short line, NotRunning if the session
        ends or hangs, OutputFailed if it refuses the mark or the runtime folder is full.
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
                answer = _await_answer(folder, marks, name)
        except OSError as error:
            raise self._full(error) or gone from None
        if (why := answer.get("refused")) is not None:
            raise OutputFailed(f"the session {self.name} does not take the mark: {why}")
        frame = answer.get("frame")
        if not isinstance(frame, int):
            # A session that finds no room for its answer stays silent.
            raise self._full() or gone
        return TakenMark(frame, answer.get("in_file") is True)

    def _full(self, error: OSError | None = None) -> OutputFailed | None:
        """What to say where there is no room for marks; None: there is."""
        if error is not None:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        else:
            full = _free_bytes(self.folder) < _MAX_BYTES
        if not full:
            return None
        runtime = self.folder.parent.parent
        return OutputFailed(
            f"the mark cannot be left for the session {self.name}: the folder {runtime} is full",
            remedy=f"Make room in {runtime.parent}, then mark again.",
            native_code=errno.ENOSPC,
        )


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


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _MAX_BYTES


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
        for part, ours in _PARTS.items():
            with contextlib.suppress(OSError), folder.folder(part) as files:
                for file in list(files.names()):
                    if ours.fullmatch(file):
                        _remove_file(files, file, anything=part == "set-aside")
            with contextlib.suppress(OSError):
                folder.remove_folder(part)
    with contextlib.suppress(OSError):
        sessions.remove_folder(name)


def _remove_file(folder: OwnFolder, name: str, *, anything: bool = False) -> None:
    """Removes a plain file; with ``anything`` a link, a pipe or an empty folder as well."""
    with contextlib.suppress(OSError):
        kind = folder.stat(name).st_mode
        if stat.S_ISDIR(kind) and anything:
            folder.remove_folder(name)
        elif stat.S_ISREG(kind) or anything:
            folder.remove(name)


def _await_answer(session: OwnFolder, marks: OwnFolder, name: str) -> dict[str, Any]:
    """Waits for a session's answer to a mark; empty where none comes. Raises OSError."""
    until = time.monotonic() + _TAKEN_WITHIN_S
    withdrawn = False
    with session.folder("answers") as answers:
        while True:
            # Looked at first: a session that ends has answered before it takes this away.
            ended = not _is_there(session, "session.json")
            answer: dict[str, Any] = {}
            with contextlib.suppress(PermissionError):  # Windows', while it is just being put there
                answer = _read(answers, name)
            if answer:
                _remove_file(answers, name)
                return answer
            if ended or (withdrawn and time.monotonic() > until):
                return {}
            if time.monotonic() > until:
                try:
                    marks.remove(name)
                    return {}
                except FileNotFoundError:  # it has just been taken, so the answer is near
                    withdrawn, until = True, time.monotonic() + _ANSWERED_WITHIN_S
            time.sleep(_POLL_S)


def _is_there(folder: OwnFolder, name: str) -> bool:
    try:
        folder.stat(name)
    except FileNotFoundError:
        return False
    except PermissionError:  # Windows', while it is just being put there or taken away
        pass
    return True


def _mark_in(data: bytes) -> tuple[int | None, str | None]:
    """The moment and the text of a mark; None for what is not sensible."""
    values = _object_in(data)
    host_ns, text = values.get("host_ns"), values.get("text")
    try:
        text = checked_text(text) if isinstance(text, str) else None
    except ValueError:
        text = None
    return (host_ns if _whole(host_ns, 0, 2**63) else None), text


def _whole(value: object, least: int, beyond: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < beyond


def _read(folder: OwnFolder, name: str) -> dict[str, Any]:
    """Reads a small JSON object; an empty one for all that is none. Raises OSError."""
    try:
        return _object_in(folder.read(name, _MAX_BYTES + 1)[0])
    except (FileNotFoundError, NotPlainFile):
        return {}


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(folder: OwnFolder, name: str, values: Mapping[str, object]) -> None:
    folder.write(name, json.dumps(values).encode())
