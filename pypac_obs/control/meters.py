# SPDX-License-Identifier: MIT
"""Levels for clients that show meters, as binary frames.

A frame is little endian: u8 version, u8 flags, u16 rows, u32 sequence; then for each source and
each track i16 peak and i16 RMS in 1/100 dBFS, -32768 for silence, and u8 flags.
"""

from __future__ import annotations

import contextlib
import struct
import time
from asyncio import AbstractEventLoop, Handle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pypac_obs.control.controls import Controls

__all__ = ["CLIPPED", "FRAME_VERSION", "MERGED", "SILENT", "Levels", "MeterFeed", "MeterSampler"]

FRAME_VERSION = 1
#: Of a frame: earlier levels are merged into it.
MERGED = 1
#: Of a row.
CLIPPED = 1
SILENT = 2

_HZ = 30.0
_HEADER = struct.Struct("<BBHI")
_ROW = np.dtype([("levels", "<i2", (2,)), ("flags", "u1")])  # peak and RMS
_SILENCE = -32768
_LEAST = np.float32(1e-6)  # -120 dBFS; that and what is below is silence
_LEAST_WRITTEN = -12000

Layout = tuple[tuple[str, ...], tuple[str, ...]]  # sources, tracks
Row = NDArray[np.float32]


@dataclass(frozen=True)
class Levels:
    """All levels at one moment, linear."""

    layout: Layout
    peaks: Row
    rms: Row
    clipped: NDArray[np.bool_]

    @cached_property
    def written(self) -> bytes:
        """The rows of a frame: the same for all clients that are as quick as the sampler."""
        linear = np.empty((len(self.peaks), 2), np.float32)
        linear[:, 0], linear[:, 1] = self.peaks, self.rms
        # The maximum of something that is no number is the other.
        np.fmax(linear, _LEAST, out=linear)
        np.log10(linear, out=linear)
        linear *= 2000
        np.rint(linear, out=linear)
        np.minimum(linear, 32767, out=linear)
        linear[linear <= _LEAST_WRITTEN] = _SILENCE
        rows = np.empty(len(linear), _ROW)
        rows["levels"] = linear
        rows["flags"] = (linear[:, 0] == _SILENCE) * np.uint8(SILENT) + self.clipped
        return rows.tobytes()


class MeterFeed:
    """What one client has not seen yet: peaks and clips are kept until they are sent.

    [event loop]
    """

    def __init__(self, hz: float, wake: Callable[[], None]) -> None:
        # A little less than its period, so that its beat is a whole number of samples.
        self._period_s = 1 / hz - 0.5 / _HZ
        self._samples = round(_HZ / hz)  # of one frame
        self._wake = wake
        self._levels: Levels | None = None
        self._merged = 0
        self._last = 0.0
        self._sequence = 0
        self._layout: Layout | None = None

    def take_in(self, levels: Levels) -> None:
        """Keeps what is highest; wakes the client's sender when a frame is due."""
        kept = self._levels
        if kept is None or kept.layout != levels.layout:
            self._levels, self._merged = levels, 0
        else:
            self._levels = Levels(
                levels.layout,
                np.maximum(kept.peaks, levels.peaks),
                levels.rms,
                kept.clipped | levels.clipped,
            )
        self._merged += 1
        if time.monotonic() - self._last >= self._period_s:
            self._wake()

    def take_layout(self) -> Layout | None:
        """Gives whose levels the next frames have, where that is news."""
        if not self._is_due() or self._levels is None or self._levels.layout == self._layout:
            return None
        self._layout = self._levels.layout
        return self._layout

    def take_frame(self) -> bytes | None:
        """Gives the newest frame, if one is due. `take_layout` comes before it."""
        if not self._is_due() or self._levels is None:
            return None
        flags = MERGED if self._merged > 2 * self._samples else 0
        count = len(self._levels.peaks)
        frame = _HEADER.pack(FRAME_VERSION, flags, count, self._sequence) + self._levels.written
        self._sequence = (self._sequence + 1) % 2**32
        self._last = time.monotonic()
        self._levels, self._merged = None, 0
        return frame

    def _is_due(self) -> bool:
        return time.monotonic() - self._last >= self._period_s


class MeterSampler:
    """Reads the levels 30 times a second while somebody looks.

    On the event loop itself: a reading takes some microseconds, less than to wake another thread.
    [event loop]
    """

    def __init__(self, controls: Controls, loop: AbstractEventLoop) -> None:
        self._controls = controls
        self._loop = loop
        self._feeds: set[MeterFeed] = set()
        self._reader: _Reader | None = None
        self._due = 0.0
        self._next: Handle | None = None

    def add(self, feed: MeterFeed) -> None:
        """Has levels given to a feed from now on."""
        self._feeds.add(feed)
        if self._next is None:
            self._reader = _Reader(self._controls)
            self._due = self._loop.time()
            self._next = self._loop.call_soon(self._sample)

    def remove(self, feed: MeterFeed) -> None:
        """Gives it none any more; with the last one it stops."""
        self._feeds.discard(feed)
        if not self._feeds and self._next is not None:
            self._next.cancel()
            self._next = self._reader = None

    def _sample(self) -> None:
        # Nothing here may end the meters: a session that ends says so otherwise.
        with contextlib.suppress(Exception):
            if self._reader is not None and (levels := self._reader.read()) is not None:
                for feed in self._feeds:
                    feed.take_in(levels)
        now = self._loop.time()
        self._due = max(self._due + 1 / _HZ, now)
        self._next = self._loop.call_at(self._due, self._sample)


class _Reader:
    """Reads levels; a clip between two readings is known by the highest peak."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._layout: Layout | None = None
        self._rows = np.zeros((0, 3), np.float32)
        self._highest = np.zeros(0, np.float32)

    def read(self) -> Levels | None:
        """Gives all levels; None while sources or tracks come and go."""
        layout = self._controls.level_layout()
        if layout != self._layout:
            self._layout = layout
            self._rows = np.zeros((sum(map(len, layout)), 3), np.float32)
            self._controls.levels(self._rows)
            self._highest = self._rows[:, 2].copy()
        count = self._controls.levels(self._rows)
        if count != len(self._rows) or self._controls.level_layout() != layout:
            self._layout = None
            return None
        peaks, rms, highest = self._rows.T.copy()
        clipped = (peaks >= 1) | ((highest >= 1) & (highest > self._highest))
        self._highest = highest
        return Levels(layout, peaks, rms, clipped)
