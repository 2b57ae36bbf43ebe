# SPDX-License-Identifier: MIT
"""A session on real programs whose profile changes while it runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pypac_obs import Session
from pypac_obs.errors import ChangeRefused
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    RATE,
    assert_whole,
    hear,
    level_db,
    missed_by,
    own,
    wait_until,
    wait_until_playing,
)
from .conftest import Tape, frequency_of, lost, profile, wait_for_state

pytestmark = pytest.mark.pipewire


def nodes_of(sandbox: Sandbox, name: str) -> int:
    return sandbox.run("pw-dump").count(f'"node.name": "pypac-obs.{name}"')


def test_a_program_is_taken_in_and_out_while_another_loses_no_frame(
    play: Callable[..., Player], tone: Callable[..., Player], sandbox: Sandbox
) -> None:
    steady = play("steady")
    name = own("guest")
    tone(name, 440.0)
    wait_until_playing(sandbox, "steady", name)
    tape = Tape()
    spans = []
    with Session(profile({"steady": "steady"}), outputs=[tape]) as session:
        hear(session, 0.3)
        for _ in range(3):
            session.apply(profile({"steady": "steady", "guest": name}))
            wait_for_state(session, "guest", "playing")
            begin = session.position + RATE // 5
            hear(session, 0.7)
            end = session.position - RATE // 10
            spans.append((begin, end))
            session.apply(profile({"steady": "steady"}))
            assert [one.name for one in session.status().sources] == ["steady"]
            # Its node goes once it is faded out.
            wait_until(lambda: nodes_of(sandbox, "guest") == 0)
            hear(session, 0.1)
        with pytest.raises(ChangeRefused):
            session.apply(profile({"steady": "steady"}, session={"latency_ms": 100}))
    missed = missed_by(steady, tape.host_ns)
    assert lost(session.incidents, "steady", missed) == []
    assert_whole(tape.track("steady"), missed)
    guest = np.concatenate(
        [block.audio.get("guest", np.zeros((block.frames, 2), np.float32)) for block in tape.blocks]
    )
    for begin, end in spans:
        heard = guest[begin:end, 0]
        assert abs(frequency_of(heard) - 440) < 1
        assert abs(level_db(heard, 440.0) + 12) < 1
    assert not guest[: RATE // 4].any()


def test_a_source_that_names_another_program_changes_over(
    tone: Callable[..., Player], sandbox: Sandbox
) -> None:
    one, other = own("one"), own("other")
    tone(one, 440.0)
    tone(other, 1000.0)
    wait_until_playing(sandbox, one, other)
    tape = Tape()
    with Session(profile({"game": one}), outputs=[tape]) as session:
        hear(session, 0.7)
        at = session.position
        assert session.apply(profile({"game": other})).changed_sources == ("game",)
        wait_for_state(session, "game", "playing")
        hear(session, 1.0)
    game = tape.track("game")[:, 0]
    assert abs(frequency_of(game[at - RATE // 2 : at]) - 440) < 1
    assert abs(frequency_of(game[-RATE // 2 :]) - 1000) < 1
