# SPDX-License-Identifier: MIT
"""What `obs demo` measures of OBS's recording finds what is wrong with it, and how much."""

import numpy as np
import pytest

from pypac_obs.cli.obs_demo_tones import (
    PLAYED_DB,
    SHORTEST_S,
    hear,
    make_tones,
    offset_frames,
)

RATE = 48_000


@pytest.fixture(scope="module")
def played():
    seconds = SHORTEST_S + 1
    return {name: make_tones(name, seconds, RATE)[:, 0].astype(float) for name in ("game", "voice")}


@pytest.mark.parametrize(("own", "other"), [("game", "voice"), ("voice", "game")])
@pytest.mark.parametrize("leak_db", [-40, -95, -120])
def test_a_leak_is_measured_to_a_tenth_of_a_db(played, own, other, leak_db):
    heard = hear(played[own] + 10 ** (leak_db / 20) * played[other], RATE)
    assert heard.levels_db[own] == pytest.approx(PLAYED_DB, abs=0.05)
    assert heard.below_db(own) == pytest.approx(-leak_db, abs=0.1)
    assert heard.programs() == ((own,) if leak_db < -50 else ("game", "voice"))


def test_a_shortest_part_at_any_place_keeps_the_programs_apart(played):
    part = played["game"][1234 : 1234 + round(SHORTEST_S * RATE)]
    assert hear(part, RATE).below_db("game") > 150


def test_silence_holds_no_program():
    assert hear(np.zeros(RATE * 3), RATE).programs() == ()


@pytest.mark.parametrize("name", ["game", "voice"])
@pytest.mark.parametrize("offset", [0, 1, -1, 375, -1024, 12_345])
def test_an_offset_is_found_to_the_frame(played, name, offset):
    mix = hear(played["game"] + played["voice"], RATE)
    # What they play repeats every second.
    later = hear(np.roll(played[name], offset), RATE)
    assert offset_frames(name, later, mix, RATE) == offset
