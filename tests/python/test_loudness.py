# SPDX-License-Identifier: MIT
"""Loudness by EBU Tech 3341 and 3342 and BS.1770-5: their own signals, and another meter."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.control.controls import LEVELS_OF_SOURCE, LEVELS_OF_TRACK

RATE = 48000
Audio = NDArray[np.float32]
Part = tuple[float, float]  # dBFS, -inf for silence, and for how many seconds


def tone(parts: Sequence[Part], *, channels: int = 2, hz: float = 1000) -> Audio:
    """A sine of changing level, the same in all channels."""
    gains = np.concatenate(
        [np.full(round(seconds * RATE), 10 ** (db / 20)) for db, seconds in parts]
    )
    mono = gains * np.sin(2 * np.pi * hz * np.arange(len(gains)) / RATE)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


def measured(audio: Audio) -> _core.Loudness:
    meter = _core.LoudnessMeter(channels=audio.shape[1])
    meter.process(audio)
    return meter.values


def pieces(audio: Audio, seconds: float) -> Iterator[Audio]:
    length = round(seconds * RATE)
    for begin in range(0, len(audio), length):
        yield audio[begin : begin + length]


NONE = -math.inf


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_3341_cases_1_and_2_a_tone_reads_its_level(level: float) -> None:
    values = measured(tone([(level, 20)]))
    for value in (values.momentary, values.short_term, values.integrated):
        assert value == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
    ids=["case 3", "case 4", "case 5"],
)
def test_3341_cases_3_to_5_what_is_quiet_is_gated(parts: list[Part]) -> None:
    assert measured(tone(parts)).integrated == pytest.approx(-23, abs=0.1)


def test_3341_case_6_surrounds_count_more() -> None:
    channels = [tone([(db, 20)], channels=1) for db in (-28, -28, -24, -30, -30)]
    five = np.concatenate(channels, axis=1)
    assert measured(five).integrated == pytest.approx(-23, abs=0.1)
    # With a channel for the lowest frequencies, which does not count.
    loud = np.full_like(channels[0], 0.9)
    six = np.concatenate([*channels[:3], loud, *channels[3:]], axis=1)
    assert measured(six).integrated == pytest.approx(-23, abs=0.1)


def test_3341_case_9_short_term_is_constant() -> None:
    meter = _core.LoudnessMeter()
    audio = tone([(-20, 1.34), (-30, 1.66)] * 5)
    meter.process(audio[: 3 * RATE])
    for piece in pieces(audio[3 * RATE :], 0.1):
        assert meter.values.short_term == pytest.approx(-23, abs=0.1)
        meter.process(piece)


def test_3341_case_12_momentary_is_constant() -> None:
    meter = _core.LoudnessMeter()
    audio = tone([(-20, 0.18), (-30, 0.22)] * 25)
    meter.process(audio[:RATE])
    for piece in pieces(audio[RATE:], 0.01):
        assert meter.values.momentary == pytest.approx(-23, abs=0.1)
        meter.process(piece)


@pytest.mark.parametrize("i", range(20))
def test_3341_cases_10_and_13_maxima_are_seen_where_they_are(i: int) -> None:
    short_term = measured(tone([(NONE, 0.15 * i), (-23, 3), (NONE, 1)]))
    assert short_term.max_short_term == pytest.approx(-23, abs=0.1)
    momentary = measured(tone([(NONE, 0.02 * i), (-23, 0.4), (NONE, 1)]))
    assert momentary.max_momentary == pytest.approx(-23, abs=0.1)


def test_3341_cases_11_and_14_maxima_follow_what_becomes_louder() -> None:
    short_term, momentary = _core.LoudnessMeter(), _core.LoudnessMeter()
    for i in range(20):
        short_term.process(tone([(NONE, 0.15 * i), (-38 + i, 3), (NONE, 3 - 0.15 * i)]))
        assert short_term.values.max_short_term == pytest.approx(-38 + i, abs=0.1)
        momentary.process(tone([(NONE, 0.02 * i), (-38 + i, 0.4), (NONE, 0.4 - 0.02 * i)]))
        assert momentary.values.max_momentary == pytest.approx(-38 + i, abs=0.1)


def faded(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    ramp = np.minimum(1, np.arange(len(samples)) / (RATE / 10))
    return samples * ramp * ramp[::-1]


def true_peak_db(samples: NDArray[np.float64]) -> float:
    audio = np.repeat(samples[:, None], 2, axis=1).astype(np.float32)
    return 20 * math.log10(measured(audio).max_true_peak)


@pytest.mark.parametrize(
    ("part_of_rate", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
    ids=["case 15", "case 16", "case 17", "case 18", "case 19"],
)
def test_3341_cases_15_to_19_the_true_peak_lies_between_samples(
    part_of_rate: int, degrees: float, amplitude: float, expected: float
) -> None:
    phase = 2 * np.pi * np.arange(2 * RATE) / part_of_rate + math.radians(degrees)
    assert -0.4 <= true_peak_db(faded(amplitude * np.sin(phase))) - expected <= 0.2


@pytest.mark.parametrize("offset", range(4))
def test_3341_cases_20_to_23_one_louder_period_between_samples(offset: int) -> None:
    # At four times the rate a period of a sixth of it has 24 samples.
    at = np.arange(8 * RATE)
    amplitude = np.where((at >= len(at) // 2) & (at < len(at) // 2 + 24), 1.0, 0.5)
    quick = amplitude * np.sin(2 * np.pi * at / 24)
    reach = np.arange(-256, 257)
    low_pass = np.sinc(reach * 2 * 22000 / (4 * RATE)) * np.kaiser(len(reach), 8)
    low = np.convolve(quick, low_pass / low_pass.sum(), mode="same")
    assert -0.4 <= true_peak_db(faded(low[offset::4])) <= 0.2


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([-20, -30], 10),
        ([-20, -15], 5),
        ([-40, -20], 20),
        ([-50, -35, -20, -35, -50], 15),
    ],
)
def test_3342_the_range_of_tones(levels: list[float], expected: float) -> None:
    assert measured(tone([(db, 20) for db in levels])).range == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("channel", [0, 1])
def test_1770_a_full_tone_in_one_channel(channel: int) -> None:
    audio = tone([(0, 10)], hz=997)
    audio[:, 1 - channel] = 0
    values = measured(audio)
    assert values.integrated == pytest.approx(-3.01, abs=0.01)
    assert values.momentary == pytest.approx(-3.01, abs=0.01)
    assert measured(audio[:, channel : channel + 1].copy()).integrated == pytest.approx(
        -3.01, abs=0.01
    )


@pytest.mark.parametrize("rate", [8000, 44100, 96000, 192000])
def test_a_tone_reads_its_level_at_other_rates(rate: int) -> None:
    meter = _core.LoudnessMeter(sample_rate=rate, channels=2)
    mono = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(5 * rate) / rate)
    meter.process(np.repeat(mono[:, None], 2, axis=1).astype(np.float32))
    assert meter.values.integrated == pytest.approx(-23, abs=0.1)
    assert 20 * math.log10(meter.values.max_true_peak) == pytest.approx(-23, abs=0.2)


def test_silence_has_no_loudness_and_what_is_no_number_is_over_when_it_is_over() -> None:
    meter = _core.LoudnessMeter()
    meter.process(np.zeros((RATE, 2), np.float32))
    values = meter.values
    assert (values.momentary, values.integrated, values.max_momentary) == (NONE, NONE, NONE)
    assert (values.range, values.max_true_peak) == (0, 0)
    for wrong in (np.nan, np.inf, 1e38):
        meter.process(np.full((1000, 2), wrong, np.float32))
    meter.process(tone([(-23, 0.1)]))
    meter.restart()
    meter.process(tone([(-23, 5)]))
    assert meter.values.short_term == pytest.approx(-23, abs=0.1)
    assert meter.values.integrated == pytest.approx(-23, abs=0.1)
    assert 20 * math.log10(meter.values.max_true_peak) == pytest.approx(-23, abs=0.2)


def test_a_restart_forgets_what_was_louder_and_goes_on() -> None:
    meter = _core.LoudnessMeter()
    meter.process(tone([(-10, 10)]))
    assert meter.values.integrated == pytest.approx(-10, abs=0.1)
    meter.restart()
    meter.process(tone([(-30, 0.2)]))
    # Still in the window of the last 3 s, and of no maximum since.
    assert meter.values.short_term > -12
    assert (meter.values.integrated, meter.values.max_momentary) == (NONE, NONE)
    meter.process(tone([(-30, 10)]))
    values = meter.values
    assert values.integrated == pytest.approx(-30, abs=0.1)
    assert values.max_momentary == pytest.approx(-30, abs=0.1)
    assert values.max_short_term == pytest.approx(-30, abs=0.1)


def test_the_numbers_of_levels_are_those_of_the_engine() -> None:
    assert (LEVELS_OF_SOURCE, LEVELS_OF_TRACK) == (_core.LEVELS_OF_SOURCE, _core.LEVELS_OF_TRACK)


# Another meter --------------------------------------------------------------------------------

_ALL_MODES = 0b111111  # momentary, short-term, integrated, range, sample peak, true peak


class Ebur128:
    """libebur128, without its histogram, which rounds to 0.1 LU."""

    def __init__(self, channels: int) -> None:
        self._library = ctypes.CDLL(ctypes.util.find_library("ebur128"))
        self._library.ebur128_init.restype = ctypes.c_void_p
        self._state = ctypes.c_void_p(
            self._library.ebur128_init(channels, ctypes.c_ulong(RATE), _ALL_MODES)
        )
        self._channels = channels

    def process(self, audio: Audio) -> None:
        data = np.ascontiguousarray(audio).ctypes.data_as(ctypes.c_void_p)
        assert not self._library.ebur128_add_frames_float(
            self._state, data, ctypes.c_size_t(len(audio))
        )

    def read(self, name: str) -> float:
        value = ctypes.c_double()
        function = getattr(self._library, f"ebur128_{name}")
        assert not function(self._state, ctypes.byref(value))
        return value.value

    def true_peak(self) -> float:
        peaks = []
        for channel in range(self._channels):
            value = ctypes.c_double()
            assert not self._library.ebur128_true_peak(self._state, channel, ctypes.byref(value))
            peaks.append(value.value)
        return max(peaks)

    def close(self) -> None:
        self._library.ebur128_destroy(ctypes.byref(self._state))


@contextmanager
def ebur128(channels: int) -> Iterator[Ebur128]:
    made = Ebur128(channels)
    try:
        yield made
    finally:
        made.close()


def noise(random: np.random.Generator, frames: int, channels: int) -> NDArray[np.float64]:
    return random.standard_normal((frames, channels))


def speech_like(random: np.random.Generator, frames: int, channels: int) -> NDArray[np.float64]:
    """Syllables of coloured noise, with pauses between the sentences."""
    mono = np.cumsum(random.standard_normal(frames))
    mono -= np.convolve(mono, np.ones(200) / 200, mode="same")  # no rumble
    mono /= np.abs(mono).max()
    at = np.arange(frames) / RATE
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * at + random.uniform(0, 6))
    sentences = np.repeat(random.uniform(0, 1, frames // RATE + 1) > 0.3, RATE)[:frames]
    loudness = np.repeat(10 ** (random.uniform(-20, 0, frames // RATE + 1) / 20), RATE)[:frames]
    voice = mono * syllables * loudness * np.where(sentences, 1, 1e-4)
    return np.repeat(voice[:, None], channels, axis=1) * random.uniform(0.5, 1, channels)


def music_like(random: np.random.Generator, frames: int, channels: int) -> NDArray[np.float64]:
    """Chords that come and go, with a bass drum."""
    at = np.arange(frames) / RATE
    audio = np.zeros((frames, channels))
    for hz in 55 * 2 ** random.uniform(0, 7, 12):
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.05, 1) * at)
        partial = swell * np.sin(2 * np.pi * hz * at) / 12
        audio += partial[:, None] * random.uniform(0, 1, channels)
    beat = at % 0.5
    drum = np.sin(2 * np.pi * 60 * beat) * np.exp(-beat / 0.1)
    return audio + 0.5 * drum[:, None]


Programme = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


@pytest.mark.linux("libebur128 is Debian's")
@pytest.mark.parametrize(
    ("programme", "channels"), [(noise, 1), (speech_like, 2), (music_like, 2), (speech_like, 1)]
)
def test_libebur128_says_the_same(programme: Programme, channels: int) -> None:
    random = np.random.default_rng(channels)
    audio = programme(random, 30 * RATE, channels)
    audio *= 10 ** (random.uniform(-30, -3) / 20) / np.abs(audio).max()
    audio[-100:] = 0  # what lies between samples is known some samples later
    audio = audio.astype(np.float32)
    meter = _core.LoudnessMeter(channels=channels)
    short_terms = []
    with ebur128(channels) as other:
        for number, piece in enumerate(pieces(audio, 0.1)):
            meter.process(piece)
            other.process(piece)
            values = meter.values
            if number >= 3:
                momentary = other.read("loudness_momentary")
                assert values.momentary == pytest.approx(momentary, abs=0.1) or momentary < -90
            if number >= 29:
                short_term = other.read("loudness_shortterm")
                short_terms.append(short_term)
                assert values.short_term == pytest.approx(short_term, abs=0.1) or short_term < -90
        assert values.integrated == pytest.approx(other.read("loudness_global"), abs=0.1)
        # Each second counts there, each tenth of one here, as Tech 3342 asks for since 2016.
        assert values.range == pytest.approx(other.read("loudness_range"), abs=1)
        true_peak = 20 * math.log10(other.true_peak())
    assert values.range == pytest.approx(loudness_range(short_terms), abs=0.1)
    assert 20 * math.log10(values.max_true_peak) == pytest.approx(true_peak, abs=0.3)


def loudness_range(short_terms: list[float]) -> float:
    """By Tech 3342, from all short-term values."""
    gated = np.array([one for one in short_terms if one >= -70])
    mean = 10 * math.log10(np.mean(10 ** (gated / 10)))
    gated = np.sort(gated[gated >= mean - 20])
    low, high = (gated[int((len(gated) - 1) * share + 0.5)] for share in (0.1, 0.95))
    return float(high - low)
