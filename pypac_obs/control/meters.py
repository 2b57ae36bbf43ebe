# SPDX-License-Identifier: MIT
"""Levels for clients that show meters, as binary frames.

A frame is little endian. Its header: u8 version, u8 flags, u16 sources, u16 tracks, u16 filters,
u32 sequence. Then for each source i16 peak and RMS in 1/100 dBFS, u8 flags; for each track the same
three, then i16 true peak and highest true peak in 1/100 dBTP, momentary, short-term and integrated
loudness in 1/100 LUFS, range in 1/100 LU, highest momentary and highest short-term loudness; and
for each filter that makes a track quieter u16 by how much, in 1/100 dB. -32768 stands for silence.
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

from pypac_obs.control.controls import LEVELS_OF_TRACK, Controls, LevelLayout

__all__ = ["CLIPPED", "FRAME_VERSION", "MERGED", "SILENT", "Levels", "MeterFeed", "MeterSampler"]

FRAME_VERSION = 2
#: Of a frame: earlier levels are merged into it.
MERGED = 1
#: Of a row.
CLIPPED = 1
SILENT = 2

_HZ = 30.0
_HEADER = struct.Struct("<BBHHHI")
_SILENCE = -32768
_LEAST = np.float32(1e-6)  # -120 dBFS; that and what is below is silence
_LEAST_WRITTEN = -12000
# The columns of a track's row in the levels of a session; a source has the first three.
_PEAK, _RMS, _HIGHEST, _TRUE_PEAK = range(4)
_SENT = np.array([_PEAK, _RMS, *range(_TRUE_PEAK, LEVELS_OF_TRACK)])
_LINEAR = 4  # of those that are sent: peak, RMS, true peak and the highest

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Levels:
    """All levels at one moment, as `Controls.levels` writes them."""

    layout: LevelLayout
    values: Row
    clipped: NDArray[np.bool_]  # of the sources, then of the tracks

    @cached_property
    def written(self) -> bytes:
        """The rows of a frame: the same for all clients that are as quick as the sampler."""
        sources, tracks, reductions = self.layout.parts(self.values)
        rows = _written(sources[:, :_HIGHEST], self.clipped[: len(sources)])
        rows += _written(tracks.take(_SENT, axis=1), self.clipped[len(sources) :])
        if len(reductions):
            hundredths = np.fmin(np.fmax(reductions * 100, 0), 65535)
            rows += np.rint(hundredths).astype("<u2").tobytes()
        return rows

    def merged(self, later: Levels) -> Levels:
        """What is highest of both, and what is newest of the rest."""
        values = later.values.copy()
        ours, theirs = self.layout.parts(self.values), self.layout.parts(values)
        for mine, its, columns in (
            (ours[0], theirs[0], (_PEAK,)),
            (ours[1], theirs[1], (_PEAK, _TRUE_PEAK)),
        ):
            for column in columns:
                np.fmax(mine[:, column], its[:, column], out=its[:, column])
        np.fmax(ours[2], theirs[2], out=theirs[2])
        return Levels(self.layout, values, self.clipped | later.clipped)


def _written(levels: Row, clipped: NDArray[np.bool_]) -> bytes:
    """Rows of levels, in hundredths, with the flags behind the first two."""
    if not len(levels):
        return b""
    hundredths = levels * np.float32(100)
    # The maximum of something that is no number is the other.
    linear = np.fmax(levels[:, :_LINEAR], _LEAST)
    np.log10(linear, out=linear)
    np.multiply(linear, np.float32(2000), out=hundredths[:, :_LINEAR])
    np.fmin(np.fmax(hundredths, _SILENCE, out=hundredths), 32767, out=hundredths)
    np.rint(hundredths, out=hundredths)
    hundredths[hundredths <= _LEAST_WRITTEN] = _SILENCE
    whole = hundredths.astype("<i2", order="C")
    numbers = whole.view(np.uint8)
    rows = np.empty((len(whole), numbers.shape[1] + 1), np.uint8)
    rows[:, :4] = numbers[:, :4]
    rows[:, 4] = (whole[:, 0] == _SILENCE) * np.uint8(SILENT) + clipped
    rows[:, 5:] = numbers[:, 4:]
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
        self._layout: LevelLayout | None = None

    def take_in(self, levels: Levels) -> None:
        """Keeps what is highest; wakes the client's sender when a frame is due."""
        kept = self._levels
        if kept is None or kept.layout != levels.layout:
            self._levels, self._merged = levels, 0
        else:
            self._levels = kept.merged(levels)
        self._merged += 1
        if time.monotonic() - self._last >= self._period_s:
            self._wake()

    def take_layout(self) -> LevelLayout | None:
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
        layout = self._levels.layout
        counts = len(layout.sources), len(layout.tracks), len(layout.filters)
        header = _HEADER.pack(FRAME_VERSION, flags, *counts, self._sequence)
        frame = header + self._levels.written
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
        self._layout: LevelLayout | None = None
        self._highest = np.zeros(0, np.float32)

    def read(self) -> Levels | None:
        """Gives all levels; None while sources, tracks or filters come and go."""
        layout = self._controls.level_layout()
        values = np.zeros(layout.size, np.float32)
        count = self._controls.levels(values)
        if count != len(values) or self._controls.level_layout() != layout:
            self._layout = None
            return None
        if layout == self._layout:
            layout = self._layout  # what is the same object need not be compared again
        sources, tracks, _ = layout.parts(values)
        peaks = np.concatenate((sources[:, _PEAK], tracks[:, _PEAK]))
        highest = np.concatenate((sources[:, _HIGHEST], tracks[:, _HIGHEST]))
        if layout is not self._layout:
            self._layout, self._highest = layout, highest
        clipped = (peaks >= 1) | ((highest >= 1) & (highest > self._highest))
        self._highest = highest
        return Levels(layout, values, clipped)
