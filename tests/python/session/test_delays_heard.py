# SPDX-License-Identifier: MIT
"""Tracks that are to be later or earlier than the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from pypac_obs import Profile, Session

from ..heard import Heard

SECOND = 48_000


def tracks(filters: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "version": 1,
        "sources": {"tone": {"synthetic": {"kind": "tone", "frequency_hz": 1003}}},
        "tracks": {name: {"from": "tone", "filters": chain} for name, chain in filters.items()},
    }


def test_one_track_becomes_earlier_and_one_later_and_the_others_stay_together():
    early = {"delay": {"name": "early", "delay_ms": -20}}
    late = {"delay": {"delay_ms": 12.5}}
    data = tracks(
        {"early": [early], "plain": [], "late": [late], "limited": [{"limiter": {"ceiling_db": 0}}]}
    )
    heard = Heard()
    with Session(Profile.from_dict(data), offline=True, on_block=heard) as session:
        session.run_offline(1)
        session.set("early.filter.early.bypass", True)
        session.run_offline(1)
    plain = heard["plain"]
    assert np.abs(plain[SECOND:]).max() > 0.05
    assert np.array_equal(heard["limited"], plain)
    assert np.array_equal(heard["early"][: SECOND - 960], plain[960:SECOND])
    assert np.array_equal(heard["late"][600:], plain[:-600])
    assert not np.allclose(plain[SECOND // 2 : SECOND], heard["late"][SECOND // 2 : SECOND])
    # Without its delay it is where all are.
    assert np.array_equal(heard["early"][SECOND + 960 :], plain[SECOND + 960 :])
