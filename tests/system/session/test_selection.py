# SPDX-License-Identifier: MIT
"""Which programs a source takes: by name, by PID, the first, the newest, all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pypac_obs import Session
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, hear, own, wait_until, wait_until_playing
from .conftest import (
    AMPLITUDE,
    Tape,
    breaks,
    level_db,
    profile,
    spans,
    wait_for_state,
)

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]
Tone = Callable[..., Player]


def bound(session: Session, source: str) -> set[int]:
    """The PIDs of what a source captures now."""
    [status] = [one for one in session.status().sources if one.name == source]
    return {program.pid for program in status.programs}


def wait_until_bound(session: Session, source: str, *players: Player) -> None:
    wanted = {player.pid for player in players}
    wait_until(
        lambda: bound(session, source) == wanted,
        else_say=lambda: f"{source} is bound to {bound(session, source)}, not {wanted}",
    )
    if players:
        wait_for_state(session, source, "playing")


def test_pick_first_goes_to_the_first_of_the_list_that_runs_and_falls_back(
    play: Play, sandbox: Sandbox
) -> None:
    second = play("vlc", "--tone", "440")
    wait_until_playing(sandbox, "vlc")
    tape = Tape()
    rules = {"player": {"process": ["spotify", "vlc"], "pick": "first"}}
    with Session(profile(rules), outputs=[tape]) as session:
        wait_until_bound(session, "player", second)
        hear(session, 0.2)
        first = play("spotify", "--tone", "1000")
        wait_until_bound(session, "player", first)
        begin = session.position + RATE // 10
        hear(session, 0.5)
        end = session.position
        first.kill()
        wait_until_bound(session, "player", second)
        back = session.position + RATE // 10
        hear(session, 0.5)
    track = tape.track("player")[:, 0]
    assert level_db(track[begin:end], 1000.0) == pytest.approx(-12, abs=0.1)
    assert level_db(track[begin:end], 440.0) < -110
    assert level_db(track[back:], 440.0) == pytest.approx(-12, abs=0.1)
    assert level_db(track[back:], 1000.0) < -110


def test_pick_newest_goes_to_the_latest_started_and_back_when_that_ends(
    play: Play, sandbox: Sandbox
) -> None:
    old = play("player", "--tone", "440")
    wait_until_playing(sandbox, "player")
    tape = Tape()
    rules = {"player": {"process": "player", "pick": "newest"}}
    with Session(profile(rules), outputs=[tape]) as session:
        wait_until_bound(session, "player", old)
        new = play("player", "--tone", "1000")
        wait_until_bound(session, "player", new)
        begin = session.position + RATE // 10
        hear(session, 0.5)
        end = session.position
        new.kill()
        wait_until_bound(session, "player", old)
        back = session.position + RATE // 10
        hear(session, 0.5)
    track = tape.track("player")[:, 0]
    assert level_db(track[begin:end], 1000.0) == pytest.approx(-12, abs=0.1)
    assert level_db(track[begin:end], 440.0) < -110
    assert level_db(track[back:], 440.0) == pytest.approx(-12, abs=0.1)
    assert level_db(track[back:], 1000.0) < -110


def test_except_keeps_a_program_out_that_the_pattern_takes(play: Play, sandbox: Sandbox) -> None:
    play("game1", "--tone", "440")
    play("game2", "--tone", "1000")
    play("game-launcher", "--tone", "2000")
    wait_until_playing(sandbox, "game1", "game2", "game-launcher")
    tape = Tape()
    rules = {"games": {"process": "game*", "except": ["*launcher"]}}
    with Session(profile(rules), outputs=[tape], duration_s=0.8) as session:
        assert session.wait(5)
    track = tape.track("games")[:, 0]
    assert level_db(track, 440.0) == pytest.approx(-12, abs=0.01)
    assert level_db(track, 1000.0) == pytest.approx(-12, abs=0.01)
    assert level_db(track, 2000.0) < -110


def test_a_pid_takes_one_of_two_programs_of_the_same_name(tone: Tone, sandbox: Sandbox) -> None:
    one = tone("twin", 440.0, api="pulse")
    other = tone("twin", 1000.0, api="pulse")
    wait_until_playing(sandbox, "twin")
    tape = Tape()
    rules = {"one": {"process": one.pid}, "other": {"process": [other.pid]}}
    with Session(profile(rules), outputs=[tape]) as session:
        wait_until_bound(session, "one", one)
        wait_until_bound(session, "other", other)
        begin = session.position + RATE // 10
        hear(session, 0.5)
        other.kill()
        successor = tone("twin", 1000.0, api="pulse")
        wait_for_state(session, "other", "not_running")
        wait_until_playing(sandbox, "twin")
        hear(session, 0.2)
        # Another program of the name is another program.
        assert bound(session, "other") == set()
        assert successor.running
    one_track, other_track = (tape.track(name)[begin:, 0] for name in ("one", "other"))
    assert level_db(one_track, 440.0) == pytest.approx(-12, abs=0.1)
    assert level_db(one_track, 1000.0) < -110
    [(first, last)] = spans(other_track)
    assert level_db(other_track[first:last], 1000.0) == pytest.approx(-12, abs=0.1)
    assert level_db(other_track[first:last], 440.0) < -110


def test_everything_except_two_never_has_them_though_one_comes_and_goes(
    play: Play, tone: Tone, sandbox: Sandbox
) -> None:
    play("browser", "--tone", "440")
    tone("discord", 1000.0, api="pulse")
    wait_until_playing(sandbox, "browser", "discord")
    tape = Tape()
    name = own("obs")
    sources = {
        "discord": "discord",
        "rest": {"everything_except": ["discord", {"process": f"{name}*"}]},
        "obs": {"process": f"{name}*"},
    }
    with Session(profile(sources), outputs=[tape]) as session:
        hear(session, 0.2)
        for program, api in ((name, "pipewire"), (f"{name}-helper", "pulse")):
            excluded = tone(program, 2000.0, api=api)
            wait_for_state(session, "obs", "playing")
            hear(session, 0.4)
            excluded.kill()
            wait_for_state(session, "obs", "not_running")
        before = session.position
        late = tone("late", 3000.0)
        wait_until(lambda: late.pid in bound(session, "rest"))
        wait_for_state(session, "rest", "playing")
        hear(session, 0.2)
        after = session.position
        hear(session, 0.4)
    rest, obs, discord = (tape.track(name)[:, 0] for name in ("rest", "obs", "discord"))
    assert sum(end - begin for begin, end in spans(obs)) > RATE // 2
    assert np.abs(obs).max() == pytest.approx(AMPLITUDE, rel=1e-3)
    assert level_db(discord, 1000.0) == pytest.approx(-12, abs=0.1)
    # Until the late one came there is one sine and nothing else, not for one frame.
    assert level_db(rest[:before], 440.0) == pytest.approx(-12, abs=0.01)
    assert breaks(rest[:before], 440.0).size == 0
    assert level_db(rest[after:], 3000.0) == pytest.approx(-12, abs=0.01)
    step = RATE // 10
    stretches = [*range(0, before - step, step // 2), *range(after, len(rest) - step, step // 2)]
    for at in stretches:
        for frequency in (1000.0, 2000.0):
            assert level_db(rest[at : at + step], frequency) < -12 - 90
