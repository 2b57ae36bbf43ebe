# SPDX-License-Identifier: MIT
"""The gate against its definition, OBS's, and OBS's faults."""

from __future__ import annotations

import numpy as np
import pytest

from pypac_obs import _core

from .dynamics_signals import (
    RATE,
    Audio,
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


def obs_gate(audio: Audio) -> Audio:
    """OBS's, with its defaults; but its level falls from twice as loud as it opens at most."""
    opens, closes = linear(-26), linear(-32)
    fall = (opens - closes) / (RATE / 75)
    level = held = share = 0.0
    is_open = False
    out = []
    for frame in audio.astype(float):
        peak = np.abs(frame).max()
        if peak > opens and not is_open:
            is_open = True
        if level < closes and is_open:
            held, is_open = 0.0, False
        level = max(level, min(peak, 2 * opens)) - fall
        if is_open:
            share = min(1.0, share + 1 / (0.025 * RATE))
        else:
            held += 1 / RATE
            if held > 0.2:
                share = max(0.0, share - 1 / (0.15 * RATE))
        out.append(frame * share)
    return np.array(out, np.float32)


def test_as_it_comes_it_is_obss():
    audio = in_turn(
        tone(-12, 150, 300, 2), tone(-50, 150, 900, 2), 0.1 * bursts(2, 500), silence(400, 2)
    ).astype(np.float32)
    expected = obs_gate(audio)
    assert np.abs(audio - expected).max() > 0.01
    # It is there a frame earlier after a pause.
    assert np.abs(apply("gate", audio) - expected).max() < 2 * 0.3 / frames(25)


@pytest.mark.parametrize(("attack", "hold", "release"), [(25, 200, 150), (1, 0, 500), (300, 50, 2)])
def test_attack_hold_and_release_take_their_times(attack, hold, release):
    audio = in_turn(steady(-60, 50), steady(-20, 2 * attack), steady(-60, hold + 2 * release + 50))
    values = {"attack_ms": attack, "hold_ms": hold, "release_ms": release}
    gain = linear(gain_db(apply("gate", audio, **values), audio))
    begin = frames(50)
    assert gain[begin - 1] < 1e-5
    for share in (0.25, 0.5, 0.99):
        at = first(gain[begin:] >= share) + 1
        assert at == pytest.approx(share * frames(attack), rel=0.05, abs=1)
    end = begin + frames(2 * attack)
    # The level takes its way down to close_db, by open - close in 1/75 s.
    fall = (linear(-20) - linear(-32)) / (linear(-26) - linear(-32)) * RATE / 75
    closing = gain[end:]
    starts = first(closing < 1)
    assert starts == pytest.approx(fall + frames(hold), abs=3)
    for share in (0.75, 0.5, 0.01):
        at = first(closing <= share) - starts + 1
        assert at == pytest.approx((1 - share) * frames(release), rel=0.05, abs=1)


def test_it_opens_above_one_threshold_and_closes_below_the_other():
    between = steady(-29, 1000)
    assert not apply("gate", between).any()
    heard = apply("gate", in_turn(steady(-20, 100), between))
    assert np.array_equal(heard[-1], between[-1])


def test_a_closed_gate_is_silent_or_as_quiet_as_its_range():
    audio = steady(-40, 500)
    closed = Link("gate")
    assert not closed(audio).any()
    assert closed.reduction_db == pytest.approx(96, abs=0.01)
    ranged = Link("gate", range_db=-20)
    assert gain_db(ranged(audio), audio)[-1] == pytest.approx(-20, abs=0.001)
    assert ranged.reduction_db == pytest.approx(20, abs=0.001)


def test_a_change_of_settings_does_not_close_it():
    audio = tone(-12, 200, 1000)
    link = Link("gate")
    link(audio)
    for change in (
        {"open_db": -30.0},
        {"close_db": -40.0},
        {"attack_ms": 500.0},
        {"hold_ms": 10.0},
        {"release_ms": 1.0},
        {"range_db": -30.0},
    ):
        link.set(**change)
        assert np.array_equal(link(audio), audio), change


def test_with_both_thresholds_the_same_or_crossed_it_still_closes():
    for close_db in (-26.0, -10.0):
        audio = in_turn(steady(-20, 200), steady(-50, 1500))
        heard = apply("gate", audio, close_db=close_db)
        assert heard[frames(199), 0] == audio[frames(199), 0]
        assert heard[-1, 0] == 0


def test_times_of_0_open_and_close_within_a_frame():
    audio = in_turn(steady(-60, 10), steady(-20, 10))
    heard = apply("gate", audio, attack_ms=0, release_ms=0, hold_ms=0)
    assert not heard[:480].any()
    assert np.array_equal(heard[480:], audio[480:])


def test_look_ahead_opens_before_the_sound_and_stays_open_as_long():
    sound = steady(-10, 100)
    audio = in_turn(silence(100), sound, silence(500))
    late = apply("gate", audio, attack_ms=10)
    assert late[frames(100), 0] < 0.01
    link = Link("gate", attack_ms=10, look_ahead_ms=15, hold_ms=0, release_ms=0)
    assert link.chain.latency_frames == 720
    heard = link(audio)
    assert np.array_equal(heard[720 + frames(100) : 720 + frames(200)], sound)


def test_a_key_opens_it_through_its_filters():
    audio = steady(-60, 500)
    values = {"key": "k", "key_low_hz": 300, "key_high_hz": 3000}
    for hz, opens in ((50, False), (1000, True), (15000, False)):
        heard = apply("gate", audio, [tone(-20, hz, 500)], **values)
        assert bool(heard[-1, 0]) == opens, hz
    assert not apply("gate", steady(-6, 500), [silence(500)], key="k").any()


def test_a_hum_does_not_open_a_gate_that_does_not_hear_it():
    hum = tone(-20, 50, 500)
    assert apply("gate", hum).any()
    assert not apply("gate", hum, key_low_hz=200).any()
    voice = tone(-20, 500, 500)
    heard = apply("gate", voice, key_low_hz=200)
    assert np.array_equal(heard[-480:], voice[-480:])
    assert decibels(heard[frames(13), 0] / voice[frames(13), 0]) < -3


def test_low_thresholds_close_it_as_soon_behind_a_loud_sound():
    """OBS's level falls from full scale in steps of the thresholds: it takes minutes."""
    audio = in_turn(tone(0, 1000, 200, 2), silence(1000, 2)) + np.float32(1e-5)
    settings = {"open_db": -60, "close_db": -60, "hold_ms": 100, "release_ms": 50}
    heard = np.flatnonzero(apply("gate", audio.astype(np.float32), **settings)[:, 0])
    assert frames(200 + 100 + 40) < heard[-1] < frames(200 + 100 + 50 + 200)


def test_a_voice_has_no_hole_where_the_bypass_ends():
    chain = _core.OfflineChain([("gate", {"attack_ms": 300.0}, True)], channels=1)
    voice = np.full((4800, 1), 0.5, np.float32)
    chain.process(voice)
    chain.set_bypassed(0, False)
    assert np.array_equal(chain.process(voice), voice)
