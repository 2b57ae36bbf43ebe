# SPDX-License-Identifier: MIT
"""The demo's measurements find what is wrong with a recording, and how much."""

import numpy as np
import pytest

from pypac_obs.cli.demo_picture import draw
from pypac_obs.cli.demo_signals import (
    Stretch,
    clean_stretch,
    make_signal,
    measure_alignment,
    measure_isolation,
    residual_db,
)
from pypac_obs.incidents import Incident

RATE = 48_000


@pytest.fixture(scope="module")
def signals():
    return {name: make_signal(name, 6, RATE)[:, 0].astype(float) for name in ("game", "voice")}


@pytest.mark.parametrize("seconds", [2.0, 5.0])
@pytest.mark.parametrize(("own", "other"), [("game", "voice"), ("voice", "game")])
def test_a_track_that_holds_its_own_program_only_is_at_the_floor(signals, own, other, seconds):
    isolation = measure_isolation(own, signals[own][: round(seconds * RATE)], RATE)
    assert isolation.db > 150
    assert isolation.at_the_floor


@pytest.mark.parametrize("leak_db", [-40, -90, -120])
@pytest.mark.parametrize(("own", "other"), [("game", "voice"), ("voice", "game")])
def test_a_leak_is_measured_to_a_tenth_of_a_db(signals, own, other, leak_db):
    mono = signals[own] + 10 ** (leak_db / 20) * signals[other]
    spoilt = measure_isolation(own, mono, RATE)
    window = np.kaiser(len(mono), 24)
    power_db = [10 * np.log10(np.sum((signals[s] * window) ** 2)) for s in (own, other)]
    assert spoilt.db == pytest.approx(power_db[0] - power_db[1] - leak_db, abs=0.1)
    assert not spoilt.at_the_floor


def test_silence_isolates_nothing(signals):
    assert measure_isolation("game", np.zeros(3 * RATE), RATE).db == 0


@pytest.mark.parametrize("shift", [0, 1, -1, 7, 2400, -2400, 20_000])
def test_an_offset_is_found_to_the_frame(signals, shift):
    everything = signals["game"] + signals["voice"]
    for name in ("game", "voice"):
        track = np.roll(signals[name], shift)
        found = measure_alignment(name, track, everything, 480, RATE)
        loud = [
            offset
            for begin, offset in zip(found.begins, found.offsets, strict=True)
            if np.std(track[begin - 480 :][:RATE]) > 0.01
        ]
        assert found.begins[:2] == (480, 480 + RATE)
        assert len(loud) >= 5
        assert set(loud) == {shift}


def test_an_offset_that_begins_in_the_middle_is_found(signals):
    track = signals["game"].copy()
    track[3 * RATE :] = np.roll(track, 1)[3 * RATE :]
    everything = signals["game"] + signals["voice"]
    assert measure_alignment("game", track, everything, 0, RATE).offsets == (0, 0, 0, 1, 1, 1)


def test_silent_seconds_are_left_out(signals):
    track = signals["game"].copy()
    track[: 2 * RATE] = 0
    everything = signals["game"] + signals["voice"]
    assert measure_alignment("game", track, everything, 0, RATE).offsets == (0, 0, 0, 0)


def test_the_residual_is_what_the_parts_lack(signals):
    game, voice = signals["game"], signals["voice"]
    assert residual_db(game + voice, [game, voice]) < -200
    assert residual_db(game + 0.001 * game, [game]) == pytest.approx(-60, abs=0.1)


def test_a_signal_stays_below_full_scale_and_does_not_repeat(signals):
    for mono in signals.values():
        assert np.abs(mono).max() == pytest.approx(0.25)
    game = signals["game"]
    for period in (2400, RATE, 2 * RATE):
        assert np.corrcoef(game[:-period], game[period:])[0, 1] < 0.9


def gap(begin: int, frames: int) -> Incident:
    return Incident("stalled", "game", None, ("game",), begin, frames)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([], Stretch(0, 1000)),
        ([gap(0, 100)], Stretch(100, 1000)),
        ([gap(400, 100)], Stretch(500, 1000)),
        ([gap(700, 10), gap(100, 500)], Stretch(710, 1000)),
        ([gap(0, 1000)], Stretch(0, 0)),
    ],
)
def test_the_longest_clean_stretch_is_measured(gaps, expected):
    assert clean_stretch(gaps, 1000) == expected


def test_the_picture_is_drawn(signals, tmp_path):
    tracks = {**signals, "everything": signals["game"] + signals["voice"]}
    alignments = [
        measure_alignment(name, tracks[name], tracks["everything"], 0, RATE)
        for name in ("game", "voice")
    ]
    path = tmp_path / "demo.png"
    draw(path, tracks, RATE, alignments, "headline")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000
