# SPDX-License-Identifier: MIT
"""Real programs in a private audio system, captured and put on the timeline by the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, Audio, excused, missed_by, one_track_each, wait_until


@dataclass(frozen=True)
class Incident:
    cause: str
    source: str
    begin: int
    frames: int


class Recording:
    """Captures sources into tracks of the same names, from its making until stop()."""

    def __init__(self, sandbox: Sandbox, selectors: Mapping[str, _core.Selector]) -> None:
        self.names = tuple(selectors)
        self.capture = _core.PipewireCapture(remote=sandbox.remote)
        sources = [self.capture.add_source(name, selectors[name]) for name in self.names]
        assert self.capture.wait_until_running(5.0)
        self.engine = _core.Engine(sample_rate=RATE, block_frames=480, latency_frames=2400)
        self.engine.apply(list(zip(self.names, sources, strict=True)), one_track_each(self.names))
        self.reader = _core.Reader(self.engine, "test", list(self.names), 30 * RATE)
        self.origin_ns = _core.host_now_ns() + 50_000_000
        self.engine.start(self.origin_ns)
        self.incidents: list[Incident] = []
        self.running = True

    @property
    def position(self) -> int:
        return self.engine.position

    def state(self, name: str) -> str:
        return self.capture.source_status(name).state

    def wait_for_state(self, name: str, *states: str, timeout_s: float = 3.0) -> None:
        wait_until(
            lambda: self.state(name) in states,
            timeout_s,
            lambda: f"{name} is {self.state(name)}, not {states}",
        )

    def stop(self) -> dict[str, Audio]:
        self.engine.finish()
        assert self.engine.wait_finished(5.0)
        self.running = False
        start, frames, views = self.reader.peek(30 * RATE)
        assert start == 0
        tracks = {name: view.copy() for name, view in zip(self.names, views, strict=True)}
        assert {len(track) for track in tracks.values()} == {frames}
        self.reader.release(frames)
        self.capture.stop()
        self.incidents = [
            Incident(str(one.cause), one.subject, one.begin, one.frames)
            for one in self.engine.pop_incidents()
        ]
        return tracks

    def missing(self, name: str, player: Player | None = None) -> int:
        """How many frames of a source the ledger calls missing, but for what its player missed."""
        missed = missed_by(player, self.origin_ns) if player is not None else []
        return sum(
            one.frames
            for one in self.incidents
            if one.source == name
            and one.cause not in ("overlap", "restamped")
            and not excused(one.cause, one.begin, one.begin + one.frames, missed)
        )

    def close(self) -> None:
        if self.running:
            self.engine.abort()
            self.capture.stop()


Record = Callable[..., Recording]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(sinks=("speakers", "headphones")) as running:
        yield running


@pytest.fixture
def record(sandbox: Sandbox) -> Iterator[Record]:
    recordings: list[Recording] = []

    def start(**selectors: _core.Selector) -> Recording:
        recordings.append(Recording(sandbox, selectors))
        return recordings[-1]

    yield start
    for recording in recordings:
        recording.close()


def programs(*patterns: str, **options: object) -> _core.Selector:
    """The selector of programs by name."""
    return _core.Selector(patterns=list(patterns), **options)


def longest_exact(track: Audio, sine: Audio) -> int:
    """How many frames in a row are `sine` (one second of it, repeated), bit for bit, both sides.

    On a busy machine the two sides of a program are linked in one cycle of the graph or in two:
    where they differ, nothing is exact.
    """
    track = np.where(track[:, :1] == track[:, 1:], track, np.float32(np.nan))
    window = 4800
    # Every window of the sine, to find where in it a window of the track may be.
    windows = np.lib.stride_tricks.sliding_window_view(np.resize(sine, len(sine) + window), window)
    longest = 0
    at = 0
    while at + window <= len(track):
        phases = np.flatnonzero((windows[: len(sine), :2] == track[at : at + 2, 0]).all(axis=1))
        phases = phases[(windows[phases] == track[at : at + window, 0]).all(axis=1)]
        length = 0
        for phase in phases:
            expected = np.resize(np.roll(sine, -phase), len(track) - at)
            wrong = np.flatnonzero(track[at:, 0] != expected)
            length = max(length, int(wrong[0]) if len(wrong) else len(expected))
        longest = max(longest, length)
        at += max(length, window // 10)
    return longest
