# SPDX-License-Identifier: MIT
"""The de-esser: a compressor of one band, or by one band."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from .dynamics_signals import RATE, Link, apply, bursts, decibels, frames, linear, tone


def level_of(audio, hz: float) -> float:
    """Of a tone in the second half, in dB of its crests."""
    half = audio[len(audio) // 2 :, 0].astype(float)
    wave = np.exp(-2j * np.pi * hz * np.arange(len(half)) / RATE) * np.hanning(len(half))
    return float(decibels(4 * np.abs(np.mean(half * wave))))


def bell(hz: float, frequency: float, gain_db: float) -> float:
    """What x + (gain - 1) band(x) does to a tone, in dB; the band-pass is the cookbook's, Q 1."""
    w0 = 2 * np.pi * frequency / RATE
    alpha = np.sin(w0) / 2
    b = [alpha, 0, -alpha]
    a = [1 + alpha, -2 * np.cos(w0), 1 - alpha]
    _, band = signal.freqz(b, a, worN=[hz], fs=RATE)
    return float(decibels(1 + (linear(gain_db) - 1) * band[0]))


@pytest.mark.parametrize("mode", ["split", "wide"])
@pytest.mark.parametrize(("level", "reduction"), [(-30, 0), (-18, 0), (-12, 4), (-6, 8), (0, 12)])
def test_the_curve_of_hiss_is_the_defined_one(mode, level, reduction):
    audio = tone(level, 6000, 1000)
    link = Link("de_esser", mode=mode)
    assert level_of(link(audio), 6000) == pytest.approx(level - reduction, abs=0.1)
    assert link.reduction_db == pytest.approx(reduction, abs=0.1)


@pytest.mark.parametrize("frequency", [3000, 6000, 9000])
def test_split_cuts_a_bell_and_wide_cuts_all(frequency):
    hiss = tone(-3, frequency, 1000)
    for other in (200, 1000):
        audio = hiss + tone(-30, other, 1000)
        split = apply("de_esser", audio, frequency_hz=frequency, range_db=-6)
        assert level_of(split, other) == pytest.approx(-30 + bell(other, frequency, -6), abs=0.1)
        assert level_of(split, frequency) == pytest.approx(-9, abs=0.1)
        wide = apply("de_esser", audio, frequency_hz=frequency, range_db=-6, mode="wide")
        assert level_of(wide, other) == pytest.approx(-36, abs=0.1)


def test_a_voice_without_hiss_comes_out_bit_for_bit():
    audio = tone(-3, 300, 500, 2) + tone(-20, 2000, 500, 2)
    assert np.array_equal(apply("de_esser", audio), audio)
    quiet = (0.05 * bursts(1)).astype(np.float32)
    assert np.array_equal(apply("de_esser", quiet), quiet)


def test_the_hiss_of_one_channel_lowers_both_alike():
    audio = np.concatenate([tone(-3, 6000, 500), tone(-40, 6000, 500)], axis=1)
    heard = apply("de_esser", audio, range_db=-10)
    for channel, level in enumerate((-3 - 10, -40 - 10)):
        assert level_of(heard[:, channel : channel + 1], 6000) == pytest.approx(level, abs=0.1)


def test_it_is_quick_enough_for_a_consonant_and_lets_go_of_the_vowel():
    audio = np.concatenate([tone(-60, 6000, 100), tone(0, 6000, 100), tone(-30, 6000, 300)])
    heard = apply("de_esser", audio, mode="wide")
    crests = np.abs(heard[:, 0]).reshape(-1, 48).max(axis=1)
    before = np.abs(audio[:, 0]).reshape(-1, 48).max(axis=1)
    gain = decibels(crests / before)
    assert gain[105] < -11
    assert gain[200 + 40 * 5] == pytest.approx(0, abs=0.01)
    assert frames(1) == 48
