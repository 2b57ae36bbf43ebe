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

# Lines between 200 Hz and 7 kHz, at least 18 Hz apart and at random, because a lattice of them
# would repeat; dealt out to the two programs and to nobody (the controls).
_LINES = 60
_LOWEST_HZ, _HIGHEST_HZ, _LEAST_APART_HZ = 200.0, 7000.0, 18.0


def _deal(random: np.random.Generator) -> Mono:
    """Gives the frequencies of game, voice and nobody, shape (3, lines)."""
    count = 3 * _LINES
    gaps = random.exponential(size=count)
    spare_hz = _HIGHEST_HZ - _LOWEST_HZ - count * _LEAST_APART_HZ
    lines_hz = _LOWEST_HZ + np.cumsum(_LEAST_APART_HZ + gaps * spare_hz / gaps.sum())
    return np.sort(random.permutation(lines_hz).reshape(3, _LINES), axis=1)


_LINES_HZ = _deal(np.random.default_rng(20))
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
    piece, reach = round(_PIECE_S * rate), round(_REACH_S * rate)
    own = _without_the_other(track, mono, rate)
    padded = np.pad(_without_the_other(track, reference, rate), reach)
    begins, offsets = [], []
    for at in range(0, len(mono) - piece + 1, piece):
        if not np.any(mono[at : at + piece]):
            continue
        begins.append(begin + at)
        place = _best_place(own[at : at + piece], padded[at : at + piece + 2 * reach])
        offsets.append(reach - place)
    return Alignment(track, tuple(begins), tuple(offsets))


def _without_the_other(track: str, mono: Mono, rate: int) -> Mono:
    """Keeps the frequencies of the track's own program, where they are in time."""
    spectrum = np.fft.rfft(mono)
    frequencies = np.fft.rfftfreq(len(mono), 1 / rate)
    lines = _LINES_HZ[_OWNERS[track]]
    above = np.searchsorted(lines, frequencies).clip(1, _LINES - 1)
    distance = np.minimum(
        np.abs(frequencies - lines[above - 1]), np.abs(frequencies - lines[above])
    )
    spectrum[distance > _HALF_BAND_HZ] = 0
    return np.fft.irfft(spectrum, len(mono))


def _best_place(signal: Mono, reference: Mono) -> int:
    """Gives how far into ``reference`` the shorter ``signal`` fits best, in frames.

    The correlation is divided by the reference's level at each place (Cauchy and Schwarz: it is
    1 where both are alike, and less everywhere else), so that a louder place is not a better one.
    """
    window = np.hanning(len(signal))
    places = len(reference) - len(signal) + 1
    # Circular over the length of the reference, which wraps round only behind the last place.
    correlation = _correlate(reference, signal * window)[:places]
    energy = _correlate(reference**2, window)[:places]
    return int(np.argmax(correlation / np.sqrt(np.maximum(energy, 1e-12 * energy.max()))))


def _correlate(reference: Mono, signal: Mono) -> Mono:
    size = len(reference)
    return np.fft.irfft(np.fft.rfft(reference) * np.conj(np.fft.rfft(signal, size)), size)


def residual_db(mix: Mono, parts: Sequence[Mono]) -> float:
    """Gives what is left of ``mix`` without its ``parts``, in dB of it; -inf if nothing is."""
    rest = mix - np.sum(parts, axis=0)
    return float(10 * np.log10(np.sum(rest**2) / np.sum(mix**2))) if np.any(rest) else -np.inf
