# SPDX-License-Identifier: MIT
"""What the control API costs: meters of 32 tracks for three clients, and a `set` by HTTP.

The server is in a process of its own, in front of levels that are computed: what the engine costs
is not in it.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from process_cost import CostWindow
from report import Options, Report
from websockets.sync.client import connect

if TYPE_CHECKING:
    from pypac_obs.control.controls import LevelLayout

_CLIENTS = 3
_TRACKS = 32
_HZ = 30
_TOKEN = "bench" * 8
_AIM_PERCENT = 2.5


class _Levels:
    """Just enough of a session: tracks whose levels move, and one value."""

    name = "bench"
    sample_rate = 48000
    revision = 1

    def __init__(self) -> None:
        from pypac_obs.events import EventBus

        self.events = EventBus()
        from pypac_obs.control.controls import LevelLayout

        self._layout = LevelLayout((), tuple(f"track {number}" for number in range(_TRACKS)))
        self._levels = np.random.default_rng(1).random((64, self._layout.size), np.float32)
        self._reads = 0

    def state(self) -> dict[str, object]:
        return {"revision": self.revision, "values": {}}

    def set(self, address: str, value: object, *, origin: str = "") -> object:
        return value

    def release_all(self, client: str) -> None:
        pass

    def level_layout(self) -> LevelLayout:
        return self._layout

    def levels(self, values: NDArray[np.float32]) -> int:
        self._reads += 1
        values[:] = self._levels[self._reads % len(self._levels)]
        return len(values)


def main(options: Options) -> Report:
    report = Report("control")
    seconds = options.pick(20, 4)
    with _served() as (port, pid):
        idle = _cost_percent(pid, seconds / 2)
        with _clients(port) as frames:
            time.sleep(0.5)
            before = sum(frames)
            busy = _cost_percent(pid, seconds)
            sent = (sum(frames) - before) / seconds
        took_ms = _sets(port, round(options.pick(2000, 200)))
    report.add("nobody connected: CPU", "% of a core", idle, digits=2)
    report.add(
        f"{_CLIENTS} WebSockets, {_TRACKS} meters at {_HZ} Hz: CPU",
        "% of a core",
        busy,
        target=f"< {_AIM_PERCENT:g}",
        met=busy < _AIM_PERCENT,
        digits=2,
    )
    wanted = _CLIENTS * _HZ
    report.add("frames a second, all clients", "", sent, target=f"{wanted} +- 5 %",
               met=abs(sent / wanted - 1) < 0.05)  # fmt: skip
    report.add("set by HTTP and its answer, median", "ms", statistics.median(took_ms), digits=2)
    late = statistics.quantiles(took_ms, n=100)[98]
    report.add(
        "set by HTTP and its answer, p99", "ms", late, target="< 10", met=late < 10, digits=2
    )
    report.details["set_ms"] = took_ms
    return report


@contextmanager
def _served() -> Iterator[tuple[int, int]]:
    """A process with the server: its port, and its PID."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(its,))
    process.start()
    try:
        assert ours.poll(30), "the server has not started"
        assert process.pid is not None
        yield ours.recv(), process.pid
    finally:
        ours.send(None)
        process.join()


def _serve(parent: Connection) -> None:
    from pypac_obs.control import limits
    from pypac_obs.control.server import ControlServer

    limits._PER_SECOND = 10**6  # what is measured is the server, not its brake
    server = ControlServer(_Levels(), port=0, token=_TOKEN)  # type: ignore[arg-type]
    parent.send(server.start())
    parent.recv()
    server.stop()


def _cost_percent(pid: int, seconds: float) -> float:
    window = CostWindow([pid])
    time.sleep(seconds)
    return window.cost().cpu_percent


@contextmanager
def _clients(port: int) -> Iterator[list[int]]:
    """Clients that read levels: how many frames each has had."""
    frames = [0] * _CLIENTS
    over = threading.Event()
    readers = [
        threading.Thread(target=_read, args=(port, frames, index, over))
        for index in range(_CLIENTS)
    ]
    for one in readers:
        one.start()
    try:
        yield frames
    finally:
        over.set()
        for one in readers:
            one.join()


def _read(port: int, frames: list[int], index: int, over: threading.Event) -> None:
    with connect(f"ws://127.0.0.1:{port}/api/v1/ws", compression=None, proxy=None) as socket:
        socket.send(json.dumps({"type": "auth", "token": _TOKEN}))
        meters = {"type": "request", "command": "subscribe", "meters": {"hz": _HZ}}
        socket.send(json.dumps(meters))
        while not over.is_set():
            frames[index] += isinstance(socket.recv(5), bytes)


def _sets(port: int, count: int) -> list[float]:
    """How many ms each `set` took, on one connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    took_ms = []
    for number in range(count):
        body = json.dumps({"address": "voice.gain_db", "value": -(number % 60)})
        begin = time.perf_counter()
        connection.request("POST", "/api/v1/set", body, headers)
        answer = connection.getresponse()
        answer.read()
        took_ms.append((time.perf_counter() - begin) * 1000)
        assert answer.status == 200
    connection.close()
    return took_ms
