# SPDX-License-Identifier: MIT
"""The processes of filters that are written in Python: started, watched, and started again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pypac_obs import _core
from pypac_obs.errors import PluginFailed
from pypac_obs.plugins import FILTERS, file_stamp, find_plugin, in_front, in_words
from pypac_obs.profile.filters import FilterInfo, ParamInfo
from pypac_obs.profile.rule import Rule
from pypac_obs.session.child_process import ChildProcess
from pypac_obs.session.filter_settings import check_settings

__all__ = ["DescribedFilter", "FilterProcesses"]

_START_S = 20.0
_CLOSE_S = 2.0
# What has ended may have said something that has not been read.
_LAST_WORDS_S = 0.5
_LOOK_S = 0.05
# A process that has said nothing for so long hangs; it speaks once a second.
_SILENT_S = 5.0
# How often one is started again, unless it has worked for so long meanwhile.
_MOST_RESTARTS = 3
_WORKED_S = 60.0
_OFFLINE_PATIENCE_S = 5.0


@dataclass(frozen=True)
class DescribedFilter:
    """A filter that is written in Python, and what it has to set."""

    use: str
    folder: Path
    info: FilterInfo
    about: Mapping[str, Any]
    """The same as `filter_process.described` gave it, with its latency."""
    code: tuple[object, ...]
    """Which file it is, as that is now: another one is another filter."""


class FilterProcesses:
    """The processes of one session's filters, each of which has a lane. [control-thread]"""

    def __init__(self, *, offline: bool) -> None:
        self._offline = offline
        self._described: dict[tuple[object, ...], DescribedFilter] = {}
        self._workers: list[_Worker] = []
        self._workers_lock = threading.Lock()
        self._closed = False
        self._plugins: dict[str, DescribedFilter] = {}  # by the kinds of filters
        self._states: dict[str, object] = {}
        self._news: list[str] = []

    def describe(
        self, who: str, use: str, folder: Path, settings: Mapping[str, object]
    ) -> DescribedFilter:
        """Asks a process of its own what a filter has to set. Changes nothing; takes a while.

        Raises PluginFailed, also for settings that it does not take.
        """
        try:
            with in_front(who, FILTERS):
                plugin = find_plugin(use, folder, FILTERS)
                code = (str(plugin), *file_stamp(plugin.file))
                key = (use, folder, code)
                if key not in self._described:
                    info, about = _ask(use, folder)
                    self._described[key] = DescribedFilter(use, folder, info, about, code)
                found = self._described[key]
            check_settings(who, found.info, settings)
        except PluginFailed:
            raise
        except Exception as error:  # whatever somebody wrote there
            raise PluginFailed(
                f"{who}: it cannot be used: {in_words(error, None)}", remedy="Correct the plugin."
            ) from error
        return found

    def add_kind(self, kind: str, described: DescribedFilter) -> None:
        """Takes up the engine's kind of filters whose work a plugin does."""
        self._plugins[kind] = described

    def adopt(self, lanes: Iterable[_core.Lane], *, wait: bool) -> None:
        """Starts a process for each lane; may wait until they are ready. Raises PluginFailed."""
        new = []
        for lane in lanes:
            if lane.closed:  # the filter went before it was heard
                continue
            if self._offline:
                lane.set_patience(_OFFLINE_PATIENCE_S)
            # One that takes another's place goes on from what that has kept.
            state = self._states.get(lane.kind)
            new.append(_Worker(lane, self._plugins[lane.kind], self._states, self._news, state))
        with self._workers_lock:
            closed = self._closed
            self._workers += [] if closed else new
        if closed:  # meanwhile
            for worker in new:
                worker.end()
        elif wait:
            for worker in new:
                worker.wait_until_ready()

    def look_after(self) -> list[str]:
        """Ends what hangs or is not needed; gives what is new, in sentences. A few times a second.

        Never waits.
        """
        with self._workers_lock:
            for worker in self._workers:
                worker.look_after()
            self._workers = [one for one in self._workers if one.alive]
            kept = {one.kind for one in self._workers}
        for kind in [one for one in tuple(self._states) if one not in kept]:
            self._states.pop(kind, None)
        with contextlib.suppress(IndexError):
            return [self._news.pop(0) for _ in range(len(self._news))]
        return []

    def close(self) -> None:
        """Ends them all."""
        with self._workers_lock:
            self._closed = True
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()
        until = time.monotonic() + _CLOSE_S
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))


# One process -------------------------------------------------------------------------------------


def _start(request: Mapping[str, object], handle: int | None = None) -> ChildProcess:
    path = [one for one in sys.path if isinstance(one, str)]
    # Before anything has begun that would have to be ended.
    text = json.dumps({"path": path, "parent": os.getpid(), **request})
    # Not from the present folder, where anybody may have put a module.
    command = [sys.executable, *_flags(), "-P", "-m", "pypac_obs.filter_process"]
    process = ChildProcess(command, handle)
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it ends at once: its output says why
        process.stdin.write(text + "\n")
        process.stdin.flush()
    return process


def _flags() -> list[str]:
    """Those of this interpreter that say what it reads from the environment."""
    flags = sys.flags
    if flags.isolated:
        return ["-I"]
    given = {"-E": flags.ignore_environment, "-s": flags.no_user_site}
    return [flag for flag, is_set in given.items() if is_set]


def _said(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _listen(process: ChildProcess, hear: Callable[[dict[str, Any]], None]) -> threading.Thread:
    """Has a thread read what a process says.

    Whatever the process has started may hold the pipe for longer than it lives: nobody else waits
    for the pipe's end.
    """
    stream = process.stdout
    assert stream is not None

    def read(stream: IO[str]) -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            for line in stream:
                hear(_said(line))

    thread = threading.Thread(target=read, args=(stream,), name="filter's words", daemon=True)
    thread.start()
    return thread


def _put_away(process: ChildProcess, listener: threading.Thread) -> None:
    """Ends it, and what it has started."""
    process.end_family()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_CLOSE_S)
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    listener.join(_LAST_WORDS_S)


def _ask(use: str, folder: Path) -> tuple[FilterInfo, Mapping[str, Any]]:
    try:
        process = _start({"use": use, "folder": str(folder)})
    except OSError as error:
        remedy = "See what the system has too little of."
        raise PluginFailed(_no_process(error), remedy=remedy) from error
    said: dict[str, Any] = {}
    answered = threading.Event()

    def hear(what: dict[str, Any]) -> None:
        if not answered.is_set():
            said.update(what)
            answered.set()

    listener = _listen(process, hear)
    until = time.monotonic() + _START_S
    try:
        while not answered.wait(_LOOK_S) and time.monotonic() < until:
            if not listener.is_alive() or process.poll() is not None:
                break
    finally:
        _put_away(process, listener)
    if "parameters" not in said:
        what = said.get("failed") or f"its process ended, or did not answer in {_START_S:g} seconds"
        raise PluginFailed(str(what), remedy=str(said.get("remedy") or "Correct the plugin."))
    for one in said["parameters"]:
        if hasattr(Rule, one["id"]):
            raise PluginFailed(
                f"{one['id']!r} cannot be the name of a parameter", remedy="Rename it."
            )
    params = tuple(
        ParamInfo(
            id=str(one["id"]),
            type=str(one["type"]),
            unit=str(one["unit"]),
            min=float(one["min"]),
            max=float(one["max"]),
            default=one["default"],
            logarithmic=False,
            choices=tuple(map(str, one["choices"])),
            live=True,
            help=str(one["help"]),
        )
        for one in said["parameters"]
    )
    return FilterInfo(use, "", params), said


class _Worker:
    """Keeps a process at one end of a lane, on a thread that reads what it says."""

    def __init__(
        self,
        lane: _core.Lane,
        plugin: DescribedFilter,
        states: dict[str, object],
        news: list[str],
        state: object,
    ) -> None:
        self._lane = lane
        self._who = lane.kind.partition(" (")[0]
        self._request = {
            "use": plugin.use,
            "folder": str(plugin.folder),
            "about": plugin.about,
            "lane": [lane.handle, lane.bytes],
        }
        self._states = states
        self._news = news
        self._state = state
        self._ready = threading.Event()  # or failed
        self._failure = ""
        self._ends = False
        self._process: ChildProcess | None = None
        self._heard_at = time.monotonic()
        self._is_silent = False
        self._hung = False
        self._started = False  # the process is ready
        self._thread = threading.Thread(target=self._keep, name=f"filter {self._who}", daemon=True)
        self._thread.start()

    @property
    def kind(self) -> str:
        return self._lane.kind

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def wait_until_ready(self) -> None:
        """Raises PluginFailed where the first process has not come to that."""
        if not self._ready.wait(_START_S) or not self._started:
            said = self._failure or f"its process was not ready within {_START_S:g} seconds"
            raise PluginFailed(f"{self._who}: {said}", remedy="Correct the plugin.")

    def look_after(self) -> None:
        if self._lane.closed:
            self.end()
        limit_s = _SILENT_S if self._started else _START_S
        process = self._process
        was_silent = self._is_silent
        self._is_silent = process is not None and time.monotonic() - self._heard_at > limit_s
        # At one look alone it may have been the machine that slept, or this process.
        if process is not None and self._is_silent and was_silent:
            self._hung = True
            with contextlib.suppress(OSError):
                process.kill()

    def end(self) -> None:
        self._ends = True
        if (process := self._process) is not None and process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                process.stdin.close()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()

    # Its thread ---------------------------------------------------------------------------------

    def _keep(self) -> None:
        restarts = 0
        while not self._ends:
            began, state = time.monotonic(), self._state
            self._run_one()
            if self._ends or self._lane.closed:
                return
            first = not self._ready.is_set()
            if time.monotonic() - began > _WORKED_S:
                restarts = 0
            if state is not None and not self._started:
                # It may be the state that it cannot take.
                self._state = None
                self._states.pop(self._lane.kind, None)
            elif first or restarts == _MOST_RESTARTS:
                self._lane.give_up()
                self._ready.set()
                self._tell(f"{self._failure}; the track goes by it from now on")
                return
            else:
                restarts += 1
            self._tell(f"{self._failure}; it is started again")

    def _tell(self, what: str) -> None:
        self._news.append(f"{self._who}: {what}")

    def _run_one(self) -> None:
        """Runs one process to its end."""
        self._heard_at, self._started, self._hung = time.monotonic(), False, False
        last: dict[str, Any] = {}

        def hear(said: dict[str, Any]) -> None:
            nonlocal last
            last = said
            self._heard_at = time.monotonic()
            if "state" in said:
                self._state = self._states[self._lane.kind] = said["state"]
            elif "ready" in said:
                self._started = True
                self._ready.set()

        try:
            process = _start({**self._request, "state": self._state}, self._lane.handle)
        except OSError as error:
            self._failure = _no_process(error)
            return
        listener = _listen(process, hear)
        self._process = process
        try:
            if not self._ends:
                process.await_end()
        finally:
            self._process = None
            _put_away(process, listener)
        if "failed" in last:
            self._failure = str(last["failed"])
        elif self._hung:
            self._failure = "its process hung"
        else:
            self._failure = f"its process ended ({_code_in_words(process.returncode)})"


def _no_process(error: OSError) -> str:
    return f"no process can be started: {error.strerror or error}"


def _code_in_words(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"code {code}"
