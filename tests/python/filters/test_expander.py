# SPDX-License-Identifier: MIT
"""The expander and the upward compressor against their definitions and OBS's."""

from __future__ import annotations

import numpy as np
import pytest

from pypac_obs import _core

from .dynamics_signals import (
    RATE,
    Audio,
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
)


def obs_expander(channel: Audio) -> Audio:
    """OBS's, with its defaults, on one channel as it treats them: apart."""
    mean = gain = 0.0
    mean_share = 2 ** (-100 / RATE)
    attack, release = np.exp(-1 / (RATE * 0.01)), np.exp(-1 / (RATE * 0.05))
    out = []
    for sample in channel.astype(float):
        mean = mean_share * mean + (1 - mean_share) * sample * sample
        under = -40 - float(decibels(np.sqrt(mean)))
        wanted = max(-under, -60.0) if under > 0 else 0.0
        share = attack if wanted > gain else release
        gain = share * gain + (1 - share) * wanted
        out.append(sample * linear(min(gain, 0)))
    return np.array(out, np.float32)


@pytest.mark.parametrize("detector", ["peak", "rms"])
@pytest.mark.parametrize(
    ("threshold", "ratio", "knee"), [(-40, 2, 0), (-20, 4, 10), (-30, 1.5, 20)]
)
def test_the_static_curve_is_the_defined_one(detector, threshold, ratio, knee):
    for level in (-75, -55, -45, -40, -33, -24, -20, -10, 0):
        audio = steady(level, 1000)
        values = {"threshold_db": threshold, "ratio": ratio, "knee_db": knee, "detector": detector}
        heard = apply("expander", audio, **values)
        under = threshold - level
        bent = (under + knee / 2) ** 2 / (2 * knee) if 2 * abs(under) < knee else max(under, 0)
        expected = max((1 - ratio) * bent, -60)
        assert gain_db(heard, audio)[-1] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("attack", "release"), [(10, 50), (1, 1), (100, 1000), (50, 5)])
def test_the_gain_goes_63_percent_of_its_way_in_attack_and_release(attack, release):
    audio = in_turn(steady(-10, 100), steady(-50, 6 * release), steady(-10, 4 * attack))
    values = {"threshold_db": -30, "attack_ms": attack, "release_ms": release, "detector": "peak"}
    gain = gain_db(apply("expander", audio, **values), audio)
    falling = gain[frames(100) :]
    assert falling[0] == pytest.approx(0, abs=20 / frames(release) + 1e-3)
    assert first(falling <= -20 * (1 - np.exp(-1))) == pytest.approx(
        frames(release), rel=0.05, abs=1
    )
    rising = gain[frames(100) + frames(6 * release) :]
    assert first(rising >= -20 * np.exp(-1)) == pytest.approx(frames(attack), rel=0.05, abs=1)


def test_the_gain_also_goes_the_end_of_a_long_way():
    values = {"threshold_db": -10.0, "ratio": 20.0, "range_db": -90.0, "release_ms": 1000.0}
    chain = _core.OfflineChain([("expander", values, False)], sample_rate=192000, channels=1)
    audio = np.full((15 * 192000, 1), linear(-40), np.float32)
    assert decibels(chain.process(audio)[-1, 0]) == pytest.approx(-130, abs=0.02)


def test_on_one_channel_it_is_obss():
    audio = bursts(5, channels=1)
    audio *= np.float32(0.05)
    expected = obs_expander(audio[:, 0])
    assert decibels(np.std(expected) / np.std(audio)) < -0.1
    assert np.abs(apply("expander", audio)[:, 0] - expected).max() < 1e-5


def test_the_image_stays_where_obss_moves_it():
    both = bursts(6, channels=1)
    audio = np.concatenate([0.02 * both, 0.004 * both], axis=1).astype(np.float32)

    def balance(heard: Audio) -> float:
        return float(decibels(np.std(heard[:, 0]) / np.std(heard[:, 1])))

    apart = np.stack([obs_expander(audio[:, 0]), obs_expander(audio[:, 1])], axis=1)
    assert balance(apart) > balance(audio) + 3
    assert balance(apply("expander", audio)) == pytest.approx(balance(audio), abs=0.001)


def test_range_output_gain_and_key():
    audio = steady(-50, 1000)
    heard = apply("expander", audio, ratio=20, range_db=-15, output_gain_db=3)
    assert gain_db(heard, audio)[-1] == pytest.approx(-12, abs=0.01)
    heard = apply("expander", audio, [steady(-20, 1000)], key="k")
    assert gain_db(heard, audio)[-1] == pytest.approx(0, abs=0.01)
    loud = steady(-10, 1000)
    heard = apply("expander", loud, [silence(1000)], key="k", range_db=-20)
    assert gain_db(heard, loud)[-1] == pytest.approx(-20, abs=0.01)


@pytest.mark.parametrize(("threshold", "ratio", "knee"), [(-20, 0.5, 10), (-30, 0.25, 0)])
def test_the_upward_compressor_lifts_what_is_quiet_but_not_silence(threshold, ratio, knee):
    for level in (-80, -61, -58, -50, -42, -35, -30, -24, -18, -10, 0):
        audio = steady(level, 1500)
        heard = apply("upward_compressor", audio, threshold_db=threshold, ratio=ratio, knee_db=knee)
        under = min(threshold - level, level + 60)
        bent = (under + knee / 2) ** 2 / (2 * knee) if 2 * abs(under) < knee else max(under, 0)
        assert gain_db(heard, audio)[-1] == pytest.approx((1 - ratio) * bent, abs=0.02)


def test_the_upward_compressor_takes_its_times_and_output_gain():
    audio = in_turn(steady(-10, 200), steady(-35, 100), steady(-10, 300))
    values = {"threshold_db": -15, "knee_db": 0, "detector": "peak", "output_gain_db": -2}
    gain = gain_db(apply("upward_compressor", audio, **values), audio) + 2
    rising = gain[frames(200) : frames(300)]
    assert first(rising >= 10 * (1 - np.exp(-1))) == pytest.approx(frames(10), rel=0.05)
    falling = gain[frames(300) :]
    assert first(falling <= 10 * np.exp(-1)) == pytest.approx(frames(50), rel=0.05)
    assert gain[-1] == pytest.approx(0, abs=0.05)
