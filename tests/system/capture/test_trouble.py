# SPDX-License-Identifier: MIT
"""Programs and audio systems that come, go, move and hang: the recording goes on."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    PLAYERS,
    RATE,
    assert_whole,
    excused,
    gap,
    hear,
    missed_by,
    own,
    shifts,
    together,
    wait_until,
    wait_until_playing,
)
from .conftest import Record, Recording, programs

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]
Tone = Callable[..., Player]


@pytest.fixture
def own_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def test_a_killed_program_is_not_running_at_once_and_bound_again_when_it_returns(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    name = own("game")
    steady = play("steady")
    first = play(name)
    wait_until_playing(sandbox, "steady", name)
    recording = record(steady=programs("steady"), game=programs(name))
    hear(recording, 0.4)
    first.kill()
    recording.wait_for_state("game", "not_running", timeout_s=0.2)
    hear(recording, 0.3)
    play(name)
    recording.wait_for_state("game", "capturing", timeout_s=1.0)
    hear(recording, 0.4)
    tracks = recording.stop()
    together(tracks["steady"], tracks["game"])
    assert recording.missing("steady", steady) == 0
    assert np.unique(shifts(tracks["steady"])[1]).size == 1
    # It may be there, and not run yet or no longer.
    between = {"starting", "paused", "stalled", "underrun", "lost_cycles"}
    assert {one.cause for one in recording.incidents} <= {"not_running"} | between
    longest = max(recording.incidents, key=lambda one: one.frames)
    assert longest.cause == "not_running"
    assert recording.missing("game") == gap(tracks["game"])[1]


@pytest.mark.alone
def test_a_returning_program_is_captured_within_100_ms_of_its_first_frame(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    name = own("game")
    play("steady")
    wait_until_playing(sandbox, "steady")
    recording = record(steady=programs("steady"), game=programs(name))
    starts_ns = []
    for _ in range(12):
        hear(recording, 0.15)  # a silence that can be told from what a program misses
        player = play(name)
        recording.wait_for_state("game", "capturing")
        wait_until(lambda: player.output().endswith("\n"))  # noqa: B023
        hear(recording, 0.1)
        starts_ns.append(int(player.output().split()[1]))
        player.kill()
        recording.wait_for_state("game", "not_running")
    tracks = recording.stop()
    heard = np.flatnonzero(tracks["game"][:, 0])
    begins = heard[np.flatnonzero(np.diff(heard, prepend=-RATE) > RATE // 10)]
    assert len(begins) == len(starts_ns)
    heard_ns = recording.origin_ns + begins * (1_000_000_000 / RATE)
    late_ms = np.sort((heard_ns - np.array(starts_ns)) / 1e6)
    print(f"re-binding: p50 {late_ms[len(late_ms) // 2]:.1f} ms, worst {late_ms[-1]:.1f} ms")
    assert late_ms[0] > -30  # not before it began, but for the clock's jitter
    assert late_ms[-1] < 100


def test_a_program_that_moves_to_another_sink_goes_on(
    play: Play, tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    play("steady")
    moving = tone("moving", 440.0, api="pulse")
    wait_until_playing(sandbox, "steady", "moving")
    recording = record(steady=programs("steady"), moving=programs("moving"))

    def sinks() -> list[str]:
        return [one.sink for one in recording.capture.streams() if one.program == "moving"]

    def move(sink: str) -> None:
        # WirePlumber misses an order that comes while it carries out another: it gets it again.
        deadline = time.monotonic() + 30
        while sinks() != [sink]:
            assert time.monotonic() < deadline, f"{sinks()}, not {sink}"
            sandbox.move(moving, sink)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: sinks() == [sink], 1.0)
        hear(recording, 0.4)

    hear(recording, 0.3)
    move("headphones")
    move("speakers")
    assert recording.state("moving") == "capturing"
    tracks = recording.stop()
    assert gap(tracks["steady"])[1] < RATE // 10
    assert recording.missing("moving") < RATE // 5
    assert np.count_nonzero(tracks["moving"][-RATE // 4 :]) > RATE // 4


def test_a_change_of_the_quantum_keeps_the_tracks_together(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("one")
    play("two")
    wait_until_playing(sandbox, "one", "two")
    recording = record(one=programs("one"), two=programs("two"))
    try:
        hear(recording, 0.3)
        for quantum in (256, 2048, 64):
            sandbox.set_quantum(quantum)
            wait_until(lambda: recording.capture.server_info().quantum == quantum)  # noqa: B023
            hear(recording, 0.3)
    finally:
        sandbox.set_quantum(0)
    tracks = recording.stop()
    together(tracks["one"], tracks["two"])
    assert gap(tracks["one"])[1] < RATE // 10


def test_a_frozen_program_is_named_and_costs_the_other_not_one_frame(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    steady = play("steady")
    hung = play("hung")
    wait_until_playing(sandbox, "steady", "hung")
    recording = record(steady=programs("steady"), hung=programs("hung"))
    hear(recording, 0.4)
    hung.freeze()
    recording.wait_for_state("hung", "frozen", timeout_s=1.0)
    wait_until_named(recording, "hung")
    assert recording.state("steady") == "capturing"
    hear(recording, 0.6)
    hung.thaw()
    recording.wait_for_state("hung", "capturing", timeout_s=1.0)
    hear(recording, 0.4)
    tracks = recording.stop()
    together(tracks["steady"], tracks["hung"])
    assert recording.missing("steady", steady) == 0
    assert_whole(tracks["steady"], missed_by(steady, recording.origin_ns))
    assert gap(tracks["hung"])[1] > RATE // 2


def wait_until_named(recording: Recording, program: str) -> None:
    def named() -> list[str]:
        return list(recording.capture.server_info().frozen_programs)

    wait_until(lambda: named() == [program], else_say=lambda: str(named()))


def test_a_frozen_pulse_program_is_named_too(
    play: Play, tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    steady = play("steady")
    hung = tone("hung", 440.0, api="pulse")
    wait_until_playing(sandbox, "steady", "hung")
    recording = record(steady=programs("steady"), hung=programs("hung"))
    hung.freeze()
    recording.wait_for_state("hung", "frozen")
    assert recording.capture.source_status("hung").streams[0].frozen
    assert recording.state("steady") == "capturing"
    hung.thaw()
    recording.wait_for_state("hung", "capturing")
    recording.stop()
    assert recording.missing("steady", steady) == 0  # its server plays silence in its place


def test_a_paused_program_is_told_from_one_that_is_gone_or_hangs(
    play: Play, sandbox: Sandbox, record: Record
) -> None:
    steady = play("steady")
    wait_until_playing(sandbox, "steady")
    player = sandbox.spawn([sys.executable, PLAYERS / "pulse_tone.py"])
    try:
        recording = record(steady=programs("steady"), game=programs("pauser"))
        recording.wait_for_state("game", "capturing")
        wait_until(lambda: "playing" in player.output())  # and heeds its signal
        player._process.send_signal(signal.SIGUSR1)
        recording.wait_for_state("game", "paused")
        assert "paused" in recording.capture.source_status("game").reason
        hear(recording, 1.2)  # longer than a new stream may take for its first frame
        player._process.send_signal(signal.SIGUSR1)
        recording.wait_for_state("game", "capturing")
        hear(recording, 0.3)
        recording.stop()
        assert _told(recording, "game", steady).count("paused") == 1
        assert "stalled" not in _told(recording, "game", steady), recording.incidents
    finally:
        player.kill()


def test_a_muted_program_says_so(tone: Tone, record: Record, sandbox: Sandbox) -> None:
    tone("game", 440.0, api="pulse")
    wait_until_playing(sandbox, "game")
    recording = record(game=programs("game"))
    index = sandbox.run("pactl", "list", "short", "sink-inputs").split()[0]
    sandbox.run("pactl", "set-sink-input-mute", index, "1")
    recording.wait_for_state("game", "muted")
    hear(recording, 0.4)
    track = recording.stop()["game"]
    assert not track[-RATE // 10 :].any()
    # Captured silence is no missing frame. On a busy machine the program itself has gaps.
    assert recording.missing("game") < 0.2 * RATE


def test_pipewire_restarts_and_the_recording_goes_on(
    own_sandbox: Sandbox, position_player: object
) -> None:
    def start(name: str) -> Player:
        return own_sandbox.spawn([str(position_player), "--name", name], name=name)

    start("one")
    start("two")
    wait_until_playing(own_sandbox, "one", "two")
    recording = Recording(own_sandbox, {"one": programs("one"), "two": programs("two")})
    try:
        hear(recording, 0.4)
        own_sandbox.restart_pipewire()
        start("one")
        start("two")
        recording.wait_for_state("one", "capturing")
        recording.wait_for_state("two", "capturing")
        assert recording.capture.server_info().reconnects == 1
        hear(recording, 0.5)
        tracks = recording.stop()
    finally:
        recording.close()
    together(tracks["one"], tracks["two"])
    assert "backend_lost" in {one.cause for one in recording.incidents}
    assert gap(tracks["one"])[1] < 2 * RATE


def test_pipewire_stays_away_for_a_while(own_sandbox: Sandbox, position_player: object) -> None:
    recording = Recording(own_sandbox, {"one": programs("one")})
    try:
        own_sandbox._daemons["pipewire"].kill()
        recording.wait_for_state("one", "backend_lost")
        assert not recording.capture.server_info().connected
        hear(recording, 1.0)  # it tries several times in vain
        own_sandbox.restart_pipewire()
        own_sandbox.spawn([str(position_player), "--name", "one"], name="one")
        recording.wait_for_state("one", "capturing", timeout_s=3.0)
        recording.stop()
    finally:
        recording.close()


def test_wireplumber_restarts_without_a_lost_frame_of_ours_being_unaccounted(
    own_sandbox: Sandbox, position_player: object
) -> None:
    for name in ("one", "two"):
        own_sandbox.spawn([str(position_player), "--name", name], name=name)
    wait_until_playing(own_sandbox, "one", "two")
    recording = Recording(own_sandbox, {"one": programs("one"), "two": programs("two")})
    try:
        hear(recording, 0.4)
        own_sandbox.restart_wireplumber()
        hear(recording, 0.4)
        assert recording.state("one") == "capturing"
        tracks = recording.stop()
    finally:
        recording.close()
    together(tracks["one"], tracks["two"])


def test_sources_can_be_added_and_stopped_while_programs_come_and_go(
    sandbox: Sandbox, play: Play
) -> None:
    capture = _core.PipewireCapture(remote=sandbox.remote, meter_streams=True)
    names = [f"game{round_}" for round_ in range(6)]
    try:
        for name in names:
            player = play(name)
            capture.add_source(name, programs(name))
            assert capture.wait_until_running(3.0)
            capture.streams()
            player.kill()
        assert [capture.source_status(name).name for name in names] == names
    finally:
        capture.stop()


@pytest.mark.parametrize("api", ["pipewire", "pulse"])
def test_sounds_that_end_are_no_stalls(
    api: str, play: Play, tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    name = own("ping")
    steady = play("steady")
    wait_until_playing(sandbox, "steady")
    recording = record(steady=programs("steady"), ping=programs(name))
    for _ in range(3):
        player = tone(name, 440.0, api=api, seconds=0.3)
        recording.wait_for_state("ping", "capturing")
        player.wait(10.0)
        recording.wait_for_state("ping", "not_running")
    tracks = recording.stop()
    assert "stalled" not in _told(recording, "ping", steady), recording.incidents
    heard = np.count_nonzero(np.abs(tracks["ping"][:, 0]) > 0.01)
    assert heard > 3 * 0.25 * RATE


def _told(recording: Recording, source: str, steady: Player) -> list[str]:
    """The causes in the ledger of a source, but for what the whole graph missed."""
    missed = missed_by(steady, recording.origin_ns)
    return [
        one.cause
        for one in recording.incidents
        if one.source == source
        and not excused(one.cause, one.begin, one.begin + one.frames, missed)
    ]
