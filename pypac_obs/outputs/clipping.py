# SPDX-License-Identifier: MIT
"""Finds what an encoding of integers cuts off: samples beyond full scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClippedStretch", "Clipping"]

_APART_S = 1.0
# How long a stretch gets before it is told; the next one twice as long, because it is known then.
_FIRST_S, _LONGEST_S = 2.0, 600.0


@dataclass(frozen=True)
class ClippedStretch:
    """Where frames were clipped: the first, how many, and the highest amplitude (1.0: full)."""

    begin: int
    frames: int
    peak: float


class Clipping:
    """Counts a track's frames beyond full scale, and puts those that are close into stretches.

    >>> clipping = Clipping(sample_rate=10)
    >>> clipping.look_at(0, np.array([[0.5], [-1.5], [1.0], [1.25]], np.float32))
    >>> clipping.take(4), clipping.take(15)
    (None, ClippedStretch(begin=1, frames=2, peak=1.5))
    """

    def __init__(self, sample_rate: int, *, counts: bool = True) -> None:
        self.total = 0
        self._counts = counts
        self._apart = round(_APART_S * sample_rate)
        self._longest = round(_FIRST_S * sample_rate)
        self._most = round(_LONGEST_S * sample_rate)
        self._begin = 0
        self._last = 0
        self._frames = 0  # of the stretch that goes on; 0: there is none
        self._peak = 0.0

    def look_at(self, begin: int, audio: NDArray[np.float32]) -> None:
        """Counts in frames that follow those before; ``audio`` has the shape (frames, channels)."""
        if not self._counts or not audio.size:
            return
        # Two passes without a copy: almost always nothing is too loud.
        peak = max(float(audio.max()), -float(audio.min()))
        if peak <= 1.0:
            return
        loud = np.flatnonzero((np.abs(audio) > 1.0).any(axis=1))
        if not loud.size:
            return  # not a number
        if not self._frames:
            self._begin = begin + int(loud[0])
            self._peak = 0.0
        self._last = begin + int(loud[-1])
        self._frames += len(loud)
        self._peak = max(self._peak, peak if math.isfinite(peak) else 0.0)
        self.total += len(loud)

    def take(self, position: int, *, ends: bool = False) -> ClippedStretch | None:
        """Gives the stretch that is over at ``position``, or so long that it has to be told."""
        if not self._frames:
            return None
        is_over = position - self._last > self._apart
        if not (ends or is_over or position - self._begin >= self._longest):
            return None
        if not is_over:
            self._longest = min(2 * self._longest, self._most)
        stretch = ClippedStretch(self._begin, self._frames, max(self._peak, 1.0))
        self._frames = 0
        return stretch
