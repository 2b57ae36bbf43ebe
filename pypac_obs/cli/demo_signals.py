# SPDX-License-Identifier: MIT
"""The demo's signals, and what is measured of its recordings: isolation and alignment.

Each program plays some sixty sines at frequencies of its own, at random phases, under a slow
envelope. So both are broadband, which ties a cross-correlation to the frame, and still share no
frequency, which shows how much of one is in the other's track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pypac_obs.incidents import Incident

__all__ = [
    "Alignment",
    "Isolation",
    "Stretch",
    "clean_stretch",
    "make_signal",
    "measure_alignment",
    "measure_isolation",
    "residual_db",
]

Mono = NDArray[np.float64]

# Slots of 20 Hz from 200 Hz to 7 kHz, dealt out to the two programs and to nobody (the controls).
_SLOT_HZ = 20.0
_SLOTS = 340
_LOWEST_HZ = 200.0
_LINES = 60
_DEALT = np.random.default_rng(20).permutation(_SLOTS)[: 3 * _LINES].reshape(3, _LINES)
_LINES_HZ = _LOWEST_HZ + _SLOT_HZ * np.sort(_DEALT, axis=1).astype(float)
_GAME, _VOICE, _NOBODY = range(3)
_OWNERS = {"game": _GAME, "voice": _VOICE}
# The envelopes widen a line by 2.1 Hz to each side, the window by 8 bins: 4 Hz in 2 s.
_HALF_BAND_HZ = 7.0
# Kaiser's window with this beta has side lobes below -230 dB: under those of 64-bit arithmetic.
_BETA = 24.0
_PEAK = 0.25  # -12 dBFS each, so that the sum of both stays below full scale
_RIGHT_GAIN = 0.8

_PIECE_S = 1.0
_REACH_S = 0.5  # how far apart the tracks are looked for
SHORTEST_S = 2.0


def make_signal(program: str, seconds: float, rate: int) -> NDArray[np.float32]:
    """Computes what ``program`` ("game" or "voice") plays.

    The array is float32 of shape (frames, 2); its peak is -12 dBFS.
    """
    frames = round(seconds * rate)
    owner = _OWNERS[program]
    random = np.random.default_rng(owner)
    # Whole periods in the whole length, so one inverse FFT makes them all; it never repeats.
    bins = np.round(_LINES_HZ[owner] * frames / rate).astype(int)
    spectrum = np.zeros(frames // 2 + 1, complex)
    spectrum[bins] = np.exp(2j * np.pi * random.random(_LINES))
    seconds_of = np.arange(frames) / rate
    mono = np.fft.irfft(spectrum, frames) * _envelope(owner, seconds_of)
    mono *= _PEAK / np.abs(mono).max()
    return np.column_stack([mono, _RIGHT_GAIN * mono]).astype(np.float32)


def _envelope(owner: int, seconds: Mono) -> Mono:
    """A sum of few sines, so that it adds no more than 2.1 Hz to a line."""
    if owner == _GAME:  # swells
        return 0.2 + 0.8 * (0.5 - 0.5 * np.cos(2 * np.pi * 0.4 * seconds)) ** 2
    return (0.5 + 0.5 * np.cos(2 * np.pi * 0.7 * seconds)) ** 3  # phrases with pauses


# What is measured --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """A part of the timeline in which no track misses a frame."""

    begin: int
    end: int


def clean_stretch(incidents: Sequence[Incident], frames: int) -> Stretch:
    """Finds the longest stretch that no incident touches; it may be empty."""
    best, clean_since = Stretch(0, 0), 0
    gaps = sorted((one.begin, one.begin + one.frames) for one in incidents)
    for begin, end in [*gaps, (frames, frames)]:
        if begin - clean_since > best.end - best.begin:
            best = Stretch(clean_since, min(begin, frames))
        clean_since = max(clean_since, end)
    return best


@dataclass(frozen=True)
class Isolation:
    """How far the other program lies below a track's own, in dB.

    ``floor_db`` is the same for frequencies at which nobody plays: no measurement of this
    recording can tell a better isolation from that.
    """

    track: str
    db: float
    floor_db: float

    @property
    def at_the_floor(self) -> bool:
        """True if the other program cannot be told from the noise."""
        return self.db > self.floor_db - 3


def measure_isolation(track: str, mono: Mono, rate: int) -> Isolation:
    """Compares the power at the other program's frequencies with that at the track's own."""
    owner = _OWNERS[track]
    power = np.abs(np.fft.rfft(mono * np.kaiser(len(mono), _BETA))) ** 2
    bin_hz = rate / len(mono)

    def power_of(lines_hz: Mono) -> float:
        low = np.floor((lines_hz - _HALF_BAND_HZ) / bin_hz).astype(int)
        high = np.ceil((lines_hz + _HALF_BAND_HZ) / bin_hz).astype(int)
        return float(sum(power[a:b].sum() for a, b in zip(low, high, strict=True)))

    own = power_of(_LINES_HZ[owner])
    other = power_of(_LINES_HZ[_GAME + _VOICE - owner])
    nobody = power_of(_LINES_HZ[_NOBODY])
    return Isolation(track, _ratio_db(own, other), _ratio_db(own, nobody))


def _ratio_db(power: float, other: float) -> float:
    if power <= 0:
        return 0.0  # a silent track isolates nothing
    return float(10 * np.log10(power / max(other, power * 1e-30)))


@dataclass(frozen=True)
class Alignment:
    """Where a track's program lies in the reference track, second by second.

    ``offsets`` are in frames, positive where the track is later than the reference; ``begins``
    are where each second begins on the timeline.
    """

    track: str
    begins: tuple[int, ...]
    offsets: tuple[int, ...]


def measure_alignment(track: str, mono: Mono, reference: Mono, begin: int, rate: int) -> Alignment:
    """Finds each second of a track in the reference by cross-correlation.

    Both arrays begin at the timeline frame ``begin``. A second in which the track is silent is
    left out.
    """
    piece = round(_PIECE_S * rate)
    window = np.hanning(piece)
    begins, offsets = [], []
    for at in range(0, len(mono) - piece + 1, piece):
        own = mono[at : at + piece] * window
        if not np.any(own):
            continue
        begins.append(begin + at)
        offsets.append(_offset(own, reference[at : at + piece] * window, round(_REACH_S * rate)))
    return Alignment(track, tuple(begins), tuple(offsets))


def _offset(signal: Mono, reference: Mono, reach: int) -> int:
    size = 2 * len(signal)  # without wrapping round
    spectrum = np.fft.rfft(signal, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    lags = np.concatenate([np.arange(reach + 1), np.arange(-reach, 0)])
    return int(lags[np.argmax(correlation[lags])])


def residual_db(mix: Mono, parts: Sequence[Mono]) -> float:
    """Gives what is left of ``mix`` without its ``parts``, in dB of it; -inf if nothing is."""
    rest = mix - np.sum(parts, axis=0)
    return float(10 * np.log10(np.sum(rest**2) / np.sum(mix**2))) if np.any(rest) else -np.inf
