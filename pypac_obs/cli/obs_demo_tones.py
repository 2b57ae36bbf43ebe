# SPDX-License-Identifier: MIT
"""What the two programs of `obs demo` play, and what is measured of it in OBS's recording.

OBS records with a lossy encoder, whose noise lies around what is played. So each program plays few
steady tones, all of one octave, far from the other's: then the noise at the other's tones is far
below all that is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLAYED_DB", "SHORTEST_S", "Heard", "hear", "make_tones", "offset_frames"]

Mono = NDArray[np.float64]

# Whole numbers without a common divisor, so that their sum repeats only once a second.
TONES_HZ = {"game": (300, 337, 379), "voice": (3001, 3307, 3671)}
_PEAK = 0.25 / 3  # of each: -12 dBFS together
_RIGHT_GAIN = 0.8
#: The level of each program where it is as loud as it was played, as `Heard` has it.
PLAYED_DB = float(20 * np.log10(_PEAK * np.sqrt(3)))

# Kaiser's window with this beta has side lobes below -230 dB; its main lobe is 8 bins wide to each
# side, so that a second keeps the tones apart.
_BETA = 24.0
_LOBE_BINS = 8
SHORTEST_S = 1.0
_REACH_S = 0.4
# A track that has less of a program than this (to full scale) has nothing whose phase could be
# told.
_AUDIBLE_DB = -60.0


def make_tones(program: str, seconds: float, rate: int) -> NDArray[np.float32]:
    """Computes what ``program`` ("game" or "voice") plays: float32 of shape (frames, 2)."""
    seconds_of = np.arange(round(seconds * rate)) / rate
    mono = sum(_PEAK * np.sin(2 * np.pi * hz * seconds_of) for hz in TONES_HZ[program])
    return np.column_stack([mono, _RIGHT_GAIN * mono]).astype(np.float32)


@dataclass(frozen=True)
class Heard:
    """What a track holds of each program: its level, and the phases of its tones.

    The level is the power of its tones together, in dB of a full-scale sine's.
    """

    levels_db: Mapping[str, float]
    phasors: Mapping[str, NDArray[np.complex128]]

    def programs(self) -> tuple[str, ...]:
        """Those that one could hear."""
        return tuple(name for name, level in self.levels_db.items() if level > _AUDIBLE_DB)

    def below_db(self, program: str) -> float:
        """How far all other programs together lie below this one, in dB."""
        others = sum(10 ** (db / 10) for name, db in self.levels_db.items() if name != program)
        return self.levels_db[program] - float(10 * np.log10(max(others, 1e-30)))


def hear(mono: Mono, rate: int) -> Heard:
    """Measures a track; its array begins and ends where the other tracks' do."""
    window = np.kaiser(len(mono), _BETA)
    spectrum = np.fft.rfft(mono * window) * 2 / window.sum()
    phasors = {
        name: np.array([_at(spectrum, hz * len(mono) / rate) for hz in tones])
        for name, tones in TONES_HZ.items()
    }
    levels = {
        name: float(10 * np.log10(max(float(np.sum(np.abs(each) ** 2)), 1e-30)))
        for name, each in phasors.items()
    }
    return Heard(levels, phasors)


def _at(spectrum: NDArray[np.complex128], place: float) -> complex:
    """The largest bin around a tone's place, so that noise beside it counts as the tone."""
    begin, end = int(place) - _LOBE_BINS, int(place) + _LOBE_BINS + 2
    part = spectrum[begin:end]
    return complex(part[int(np.argmax(np.abs(part)))])


def offset_frames(program: str, track: Heard, reference: Heard, rate: int) -> int:
    """Tells how much later a program is in one track than in another, in frames.

    By the phases of its tones in both; they agree at one offset within 0.4 s either way.
    """
    turned = track.phasors[program] * np.conj(reference.phasors[program])
    reach = round(_REACH_S * rate)
    offsets = np.arange(-reach, reach + 1)
    fit = np.zeros(len(offsets))
    for hz, phasor in zip(TONES_HZ[program], turned / np.abs(turned), strict=True):
        fit += np.real(phasor * np.exp(2j * np.pi * hz * offsets / rate))
    return int(offsets[np.argmax(fit)])
