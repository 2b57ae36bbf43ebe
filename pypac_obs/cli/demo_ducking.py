# SPDX-License-Identifier: MIT
"""The demo's second part: a game that a voice makes quieter; what plays, and what is measured.

The game is a steady rumble, the voice speaks in bursts. The game is recorded twice, ducked and as
it plays: the one divided by the other is the gain, at each moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AS_PLAYED",
    "DUCKED",
    "PROFILE",
    "RANGE_DB",
    "SECONDS",
    "Ducking",
    "levels_db",
    "make_bursts",
    "make_rumble",
    "measure_ducking",
]

Mono = NDArray[np.float64]

RANGE_DB = 12.0
SECONDS = 6.0
DUCKED, AS_PLAYED = "game", "game as it plays"

PROFILE = f"""\
version: 1
sources:
  game: {{process: ["pypac-demo-game"]}}
  voice: {{process: ["pypac-demo-voice"]}}
tracks:
  voice: {{from: voice}}
  {DUCKED}:
    from: game
    filters:
      - duck: {{key: voice, range_db: -{RANGE_DB:g}, attack_ms: 50, hold_ms: 200, release_ms: 250}}
  {AS_PLAYED}: {{from: game}}
outputs:
  files: {{folder: "./pypac-demo {{date}} {{time}}/ducked"}}
"""

_PEAK = 0.25  # -12 dBFS each
_SPEAKS_S, _PAUSES_S = 0.8, 1.6
_WINDOW_S = 0.01
# The voice is heard where it is as loud as this; the game's gain is told where it is.
_HEARD_DB = -50.0
# What is no more on its way: after a word's begin, and before the next.
_SETTLED_S = 0.3


def make_rumble(seconds: float, rate: int) -> NDArray[np.float32]:
    """Computes what the game plays: noise between 60 and 600 Hz, stereo, float32."""
    frames = round(seconds * rate)
    hertz = np.fft.rfftfreq(frames, 1 / rate)
    random = np.random.default_rng(3)
    phases = np.exp(2j * np.pi * random.random(len(hertz)))
    mono = np.fft.irfft(phases * ((hertz > 60) & (hertz < 600)), frames)
    mono *= _PEAK / np.abs(mono).max()
    return np.column_stack([mono, mono]).astype(np.float32)


def make_bursts(seconds: float, rate: int) -> NDArray[np.float32]:
    """Computes what the voice plays: a vowel with pauses, stereo, float32."""
    time = np.arange(round(seconds * rate)) / rate
    vowel = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(2, 12))
    within = time % (_SPEAKS_S + _PAUSES_S)
    envelope = np.clip(np.minimum(within, _SPEAKS_S - within) / 0.02, 0, 1)
    mono = np.asarray(vowel * envelope)
    mono *= _PEAK / np.abs(mono).max()
    return np.column_stack([mono, mono]).astype(np.float32)


# What is measured --------------------------------------------------------------------------------


def levels_db(mono: Mono, rate: int) -> tuple[Mono, Mono]:
    """Gives the seconds, and the level in dBFS (RMS) of each piece of 10 ms."""
    size = round(_WINDOW_S * rate)
    power = np.mean(mono[: len(mono) // size * size].reshape(-1, size) ** 2, axis=1)
    seconds: Mono = (np.arange(len(power), dtype=np.float64) + 0.5) * _WINDOW_S
    level_db: Mono = 10 * np.log10(np.maximum(power, 1e-12))
    return seconds, level_db


@dataclass(frozen=True)
class Ducking:
    """How a voice made a game quieter: by how many dB, and in how many ms.

    ``speaking`` is each stretch of the voice, in seconds; ``gain_db`` the game's gain at
    ``seconds``. ``down_ms`` is until half of the way in dB is done, from a word's begin on;
    ``up_ms`` the same from its end on. Both are medians.
    """

    speaking: tuple[tuple[float, float], ...]
    seconds: Mono
    gain_db: Mono
    speaks_db: float
    silent_db: float
    down_ms: float
    up_ms: float


def measure_ducking(ducked: Mono, as_played: Mono, voice: Mono, rate: int) -> Ducking | None:
    """Compares the game as it was ducked with the game as it plays.

    All three arrays begin at one frame. None: no word is in them whole, with pauses around it.
    """
    seconds, voice_db = levels_db(voice, rate)
    played_db, ducked_db = levels_db(as_played, rate)[1], levels_db(ducked, rate)[1]
    gain_db = np.where(played_db > _HEARD_DB, ducked_db - played_db, np.nan)
    words = _words(voice_db > _HEARD_DB)
    whole = [
        (first, last)
        for first, last in words
        if (last - first) * _WINDOW_S > _SPEAKS_S * 0.9
        and first * _WINDOW_S > _PAUSES_S / 2
        and (len(seconds) - last) * _WINDOW_S > _PAUSES_S * 0.9
    ]
    if not whole:
        return None
    settled = round(_SETTLED_S / _WINDOW_S)
    speaks = np.concatenate([gain_db[first + settled : last] for first, last in whole])
    silent = np.concatenate([gain_db[first - settled : first - 1] for first, _ in whole])
    if np.isnan(speaks).all() or np.isnan(silent).all():
        return None
    speaks_db, silent_db = float(np.nanmedian(speaks)), float(np.nanmedian(silent))
    half_db = (speaks_db + silent_db) / 2
    down = [_first(gain_db[first:] < half_db) for first, _ in whole]
    up = [_first(gain_db[last:] > half_db) for _, last in whole]
    return Ducking(
        tuple((first * _WINDOW_S, last * _WINDOW_S) for first, last in words),
        seconds,
        gain_db,
        speaks_db,
        silent_db,
        float(np.median(down)) * _WINDOW_S * 1000,
        float(np.median(up)) * _WINDOW_S * 1000,
    )


def _words(speaks: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(speaks.astype(int), prepend=0, append=0))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _first(true: NDArray[np.bool_]) -> int:
    return int(np.argmax(true)) if true.any() else len(true)
