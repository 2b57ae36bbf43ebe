# SPDX-License-Identifier: MIT
"""The compressor against its definition, and against OBS's where both do the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from pypac_obs import _core

from .dynamics_signals import (
    RATE,
    Link,
    apply,
    bursts,
    decibels,
    first,
    frames,
    gain_db,
    in_turn,
    linear,
    silence,
    steady,
    tone,
)


def curve(level: float, threshold: float, ratio: float, knee: float) -> float:
    """Giannoulis, Massberg, Reiss 2012, equation 4, less the level."""
    over = level - threshold
    if 2 * abs(over) < knee:
        return (1 / ratio - 1) * (over + knee / 2) ** 2 / (2 * knee)
    return (1 / ratio - 1) * max(over, 0)


@pytest.mark.parametrize("detector", ["peak", "rms"])
@pytest.mark.parametrize(
    ("threshold", "ratio", "knee"), [(-18, 10, 0), (-40, 2, 12), (-24, 64, 24)]
)
def test_the_static_curve_is_the_defined_one(detector, threshold, ratio, knee):
    for level in (-70, -45, -36, -24, -20, -18, -12, -3, 0, 6):
        audio = steady(level, 1000)
        values = {"threshold_db": threshold, "ratio": ratio, "knee_db": knee, "detector": detector}
        heard = apply("compressor", audio, **values)
        expected = curve(level, threshold, ratio, knee)
        assert gain_db(heard, audio)[-1] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("attack", "release"), [(6, 60), (0.5, 5), (100, 1000), (200, 20)])
def test_the_envelope_goes_63_percent_of_its_way_in_attack_and_release(attack, release):
    audio = in_turn(steady(0, 10 * attack), steady(-20, 3 * release))
    values = {"threshold_db": -60, "ratio": 2, "attack_ms": attack, "release_ms": release}
    gain = gain_db(apply("compressor", audio, **values), audio)
    envelope = linear(-60 - 2 * gain)
    rising = first(envelope >= 1 - np.exp(-1))
    assert rising == pytest.approx(frames(attack), rel=0.05, abs=1)
    falling = envelope[frames(10 * attack) :]
    begin = falling[0]
    assert begin == pytest.approx(1, abs=0.01)
    fallen = first(falling <= 0.1 + 0.9 * np.exp(-1))
    assert fallen == pytest.approx(frames(release), rel=0.05)


@pytest.mark.parametrize("rate", [44100, 96000, 192000])
def test_times_and_latency_go_by_the_sessions_rate(rate):
    values = {"threshold_db": -60.0, "ratio": 2.0, "look_ahead_ms": 5.0, "release_ms": 2000.0}
    chain = _core.OfflineChain([("compressor", values, False)], sample_rate=rate, channels=1)
    latency = chain.latency_frames
    assert latency == pytest.approx(0.005 * rate, abs=0.5)
    audio = np.ones((rate // 2, 1), np.float32)
    audio[: rate // 5] = 1e-4
    gain = decibels(chain.process(audio)[latency:, 0] / audio[:-latency, 0])
    rising = first(linear(-60 - 2 * gain[rate // 5 - latency :]) >= 1 - np.exp(-1))
    assert rising == pytest.approx(0.006 * rate, rel=0.05)


def test_as_it_comes_it_is_obss():
    audio = bursts(1)
    attack, release = np.exp(-1 / (RATE * 0.006)), np.exp(-1 / (RATE * 0.06))
    level = 0.0
    gains = []
    for peak in np.abs(audio).max(axis=1).astype(float):
        level = peak + (attack if level < peak else release) * (level - peak)
        over = decibels(level) + 18
        gains.append(linear(-0.9 * max(over, 0)))
    expected = audio * np.array(gains)[:, None]
    assert min(gains) < 0.3
    assert np.abs(apply("compressor", audio) - expected).max() < 1e-4


def test_the_power_of_a_tone_is_3_db_below_its_crest():
    audio = tone(-10, 2000, 1000)
    heard = apply("compressor", audio, threshold_db=-30, ratio=4, detector="rms")
    gain = decibels(np.std(heard[-24000:]) / np.std(audio[-24000:]))
    assert gain == pytest.approx(-0.75 * (30 - 10 - 3.01), abs=0.1)


def test_output_gain_mix_and_range():
    audio = steady(0, 500)
    kept = {"threshold_db": -40, "ratio": 2}
    assert gain_db(apply("compressor", audio, output_gain_db=7, **kept), audio)[
        -1
    ] == pytest.approx(-13, abs=0.01)
    assert np.array_equal(apply("compressor", audio, mix=0, **kept), audio)
    half = apply("compressor", audio, mix=0.5, **kept)
    assert half[-1, 0] == pytest.approx(0.5 + 0.5 * linear(-20), rel=1e-3)
    limited = Link("compressor", range_db=-6, **kept)
    assert gain_db(limited(audio), audio)[-1] == pytest.approx(-6, abs=0.001)
    assert limited.reduction_db == pytest.approx(6, abs=0.001)


def test_auto_gain_gives_back_half_of_what_0_dbfs_loses():
    audio = steady(-60, 100)
    heard = apply("compressor", audio, threshold_db=-24, ratio=4, auto_gain=True)
    assert gain_db(heard, audio)[-1] == pytest.approx(9, abs=0.001)


def test_look_ahead_lowers_the_gain_before_the_sound():
    quiet, loud = silence(100), steady(0, 100)
    audio = in_turn(quiet, loud)
    kept = {"threshold_db": -20, "ratio": 64, "attack_ms": 2}
    assert decibels(apply("compressor", audio, **kept)[len(quiet), 0]) > -1
    link = Link("compressor", look_ahead_ms=10, **kept)
    assert link.chain.latency_frames == 480
    heard = link(audio)
    assert np.array_equal(heard[: len(quiet) + 480], np.zeros((len(quiet) + 480, 1)))
    assert decibels(heard[len(quiet) + 480, 0]) == pytest.approx(-20, abs=0.5)


def test_what_it_does_not_touch_comes_out_bit_for_bit_and_late_by_the_latency():
    audio = bursts(3)
    link = Link("compressor", channels=2, threshold_db=0, look_ahead_ms=7)
    assert link.chain.latency_frames == 336
    assert np.array_equal(link(audio)[336:], audio[:-336])


def test_keys_steer_and_the_loudest_counts():
    audio = steady(0, 500)
    values = {"threshold_db": -40, "ratio": 2, "key": ["a", "b"]}
    quiet, loud = steady(-50, 500, 2), steady(-20, 500, 2)
    for keys in ([quiet, loud], [loud, quiet]):
        heard = apply("compressor", audio, keys, **values)
        assert gain_db(heard, audio)[-1] == pytest.approx(-10, abs=0.01)
    assert np.array_equal(apply("compressor", audio, [silence(500)] * 2, **values), audio)


@pytest.mark.parametrize("hz", [50, 200, 1000, 3000, 9000])
def test_the_key_is_filtered_as_a_butterworth_does(hz):
    audio, key = steady(0, 1000), tone(0, hz, 1000)
    key[: frames(500), 0] *= np.linspace(0, 1, frames(500), dtype=np.float32)
    values = {"threshold_db": -60, "ratio": 2, "attack_ms": 0.1, "release_ms": 2000, "key": "k"}
    link = Link("compressor", key_low_hz=200, key_high_hz=3000, **values)
    response = 1.0
    for edge, kind in ((200, "highpass"), (3000, "lowpass")):
        _, at = signal.freqz(*signal.butter(2, edge, kind, fs=RATE), worN=[hz], fs=RATE)
        response *= abs(at[0])
    plain = gain_db(Link("compressor", **values)(audio, [key]), audio)[-1]
    filtered = gain_db(link(audio, [key]), audio)[-1]
    assert filtered - plain == pytest.approx(-decibels(response) / 2, abs=0.1)


def test_a_key_filter_can_be_switched_on_live():
    audio, key = steady(0, 1000), tone(-10, 100, 1000)
    link = Link("compressor", key="k", threshold_db=-40)
    assert gain_db(link(audio, [key]), audio)[-1] < -25
    link.set(key_low_hz=2000)
    assert gain_db(link(audio, [key]), audio)[-1] > -0.1
    link.set(key_low_hz=10)
    assert gain_db(link(audio, [key]), audio)[-1] < -25
