# SPDX-License-Identifier: MIT
"""Each program in its own track, bit for bit, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, Audio, hear, level_db, own, shifts, wait_until, wait_until_playing
from .conftest import Record, longest_exact, programs

pytestmark = pytest.mark.pipewire

Tone = Callable[..., Player]
Play = Callable[..., Player]


def sine(frequency: float, level_dbfs: float = -12.0) -> Audio:
    second = np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    return (second * 10 ** (level_dbfs / 20)).astype(np.float32)


def test_a_native_and_a_pulse_program_are_captured_apart_bit_for_bit(
    tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    tone("game", 440.0)
    tone("voice", 1000.0, api="pulse")
    wait_until_playing(sandbox, "game", "voice")
    for _ in range(4):  # where the machine is too busy for the programs, another time
        recording = record(game=programs("game"), voice=programs("voice"))
        hear(recording, 0.7)
        tracks = recording.stop()
        if not recording.incidents:
            break
    assert recording.incidents == []
    assert longest_exact(tracks["game"], sine(440.0)) > RATE // 2
    assert longest_exact(tracks["voice"], sine(1000.0)) > RATE // 2


def test_two_programs_are_aligned_to_the_frame_from_the_first_on(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("one")
    play("two")
    wait_until_playing(sandbox, "one", "two")
    recording = record(one=programs("one"), two=programs("two"))
    hear(recording, 0.7)
    tracks = recording.stop()
    frames_one, shift_one = shifts(tracks["one"])
    frames_two, shift_two = shifts(tracks["two"])
    assert len(frames_one) > RATE // 2
    assert np.unique(shift_one).size == 1
    assert np.array_equal(np.unique(shift_one), np.unique(shift_two))
    assert np.array_equal(frames_one, frames_two)


def test_programs_on_two_devices_are_aligned_by_host_time_and_each_is_whole(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    # One impulse each 100 ms, in the frame whose host time is nearest.
    period_ns = "100000000"
    for name, sink in (("one", "speakers"), ("two", "headphones")):
        play(name, "--target", sink, "--impulses", period_ns)
    wait_until_playing(sandbox, "one", "two")
    recording = record(one=programs("one"), two=programs("two"), both=programs("one", "two"))
    hear(recording, 1.2)
    tracks = recording.stop()
    one, two = (np.flatnonzero(tracks[name][:, 0]) for name in ("one", "two"))
    assert min(len(one), len(two)) >= 10
    # The last ones of both, for either may miss its first.
    assert np.abs(one[-10:] - two[-10:]).max() <= 1
    assert set(np.flatnonzero(tracks["both"][:, 0])) == {*one, *two}


def test_a_mono_program_is_heard_on_both_sides(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("mono", "--channels", "1")
    wait_until_playing(sandbox, "mono")
    recording = record(mono=programs("mono"))
    hear(recording, 0.3)
    track = recording.stop()["mono"]
    assert np.count_nonzero(track) > RATE // 4
    assert np.array_equal(track[:, 0], track[:, 1])


def test_the_rest_never_has_the_excluded_program_however_late_it_comes(
    tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    tone("browser", 440.0)
    wait_until_playing(sandbox, "browser")
    name = own("voice")
    voice = programs(name)
    recording = record(
        voice=voice, rest=_core.Selector(kind="everything_except", except_sources=[voice])
    )
    hear(recording, 0.3)
    assert recording.state("voice") == "not_running"
    tone(name, 1000.0, api="pulse")
    recording.wait_for_state("voice", "capturing")
    hear(recording, 0.8)
    tracks = recording.stop()
    # A busy machine makes the programs miss some; where the other one were, nothing were exact.
    assert longest_exact(tracks["rest"], sine(440.0)) > RATE // 2
    assert longest_exact(tracks["voice"], sine(1000.0)) > RATE // 4


def test_all_streams_of_a_tree_are_one_source_and_a_named_child_is_its_own(
    tone: Tone, record: Record, sandbox: Sandbox, position_player: Path
) -> None:
    player = sandbox.spawn(["sh", "-c", f"{position_player} --name helper & wait"], name="launcher")
    try:
        wait_until_playing(sandbox, "position_player")
        recording = record(tree=programs("launcher"))
        assert [one.program for one in recording.capture.source_status("tree").streams] == [
            "position_player"
        ]
        recording.stop()
        recording = record(tree=programs("launcher"), child=programs("position_player"))
        hear(recording, 0.2)
        tracks = recording.stop()
        assert not tracks["tree"].any()
        assert tracks["child"].any()
    finally:
        os.killpg(player.pid, signal.SIGKILL)  # the helper too
        player.wait()


def test_a_microphone_is_bound_when_it_comes(tone: Tone, record: Record, sandbox: Sandbox) -> None:
    recording = record(mic=_core.Selector(kind="device", patterns=["default"]))
    assert recording.state("mic") == "not_running"
    sandbox.add_source("mic")
    tone("speaker", 440.0, sink="mic")
    recording.wait_for_state("mic", "capturing")
    hear(recording, 1.0)
    track = recording.stop()["mic"][-RATE // 2 :]
    # Not bit for bit: a device's clock that has just begun is brought to its place first.
    for side in (0, 1):
        assert level_db(track[:, side], 440.0) == pytest.approx(-12, abs=1.5)


def test_streams_tell_volume_mute_and_peak_of_each_program(tone: Tone, sandbox: Sandbox) -> None:
    tone("loud", 1000.0, api="pulse", level_dbfs=-6.0)
    capture = _core.PipewireCapture(remote=sandbox.remote, meter_streams=True)
    try:
        wait_until_playing(sandbox, "loud")
        index = sandbox.run("pactl", "list", "short", "sink-inputs").split()[0]

        def look() -> _core.StreamView:
            return next(one for one in capture.streams() if one.program == "loud")

        def peak(there: Callable[[_core.StreamView], bool]) -> _core.StreamView:
            wait_until(lambda: there(look()))
            time.sleep(0.1)  # what was louder is heard to its end: some cycles
            look()
            time.sleep(0.1)  # a peak is that of the time since the last look: some cycles more
            return look()

        stream = peak(lambda one: one.peak_db > -np.inf)
        assert stream.playing
        assert stream.sink == "speakers"
        assert (stream.channels, stream.sample_rate) == (2, RATE)
        assert stream.peak_db == pytest.approx(-6.0, abs=0.01)
        sandbox.run("pactl", "set-sink-input-volume", index, "50%")
        stream = peak(lambda one: one.volume == pytest.approx(0.5, abs=0.001))
        assert stream.volume == pytest.approx(0.5, abs=0.001)
        assert stream.volume_db == pytest.approx(-18.06, abs=0.01)
        assert stream.peak_db == pytest.approx(-24.06, abs=0.05)
        sandbox.run("pactl", "set-sink-input-mute", index, "1")
        stream = peak(lambda one: one.muted)
        assert stream.muted
        assert stream.peak_db == -np.inf
    finally:
        capture.stop()


def test_nothing_of_the_users_own_graph_is_changed(
    tone: Tone, record: Record, sandbox: Sandbox
) -> None:
    tone("game", 440.0)
    wait_until_playing(sandbox, "game")

    def picture() -> tuple[str, ...]:
        inputs = sandbox.run("pactl", "list", "short", "sink-inputs")
        defaults = sandbox.run("pactl", "info").split("Default Sink:")[1].split("Cookie")[0]
        links = sandbox.run("pw-link", "--links")
        return inputs, defaults, links

    before = picture()
    recording = record(game=programs("game"))
    hear(recording, 0.1)
    during = picture()
    recording.stop()
    assert during[:2] == before[:2]
    assert "pypac-obs" in during[2]
    wait_until(lambda: picture() == before, 5.0, lambda: f"{picture()}, not {before}")


def test_an_explicit_remote_goes_before_the_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPEWIRE_REMOTE", "the-users-own")
    capture = _core.PipewireCapture(remote=sandbox.remote)
    try:
        assert capture.server_info().connected
    finally:
        capture.stop()


def test_a_wrong_remote_is_one_sentence_with_a_remedy() -> None:
    from pypac_obs.errors import BackendUnavailable

    with pytest.raises(BackendUnavailable, match="not running") as caught:
        _core.PipewireCapture(remote="/nowhere/pipewire-0")
    assert "systemctl --user start" in caught.value.remedy
