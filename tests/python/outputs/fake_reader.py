# SPDX-License-Identifier: MIT
"""A ring in plain Python that keeps the contract of BlockReader, and signals that number frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pypac_obs.outputs.output import SessionInfo, TrackInfo


class FakeReader:
    """One ring for all tracks. What does not fit is lost, and `lose` loses to order.

    Freed frames are overwritten with NaN at once: a view that is used too late shows.
    """

    def __init__(self, tracks: Mapping[str, int], capacity: int = 48000) -> None:
        self.tracks = tuple(tracks)
        self.channels = tuple(tracks.values())
        self.closed = False
        self._capacity = capacity
        self._rings = [np.full((capacity, n), np.nan, np.float32) for n in self.channels]
        self._runs: deque[list[int]] = deque()  # timeline start, frames
        self._first = self._held = 0  # in the ring
        self._position = self._lost = 0  # on the timeline
        self._ended = False
        self._changed = threading.Condition()

    @property
    def lost_frames(self) -> int:
        return self._lost

    @property
    def finished(self) -> bool:
        return self._ended and self._held == 0

    def push(self, audio: list[NDArray[np.float32]]) -> bool:
        """Appends frames to the timeline; False if they found no room and are lost."""
        frames = len(audio[0])
        with self._changed:
            if self._held + frames > self._capacity:
                self.lose(frames)
                return False
            at = (self._first + self._held + np.arange(frames)) % self._capacity
            for ring, samples in zip(self._rings, audio, strict=True):
                ring[at] = samples
            if self._runs and sum(self._runs[-1]) == self._position:
                self._runs[-1][1] += frames
            else:
                self._runs.append([self._position, frames])
            self._held += frames
            self._position += frames
            self._changed.notify_all()
        return True

    def push_when_free(self, audio: list[NDArray[np.float32]]) -> None:
        """Waits for room, as an offline session does; gives up once the reader is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._fits(len(audio[0])), 20)
        if not self.closed:
            assert self.push(audio)

    def lose(self, frames: int) -> None:
        self._position += frames
        self._lost += frames

    def end(self) -> int:
        """Ends the session; returns its length."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        return self._position

    def wait(self, frames: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._ended or self._held >= frames, timeout_s)

    def peek(self, max_frames: int) -> tuple[int, int, list[NDArray[np.float32]]]:
        with self._changed:
            start, frames = self._runs[0] if self._runs else (self._position, 0)
            frames = min(frames, max_frames, self._capacity - self._first)
            return start, frames, [r[self._first : self._first + frames] for r in self._rings]

    def release(self, frames: int) -> None:
        with self._changed:
            if frames:
                for ring in self._rings:
                    ring[self._first : self._first + frames] = np.nan
                self._first = (self._first + frames) % self._capacity
                self._held -= frames
                run = self._runs[0]
                run[0] += frames
                run[1] -= frames
                if not run[1]:
                    self._runs.popleft()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _fits(self, frames: int) -> bool:
        return self._held + frames <= self._capacity


@dataclass(frozen=True)
class Rule:
    """A files output of a profile."""

    folder: str
    name: str = "{track}"
    format: str = "wav"
    encoding: str | None = None
    tracks: tuple[str, ...] | None = None


def session_info(tracks: Mapping[str, int], sample_rate: int = 48000) -> SessionInfo:
    return SessionInfo(
        session="evening",
        profile_name="game-and-discord",
        profile={"version": 1, "tracks": {name: {} for name in tracks}},
        sample_rate=sample_rate,
        tracks=tuple(TrackInfo(name, channels) for name, channels in tracks.items()),
        start_wall=datetime(2026, 11, 23, 18, 4, 5, tzinfo=UTC),
        start_host_ns=123_456_789_000,
        versions={"pypac-obs": "0.1.0"},
    )


def numbered(begin: int, end: int, channels: int, track: int, bits: int) -> NDArray[np.float32]:
    """Frames of which each sample tells its place, exact in a file of that many bits.

    No two frames within 2^bits / 8 are alike, nor two channels or tracks. The numbers are scattered
    like noise, which no encoder makes much smaller.
    """
    place = np.arange(begin, end, dtype=np.int64)[:, None] * 8
    number = place + np.arange(channels) % 4 + 4 * (track % 2) + 1
    number = number * 2_654_435_761 % (1 << bits)  # odd, and so another one for each
    return ((number - (1 << (bits - 1))) / (1 << (bits - 1))).astype(np.float32)


def numbered_tracks(
    begin: int, end: int, tracks: Mapping[str, int], bits: int = 24
) -> list[NDArray[np.float32]]:
    return [numbered(begin, end, n, i, bits) for i, n in enumerate(tracks.values())]
