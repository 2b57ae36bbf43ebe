# SPDX-License-Identifier: MIT
"""The processes of filters that are written in Python: started, watched, and started again."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pypac_obs import _core
from pypac_obs.errors import PluginFailed
from pypac_obs.plugins import FILTERS, find_plugin
from pypac_obs.profile.filters import FilterInfo, ParamInfo
from pypac_obs.session.filter_settings import check_settings

__all__ = ["FilterProcesses"]

_START_S = 20.0
_CLOSE_S = 2.0
# A process that has said nothing for so long hangs; it speaks once a second.
_SILENT_S = 5.0
# How often one is started again, unless it has worked for so long meanwhile.
_MOST_RESTARTS = 3
_WORKED_S = 60.0
_OFFLINE_PATIENCE_S = 5.0


class FilterProcesses:
    """The processes of one session's filters, each of which has a lane. [control-thread]"""

    def __init__(self, *, offline: bool) -> None:
        self._offline = offline
        self._infos: dict[tuple[object, ...], FilterInfo] = {}
        self._workers: list[_Worker] = []
        self._plugins: dict[str, tuple[str, Path]] = {}  # by the kinds of filters
        self._states: dict[str, object] = {}
        self._news: list[str] = []

    def describe(self, who: str, use: str, folder: Path) -> FilterInfo:
        """Asks a process of its own what a filter has to set. Raises PluginFailed."""
        try:
            plugin = find_plugin(use, folder, FILTERS)
        except PluginFailed as error:
            raise PluginFailed(f"{who}: {error.message}", remedy=error.remedy) from None
        stamp = plugin.file.stat() if plugin.file is not None else None
        key = (use, folder, stamp and (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))
        if key not in self._infos:
            self._infos[key] = _ask(who, use, folder)
        return self._infos[key]

    def add_kind(
        self, kind: str, use: str, folder: Path, settings: Mapping[str, object]
    ) -> FilterInfo:
        """Takes up the engine's kind of filters whose work a plugin does, and what it has to set.

        Raises PluginFailed, also for settings that it does not take.
        """
        who = kind.partition(" (")[0]
        info = self.describe(who, use, folder)
        check_settings(who, info, settings)
        self._plugins[kind] = (use, folder)
        return info

    def adopt(self, lanes: Iterable[_core.Lane], *, wait: bool) -> None:
        """Starts a process for each lane; may wait until they are ready. Raises PluginFailed."""
        new = []
        for lane in lanes:
            use, folder = self._plugins[lane.kind]
            if self._offline:
                lane.set_patience(_OFFLINE_PATIENCE_S)
            # One that takes another's place goes on from what that has kept.
            state = self._states.get(lane.kind)
            new.append(_Worker(lane, use, folder, self._states, self._news, state))
        self._workers += new
        if wait:
            for worker in new:
                worker.wait_until_ready()

    def look_after(self) -> list[str]:
        """Ends what hangs or is not needed; gives what is new, in sentences. A few times a second.

        Never waits.
        """
        for worker in self._workers:
            worker.look_after()
        self._workers = [one for one in self._workers if one.alive]
        with contextlib.suppress(IndexError):
            return [self._news.pop(0) for _ in range(len(self._news))]
        return []

    def close(self) -> None:
        """Ends them all."""
        for worker in self._workers:
            worker.end()
        until = time.monotonic() + _CLOSE_S
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        self._workers.clear()


# One process -------------------------------------------------------------------------------------


def _start(request: Mapping[str, object], handle: int | None = None) -> subprocess.Popen[str]:
    # Not from the present folder, where anybody may have put a module.
    command = [sys.executable, "-P", "-m", "pypac_obs.filter_process"]
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
        if handle is not None:
            import os

            os.set_handle_inheritable(handle, True)
            options["startupinfo"] = subprocess.STARTUPINFO(
                lpAttributeList={"handle_list": [handle]}
            )
    elif handle is not None:
        options["pass_fds"] = (handle,)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        **options,
    )
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it ends at once: its output says why
        process.stdin.write(json.dumps({"path": sys.path, **request}) + "\n")
        process.stdin.flush()
    return process


def _said(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _put_away(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_CLOSE_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _ask(who: str, use: str, folder: Path) -> FilterInfo:
    process = _start({"use": use, "folder": str(folder)})
    assert process.stdout is not None
    late = threading.Timer(_START_S, process.kill)
    late.start()
    try:
        said = _said(process.stdout.readline())
    finally:
        late.cancel()
        _put_away(process)
    if "parameters" not in said:
        what = said.get("failed") or f"its process ended, or did not answer in {_START_S:g} seconds"
        raise PluginFailed(
            f"{who}: {what}", remedy=str(said.get("remedy") or "Correct the plugin.")
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
    return FilterInfo(use, "", params)


class _Worker:
    """Keeps a process at one end of a lane, on a thread that reads what it says."""

    def __init__(
        self,
        lane: _core.Lane,
        use: str,
        folder: Path,
        states: dict[str, object],
        news: list[str],
        state: object,
    ) -> None:
        self._lane = lane
        self._who = lane.kind.partition(" (")[0]
        self._request = {"use": use, "folder": str(folder), "lane": [lane.handle, lane.bytes]}
        self._states = states
        self._news = news
        self._state = state
        self._ready = threading.Event()  # or failed
        self._failure = ""
        self._ends = False
        self._process: subprocess.Popen[str] | None = None
        self._heard_at = time.monotonic()
        self._hung = False
        self._started = False  # the process is ready
        self._thread = threading.Thread(target=self._keep, name=f"filter {self._who}", daemon=True)
        self._thread.start()

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
        if process is not None and time.monotonic() - self._heard_at > limit_s:
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
            began = time.monotonic()
            self._run_one()
            if self._ends or self._lane.closed:
                return
            first = not self._ready.is_set()
            if time.monotonic() - began > _WORKED_S:
                restarts = 0
            if first or restarts == _MOST_RESTARTS:
                self._lane.set_patience(0)
                self._ready.set()
                self._tell(f"{self._failure}; the track goes by it from now on")
                return
            restarts += 1
            self._tell(f"{self._failure}; it is started again")

    def _tell(self, what: str) -> None:
        self._news.append(f"{self._who}: {what}")

    def _run_one(self) -> None:
        """Runs one process to its end."""
        self._heard_at, self._started, self._hung, said = time.monotonic(), False, False, {}
        try:
            process = _start({**self._request, "state": self._state}, self._lane.handle)
        except OSError as error:
            self._failure = f"no process can be started: {error.strerror or error}"
            return
        self._process = process
        try:
            if self._ends:
                return
            assert process.stdout is not None
            for line in process.stdout:
                said = _said(line)
                self._heard_at = time.monotonic()
                if "state" in said:
                    self._state = self._states[self._lane.kind] = said["state"]
                elif "ready" in said:
                    self._started = True
                    self._ready.set()
        finally:
            self._process = None
            _put_away(process)
        if "failed" in said:
            self._failure = str(said["failed"])
        elif self._hung:
            self._failure = "its process hung"
        else:
            self._failure = f"its process ended ({_code_in_words(process.returncode)})"


def _code_in_words(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"code {code}"
