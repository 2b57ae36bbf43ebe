# SPDX-License-Identifier: MIT
"""Many programs, programs that crash and freeze beside others, and two sessions at once."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np
import pytest

from pypac_obs import Session
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    RATE,
    assert_whole,
    hear,
    long_or,
    missed_by,
    shifts,
    wait_until,
    wait_until_playing,
)
from .conftest import AMPLITUDE, Tape, absences, breaks, lost, profile, wait_for_state

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]
Tone = Callable[..., Player]


def test_32_programs_at_once_are_aligned_in_every_frame(play: Play, sandbox: Sandbox) -> None:
    names = [f"app{number:02}" for number in range(32)]
    players = [play(name) for name in names]
    wait_until_playing(sandbox, *names)
    tape = Tape()
    length_s = long_or(1.5, 4)
    rules = profile({name: name for name in names})
    with Session(rules, outputs=[tape], duration_s=length_s) as session:
        assert session.wait(10)
    reference = None
    for name, player in zip(names, players, strict=True):
        missed = missed_by(player, tape.host_ns)
        assert lost(session.incidents, name, missed) == []
        track = tape.track(name)
        assert len(track) == length_s * RATE
        assert_whole(track, missed)
        reference = track if reference is None else reference
        both = (track != 0) & (reference != 0)
        assert np.array_equal(track[both], reference[both])


def test_a_program_that_is_killed_20_times_costs_another_not_one_frame(
    play: Play, sandbox: Sandbox
) -> None:
    steady = play("steady")
    wait_until_playing(sandbox, "steady")
    tape = Tape()
    phases = np.random.default_rng(1).uniform(0.01, 0.15, 20)
    are_heard = phases > 0.08

    def plays(player: Player) -> bool:
        [source] = (one for one in session.status().sources if one.name == "mortal")
        # The one before may still be there.
        is_this = [program.pid for program in source.programs] == [player.pid]
        return is_this and source.state == "playing"

    with Session(profile({"steady": "steady", "mortal": "mortal"}), outputs=[tape]) as session:
        for phase, is_heard in zip(phases, are_heard, strict=True):
            mortal = play("mortal", "--tone", "1000")
            # Some die before they play, some while they begin, some while they play.
            if is_heard:
                wait_until(functools.partial(plays, mortal))
            time.sleep(phase)  # chance, not an event
            mortal.kill()
    missed = missed_by(steady, tape.host_ns)
    assert lost(session.incidents, "steady", missed) == []
    assert_whole(tape.track("steady"), missed)
    mortal_track = tape.track("mortal")[:, 0]
    heard = np.ones(len(mortal_track), bool)
    for _, begin, end in absences(session.incidents, "mortal"):
        heard[begin:end] = False
    # Each missing frame is in the ledger, and nothing else is.
    assert not mortal_track[~heard].any()
    assert np.count_nonzero(mortal_track[heard] == 0) < 100  # where the sine is
    # No count of stretches: one that starts at once goes on where the one before broke off.
    assert np.count_nonzero(mortal_track) > RATE * phases[are_heard].sum() / 2


def test_a_frozen_program_costs_another_nothing_and_comes_back_when_it_is_thawed(
    play: Play, sandbox: Sandbox
) -> None:
    steady = play("steady")
    hung = play("hung")
    wait_until_playing(sandbox, "steady", "hung")
    tape = Tape()
    with Session(profile({"steady": "steady", "hung": "hung"}), outputs=[tape]) as session:
        hear(session, 0.3)
        hung.freeze()
        wait_for_state(session, "hung", "frozen", timeout_s=1)
        hear(session, 0.6)
        assert next(s.state for s in session.status().sources if s.name == "steady") == "playing"
        hung.thaw()
        wait_for_state(session, "hung", "playing", timeout_s=1)
        hear(session, 0.3)
    missed = missed_by(steady, tape.host_ns)
    assert lost(session.incidents, "steady", missed) == []
    assert_whole(tape.track("steady"), missed)
    absent = absences(session.incidents, "hung")
    assert {cause for cause, _, _ in absent} <= {"stalled", "underrun", "starting", "lost_cycles"}
    assert max(end - begin for _, begin, end in absent) > RATE // 2
    track = tape.track("hung")
    heard = np.ones(len(track), bool)
    for _, begin, end in absent:
        heard[begin:end] = False
    assert not track[~heard].any()
    assert track[heard, 0].all()
    both = heard & (tape.track("steady")[:, 0] != 0)
    assert np.array_equal(track[both], tape.track("steady")[both])


def test_two_sessions_on_the_same_programs_are_complete_and_identical(
    play: Play, tone: Tone, sandbox: Sandbox
) -> None:
    play("game")
    tone("voice", 1000.0, api="pulse")
    wait_until_playing(sandbox, "game", "voice")
    rules = profile({"game": "game", "voice": "voice"})
    for _ in range(4):  # where the machine is too busy for the programs, another time
        tapes = Tape(), Tape()
        with Session(rules, outputs=[tapes[0]]) as one:
            hear(one, 0.2)
            with Session(rules, outputs=[tapes[1]]) as other:
                hear(other, 0.7)
        if not one.incidents + other.incidents:
            break
    assert (one.incidents, other.incidents) == ((), ())
    games = [tape.track("game") for tape in tapes]
    for game in games:
        assert_whole(game)
    # The position that the game plays tells how much earlier the first session began.
    earlier = int(shifts(games[1])[1][0] - shifts(games[0])[1][0])
    apart_ns = tapes[1].host_ns - tapes[0].host_ns
    assert earlier == pytest.approx(apart_ns * RATE / 1e9, abs=RATE // 200)
    for name in ("game", "voice"):
        first, second = (tape.track(name) for tape in tapes)
        shared = min(len(first) - earlier, len(second))
        assert shared > RATE // 2
        assert np.array_equal(first[earlier : earlier + shared], second[:shared])
    voice = tapes[0].track("voice")[:, 0]
    assert np.abs(voice).max() == pytest.approx(AMPLITUDE, rel=1e-3)
    assert breaks(voice, 1000.0).size == 0
