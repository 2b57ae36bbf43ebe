# SPDX-License-Identifier: MIT
"""Who a stream belongs to stays known, whatever its program and those that started it do."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypac_obs import Profile, _core
from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.session.wiring import selector_of

from ..conftest import wait_until
from .conftest import Record, programs

pytestmark = pytest.mark.pipewire

Tone = Callable[..., Player]

# Processes are looked at again once a second.
REFRESHED_S = 1.2


@pytest.fixture
def capture(sandbox: Sandbox) -> Iterator[_core.PipewireCapture]:
    capture = _core.PipewireCapture(remote=sandbox.remote)
    yield capture
    capture.stop()


def rest(*excluded: _core.Selector) -> _core.Selector:
    return _core.Selector(kind="everything_except", except_sources=list(excluded))


@pytest.mark.parametrize("late", [False, True], ids=["stream before", "stream after"])
def test_a_program_stays_its_launchers_when_the_launcher_exits(
    late: bool, record: Record, sandbox: Sandbox, position_player: Path
) -> None:
    # The launcher exits before or after its child opens its stream.
    wait = f"sleep {2 * REFRESHED_S};" if late else ""
    launcher = sandbox.spawn(
        ["sh", "-c", f"({wait} exec {position_player} --name orphan) & sleep {REFRESHED_S}; true"],
        name="launcher",
    )
    try:
        recording = record(mine=programs("launcher"), rest=rest(programs("launcher")))
        launcher.wait(5.0)
        recording.wait_for_state("mine", "capturing", timeout_s=5.0)
        time.sleep(REFRESHED_S)  # they are looked at without the launcher
        assert recording.state("mine") == "capturing"
        assert recording.state("rest") == "no_stream"
        tracks = recording.stop()
        assert tracks["mine"].any()
        assert not tracks["rest"].any()
    finally:
        os.killpg(launcher.pid, signal.SIGKILL)  # the orphan


def test_a_stream_that_may_be_the_excluded_pid_is_left_out(
    tone: Tone, sandbox: Sandbox, capture: _core.PipewireCapture
) -> None:
    known = tone("known", 440.0, api="pulse")
    other = tone("other", 440.0, api="pulse")
    # Its process cannot be found, as a container's cannot.
    hidden = sandbox.spawn(
        ["pacat", "--property=application.process.id=99999999", str(known.audio_file)],
        name="hidden",
    )
    try:
        playing = {"known", "other", "hidden"}
        wait_until(lambda: {one.program for one in capture.streams() if one.playing} >= playing)

        def taken_except(*excluded: str | int) -> set[str]:
            profile = Profile.from_dict(
                {
                    "version": 1,
                    "sources": {"rest": {"everything_except": [{"process": list(excluded)}]}},
                    "tracks": {"rest": {"from": "rest"}},
                }
            )
            selector = selector_of(profile.sources["rest"], profile)
            return {one.program for one in capture.preview([selector])[0].streams}

        assert taken_except("known") == {"other"}  # who plays `hidden` is not known
        assert taken_except(known.pid) == {"other"}
        assert taken_except(known.pid, other.pid) == set()
    finally:
        hidden.kill()


def test_names_that_are_not_utf8_are_shown_and_matched_all_the_same(
    record: Record, sandbox: Sandbox, position_player: Path
) -> None:
    # Latin-1 for "café", as file name and as properties of the stream.
    program = sandbox.folder / "bin" / "caf\udce9"
    shutil.copy2(position_player, program)
    player = sandbox.spawn([program, "--name", "stream \udce9"])
    try:
        recording = record(cafe=programs("caf*"))
        recording.wait_for_state("cafe", "capturing")
        (by_claim,) = recording.capture.preview([programs("stream \ufffd")])
        assert [one.program for one in by_claim.streams] == ["caf\ufffd"]
        status = recording.capture.source_status("cafe")
        assert [one.program for one in status.streams] == ["caf\ufffd"]
        named = [one for one in recording.capture.streams() if one.program == "caf\ufffd"]
        assert [one.application_name for one in named] == ["stream \ufffd"]
        recording.stop()
    finally:
        player.kill()
