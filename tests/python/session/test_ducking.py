# SPDX-License-Identifier: MIT
"""A track that others of its session make quieter, while they are muted and faded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .test_values_heard import RATE, Tape, level_db

GAME, DUCKED = -10, -22


def document(key: Any = "voice", **voice: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "sources": {
            "game": {"synthetic": {"kind": "tone", "frequency_hz": 100, "level_dbfs": GAME}},
            "mic": {"synthetic": {"kind": "tone", "frequency_hz": 1000, "level_dbfs": -20}},
            "far": {"synthetic": {"kind": "tone", "frequency_hz": 800, "level_dbfs": -20}},
        },
        "tracks": {
            "game": {"from": "game", "filters": [{"duck": {"key": key}}]},
            "voice": {"from": "mic", **voice},
            "friends": {"from": "far", "mute": True},
        },
    }


def game_levels(data: dict[str, Any], *changes: dict[str, Any] | None) -> list[float]:
    """In the end of each second, of which each begins with a change."""
    tape = Tape(data)
    with tape as session:
        for change in changes:
            for address, value in (change or {}).items():
                session.set(address, value)
            session.run_offline(1)
    seconds = np.split(tape.heard("game"), len(changes))
    return [level_db(second[-RATE // 5 :]) for second in seconds]


def test_a_muted_key_ducks_nothing_and_one_that_is_heard_again_does():
    levels = game_levels(document(), None, {"voice.mute": True}, {"voice.mute": False})
    assert levels == pytest.approx([DUCKED, GAME, DUCKED], abs=0.1)


def test_a_key_that_is_muted_from_the_start_ducks_nothing():
    levels = game_levels(document(mute=True), None, {"voice.mute": False})
    assert levels == pytest.approx([GAME, DUCKED], abs=0.1)


def test_a_key_counts_as_loud_as_its_fader_makes_it():
    levels = game_levels(document(), {"voice.gain_db": -40}, {"voice.gain_db": 0})
    assert levels == pytest.approx([GAME, DUCKED], abs=0.1)


def test_any_of_several_keys_ducks():
    levels = game_levels(
        document(key=["voice", "friends"]),
        {"voice.mute": True},
        {"friends.mute": False},
        {"friends.mute": True},
    )
    assert levels == pytest.approx([GAME, DUCKED, GAME], abs=0.1)


def test_the_range_can_be_changed_while_it_ducks():
    levels = game_levels(document(), None, {"game.filter.duck.range_db": -20})
    assert levels == pytest.approx([DUCKED, GAME - 20], abs=0.1)
