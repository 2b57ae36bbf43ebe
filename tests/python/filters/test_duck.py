# SPDX-License-Identifier: MIT
"""Ducking: how deep, how fast, by whom."""

from __future__ import annotations

import numpy as np
import pytest

from pypac_obs import PypacError, _core

from .dynamics_signals import (
    Link,
    apply,
    decibels,
    first,
    frames,
    gain_db,
    in_turn,
    silence,
    steady,
    tone,
)


def test_the_track_falls_by_the_range_stays_for_the_hold_and_comes_back():
    key = in_turn(silence(100), tone(-20, 1000, 500), silence(2000))
    audio = steady(-10, 2600)
    for attack, hold, release, depth in (
        (50, 300, 400, -12),
        (200, 50, 1000, -30),
        (5, 500, 50, -6),
    ):
        values = {"attack_ms": attack, "hold_ms": hold, "release_ms": release, "range_db": depth}
        gain = gain_db(apply("duck", audio, [key], key="voice", **values), audio)
        assert np.all(gain[: frames(100)] == 0)
        assert gain.min() == pytest.approx(depth, abs=0.01)
        falling = gain[frames(100) :]
        for share in (0.25, 0.5, 0.99):
            at = first(falling <= share * depth)
            assert at == pytest.approx(share * frames(attack), rel=0.05, abs=24)
        rising = gain[frames(600) :]
        starts = first(rising > depth + 0.01)
        assert starts == pytest.approx(frames(hold), rel=0.05, abs=frames(release) * 0.01 + 48)
        back = first(rising > -0.01)
        assert back - starts == pytest.approx(frames(release), rel=0.05)


def test_the_threshold_is_the_keys_level_and_nothing_elses():
    key_of = {level: tone(level, 1000, 1000) for level in (-46.0, -44.0, 0.0)}
    for loudness in (-60, -20, 0):
        audio = steady(loudness, 1000)
        for level, key in key_of.items():
            link = Link("duck", key="voice", threshold_db=-45)
            expected = 0 if level < -45 else -12
            assert gain_db(link(audio, [key]), audio)[-1] == pytest.approx(expected, abs=0.01)
            assert link.reduction_db == pytest.approx(-expected, abs=0.01)


def test_a_silent_key_ducks_nothing_however_loud_the_track():
    audio = steady(0, 1000, 2)
    assert np.array_equal(apply("duck", audio, [silence(1000, 2)], key="voice"), audio)
    assert np.array_equal(apply("duck", audio, key=[]), audio)


def test_a_key_that_falls_silent_lets_go_after_the_hold():
    audio = steady(0, 2000)
    link = Link("duck", key="voice")
    link(audio, [tone(-10, 500, 2000)])
    heard = link(audio, [silence(2000)])
    assert gain_db(heard, audio)[frames(300 + 400) + 480] == pytest.approx(0, abs=0.01)


def test_each_of_several_keys_ducks():
    audio = steady(0, 500)
    voice = tone(-20, 800, 500)
    for keys in ([voice, silence(500)], [silence(500), voice], [voice, voice]):
        heard = apply("duck", audio, keys, key=["mic", "friends"])
        assert gain_db(heard, audio)[-1] == pytest.approx(-12, abs=0.01)


@pytest.mark.parametrize(("hz", "ducks"), [(40, False), (300, True), (3000, True), (16000, False)])
def test_what_is_no_voice_does_not_duck(hz, ducks):
    audio = steady(0, 1000)
    heard = apply("duck", audio, [tone(-30, hz, 1000)], key="voice")
    assert (gain_db(heard, audio)[-1] < -11) == ducks


def test_low_voices_do_not_make_it_flutter():
    audio = steady(0, 1000)
    key = tone(-20, 60, 1000)
    heard = apply(
        "duck", audio, [key], key="voice", hold_ms=0, release_ms=1, attack_ms=1, key_low_hz=10
    )
    assert np.all(gain_db(heard, audio)[frames(200) :] < -11.99)


def test_look_ahead_ducks_before_the_key_speaks():
    audio, key = steady(0, 500), in_turn(silence(200), tone(-10, 1000, 300))
    link = Link("duck", key="voice", attack_ms=10, look_ahead_ms=15)
    heard = link(audio, [key])
    assert link.chain.latency_frames == 720
    assert decibels(heard[720 + frames(200), 0]) == pytest.approx(-12, abs=0.01)
    assert heard[720 + frames(180), 0] == 1


def test_without_a_key_it_is_refused():
    with pytest.raises((ValueError, PypacError), match="duck needs a value for key"):
        _core.OfflineChain([("duck", {}, False)])
