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

from pypac_obs.control.controls import Controls, LevelLayout

__all__ = ["CLIPPED", "FRAME_VERSION", "MERGED", "SILENT", "Levels", "MeterFeed", "MeterSampler"]

FRAME_VERSION = 2
#: Of a frame: earlier levels are merged into it.
MERGED = 1
#: Of a row.
CLIPPED = 1
SILENT = 2

_HZ = 30.0
_HEADER = struct.Struct("<BBHHHI")
_SOURCE_ROW = np.dtype([("levels", "<i2", (2,)), ("flags", "u1")])  # peak and RMS
_TRACK_ROW = np.dtype([("levels", "<i2", (2,)), ("flags", "u1"), ("loudness", "<i2", (8,))])
_SILENCE = -32768
_LEAST = np.float32(1e-6)  # -120 dBFS; that and what is below is silence
_LEAST_WRITTEN = -12000
# The columns of a track's row in the levels of a session; a source has the first three.
_PEAK, _RMS, _HIGHEST, _TRUE_PEAK, _HIGHEST_TRUE_PEAK, _LUFS = range(6)

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
        source_rows = np.empty(len(sources), _SOURCE_ROW)
        source_rows["levels"] = _from_linear(sources[:, _PEAK : _RMS + 1])
        track_rows = np.empty(len(tracks), _TRACK_ROW)
        track_rows["levels"] = _from_linear(tracks[:, _PEAK : _RMS + 1])
        track_rows["loudness"][:, :2] = _from_linear(tracks[:, _TRUE_PEAK : _HIGHEST_TRUE_PEAK + 1])
        track_rows["loudness"][:, 2:] = _from_db(tracks[:, _LUFS:] * 100)
        clipped = np.split(self.clipped, [len(sources)])
        for rows, clips in zip((source_rows, track_rows), clipped, strict=True):
            silent = rows["levels"][:, 0] == _SILENCE
            rows["flags"] = silent * np.uint8(SILENT) + clips
        hundredths = np.clip(np.nan_to_num(reductions) * 100, 0, 65535)
        filters = np.rint(hundredths).astype("<u2")
        return source_rows.tobytes() + track_rows.tobytes() + filters.tobytes()

    def merged(self, later: Levels) -> Levels:
        """What is highest of both, and what is newest of the rest."""
        values = later.values.copy()
        ours, theirs = self.layout.parts(self.values), self.layout.parts(values)
        for mine, its, columns in (
            (ours[0], theirs[0], [_PEAK]),
            (ours[1], theirs[1], [_PEAK, _TRUE_PEAK]),
        ):
            for column in columns:
                np.fmax(mine[:, column], its[:, column], out=its[:, column])
        np.fmax(ours[2], theirs[2], out=theirs[2])
        return Levels(self.layout, values, self.clipped | later.clipped)


def _from_linear(linear: Row) -> Row:
    # The maximum of something that is no number is the other.
    db = np.fmax(linear, _LEAST)
    np.log10(db, out=db)
    db *= 2000
    return _from_db(db)


def _from_db(hundredths: Row) -> Row:
    """In place: as i16 has them."""
    np.rint(hundredths, out=hundredths)
    np.minimum(hundredths, 32767, out=hundredths)
    # Also what is no number: only a whole comparison is true of it.
    hundredths[~(hundredths > _LEAST_WRITTEN)] = _SILENCE
    return hundredths


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
        sources, tracks, _ = layout.parts(values)
        peaks = np.concatenate((sources[:, _PEAK], tracks[:, _PEAK]))
        highest = np.concatenate((sources[:, _HIGHEST], tracks[:, _HIGHEST]))
        if layout != self._layout:
            self._layout, self._highest = layout, highest
        clipped = (peaks >= 1) | ((highest >= 1) & (highest > self._highest))
        self._highest = highest
        return Levels(layout, values, clipped)
