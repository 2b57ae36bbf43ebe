# SPDX-License-Identifier: MIT
"""The demo's second part measures by how much a voice makes a game quieter, and how fast."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs.cli.demo_ducking import (
    AS_PLAYED,
    DUCKED,
    PROFILE,
    SECONDS,
    make_bursts,
    make_rumble,
    measure_ducking,
)
from pypac_obs.cli.demo_picture import draw_ducking
from pypac_obs.profile import parse_profile

RATE = 48_000
Mono = NDArray[np.float64]
WORD_S, ROUND_S = 0.8, 2.4


def left(samples: NDArray[np.float32]) -> Mono:
    mono: Mono = samples[:, 0].astype(float)
    return mono


@pytest.fixture(scope="module")
def voice() -> Mono:
    # A session begins in the middle of what programs play.
    return left(make_bursts(SECONDS + 1, RATE))[RATE:]


@pytest.fixture(scope="module")
def game() -> Mono:
    return left(make_rumble(SECONDS, RATE))


def gain(down_db: float, down_s: float, up_s: float) -> Mono:
    """Straight in dB: down from a word's begin on, up from its end on."""
    within = (np.arange(round(SECONDS * RATE)) / RATE + 1) % ROUND_S
    down = np.clip(within / down_s, 0, 1)
    up = np.clip((within - WORD_S) / up_s, 0, 1)
    out: Mono = 10 ** (down_db * np.where(within < WORD_S, down, 1 - up) / 20)
    return out


def test_depth_and_times_are_found(game: Mono, voice: Mono):
    found = measure_ducking(game * gain(-12, 0.1, 0.5), game, voice, RATE)
    assert found is not None
    assert found.speaks_db == pytest.approx(-12, abs=0.05)
    assert found.silent_db == pytest.approx(0, abs=0.05)
    assert found.down_ms == pytest.approx(50, abs=15)
    assert found.up_ms == pytest.approx(250, abs=15)
    assert len(found.speaking) == 2


def test_a_game_that_is_not_ducked_is_told(game: Mono, voice: Mono):
    found = measure_ducking(game, game, voice, RATE)
    assert found is not None
    assert found.speaks_db == found.silent_db == 0


@pytest.mark.parametrize("silent", ["voice", "game"])
def test_where_one_of_them_is_silent_nothing_is_measured(game: Mono, voice: Mono, silent: str):
    heard = {"game": game, "voice": voice, silent: np.zeros_like(game)}
    assert measure_ducking(heard["game"], heard["game"], heard["voice"], RATE) is None


def test_what_is_too_short_is_not_measured(game: Mono, voice: Mono):
    for frames in (0, 100, RATE):
        assert measure_ducking(game[:frames], game[:frames], voice[:frames], RATE) is None


def test_both_stay_below_full_scale_and_the_game_is_steady(game: Mono, voice: Mono):
    assert np.abs(game).max() <= 0.25
    assert np.abs(voice).max() <= 0.25
    powers = np.mean(game[: 20 * 14_400].reshape(20, -1) ** 2, axis=1)
    assert np.ptp(10 * np.log10(powers)) < 3


def test_its_profile_loads():
    assert list(parse_profile(PROFILE, "demo-ducked.yaml").tracks) == ["voice", DUCKED, AS_PLAYED]


def test_the_picture_is_drawn(game: Mono, voice: Mono, tmp_path: Path):
    ducked = game * gain(-12, 0.1, 0.5)
    found = measure_ducking(ducked, game, voice, RATE)
    assert found is not None
    path = tmp_path / "ducked.png"
    draw_ducking(path, {"voice": voice, DUCKED: ducked, AS_PLAYED: game}, RATE, found)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000
